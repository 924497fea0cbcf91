/// Training many networks: one call without the GIL for all of them.
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "epoch_reports.hpp"
#include "lanes/rules.hpp"
#include "lanes/train_many_by.hpp"

namespace fastmlp::bindings {
namespace {

/// One network's data, kept alive while it trains.
struct Job {
    py::object model;
    py::array x;
    py::object y;
    py::object sample_weight;
    TrainOptions options;
    py::object rows;
    bool is_scaled;
    py::object manner;

    Manner by() const { return manner.is_none() ? Manner() : manner.cast<Manner&>(); }
};

template <class T>
TrainJob<T> borrow_job(const Job& job) {
    const py::array weights = job.sample_weight.is_none()
                                  ? py::array()
                                  : require_ready<T>(job.sample_weight, 1, "sample_weight");
    TrainOptions options = job.options;
    if (!job.rows.is_none()) {
        const py::array rows = require_ready<std::uint32_t>(job.rows, 1, "rows");
        options.rows = static_cast<const std::uint32_t*>(rows.data());
        options.row_count = static_cast<std::size_t>(rows.size());
    }
    return {&job.model.cast<LockedNetwork<T>&>().network,
            borrow<T>(require_ready<T>(job.x, 2, "X")), borrow_targets<T>(job.y, weights),
            std::move(options), job.is_scaled};
}

NumpyOrders orders_of_state(const py::object& words, std::size_t used, std::size_t rows) {
    const py::array all = require_ready<std::uint32_t>(words, 1, "words");
    if (static_cast<std::size_t>(all.size()) != NumpyOrders::kWords || used > NumpyOrders::kWords) {
        throw py::value_error("words and used must be those of a Mersenne Twister");
    }
    const auto* const first = static_cast<const std::uint32_t*>(all.data());
    return {{first, first + NumpyOrders::kWords}, used, rows};
}

/// The reports of a job, or (epoch, loss, learning_rate) if it diverged.
py::object outcome_of(TrainOutcome& outcome) {
    if (!outcome.error) return py::cast(EpochReports{std::move(outcome.reports)});
    try {
        std::rethrow_exception(outcome.error);
    } catch (const Diverged& diverged) {
        return arguments_of(diverged);
    }
}

/// Calls ended(number, outcome) for jobs that are trained or diverged; other errors are raised when
/// all have ended.
void report(const py::object& ended, const std::vector<std::size_t>& jobs,
            std::vector<TrainOutcome>& outcomes) {
    for (const std::size_t i : jobs) {
        py::object outcome;
        try {
            outcome = outcome_of(outcomes[i]);
        } catch (...) {
            continue;
        }
        call_python(ended, i, outcome);
    }
}

/// In a thread that cannot handle signals `interruptible` would only ask for the GIL in vain, again
/// and again.
template <class T>
py::list train_jobs(const std::vector<Job>& jobs, int n_threads, bool interruptible,
                    const py::object& ended) {
    std::vector<TrainJob<T>> borrowed;
    std::vector<Manner> manners;
    std::vector<LockedNetwork<T>*> models;
    borrowed.reserve(jobs.size());
    manners.reserve(jobs.size());
    models.reserve(jobs.size());
    for (const Job& job : jobs) {
        borrowed.push_back(borrow_job<T>(job));
        manners.push_back(job.by());
        models.push_back(&job.model.cast<LockedNetwork<T>&>());
    }
    std::vector<TrainOutcome> outcomes;
    {
        Unlocked unlocked;  // all arrays and networks are held by `jobs`
        std::vector<std::unique_ptr<Training<T>>> locks;
        for (LockedNetwork<T>* model : models) {
            locks.push_back(std::make_unique<Training<T>>(*model, Access::kTraining, unlocked));
        }
        const auto interrupted = [&]() -> bool {
            if (interruptible) check_signals(unlocked);
            return false;
        };
        JobsEnded report_ended;
        if (!ended.is_none()) {
            report_ended = [&](const std::vector<std::size_t>& some,
                               std::vector<TrainOutcome>& all) {
                const Unlocked::Locked locked(unlocked);
                report(ended, some, all);
            };
        }
        outcomes = train_many_by(manners, borrowed, n_threads, interrupted, report_ended);
    }
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        if (!jobs[i].manner.is_none()) jobs[i].manner.cast<Manner&>() = std::move(manners[i]);
    }
    py::list result;
    for (TrainOutcome& outcome : outcomes) {
        if (!ended.is_none() && !outcome.error) continue;
        const py::object got = outcome_of(outcome);  // raises what is no divergence
        if (ended.is_none()) result.append(got);
    }
    return result;
}

/// What is equal for jobs that are trained side by side, or None, and how many that are at most.
template <class T>
py::tuple lanes_of(const Job& job) {
    const std::string key = lane_key(borrow_job<T>(job), job.by());
    const std::size_t lanes = kernels::active_table<T>().in_lanes.lanes;
    if (key.empty() || lanes == 1) return py::make_tuple(py::none(), 1);
    return py::make_tuple(py::bytes(key), lanes);
}

}  // namespace

void bind_train_many(py::module_& module) {
    py::class_<EpochReports>(module, "EpochReports")
        .def("__len__", [](const EpochReports& reports) { return reports.epochs.size(); })
        .def("__getitem__", &EpochReports::at, py::arg("index"))
        .def_property_readonly(
            "losses", [](const EpochReports& reports) { return reports.each(&EpochReport::loss); })
        .def_property_readonly(
            "seconds",
            [](const EpochReports& reports) { return reports.each(&EpochReport::seconds); })
        .def_property_readonly(
            "learning_rates",
            [](const EpochReports& reports) { return reports.each(&EpochReport::learning_rate); })
        .def_property_readonly("head_losses", [](const EpochReports& reports) {
            return reports.each(&EpochReport::head_losses);
        });
    py::class_<Convergence>(module, "Convergence")
        .def(py::init())
        .def_readwrite("loss_factor", &Convergence::loss_factor)
        .def_readwrite("penalty", &Convergence::penalty)
        .def_readwrite("tolerance", &Convergence::tolerance)
        .def_readwrite("patience", &Convergence::patience)
        .def_readwrite("best", &Convergence::best)
        .def_readwrite("stalled", &Convergence::stalled)
        .def_readonly("losses", &Convergence::losses)
        .def("ends_with", &Convergence::ends_with, py::arg("loss"));
    py::class_<NumpyOrders>(module, "NumpyOrders")
        .def(py::init(&orders_of_state), py::arg("words"), py::arg("used"), py::arg("rows"));
    py::class_<Manner, Conventions>(module, "Manner")
        .def(py::init())
        .def_readwrite("convergence", &Manner::convergence)
        .def_readwrite("orders", &Manner::orders);
    py::class_<Job>(module, "TrainJob")
        .def(py::init<py::object, py::array, py::object, py::object, TrainOptions, py::object, bool,
                      py::object>(),
             py::arg("network"), py::arg("X"), py::arg("y"), py::arg("sample_weight"),
             py::arg("options"), py::arg("rows") = py::none(), py::arg("is_scaled") = true,
             py::arg("manner") = py::none());
    module.attr("ALIKE_SAMPLES") = kAlikeSamples;
    module.def("lanes_of32", &lanes_of<float>, py::arg("job"));
    module.def("lanes_of64", &lanes_of<double>, py::arg("job"));
    module.def("train_many32", &train_jobs<float>, py::arg("jobs"), py::arg("n_threads"),
               py::arg("interruptible") = true, py::arg("ended") = py::none());
    module.def("train_many64", &train_jobs<double>, py::arg("jobs"), py::arg("n_threads"),
               py::arg("interruptible") = true, py::arg("ended") = py::none());
}

}  // namespace fastmlp::bindings
