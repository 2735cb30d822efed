# One static library per room of src/, in the order and with the permissions of src/LAYERS, and one
# test program per room from its *_test.cpp files.
#
# `db` is the last room inside. When it was made, the library `trefoil` is put together from all of
# them; rooms listed below it (shell, later server) are doors: they link that library as any user
# would.

# What a room needs from outside this repository, beside the rooms it names.
set(trefoil_storage_needs lmdb xxhash)
set(trefoil_engine_needs trefoil_bridge)
set(trefoil_shell_needs edit)

# Lists the tests for tools/test.py, one line each: suite, then the command.
set(TREFOIL_TEST_LIST ${PROJECT_BINARY_DIR}/tests.txt)
file(WRITE ${TREFOIL_TEST_LIST}.new "")
function(trefoil_list_test suite)
    string(REPLACE ";" " " command "${ARGN}")
    file(APPEND ${TREFOIL_TEST_LIST}.new "${suite} ${command}\n")
endfunction()

# The entry point of test programs, compiled once.
if(TREFOIL_TESTS)
    add_library(trefoil_test_main OBJECT tests/main.cpp)
    target_link_libraries(trefoil_test_main PRIVATE doctest::doctest trefoil_options)
    target_compile_options(trefoil_test_main PRIVATE -O0)
endif()

# A doctest program. It gets tests/main.cpp unless one of its sources has a main() of its own. What
# is tested is optimised, the tests are not, and have no line tables (doctest names the lines): that
# more than halves the time they take to compile.
function(trefoil_add_test_program name suite)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    set(main trefoil_test_main)
    foreach(source IN LISTS arg_SOURCES)
        file(STRINGS ${source} found REGEX "^int main\\(")
        if(found)
            set(main "")
        endif()
    endforeach()
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE ${main} ${arg_LINK} doctest::doctest trefoil_options)
    target_compile_options(${name} PRIVATE -O0)
    if(NOT TREFOIL_SANITIZE)
        target_compile_options(${name} PRIVATE -g0)
    endif()
    trefoil_list_test(${suite} $<TARGET_FILE:${name}>)
    add_test(NAME ${suite} COMMAND ${name})
endfunction()

set(rooms_inside "")
set(db_was_made NO)
file(STRINGS src/LAYERS lines REGEX "^[a-z]+:")
foreach(line IN LISTS lines)
    string(REGEX MATCH "^([a-z]+):(.*)$" _ "${line}")
    set(room ${CMAKE_MATCH_1})
    separate_arguments(allowed UNIX_COMMAND "${CMAKE_MATCH_2}")
    list(TRANSFORM allowed PREPEND trefoil_)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.cpp)
    file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.h)
    set(tests ${sources})
    list(FILTER sources EXCLUDE REGEX "_test\\.cpp$|/main\\.cpp$")
    list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
    if(db_was_made)
        list(APPEND allowed trefoil)
    endif()

    set(scope INTERFACE)
    if(sources)
        set(scope PUBLIC)
        add_library(trefoil_${room} STATIC ${sources})
        target_link_libraries(trefoil_${room} PRIVATE trefoil_options)
    else()
        add_library(trefoil_${room} INTERFACE)
    endif()
    target_include_directories(trefoil_${room} ${scope} src include)
    target_link_libraries(trefoil_${room} ${scope} ${allowed} ${trefoil_${room}_needs}
                          Threads::Threads)
    if(headers)
        target_sources(trefoil_${room} ${scope} FILE_SET HEADERS
                       BASE_DIRS ${PROJECT_SOURCE_DIR}/src FILES ${headers})
    endif()
    if(tests AND TREFOIL_TESTS)
        trefoil_add_test_program(${room}_test ${room} SOURCES ${tests} LINK trefoil_${room})
    endif()

    if(NOT db_was_made)
        list(APPEND rooms_inside ${room})
    endif()
    if(room STREQUAL "db")
        set(db_was_made YES)
        include(cmake/Library.cmake)
    endif()
endforeach()

if(EXISTS ${PROJECT_SOURCE_DIR}/src/shell/main.cpp)
    add_executable(trefoil_program src/shell/main.cpp)
    set_target_properties(trefoil_program PROPERTIES
        OUTPUT_NAME trefoil
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
        INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
    target_link_libraries(trefoil_program PRIVATE trefoil_shell trefoil_options)
    install(TARGETS trefoil_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
