/// Instruction set, threads, random numbers, machine peak.
#include <pybind11/stl.h>

#include "bindings.hpp"
#include "checks/finite.hpp"
#include "fastmlp/isa.hpp"
#include "fastmlp/peak.hpp"
#include "fastmlp/random.hpp"
#include "fastmlp/threads.hpp"
#include "kernels/dispatch.hpp"
#include "threads/thread_limits.hpp"

namespace fastmlp::bindings {
namespace {

py::array_t<double> uniforms(std::uint64_t seed, std::uint32_t purpose, std::uint32_t epoch,
                             std::uint64_t first, std::size_t count) {
    const RandomStream stream{seed, static_cast<Purpose>(purpose), epoch};
    py::array_t<double> result(static_cast<py::ssize_t>(count));
    draw_uniforms(stream, first, result.mutable_data(), count);
    return result;
}

py::array_t<std::uint32_t> order(std::uint64_t seed, std::uint32_t epoch, std::uint32_t n,
                                 std::uint32_t purpose, std::uint64_t first) {
    py::array_t<std::uint32_t> result(static_cast<py::ssize_t>(n));
    draw_order({seed, Purpose{purpose}, epoch}, first, result.mutable_data(), n);
    return result;
}

template <class T>
py::ssize_t first_non_finite(const py::array& x, const py::object& scale,
                             const py::object& offset) {
    const auto count = static_cast<std::size_t>(x.size());
    const auto* data = static_cast<const T*>(x.data());
    ColumnScaling<T> scaling;
    const std::size_t columns = x.ndim() == 2 ? static_cast<std::size_t>(x.shape(1)) : count;
    if (!scale.is_none()) {
        const py::array scales = require_ready<T>(scale, 1, "scale");
        const py::array offsets = require_ready<T>(offset, 1, "offset");
        if (static_cast<std::size_t>(scales.size()) != columns ||
            static_cast<std::size_t>(offsets.size()) != columns) {
            throw py::value_error("there must be a scale and an offset for each column");
        }
        scaling.scales = static_cast<const T*>(scales.data());
        scaling.offsets = static_cast<const T*>(offsets.data());
    }
    std::size_t finite = 0;
    {
        const Interruptible interruptible;
        finite = count_finite(data, count, scaling, columns);
    }
    return finite == count ? -1 : static_cast<py::ssize_t>(finite);
}

py::ssize_t first_non_finite_of(const py::array& x, const py::object& scale,
                                const py::object& offset) {
    const py::ssize_t ndim = x.ndim();
    if (is_ready<float>(x, ndim)) return first_non_finite<float>(x, scale, offset);
    if (is_ready<double>(x, ndim)) return first_non_finite<double>(x, scale, offset);
    throw py::type_error("X must be a C-contiguous array of float32 or float64");
}

double peak_gflops(const std::string& dtype, int n_threads) {
    const Unlocked unlocked;
    if (dtype == "float32") return fastmlp::peak_gflops<float>(n_threads);
    if (dtype == "float64") return fastmlp::peak_gflops<double>(n_threads);
    throw std::invalid_argument("dtype must be 'float32' or 'float64', not '" + dtype + "'");
}

std::string compiler() {
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}

}  // namespace

void bind_config(py::module_& module) {
    module.def("isa", [] { return std::string(kernels::active_isa().name); });
    module.def("available_isas", &available_isas);
    module.def("compiler", &compiler);
    module.def("peak_gflops", &peak_gflops, py::arg("dtype"), py::arg("n_threads"));
    module.def("get_num_threads", &get_num_threads);
    module.def("environment_limits_threads", &environment_limits_threads);
    module.def("set_num_threads", &set_num_threads, py::arg("n"));
    module.def("draw_uniforms", &uniforms, py::arg("seed"), py::arg("purpose"), py::arg("epoch"),
               py::arg("first"), py::arg("count"));
    module.def("draw_order", &order, py::arg("seed"), py::arg("epoch"), py::arg("n"),
               py::arg("purpose") = 1, py::arg("first") = 0);
    module.def("first_non_finite", &first_non_finite_of, py::arg("X"),
               py::arg("scale") = py::none(), py::arg("offset") = py::none());
}

}  // namespace fastmlp::bindings
