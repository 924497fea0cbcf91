/// The compiled module, which binds all parts.
#include "bindings.hpp"
#include "fastmlp/version.hpp"

PYBIND11_MODULE(_core, module) {
    using namespace fastmlp::bindings;
    module.doc() = "The compiled core of fastmlp.";
    module.attr("__version__") = fastmlp::kVersion;
    bind_config(module);
    bind_files(module);
    bind_optimizer(module);
    bind_trainer(module);
    bind_features(module);
    bind_holds(module);
    bind_network(module);
    bind_networks(module);
    bind_train_many(module);
}
