// The spans of a network: where the layout says, live, and alive as long as their buffer.

#include <span>
#include <type_traits>

#include "check.hpp"
#include "fastmlp/fastmlp.hpp"

int main() {
    using enum fastmlp::Activation::Kind;
    fastmlp::Network<float> network(3, {{4, kTanh}, {2, kIdentity}},
                                    fastmlp::default_loss(kIdentity), 1);
    const std::span<float> all(*network.parameters()), gradients(*network.gradients());
    CHECK(all.size() == 3 * 4 + 4 + 4 * 2 + 2 && gradients.size() == all.size());
    CHECK(network.weights(0).data() == all.data() && network.weights(0).size() == 12);
    CHECK(network.biases(0).data() == all.data() + 12 && network.biases(0).size() == 4);
    CHECK(network.weights(1).data() == all.data() + 16 && network.weights(1).size() == 8);
    CHECK(network.biases(1).data() == all.data() + 24 && network.biases(1).size() == 2);
    CHECK(network.weight_gradients(1).data() == gradients.data() + 16);
    CHECK(network.bias_gradients(1).data() == gradients.data() + 24);

    network.biases(1)[1] = 5.0F;
    const auto& reader = network;
    static_assert(std::is_same_v<decltype(reader.weights(0)), std::span<const float>>);
    CHECK(reader.biases(1)[1] == 5.0F && reader.weights(1).data() == all.data() + 16);
    return check::report();
}
