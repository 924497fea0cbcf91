/// The C interface: predictions, evaluation and predictors.
#include "c_api/arguments.hpp"
#include "c_api/handles.hpp"
#include "c_api/status.hpp"

using namespace fastmlp::c;

namespace {

template <class T>
fastmlp_status predict(const fastmlp_network* handle, const T* x, size_t rows, T* out,
                       int n_threads) {
    return guarded([&] {
        const auto& network = model<T>(handle).network;
        const auto features = matrix(x, rows, network.features(), "x");
        network.predict(features, results(out, network.outputs(), features), n_threads);
    });
}

template <class T, class CTargets>
fastmlp_status evaluate(const fastmlp_network* handle, const T* x, size_t rows, const CTargets& y,
                        int n_threads, fastmlp_evaluation* evaluation) {
    return guarded([&] {
        const auto& network = model<T>(handle).network;
        given(evaluation, "evaluation");
        const fastmlp::Evaluation result =
            network.evaluate(matrix(x, rows, network.features(), "x"),
                             targets<T>(y, rows, network.outputs()), n_threads);
        *evaluation = {result.loss, result.correct, result.decisions};
    });
}

template <class T>
fastmlp_status predict_prepared(fastmlp_predictor* handle, const T* x, size_t rows, T* out) {
    return guarded([&] {
        auto& predictor = held<T, fastmlp::Predictor>(handle, "predictor");
        const auto features = matrix(x, rows, predictor.features(), "x");
        predictor.predict(features, results(out, predictor.outputs(), features));
    });
}

}  // namespace

fastmlp_status fastmlp_predict(const fastmlp_network* network, const float* x, size_t rows,
                               float* out, int n_threads) {
    return predict(network, x, rows, out, n_threads);
}

fastmlp_status fastmlp_predict_f64(const fastmlp_network* network, const double* x, size_t rows,
                                   double* out, int n_threads) {
    return predict(network, x, rows, out, n_threads);
}

fastmlp_status fastmlp_evaluate(const fastmlp_network* network, const float* x, size_t rows,
                                fastmlp_targets y, int n_threads, fastmlp_evaluation* evaluation) {
    return evaluate(network, x, rows, y, n_threads, evaluation);
}

fastmlp_status fastmlp_evaluate_f64(const fastmlp_network* network, const double* x, size_t rows,
                                    fastmlp_targets_f64 y, int n_threads,
                                    fastmlp_evaluation* evaluation) {
    return evaluate(network, x, rows, y, n_threads, evaluation);
}

fastmlp_status fastmlp_predictor_create(const fastmlp_network* network,
                                        fastmlp_predictor** predictor) {
    return guarded([&] {
        given(predictor, "predictor");
        *predictor = with_network(network, []<class T>(const fastmlp::Network<T>& net) {
            return new fastmlp_predictor(fastmlp::Predictor<T>(net));
        });
    });
}

void fastmlp_predictor_destroy(fastmlp_predictor* predictor) {
    delete predictor;
}

fastmlp_status fastmlp_predictor_refresh(fastmlp_predictor* predictor,
                                         const fastmlp_network* network) {
    return guarded([&] {
        given(predictor, "predictor");
        with_network(network, [&]<class T>(const fastmlp::Network<T>& net) {
            held<T, fastmlp::Predictor>(predictor, "predictor").refresh(net);
        });
    });
}

fastmlp_status fastmlp_predictor_predict(fastmlp_predictor* predictor, const float* x, size_t rows,
                                         float* out) {
    return predict_prepared(predictor, x, rows, out);
}

fastmlp_status fastmlp_predictor_predict_f64(fastmlp_predictor* predictor, const double* x,
                                             size_t rows, double* out) {
    return predict_prepared(predictor, x, rows, out);
}
