/// Every header in C++ includes this one: a compiler for an older standard reports this error
/// before all those that follow from it.
#pragma once

#if defined(_MSVC_LANG) ? _MSVC_LANG <= 201703L : __cplusplus <= 201703L
#error "fastmlp needs C++20: compile with -std=c++20, or set CMAKE_CXX_STANDARD to 20"
#endif
