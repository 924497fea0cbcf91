# Installs the library so that `find_package(fastmlp)` gives `fastmlp::core`.
include(CMakePackageConfigHelpers)

set(FASTMLP_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/fastmlp)

install(
    TARGETS fastmlp_core
    EXPORT fastmlp-targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cpp
)
install(
    DIRECTORY include/fastmlp
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    COMPONENT cpp
    FILES_MATCHING
    PATTERN "*.hpp"
)
install(EXPORT fastmlp-targets NAMESPACE fastmlp:: DESTINATION ${FASTMLP_PACKAGE_DIR} COMPONENT cpp)
write_basic_package_version_file(
    fastmlp-config-version.cmake
    VERSION ${FASTMLP_VERSION}
    COMPATIBILITY SameMinorVersion
)
install(
    FILES cmake/fastmlp-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/fastmlp-config-version.cmake
    DESTINATION ${FASTMLP_PACKAGE_DIR}
    COMPONENT cpp
)
