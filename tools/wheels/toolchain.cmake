# A build for another system, as tools/wheels.sh starts it: CC is the compiler for that system; FASTCLF_TARGET is its
# name, as zig writes it; FASTCLF_PYTHON has include/, headers of Python, and python3.lib, what Windows links with.
string(REGEX MATCH "^([^-]+)-(linux|windows|macos)" target "$ENV{FASTCLF_TARGET}")
set(CMAKE_SYSTEM_PROCESSOR ${CMAKE_MATCH_1})
string(REPLACE linux Linux CMAKE_SYSTEM_NAME "${CMAKE_MATCH_2}")
string(REPLACE windows Windows CMAKE_SYSTEM_NAME "${CMAKE_SYSTEM_NAME}")
string(REPLACE macos Darwin CMAKE_SYSTEM_NAME "${CMAKE_SYSTEM_NAME}")

set(Python_INCLUDE_DIR $ENV{FASTCLF_PYTHON}/include)
set(Python_SABI_LIBRARY $ENV{FASTCLF_PYTHON}/python3.lib)
set(CMAKE_DISABLE_FIND_PACKAGE_OpenMP ON) # wheels have threads of their own: see "How to release" in CONTRIBUTING.md

if(CMAKE_SYSTEM_NAME STREQUAL Darwin)
  set(CMAKE_USER_MAKE_RULES_OVERRIDE ${CMAKE_CURRENT_LIST_DIR}/darwin.cmake)
  set(CMAKE_INSTALL_NAME_TOOL /bin/false) # CMake asks for one; no module of Python's needs it
endif()
