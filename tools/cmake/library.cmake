# The library's target, from the sources that runtime/, graph/ and ops/ list.

include(GNUInstallDirs)
find_package(Threads REQUIRED)
find_package(TBB REQUIRED)
find_package(dnnl REQUIRED)
find_package(hwy REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenMP)  # only to set the calling thread's OpenMP limit where oneDNN is built on it

set(gradmill_folders runtime graph ops)

# Sources write <gradmill/ops/softmax.h> here as users do: links make the folders look installed. The
# umbrella header is a copy, since a linked file would be installed as a link into this tree.
set(gradmill_include_dir "${PROJECT_BINARY_DIR}/include")
file(MAKE_DIRECTORY "${gradmill_include_dir}/gradmill")
foreach(folder IN LISTS gradmill_folders)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${folder}" "${gradmill_include_dir}/gradmill/${folder}"
    SYMBOLIC)
endforeach()
configure_file("${PROJECT_SOURCE_DIR}/gradmill.h" "${gradmill_include_dir}/gradmill/gradmill.h"
  COPYONLY)

# Public are the headers that lie directly in a folder; what lies deeper is internal.
set(gradmill_public_headers "${gradmill_include_dir}/gradmill/gradmill.h")
foreach(folder IN LISTS gradmill_folders)
  file(GLOB headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}"
    "${PROJECT_SOURCE_DIR}/${folder}/*.h")
  list(TRANSFORM headers PREPEND "${gradmill_include_dir}/gradmill/")
  list(APPEND gradmill_public_headers ${headers})
endforeach()

# gradmill_sources(SOURCE...): for the folders' lists, paths relative to the folder.
set(gradmill_source_list "")
macro(gradmill_sources)
  set(sources ${ARGN})
  list(TRANSFORM sources PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
  list(APPEND gradmill_source_list ${sources})
endmacro()
foreach(folder IN LISTS gradmill_folders)
  include("${PROJECT_SOURCE_DIR}/${folder}/sources.cmake")
endforeach()

# gradmill_add_library(TARGET [TYPE]): the library, of CMake's default type unless one is given.
function(gradmill_add_library target)
  add_library(${target} ${ARGN} ${gradmill_source_list})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow
    -Werror=switch  # an enumerator that a switch forgets
    -Wno-psabi      # about passing vectors by value, all inlined here
    -Wno-restrict)  # GCC 12 sees overlaps in std::string where there are none
  set_target_properties(${target} PROPERTIES
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
  target_sources(${target} PUBLIC FILE_SET HEADERS
    BASE_DIRS "${gradmill_include_dir}" FILES ${gradmill_public_headers})
  # The static library passes these on to the linker of whoever uses it.
  target_link_libraries(${target} PRIVATE
    Threads::Threads TBB::tbb DNNL::dnnl hwy::hwy Eigen3::Eigen spdlog::spdlog
    nlohmann_json::nlohmann_json ZLIB::ZLIB $<$<BOOL:${OpenMP_CXX_FOUND}>:OpenMP::OpenMP_CXX>)
endfunction()

gradmill_add_library(gradmill)
set_target_properties(gradmill PROPERTIES
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}
  VERIFY_INTERFACE_HEADER_SETS ON)  # the target all_verify_interface_header_sets compiles each alone
add_library(gradmill::gradmill ALIAS gradmill)

# What the tests link: they reach behind the public symbols, which a shared library does not let them.
if(BUILD_SHARED_LIBS AND GRADMILL_BUILD_TESTS)
  gradmill_add_library(gradmill_tested STATIC EXCLUDE_FROM_ALL)
  add_library(gradmill::tested ALIAS gradmill_tested)
else()
  add_library(gradmill::tested ALIAS gradmill)
endif()

if(GRADMILL_SANITIZE MATCHES undefined)
  # oneTBB's headers cast a node to a class that it is not yet while it is being constructed.
  set_source_files_properties("${PROJECT_SOURCE_DIR}/runtime/executor/flow.cpp" PROPERTIES
    COMPILE_OPTIONS -fno-sanitize=vptr)
endif()
if(GRADMILL_SANITIZE MATCHES thread)
  # TSan is told the order of tasks by the executor; oneTBB's headers would only add false alarms,
  # since the library behind them is not built for it.
  set_source_files_properties(
    "${PROJECT_SOURCE_DIR}/runtime/executor/flow.cpp"
    "${PROJECT_SOURCE_DIR}/runtime/threads/workers.cpp"
    PROPERTIES COMPILE_OPTIONS -fno-sanitize=thread)
  # Eigen's loops would take most of the time. Those of oneDNN are not watched, either; what goes in
  # and out is, in the kernels around them.
  set_source_files_properties("${PROJECT_SOURCE_DIR}/ops/matmul/multiply.cpp" PROPERTIES
    COMPILE_OPTIONS -fno-sanitize=thread)
endif()
