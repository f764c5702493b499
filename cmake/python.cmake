# The extension module of the Python package.
find_package(Python COMPONENTS Interpreter Development.Module ${SKBUILD_SABI_COMPONENT} REQUIRED)
include(UseCython)

cython_transpile(src/fastclf/_native.pyx LANGUAGE C MODULE_NAME fastclf._native
  INCLUDE_DIRECTORIES src OUTPUT_VARIABLE native_c)
if(SKBUILD_SABI_VERSION)
  python_add_library(_native MODULE "${native_c}" WITH_SOABI USE_SABI ${SKBUILD_SABI_VERSION})
else()
  python_add_library(_native MODULE "${native_c}" WITH_SOABI)
endif()
if(CMAKE_CROSSCOMPILING AND TARGET Python::SABIModule)
  # What the Python that builds is linked with says nothing of the system that is built for.
  set_property(TARGET Python::SABIModule PROPERTY INTERFACE_LINK_LIBRARIES)
endif()
target_include_directories(_native PRIVATE csrc src/fastclf/include)
target_link_libraries(_native PRIVATE ${fastclf_objects} fastclf_needs)
set_target_properties(_native PROPERTIES C_VISIBILITY_PRESET hidden)
install(TARGETS _native DESTINATION fastclf)

# Cython's declarations of the public C interface: with the constants of its header, each once.
set(header "${PROJECT_SOURCE_DIR}/src/fastclf/include/fastclf_api.h")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${header}")
file(READ "${header}" constants)
string(REGEX MATCHALL "FASTCLF_[A-Za-z0-9_]+ = [0-9]" constants "${constants}")
list(TRANSFORM constants REPLACE " = .*" "")
list(REMOVE_DUPLICATES constants)
list(JOIN constants "\n        " constants)
configure_file(cmake/c_api.pxd.in c_api.pxd @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/c_api.pxd" DESTINATION fastclf)
