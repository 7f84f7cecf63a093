# Builds the consumer with SOURCE_DIR by add_subdirectory and the library shared, installs what that
# built into a scratch prefix, and builds the consumer against that as well.

include("${CMAKE_CURRENT_LIST_DIR}/steps.cmake")
file(REMOVE_RECURSE "${SCRATCH}/prefix" "${SCRATCH}/installed")
# What is checked needs no speed, and the whole library is compiled for it.
run_consumer(source -DCMAKE_CXX_FLAGS_RELEASE=-O1
  -DGRADMILL_SOURCE_DIR=${SOURCE_DIR} -DBUILD_SHARED_LIBS=ON -DGRADMILL_INSTALL=ON)

step(${CMAKE_COMMAND} --install ${SCRATCH}/source --prefix ${SCRATCH}/prefix)
check_headers(${SCRATCH}/prefix)
run_consumer(installed -DCMAKE_PREFIX_PATH=${SCRATCH}/prefix)

# Only symbols of namespace gradmill are public. Weak ones are templates and inline functions of the
# standard library, which every C++ library has.
file(GLOB_RECURSE library "${SCRATCH}/prefix/lib*/libgradmill.so")
execute_process(COMMAND nm --dynamic --defined-only --demangle ${library}
  OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" symbols "${symbols}")
set(foreign "")
foreach(symbol IN LISTS symbols)
  if(symbol MATCHES " [TDBR] " AND NOT symbol MATCHES "gradmill::")
    list(APPEND foreign "${symbol}")
  endif()
endforeach()
if(foreign)
  message(FATAL_ERROR "libgradmill.so exports what is not gradmill's: ${foreign}")
endif()
