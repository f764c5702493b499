# The C compiler, or what to do about it: CMake's own words are hard to find in what pip prints.
include(CheckLanguage)
if(NOT CMAKE_C_COMPILER)
  check_language(C)
  set(found "${CMAKE_C_COMPILER}")
  # It lacks the arguments of CC="ccache gcc", which enable_language reads; and where there is none, there may be one
  # the next time.
  unset(CMAKE_C_COMPILER)
  unset(CMAKE_C_COMPILER CACHE)
  if(NOT found)
    message(FATAL_ERROR "fastclf needs a C compiler, GCC or Clang, and finds none. "
      "Debian, Ubuntu: apt-get install gcc libc6-dev. Fedora: dnf install gcc. macOS: xcode-select --install. "
      "The environment variable CC names one that is elsewhere.")
  endif()
endif()
enable_language(C)
if(NOT CMAKE_C_COMPILER_ID MATCHES "GNU|Clang" OR MSVC)
  message(FATAL_ERROR "fastclf needs GCC or Clang, whose vector types its kernels are written in, "
    "and finds ${CMAKE_C_COMPILER_ID} (${CMAKE_C_COMPILER}). The environment variable CC names another compiler.")
endif()
