# zig makes no bundles, CMake's kind of module. Python loads a dynamic library as well.
set(CMAKE_SHARED_MODULE_CREATE_C_FLAGS "-dynamiclib")
