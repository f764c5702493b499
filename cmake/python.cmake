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
target_include_directories(_native PRIVATE csrc src/fastclf/include)
target_link_libraries(_native PRIVATE ${fastclf_objects} fastclf_needs)
set_target_properties(_native PROPERTIES C_VISIBILITY_PRESET hidden)
install(TARGETS _native DESTINATION fastclf)
