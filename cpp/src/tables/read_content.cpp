/// The reader of the table in a model file, which python/fastmlp/tables/saved.py writes and
/// docs/file-format.md describes.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "fastmlp/serialize.hpp"
#include "files/format.hpp"
#include "files/json.hpp"
#include "model_tensors.hpp"
#include "tables/content.hpp"

namespace fastmlp::tables {
namespace {

using Content = TabularModel::Content;
using Task = TabularModel::Task;
using files::JsonReader;

/// What the JSON of a column says of numbers; other kinds of columns have other members.
struct Column {
    std::string name, kind, encoder;
    std::optional<double> median, mean, deviation, least, most;
    std::optional<bool> missing;
    bool has_means = false;
};

Column read_column(JsonReader& json) {
    Column column;
    json.object([&](const std::string& name) {
        std::optional<double>* const numbers[] = {&column.median, &column.mean, &column.deviation,
                                                  &column.least, &column.most};
        const char* const names[] = {"median", "mean", "deviation", "least", "most"};
        const auto* const found = std::find(std::begin(names), std::end(names), name);
        if (found != std::end(names)) {
            *numbers[found - names] = json.number();
        } else if (name == "name") {
            column.name = json.string();
        } else if (name == "kind") {
            column.kind = json.string();
        } else if (name == "encoder") {
            column.encoder = json.string();
        } else if (name == "missing") {
            column.missing = json.boolean();
        } else if (name == "means" && !json.accept_null()) {
            column.has_means = true;
            json.skip();
        } else if (name != "means") {
            json.skip();
        }
    });
    return column;
}

/// What cells of a kind of column hold.
std::string held_by(const std::string& kind) {
    if (kind == "date") return "dates";
    if (kind == "time of day") return "times of day";
    return kind == "vector" ? "vectors" : kind;
}

/// Reads the parts of a file that begin with "table".
class Reader {
public:
    Reader(const Archive& archive, const std::string& file)
        : archive_(archive), complaint_(file), tensors_(archive, complaint_) {}

    Content read() {
        if (!archive_.metadata.contains(files::kTableKey)) {
            complaint_.metadata(files::kTableKey,
                                "is not there: read networks alone with load or load_ensemble");
        }
        read_values();
        read_target();
        const std::vector<std::string> columns = texts("features");
        for (std::size_t i = 0; i < columns.size(); ++i) {
            add_column(parsed(columns[i], read_column), "feature." + std::to_string(i));
        }
        const bool are_all_raw = content_.raw_numbers.size() == columns.size();
        if (columns.empty() || (!are_all_raw && !content_.raw_numbers.empty())) {
            refuse("either all columns are raw numbers, or none, and there is at least one");
        }
        if (!are_different(content_.columns)) refuse("the columns must have different names");
        return std::move(content_);
    }

    /// Throws unless the networks fit the table.
    void add_networks(Content& content, std::vector<AnyNetwork> networks) const {
        const bool is_classification = content.task == Task::kClassification;
        const std::size_t outputs =
            is_classification ? content.classes.size() : content.targets.size();
        for (AnyNetwork& any : networks) {
            auto* const network = std::get_if<Network<float>>(&any);
            if (network == nullptr) refuse("the networks of a table are of float");
            if (network->features() != content.width || network->outputs() != outputs) {
                refuse("columns become " + std::to_string(content.width) + " inputs and " +
                       std::to_string(outputs) + " outputs, the networks have " +
                       std::to_string(network->features()) + " and " +
                       std::to_string(network->outputs()));
            }
            content.networks.push_back(std::move(*network));
        }
    }

private:
    [[noreturn]] void refuse(const std::string& problem) const {
        complaint_.metadata(files::kTableKey, problem);
    }

    /// parse(json) of a JSON object as Python writes it, which may have spaces.
    template <class Parse>
    std::invoke_result_t<Parse, JsonReader&> parsed(const std::string& text, Parse parse) const {
        const std::string compact = files::without_spaces(text);
        JsonReader json(compact);
        try {
            return parse(json);
        } catch (const files::JsonError& error) {
            refuse(error.problem + " (character " + std::to_string(error.position) + ")");
        }
    }

    void read_values() {
        std::uint64_t version = 0;
        std::string task, decimal = ".";
        parsed(archive_.metadata.at(files::kTableKey), [&](JsonReader& json) {
            json.object([&](const std::string& key) {
                if (key != "values") return json.skip();
                json.object([&](const std::string& name) {
                    if (name == "version") {
                        version = json.integer();
                    } else if (name == "task") {
                        task = json.string();
                    } else if (name == "decimal" && !json.accept_null()) {
                        decimal = json.string();
                    } else if (name != "decimal") {
                        json.skip();
                    }
                });
            });
        });
        if (version != 1) refuse("tables of version " + std::to_string(version) + " are not read");
        if (decimal != "." && decimal != ",") refuse("there is no decimal mark '" + decimal + "'");
        const char* const tasks[] = {"classification", "regression", "labels"};
        const auto* const found = std::find(std::begin(tasks), std::end(tasks), task);
        if (found == std::end(tasks)) refuse("there is no task '" + task + "'");
        content_.task = static_cast<Task>(found - tasks);
    }

    void read_target() {
        const bool is_classification = content_.task == Task::kClassification;
        content_.targets = texts("target.names");
        content_.classes = classes();
        content_.mean = floats("target.mean");
        content_.deviation = floats("target.deviation");
        const std::size_t targets = content_.targets.size();
        const std::size_t numbers = content_.task == Task::kRegression ? targets : 0;
        if (content_.mean.size() != numbers || content_.deviation.size() != numbers) {
            refuse("the target must have a mean and a deviation for each number");
        }
        for (const double deviation : content_.deviation) check_deviation(deviation);
        const std::size_t kinds = texts("target.kinds").size();
        if (kinds != (content_.task == Task::kLabels ? targets : 0)) {
            refuse("the target must have a kind for each label");
        }
        if (targets == 0 || (is_classification && targets > 1)) {
            refuse("the target must have a name, and several only as numbers or labels");
        }
        if (is_classification == content_.classes.empty() || !are_different(content_.classes)) {
            refuse("a classification must have different classes, and nothing else any");
        }
    }

    void add_column(const Column& column, const std::string& key) {
        if (column.kind != "number") {
            refuse("column '" + column.name + "' holds " + held_by(column.kind) +
                   ", and TabularModel of C++ and C reads tables of numbers only");
        }
        content_.columns.push_back(column.name);
        if (column.encoder == "RawNumber") {
            content_.raw_numbers.push_back(raw_number(column));
            content_.width += 1;
        } else if (column.encoder == "Number") {
            content_.numbers.push_back(number(column, key));
            content_.width += content_.numbers.back().width();
        } else {
            refuse("column '" + column.name + "': there is no encoder '" + column.encoder +
                   "' of numbers");
        }
    }

    Number number(const Column& column, const std::string& key) {
        if (!column.missing) refuse(key + ".missing is not there");
        Number result{required(column, column.median), required(column, column.mean),
                      required(column, column.deviation), floats(key + ".edges"), *column.missing};
        check_deviation(result.deviation);
        if (result.edges.size() == 1 || !ascend(result.edges)) refuse(key + ".edges must ascend");
        if (column.has_means) result.means = number_means(key + ".means");
        return result;
    }

    RawNumber raw_number(const Column& column) const {
        const RawNumber result{required(column, column.median), required(column, column.least),
                               required(column, column.most)};
        if (result.least > result.most) refuse("column '" + column.name + "': least and most");
        return result;
    }

    NumberMeans number_means(const std::string& key) {
        NumberMeans result;
        result.values = floats(key + ".values");
        if (result.values.empty() || !ascend(result.values)) refuse(key + ".values must ascend");
        const std::vector<double> overall = floats(key + ".overall"), mean = floats(key + ".mean"),
                                  deviation = floats(key + ".deviation");
        result.targets = overall.size();
        const std::vector<double> of_values =
            floats(key + ".means", {result.values.size() + 1, result.targets});
        if (overall.empty() || mean.size() != overall.size() ||
            deviation.size() != overall.size()) {
            refuse(key + ": the means must have a mean and a deviation for each target");
        }
        for (const double each : deviation) check_deviation(each);
        const auto add = [&](const std::vector<double>& means) {
            for (std::size_t i = 0; i < means.size(); ++i) {
                const std::size_t j = i % result.targets;
                result.means.push_back(static_cast<float>((means[i] - mean[j]) / deviation[j]));
            }
        };
        add(of_values);
        add(overall);
        return result;
    }

    double required(const Column& column, const std::optional<double>& number) const {
        if (!number) refuse("column '" + column.name + "' misses a number of its encoder");
        return *number;
    }

    void check_deviation(double deviation) const {
        if (!(deviation > 0)) refuse("deviations must be above 0");
    }

    static bool are_different(const std::vector<std::string>& names) {
        return std::set<std::string_view>(names.begin(), names.end()).size() == names.size();
    }

    static bool ascend(const std::vector<double>& numbers) {
        return std::adjacent_find(numbers.begin(), numbers.end(), std::greater_equal<>()) ==
               numbers.end();
    }

    const Tensor& find(const std::string& name) const {
        const Tensor* const tensor = archive_.find("table." + name);
        if (tensor == nullptr) complaint_.tensor("table." + name, "is missing");
        return *tensor;
    }

    std::vector<std::string> texts(const std::string& name) {
        const Tensor& ends = find(name + ".ends");
        if (ends.shape.size() != 1) complaint_.tensor(ends.name, "must have one dimension");
        return tensors_.take_texts("table." + name, ends.shape[0]);
    }

    /// A vector, or an array of this shape.
    std::vector<double> floats(const std::string& name, std::vector<std::size_t> shape = {}) const {
        const Tensor& tensor = find(name);
        const bool fits = shape.empty() ? tensor.shape.size() == 1 : tensor.shape == shape;
        if (tensor.type != ElementType::kF64 || !fits) {
            complaint_.tensor(tensor.name, "must be F64, of a fitting shape");
        }
        std::vector<double> numbers(tensor.bytes.size() / sizeof(double));
        if (!numbers.empty()) std::memcpy(numbers.data(), tensor.bytes.data(), tensor.bytes.size());
        if (!std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); }))
            complaint_.tensor(tensor.name, "must be finite");
        return numbers;
    }

    /// The classes as text: words, or numbers.
    std::vector<std::string> classes() {
        const Tensor* const numbers = archive_.find("table.target.classes");
        if (numbers == nullptr) return texts("target.classes");
        std::vector<std::string> result;
        const auto add = [&]<class E>(E, auto text) {
            for (std::size_t at = 0; at + sizeof(E) <= numbers->bytes.size(); at += sizeof(E)) {
                E value;
                std::memcpy(&value, numbers->bytes.data() + at, sizeof(E));
                result.push_back(text(value));
            }
        };
        const auto whole = [](auto value) { return std::to_string(value); };
        switch (numbers->type) {
            case ElementType::kI64: add(std::int64_t{}, whole); break;
            case ElementType::kU64: add(std::uint64_t{}, whole); break;
            case ElementType::kF64:
                floats("target.classes");  // refuses what is not finite
                add(double{}, files::json_number);
                break;
            case ElementType::kBool:
                add(std::uint8_t{}, [](auto yes) { return std::string(yes ? "True" : "False"); });
                break;
            default: complaint_.tensor(numbers->name, "must be BOOL, I64, U64 or F64");
        }
        return result;
    }

    const Archive& archive_;
    Complaint complaint_;
    TensorsByName tensors_;
    Content content_;
};

}  // namespace

Content read_content(const Archive& archive, const std::string& file) {
    Reader reader(archive, file);
    Content content = reader.read();
    LoadOptions options;
    options.allow_table = true;
    reader.add_networks(content, ensemble_from_archive(archive, file, options));
    return content;
}

}  // namespace fastmlp::tables
