# cmake -DFIRST=… -DSECOND=… -DWORLD=… -DTO=… -P: both programs must print the same hashes.
foreach(which FIRST SECOND)
  execute_process(COMMAND ${${which}} ${WORLD} 1 ${TO}
    OUTPUT_VARIABLE ${which}_HASHES RESULT_VARIABLE ${which}_STATUS)
  if(NOT ${which}_STATUS EQUAL 0)
    message(FATAL_ERROR "${${which}} ended with ${${which}_STATUS}.")
  endif()
endforeach()
if(FIRST_HASHES STREQUAL "")
  message(FATAL_ERROR "There are no hashes.")
endif()
if(NOT FIRST_HASHES STREQUAL SECOND_HASHES)
  message(FATAL_ERROR "The hashes differ:\n${FIRST_HASHES}\n${SECOND_HASHES}")
endif()
