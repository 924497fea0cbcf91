/// The C interface: models of tables of numbers.
#include "c_api/arguments.hpp"
#include "c_api/handles.hpp"
#include "c_api/status.hpp"

using namespace fastmlp::c;

namespace {

const fastmlp::TabularModel& held(const fastmlp_tabular_model* model) {
    return given(model, "model")->model;
}

const char* name_at(const std::vector<std::string>& names, std::size_t i) {
    return i < names.size() ? names[i].c_str() : nullptr;
}

}  // namespace

fastmlp_status fastmlp_tabular_load(const char* path, fastmlp_tabular_model** model) {
    return guarded([&] {
        given(model, "model");
        *model = new fastmlp_tabular_model{fastmlp::TabularModel::load(given(path, "path"))};
    });
}

fastmlp_status fastmlp_tabular_load_memory(const void* bytes, size_t size,
                                           fastmlp_tabular_model** model) {
    return guarded([&] {
        given(model, "model");
        check_count(size, 1, "size");
        const auto* const first = static_cast<const std::byte*>(given(bytes, "bytes"));
        const fastmlp::Archive archive = fastmlp::parse_archive({first, size});
        *model =
            new fastmlp_tabular_model{fastmlp::TabularModel::from_archive(archive, "<memory>")};
    });
}

void fastmlp_tabular_destroy(fastmlp_tabular_model* model) {
    delete model;
}

size_t fastmlp_tabular_columns(const fastmlp_tabular_model* model) {
    return model == nullptr ? 0 : model->model.columns().size();
}

size_t fastmlp_tabular_outputs(const fastmlp_tabular_model* model) {
    return model == nullptr ? 0 : model->model.outputs();
}

const char* fastmlp_tabular_column_name(const fastmlp_tabular_model* model, size_t column) {
    return model == nullptr ? nullptr : name_at(model->model.columns(), column);
}

const char* fastmlp_tabular_output_name(const fastmlp_tabular_model* model, size_t output) {
    if (model == nullptr) return nullptr;
    const auto& classes = model->model.classes();
    return name_at(classes.empty() ? model->model.targets() : classes, output);
}

fastmlp_status fastmlp_tabular_predict(const fastmlp_tabular_model* handle, const double* x,
                                       size_t rows, double* out, int n_threads) {
    return guarded([&] {
        const fastmlp::TabularModel& model = held(handle);
        const auto features = matrix(x, rows, model.columns().size(), "x");
        model.predict(features, results(out, model.outputs(), features), n_threads);
    });
}

fastmlp_status fastmlp_tabular_classify(const fastmlp_tabular_model* handle, const double* x,
                                        size_t rows, size_t* classes, int n_threads) {
    return guarded([&] {
        const fastmlp::TabularModel& model = held(handle);
        const auto features = matrix(x, rows, model.columns().size(), "x");
        const auto found = matrix(classes, rows, 1, "classes");
        model.classify(features, {found.data, rows}, n_threads);
    });
}
