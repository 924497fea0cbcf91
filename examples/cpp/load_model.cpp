// Loads a network that was trained anywhere, for example by train_model.py, and prints its outputs
// for rows of multiples of 1/8, as hexadecimal floats: every bit can be compared.
//
//     load_model MODEL
#include <cstdio>
#include <exception>
#include <vector>

#include "fastmlp/fastmlp.hpp"

namespace {

constexpr std::size_t kRows = 20;

void print_outputs(const char* path) {
    const fastmlp::Network<float> network = fastmlp::load<float>(path);
    const std::size_t features = network.features(), outputs = network.outputs();
    std::vector<float> inputs(kRows * features), results(kRows * outputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        inputs[i] = static_cast<float>(i % 17) / 8 - 1;
    }
    network.predict({inputs.data(), kRows, features, features},
                    {results.data(), kRows, outputs, outputs});
    for (std::size_t i = 0; i < results.size(); ++i) {
        std::printf("%a%c", static_cast<double>(results[i]), (i + 1) % outputs == 0 ? '\n' : ' ');
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        print_outputs(argc > 1 ? argv[1] : "circle.safetensors");
    } catch (const fastmlp::FormatError& error) {
        std::fprintf(stderr, "no model of ours, or a damaged one: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
