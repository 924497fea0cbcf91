include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/fastmlp-targets.cmake)

# A project without C++ does not know the library that C++ itself needs.
get_property(FASTMLP_LANGUAGES GLOBAL PROPERTY ENABLED_LANGUAGES)
if(NOT CXX IN_LIST FASTMLP_LANGUAGES AND NOT WIN32)
    set_property(
        TARGET fastmlp::core
        APPEND
        PROPERTY INTERFACE_LINK_LIBRARIES $<IF:$<PLATFORM_ID:Darwin>,c++,stdc++> m
    )
endif()
unset(FASTMLP_LANGUAGES)
