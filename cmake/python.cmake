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
install(TARGETS _native DESTINATION fastclf)
