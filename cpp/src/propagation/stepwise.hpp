/// The passes of `Network::forward` and `Network::backward`: one thread, any number of rows. Each
/// layer takes them in blocks, so that an interrupt need not wait for all of them.
#pragma once

#include "propagation/propagate.hpp"

namespace fastmlp {

template <class T>
struct StepwisePass {
    const Propagation<T>& pass;

    void forward() const {
        for (std::size_t i = 0; i < pass.layers.size(); ++i) {
            for_each_block(i, [&](Range rows) { pass.begin(i, rows); });
            if (pass.traits[i].is_normalized) pass.normalize_layer(i, all());
            for_each_block(i, [&](Range rows) { pass.finish(i, rows); });
        }
    }

    void backward(const Targets<T>& y) const {
        const std::size_t last = pass.layers.size() - 1;
        if (y.custom) {
            pass.output_delta(y, all());
        } else {
            for_each_block(last, [&](Range rows) { pass.output_delta(y, rows); });
        }
        for (std::size_t i = last; i > 0; --i) {
            for_each_block(i - 1, [&](Range rows) { pass.multiply_back(i, rows); });
            if (pass.traits[i - 1].is_normalized) pass.normalize_layer_back(i - 1, all());
        }
    }

private:
    /// Rows that share a panel of weights in the cache.
    static constexpr std::size_t kBlockRows = 512;
    /// As much time as a node takes but for its products.
    static constexpr double kFlopsPerNode = 10;

    Range all() const { return {0, pass.work.batch}; }

    /// f(rows) for the rows of layer i.
    template <class F>
    void for_each_block(std::size_t i, F f) const {
        const double flops_each = kFlopsPerNode * static_cast<double>(pass.parameters[i].n);
        fastmlp::for_each_block(all(), kBlockRows, flops_each, pass.poll, f);
    }
};

}  // namespace fastmlp
