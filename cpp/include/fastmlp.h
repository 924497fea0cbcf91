/* The C interface of fastmlp, for C and every language that can call C.
 *
 * Functions that can fail return a status, 0 (FASTMLP_OK) on success; fastmlp_last_error() returns
 * a description of the error. A call that fails changes nothing, except for a training that had
 * begun: it leaves the parameters of the last completed step, or of the last finite epoch after
 * FASTMLP_DIVERGED. Nothing is printed; no exception and no signal leaves a function.
 *
 * Matrices are dense, row-major, float32, and borrowed for the duration of the call. Several
 * threads may use one network concurrently as long as they only read it: predict, evaluate, save.
 * The results have the same bits as those of the C++ and Python interfaces.
 */
#ifndef FASTMLP_H
#define FASTMLP_H

#include <stddef.h>
#include <stdint.h>

#include "fastmlp/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fastmlp_status {
    FASTMLP_OK = 0,
    FASTMLP_INVALID_ARGUMENT = 1, /* a value or a shape that is not allowed, or a null pointer */
    FASTMLP_NO_MEMORY = 2,
    FASTMLP_FORMAT_ERROR = 3, /* not a model file, or a damaged one */
    FASTMLP_SYSTEM_ERROR = 4, /* no such file, disk full, ... */
    FASTMLP_DIVERGED = 5,     /* the loss or a parameter became infinite or NaN */
    FASTMLP_INTERRUPTED = 6,  /* by `interrupted` */
    FASTMLP_INTERNAL_ERROR = 7
} fastmlp_status;

/* A description of the calling thread's last error; "" before the first. Valid until the next error
 * of this thread. Never null. */
FASTMLP_API const char* fastmlp_last_error(void);

/* "major.minor.patch". Programs built for one minor version run with all its patches. */
FASTMLP_API const char* fastmlp_version(void);

/* The upper limit of threads in this process; 0 restores the default. */
FASTMLP_API int fastmlp_get_num_threads(void);
FASTMLP_API void fastmlp_set_num_threads(int n);

/* ---- networks ------------------------------------------------------------------------------- */

typedef struct fastmlp_network fastmlp_network;

typedef struct fastmlp_layer {
    size_t nodes;
    const char* activation; /* "relu", "leaky_relu", "leaky_relu(0.2)" with a negative slope,
                             * "elu(0.5)" with an alpha, ..., at the output also "softmax" */
} fastmlp_layer;

/* A new network with initial weights drawn from `seed`. `loss` is a name such as "cross_entropy",
 * or null for the default of the output's activation. */
FASTMLP_API fastmlp_status fastmlp_create(size_t features, const fastmlp_layer* layers,
                                          size_t layer_count, const char* loss, uint64_t seed,
                                          fastmlp_network** network);
/* Writes and reads model files, the same as in Python and C++. Writing is atomic. Files of float64
 * networks and parameters that are not finite are refused. */
FASTMLP_API fastmlp_status fastmlp_save(const fastmlp_network* network, const char* path);
FASTMLP_API fastmlp_status fastmlp_load(const char* path, fastmlp_network** network);

/* Null is fine. */
FASTMLP_API void fastmlp_destroy(fastmlp_network* network);

/* The numbers of input and output columns. */
FASTMLP_API size_t fastmlp_features(const fastmlp_network* network);
FASTMLP_API size_t fastmlp_outputs(const fastmlp_network* network);

/* A live view of all parameters: W0 (features x nodes), b0, W1, b1, ..., each row-major. It may be
 * written while nothing else uses the network, and is valid as long as the network. `count` may be
 * null. */
FASTMLP_API float* fastmlp_parameters(fastmlp_network* network, size_t* count);

/* Whether training changes a layer, counted from 0 (a frozen layer keeps every bit), and the factor
 * of its learning rate, above 0. Not allowed while the network is being trained. Training is an
 * invalid argument if every layer is frozen. */
FASTMLP_API fastmlp_status fastmlp_set_trainable(fastmlp_network* network, size_t layer,
                                                 int trainable);
FASTMLP_API fastmlp_status fastmlp_set_rate_factor(fastmlp_network* network, size_t layer,
                                                   double factor);

/* Outputs (rows x outputs) of x (rows x features). n_threads is an upper limit; 0: that of the
 * process. */
FASTMLP_API fastmlp_status fastmlp_predict(const fastmlp_network* network, const float* x,
                                           size_t rows, float* out, int n_threads);

/* The targets of some rows: class labels (rows), or values (rows x outputs). Exactly one is given,
 * the other is null. */
typedef struct fastmlp_targets {
    const int32_t* labels;
    const float* values;
} fastmlp_targets;

typedef struct fastmlp_evaluation {
    double loss;      /* mean over the rows */
    size_t correct;   /* correct decisions, of: */
    size_t decisions; /* rows, or rows x outputs for binary cross-entropy, or 0 for regression */
} fastmlp_evaluation;

FASTMLP_API fastmlp_status fastmlp_evaluate(const fastmlp_network* network, const float* x,
                                            size_t rows, fastmlp_targets y, int n_threads,
                                            fastmlp_evaluation* evaluation);

/* ---- training ------------------------------------------------------------------------------- */

/* The caller's threads. `run` calls task(data, rank) for every rank 0..tasks-1, concurrently, on
 * any threads, and returns when all have returned; tasks <= concurrency. See executor.hpp. */
typedef struct fastmlp_executor {
    int concurrency;
    void (*run)(void* context, int tasks, void (*task)(void* data, int rank), void* data);
    void* context;
} fastmlp_executor;

typedef struct fastmlp_train_options {
    size_t epochs;         /* at least 1 */
    size_t batch_size;     /* at least 1, and 2 for batch normalization, which a file may hold */
    const char* optimizer; /* "sgd", "adam" or "rmsprop"; null: "sgd" */
    double learning_rate;
    double momentum;                  /* of sgd and rmsprop */
    double l2;                        /* adds l2 w to the gradient */
    double weight_decay;              /* subtracts learning_rate * weight_decay * w (AdamW) */
    int shuffle;                      /* 0: rows in order */
    int n_threads;                    /* upper limit; 0: that of the process */
    const fastmlp_executor* executor; /* null: threads of fastmlp */
    /* Called after each epoch: non-zero ends the training with FASTMLP_OK. May be null. */
    int (*on_epoch)(void* context, size_t epoch, double loss);
    /* Called every few milliseconds: non-zero ends it with FASTMLP_INTERRUPTED. May be null. */
    int (*interrupted)(void* context);
    void* context; /* for both */
} fastmlp_train_options;

/* 10 epochs, shuffled batches of 32, SGD with learning rate 0.1, no callbacks. */
FASTMLP_API fastmlp_train_options fastmlp_default_train_options(void);

/* Trains by mini-batches, in place. `options` null: the defaults. `loss` (may be null) receives the
 * mean loss of the last epoch. */
FASTMLP_API fastmlp_status fastmlp_train(fastmlp_network* network, const float* x, size_t rows,
                                         fastmlp_targets y, const fastmlp_train_options* options,
                                         double* loss);

/* ---- predictors ----------------------------------------------------------------------------- */

/* A copy of a network's parameters, prepared for repeated predictions without any allocation. Later
 * training has no effect before a refresh. To be used by one thread at a time. */
typedef struct fastmlp_predictor fastmlp_predictor;

FASTMLP_API fastmlp_status fastmlp_predictor_create(const fastmlp_network* network,
                                                    fastmlp_predictor** predictor);
FASTMLP_API void fastmlp_predictor_destroy(fastmlp_predictor* predictor);
FASTMLP_API fastmlp_status fastmlp_predictor_refresh(fastmlp_predictor* predictor,
                                                     const fastmlp_network* network);
FASTMLP_API fastmlp_status fastmlp_predictor_predict(fastmlp_predictor* predictor, const float* x,
                                                     size_t rows, float* out);

#ifdef __cplusplus
}
#endif

#endif
