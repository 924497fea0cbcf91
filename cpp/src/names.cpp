#include <set>
#include <stdexcept>

#include "fastmlp/network.hpp"
#include "files/json.hpp"

namespace fastmlp {
namespace {

void check_names(const char* what, const std::vector<std::string>& names, std::size_t count) {
    if (names.empty()) return;
    const auto refuse = [&](const std::string& problem) {
        throw std::invalid_argument(std::string(what) + " " + problem);
    };
    if (names.size() != count) {
        refuse("must hold " + std::to_string(count) + " names, got " +
               std::to_string(names.size()));
    }
    std::set<std::string_view> seen;
    for (const std::string& name : names) {
        if (files::valid_utf8_length(name) != name.size()) {
            refuse("must be UTF-8 without NUL");
        }
        if (!seen.insert(name).second) refuse("must be unique, '" + name + "' comes twice");
    }
}

}  // namespace

template <class T>
void Network<T>::set_names(Names names) {
    check_names("feature_names", names.features, features_);
    const std::size_t classes = class_count(layers_.back());
    if (classes == 0 && !names.classes.empty()) {
        throw std::invalid_argument("class_names: only outputs of softmax and sigmoid are classes");
    }
    check_names("class_names", names.classes, classes);
    names_ = std::move(names);
}

template void Network<float>::set_names(Names);
template void Network<double>::set_names(Names);

}  // namespace fastmlp
