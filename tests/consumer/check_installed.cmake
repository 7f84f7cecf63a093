# Installs BUILD_DIR into a scratch prefix and builds the consumer against that.

include("${CMAKE_CURRENT_LIST_DIR}/steps.cmake")
file(REMOVE_RECURSE "${SCRATCH}")
step(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${SCRATCH}/prefix)
check_headers(${SCRATCH}/prefix)
run_consumer(build -DCMAKE_PREFIX_PATH=${SCRATCH}/prefix)
if(EXISTS "${SCRATCH}/prefix/bin/gradmill")
  step(${SCRATCH}/prefix/bin/gradmill --version)
endif()
