#include "checks/same_function.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

#include "checks/checks.hpp"

namespace fastmlp {
namespace {

[[noreturn]] void refuse(const std::string& wanted, const std::string& got) {
    throw std::invalid_argument("source must have " + wanted + ", got " + got);
}

/// Where a difference is: a function, so that no text is made where there is none.
constexpr auto kInAll = [] { return std::string(); };

/// "source must have 9 nodes in layer 0, got 8"
template <class Where>
void expect_count(std::size_t ours, std::size_t theirs, const char* of_what, Where where) {
    if (ours == theirs) return;
    refuse(std::to_string(ours) + " " + of_what + where(), std::to_string(theirs));
}

/// "source must have the activation 'relu' in layer 0, got 'tanh'"
template <class Where>
void expect_name(std::string_view ours, std::string_view theirs, const char* what, Where where) {
    const auto quoted = [](std::string_view name) { return "'" + std::string(name) + "'"; };
    if (ours == theirs) return;
    refuse(what + (" " + quoted(ours)) + where(), quoted(theirs));
}

template <class Where>
void expect_number(double ours, double theirs, const char* what, Where where) {
    if (ours != theirs) refuse(what + (" " + shortest(ours)) + where(), shortest(theirs));
}

template <class Where>
void check_activation(Activation ours, Activation theirs, Where where) {
    expect_name(name_of(ours), name_of(theirs), "the activation", where);
    expect_number(ours.parameter, theirs.parameter,
                  ours == Activation::kElu ? "the alpha" : "the negative_slope", where);
}

void check_layer(const Layer& ours, const Layer& theirs, std::size_t i) {
    const auto in_layer = [i] { return " in layer " + std::to_string(i); };
    expect_count(ours.nodes, theirs.nodes, "nodes", in_layer);
    check_activation(ours.activation, theirs.activation, in_layer);
    const Normalization &own = ours.normalization, &other = theirs.normalization;
    expect_name(name_of(own), name_of(other), "the normalization", in_layer);
    expect_number(own.epsilon, other.epsilon, "the epsilon", in_layer);
    if (own.after_activation == other.after_activation) return;
    refuse(std::string("the normalization ") + (own.after_activation ? "after" : "before") +
               " the activation" + in_layer(),
           other.after_activation ? "after it" : "before it");
}

void check_inputs(Normalization ours, Normalization theirs) {
    expect_name(name_of(ours), name_of(theirs), "the input_normalization", kInAll);
    expect_number(ours.epsilon, theirs.epsilon, "the epsilon",
                  [] { return std::string(" in input_normalization"); });
}

template <class Where>
void check_loss(Loss ours, Loss theirs, Where where) {
    expect_name(name_of(ours.kind), name_of(theirs.kind), "the loss", where);
    expect_number(ours.parameter, theirs.parameter,
                  ours.kind == Loss::kCrossEntropy ? "the label_smoothing"
                  : ours.kind == Loss::kHuber      ? "the delta"
                                                   : "the quantile",
                  where);
}

void check_heads(const std::vector<Head>& ours, const std::vector<Head>& theirs) {
    expect_count(ours.size(), theirs.size(), "heads", kInAll);
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const auto of_head = [&] { return " of head '" + ours[i].name + "'"; };
        expect_count(ours[i].nodes, theirs[i].nodes, "nodes", of_head);
        check_activation(ours[i].activation, theirs[i].activation, of_head);
        check_loss(ours[i].loss, theirs[i].loss, of_head);
        expect_number(ours[i].weight, theirs[i].weight, "the weight", of_head);
    }
}

template <class T>
void check_scaling(const std::shared_ptr<Buffer<T>>& ours, const std::shared_ptr<Buffer<T>>& theirs,
                   const char* side) {
    const auto both = [side] { return side + ("_scale and " + std::string(side)) + "_offset"; };
    if (!ours != !theirs) refuse((ours ? "an " : "no ") + both(), theirs ? "both" : "none");
    if (!ours || std::equal(ours->begin(), ours->end(), theirs->begin(), theirs->end())) return;
    refuse("the same " + both(), "others");
}

template <class T>
void check_loss_weights(const std::shared_ptr<Buffer<T>>& ours,
                        const std::shared_ptr<Buffer<T>>& theirs) {
    if (!ours != !theirs)
        refuse(ours ? "loss_weights" : "no loss_weights", theirs ? "some" : "none");
    if (!ours || std::equal(ours->begin(), ours->end(), theirs->begin(), theirs->end())) return;
    refuse("the same loss_weights", "others");
}

}  // namespace

template <class T>
void check_same_function(const Network<T>& network, const Network<T>& source) {
    expect_count(network.features(), source.features(), "features", kInAll);
    expect_count(network.layers().size(), source.layers().size(), "layers", kInAll);
    for (std::size_t i = 0; i < network.layers().size(); ++i) {
        check_layer(network.layers()[i], source.layers()[i], i);
    }
    check_inputs(network.layers()[0].input_normalization, source.layers()[0].input_normalization);
    check_loss(network.loss(), source.loss(), kInAll);
    check_heads(network.heads(), source.heads());
    check_loss_weights(network.loss_weights(), source.loss_weights());
    check_scaling(network.input_scaling(), source.input_scaling(), "input");
    check_scaling(network.output_scaling(), source.output_scaling(), "output");
}

template void check_same_function(const Network<float>&, const Network<float>&);
template void check_same_function(const Network<double>&, const Network<double>&);

}  // namespace fastmlp
