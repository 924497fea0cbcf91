// Activations, exp and log: accurate to two units in the last place (selu and mish three, gelu
// four), and the same bits on every instruction set of this machine.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "check.hpp"
#include "fastmlp/isa.hpp"
#include "kernels/dispatch.hpp"

namespace {

using check::same;
using fastmlp::kernels::kernel_table;
using fastmlp::kernels::KernelTable;

template <class T>
using Limits = std::numeric_limits<T>;
template <class T>
using Word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
std::vector<T> special_values() {
    std::vector<T> values = {T(0),
                             Limits<T>::min(),
                             Limits<T>::denorm_min(),
                             Limits<T>::max(),
                             Limits<T>::infinity(),
                             Limits<T>::quiet_NaN(),
                             T(1),
                             T(0.5),
                             Limits<T>::epsilon(),
                             T(1) - Limits<T>::epsilon() / 2,
                             T(1) + Limits<T>::epsilon(),
                             std::sqrt(T(2)),
                             std::sqrt(T(0.5)),
                             T(87.33655),
                             T(88.72284),
                             T(103.97208),
                             T(103.9721),
                             T(708.3964185322641),
                             T(709.782712893384),
                             T(745.1332191019411),
                             T(745.1332191019412)};
    const std::size_t count = values.size();
    for (std::size_t i = 0; i < count; ++i) {
        values.push_back(-values[i]);
        values.push_back(std::nextafter(values[i], T(0)));
        values.push_back(-std::nextafter(values[i], Limits<T>::infinity()));
    }
    return values;
}

/// How many values are drawn at random: fewer where a sanitizer looks at memory, not at bits.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kDrawn = 5'000;
#else
constexpr int kDrawn = 100'000;
#endif

/// Special values, every bit pattern alike, and dense where the functions bend; whole rows of 16.
template <class T>
std::vector<T> drawn_values() {
    std::vector<T> values = special_values<T>();
    std::mt19937_64 random(7);
    for (int i = 0; i < 2 * kDrawn; ++i) {
        const auto bits = static_cast<Word<T>>(random());
        T value;
        std::memcpy(&value, &bits, sizeof(T));
        values.push_back(value);
    }
    for (const double width : {0.01, 1.0, 10.0, 110.0, 760.0}) {
        std::uniform_real_distribution<double> uniform(-width, width);
        for (int i = 0; i < kDrawn; ++i) values.push_back(static_cast<T>(uniform(random)));
    }
    values.resize((values.size() + 15) / 16 * 16, T(0));
    return values;
}
template <class T>
const std::vector<T>& test_values() {
    static const std::vector<T> kValues = drawn_values<T>();
    return kValues;
}

/// Of leaky_relu and elu.
template <class T>
constexpr T kParameter = T(0.3);

template <class T>
using Forward = typename KernelTable<T>::Forward;
template <class T>
using Array = void (*)(const T*, std::size_t, T*) noexcept;

template <class T>
std::vector<T> elementwise(Forward<T> f, const std::vector<T>& x) {
    std::vector<T> h(x.size());
    f(x.data(), 16, h.data(), 16, x.size() / 16, 16, kParameter<T>);
    return h;
}
template <class T>
std::vector<T> elementwise(Array<T> f, const std::vector<T>& x) {
    std::vector<T> out(x.size());
    f(x.data(), x.size(), out.data());
    return out;
}

/// Error of `got` in units in the last place of T at the exact value.
template <class T>
double ulps(T got, long double exact) {
    if (std::isnan(exact)) return std::isnan(got) ? 0 : Limits<double>::infinity();
    if (got == static_cast<T>(exact)) return 0.0;  // also where both are infinite
    if (!std::isfinite(got) || std::isinf(exact)) return Limits<double>::infinity();
    int exponent = 0;
    std::frexp(exact, &exponent);
    const int lowest = std::max(exponent, Limits<T>::min_exponent);
    return static_cast<double>(std::fabs(got - exact) /
                               std::ldexp(1.0L, lowest - Limits<T>::digits));
}

template <class T, class Kernel, class Exact>
void check_accuracy(const char* name, Kernel kernel, Exact exact, double most = 2.0) {
    const std::vector<T>& x = test_values<T>();
    const std::vector<T> y = elementwise(kernel, x);
    double worst = 0;
    T where = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double error = ulps(y[i], exact(static_cast<long double>(x[i])));
        if (error > worst) worst = error, where = x[i];
    }
    std::printf("%-8s float%zu: %.3f ulp, at %.17g\n", name, 8 * sizeof(T), worst,
                static_cast<double>(where));
    CHECK(worst <= most);
}

template <class T>
void test_accuracy() {
    const KernelTable<T>& kernel = kernel_table<T>("scalar");
    check_accuracy<T>("exp", kernel.exp_array, [](long double x) { return std::exp(x); });
    check_accuracy<T>("log", kernel.log_array, [](long double x) { return std::log(x); });
    check_accuracy<T>("tanh", kernel.tanh, [](long double x) { return std::tanh(x); });
    check_accuracy<T>("sigmoid", kernel.sigmoid, [](long double x) {
        return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
    });
    check_accuracy<T>("elu", kernel.elu,
                      [](long double x) { return x < 0 ? kParameter<T> * std::expm1(x) : x; });
    check_accuracy<T>("softplus", kernel.softplus, [](long double x) {
        return std::max(x, 0.0L) + std::log1p(std::exp(-std::fabs(x)));
    });
    check_accuracy<T>("silu", kernel.silu, [](long double x) {
        return std::isinf(x) ? std::max(x, 0.0L) : x / (1 + std::exp(-x));
    });
    const auto gelu = [](long double x) {
        return std::isinf(x) ? std::max(x, 0.0L) : x * std::erfc(-x / std::sqrt(2.0L)) / 2;
    };
    check_accuracy<T>("gelu", kernel.gelu, gelu, 4.5);
    check_accuracy<T>("gelu_tanh", kernel.gelu_tanh, [](long double x) {
        if (std::isinf(x)) return std::max(x, 0.0L);
        const long double v = 1.595769121605730711759542L * (x + 0.044715L * x * x * x);
        return x / (1 + std::exp(-v));
    });
    const auto selu = [](long double x) {
        return x < 0 ? 1.758099340847376859940217520812L * std::expm1(x)
                     : 1.050700987355480493419334985295L * x;
    };
    check_accuracy<T>("selu", kernel.selu, selu, 3.0);
    const auto mish = [](long double x) {
        if (std::isinf(x)) return std::max(x, 0.0L);
        const long double e = std::exp(-std::fabs(x)), u = e * (e + 2), v = 1 + 2 * e;
        return x < 0 ? x * u / (u + 2) : x * v / (v + 2 * e * e);
    };
    check_accuracy<T>("mish", kernel.mish, mish, 3.0);
    check_accuracy<T>("relu6", kernel.relu6, [](long double x) {
        return std::isnan(x) ? x : std::min(6.0L, std::max(x, 0.0L));
    });
    check_accuracy<T>("hardswish", kernel.hardswish, [](long double x) {
        return x <= -3 ? 0.0L : x < 3 ? x * (x + 3) / 6 : x;
    });
    check_accuracy<T>("relu", kernel.relu, [](long double x) { return x <= 0 ? 0.0L : x; });
}

template <class T>
void test_special_values() {
    const KernelTable<T>& kernel = kernel_table<T>("scalar");
    const T inf = Limits<T>::infinity(), nan = Limits<T>::quiet_NaN();
    std::vector<T> x = {T(0), -T(0), inf, -inf, nan, Limits<T>::denorm_min(), T(-1), T(1)};
    x.resize(16, T(0));
    const std::vector<T> exp = elementwise(kernel.exp_array, x),
                         log = elementwise(kernel.log_array, x);
    const std::vector<T> tanh = elementwise(kernel.tanh, x),
                         sigmoid = elementwise(kernel.sigmoid, x);
    const std::vector<T> relu = elementwise(kernel.relu, x);
    CHECK(exp[0] == 1 && exp[1] == 1 && exp[2] == inf && same(exp[3], T(0)) && exp[5] == 1);
    CHECK(log[0] == -inf && log[1] == -inf && log[2] == inf && std::isnan(log[3]));
    CHECK(std::isnan(log[6]) && same(log[7], T(0)));
    CHECK(same(tanh[0], T(0)) && same(tanh[1], -T(0)) && tanh[2] == 1 && tanh[3] == -1);
    CHECK(tanh[5] == x[5]);
    CHECK(sigmoid[0] == T(0.5) && sigmoid[2] == 1 && same(sigmoid[3], T(0)));
    CHECK(relu[1] == 0 && same(relu[3], T(0)) && relu[2] == inf && relu[5] == x[5]);
    for (const auto& y : {exp, log, tanh, sigmoid, relu}) CHECK(std::isnan(y[4]));
}

template <class T>
void test_backward() {
    const KernelTable<T>& kernel = kernel_table<T>("scalar");
    const std::vector<T> h = elementwise(kernel.sigmoid, test_values<T>());
    std::vector<T> sigmoid(h.size(), T(3)), tanh = sigmoid, relu = sigmoid;
    kernel.sigmoid_backward(h.data(), 16, sigmoid.data(), 16, h.size() / 16, 16, T(0));
    kernel.tanh_backward(h.data(), 16, tanh.data(), 16, h.size() / 16, 16, T(0));
    kernel.relu_backward(h.data(), 16, relu.data(), 16, h.size() / 16, 16, T(0));
    bool right = true;
    for (std::size_t i = 0; i < h.size(); ++i) {
        right &= same(sigmoid[i], T(3) * (h[i] * (T(1) - h[i])));
        right &= same(tanh[i], T(3) * std::fma(-h[i], h[i], T(1)));
        right &= same(relu[i], h[i] <= 0 ? T(0) : T(3));
    }
    CHECK(right);
}

/// Every kernel of `isa` against the scalar ones, bit for bit.
template <class T>
void test_same_bits(const std::string& isa) {
    const KernelTable<T>&ours = kernel_table<T>(isa), &reference = kernel_table<T>("scalar");
    const std::vector<T>& x = test_values<T>();
    CHECK(same(elementwise(ours.exp_array, x), elementwise(reference.exp_array, x)));
    CHECK(same(elementwise(ours.log_array, x), elementwise(reference.log_array, x)));
    using Table = KernelTable<T>;
    for (const auto f : {&Table::relu, &Table::leaky_relu, &Table::elu, &Table::selu, &Table::gelu,
                         &Table::silu, &Table::mish, &Table::relu6, &Table::hardswish,
                         &Table::sigmoid, &Table::tanh, &Table::softplus, &Table::exp}) {
        CHECK(same(elementwise(ours.*f, x), elementwise(reference.*f, x)));
    }
    const auto backward = [&](typename Table::Backward f) {
        std::vector<T> delta(x.rbegin(), x.rend());
        f(x.data(), 16, delta.data(), 16, x.size() / 16, 16, kParameter<T>);
        return delta;
    };
    for (const auto f : {&Table::relu_backward, &Table::leaky_relu_backward, &Table::elu_backward,
                         &Table::selu_backward, &Table::gelu_backward, &Table::gelu_tanh_backward,
                         &Table::silu_backward, &Table::mish_backward, &Table::relu6_backward,
                         &Table::hardswish_backward, &Table::sigmoid_backward,
                         &Table::tanh_backward, &Table::softplus_backward, &Table::exp_backward}) {
        CHECK(same(backward(ours.*f), backward(reference.*f)));
    }
    for (const auto f :
         {&Table::elu_curve, &Table::selu_curve, &Table::gelu_curve, &Table::gelu_tanh_curve,
          &Table::silu_curve, &Table::mish_curve, &Table::hardswish_curve, &Table::sigmoid_curve,
          &Table::tanh_curve, &Table::softplus_curve, &Table::exp_curve}) {
        CHECK(same(backward(ours.*f), backward(reference.*f)));
    }
}

/// Arrays of any length: nothing is read or written past the end.
template <class T>
void test_lengths(const std::string& isa) {
    const KernelTable<T>& kernel = kernel_table<T>(isa);
    const T exp_of_one = elementwise(kernel.exp_array, std::vector<T>(16, T(1)))[0];
    for (std::size_t count = 0; count <= 40; ++count) {
        const std::vector<T> x(count, T(1));
        std::vector<T> out(count + 1, T(-5));
        kernel.exp_array(x.data(), count, out.data());
        CHECK(out[count] == T(-5));
        CHECK(std::count(out.begin(), out.end() - 1, exp_of_one) == std::ptrdiff_t(count));
        CHECK(kernel.count_below(Limits<T>::infinity(), x.data(), count) == count);
        for (const T bad :
             {Limits<T>::infinity(), -Limits<T>::infinity(), Limits<T>::quiet_NaN()}) {
            for (std::size_t at = 0; at < count; ++at) {
                std::vector<T> y = x;
                y[at] = bad;
                CHECK(kernel.count_below(Limits<T>::infinity(), y.data(), count) == at);
            }
        }
    }
    CHECK(kernel.spin(1000) > 0);
}

template <class T>
void test_type() {
    test_accuracy<T>();
    test_special_values<T>();
    test_backward<T>();
    for (const std::string& isa : fastmlp::available_isas()) {
        test_same_bits<T>(isa);
        test_lengths<T>(isa);
    }
}

}  // namespace

int main() {
    test_type<float>();
    test_type<double>();
    return check::report();
}
