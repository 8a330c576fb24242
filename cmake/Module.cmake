# hf_unify(TARGET...): each a single compilation unit, where the build asks for that.
function(hf_unify)
  set_target_properties(${ARGV} PROPERTIES UNITY_BUILD ${HF_UNITY} UNITY_BUILD_BATCH_SIZE 0)
endfunction()

# hf_module(NAME USES module... LINKS library...)
#
# One call per folder of src/: the library hf_NAME from src/NAME/*.cc, its tests from
# tests/NAME/*_test.cc as NAME_test, and a link test: the whole library linked with nothing but
# what it declares, so that an undeclared dependency fails the build.
function(hf_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LINKS")
  list(TRANSFORM arg_USES PREPEND hf_)

  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  if(NOT sources)
    add_library(hf_${name} INTERFACE)  # Headers only.
    target_link_libraries(hf_${name} INTERFACE hf_flags ${arg_USES} ${arg_LINKS})
    return()
  endif()
  add_library(hf_${name} STATIC ${sources})
  target_link_libraries(hf_${name} PUBLIC hf_flags ${arg_USES} ${arg_LINKS})
  hf_unify(hf_${name})

  if(BUILD_TESTING)
    add_executable(${name}_link_test ${CMAKE_SOURCE_DIR}/cmake/link_test.cc)
    target_link_libraries(${name}_link_test PRIVATE
      -Wl,--whole-archive $<TARGET_FILE:hf_${name}> -Wl,--no-whole-archive ${arg_USES} ${arg_LINKS})
    add_dependencies(${name}_link_test hf_${name})

    file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*_test.cc)
    if(tests)
      add_executable(${name}_test ${tests})
      target_link_libraries(${name}_test PRIVATE
        hf_${name} ${HF_RAPIDCHECK} GTest::gmock GTest::gtest_main)
      hf_unify(${name}_test)
      target_compile_definitions(${name}_test PRIVATE HF_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
      gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 120)
    endif()
  endif()
endfunction()
