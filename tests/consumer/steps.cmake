# Shared by the two checks; both are run by `cmake -P`.

function(step)
  list(JOIN ARGN " " command)
  message(STATUS "${command}")
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Configures, builds and runs the consumer in SCRATCH/name.
function(run_consumer name)
  step(${CMAKE_COMMAND} -S ${PROJECT} -B ${SCRATCH}/${name} -G ${GENERATOR}
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}
    "-DCMAKE_CXX_FLAGS=${FLAGS}" ${ARGN})
  step(${CMAKE_COMMAND} --build ${SCRATCH}/${name})
  step(${SCRATCH}/${name}/consumer)
endfunction()

# A public header that includes one of the libraries behind gradmill would make users need it.
function(check_headers prefix)
  file(GLOB_RECURSE headers "${prefix}/include/gradmill/*.h")
  list(LENGTH headers count)
  if(count LESS 10)
    message(FATAL_ERROR "only ${count} headers in ${prefix}/include/gradmill")
  endif()
  foreach(header IN LISTS headers)
    file(STRINGS "${header}" lines REGEX "#include <(tbb|oneapi|dnnl|hwy|spdlog|Eigen|nlohmann|zlib)")
    if(lines)
      message(FATAL_ERROR "${header}: ${lines}")
    endif()
  endforeach()
endfunction()
