/// The module _kernels: the kernels of any instruction set, called with the memory of NumPy arrays.
/// Nothing is checked; the caller guarantees the types and the shapes of kernels/table.hpp.
#include "kernels/dispatch.hpp"

#include <pybind11/stl.h>

#include <map>
#include <string>
#include <vector>

#include "bindings/borrowed_features.hpp"

namespace py = pybind11;

namespace fastmlp {
namespace {

/// A 2-D array whose rows are contiguous: pointers to its rows, and their distance in elements.
template <class T>
struct RowsOf {
    explicit RowsOf(const py::array& array)
        : rows(static_cast<std::size_t>(array.shape(0))),
          cols(static_cast<std::size_t>(array.shape(1))),
          ld(static_cast<std::size_t>(array.strides(0)) / sizeof(T)),
          data(static_cast<T*>(const_cast<void*>(array.data()))) {
        for (std::size_t b = 0; b < rows; ++b) pointers.push_back(data + b * ld);
    }

    std::size_t rows, cols, ld;
    T* data;
    std::vector<const T*> pointers;
};

/// The elements of an array, or null for None.
template <class T>
T* data_of(const py::object& array) {
    if (array.is_none()) return nullptr;
    return static_cast<T*>(const_cast<void*>(py::reinterpret_borrow<py::array>(array).data()));
}

template <class T>
struct Kernels {
    using Table = kernels::KernelTable<T>;
    const Table& table;

    void product(const py::array& a, std::size_t first_k, std::size_t count_k, const py::array& w,
                 const py::object& init, const py::array& out, int epilogue,
                 const py::object& nodes) const {
        const RowsOf<T> rows(a), weights(w), target(out);
        const RowsOf<T> mask(nodes.is_none() ? out : py::reinterpret_borrow<py::array>(nodes));
        table.product(rows.pointers.data(), rows.rows, first_k, count_k, weights.data, weights.ld,
                      data_of<T>(init), target.cols, target.data, target.ld,
                      static_cast<kernels::Epilogue>(epilogue), mask.data, mask.ld);
    }

    void outer(const py::array& a, std::size_t first_k, std::size_t count_k, const py::array& v,
               std::size_t first_j, std::size_t width, const py::object& sums, T scale, T rate,
               bool store, const py::array& target) const {
        const RowsOf<T> left(a), right(v), result(target);
        const RowsOf<T> before(sums.is_none() ? target : py::reinterpret_borrow<py::array>(sums));
        table.outer(left.pointers.data(), first_k, count_k, right.pointers.data(), first_j, width,
                    left.rows, sums.is_none() ? nullptr : before.data, before.ld, scale, rate,
                    store, result.data, result.ld);
    }

    void column_sums(const py::array& v, const py::object& sums, T scale, T rate, bool store,
                     const py::array& target) const {
        const RowsOf<T> rows(v);
        table.column_sums(rows.data, rows.ld, rows.rows, rows.cols, data_of<T>(sums), scale, rate,
                          store, data_of<T>(target));
    }

    /// Weights or biases, and their moments (null: None).
    static kernels::Learned<T> learned(const py::tuple& arrays) {
        return {data_of<T>(arrays[0]), data_of<T>(arrays[1]), data_of<T>(arrays[2])};
    }

    static kernels::LearnedLayer<T> layer_of(const py::tuple& w, const py::tuple& biases) {
        const RowsOf<T> weights(py::reinterpret_borrow<py::array>(w[0]));
        return {learned(w), learned(biases), weights.rows, weights.cols, weights.ld};
    }

    void update_product(int step, bool adjusted, const std::map<std::string, T>& scalars,
                        const std::map<std::string, T>& of_biases, const py::array& old_a,
                        const py::array& delta, const py::array& a, const py::tuple& w,
                        const py::tuple& biases, const py::array& out, bool relu) const {
        table.update_product(rule_of(step, adjusted, scalars), rule_of(step, adjusted, of_biases),
                             layer_of(w, biases), data_of<T>(old_a), data_of<T>(delta),
                             data_of<T>(a), data_of<T>(out), relu);
    }

    void narrow_update(int step, bool adjusted, const std::map<std::string, T>& scalars,
                       const std::map<std::string, T>& of_biases, const py::array& delta,
                       const py::array& nodes, const py::tuple& wt, const py::tuple& biases,
                       const py::array& out, bool relu) const {
        table.narrow_update(rule_of(step, adjusted, scalars), rule_of(step, adjusted, of_biases),
                            layer_of(wt, biases), data_of<T>(delta), data_of<T>(nodes),
                            static_cast<std::size_t>(nodes.size()), data_of<T>(out), relu);
    }

    void sparse_product(const py::array& columns, const py::array& values, const py::array& w,
                        const py::array& init, const py::array& out) const {
        const RowsOf<T> weights(w);
        table.sparse_product(data_of<std::int32_t>(columns), data_of<T>(values),
                             static_cast<std::size_t>(values.size()), weights.data, weights.ld,
                             data_of<T>(init), weights.cols, data_of<T>(out));
    }

    /// w (K, N) of any strides
    void sparse_narrow(const py::array& columns, const py::array& values, const py::array& w,
                       const py::array& bias, const py::array& out) const {
        table.sparse_narrow(data_of<std::int32_t>(columns), data_of<T>(values),
                            static_cast<std::size_t>(values.size()), data_of<T>(w),
                            static_cast<std::size_t>(w.strides(0)) / sizeof(T),
                            static_cast<std::size_t>(w.strides(1)) / sizeof(T), data_of<T>(bias),
                            static_cast<std::size_t>(w.shape(1)), data_of<T>(out));
    }

    void sparse_outer(const py::array& rows, const py::array& values, const py::array& v, T scale,
                      T rate, bool store, const py::array& target) const {
        const RowsOf<T> right(v);
        table.sparse_outer(data_of<std::uint32_t>(rows), data_of<T>(values),
                           static_cast<std::size_t>(values.size()), right.data, right.ld,
                           right.cols, scale, rate, store, data_of<T>(target));
    }

    void hidden_gradients(const py::array& a, const py::array& nodes, const py::array& delta,
                          const py::array& wt, std::size_t first_j, T scale,
                          const py::array& gradients) const {
        const RowsOf<T> inputs(a), hidden(nodes), outputs(delta), weights(wt), result(gradients);
        table.hidden_gradients(inputs.pointers.data(), inputs.cols, hidden.pointers.data(),
                               outputs.pointers.data(), outputs.cols, weights.data, weights.ld,
                               first_j, result.cols, inputs.rows, scale, result.data, result.ld);
    }

    void narrow_forward(const py::array& a, const py::array& wt, const py::array& bias,
                        std::size_t n, const py::array& out) const {
        const RowsOf<T> rows(a), weights(wt), target(out);
        table.narrow_forward(rows.pointers.data(), rows.rows, rows.cols, weights.data, weights.ld,
                             data_of<T>(bias), n, target.data, target.ld);
    }

    void narrow_forward_natural(const py::array& a, const py::array& w, const py::array& bias,
                                std::size_t n, const py::array& out) const {
        const RowsOf<T> rows(a), weights(w), target(out);
        table.narrow_forward_natural(rows.pointers.data(), rows.rows, rows.cols, weights.data,
                                     weights.ld, data_of<T>(bias), n, target.data, target.ld);
    }

    /// `from` (count,) of any type and step
    void convert(const py::array& from, const py::object& scales, const py::object& offsets,
                 const py::array& out) const {
        table.convert[static_cast<std::size_t>(bindings::element_type_of(from.dtype()))](
            static_cast<const std::byte*>(from.data()), from.strides(0),
            static_cast<std::size_t>(from.size()), data_of<T>(scales), data_of<T>(offsets),
            data_of<T>(out));
    }

    void scale_rows(const py::array& from, const py::array& scales, const py::array& offsets,
                    const py::array& out) const {
        const RowsOf<T> rows(from), target(out);
        table.scale_rows(rows.pointers.data(), rows.rows, rows.cols, data_of<T>(scales),
                         data_of<T>(offsets), target.data, target.ld);
    }

    void transpose(const py::array& from, std::size_t rows, std::size_t cols,
                   const py::array& to) const {
        const RowsOf<T> source(from), target(to);
        table.transpose(source.data, source.ld, rows, cols, target.data, target.ld);
    }

    void activate(const std::string& name, const py::array& z, const py::array& h, std::size_t cols,
                  T parameter) const {
        static const std::map<std::string, typename Table::Forward Table::*> functions{
            {"relu", &Table::relu},
            {"leaky_relu", &Table::leaky_relu},
            {"elu", &Table::elu},
            {"gelu", &Table::gelu},
            {"silu", &Table::silu},
            {"sigmoid", &Table::sigmoid},
            {"tanh", &Table::tanh},
            {"softplus", &Table::softplus},
            {"exp", &Table::exp},
            {"softmax", &Table::softmax},
            {"selu", &Table::selu},
            {"mish", &Table::mish},
            {"gelu_tanh", &Table::gelu_tanh},
            {"relu6", &Table::relu6},
            {"hardswish", &Table::hardswish},
        };
        const RowsOf<T> from(z), to(h);
        (table.*functions.at(name))(from.data, from.ld, to.data, to.ld, from.rows, cols, parameter);
    }

    void activate_backward(const std::string& name, const py::array& from, const py::array& delta,
                           std::size_t cols, T parameter) const {
        static const std::map<std::string, typename Table::Backward Table::*> functions{
            {"relu", &Table::relu_backward},
            {"leaky_relu", &Table::leaky_relu_backward},
            {"elu", &Table::elu_backward},
            {"gelu", &Table::gelu_backward},
            {"silu", &Table::silu_backward},
            {"sigmoid", &Table::sigmoid_backward},
            {"tanh", &Table::tanh_backward},
            {"softplus", &Table::softplus_backward},
            {"exp", &Table::exp_backward},
            {"selu", &Table::selu_backward},
            {"gelu_tanh", &Table::gelu_tanh_backward},
            {"mish", &Table::mish_backward},
            {"relu6", &Table::relu6_backward},
            {"hardswish", &Table::hardswish_backward},
        };
        const RowsOf<T> rows(from), target(delta);
        (table.*functions.at(name))(rows.data, rows.ld, target.data, target.ld, rows.rows, cols,
                                    parameter);
    }

    void activate_curve(const std::string& name, const py::array& from, const py::array& values,
                        std::size_t cols, T parameter) const {
        static const std::map<std::string, typename Table::Backward Table::*> functions{
            {"elu", &Table::elu_curve},
            {"selu", &Table::selu_curve},
            {"gelu", &Table::gelu_curve},
            {"gelu_tanh", &Table::gelu_tanh_curve},
            {"silu", &Table::silu_curve},
            {"mish", &Table::mish_curve},
            {"hardswish", &Table::hardswish_curve},
            {"sigmoid", &Table::sigmoid_curve},
            {"tanh", &Table::tanh_curve},
            {"softplus", &Table::softplus_curve},
            {"exp", &Table::exp_curve},
        };
        const RowsOf<T> rows(from), target(values);
        (table.*functions.at(name))(rows.data, rows.ld, target.data, target.ld, rows.rows, cols,
                                    parameter);
    }

    void layer_normalize(const py::array& z, std::size_t n, T epsilon, const py::array& scales,
                         const py::array& shifts, const py::array& normalized,
                         const py::array& inverses) const {
        const RowsOf<T> rows(z), x(normalized);
        table.layer_normalize(rows.data, rows.ld, rows.rows, n, epsilon, data_of<T>(scales),
                              data_of<T>(shifts), x.data, x.ld, data_of<T>(inverses));
    }

    void layer_normalize_backward(const py::array& delta, std::size_t n, const py::array& scales,
                                  const py::array& normalized, const py::array& inverses,
                                  const py::array& out) const {
        const RowsOf<T> rows(delta), x(normalized), target(out);
        table.layer_normalize_backward(rows.data, rows.ld, rows.rows, n, data_of<T>(scales), x.data,
                                       x.ld, data_of<T>(inverses), target.data, target.ld);
    }

    void batch_moments(const py::array& z, const py::array& means,
                       const py::array& variances) const {
        const RowsOf<T> rows(z);
        table.batch_moments(rows.data, rows.ld, rows.rows, rows.cols, data_of<T>(means),
                            data_of<T>(variances));
    }

    void batch_normalize(const py::array& z, T epsilon, const py::array& means,
                         const py::array& variances, const py::array& scales,
                         const py::array& shifts, const py::array& normalized) const {
        const RowsOf<T> rows(z), x(normalized);
        table.batch_normalize(rows.data, rows.ld, rows.rows, rows.cols, epsilon, data_of<T>(means),
                              data_of<T>(variances), data_of<T>(scales), data_of<T>(shifts), x.data,
                              x.ld);
    }

    void batch_normalize_backward(const py::array& delta, T epsilon, const py::array& variances,
                                  const py::array& scales, const py::array& normalized,
                                  const py::array& mean_deltas, const py::array& mean_products,
                                  const py::array& out) const {
        const RowsOf<T> rows(delta), x(normalized), target(out);
        table.batch_normalize_backward(rows.data, rows.ld, rows.rows, rows.cols, epsilon,
                                       data_of<T>(variances), data_of<T>(scales), x.data, x.ld,
                                       data_of<T>(mean_deltas), data_of<T>(mean_products),
                                       target.data, target.ld);
    }

    void column_dots(const py::array& a, const py::array& v, const py::object& sums, T scale,
                     const py::array& out) const {
        const RowsOf<T> left(a), right(v);
        table.column_dots(left.data, left.ld, right.data, right.ld, left.rows, left.cols,
                          data_of<T>(sums), scale, data_of<T>(out));
    }

    void dropout(const py::array& h, std::uint64_t seed, std::uint32_t stream, std::uint32_t epoch,
                 std::uint32_t position, std::uint32_t least, T scale, const py::array& out) const {
        const RowsOf<T> rows(h), target(out);
        table.dropout(rows.data, rows.ld, rows.rows, rows.cols,
                      {seed, stream, epoch, position, least}, scale, target.data, target.ld);
    }

    void approach(T gain, const py::array& from, const py::array& to) const {
        table.approach(gain, static_cast<std::size_t>(to.size()), data_of<T>(from), data_of<T>(to));
    }

    /// `scalars` are the fields of an UpdateRule by name.
    static kernels::UpdateRule<T> rule_of(int step, bool adjusted,
                                          const std::map<std::string, T>& scalars) {
        kernels::UpdateRule<T> rule;
        rule.kind = static_cast<kernels::RuleKind>(step);
        rule.adjusted = adjusted;
        const std::map<std::string, T*> fields{
            {"rate", &rule.rate},
            {"gain", &rule.gain},
            {"momentum", &rule.momentum},
            {"mean_gain", &rule.mean_gain},
            {"square_decay", &rule.square_decay},
            {"square_gain", &rule.square_gain},
            {"epsilon", &rule.epsilon},
            {"shrink", &rule.shrink},
            {"limit", &rule.limit},
            {"l1", &rule.l1},
            {"l2", &rule.l2},
            {"keep", &rule.keep},
        };
        for (const auto& [name, value] : scalars) *fields.at(name) = value;
        return rule;
    }

    void update(int step, bool adjusted, const std::map<std::string, T>& scalars,
                const py::array& g, const py::array& w, const py::object& first,
                const py::object& second) const {
        const kernels::UpdateRule<T> rule = rule_of(step, adjusted, scalars);
        const RowsOf<T> gradients(g), weights(w);
        table.update(rule, gradients.rows, gradients.cols, gradients.data, gradients.ld,
                     weights.data, data_of<T>(first), data_of<T>(second), weights.ld);
    }

    void update_of_one(int step, bool adjusted, const std::map<std::string, T>& scalars,
                       const py::array& a, const py::array& v, T scale, const py::array& w,
                       const py::object& first, const py::object& second) const {
        const RowsOf<T> weights(w);
        table.update_of_one(rule_of(step, adjusted, scalars), data_of<T>(a), weights.rows,
                            data_of<T>(v), weights.cols, scale, weights.data, data_of<T>(first),
                            data_of<T>(second), weights.ld);
    }

    std::size_t count_below(T limit, const py::array& x) const {
        return table.count_below(limit, static_cast<const T*>(x.data()),
                                 static_cast<std::size_t>(x.size()));
    }

    void exp(const py::array& x, const py::array& out) const {
        table.exp_array(data_of<T>(x), static_cast<std::size_t>(x.size()), data_of<T>(out));
    }
    void log(const py::array& x, const py::array& out) const {
        table.log_array(data_of<T>(x), static_cast<std::size_t>(x.size()), data_of<T>(out));
    }
};

template <class T>
void bind(py::module_& module, const char* name) {
    using K = Kernels<T>;
    py::class_<K>(module, name)
        .def(py::init([](const std::string& isa) { return K{kernels::kernel_table<T>(isa)}; }),
             py::arg("isa"))
        .def("product", &K::product)
        .def("outer", &K::outer)
        .def("column_sums", &K::column_sums)
        .def("update_product", &K::update_product)
        .def("narrow_update", &K::narrow_update)
        .def("hidden_gradients", &K::hidden_gradients)
        .def("narrow_forward", &K::narrow_forward)
        .def("narrow_forward_natural", &K::narrow_forward_natural)
        .def("convert", &K::convert)
        .def("scale_rows", &K::scale_rows)
        .def("transpose", &K::transpose)
        .def("sparse_product", &K::sparse_product)
        .def("sparse_narrow", &K::sparse_narrow)
        .def("sparse_outer", &K::sparse_outer)
        .def("activate", &K::activate, py::arg("name"), py::arg("z"), py::arg("h"), py::arg("cols"),
             py::arg("parameter") = 0)
        .def("activate_backward", &K::activate_backward, py::arg("name"), py::arg("from"),
             py::arg("delta"), py::arg("cols"), py::arg("parameter") = 0)
        .def("activate_curve", &K::activate_curve, py::arg("name"), py::arg("from"),
             py::arg("values"), py::arg("cols"), py::arg("parameter") = 0)
        .def("layer_normalize", &K::layer_normalize)
        .def("layer_normalize_backward", &K::layer_normalize_backward)
        .def("batch_moments", &K::batch_moments)
        .def("batch_normalize", &K::batch_normalize)
        .def("batch_normalize_backward", &K::batch_normalize_backward)
        .def("column_dots", &K::column_dots)
        .def("dropout", &K::dropout)
        .def("update", &K::update)
        .def("update_of_one", &K::update_of_one)
        .def("approach", &K::approach)
        .def("count_below", &K::count_below)
        .def("exp", &K::exp)
        .def("log", &K::log);
}

}  // namespace
}  // namespace fastmlp

PYBIND11_MODULE(_kernels, module) {
    module.doc() = "The raw kernels of fastmlp, for its tests.";
    fastmlp::bind<float>(module, "Kernels32");
    fastmlp::bind<double>(module, "Kernels64");
}
