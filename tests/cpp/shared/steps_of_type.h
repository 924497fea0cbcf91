/* Tests of custom training loops, for one type: REAL is it, F(name) the functions and structs
 * of it. Over 400 lines, as every function that has two types is called here. */

/* Sums of two features, and their product. */
static void FILL(REAL* x, REAL* y) {
    int b, j;
    for (b = 0; b < kRows; ++b) {
        for (j = 0; j < 3; ++j) x[3 * b + j] = (REAL)((b * 7 + j * 5) % 11) / 8 - (REAL)0.5;
        y[2 * b] = x[3 * b] + x[3 * b + 1];
        y[2 * b + 1] = x[3 * b] * x[3 * b + 2];
    }
}

static fastmlp_network* MAKE(uint64_t seed) {
    static const fastmlp_layer layers[] = {{16, "leaky_relu(0.2)"}, {9, "tanh"}, {2, "identity"}};
    fastmlp_network* network = NULL;
    CHECK(F(create)(3, layers, 3, NULL, seed, &network) == FASTMLP_OK);
    return network;
}

static int SAME(fastmlp_network* a, fastmlp_network* b) {
    size_t n = 0, m = 0;
    const REAL *one = F(parameters)(a, &n), *two = F(parameters)(b, &m);
    return one != NULL && two != NULL && n == m && memcmp(one, two, n * sizeof(REAL)) == 0;
}

/* One call, and three: the same bits, with every kind of target and optimizer. */
static void TEST_STEPS(void) {
    static const char* const kinds[] = {"sgd", "adam", "rmsprop"};
    REAL x[3 * kRows], y[2 * kRows], weights[kRows], gradient[2 * kRows];
    int kind, what, i, b;
    FILL(x, y);
    for (b = 0; b < kRows; ++b) weights[b] = (REAL)(b % 3);
    for (kind = 0; kind < 3; ++kind) {
        for (what = 0; what < 3; ++what) {
            fastmlp_network *one = MAKE(7), *three = MAKE(7);
            fastmlp_optimizer by = fastmlp_default_optimizer();
            by.kind = kinds[kind];
            by.momentum = kind == 1 ? 0 : 0.9;
            by.clip_norm = 0.5;
            for (i = 0; i < 4; ++i) {
                F(matrix) outputs;
                F(batch_targets) targets = {NULL, NULL, NULL, NULL};
                double loss = -1, same = -2;
                size_t j;
                CHECK(F(forward)(three, x, kRows, 1, what == 1 ? weights : NULL, 0) == FASTMLP_OK);
                CHECK(F(nodes)(three, 2, &outputs) == FASTMLP_OK && outputs.cols == 2);
                if (what == 2) {
                    CHECK(outputs.rows == kRows);
                    for (j = 0; j < 2 * kRows; ++j) {
                        const REAL h = outputs.data[j / 2 * outputs.stride + j % 2];
                        gradient[j] = (h - y[j]) / kRows;
                    }
                    targets.gradient = gradient;
                } else {
                    targets.values = y;
                    if (what == 1) targets.weights = weights;
                }
                CHECK(F(backward)(three, kRows, targets, 0, &same) == FASTMLP_OK);
                CHECK(fastmlp_update(three, &by, 0) == FASTMLP_OK);
                CHECK(F(train_on_batch)(one, x, kRows, targets, &by, 1, &loss) == FASTMLP_OK);
                CHECK(loss == same && SAME(one, three) && (loss > 0) == (what < 2));
            }
            CHECK(fastmlp_steps(one) == 4 && fastmlp_steps(three) == 4);
            fastmlp_destroy(one);
            fastmlp_destroy(three);
        }
    }
}

/* It learns, with a schedule. */
static void TEST_LEARNING(void) {
    REAL x[3 * kRows], y[2 * kRows];
    F(batch_targets) targets = {NULL, NULL, NULL, NULL};
    F(targets) all = {NULL, NULL};
    fastmlp_optimizer by = fastmlp_default_optimizer();
    fastmlp_schedule schedule = fastmlp_default_schedule();
    fastmlp_network* network = MAKE(1);
    fastmlp_evaluation evaluation = {1, 1, 1};
    double first = 0, loss = 0, factor = 0;
    size_t step;
    FILL(x, y);
    targets.values = all.values = y;
    by.kind = "adam";
    schedule.kind = "cosine";
    for (step = 0; step < 500; ++step) {
        CHECK(fastmlp_schedule_factor(&schedule, step, 500, 1, &factor) == FASTMLP_OK);
        by.learning_rate = 0.02 * factor;
        CHECK(F(train_on_batch)(network, x, kRows, targets, &by, 0, &loss) == FASTMLP_OK);
        if (step == 0) first = loss;
    }
    CHECK(factor < 1e-4 && loss < first / 100);
    CHECK(F(evaluate)(network, x, kRows, all, 0, &evaluation) == FASTMLP_OK);
    CHECK(evaluation.loss <= loss && evaluation.decisions == 0);
    CHECK(F(train)(network, x, kRows, all, NULL, &loss) == FASTMLP_OK);
    CHECK(fastmlp_epoch(network) == 10);
    fastmlp_destroy(network);
}

static void TEST_COPIES(void) {
    REAL x[3 * kRows], y[2 * kRows];
    F(batch_targets) targets = {NULL, NULL, NULL, NULL};
    fastmlp_optimizer by = fastmlp_default_optimizer();
    fastmlp_network *network = MAKE(1), *other = MAKE(2), *twin = NULL, *bare = NULL;
    size_t count = 0;
    REAL own, goal;
    FILL(x, y);
    targets.values = y;
    by.kind = "adam";
    CHECK(F(train_on_batch)(network, x, kRows, targets, &by, 0, NULL) == FASTMLP_OK);
    CHECK(fastmlp_copy(network, 1, &twin) == FASTMLP_OK && SAME(network, twin));
    CHECK(fastmlp_copy(network, 0, &bare) == FASTMLP_OK && SAME(network, bare));
    CHECK(fastmlp_steps(twin) == 1 && fastmlp_steps(bare) == 0);
    CHECK(F(train_on_batch)(network, x, kRows, targets, &by, 0, NULL) == FASTMLP_OK);
    CHECK(F(train_on_batch)(twin, x, kRows, targets, &by, 0, NULL) == FASTMLP_OK);
    CHECK(F(train_on_batch)(bare, x, kRows, targets, &by, 0, NULL) == FASTMLP_OK);
    CHECK(SAME(network, twin) && !SAME(network, bare));
    CHECK(fastmlp_reset_optimizer(twin) == FASTMLP_OK && fastmlp_steps(twin) == 0);

    own = F(parameters)(network, &count)[0];
    CHECK(fastmlp_soft_update(network, other, 0.25) == FASTMLP_OK);
    goal = F(parameters)(other, NULL)[0];
    CHECK(F(parameters)(network, NULL)[0] == own + (REAL)0.25 * (goal - own));
    CHECK(fastmlp_soft_update(network, network, 0.5) == FASTMLP_OK);
    CHECK(fastmlp_soft_update(network, other, 1) == FASTMLP_OK && SAME(network, other));
    fastmlp_destroy(network);
    fastmlp_destroy(other);
    fastmlp_destroy(twin);
    fastmlp_destroy(bare);
}

/* The file in memory has the bytes of the file, and gives the same network. */
static void TEST_MEMORY(void) {
    static const char path[] = "c_steps_test.safetensors";
    static unsigned char bytes[20000], file[20000];
    fastmlp_network *network = MAKE(3), *loaded = NULL, *read = NULL;
    size_t size = 0, length = 0;
    FILE* stream;
    CHECK(fastmlp_save_memory(network, NULL, 0, &size) == FASTMLP_OK && size > 1000);
    CHECK_REFUSED(fastmlp_save_memory(network, bytes, size - 1, &length), FASTMLP_INVALID_ARGUMENT,
                  "capacity");
    CHECK(length == size && size < sizeof bytes);
    CHECK(fastmlp_save_memory(network, bytes, sizeof bytes, &size) == FASTMLP_OK);
    CHECK(fastmlp_save(network, path) == FASTMLP_OK);
    stream = fopen(path, "rb");
    CHECK(stream != NULL && fread(file, 1, sizeof file, stream) == size && fclose(stream) == 0);
    CHECK(memcmp(bytes, file, size) == 0);
    CHECK(F(load_memory)(bytes, size, &loaded) == FASTMLP_OK && SAME(network, loaded));
    CHECK(F(load)(path, &read) == FASTMLP_OK && SAME(read, loaded));
    CHECK(fastmlp_seed(loaded) == 3);
    fastmlp_destroy(loaded);
    loaded = NULL;
    CHECK(OTHER(load)(path, &loaded) == FASTMLP_FORMAT_ERROR);
    CHECK(OTHER(load_memory)(bytes, size, &loaded) == FASTMLP_FORMAT_ERROR);
    CHECK_REFUSED(F(load_memory)(bytes, size - 1, &loaded), FASTMLP_FORMAT_ERROR, "<memory>");
    CHECK_REFUSED(F(load_memory)(NULL, size, &loaded), FASTMLP_INVALID_ARGUMENT, "bytes is null");
    CHECK_REFUSED(F(load_memory)(bytes, 0, &loaded), FASTMLP_FORMAT_ERROR,
                  "shorter than the length of a header");
    CHECK_REFUSED(F(load_memory)(bytes, (size_t)-1, &loaded), FASTMLP_INVALID_ARGUMENT, "size");
    bytes[size - 1] ^= 1;
    CHECK(F(load_memory)(bytes, size, &loaded) == FASTMLP_FORMAT_ERROR && loaded == NULL);
    CHECK_REFUSED(fastmlp_save_memory(NULL, bytes, size, &size), FASTMLP_INVALID_ARGUMENT,
                  "network");
    CHECK_REFUSED(fastmlp_save_memory(network, bytes, size, NULL), FASTMLP_INVALID_ARGUMENT,
                  "size is null");
    F(parameters)(network, NULL)[0] = (REAL)NAN;
    CHECK_REFUSED(fastmlp_save_memory(network, NULL, 0, &size), FASTMLP_INVALID_ARGUMENT, "finite");
    fastmlp_destroy(network);
    fastmlp_destroy(read);
    remove(path);
}

static void TEST_QUERIES(void) {
    REAL x[3 * kRows], y[2 * kRows], out[2 * kRows], prepared[2 * kRows];
    fastmlp_network* network = MAKE(5);
    fastmlp_predictor* predictor = NULL;
    fastmlp_layer_info info;
    F(matrix) view;
    double parameter = -1;
    size_t count = 0, i, offset = 0;
    FILL(x, y);
    CHECK(fastmlp_layer_count(network) == 3 && fastmlp_features(network) == 3);
    CHECK(fastmlp_outputs(network) == 2 && fastmlp_class_count(network) == 0);
    CHECK(fastmlp_is_f64(network) == (sizeof(REAL) == 8) && fastmlp_epoch(network) == 0);
    CHECK(strcmp(fastmlp_loss(network, &parameter), "mean_squared_error") == 0 && parameter == 0);
    CHECK(fastmlp_feature_name(network, 0) == NULL && fastmlp_class_name(network, 0) == NULL);
    for (i = 0; i < 3; ++i) {
        CHECK(fastmlp_get_layer(network, i, &info) == FASTMLP_OK);
        CHECK(info.weights == offset && info.biases == offset + info.inputs * info.nodes);
        CHECK(info.trainable == 1 && info.rate_factor == 1 && info.dropout == 0);
        CHECK(strcmp(info.normalization, "none") == 0 && info.after_activation == 0);
        CHECK(strcmp(info.input_normalization, "none") == 0);
        offset += info.parameter_count;
        if (i > 0) continue;
        CHECK(strcmp(info.activation, "leaky_relu") == 0 && info.activation_parameter == 0.2);
        CHECK(info.inputs == 3 && info.nodes == 16 && info.parameter_count == 64);
    }
    CHECK(F(parameters)(network, &count) != NULL && count == offset);
    CHECK(F(gradients)(network, &count)[0] == 0 && count == offset);
    CHECK(F(statistics)(network, &count) != NULL && count == 0);
    CHECK(OTHER(parameters)(network, &count) == NULL && OTHER(gradients)(network, NULL) == NULL);
    CHECK(fastmlp_set_trainable(network, 0, 0) == FASTMLP_OK);
    CHECK(fastmlp_set_rate_factor(network, 0, 0.5) == FASTMLP_OK);
    CHECK(fastmlp_get_layer(network, 0, &info) == FASTMLP_OK);
    CHECK(info.trainable == 0 && info.rate_factor == 0.5);

    CHECK(F(predict)(network, x, kRows, out, 0) == FASTMLP_OK);
    CHECK(F(forward)(network, x, kRows, 0, NULL, 0) == FASTMLP_OK);
    CHECK(F(nodes)(network, 2, &view) == FASTMLP_OK && view.rows == kRows && view.cols == 2);
    for (i = 0; i < kRows; ++i) {
        CHECK(memcmp(out + 2 * i, view.data + i * view.stride, 2 * sizeof(REAL)) == 0);
    }
    CHECK(fastmlp_predictor_create(network, &predictor) == FASTMLP_OK);
    CHECK(F(predictor_predict)(predictor, x, kRows, prepared) == FASTMLP_OK);
    CHECK(memcmp(out, prepared, sizeof out) == 0);
    fastmlp_predictor_destroy(predictor);
    fastmlp_destroy(network);
}

/* (x - 0.5) / 0.25, computed by the network or by hand: the same bits, all numbers being exact. */
static void TEST_SCALING(void) {
    static const REAL scales[] = {4, 4, 4}, offsets[] = {-2, -2, -2};
    static const REAL out_scales[] = {2, 0.5}, out_offsets[] = {1, -1};
    static const REAL bad[] = {1, (REAL)INFINITY, 1};
    REAL x[3 * kRows], y[2 * kRows], scaled[3 * kRows], out[2 * kRows], by_hand[2 * kRows];
    F(batch_targets) targets = {NULL, NULL, NULL, NULL};
    fastmlp_optimizer by = fastmlp_default_optimizer();
    fastmlp_network *network = MAKE(5), *plain = MAKE(5);
    size_t i;
    FILL(x, y);
    targets.values = y;
    for (i = 0; i < 3 * kRows; ++i) scaled[i] = 4 * x[i] - 2;
    CHECK(F(input_scaling)(network) == NULL);
    CHECK(F(set_input_scaling)(network, scales, offsets) == FASTMLP_OK);
    CHECK(F(input_scaling)(network)[2] == 4 && F(input_scaling)(network)[3] == -2);
    CHECK(F(train_on_batch)(network, x, kRows, targets, &by, 0, NULL) == FASTMLP_OK);
    CHECK(F(train_on_batch)(plain, scaled, kRows, targets, &by, 0, NULL) == FASTMLP_OK);
    CHECK(SAME(network, plain));
    CHECK(F(predict)(plain, scaled, kRows, by_hand, 0) == FASTMLP_OK);
    CHECK(F(predict)(network, x, kRows, out, 0) == FASTMLP_OK);
    CHECK(memcmp(out, by_hand, sizeof out) == 0);
    CHECK_REFUSED(fastmlp_soft_update(network, plain, 0.5), FASTMLP_INVALID_ARGUMENT,
                  "input_scale");

    CHECK(F(set_output_scaling)(network, out_scales, out_offsets) == FASTMLP_OK);
    CHECK(F(output_scaling)(network)[1] == (REAL)0.5);
    CHECK(F(predict)(network, x, kRows, out, 0) == FASTMLP_OK);
    for (i = 0; i < kRows; ++i) CHECK(out[2 * i] == (REAL)fma(by_hand[2 * i], 2, 1));
    CHECK_REFUSED(F(set_input_scaling)(network, bad, offsets), FASTMLP_INVALID_ARGUMENT,
                  "scales must be finite");
    CHECK_REFUSED(F(set_input_scaling)(network, scales, NULL), FASTMLP_INVALID_ARGUMENT,
                  "offsets is null");
    CHECK_REFUSED(F(set_output_scaling)(NULL, NULL, NULL), FASTMLP_INVALID_ARGUMENT, "network");
    CHECK(OTHER(input_scaling)(network) == NULL && F(output_scaling)(NULL) == NULL);
    x[3] = (REAL)(sizeof(REAL) == 4 ? 3e38 : 1.7e308);
    CHECK_REFUSED(F(train_on_batch)(network, x, kRows, targets, &by, 0, NULL),
                  FASTMLP_INVALID_ARGUMENT, "x must be finite once it is scaled, row 1");
    CHECK(F(set_input_scaling)(network, NULL, NULL) == FASTMLP_OK);
    CHECK(F(input_scaling)(network) == NULL);
    fastmlp_destroy(network);
    fastmlp_destroy(plain);
}

/* With weights (0, 3) the first output has no effect, and the loss is 3/2 times the second's. */
static void TEST_LOSS_WEIGHTS(void) {
    static const REAL given[] = {0, 3}, negative[] = {1, -1}, zeros[] = {0, 0};
    static const fastmlp_layer softmax[] = {{2, "softmax"}};
    REAL x[3 * kRows], y[2 * kRows], other[2 * kRows], before, outputs[2 * kRows];
    F(batch_targets) targets = {NULL, NULL, NULL, NULL};
    F(targets) all = {NULL, NULL};
    fastmlp_optimizer by = fastmlp_default_optimizer();
    fastmlp_network *network = MAKE(5), *twin = NULL, *classes = NULL;
    fastmlp_layer_info info;
    fastmlp_evaluation evaluation;
    double loss = 0, expected = 0;
    size_t i;
    FILL(x, y);
    for (i = 0; i < 2 * kRows; ++i) other[i] = i % 2 == 0 ? 1e30F : y[i];
    CHECK(F(loss_weights)(network) == NULL);
    CHECK(F(set_loss_weights)(network, given) == FASTMLP_OK);
    CHECK(F(loss_weights)(network)[1] == 3 && OTHER(loss_weights)(network) == NULL);
    CHECK(fastmlp_copy(network, 1, &twin) == FASTMLP_OK && F(loss_weights)(twin)[0] == 0);
    CHECK(F(predict)(network, x, kRows, outputs, 0) == FASTMLP_OK);
    for (i = 0; i < kRows; ++i) expected += 1.5 * pow(outputs[2 * i + 1] - y[2 * i + 1], 2) / kRows;
    all.values = other;
    CHECK(F(evaluate)(network, x, kRows, all, 0, &evaluation) == FASTMLP_OK);
    CHECK(fabs(evaluation.loss - expected) < 1e-5 * expected);

    CHECK(fastmlp_get_layer(network, fastmlp_layer_count(network) - 1, &info) == FASTMLP_OK);
    before = F(parameters)(network, NULL)[info.weights];
    targets.values = y;
    CHECK(F(train_on_batch)(network, x, kRows, targets, &by, 0, &loss) == FASTMLP_OK);
    CHECK(fabs(loss - expected) < 1e-5 * expected);
    targets.values = other;
    CHECK(F(train_on_batch)(twin, x, kRows, targets, &by, 0, NULL) == FASTMLP_OK);
    CHECK(SAME(network, twin) && F(parameters)(network, NULL)[info.weights] == before);

    CHECK_REFUSED(F(set_loss_weights)(network, negative), FASTMLP_INVALID_ARGUMENT, "at least 0");
    CHECK_REFUSED(F(set_loss_weights)(network, zeros), FASTMLP_INVALID_ARGUMENT, "all 0");
    CHECK_REFUSED(F(set_loss_weights)(NULL, given), FASTMLP_INVALID_ARGUMENT, "network");
    CHECK(F(create)(3, softmax, 1, NULL, 5, &classes) == FASTMLP_OK);
    CHECK_REFUSED(F(set_loss_weights)(classes, given), FASTMLP_INVALID_ARGUMENT, "cross_entropy");
    CHECK(F(set_loss_weights)(network, NULL) == FASTMLP_OK);
    CHECK(F(loss_weights)(network) == NULL);
    fastmlp_destroy(network);
    fastmlp_destroy(twin);
    fastmlp_destroy(classes);
}

/* A layer has what it was made with; without anything it is that of fastmlp_create. */
static void TEST_LAYERS(void) {
    fastmlp_layer_options layers[3];
    fastmlp_network_options options = fastmlp_default_network();
    static const fastmlp_layer plain[] = {{4, "leaky_relu(0.3)"}, {6, "tanh"}, {2, "identity"}};
    REAL x[3 * kRows], y[2 * kRows], before[8];
    F(batch_targets) targets = {NULL, NULL, NULL, NULL};
    fastmlp_optimizer by = fastmlp_default_optimizer();
    fastmlp_network *network = NULL, *twin = NULL;
    fastmlp_layer_info info;
    double parameter = 0;
    size_t i;
    for (i = 0; i < 3; ++i) {
        layers[i] = fastmlp_default_layer();
        layers[i].nodes = plain[i].nodes;
        layers[i].activation = plain[i].activation;
    }
    options.features = 3;
    options.layers = layers;
    options.layer_count = 3;
    options.loss = "huber(0.75)";
    options.seed = 5;
    CHECK(F(create_network)(&options, &network) == FASTMLP_OK);
    CHECK(F(create)(3, plain, 3, "huber(0.75)", 5, &twin) == FASTMLP_OK && SAME(network, twin));
    CHECK(strcmp(fastmlp_loss(network, &parameter), "huber") == 0 && parameter == 0.75);
    fastmlp_destroy(network);
    fastmlp_destroy(twin);

    layers[0].normalization = "batch";
    layers[0].epsilon = 1e-3;
    layers[0].momentum = 0.25;
    layers[0].dropout = 0.5;
    layers[0].trainable = 0;
    layers[1].normalization = "layer";
    layers[1].after_activation = 1;
    layers[1].rate_factor = 2;
    options.input_normalization = "batch";
    options.input_momentum = 0.5;
    CHECK(F(create_network)(&options, &network) == FASTMLP_OK);
    CHECK(fastmlp_get_layer(network, 0, &info) == FASTMLP_OK);
    CHECK(strcmp(info.normalization, "batch") == 0 && info.epsilon == 1e-3);
    CHECK(info.momentum == 0.25 && info.dropout == 0.5 && info.trainable == 0);
    CHECK(info.after_activation == 0 && info.rate_factor == 1 && info.activation_parameter == 0.3);
    CHECK(strcmp(info.input_normalization, "batch") == 0 && info.input_momentum == 0.5);
    CHECK(info.input_epsilon == 1e-5);
    memcpy(before, F(parameters)(network, NULL) + info.weights, 8 * sizeof(REAL));
    CHECK(fastmlp_get_layer(network, 1, &info) == FASTMLP_OK);
    CHECK(strcmp(info.normalization, "layer") == 0 && info.after_activation == 1);
    CHECK(info.rate_factor == 2 && info.trainable == 1 && info.dropout == 0);
    CHECK(fastmlp_get_layer(network, 2, &info) == FASTMLP_OK);
    CHECK(strcmp(info.normalization, "none") == 0);
    FILL(x, y);
    targets.values = y;
    CHECK(F(train_on_batch)(network, x, kRows, targets, &by, 0, NULL) == FASTMLP_OK);
    CHECK(memcmp(before, F(parameters)(network, NULL), 8 * sizeof(REAL)) == 0); /* is frozen */
    fastmlp_destroy(network);

    network = NULL;
#define REFUSED(words) \
    CHECK_REFUSED(F(create_network)(&options, &network), FASTMLP_INVALID_ARGUMENT, words)
    layers[1].normalization = "group";
    REFUSED("group");
    layers[1].normalization = NULL;
    REFUSED("need a normalization"); /* after the activation */
    layers[1].after_activation = 0;
    layers[1].epsilon = -1;
    REFUSED("epsilon must be above 0");
    layers[1].epsilon = 1e-5;
    layers[1].dropout = 1;
    REFUSED("dropout");
    layers[1].dropout = 0;
    layers[1].rate_factor = 0;
    REFUSED("rate_factor");
    layers[1].rate_factor = 1;
    layers[2].normalization = "batch";
    REFUSED("output layer");
    layers[2].normalization = "none";
    layers[2].activation = NULL;
    REFUSED("activation of a layer is null");
    layers[2].activation = "identity";
    options.loss = "huber(0.75";
    REFUSED("not a loss with a number");
    options.loss = "huber(-1)";
    REFUSED("huber must be above 0 and finite, got -1");
    options.loss = NULL;
    options.input_momentum = 2;
    REFUSED("momentum must be in");
    options.layer_count = 0;
    REFUSED("layer_count");
    options.layer_count = (size_t)-1;
    REFUSED("layer_count");
    options.layer_count = 3;
    options.layers = NULL;
    REFUSED("layers is null");
#undef REFUSED
    CHECK_REFUSED(F(create_network)(NULL, &network), FASTMLP_INVALID_ARGUMENT, "options is null");
    CHECK_REFUSED(F(create_network)(&options, NULL), FASTMLP_INVALID_ARGUMENT, "network is null");
    CHECK(network == NULL);
}

/* The average of one step is what that step left; the next moves it by (1 - d) / (1 - d^2). */
static void TEST_AVERAGES(void) {
    REAL x[3 * kRows], y[2 * kRows];
    F(targets) targets = {NULL, NULL};
    fastmlp_train_options options = fastmlp_default_train_options();
    fastmlp_network *network = MAKE(5), *by_hand = NULL, *averaged = NULL;
    FILL(x, y);
    targets.values = y;
    options.epochs = 1;
    options.batch_size = kRows;
    options.learning_rate = 0.05;
    CHECK_REFUSED(fastmlp_averaged(network, &averaged), FASTMLP_INVALID_ARGUMENT,
                  "no moving average");
    CHECK_REFUSED(fastmlp_averaged(NULL, &averaged), FASTMLP_INVALID_ARGUMENT, "network is null");
    options.ema = 1;
    CHECK_REFUSED(F(train)(network, x, kRows, targets, &options, NULL), FASTMLP_INVALID_ARGUMENT,
                  "ema must be");
    options.ema = 0.75;
    CHECK(F(train)(network, x, kRows, targets, &options, NULL) == FASTMLP_OK);
    CHECK(fastmlp_averaged(network, &by_hand) == FASTMLP_OK && SAME(by_hand, network));
    CHECK(F(train)(network, x, kRows, targets, &options, NULL) == FASTMLP_OK);
    CHECK(fastmlp_soft_update(by_hand, network, 0.25 / 0.4375) == FASTMLP_OK);
    CHECK(fastmlp_averaged(network, &averaged) == FASTMLP_OK);
    CHECK(SAME(by_hand, averaged) && !SAME(averaged, network));
    CHECK_REFUSED(fastmlp_averaged(averaged, &by_hand), FASTMLP_INVALID_ARGUMENT,
                  "no moving average");
    CHECK_REFUSED(fastmlp_averaged(network, NULL), FASTMLP_INVALID_ARGUMENT, "averaged is null");
    fastmlp_destroy(network);
    fastmlp_destroy(by_hand);
    fastmlp_destroy(averaged);
}

/* What is refused changes nothing. */
static void TEST_REFUSALS(void) {
    REAL x[3 * kRows], y[2 * kRows], weights[kRows], bad[3 * kRows];
    static const int32_t labels[kRows] = {0};
    const F(batch_targets) none = {NULL, NULL, NULL, NULL};
    F(batch_targets) targets = none, wrong = none;
    fastmlp_optimizer by = fastmlp_default_optimizer(), odd = by;
    fastmlp_network *network = MAKE(5), *before = NULL, *other = NULL;
    static const fastmlp_layer layer[] = {{2, "identity"}};
    F(matrix) view;
    fastmlp_layer_info info;
    size_t i;
    FILL(x, y);
    memcpy(bad, x, sizeof bad);
    bad[5] = (REAL)NAN;
    for (i = 0; i < kRows; ++i) weights[i] = 1;
    targets.values = y;
    CHECK(fastmlp_copy(network, 1, &before) == FASTMLP_OK);

#define REFUSED(call, words) CHECK_REFUSED(call, FASTMLP_INVALID_ARGUMENT, words)
    REFUSED(F(backward)(network, kRows, targets, 0, NULL), "forward");
    REFUSED(F(nodes)(network, 0, &view), "forward");
    REFUSED(F(feature_gradients)(network, &view), "backward");
    REFUSED(F(train_on_batch)(NULL, x, kRows, targets, &by, 0, NULL), "network is null");
    REFUSED(F(train_on_batch)(network, NULL, kRows, targets, &by, 0, NULL), "x is null");
    REFUSED(F(train_on_batch)(network, x, 0, targets, &by, 0, NULL), "at least one row");
    REFUSED(F(train_on_batch)(network, x, (size_t)-1, targets, &by, 0, NULL), "rows");
    REFUSED(F(train_on_batch)(network, x, kRows, none, &by, 0, NULL), "exactly one");
    REFUSED(F(train_on_batch)(network, x, kRows, targets, NULL, 0, NULL), "optimizer is null");
    REFUSED(F(train_on_batch)(network, x, kRows, targets, &by, -1, NULL), "n_threads");
    REFUSED(F(train_on_batch)(network, bad, kRows, targets, &by, 0, NULL),
            "x must be finite, row 1");
    wrong.values = y;
    wrong.gradient = y;
    REFUSED(F(train_on_batch)(network, x, kRows, wrong, &by, 0, NULL), "exactly one");
    wrong.values = NULL;
    wrong.weights = weights;
    REFUSED(F(train_on_batch)(network, x, kRows, wrong, &by, 0, NULL), "gradient");
    wrong.weights = NULL;
    wrong.gradient = bad;
    REFUSED(F(train_on_batch)(network, x, kRows, wrong, &by, 0, NULL), "gradient must be finite");
    wrong = none;
    wrong.labels = labels;
    REFUSED(F(train_on_batch)(network, x, kRows, wrong, &by, 0, NULL), "labels");
    wrong = targets;
    wrong.weights = weights;
    weights[3] = -1;
    REFUSED(F(train_on_batch)(network, x, kRows, wrong, &by, 0, NULL),
            "weights must be at least 0 and finite");
    weights[3] = 1;
    weights[1] = 0; /* the row that is not finite is left out */
    CHECK(F(forward)(network, bad, kRows, 0, weights, 0) == FASTMLP_OK);
    REFUSED(F(backward)(network, kRows - 1, targets, 0, NULL), "rows");
    REFUSED(F(nodes)(network, 3, &view), "layer 3 of 3");
    REFUSED(F(nodes)(network, 0, NULL), "nodes is null");
    REFUSED(F(deltas)(network, 0, &view), "backward");
    odd.kind = "lion";
    REFUSED(F(train_on_batch)(network, x, kRows, targets, &odd, 0, NULL), "lion");
    REFUSED(fastmlp_update(network, &odd, 0), "lion");
    REFUSED(fastmlp_update(network, NULL, 0), "optimizer");
    REFUSED(fastmlp_update(NULL, &by, 0), "network");
    odd = by;
    odd.clip_norm = -1;
    REFUSED(F(train_on_batch)(network, x, kRows, targets, &odd, 0, NULL), "clip_norm");
    odd.clip_norm = 1;
    odd.learning_rate = NAN;
    REFUSED(fastmlp_update(network, &odd, 0), "learning_rate");

    /* Arrays that are the network's own, or the results themselves. */
    CHECK(F(forward)(network, x, kRows, 1, NULL, 0) == FASTMLP_OK);
    CHECK(F(nodes)(network, 2, &view) == FASTMLP_OK);
    wrong = none;
    wrong.gradient = view.data;
    REFUSED(F(backward)(network, view.rows, wrong, 0, NULL), "gradient overlaps");
    REFUSED(F(forward)(network, F(parameters)(network, NULL), 4, 1, NULL, 0), "x overlaps");
    REFUSED(F(predict)(network, x, kRows, x + 3 * kRows - 1, 0), "out overlaps x");

    /* The other type. */
    REFUSED(OTHER(forward)(network, NULL, 1, 1, NULL, 0), "_f64");
    REFUSED(OTHER(nodes)(network, 0, NULL), "_f64");
    CHECK(OTHER(create)(3, layer, 1, NULL, 1, &other) == FASTMLP_OK);
    REFUSED(fastmlp_soft_update(network, other, 0.5), "source");
    fastmlp_destroy(other);
    other = NULL;

    /* Networks that are not alike. */
    CHECK(F(create)(3, layer, 1, NULL, 1, &other) == FASTMLP_OK);
    REFUSED(fastmlp_soft_update(network, other, 0.5), "source must have 3 layers, got 1");
    REFUSED(fastmlp_soft_update(network, before, 1.5), "tau");
    REFUSED(fastmlp_soft_update(network, NULL, 0.5), "source is null");
    REFUSED(fastmlp_soft_update(NULL, before, 0.5), "network is null");
    REFUSED(fastmlp_copy(network, 0, NULL), "copy is null");
    REFUSED(fastmlp_copy(NULL, 0, &before), "network is null");
    REFUSED(fastmlp_get_layer(network, 3, &info), "layer 3 of 3");
    REFUSED(fastmlp_get_layer(network, 0, NULL), "info");
    REFUSED(fastmlp_reset_optimizer(NULL), "network");
#undef REFUSED
    CHECK(SAME(network, before) && fastmlp_steps(network) == 0);
    fastmlp_destroy(network);
    fastmlp_destroy(before);
    fastmlp_destroy(other);
}

static void TEST_TYPE(void) {
    TEST_STEPS();
    TEST_LEARNING();
    TEST_COPIES();
    TEST_MEMORY();
    TEST_QUERIES();
    TEST_SCALING();
    TEST_LOSS_WEIGHTS();
    TEST_LAYERS();
    TEST_AVERAGES();
    TEST_REFUSALS();
}
