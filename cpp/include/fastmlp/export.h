/// FASTMLP_API marks what the shared library exports. Nothing else of it can be seen from outside,
/// and the static library (FASTMLP_STATIC) makes no library that takes it in export anything.
#pragma once

#if defined(FASTMLP_STATIC) || !defined(__GNUC__)
#define FASTMLP_API
#else
#define FASTMLP_API __attribute__((visibility("default")))
#endif
