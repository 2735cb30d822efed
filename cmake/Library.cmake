# The library `trefoil`: all rooms up to db and the public headers, as a user's program links it,
# and how it is installed: headers, library, bridge, a CMake package and a pkg-config file.

set(objects "")
set(needs "")
foreach(room IN LISTS rooms_inside)
    get_target_property(kind trefoil_${room} TYPE)
    if(NOT kind STREQUAL "INTERFACE_LIBRARY")
        list(APPEND objects $<TARGET_OBJECTS:trefoil_${room}>)
    endif()
    list(APPEND needs ${trefoil_${room}_needs})
endforeach()

file(GLOB public_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/trefoil/*.h)
add_library(trefoil SHARED ${objects})
add_library(trefoil::trefoil ALIAS trefoil)
target_sources(trefoil PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include
               FILES ${public_headers})
target_compile_features(trefoil PUBLIC cxx_std_20)
target_link_libraries(trefoil PRIVATE ${needs} Threads::Threads)
set_target_properties(trefoil PROPERTIES
    LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib
    ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib
    BUILD_RPATH "$ORIGIN"
    INSTALL_RPATH "$ORIGIN")
# Only what is ours leaves the library: namespace trefoil and the C functions.
target_link_options(trefoil PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/trefoil.map)
set_property(TARGET trefoil APPEND PROPERTY LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/trefoil.map)

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/trefoil)
install(TARGETS trefoil EXPORT trefoil
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT trefoil NAMESPACE trefoil:: FILE trefoil-targets.cmake DESTINATION ${package_dir})
install(PROGRAMS ${TREFOIL_BRIDGE_LIBRARY} DESTINATION ${CMAKE_INSTALL_LIBDIR})
configure_package_config_file(cmake/trefoil-config.cmake.in
    ${PROJECT_BINARY_DIR}/trefoil-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/trefoil-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/trefoil-config.cmake
    ${PROJECT_BINARY_DIR}/trefoil-config-version.cmake DESTINATION ${package_dir})
file(RELATIVE_PATH prefix_from_pc /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(cmake/trefoil.pc.in ${PROJECT_BINARY_DIR}/trefoil.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/trefoil.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
