/* batches MODEL DATA RESULT: steps on one batch by the C interface, for comparison with Python.
 *
 * DATA has x (16 x features), values (16 x outputs), weights (16) and a gradient (16 x outputs).
 * RESULT receives the losses of three steps by one call, then of three by three calls; the
 * parameters after each of the two, and after one more step with the gradient; and the predictions
 * of x. The numbers have the type of the network, which is double if DATA is twice as long. */
#include <stdio.h>
#include <stdlib.h>

#include "fastmlp.h"

enum { kRows = 16, kSteps = 3, kMost = 4096 };

static void must(fastmlp_status status) {
    if (status == FASTMLP_OK) return;
    fprintf(stderr, "%s\n", fastmlp_last_error());
    exit(1);
}

static void put(const void* values, size_t size, size_t count, FILE* result) {
    if (fwrite(values, size, count, result) != count) exit(1);
}

#define BATCHES(name, REAL, F)                                                                 \
    static void name(fastmlp_network* network, const REAL* data, FILE* result) {               \
        const size_t features = fastmlp_features(network), outputs = fastmlp_outputs(network); \
        const REAL *x = data, *values = x + kRows * features;                                  \
        const REAL *weights = values + kRows * outputs, *gradient = weights + kRows;           \
        static REAL predictions[kMost];                                                        \
        F(batch_targets) y = {NULL, NULL, NULL, NULL};                                         \
        F(batch_targets) by_gradient = {NULL, NULL, NULL, NULL};                               \
        fastmlp_optimizer adam = fastmlp_default_optimizer();                                  \
        fastmlp_network* twin = NULL;                                                          \
        double loss = 0;                                                                       \
        size_t count = 0;                                                                      \
        int i;                                                                                 \
        y.values = values;                                                                     \
        y.weights = weights;                                                                   \
        by_gradient.gradient = gradient;                                                       \
        adam.kind = "adam";                                                                    \
        adam.learning_rate = 0.01;                                                             \
        adam.clip_norm = 0.5;                                                                  \
        adam.weight_decay = 0.01;                                                              \
        must(fastmlp_copy(network, 1, &twin));                                                 \
        F(parameters)(network, &count);                                                        \
        for (i = 0; i < kSteps; ++i) {                                                         \
            must(F(train_on_batch)(network, x, kRows, y, &adam, 0, &loss));                    \
            put(&loss, sizeof loss, 1, result);                                                \
        }                                                                                      \
        for (i = 0; i < kSteps; ++i) {                                                         \
            must(F(forward)(twin, x, kRows, 1, weights, 0));                                   \
            must(F(backward)(twin, kRows, y, 0, &loss));                                       \
            must(fastmlp_update(twin, &adam, 0));                                              \
            put(&loss, sizeof loss, 1, result);                                                \
        }                                                                                      \
        put(F(parameters)(network, NULL), sizeof(REAL), count, result);                      \
        put(F(parameters)(twin, NULL), sizeof(REAL), count, result);                         \
        must(F(train_on_batch)(network, x, kRows, by_gradient, &adam, 0, NULL));               \
        put(F(parameters)(network, NULL), sizeof(REAL), count, result);                      \
        must(F(predict)(network, x, kRows, predictions, 0));                                   \
        put(predictions, sizeof(REAL), kRows * outputs, result);                               \
        fastmlp_destroy(twin);                                                                 \
    }

#define FLOAT(name) fastmlp_##name
#define DOUBLE(name) fastmlp_##name##_f64
BATCHES(in_float, float, FLOAT)
BATCHES(in_double, double, DOUBLE)

int main(int argc, char** argv) {
    static double room[kMost]; /* aligned for both */
    fastmlp_network* network = NULL;
    FILE *data, *result;
    if (argc != 4) return 2;
    data = fopen(argv[2], "rb");
    result = fopen(argv[3], "wb");
    if (data == NULL || result == NULL || fread(room, 1, sizeof room, data) == 0) return 2;
    fclose(data);
    if (fastmlp_load(argv[1], &network) == FASTMLP_OK) {
        in_float(network, (const float*)room, result);
    } else {
        must(fastmlp_load_f64(argv[1], &network));
        in_double(network, room, result);
    }
    fastmlp_destroy(network);
    return fclose(result);
}
