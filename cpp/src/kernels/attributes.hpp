/// Compiler attributes and pragmas of the kernels.
#pragma once

/// Every helper of a kernel is inlined: no calls, no separate symbols.
#define FASTMLP_INLINE inline __attribute__((always_inline))

#define FASTMLP_INLINE_LAMBDA __attribute__((always_inline))

/// So are exp, tanh and the like, unless an instruction set calls them (`scalar.cpp`).
#ifndef FASTMLP_ELEMENTARY
#define FASTMLP_ELEMENTARY FASTMLP_INLINE
#endif

/// What is rare, and needs more registers or room on the stack than what is common.
#define FASTMLP_NOINLINE __attribute__((noinline))

/// Unrolls the next loop completely, so that arrays of registers stay in registers. Not under
/// sanitizers, whose checks would increase the compile time to minutes.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FASTMLP_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FASTMLP_SANITIZED
#endif
#if defined(FASTMLP_SANITIZED)
#define FASTMLP_UNROLL
#elif defined(__clang__)
#define FASTMLP_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FASTMLP_UNROLL _Pragma("GCC unroll 64")
#endif

/// Keeps a loaded value in its register: gcc would repeat the load at every use. Apply it to a
/// plain variable, never to an array element, which would move to the stack.
#if defined(__clang__)
#define FASTMLP_PIN(variable) static_cast<void>(variable)
#elif defined(__x86_64__)
#define FASTMLP_PIN(variable) asm("" : "+v"(variable))
#elif defined(__aarch64__)
#define FASTMLP_PIN(variable) asm("" : "+w"(variable))
#else
#define FASTMLP_PIN(variable) static_cast<void>(variable)
#endif

/// Keeps an address in one register: gcc would compute it again at every use.
#if defined(__clang__)
#define FASTMLP_PIN_POINTER(pointer) static_cast<void>(pointer)
#else
#define FASTMLP_PIN_POINTER(pointer) asm("" : "+r"(pointer))
#endif
