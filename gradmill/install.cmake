# What `cmake --install` puts where: the library, its public headers, the package files, the command.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

option(GRADMILL_INSTALL "Install the library, its headers and package files" ${PROJECT_IS_TOP_LEVEL})
if(NOT GRADMILL_INSTALL)
  return()
endif()

install(TARGETS gradmill EXPORT gradmillTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# Public are all headers but those that say "// Internal" near their top.
file(GLOB_RECURSE gradmill_headers CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_LIST_DIR}"
  "${CMAKE_CURRENT_LIST_DIR}/*.h")
foreach(header IN LISTS gradmill_headers)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/${header}")
  file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/${header}" first_lines LIMIT_COUNT 8)
  if(NOT first_lines MATCHES "(^|;)// Internal")
    get_filename_component(folder "${header}" DIRECTORY)
    install(FILES "${CMAKE_CURRENT_LIST_DIR}/${header}"
      DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/gradmill/${folder}")
  endif()
endforeach()

set(GRADMILL_IS_SHARED ${BUILD_SHARED_LIBS})
set(GRADMILL_USES_OPENMP ${OpenMP_CXX_FOUND})
set(gradmill_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/gradmill")
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/tools/cmake/gradmillConfig.cmake.in"
  "${CMAKE_CURRENT_BINARY_DIR}/gradmillConfig.cmake"
  INSTALL_DESTINATION "${gradmill_package_dir}")
write_basic_package_version_file(
  "${CMAKE_CURRENT_BINARY_DIR}/gradmillConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/gradmillConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/gradmillConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/tools/cmake/Finddnnl.cmake"
  DESTINATION "${gradmill_package_dir}")
install(EXPORT gradmillTargets NAMESPACE gradmill:: DESTINATION "${gradmill_package_dir}")
