/// The contract between the algorithms and the instruction sets: a table of function pointers.
///
/// Shapes: B rows of a batch, K nodes of the previous layer, N nodes of the next layer.
/// `ld` arguments are row strides in elements. "Padded" rows may be read and written up to the next
/// multiple of `kPad` columns; the values there never affect an output.
/// Kernels are noexcept, allocate nothing and access only their arguments.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fastmlp/raw_view.hpp"

namespace fastmlp::kernels {

/// Columns every private row is padded to: one 512-bit vector of float32.
inline constexpr std::size_t kPad = 16;
/// The widest panel of columns a kernel takes.
inline constexpr std::size_t kPanel = 64;
/// Layers at most this wide are narrow: they sum by k mod 16 (see `narrow_forward`).
inline constexpr std::size_t kNarrow = 16;
/// The most lanes of a vector.
inline constexpr std::size_t kMostLanes = 16;
/// A hidden layer with at most this many inputs and outputs computes its gradients in one pass.
inline constexpr std::size_t kFewInputs = 8, kFewOutputs = 2;

/// What a panel product applies to its sum before storing it.
enum class Epilogue : int {
    kNone,      ///< out = sum
    kRelu,      ///< out = relu(sum)
    kReluMask,  ///< out = sum where not nodes <= 0, else +0   (2.12)
};

/// The random words of a dropout mask: column c of a row is decided by word (c / 16) % 4 of the
/// counter (16 (c / 64) + c % 16, position + row, epoch, stream).
struct Mask {
    std::uint64_t seed;
    std::uint32_t stream, epoch, position;
    std::uint32_t least;  ///< smaller words drop the node
};

/// How an optimizer turns a gradient g into a step of w; u is the first moment, s the
/// second.
enum class RuleKind : int {
    kDescend,          ///< w -= rate g                                        (2.13), (2.14)
    kMomentum,         ///< u = momentum u + gain g;  w -= rate u
    kNesterov,         ///< u = momentum u + gain g;  w -= rate (momentum u + gain g)
    kAdam,             ///< u += (1 - beta_1)(g - u);  s = beta_2 s + (1 - beta_2) g g;
                       ///< w -= rate u / (sqrt(s) + epsilon)
    kRmsprop,          ///< s = beta_2 s + (1 - beta_2) g g;  w -= rate g / (sqrt(s) + epsilon)
    kRmspropMomentum,  ///< as kRmsprop, and u = momentum u + g / (sqrt(s) + epsilon);  w -= rate u
};

/// One step's rule, the same for many parameters. Before the step itself if `adjusted`, in this
/// order: g *= shrink, g to [-limit, limit], g += l1 sign(w), g += l2 w, w *= keep.
template <class T>
struct UpdateRule {
    RuleKind kind = RuleKind::kDescend;
    bool adjusted = false;
    T rate = 0, gain = 1, momentum = 0;
    T mean_gain = 0, square_decay = 0, square_gain = 0, epsilon = 0;  ///< 1 - beta_1, beta_2, ...
    T shrink = 1, limit = 0, l1 = 0, l2 = 0, keep = 1;

    /// Whether the step is w -= rate g only, so that `outer` can apply it.
    bool plain() const { return kind == RuleKind::kDescend && !adjusted; }
};

/// Parameters, and the optimizer's state of each: null where the rule needs none.
template <class T>
struct Learned {
    T *values, *first_moment, *second_moment;
};

/// A layer's: `rows` of weights, `ld` apart, of padded `width`, and the biases.
template <class T>
struct LearnedLayer {
    Learned<T> weights, biases;
    std::size_t rows, width, ld;
};

/// The scalars of a rule that may differ between networks in lanes: those of each lane. `scale` is
/// that of the gradients.
template <class T>
struct LaneRule {
    alignas(64) T rate[kMostLanes] = {}, l2[kMostLanes] = {}, keep[kMostLanes] = {};
    alignas(64) T shrink[kMostLanes] = {}, scale[kMostLanes] = {}, epsilon[kMostLanes] = {};
};

/// The samples of a lane, in the order of its epoch.
template <class T>
struct LaneSource {
    const T* data;
    std::size_t stride;          ///< the distance of rows
    const std::uint32_t* order;  ///< the row of each sample

    const T* row(std::size_t sample) const { return data + order[sample] * stride; }
};

template <class T>
struct KernelTable;

/// The kernels of networks side by side (lanes-inl.hpp): element i of an array belongs to the
/// network of its lane, i mod `lanes`. "Columns" are therefore vectors, and so are `ld` arguments,
/// the distance of rows. All sums are in the order of those of a single network.
template <class T>
struct LaneKernels {
    using TargetLoss = typename KernelTable<T>::TargetLoss;
    using MeanLoss = typename KernelTable<T>::MeanLoss;

    std::size_t lanes;  ///< of a vector
    /// out[b][c] = column c of sample first + b of each lane's source, b < count, c < cols.
    void (*gather)(const LaneSource<T>* sources, std::size_t first, std::size_t count,
                   std::size_t cols, T* out, std::size_t ldo) noexcept;
    /// z[b][n] = sum_k x[b][k] * w[k][n] and the bias: a chain, or tree16 for N <= kNarrow. With
    /// `relu` h = relu(z) instead.
    void (*forward)(const T* x, std::size_t ldx, std::size_t rows, std::size_t k, const T* w,
                    std::size_t ldw, const T* bias, std::size_t n, bool relu, T* z,
                    std::size_t ldz) noexcept;
    /// out[b][k] = sum_n delta[b][n] * w[k][n]; unless `relu` is null, 0 where relu[b][k] <= 0. Its
    /// rows are `ldo` apart, too, and it may be `out`.
    void (*backward)(const T* delta, std::size_t ldd, std::size_t rows, std::size_t n, const T* w,
                     std::size_t ldw, std::size_t k, const T* relu, T* out,
                     std::size_t ldo) noexcept;
    /// w[k][n] = sum_b x[b][k] * delta[b][n], bias[n] = sum_b delta[b][n]; or, `continued`, the
    /// sums go on from w and bias.
    void (*gradients)(const T* x, std::size_t ldx, const T* delta, std::size_t ldd,
                      std::size_t rows, std::size_t k, std::size_t n, bool continued, T* w,
                      std::size_t ldw, T* bias) noexcept;
    /// `update` of `count` vectors with the gradients scale * sums + 0, and with `by` in place of
    /// the scalars of `rule`.
    void (*update)(const UpdateRule<T>& rule, const LaneRule<T>& by, std::size_t count,
                   const T* sums, T* w, T* first_moment, T* second_moment) noexcept;

    /// Of the table below, with rows in lanes: row r is lane r mod `lanes` of the vectors from
    /// r * ld on. What is of a column, such as its scale, is a vector.
    typename KernelTable<T>::LayerNormalize layer_normalize;
    typename KernelTable<T>::LayerNormalizeBackward layer_normalize_backward;

    /// The losses likewise; the pointers to targets are read where r mod `lanes` is 0.
    void (*cross_entropy_labels)(const T* z, std::size_t ldz, const std::int32_t* labels,
                                 std::size_t rows, std::size_t n, T* delta, std::size_t ldd,
                                 T* losses) noexcept;
    void (*cross_entropy_smoothed)(const T* z, std::size_t ldz, const std::int32_t* labels,
                                   std::size_t rows, std::size_t n, T parameter, T* delta,
                                   std::size_t ldd, T* losses) noexcept;
    TargetLoss cross_entropy_targets;
    MeanLoss binary_cross_entropy, poisson;
    MeanLoss mean_squared_error, mean_absolute_error, huber, quantile;
};

template <class T>
struct KernelTable {
    /// An activation, h[r][c] = f(z[r][c]), where h may be z; or its backward pass,
    /// delta[r][c] *= h'(z[r][c]) (2.4). All rows are padded. Leaky_relu and
    /// elu read `parameter`.
    using Forward = void (*)(const T* z, std::size_t ldz, T* h, std::size_t ldh, std::size_t rows,
                             std::size_t cols, T parameter) noexcept;
    using Backward = void (*)(const T* from, std::size_t ldf, T* delta, std::size_t ldd,
                              std::size_t rows, std::size_t cols, T parameter) noexcept;

    /// Per-sample losses and deltas of rows against target rows.
    using TargetLoss = void (*)(const T* scores, std::size_t lds, const T* const* targets,
                                std::size_t rows, std::size_t n, T parameter, T* delta,
                                std::size_t ldd, T* losses) noexcept;
    /// The same of a mean over the outputs. The losses, but not the deltas, have each term times
    /// the weight of its output, without those of weight 0; null: all weights are 1. The weights
    /// (n) are not padded.
    using MeanLoss = void (*)(const T* scores, std::size_t lds, const T* const* targets,
                              const T* weights, std::size_t rows, std::size_t n, T parameter,
                              T* delta, std::size_t ldd, T* losses) noexcept;

    using LayerNormalize = void (*)(T* z, std::size_t ldz, std::size_t rows, std::size_t n,
                                    T epsilon, const T* scales, const T* shifts, T* normalized,
                                    std::size_t ldn, T* inverses) noexcept;
    using LayerNormalizeBackward = void (*)(const T* delta, std::size_t ldd, std::size_t rows,
                                            std::size_t n, const T* scales, const T* normalized,
                                            std::size_t ldn, const T* inverses, T* out,
                                            std::size_t ldo) noexcept;

    /// out[k] = T(from[k]), or fma(T(from[k]), scales[k], offsets[k]) unless `scales` is null;
    /// elements of `from` are `step` bytes apart, k < count; nothing is padded.
    using Convert = void (*)(const std::byte* from, std::ptrdiff_t step, std::size_t count,
                             const T* scales, const T* offsets, T* out) noexcept;

    // ---- matrix products (product-, outer-, hidden-, narrow-, single-inl.hpp) -------------------
    /// out[b][j] = epilogue(init[j] + sum_k a[b][first_k + k] * w[k][j]), one in-order fma chain;
    /// j < width, a multiple of kPad. `init` null: continue the chains stored in `out`.
    /// `nodes` (rows like out) is read by kReluMask only.
    void (*product)(const T* const* a, std::size_t rows, std::size_t first_k, std::size_t count_k,
                    const T* w, std::size_t ldw, const T* init, std::size_t width, T* out,
                    std::size_t ldo, Epilogue epilogue, const T* nodes, std::size_t ldn) noexcept;
    /// g[k][j] = scale * sum_b a[b][first_k + k] * v[b][j] + 0, b in order; k < count_k, j < width.
    /// The sums continue from `sums`, rows `lds` apart (null: from 0).
    /// target[k][j] = fma(-rate, g, target[k][j]), or = g where `store`.
    /// The last vector of v's rows is read only up to `width`; target rows and sums are padded.
    void (*outer)(const T* const* a, std::size_t first_k, std::size_t count_k, const T* const* v,
                  std::size_t first_j, std::size_t width, std::size_t batch, const T* sums,
                  std::size_t lds, T scale, T rate, bool store, T* target,
                  std::size_t ldt) noexcept;
    /// g[j] = scale * sum_b v[b][j] + 0 by in-order adds, which continue from `sums` (null: from
    /// 0); the same two ends as `outer`; j < width, a multiple of the lanes of a vector.
    void (*column_sums)(const T* v, std::size_t ldv, std::size_t batch, std::size_t width,
                        const T* sums, T scale, T rate, bool store, T* target) noexcept;
    /// For a batch of one: the last step (scale 1) of `layer`, whose row was `old_a`, then
    /// `product` with it of the row `a`; all rows padded. Both rules are of the same kind, that of
    /// biases adjusted only if both are.
    void (*update_product)(const UpdateRule<T>& of_weights, const UpdateRule<T>& of_biases,
                           const LearnedLayer<T>& layer, const T* old_a, const T* delta, const T* a,
                           T* out, bool relu) noexcept;
    /// For a batch of one and a narrow layer, whose weights are transposed: the backward `product`
    /// to out (K,), relu-masked by `nodes` if `relu`, and in the same pass the step (scale 1) of
    /// the weights; then that of the biases, kNarrow of them. Rules as above.
    void (*narrow_update)(const UpdateRule<T>& of_weights, const UpdateRule<T>& of_biases,
                          const LearnedLayer<T>& layer, const T* delta, const T* nodes,
                          std::size_t count_k, T* out, bool relu) noexcept;
    /// For a layer of relu between `inputs` <= kFewInputs and `outputs` <= kFewOutputs: its delta
    /// d[b][j] = sum_n delta[b][n] * wt[n][j] where not nodes <= 0, else +0, as by `product`, and
    /// rows of gradients as by `outer` and `column_sums`: of weights i < inputs, then of biases,
    /// then of weights wt[n], n < outputs; columns first_j + j of the layer, j < width, a multiple
    /// of kPad.
    void (*hidden_gradients)(const T* const* a, std::size_t inputs, const T* const* nodes,
                             const T* const* delta, std::size_t outputs, const T* wt,
                             std::size_t ldt, std::size_t first_j, std::size_t width,
                             std::size_t batch, T scale, T* gradients, std::size_t ldg) noexcept;
    /// out[b][n] = bias[n] + tree16_k(a[b][k] * wt[n][k]) for n < N <= kNarrow; wt rows
    /// zero-padded, bias and rows of out padded.
    void (*narrow_forward)(const T* const* a, std::size_t rows, std::size_t k, const T* wt,
                           std::size_t ldt, const T* bias, std::size_t n, T* out,
                           std::size_t ldo) noexcept;
    /// The same numbers from the natural w (K, N), for few rows. Reads up to kPad past each row.
    void (*narrow_forward_natural)(const T* const* a, std::size_t rows, std::size_t k, const T* w,
                                   std::size_t ldw, const T* bias, std::size_t n, T* out,
                                   std::size_t ldo) noexcept;
    /// to[c][r] = from[r][c], r < rows, c < cols; rows of `to` are zeroed up to a multiple of kPad.
    /// Reads `from` and writes rows of `to` up to the next multiple of kPad columns.
    void (*transpose)(const T* from, std::size_t ldf, std::size_t rows, std::size_t cols, T* to,
                      std::size_t ldt) noexcept;

    // ---- one sparse row or column, `count` elements (sparse-inl.hpp) ----------------------------
    /// out[j] = init[j] + sum_i values[i] * w[columns[i]][j], one in-order fma chain; j < width, a
    /// multiple of kPad.
    void (*sparse_product)(const std::int32_t* columns, const T* values, std::size_t count,
                           const T* w, std::size_t ldw, const T* init, std::size_t width,
                           T* out) noexcept;
    /// `narrow_forward` of one row; element (k, c) of w is w[k * step_k + c * step_n].
    void (*sparse_narrow)(const std::int32_t* columns, const T* values, std::size_t count,
                          const T* w, std::size_t step_k, std::size_t step_n, const T* bias,
                          std::size_t n, T* out) noexcept;
    /// g[j] = scale * sum_i values[i] * v[rows[i]][j] + 0, i in order; the same two ends as
    /// `outer`; j < width, a multiple of kPad.
    void (*sparse_outer)(const std::uint32_t* rows, const T* values, std::size_t count, const T* v,
                         std::size_t ldv, std::size_t width, T scale, T rate, bool store,
                         T* target) noexcept;

    // ---- activations (activations-inl.hpp) ------------------------------------------------------
    Forward relu, leaky_relu, elu, selu, gelu, gelu_tanh, silu, mish, relu6, hardswish, sigmoid,
        tanh, softplus, exp;
    /// computed from h = f(z); those of gelu, gelu_tanh, silu, mish and hardswish from z
    Backward relu_backward, leaky_relu_backward, elu_backward, selu_backward, gelu_backward,
        gelu_tanh_backward, silu_backward, mish_backward, relu6_backward, hardswish_backward,
        sigmoid_backward, tanh_backward, softplus_backward, exp_backward;
    /// delta[r][c] *= h''(z[r][c]), computed from what h' is computed from; the others have
    /// straight pieces only
    Backward elu_curve, selu_curve, gelu_curve, gelu_tanh_curve, silu_curve, mish_curve,
        hardswish_curve, sigmoid_curve, tanh_curve, softplus_curve, exp_curve;

    // ---- normalisation (normalization-inl.hpp), dropout (dropout-inl.hpp); rows padded ---------
    /// x = (z - mean) * inverse with 1 / inverse = sqrt(variance + epsilon), both by tree16 over
    /// the n columns of a row; z = fma(x, scale, shift). x goes to `normalized`, whose
    /// padding stays 0.
    LayerNormalize layer_normalize;
    /// With d = delta * scale: out = (d - mean(d) - x mean(d x)) * inverse; its padding stays 0.
    LayerNormalizeBackward layer_normalize_backward;
    /// Mean and (biased) variance of columns, whole vectors, two passes over the batch in order.
    void (*batch_moments)(const T* z, std::size_t ldz, std::size_t batch, std::size_t width,
                          T* means, T* variances) noexcept;
    /// Like layer_normalize, with the moments of columns.
    void (*batch_normalize)(T* z, std::size_t ldz, std::size_t rows, std::size_t width, T epsilon,
                            const T* means, const T* variances, const T* scales, const T* shifts,
                            T* normalized, std::size_t ldn) noexcept;
    /// out = (delta - mean_delta - x mean_product) * (scale * inverse); the means are over the
    /// batch, of delta and of delta * x.
    void (*batch_normalize_backward)(const T* delta, std::size_t ldd, std::size_t rows,
                                     std::size_t width, T epsilon, const T* variances,
                                     const T* scales, const T* normalized, std::size_t ldn,
                                     const T* mean_deltas, const T* mean_products, T* out,
                                     std::size_t ldo) noexcept;
    /// out[j] = scale * sum_b a[b][j] * v[b][j] + 0, b in order, continued from `sums` (null: from
    /// 0); j < width, a multiple of the lanes of a vector.
    void (*column_dots)(const T* a, std::size_t lda, const T* v, std::size_t ldv, std::size_t batch,
                        std::size_t width, const T* sums, T scale, T* out) noexcept;
    /// out = h * scale where the mask keeps, else +0
    void (*dropout)(const T* h, std::size_t ldh, std::size_t rows, std::size_t cols,
                    const Mask& mask, T scale, T* out, std::size_t ldo) noexcept;

    // ---- softmax and losses (losses-inl.hpp); delta's columns n..ldd-padded are set to 0 --------
    /// probabilities
    Forward softmax;
    /// (2.8), (2.9) from z; per-sample losses (B,)
    void (*cross_entropy_labels)(const T* z, std::size_t ldz, const std::int32_t* labels,
                                 std::size_t rows, std::size_t n, T* delta, std::size_t ldd,
                                 T* losses) noexcept;
    /// the same with label smoothing, which is `parameter`
    void (*cross_entropy_smoothed)(const T* z, std::size_t ldz, const std::int32_t* labels,
                                   std::size_t rows, std::size_t n, T parameter, T* delta,
                                   std::size_t ldd, T* losses) noexcept;
    /// from z, with (2.9) as delta; `parameter` is the label smoothing
    TargetLoss cross_entropy_targets;
    /// from z, with dL/dz as delta; `parameter` is not read
    MeanLoss binary_cross_entropy, poisson;
    /// from h, with dL/dh as delta, before the factor h'(z); `parameter` as in layer.hpp
    MeanLoss mean_squared_error, mean_absolute_error, huber, quantile;

    // ---- rows of another type or scale (conversion-inl.hpp) -------------------------------------
    Convert convert[kElementTypes];  ///< by its `ElementType`
    /// out[b][k] = fma(from[b][k], scales[k], offsets[k]); `from`, `scales` and `offsets` are not
    /// padded; rows of `out` are, and get zeros up to the end of a vector.
    void (*scale_rows)(const T* const* from, std::size_t rows, std::size_t count, const T* scales,
                       const T* offsets, T* out, std::size_t ldo) noexcept;

    LaneKernels<T> in_lanes;

    // ---- whole arrays ---------------------------------------------------------------------------
    /// Applies `rule` with gradients g to w (rows, width); rows of w and of both moments are
    /// ldw apart. Arrays that the rule does not use may be null. No row is accessed beyond `width`.
    void (*update)(const UpdateRule<T>& rule, std::size_t rows, std::size_t width, const T* g,
                   std::size_t ldg, T* w, T* first_moment, T* second_moment,
                   std::size_t ldw) noexcept;
    /// For a batch of one: `outer` of a (count_k,) and v (width,), and `update` with its gradients.
    void (*update_of_one)(const UpdateRule<T>& rule, const T* a, std::size_t count_k, const T* v,
                          std::size_t width, T scale, T* w, T* first_moment, T* second_moment,
                          std::size_t ldw) noexcept;
    /// moves to[i] towards from[i] by `gain`: fma(gain, from - to, to) for gains below 1/2, else
    /// fma(gain - 1, from - to, from)
    void (*approach)(T gain, std::size_t count, const T* from, T* to) noexcept;
    /// the number of elements before the first for which not |x| < limit, such as NaN; `count` if
    /// there is none
    std::size_t (*count_below)(T limit, const T* x, std::size_t count) noexcept;
    /// words[16 w + i] = word w of block `counter` + i of the stream, i < 16, which Philox4x32-10
    /// draws (random.hpp); `counter` is a multiple of 16
    void (*random_words)(std::uint64_t seed, std::uint32_t stream, std::uint32_t epoch,
                         std::uint64_t counter, std::uint32_t* words) noexcept;
    /// `rounds` rounds of independent fmas in registers; returns the flops done (to time the peak)
    double (*spin)(std::size_t rounds) noexcept;
    /// out = exp or log of x, element by element, for schedules and tests
    void (*exp_array)(const T* x, std::size_t count, T* out) noexcept;
    void (*log_array)(const T* x, std::size_t count, T* out) noexcept;
};

/// One instruction set's kernels for both element types.
struct Isa {
    const char* name;
    const KernelTable<float>* f32;
    const KernelTable<double>* f64;
};

}  // namespace fastmlp::kernels
