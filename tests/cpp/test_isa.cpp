// The choice of the instruction set.
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "fastmlp/isa.hpp"
#include "kernels/dispatch.hpp"

namespace {

namespace kernels = fastmlp::kernels;

/// What `f` throws as std::invalid_argument; empty if it does not.
template <class F>
std::string complaint(F f) {
    try {
        f();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "";
}

void test_available() {
    const std::vector<std::string> isas = fastmlp::available_isas();
    CHECK(!isas.empty() && isas.back() == "scalar");
    for (const std::string& name : isas) {
        const kernels::Isa& isa = kernels::find_isa(name);
        CHECK(isa.name == name);
        CHECK(&kernels::kernel_table<float>(name) == isa.f32);
        CHECK(&kernels::kernel_table<double>(name) == isa.f64);
    }
    const std::string text = complaint([] { kernels::find_isa("altivec"); });
    CHECK(text.find("'altivec'") != std::string::npos);
    for (const std::string& name : isas) CHECK(text.find(name) != std::string::npos);
}

void test_forced() {
    ::setenv("FASTMLP_ISA", "sse9", 1);
    const std::string text = complaint([] { kernels::active_isa(); });
    CHECK(text.find("FASTMLP_ISA") != std::string::npos);
    CHECK(text.find("'sse9'") != std::string::npos);
    CHECK(text.find("scalar") != std::string::npos);
    ::setenv("FASTMLP_ISA", "scalar", 1);
    CHECK(kernels::active_isa().name == std::string("scalar"));
    ::setenv("FASTMLP_ISA", "sse9", 1);  // chosen once, so this comes too late
    CHECK(&kernels::active_table<float>() == &kernels::kernel_table<float>("scalar"));
}

}  // namespace

int main() {
    test_available();
    test_forced();
    return check::report();
}
