# Installs a tree that may be moved as a whole: headers, libraries, a package for CMake's
# `find_package(fastmlp)` with `fastmlp::core` (static) and `fastmlp::shared`, and `fastmlp-static`
# and `fastmlp` for pkg-config.
include(CMakePackageConfigHelpers)

set(FASTMLP_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/fastmlp)
set(FASTMLP_LIBRARIES fastmlp_core)
if(FASTMLP_BUILD_SHARED)
    list(APPEND FASTMLP_LIBRARIES fastmlp_shared)
endif()

install(
    TARGETS ${FASTMLP_LIBRARIES}
    EXPORT fastmlp-targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cpp
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cpp NAMELINK_COMPONENT cpp
)
install(
    DIRECTORY include/
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    COMPONENT cpp
    FILES_MATCHING
    PATTERN "*.hpp"
    PATTERN "*.h"
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

# pkg-config: paths from the file's own place upwards.
set(FASTMLP_PKGCONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(
    RELATIVE_PATH CMAKE_INSTALL_PREFIX
    BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${FASTMLP_PKGCONFIG_DIR}
    OUTPUT_VARIABLE FASTMLP_PREFIX_FROM_PKGCONFIG
)
set(FASTMLP_PKGCONFIG_FILES fastmlp-static.pc)
if(FASTMLP_BUILD_SHARED)
    list(APPEND FASTMLP_PKGCONFIG_FILES fastmlp.pc)
endif()
foreach(file IN LISTS FASTMLP_PKGCONFIG_FILES)
    configure_file(cmake/${file}.in ${file} @ONLY)
    install(
        FILES ${CMAKE_CURRENT_BINARY_DIR}/${file}
        DESTINATION ${FASTMLP_PKGCONFIG_DIR}
        COMPONENT cpp
    )
endforeach()
