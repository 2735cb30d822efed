# The Rust bridge as an imported shared library.
#
# tools/bridge.sh runs in every build that needs the library. It starts cargo only if bridge/
# changed, and answers in milliseconds otherwise; the library it leaves in the build folder is
# rewritten only if it is another one, so an edit of C++ neither compiles Rust nor links anew.

set(TREFOIL_BRIDGE_LIBRARY ${PROJECT_BINARY_DIR}/lib/libtrefoil_bridge.so)

add_custom_target(trefoil_bridge_build
    COMMAND ${PROJECT_SOURCE_DIR}/tools/bridge.sh --output ${TREFOIL_BRIDGE_LIBRARY}
    BYPRODUCTS ${TREFOIL_BRIDGE_LIBRARY}
    COMMENT "Checking that the Rust bridge is built"
    USES_TERMINAL VERBATIM)

add_library(trefoil_bridge SHARED IMPORTED GLOBAL)
set_target_properties(trefoil_bridge PROPERTIES
    IMPORTED_LOCATION ${TREFOIL_BRIDGE_LIBRARY}
    IMPORTED_NO_SONAME ON)
add_dependencies(trefoil_bridge trefoil_bridge_build)
