# Warnings, sanitizers, linker and compiler cache: one place, applied to every target.

add_library(hf_flags INTERFACE)
target_compile_options(hf_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Werror
  -ffp-contract=off -fno-omit-frame-pointer)
target_include_directories(hf_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)

if(HF_SANITIZE)
  add_compile_options(-fsanitize=${HF_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HF_SANITIZE})
endif()
if(HF_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(HF_MOLD mold)
if(HF_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
find_program(HF_CCACHE ccache)
if(HF_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HF_CCACHE})
endif()
