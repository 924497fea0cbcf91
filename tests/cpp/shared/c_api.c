/* The C interface from C99: trains, predicts, and answers every mistake with a status and words. */
#include "c_check.h"

static const float kInputs[] = {0, 0, 0, 1, 1, 0, 1, 1};
static const int32_t kLabels[] = {0, 1, 1, 0};
static const fastmlp_layer kLayers[] = {{8, "tanh"}, {2, "softmax"}};

static int stop_after_ten(void* context, size_t epoch, double loss) {
    *(double*)context = loss;
    return epoch == 9;
}

static int at_once(void* context) {
    (void)context;
    return 1;
}

/* Tasks take turns: the training is then done by one. */
static void run(void* context, int tasks, void (*task)(void* data, int rank), void* data) {
    int rank;
    ++*(int*)context;
    for (rank = 0; rank < tasks; ++rank) task(data, rank);
}

static fastmlp_network* make(void) {
    fastmlp_network* network = NULL;
    CHECK(fastmlp_create(2, kLayers, 2, NULL, 7, &network) == FASTMLP_OK);
    return network;
}

/* A negative slope: z = x W + b with W = -1, so that y is -0.25 x. */
static void test_parameter(void) {
    static const fastmlp_layer layer[] = {{1, "leaky_relu(0.25)"}};
    const float x = 2;
    float y = 0;
    fastmlp_network* network = NULL;
    CHECK(fastmlp_create(1, layer, 1, NULL, 7, &network) == FASTMLP_OK);
    fastmlp_parameters(network, NULL)[0] = -1;
    CHECK(fastmlp_predict(network, &x, 1, &y, 1) == FASTMLP_OK && y == -0.5f);
    fastmlp_destroy(network);
}

static void test_training(void) {
    const fastmlp_targets y = {kLabels, NULL};
    fastmlp_train_options options = fastmlp_default_train_options();
    fastmlp_network* network = make();
    fastmlp_predictor* predictor = NULL;
    fastmlp_evaluation evaluation;
    double loss = 0, last = 0;
    float out[8], prepared[8];
    size_t count = 0;

    CHECK(fastmlp_features(network) == 2 && fastmlp_outputs(network) == 2);
    CHECK(fastmlp_predictor_create(network, &predictor) == FASTMLP_OK);
    options.epochs = 2000;
    options.batch_size = 4;
    options.learning_rate = 0.5;
    CHECK(fastmlp_train(network, kInputs, 4, y, &options, &loss) == FASTMLP_OK && loss < 0.01);
    CHECK(fastmlp_evaluate(network, kInputs, 4, y, 1, &evaluation) == FASTMLP_OK);
    CHECK(evaluation.correct == 4 && evaluation.decisions == 4 && evaluation.loss < 0.01);
    CHECK(fastmlp_predict(network, kInputs, 4, out, 0) == FASTMLP_OK);
    CHECK(out[0] > 0.9F && out[3] > 0.9F && out[5] > 0.9F && out[6] > 0.9F);

    CHECK(fastmlp_predictor_predict(predictor, kInputs, 4, prepared) == FASTMLP_OK);
    CHECK(memcmp(out, prepared, sizeof out) != 0);
    CHECK(fastmlp_predictor_refresh(predictor, network) == FASTMLP_OK);
    CHECK(fastmlp_predictor_predict(predictor, kInputs, 4, prepared) == FASTMLP_OK);
    CHECK(memcmp(out, prepared, sizeof out) == 0);

    CHECK(fastmlp_parameters(network, &count) != NULL && count == 2 * 8 + 8 + 8 * 2 + 2);
    fastmlp_parameters(network, NULL)[count - 1] = 100.0F; /* the last bias: always class 1 */
    CHECK(fastmlp_predict(network, kInputs, 4, out, 0) == FASTMLP_OK && out[1] > 0.99F);

    options.on_epoch = stop_after_ten;
    options.context = &last;
    CHECK(fastmlp_train(network, kInputs, 4, y, &options, &loss) == FASTMLP_OK && loss == last);
    fastmlp_predictor_destroy(predictor);
    fastmlp_destroy(network);
}

static void test_defaults(void) {
    const fastmlp_targets y = {kLabels, NULL};
    const fastmlp_train_options options = fastmlp_default_train_options();
    fastmlp_network *one = make(), *two = make();
    size_t count = 0;

    CHECK(options.epochs == 10 && options.batch_size == 32 && options.shuffle == 1);
    CHECK(options.learning_rate == 0.1 && options.momentum == 0);
    CHECK(options.optimizer == NULL || strcmp(options.optimizer, "sgd") == 0);
    CHECK(options.on_epoch == NULL && options.interrupted == NULL && options.executor == NULL);
    CHECK(fastmlp_train(one, kInputs, 4, y, &options, NULL) == FASTMLP_OK);
    CHECK(fastmlp_train(two, kInputs, 4, y, NULL, NULL) == FASTMLP_OK);
    CHECK(memcmp(fastmlp_parameters(one, &count), fastmlp_parameters(two, NULL),
                 count * sizeof(float)) == 0);
    fastmlp_destroy(one);
    fastmlp_destroy(two);
}

static void test_optimizers(void) {
    static const char* const names[] = {"sgd", "adam", "rmsprop"};
    const fastmlp_targets y = {kLabels, NULL};
    size_t i;
    for (i = 0; i < 3; ++i) {
        fastmlp_network* network = make();
        fastmlp_train_options options = fastmlp_default_train_options();
        double loss = 1;
        options.optimizer = names[i];
        options.epochs = 2000;
        options.learning_rate = 0.01;
        options.momentum = 0.9;
        CHECK(fastmlp_train(network, kInputs, 4, y, &options, &loss) == FASTMLP_OK && loss < 0.3);
        fastmlp_destroy(network);
    }
}

static void test_executor(void) {
    const fastmlp_targets y = {kLabels, NULL};
    int runs = 0;
    fastmlp_executor executor;
    fastmlp_train_options options = fastmlp_default_train_options();
    fastmlp_network *one = make(), *two = make();
    float a[8], b[8];

    executor.concurrency = 2;
    executor.run = run;
    executor.context = &runs;
    CHECK(fastmlp_train(one, kInputs, 4, y, &options, NULL) == FASTMLP_OK);
    options.executor = &executor;
    CHECK(fastmlp_train(two, kInputs, 4, y, &options, NULL) == FASTMLP_OK);
    CHECK(fastmlp_predict(one, kInputs, 4, a, 0) == FASTMLP_OK);
    CHECK(fastmlp_predict(two, kInputs, 4, b, 0) == FASTMLP_OK);
    CHECK(memcmp(a, b, sizeof a) == 0);
    executor.run = NULL;
    CHECK_REFUSED(fastmlp_train(two, kInputs, 4, y, &options, NULL), FASTMLP_INVALID_ARGUMENT,
                  "executor");
    fastmlp_destroy(one);
    fastmlp_destroy(two);
}

static void test_refusals(void) {
    const fastmlp_targets labels = {kLabels, NULL}, both = {kLabels, kInputs}, none = {NULL, NULL};
    static const int32_t bad_labels[] = {0, 1, 2, 0};
    const fastmlp_targets bad = {bad_labels, NULL};
    static const fastmlp_layer unknown[] = {{2, "relo"}}, unnamed[] = {{2, NULL}};
    static const fastmlp_layer below[] = {{2, "leaky_relu(-1)"}}, open[] = {{2, "elu(0.5"}};
    static const fastmlp_layer none_here[] = {{2, "relu(0.5)"}};
    static const fastmlp_layer empty[] = {{0, "relu"}}, huge[] = {{(size_t)-1 / 8, "relu"}};
    fastmlp_train_options options = fastmlp_default_train_options();
    fastmlp_network *network = make(), *other = NULL;
    fastmlp_evaluation evaluation;
    float out[8];
    double loss = -1;

    CHECK_REFUSED(fastmlp_create(2, unknown, 1, NULL, 0, &other), FASTMLP_INVALID_ARGUMENT, "relo");
    CHECK_REFUSED(fastmlp_create(2, below, 1, NULL, 0, &other), FASTMLP_INVALID_ARGUMENT,
                  "negative_slope must be at least 0");
    CHECK_REFUSED(fastmlp_create(2, open, 1, NULL, 0, &other), FASTMLP_INVALID_ARGUMENT, "elu(0.5");
    CHECK_REFUSED(fastmlp_create(2, none_here, 1, NULL, 0, &other), FASTMLP_INVALID_ARGUMENT,
                  "relu has no parameter");
    CHECK_REFUSED(fastmlp_create(2, unnamed, 1, NULL, 0, &other), FASTMLP_INVALID_ARGUMENT, "null");
    CHECK_REFUSED(fastmlp_create(2, empty, 1, NULL, 0, &other), FASTMLP_INVALID_ARGUMENT, "");
    CHECK_REFUSED(fastmlp_create(2, huge, 1, NULL, 0, &other), FASTMLP_NO_MEMORY, "memory");
    CHECK_REFUSED(fastmlp_create(2, NULL, 1, NULL, 0, &other), FASTMLP_INVALID_ARGUMENT, "layers");
    CHECK_REFUSED(fastmlp_create(2, kLayers, 0, NULL, 0, &other), FASTMLP_INVALID_ARGUMENT,
                  "layer_count");
    CHECK_REFUSED(fastmlp_create(2, kLayers, (size_t)-1, NULL, 0, &other), FASTMLP_INVALID_ARGUMENT,
                  "layer_count");
    CHECK_REFUSED(fastmlp_create(2, kLayers, 2, "hinge", 0, &other), FASTMLP_INVALID_ARGUMENT,
                  "hinge");
    CHECK_REFUSED(fastmlp_create(2, kLayers, 2, NULL, 0, NULL), FASTMLP_INVALID_ARGUMENT,
                  "network is null");
    CHECK(other == NULL);

    CHECK_REFUSED(fastmlp_predict(NULL, kInputs, 4, out, 0), FASTMLP_INVALID_ARGUMENT, "network");
    CHECK_REFUSED(fastmlp_predict(network, kInputs, (size_t)-1, out, 0), FASTMLP_INVALID_ARGUMENT,
                  "rows");
    CHECK_REFUSED(fastmlp_evaluate(network, kInputs, (size_t)-1 / 8, labels, 0, &evaluation),
                  FASTMLP_INVALID_ARGUMENT, "rows");
    CHECK_REFUSED(fastmlp_train(network, kInputs, (size_t)-1 / 8 + 1, labels, &options, &loss),
                  FASTMLP_INVALID_ARGUMENT, "rows");
    options.epochs = 0;
    CHECK_REFUSED(fastmlp_train(network, kInputs, 4, labels, &options, &loss),
                  FASTMLP_INVALID_ARGUMENT, "epochs");
    options = fastmlp_default_train_options();
    CHECK_REFUSED(fastmlp_predict(network, NULL, 4, out, 0), FASTMLP_INVALID_ARGUMENT, "x is null");
    CHECK_REFUSED(fastmlp_predict(network, kInputs, 4, NULL, 0), FASTMLP_INVALID_ARGUMENT, "out");
    CHECK(fastmlp_predict(network, NULL, 0, NULL, 0) == FASTMLP_OK); /* nothing is fine */
    CHECK_REFUSED(fastmlp_evaluate(network, kInputs, 4, both, 0, &evaluation),
                  FASTMLP_INVALID_ARGUMENT, "either");
    CHECK_REFUSED(fastmlp_evaluate(network, kInputs, 4, labels, 0, NULL), FASTMLP_INVALID_ARGUMENT,
                  "evaluation");
    CHECK_REFUSED(fastmlp_train(network, kInputs, 4, none, NULL, &loss), FASTMLP_INVALID_ARGUMENT,
                  "either");
    CHECK_REFUSED(fastmlp_train(network, kInputs, 4, bad, NULL, &loss), FASTMLP_INVALID_ARGUMENT,
                  "label 2");
    CHECK_REFUSED(fastmlp_train(network, kInputs, 0, labels, NULL, &loss), FASTMLP_INVALID_ARGUMENT,
                  "0 rows");
    options.optimizer = "adagrad";
    CHECK_REFUSED(fastmlp_train(network, kInputs, 4, labels, &options, &loss),
                  FASTMLP_INVALID_ARGUMENT, "adagrad");
    options.optimizer = "adam";
    options.learning_rate = -1;
    CHECK_REFUSED(fastmlp_train(network, kInputs, 4, labels, &options, &loss),
                  FASTMLP_INVALID_ARGUMENT, "learning_rate");
    options.learning_rate = 0.1;
    options.interrupted = at_once;
    CHECK_REFUSED(fastmlp_train(network, kInputs, 4, labels, &options, &loss), FASTMLP_INTERRUPTED,
                  "interrupted");
    CHECK(loss == -1);
    CHECK_REFUSED(fastmlp_predictor_create(NULL, NULL), FASTMLP_INVALID_ARGUMENT, "predictor");
    CHECK_REFUSED(fastmlp_predictor_predict(NULL, kInputs, 4, out), FASTMLP_INVALID_ARGUMENT,
                  "predictor");
    fastmlp_destroy(network);
    fastmlp_destroy(NULL);
    fastmlp_predictor_destroy(NULL);
    CHECK(fastmlp_features(NULL) == 0 && fastmlp_parameters(NULL, NULL) == NULL);
}

static void test_divergence(void) {
    static const fastmlp_layer linear[] = {{1, "identity"}};
    static const float x[] = {1e30F, -1e30F}, values[] = {1, 2};
    const fastmlp_targets y = {NULL, values};
    fastmlp_network* network = NULL;
    float before[2];

    CHECK(fastmlp_create(1, linear, 1, "mean_squared_error", 3, &network) == FASTMLP_OK);
    memcpy(before, fastmlp_parameters(network, NULL), sizeof before);
    CHECK_REFUSED(fastmlp_train(network, x, 2, y, NULL, NULL), FASTMLP_DIVERGED, "loss");
    CHECK(memcmp(before, fastmlp_parameters(network, NULL), sizeof before) == 0);
    fastmlp_destroy(network);
}

static void test_frozen_layers(void) {
    fastmlp_network* network = make();
    float before[2 * 8 + 8];
    size_t count = 0;
    const float* parameters = fastmlp_parameters(network, &count);
    const fastmlp_targets y = {kLabels, NULL};
    const float last = parameters[count - 1];

    memcpy(before, parameters, sizeof before);
    CHECK(fastmlp_set_trainable(network, 0, 0) == FASTMLP_OK);
    CHECK(fastmlp_set_rate_factor(network, 1, 0.5) == FASTMLP_OK);
    CHECK(fastmlp_train(network, kInputs, 4, y, NULL, NULL) == FASTMLP_OK);
    CHECK(memcmp(before, parameters, sizeof before) == 0 && parameters[count - 1] != last);
    CHECK_REFUSED(fastmlp_set_trainable(network, 2, 0), FASTMLP_INVALID_ARGUMENT, "layer 2 of 2");
    CHECK_REFUSED(fastmlp_set_rate_factor(network, 1, 0.0), FASTMLP_INVALID_ARGUMENT,
                  "rate_factor");
    CHECK_REFUSED(fastmlp_set_trainable(NULL, 0, 0), FASTMLP_INVALID_ARGUMENT, "network");
    fastmlp_destroy(network);
}

static void test_files(void) {
    static const char path[] = "c_api_test.safetensors";
    fastmlp_network *network = make(), *loaded = NULL;
    size_t count = 0, loaded_count = 0;
    FILE* file;

    CHECK(fastmlp_save(network, path) == FASTMLP_OK);
    CHECK(fastmlp_load(path, &loaded) == FASTMLP_OK);
    CHECK(fastmlp_features(loaded) == 2 && fastmlp_outputs(loaded) == 2);
    CHECK(memcmp(fastmlp_parameters(network, &count), fastmlp_parameters(loaded, &loaded_count),
                 count * sizeof(float)) == 0);
    CHECK(count == loaded_count);
    fastmlp_destroy(loaded);
    fastmlp_destroy(network);

    loaded = NULL;
    CHECK_REFUSED(fastmlp_load(NULL, &loaded), FASTMLP_INVALID_ARGUMENT, "path is null");
    CHECK_REFUSED(fastmlp_save(NULL, path), FASTMLP_INVALID_ARGUMENT, "network is null");
    CHECK_REFUSED(fastmlp_load("no/such/file", &loaded), FASTMLP_SYSTEM_ERROR, "no/such/file");
    file = fopen(path, "wb");
    CHECK(file != NULL && fputs("not a model", file) >= 0 && fclose(file) == 0);
    CHECK_REFUSED(fastmlp_load(path, &loaded), FASTMLP_FORMAT_ERROR, path);
    CHECK(loaded == NULL);
    remove(path);
}

int main(void) {
    CHECK(fastmlp_last_error()[0] == '\0');
    CHECK(strlen(fastmlp_version()) >= 5);
    fastmlp_set_num_threads(1);
    CHECK(fastmlp_get_num_threads() == 1);
    fastmlp_set_num_threads(0);
    test_parameter();
    test_training();
    test_defaults();
    test_optimizers();
    test_executor();
    test_refusals();
    test_divergence();
    test_frozen_layers();
    test_files();
    printf("%d failures\n", failures);
    return failures != 0;
}
