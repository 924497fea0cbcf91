// Calls that are stopped half-way: by a word, by an exception, on any number of threads.

#include <chrono>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"

namespace {

using fastmlp::Interrupted;
using fastmlp::InterruptScope;
using fastmlp::Network;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kRows = 1 << 20;

/// Whether `call` throws an E within a second.
template <class E, class Call>
bool ends_soon(Call call) {
    const auto start = Clock::now();
    try {
        call();
    } catch (const E&) {
        return Clock::now() - start < std::chrono::seconds(1);
    }
    return false;
}

void test(int n_threads) {
    using enum fastmlp::Activation::Kind;
    const Network<float> network(1, {{1000, kRelu}, {1000, kRelu}, {1, kIdentity}},
                                 fastmlp::Loss::kMeanSquaredError, 1);
    const std::vector<float> zeros(kRows);
    std::vector<float> out(kRows);
    const fastmlp::MatrixView<const float> x{zeros.data(), kRows, 1, 1};
    const auto predict = [&] { network.predict(x, {out.data(), kRows, 1, 1}, n_threads); };
    {
        const InterruptScope scope([] { return true; });
        CHECK(ends_soon<Interrupted>(predict));
        {
            const InterruptScope inner([]() -> bool { throw std::domain_error("my own"); });
            CHECK(ends_soon<std::domain_error>(predict));
        }
        CHECK(ends_soon<Interrupted>(predict));
    }
    CHECK(InterruptScope::current() == nullptr);
    // A callback that does not interrupt changes no bit.
    std::vector<float> alone(3), asked(3);
    network.predict({zeros.data(), 3, 1, 1}, {alone.data(), 3, 1, 1});
    const InterruptScope scope([] { return false; });
    network.predict({zeros.data(), 3, 1, 1}, {asked.data(), 3, 1, 1});
    CHECK(alone == asked);
}

}  // namespace

int main() {
    test(1);
    test(3);
    return check::report();
}
