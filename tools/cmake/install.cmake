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
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(GRADMILL_IS_SHARED ${BUILD_SHARED_LIBS})
set(GRADMILL_USES_OPENMP ${OpenMP_CXX_FOUND})
set(gradmill_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/gradmill")
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/tools/cmake/gradmillConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/gradmillConfig.cmake"
  INSTALL_DESTINATION "${gradmill_package_dir}")
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/gradmillConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/gradmillConfig.cmake"
  "${PROJECT_BINARY_DIR}/gradmillConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/tools/cmake/Finddnnl.cmake"
  DESTINATION "${gradmill_package_dir}")
install(EXPORT gradmillTargets NAMESPACE gradmill:: DESTINATION "${gradmill_package_dir}")
