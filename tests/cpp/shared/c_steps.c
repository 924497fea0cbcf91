/* Custom training loops from C11: every function, in float and in double, and every mistake
 * answered with a status and words. */
#include <math.h>

#include "c_check.h"

enum { kRows = 12 };

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define FILL JOIN(fill, SUFFIX)
#define MAKE JOIN(make, SUFFIX)
#define SAME JOIN(same, SUFFIX)
#define TEST_STEPS JOIN(test_steps, SUFFIX)
#define TEST_LEARNING JOIN(test_learning, SUFFIX)
#define TEST_COPIES JOIN(test_copies, SUFFIX)
#define TEST_MEMORY JOIN(test_memory, SUFFIX)
#define TEST_QUERIES JOIN(test_queries, SUFFIX)
#define TEST_SCALING JOIN(test_scaling, SUFFIX)
#define TEST_LOSS_WEIGHTS JOIN(test_loss_weights, SUFFIX)
#define TEST_LAYERS JOIN(test_layers, SUFFIX)
#define TEST_AVERAGES JOIN(test_averages, SUFFIX)
#define TEST_REFUSALS JOIN(test_refusals, SUFFIX)
#define TEST_TYPE JOIN(test_type, SUFFIX)

#define REAL float
#define SUFFIX _f32
#define F(name) fastmlp_##name
#define OTHER(name) fastmlp_##name##_f64
#include "steps_of_type.h"
#undef REAL
#undef SUFFIX
#undef F
#undef OTHER
#define REAL double
#define SUFFIX _f64
#define F(name) fastmlp_##name##_f64
#define OTHER(name) fastmlp_##name
#include "steps_of_type.h"

/* Binary targets and counts have a range. */
static void test_ranges(void) {
    static const fastmlp_layer sigmoid[] = {{1, "sigmoid"}}, counts[] = {{1, "exp"}};
    static const fastmlp_layer softmax[] = {{2, "softmax"}};
    static const float x[] = {1, 2}, above[] = {0.5F, 1.5F}, below[] = {3, -1};
    static const float weights[] = {1, 0};
    const fastmlp_optimizer by = fastmlp_default_optimizer();
    fastmlp_batch_targets y = {NULL, above, NULL, NULL};
    fastmlp_network* network = NULL;
    CHECK(fastmlp_create(1, sigmoid, 1, NULL, 1, &network) == FASTMLP_OK);
    CHECK(fastmlp_class_count(network) == 2);
    CHECK_REFUSED(fastmlp_train_on_batch(network, x, 2, y, &by, 0, NULL), FASTMLP_INVALID_ARGUMENT,
                  "y must be from 0 to 1, row 1 is not");
    y.weights = weights;
    CHECK(fastmlp_train_on_batch(network, x, 2, y, &by, 0, NULL) == FASTMLP_OK);
    fastmlp_destroy(network);
    CHECK(fastmlp_create(1, counts, 1, NULL, 1, &network) == FASTMLP_OK);
    y.values = below;
    y.weights = NULL;
    CHECK_REFUSED(fastmlp_train_on_batch(network, x, 2, y, &by, 0, NULL), FASTMLP_INVALID_ARGUMENT,
                  "y must be at least 0 and finite, row 1 is not");
    fastmlp_destroy(network);
    CHECK(fastmlp_create(1, softmax, 1, NULL, 1, &network) == FASTMLP_OK);
    CHECK_REFUSED(fastmlp_train_on_batch(network, x, 1, y, &by, 0, NULL), FASTMLP_INVALID_ARGUMENT,
                  "y must be at least 0 and finite, row 0 is not");
    fastmlp_destroy(network);
}

/* Labels must be in range even in rows that do not count. */
static void test_labels(void) {
    static const fastmlp_layer softmax[] = {{2, "softmax"}};
    static const float x[] = {1, (float)NAN}, weights[] = {1, 0};
    static const int32_t in_range[] = {1, 0}, beyond[] = {1, 2};
    const fastmlp_optimizer by = fastmlp_default_optimizer();
    fastmlp_batch_targets y = {NULL, NULL, NULL, NULL};
    fastmlp_network* network = NULL;
    CHECK(fastmlp_create(1, softmax, 1, NULL, 1, &network) == FASTMLP_OK);
    y.labels = in_range;
    y.weights = weights;
    CHECK(fastmlp_train_on_batch(network, x, 2, y, &by, 0, NULL) == FASTMLP_OK);
    y.labels = beyond;
    CHECK_REFUSED(fastmlp_train_on_batch(network, x, 2, y, &by, 0, NULL), FASTMLP_INVALID_ARGUMENT,
                  "label 2");
    fastmlp_destroy(network);
}

static void test_schedules(void) {
    static const char* const kinds[] = {"constant", "step",      "exponential",
                                        "cosine",   "one_cycle", "inverse"};
    static const double factors[] = {1, 0.5, 0.5, 1e-3, 1, 0.5};
    fastmlp_schedule schedule = fastmlp_default_schedule();
    double factor = -1;
    size_t i;
    CHECK(fastmlp_schedule_factor(&schedule, 5, 10, 1, &factor) == FASTMLP_OK && factor == 1);
    schedule.factor = 0.5;
    for (i = 0; i < 6; ++i) {
        schedule.kind = kinds[i];
        CHECK(fastmlp_schedule_factor(&schedule, 3, 3, 4, &factor) == FASTMLP_OK);
        CHECK(i == 3 ? factor > 0.5 : factor <= factors[i] && factor >= 0.5 * factors[i]);
    }
    schedule.kind = "linear";
    CHECK_REFUSED(fastmlp_schedule_factor(&schedule, 0, 1, 1, &factor), FASTMLP_INVALID_ARGUMENT,
                  "unknown schedule 'linear'");
    schedule = fastmlp_default_schedule();
    CHECK_REFUSED(fastmlp_schedule_factor(&schedule, 0, 0, 1, &factor), FASTMLP_INVALID_ARGUMENT,
                  "at least 1");
    CHECK_REFUSED(fastmlp_schedule_factor(NULL, 0, 1, 1, &factor), FASTMLP_INVALID_ARGUMENT,
                  "schedule is null");
    CHECK_REFUSED(fastmlp_schedule_factor(&schedule, 0, 1, 1, NULL), FASTMLP_INVALID_ARGUMENT,
                  "factor is null");
    schedule.factor = -1;
    CHECK_REFUSED(fastmlp_schedule_factor(&schedule, 0, 1, 1, &factor), FASTMLP_INVALID_ARGUMENT,
                  "factor must be");
}

static void test_nothing(void) {
    CHECK(fastmlp_layer_count(NULL) == 0 && fastmlp_is_f64(NULL) == 0 && fastmlp_seed(NULL) == 0);
    CHECK(fastmlp_epoch(NULL) == 0 && fastmlp_steps(NULL) == 0 && fastmlp_class_count(NULL) == 0);
    CHECK(fastmlp_loss(NULL, NULL) == NULL && fastmlp_feature_name(NULL, 0) == NULL);
    CHECK(fastmlp_class_name(NULL, 0) == NULL && fastmlp_gradients(NULL, NULL) == NULL);
}

int main(void) {
    test_type_f32();
    test_type_f64();
    test_ranges();
    test_labels();
    test_schedules();
    test_nothing();
    printf("%d failures\n", failures);
    return failures != 0;
}
