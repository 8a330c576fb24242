# Runs a small program instead of trusting a version number: some compilers destroy the temporaries
# of a co_await expression twice (g++ 12 is one), which would corrupt memory in src/net.

if(NOT HF_COROUTINES_OK)
  try_run(probe_run probe_compiled
    ${CMAKE_BINARY_DIR}/coroutine_probe ${CMAKE_SOURCE_DIR}/cmake/coroutine_probe.cc
    CXX_STANDARD 23 CXX_STANDARD_REQUIRED ON
    COMPILE_OUTPUT_VARIABLE probe_log)
  if(NOT probe_compiled OR NOT "${probe_run}" STREQUAL "0")
    message(FATAL_ERROR
      "This compiler (${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}) miscompiles coroutines. "
      "Use clang 16 or newer; 'make setup' installs clang 19.\n${probe_log}")
  endif()
  set(HF_COROUTINES_OK TRUE CACHE INTERNAL "The coroutine probe passed")
endif()
