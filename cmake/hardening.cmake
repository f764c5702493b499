# What makes a mistake in memory harder to use: checked copies, marks on the stack, checked targets of jumps, and no
# address of a function that can be written to once the file is loaded. Each where the compiler and the linker have it.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

add_library(fastclf_hardening INTERFACE)
# Copies are only checked by what optimises.
target_compile_options(fastclf_hardening INTERFACE
  $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
foreach(flag -fstack-protector-strong -fcf-protection=full -mbranch-protection=standard)
  string(MAKE_C_IDENTIFIER "FASTCLF_HAS${flag}" has)
  check_c_compiler_flag(${flag} ${has})
  if(${has})
    target_compile_options(fastclf_hardening INTERFACE ${flag})
  endif()
endforeach()
foreach(word relro now noexecstack)
  check_linker_flag(C -Wl,-z,${word} FASTCLF_HAS_${word})
  if(FASTCLF_HAS_${word})
    target_link_options(fastclf_hardening INTERFACE -Wl,-z,${word})
  endif()
endforeach()
