/// FASTMLP_API marks what the shared library exports; all else is hidden. With FASTMLP_STATIC
/// nothing is exported, also by a shared library that links the static one.
#pragma once

#if defined(FASTMLP_STATIC) || !defined(__GNUC__)
#define FASTMLP_API
#else
#define FASTMLP_API __attribute__((visibility("default")))
#endif
