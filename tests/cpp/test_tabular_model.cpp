// Models of tables of numbers: what becomes of raw rows, and which tables are refused.

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "check.hpp"
#include "fastmlp.h"
#include "fastmlp/fastmlp.hpp"
#include "files/json.hpp"
#include "model_tensors.hpp"
#include "tables/number_encoders.hpp"

namespace {

using namespace fastmlp;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// A file with the parts of a table, to be changed before it is read.
struct File {
    std::string values = R"({"version":1,"task":"regression","settings":{"hidden":[4],"x":null}})";
    std::vector<std::string> features = {
        R"({"name": "a \"b\"", "kind": "number", "reason": "", "order": null, "encoder": "Number", )"
        R"("median": 2.5, "mean": 2.0, "deviation": 4.0, "missing": true, )"
        R"("means": {"encoder": "NumberMeans"}})",
        R"({"name": "c", "kind": "number", "encoder": "Number", "median": -1, "mean": 1e-05, )"
        R"("deviation": 0.5, "missing": false, "means": null})"};
    std::map<std::string, std::vector<double>> numbers = {{"feature.0.edges", {0, 2, 3, 7}},
                                                          {"feature.1.edges", {}},
                                                          {"feature.0.means.values", {1, 4}},
                                                          {"feature.0.means.overall", {0.5}},
                                                          {"feature.0.means.mean", {0.25}},
                                                          {"feature.0.means.deviation", {0.5}},
                                                          {"target.mean", {100}},
                                                          {"target.deviation", {10}},
                                                          {"target.classes", {}}};
    std::vector<double> means = {0.75, 1.25, 2.25};  // of 1, of 4, of missing numbers
    std::vector<std::string> targets = {"price"}, kinds{}, classes{};
    std::size_t inputs = 7, outputs = 1, networks = 2;

    Network<float> network(std::size_t i) const {
        const Layer output{outputs, classes.empty() ? Activation::kIdentity : Activation::kSoftmax};
        return {inputs, {{4, Activation::kTanh}, output}, default_loss(output.activation), 7 + i};
    }

    Archive archive() const {
        OwningArchive result;
        std::vector<Network<float>> all;
        for (std::size_t i = 0; i < networks; ++i) all.push_back(network(i));
        std::vector<AnyNetworkPointer> pointers;
        for (const Network<float>& each : all) pointers.emplace_back(&each);
        const Archive of_networks = ensemble_to_archive(pointers);
        result.archive.metadata = of_networks.metadata;
        for (const Tensor& tensor : of_networks.tensors) {
            const auto bytes =
                result.add<std::byte>(tensor.name, tensor.type, tensor.shape, tensor.bytes.size());
            std::copy(tensor.bytes.begin(), tensor.bytes.end(), bytes.begin());
        }
        result.archive.metadata["table"] = "{\"texts\":[\"features\"],\"values\":" + values + "}";
        result.archive.metadata["table_inputs"] = "columns";
        result.add_texts("table.features", features);
        result.add_texts("table.target.names", targets);
        result.add_texts("table.target.kinds", kinds);
        if (!classes.empty()) result.add_texts("table.target.classes", classes);
        for (const auto& [name, elements] : numbers) {
            if (name == "target.classes" && !classes.empty()) continue;
            add(result, name, {elements.size()}, elements);
        }
        add(result, "feature.0.means.means", {means.size(), 1}, means);
        return std::move(result).take();
    }

    static void add(OwningArchive& into, const std::string& name, std::vector<std::size_t> shape,
                    const std::vector<double>& elements) {
        const auto all =
            into.add<double>("table." + name, ElementType::kF64, std::move(shape), elements.size());
        std::copy(elements.begin(), elements.end(), all.begin());
    }
};

void test_numbers_become_inputs() {
    tables::NumberMeans means{{1, 4}, {1, 2, 4, 0.5F}, 1};
    const tables::Number number{2.5, 2, 4, {0, 2, 3, 7}, true, means};
    const auto inputs = [&](double x) {
        std::vector<float> out(number.width());
        number.encode(x, out.data());
        return out;
    };
    // Standardized, three pieces, missing, the mean target.
    CHECK((inputs(1) == std::vector<float>{-0.25F, 0.5F, 0, 0, 0, 1}));
    CHECK((inputs(4) == std::vector<float>{0.5F, 1, 1, 0.25F, 0, 2}));
    CHECK((inputs(3) == std::vector<float>{0.25F, 1, 1, 0, 0, 0.5F}));
    CHECK((inputs(7) == std::vector<float>{1.25F, 1, 1, 1, 0, 0.5F}));
    CHECK((inputs(-1e300) == std::vector<float>{-1e6F, 0, 0, 0, 0, 0.5F}));
    CHECK((inputs(1e300) == std::vector<float>{1e6F, 1, 1, 1, 0, 0.5F}));
    CHECK((inputs(kMissing) == std::vector<float>{0.125F, 1, 0.5F, 0, 1, 4}));
    const tables::RawNumber raw{2.5, -10, 10};
    CHECK(raw.encode(kMissing) == 2.5 && raw.encode(99) == 10 && raw.encode(-99) == -10);
}

void test_rows_become_predictions() {
    const File file;
    const TabularModel model = TabularModel::from_archive(file.archive(), "file");
    CHECK(model.task() == TabularModel::Task::kRegression);
    CHECK((model.columns() == std::vector<std::string>{"a \"b\"", "c"}));
    CHECK((model.targets() == std::vector<std::string>{"price"}) && model.outputs() == 1);
    const std::vector<double> rows = {4, 1, kMissing, kInfinite, 3, -2};
    const auto second = [](double x) { return static_cast<float>((x - 1e-05) / 0.5); };
    const std::vector<float> inputs = {
        0.5F,   1, 1,    0.25F, 0, 2,    second(1),   // standardized, pieces, missing, mean; c
        0.125F, 1, 0.5F, 0,     1, 4,    second(-1),  //
        0.25F,  1, 1,    0,     0, 0.5F, second(-2)};
    std::vector<float> outputs(3);
    std::vector<double> expected(3), found(3);
    for (std::size_t i = 0; i < 2; ++i) {
        file.network(i).predict({inputs.data(), 3, 7, 7}, {outputs.data(), 3, 1, 1});
        for (std::size_t j = 0; j < 3; ++j) expected[j] += static_cast<double>(outputs[j]);
    }
    for (double& each : expected) each = each / 2 * 10 + 100;
    model.predict({rows.data(), 3, 2, 2}, {found.data(), 3, 1, 1});
    CHECK(check::same(found, expected));
    CHECK(check::throws<std::invalid_argument>(
        [&] { model.predict({rows.data(), 2, 3, 3}, {found.data(), 2, 1, 1}); }));
    CHECK(check::throws<std::invalid_argument>(
        [&] { model.predict({rows.data(), 3, 2, 2}, {found.data(), 2, 1, 1}); }));
    std::vector<std::size_t> classes(3);
    CHECK(check::throws<std::invalid_argument>(
        [&] { model.classify({rows.data(), 3, 2, 2}, classes); }));
    model.predict({rows.data(), 0, 2, 2}, {found.data(), 0, 1, 1});  // no rows
}

void test_many_rows_go_in_blocks() {
    const TabularModel model = TabularModel::from_archive(File().archive(), "file");
    const std::size_t rows = (std::size_t{1} << 18) / 7 + 100;
    std::vector<double> x(rows * 2), found(rows), again(100);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i % 77) / 8 - 1;
    model.predict({x.data(), rows, 2, 2}, {found.data(), rows, 1, 1});
    model.predict({x.data() + (rows - 100) * 2, 100, 2, 2}, {again.data(), 100, 1, 1});
    CHECK(check::same(again, std::vector<double>(found.end() - 100, found.end())));
}

void test_classes() {
    File file;
    file.values = R"({"version":1,"task":"classification"})";
    file.targets = {"kind"};
    file.classes = {"small", "big", "\xc3\xa9"};
    file.outputs = 3;
    file.numbers["target.mean"] = file.numbers["target.deviation"] = {};
    const TabularModel model = TabularModel::from_archive(file.archive(), "file");
    CHECK(model.classes() == file.classes);
    const std::vector<double> rows = {4, 1, kMissing, 2, 3, -2};
    std::vector<double> shares(9);
    std::vector<std::size_t> classes(3);
    model.predict({rows.data(), 3, 2, 2}, {shares.data(), 3, 3, 3});
    model.classify({rows.data(), 3, 2, 2}, classes);
    for (std::size_t i = 0; i < 3; ++i) {
        const double* const row = shares.data() + i * 3;
        CHECK(std::fabs(row[0] + row[1] + row[2] - 1) < 1e-6);
        CHECK(row[classes[i]] == *std::max_element(row, row + 3));
    }
}

void test_refused_tables() {
    const auto problem = [](const std::function<void(File&)>& change) -> std::string {
        File file;
        change(file);
        try {
            TabularModel::from_archive(file.archive(), "file");
        } catch (const FormatError& error) {
            return error.what();
        }
        return "";
    };
    const auto has = [](const std::string& text, const char* part) {
        return text.find(part) != std::string::npos;
    };
    const auto replaced = [](std::string text, const std::string& old, const std::string& by) {
        return text.replace(text.find(old), old.size(), by);
    };
    for (const auto& [from, to, message] : std::vector<std::array<const char*, 3>>{
             {"number\"", "date\"", "column 'c' holds dates"},
             {"number\"", "words\"", "column 'c' holds words"},
             {"Number\"", "Other\"", "there is no encoder 'Other'"},
             {"0.5", "0.0", "deviations must be above 0"},
             {"\"mean\"", "\"other\"", "misses a number"},
             {"-1", "x", "expected a finite number"},
             {"\"Number\", ", "\"RawNumber\", \"least\": -1, \"most\": 1, ", "either all columns"},
             {"\"Number\", ", "\"RawNumber\", \"least\": 1, \"most\": -1, ", "least and most"}}) {
        CHECK(has(problem([&](File& f) { f.features[1] = replaced(f.features[1], from, to); }),
                  message));
    }
    const auto with_values = [&](const char* values) {
        return problem([&](File& file) { file.values = values; });
    };
    CHECK(has(with_values(R"({"version":2,"task":"regression"})"), "version 2 are not read"));
    CHECK(has(with_values(R"({"version":1,"task":"other"})"), "no task 'other'"));
    CHECK(has(with_values(R"({"version":1,"task":"classification"})"), "mean and a deviation"));
    CHECK(has(with_values(R"({"version":1,"x":falsy})"), "expected true or false"));
    const std::string deep(100, '[');
    CHECK(has(with_values((R"({"version":1,"x":)" + deep).c_str()), "nested too deeply"));
    const auto with_numbers = [&](const char* name, std::vector<double> elements) {
        return problem([&](File& file) { file.numbers[name] = std::move(elements); });
    };
    CHECK(has(with_numbers("feature.0.edges", {1}), "edges must ascend"));
    CHECK(has(with_numbers("feature.0.edges", {2, 2, 3, 7}), "edges must ascend"));
    CHECK(has(with_numbers("feature.0.edges", {0, 2, kInfinite}), "must be finite"));
    CHECK(has(with_numbers("feature.0.edges", {0, 2, 3}), "columns become 6 inputs"));
    CHECK(has(with_numbers("feature.0.means.values", {4, 1}), "values must ascend"));
    CHECK(has(with_numbers("feature.0.means.values", {1}), "must be F64"));
    CHECK(has(with_numbers("feature.0.means.mean", {1, 2}), "for each target"));
    CHECK(has(with_numbers("target.mean", {}), "mean and a deviation"));
    CHECK(has(with_numbers("target.deviation", {0}), "deviations must be above 0"));
    CHECK(has(problem([](File& file) { file.numbers.erase("feature.1.edges"); }), "is missing"));
    CHECK(has(problem([](File& file) { file.features = {}; }), "at least one"));
    CHECK(has(problem([&](File& file) {
                  file.features[1] = replaced(file.features[1], "\"c\"", "\"a \\\"b\\\"\"");
              }),
              "must have different names"));
    CHECK(has(problem([](File& file) {
                  file.values = R"({"version":1,"task":"classification"})";
                  file.classes = {"no", "no"};
                  file.outputs = 2;
                  file.numbers["target.mean"] = file.numbers["target.deviation"] = {};
              }),
              "must have different classes"));
    const auto without_target = [](File& file) {
        file.targets = {};
        file.numbers["target.mean"] = file.numbers["target.deviation"] = {};
    };
    CHECK(has(problem(without_target), "the target must have a name"));
    CHECK(has(problem([](File& file) { file.kinds = {"text"}; }), "a kind for each label"));
    Archive networks = File().archive();
    networks.metadata.erase("table");
    CHECK(check::throws<FormatError>([&] { TabularModel::from_archive(networks, "file"); }));
    CHECK(check::throws<FormatError>([] { ensemble_from_archive(File().archive(), "file"); }));
}

void test_c_interface() {
    const std::vector<std::byte> bytes = format_archive(File().archive());
    fastmlp_tabular_model* model = nullptr;
    CHECK(fastmlp_tabular_load_memory(bytes.data(), bytes.size(), &model) == FASTMLP_OK);
    CHECK(fastmlp_tabular_columns(model) == 2 && fastmlp_tabular_outputs(model) == 1);
    CHECK(fastmlp_tabular_column_name(model, 1) == std::string("c"));
    CHECK(fastmlp_tabular_output_name(model, 0) == std::string("price"));
    CHECK(fastmlp_tabular_column_name(model, 2) == nullptr);
    const std::vector<double> rows = {4, 1, kMissing, 2};
    std::vector<double> found(2), expected(2);
    TabularModel::from_archive(File().archive(), "file")
        .predict({rows.data(), 2, 2, 2}, {expected.data(), 2, 1, 1});
    CHECK(fastmlp_tabular_predict(model, rows.data(), 2, found.data(), 1) == FASTMLP_OK);
    CHECK(check::same(found, expected));
    std::vector<std::size_t> classes(2);
    CHECK(fastmlp_tabular_classify(model, rows.data(), 2, classes.data(), 1) ==
          FASTMLP_INVALID_ARGUMENT);
    CHECK(fastmlp_tabular_predict(nullptr, rows.data(), 2, found.data(), 1) ==
          FASTMLP_INVALID_ARGUMENT);
    CHECK(fastmlp_tabular_load("no such file", &model) == FASTMLP_SYSTEM_ERROR);
    CHECK(fastmlp_tabular_columns(nullptr) == 0 && fastmlp_tabular_outputs(nullptr) == 0);
    CHECK(fastmlp_tabular_column_name(nullptr, 0) == nullptr);
    fastmlp_tabular_destroy(model);
    fastmlp_tabular_destroy(nullptr);
}

}  // namespace

int main() {
    test_numbers_become_inputs();
    test_rows_become_predictions();
    test_many_rows_go_in_blocks();
    test_classes();
    test_refused_tables();
    test_c_interface();
    return check::report();
}
