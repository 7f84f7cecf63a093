# Shared by the checks, which are run by `cmake -P`.

function(step)
  list(JOIN ARGN " " command)
  message(STATUS "${command}")
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Configures the consumer in SCRATCH/name.
function(configure_consumer name)
  step(${CMAKE_COMMAND} -S ${PROJECT} -B ${SCRATCH}/${name} -G ${GENERATOR}
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}
    "-DCMAKE_CXX_FLAGS=${FLAGS}" ${ARGN})
endfunction()

# Configures, builds and runs it.
function(run_consumer name)
  configure_consumer(${name} ${ARGN})
  step(${CMAKE_COMMAND} --build ${SCRATCH}/${name})
  step(${SCRATCH}/${name}/consumer)
endfunction()

# What is installed is gradmill.h and the headers directly in the library's folders, as files.
function(check_headers prefix)
  file(GLOB expected RELATIVE "${SOURCE_DIR}" "${SOURCE_DIR}/gradmill.h"
    "${SOURCE_DIR}/runtime/*.h" "${SOURCE_DIR}/graph/*.h" "${SOURCE_DIR}/ops/*.h")
  list(TRANSFORM expected PREPEND "gradmill/")
  file(GLOB_RECURSE installed RELATIVE "${prefix}/include" "${prefix}/include/*")
  list(SORT expected)
  list(SORT installed)
  if(NOT "${installed}" STREQUAL "${expected}")
    set(missing ${expected})
    list(REMOVE_ITEM missing ${installed})
    list(REMOVE_ITEM installed ${expected})
    message(FATAL_ERROR "installed, but not public: ${installed}; public, but not installed: ${missing}")
  endif()
  file(GLOB_RECURSE entries LIST_DIRECTORIES true "${prefix}/include/*")
  foreach(entry IN LISTS entries)
    if(IS_SYMLINK "${entry}")
      message(FATAL_ERROR "${entry} is a symbolic link")
    endif()
  endforeach()
endfunction()
