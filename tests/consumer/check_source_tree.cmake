# Configures the consumer with SOURCE_DIR by add_subdirectory and compiles its sources against the
# headers there. Linking would take a build of the library: check_shared.cmake does that.

include("${CMAKE_CURRENT_LIST_DIR}/steps.cmake")
file(REMOVE_RECURSE "${SCRATCH}")
configure_consumer(source -DGRADMILL_SOURCE_DIR=${SOURCE_DIR})
step(${CMAKE_COMMAND} --build ${SCRATCH}/source --target consumer_objects)

# A project that uses the library gets neither its tools nor its tests, nor is it installed with it.
execute_process(COMMAND ${CMAKE_COMMAND} --build ${SCRATCH}/source --target help
  OUTPUT_VARIABLE targets COMMAND_ERROR_IS_FATAL ANY)
if(NOT targets MATCHES "consumer" OR targets MATCHES "gradmill_command|ops_test|ops_bench")
  message(FATAL_ERROR "the consumer's targets are not those expected:\n${targets}")
endif()
step(${CMAKE_COMMAND} --install ${SCRATCH}/source --prefix ${SCRATCH}/prefix)
if(EXISTS "${SCRATCH}/prefix/include")
  message(FATAL_ERROR "gradmill is installed with the project that uses it")
endif()
