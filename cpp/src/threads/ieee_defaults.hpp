/// The floating-point environment of all computations: round to nearest, subnormal numbers kept,
/// exceptions masked. The process may have changed it (-ffast-math in any library can flush
/// subnormals to zero), and the bits would then depend on the caller.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#define FASTMLP_FP_X86
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
#include <cstdint>
#define FASTMLP_FP_AARCH64
#else
#include <cfenv>
#endif

namespace fastmlp {

/// Sets IEEE defaults for the calling thread; the destructor restores the previous environment.
class IeeeDefaults {
public:
    IeeeDefaults() noexcept : saved_(read()), changed_(!is_default(saved_)) {
        if (changed_) set();
    }
    ~IeeeDefaults() {
        if (changed_) write(saved_);
    }
    IeeeDefaults(const IeeeDefaults&) = delete;
    IeeeDefaults& operator=(const IeeeDefaults&) = delete;

    /// Sets them permanently: for the threads of the pool.
    static void set() noexcept;

private:
#if defined(FASTMLP_FP_X86)
    using Control = unsigned int;
    static constexpr Control kDefault = 0x1f80;      // all six exceptions masked, nothing else
    static constexpr Control kStatusFlags = 0x003f;  // sticky, not part of the environment to set
    static Control read() noexcept { return _mm_getcsr(); }
    static void write(Control control) noexcept { _mm_setcsr(control); }
    static bool is_default(Control control) noexcept {
        return (control & ~kStatusFlags) == kDefault;
    }
#elif defined(FASTMLP_FP_AARCH64)
    using Control = std::uint64_t;
    static constexpr Control kDefault = 0;
    static Control read() noexcept {
        Control control;
        asm volatile("mrs %0, fpcr" : "=r"(control));
        return control;
    }
    static void write(Control control) noexcept { asm volatile("msr fpcr, %0" ::"r"(control)); }
    static bool is_default(Control control) noexcept { return control == kDefault; }
#else
    using Control = std::fenv_t;
    static Control read() noexcept {
        Control control;
        std::fegetenv(&control);
        return control;
    }
    static void write(const Control& control) noexcept { std::fesetenv(&control); }
    static bool is_default(const Control&) noexcept { return false; }
#endif

    Control saved_;
    bool changed_;
};

inline void IeeeDefaults::set() noexcept {
#if defined(FASTMLP_FP_X86) || defined(FASTMLP_FP_AARCH64)
    write(kDefault);
#else
    std::fesetenv(FE_DFL_ENV);
#endif
}

}  // namespace fastmlp
