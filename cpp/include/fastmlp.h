/* The C interface of fastmlp, for C and every language that can call C.
 *
 * Over 400 lines, as it is one header for all of C.
 *
 * Functions that can fail return a status, 0 (FASTMLP_OK) on success; fastmlp_last_error() returns
 * a description of the error. A call that fails changes nothing, except for a training that had
 * begun: it leaves the parameters of the last completed step, or of the last finite epoch after
 * FASTMLP_DIVERGED. Nothing is printed; no exception and no signal leaves a function.
 *
 * A network computes in float or in double. Functions with arrays of numbers come in pairs: the one
 * with the suffix _f64 takes double and double networks, the other float and float networks; both
 * refuse a network of the other type. All other functions take both.
 *
 * Matrices are dense, row-major, and borrowed for the duration of the call, but for the batch of
 * fastmlp_forward. Results may not overlap arguments. Several threads may use one network
 * concurrently as long as they only read it, that is where it is a pointer to const: predict,
 * evaluate, save, copy. The results have the same bits as those of the C++ and Python interfaces.
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

/* A new network with initial weights drawn from `seed`. `loss` is a name, such as "cross_entropy",
 * or "huber(0.5)" with a parameter, or null for the default of the output's activation. */
FASTMLP_API fastmlp_status fastmlp_create(size_t features, const fastmlp_layer* layers,
                                          size_t layer_count, const char* loss, uint64_t seed,
                                          fastmlp_network** network);
FASTMLP_API fastmlp_status fastmlp_create_f64(size_t features, const fastmlp_layer* layers,
                                              size_t layer_count, const char* loss, uint64_t seed,
                                              fastmlp_network** network);

/* A layer with all that it can have: z = x W + b, its normalization, the activation (or these two
 * swapped), dropout. fastmlp_default_layer has the defaults, and fastmlp_get_layer tells what a
 * network has. */
typedef struct fastmlp_layer_options {
    size_t nodes;
    const char* activation;    /* as in fastmlp_layer */
    const char* normalization; /* "none", "batch" or "layer"; null: "none" */
    double epsilon;            /* of a normalization */
    double momentum;           /* of "batch": the weight of a batch in the running averages */
    int after_activation;      /* whether the normalization comes after the activation */
    double dropout;            /* share of the nodes that training drops */
    int trainable;             /* 0: training keeps every bit of the layer */
    double rate_factor;        /* of the learning rate, for this layer */
} fastmlp_layer_options;

/* 0 nodes, "relu", no normalization with an epsilon of 1e-5 and a momentum of 0.1, no dropout,
 * trainable with a factor of 1. */
FASTMLP_API fastmlp_layer_options fastmlp_default_layer(void);

/* The network of these layers; fastmlp_default_network has the defaults. */
typedef struct fastmlp_network_options {
    size_t features;
    const fastmlp_layer_options* layers;
    size_t layer_count;
    const char* loss; /* as in fastmlp_create */
    uint64_t seed;
    /* Of the features, before the first layer, with which it is trained; see fastmlp_layer_options.
     */
    const char* input_normalization;
    double input_epsilon, input_momentum;
} fastmlp_network_options;

/* No features, no layers, the default loss, the seed 0, features that are not normalized. */
FASTMLP_API fastmlp_network_options fastmlp_default_network(void);

FASTMLP_API fastmlp_status fastmlp_create_network(const fastmlp_network_options* options,
                                                  fastmlp_network** network);
FASTMLP_API fastmlp_status fastmlp_create_network_f64(const fastmlp_network_options* options,
                                                      fastmlp_network** network);

/* Writes and reads model files, the same as in Python and C++. Writing is atomic. Files of networks
 * of the other type and parameters that are not finite are refused. */
FASTMLP_API fastmlp_status fastmlp_save(const fastmlp_network* network, const char* path);
FASTMLP_API fastmlp_status fastmlp_load(const char* path, fastmlp_network** network);
FASTMLP_API fastmlp_status fastmlp_load_f64(const char* path, fastmlp_network** network);

/* The same for a file in memory. `size` receives the size of the file, which is written to `buffer`
 * if it is not null; a `capacity` below the size is refused. */
FASTMLP_API fastmlp_status fastmlp_save_memory(const fastmlp_network* network, void* buffer,
                                               size_t capacity, size_t* size);
FASTMLP_API fastmlp_status fastmlp_load_memory(const void* bytes, size_t size,
                                               fastmlp_network** network);
FASTMLP_API fastmlp_status fastmlp_load_memory_f64(const void* bytes, size_t size,
                                                   fastmlp_network** network);

/* An independent network with the parameters, statistics, scaling, loss weights, names, seed and
 * epoch. `with_optimizer` not 0: and what the optimizer remembers, so that both train on to the
 * same bits. */
FASTMLP_API fastmlp_status fastmlp_copy(const fastmlp_network* network, int with_optimizer,
                                        fastmlp_network** copy);
/* The parameters and statistics of `network` move towards those of `source` by `tau`, from 0 to 1:
 * they become (1 - tau) times their own plus tau times the other's. The networks must have the same
 * type, sizes, activations, normalizations, loss and scaling, which does not move. Nothing is
 * allocated. With a tau of 1 - decay the network is the moving average of `source`. */
FASTMLP_API fastmlp_status fastmlp_soft_update(fastmlp_network* network,
                                               const fastmlp_network* source, double tau);
/* A copy with the moving averages of the parameters and statistics in their place, which a training
 * with `ema` keeps; refused if there are none. It has no averages and no state of an optimizer. */
FASTMLP_API fastmlp_status fastmlp_averaged(const fastmlp_network* network,
                                            fastmlp_network** averaged);

/* Null is fine. */
FASTMLP_API void fastmlp_destroy(fastmlp_network* network);

/* The numbers of input and output columns. */
FASTMLP_API size_t fastmlp_features(const fastmlp_network* network);
FASTMLP_API size_t fastmlp_outputs(const fastmlp_network* network);

/* Live views of all parameters: W0 (features x nodes), b0, W1, b1, ..., each row-major; the scales
 * and shifts of a normalized layer follow its biases, then those of normalized features. The
 * gradients have the same order, and
 * fastmlp_get_layer the place of each part. The statistics are the running averages of
 * batch-normalized layers: means0, variances0, means1, ... They may be written while nothing else
 * uses the network, and are valid as long as the network. `count` may be null. Null for a network
 * of the other type. */
FASTMLP_API float* fastmlp_parameters(fastmlp_network* network, size_t* count);
FASTMLP_API float* fastmlp_gradients(fastmlp_network* network, size_t* count);
FASTMLP_API float* fastmlp_statistics(fastmlp_network* network, size_t* count);
FASTMLP_API double* fastmlp_parameters_f64(fastmlp_network* network, size_t* count);
FASTMLP_API double* fastmlp_gradients_f64(fastmlp_network* network, size_t* count);
FASTMLP_API double* fastmlp_statistics_f64(fastmlp_network* network, size_t* count);

/* What the network is. Of null all are 0 or null. */
FASTMLP_API int fastmlp_is_f64(const fastmlp_network* network);
FASTMLP_API size_t fastmlp_layer_count(const fastmlp_network* network);
FASTMLP_API uint64_t fastmlp_seed(const fastmlp_network* network);
FASTMLP_API uint32_t fastmlp_epoch(const fastmlp_network* network); /* epochs trained */
FASTMLP_API uint64_t fastmlp_steps(const fastmlp_network* network); /* of the optimizer */
/* The name of the loss, and its parameter (label smoothing, delta, quantile), 0 if it has none;
 * `parameter` may be null. */
FASTMLP_API const char* fastmlp_loss(const fastmlp_network* network, double* parameter);
/* Classes between which the outputs decide, two for a single output; 0 for regression. */
FASTMLP_API size_t fastmlp_class_count(const fastmlp_network* network);
/* Names in UTF-8, valid as long as the network; null if there are none, or for an index that is too
 * large. */
FASTMLP_API const char* fastmlp_feature_name(const fastmlp_network* network, size_t feature);
FASTMLP_API const char* fastmlp_class_name(const fastmlp_network* network, size_t class_index);

typedef struct fastmlp_layer_info {
    size_t inputs, nodes;        /* K and N: the weights are (K x N) */
    const char* activation;      /* "relu", "leaky_relu", ... */
    double activation_parameter; /* the negative slope or alpha; 0 if there is none */
    const char* normalization;   /* "none", "batch" or "layer", and of it: */
    double epsilon, momentum;
    int after_activation; /* whether it comes after the activation */
    double dropout;
    int trainable;
    double rate_factor;
    size_t parameter_count;
    /* The first elements of the layer's parts in fastmlp_parameters and fastmlp_gradients: weights
     * (K x N), biases, and scales and shifts (N each), which only normalized layers have; */
    size_t weights, biases, scales, shifts;
    /* and in fastmlp_statistics (N each), which only batch-normalized layers have. */
    size_t running_means, running_variances;
    /* The same of the features before the first layer (K each). */
    const char* input_normalization;
    double input_epsilon, input_momentum;
    size_t input_scales, input_shifts, input_running_means, input_running_variances;
} fastmlp_layer_info;

/* A layer, counted from 0. */
FASTMLP_API fastmlp_status fastmlp_get_layer(const fastmlp_network* network, size_t layer,
                                             fastmlp_layer_info* info);

/* Live views of how features and outputs are scaled: the scales and then the offsets of all
 * columns. Null if they are not scaled, and for a network of the other type. */
FASTMLP_API float* fastmlp_input_scaling(fastmlp_network* network);
FASTMLP_API float* fastmlp_output_scaling(fastmlp_network* network);
FASTMLP_API double* fastmlp_input_scaling_f64(fastmlp_network* network);
FASTMLP_API double* fastmlp_output_scaling_f64(fastmlp_network* network);
/* A feature x becomes fma(x, scale, offset) before the first layer, an output h of identity
 * fma(h, scale, offset) after the last, and training divides targets accordingly; both arrays have
 * a finite number for each column. Of heads only those of identity can be scaled; the others have a
 * scale of 1 and an offset of 0. Both null: no scaling. Not allowed while the network is being
 * trained. */
FASTMLP_API fastmlp_status fastmlp_set_input_scaling(fastmlp_network* network, const float* scales,
                                                     const float* offsets);
FASTMLP_API fastmlp_status fastmlp_set_output_scaling(fastmlp_network* network, const float* scales,
                                                      const float* offsets);
FASTMLP_API fastmlp_status fastmlp_set_input_scaling_f64(fastmlp_network* network,
                                                         const double* scales,
                                                         const double* offsets);
FASTMLP_API fastmlp_status fastmlp_set_output_scaling_f64(fastmlp_network* network,
                                                          const double* scales,
                                                          const double* offsets);

/* A weight for each output, at least 0, at most the root of the largest number, not all 0: the loss
 * of a row is the sum of the losses of its outputs times their weights, divided by their number. An
 * output of weight 0 is not trained, whatever its targets are. Not for "cross_entropy" and
 * "custom". Null: no weights. Not allowed while the network is being trained. */
FASTMLP_API fastmlp_status fastmlp_set_loss_weights(fastmlp_network* network, const float* weights);
FASTMLP_API fastmlp_status fastmlp_set_loss_weights_f64(fastmlp_network* network,
                                                        const double* weights);
/* Live views of them. Null if there are none, and for a network of the other type. */
FASTMLP_API float* fastmlp_loss_weights(fastmlp_network* network);
FASTMLP_API double* fastmlp_loss_weights_f64(fastmlp_network* network);

/* Whether training changes a layer, counted from 0 (a frozen layer keeps every bit), and the factor
 * of its learning rate, above 0. Not allowed while the network is being trained. Training is an
 * invalid argument if every layer is frozen. */
FASTMLP_API fastmlp_status fastmlp_set_trainable(fastmlp_network* network, size_t layer,
                                                 int trainable);
FASTMLP_API fastmlp_status fastmlp_set_rate_factor(fastmlp_network* network, size_t layer,
                                                   double factor);

/* Outputs (rows x outputs) of x (rows x features). n_threads is an upper limit; 0: that of the
 * process. x is not searched for numbers that are not finite, as that would take longer than a row
 * of a small network: the outputs of such a row may be NaN. */
FASTMLP_API fastmlp_status fastmlp_predict(const fastmlp_network* network, const float* x,
                                           size_t rows, float* out, int n_threads);
FASTMLP_API fastmlp_status fastmlp_predict_f64(const fastmlp_network* network, const double* x,
                                               size_t rows, double* out, int n_threads);

/* The targets of some rows: class labels (rows), or values (rows x outputs). Exactly one is given,
 * the other is null. */
typedef struct fastmlp_targets {
    const int32_t* labels;
    const float* values;
} fastmlp_targets;

typedef struct fastmlp_targets_f64 {
    const int32_t* labels;
    const double* values;
} fastmlp_targets_f64;

typedef struct fastmlp_evaluation {
    double loss;      /* mean over the rows */
    size_t correct;   /* correct decisions, of: */
    size_t decisions; /* rows, or rows x outputs for binary cross-entropy, or 0 for regression */
} fastmlp_evaluation;

FASTMLP_API fastmlp_status fastmlp_evaluate(const fastmlp_network* network, const float* x,
                                            size_t rows, fastmlp_targets y, int n_threads,
                                            fastmlp_evaluation* evaluation);
FASTMLP_API fastmlp_status fastmlp_evaluate_f64(const fastmlp_network* network, const double* x,
                                                size_t rows, fastmlp_targets_f64 y, int n_threads,
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
    size_t batch_size;     /* at least 1, and 2 for batch normalization */
    const char* optimizer; /* "sgd", "adam" or "rmsprop"; null: "sgd" */
    double learning_rate;
    double momentum;                  /* of sgd and rmsprop */
    double l2;                        /* adds l2 w to the gradient */
    double weight_decay;              /* subtracts learning_rate * weight_decay * w (AdamW) */
    double ema;                       /* decay of the averages for fastmlp_averaged; 0: none */
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
FASTMLP_API fastmlp_status fastmlp_train_f64(fastmlp_network* network, const double* x, size_t rows,
                                             fastmlp_targets_f64 y,
                                             const fastmlp_train_options* options, double* loss);

/* ---- custom training loops ------------------------------------------------------------------- */

/* How gradients change parameters; the formulas are in optimizer.hpp. */
typedef struct fastmlp_optimizer {
    const char* kind; /* "sgd", "adam" or "rmsprop"; null: "sgd" */
    double learning_rate;
    double momentum; /* of sgd and rmsprop */
    int nesterov;
    double beta_1, beta_2; /* of adam */
    double rho;            /* of rmsprop */
    double epsilon;
    double l1, l2, weight_decay;
    double clip_value; /* limit of every |gradient|; infinity: none */
    double clip_norm;  /* limit of the norm of all gradients; infinity: none */
    int decay_biases;  /* whether l1, l2 and weight_decay are also for biases, scales and shifts */
} fastmlp_optimizer;

/* SGD with learning rate 0.1; the other numbers are the usual ones of each kind. */
FASTMLP_API fastmlp_optimizer fastmlp_default_optimizer(void);

/* A factor of the learning rate; the formulas are in schedule.hpp. */
typedef struct fastmlp_schedule {
    const char* kind; /* "constant", "step", "exponential", "cosine", "one_cycle" or "inverse" */
    double factor;    /* of step and exponential */
    size_t every;     /* epochs, of step */
    double final_factor, initial_factor, rise; /* of cosine and one_cycle */
    double power;                              /* of inverse */
    size_t warm_up;                            /* steps of a linear rise */
    int shift;                                 /* whether the schedule begins after them */
} fastmlp_schedule;

/* A factor of 1; the other numbers are the usual ones of each kind. */
FASTMLP_API fastmlp_schedule fastmlp_default_schedule(void);
/* The factor of a step, counted from 0, of `epochs` epochs of `steps_per_epoch` steps. */
FASTMLP_API fastmlp_status fastmlp_schedule_factor(const fastmlp_schedule* schedule, size_t step,
                                                   size_t steps_per_epoch, size_t epochs,
                                                   double* factor);

/* What the rows of a batch should give, exactly one of three: class labels (rows), values
 * (rows x outputs), or the gradient (rows x outputs) of any loss by the outputs. Gradients of
 * parameters are then sums over the rows, and the loss is 0; otherwise they are means, as the loss.
 *
 * `weights` (rows) is how much each row counts, null for 1 each, and not for a gradient. Rows of
 * weight 0 are left out, whatever numbers they contain, but their labels must be in range, too; if
 * all are, nothing changes. */
typedef struct fastmlp_batch_targets {
    const int32_t* labels;
    const float* values;
    const float* gradient;
    const float* weights;
} fastmlp_batch_targets;

typedef struct fastmlp_batch_targets_f64 {
    const int32_t* labels;
    const double* values;
    const double* gradient;
    const double* weights;
} fastmlp_batch_targets_f64;

/* The functions below refuse batches without rows, numbers that are not finite, targets that the
 * loss does not take, and arrays that overlap the network's own memory. The loss and the parameters
 * may become infinite or NaN all the same, which is not an error. Each uses as many threads as are
 * worthwhile, at most n_threads, or the limit of the process if that is 0. */

/* Forward, backward and update of one batch in one call: the bits of the three. From the second
 * call on nothing is allocated, unless there are more rows or threads, another kind of optimizer,
 * the first momentum, penalty, clipping or weights, or layers that are trained otherwise. `loss`
 * (may be null) receives the mean loss of the batch before the step. */
FASTMLP_API fastmlp_status fastmlp_train_on_batch(fastmlp_network* network, const float* x,
                                                  size_t rows, fastmlp_batch_targets y,
                                                  const fastmlp_optimizer* optimizer, int n_threads,
                                                  double* loss);
FASTMLP_API fastmlp_status fastmlp_train_on_batch_f64(fastmlp_network* network, const double* x,
                                                      size_t rows, fastmlp_batch_targets_f64 y,
                                                      const fastmlp_optimizer* optimizer,
                                                      int n_threads, double* loss);

/* The nodes of all layers for the batch x, which is borrowed until the next forward: fastmlp_nodes
 * has them. `training` 0: as in fastmlp_predict; else as in a step of training, with dropout and
 * the statistics of the batch, which move the running averages. `weights` are those of the
 * targets, or null. */
FASTMLP_API fastmlp_status fastmlp_forward(fastmlp_network* network, const float* x, size_t rows,
                                           int training, const float* weights, int n_threads);
FASTMLP_API fastmlp_status fastmlp_forward_f64(fastmlp_network* network, const double* x,
                                               size_t rows, int training, const double* weights,
                                               int n_threads);
/* Deltas and gradients of the last forward, which had as many rows. `loss` may be null. */
FASTMLP_API fastmlp_status fastmlp_backward(fastmlp_network* network, size_t rows,
                                            fastmlp_batch_targets y, int n_threads, double* loss);
FASTMLP_API fastmlp_status fastmlp_backward_f64(fastmlp_network* network, size_t rows,
                                                fastmlp_batch_targets_f64 y, int n_threads,
                                                double* loss);
/* One step with what stands in fastmlp_gradients, which may have been changed. */
FASTMLP_API fastmlp_status fastmlp_update(fastmlp_network* network,
                                          const fastmlp_optimizer* optimizer, int n_threads);
/* Forgets what the optimizer remembers of earlier steps. */
FASTMLP_API fastmlp_status fastmlp_reset_optimizer(fastmlp_network* network);

/* A matrix of the network's, valid until the next forward: row i begins at data + i * stride. */
typedef struct fastmlp_matrix {
    const float* data;
    size_t rows, cols, stride;
} fastmlp_matrix;

typedef struct fastmlp_matrix_f64 {
    const double* data;
    size_t rows, cols, stride;
} fastmlp_matrix_f64;

/* Of the last forward: the outputs of a layer, counted from 0, for all rows that count. Those of
 * the last layer are the network's outputs, in units of y. */
FASTMLP_API fastmlp_status fastmlp_nodes(const fastmlp_network* network, size_t layer,
                                         fastmlp_matrix* nodes);
FASTMLP_API fastmlp_status fastmlp_nodes_f64(const fastmlp_network* network, size_t layer,
                                             fastmlp_matrix_f64* nodes);
/* Of the last backward, before an update: the derivatives of each row's loss by the layer's sums
 * z = x W + b, and by the features, which are computed when asked for. */
FASTMLP_API fastmlp_status fastmlp_deltas(const fastmlp_network* network, size_t layer,
                                          fastmlp_matrix* deltas);
FASTMLP_API fastmlp_status fastmlp_deltas_f64(const fastmlp_network* network, size_t layer,
                                              fastmlp_matrix_f64* deltas);
FASTMLP_API fastmlp_status fastmlp_feature_gradients(fastmlp_network* network,
                                                     fastmlp_matrix* gradients);
FASTMLP_API fastmlp_status fastmlp_feature_gradients_f64(fastmlp_network* network,
                                                         fastmlp_matrix_f64* gradients);

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
FASTMLP_API fastmlp_status fastmlp_predictor_predict_f64(fastmlp_predictor* predictor,
                                                         const double* x, size_t rows, double* out);

/* ---- models of tables ----------------------------------------------------------------------- */

/* A model that Python's TabularModel.save wrote, of a table whose columns are numbers: from rows of
 * unprepared numbers to predictions in the units of the target. Several threads may use one
 * model. */
typedef struct fastmlp_tabular_model fastmlp_tabular_model;

/* Tables with other columns than numbers are refused: the error names one. */
FASTMLP_API fastmlp_status fastmlp_tabular_load(const char* path, fastmlp_tabular_model** model);
FASTMLP_API fastmlp_status fastmlp_tabular_load_memory(const void* bytes, size_t size,
                                                       fastmlp_tabular_model** model);
/* Null is fine. */
FASTMLP_API void fastmlp_tabular_destroy(fastmlp_tabular_model* model);

/* The numbers of columns and of outputs; 0 of null. */
FASTMLP_API size_t fastmlp_tabular_columns(const fastmlp_tabular_model* model);
FASTMLP_API size_t fastmlp_tabular_outputs(const fastmlp_tabular_model* model);
/* The name of a column, and that of the class of an output, or of its target if the target is no
 * class. In UTF-8, valid as long as the model; null for an index that is too large. */
FASTMLP_API const char* fastmlp_tabular_column_name(const fastmlp_tabular_model* model,
                                                    size_t column);
FASTMLP_API const char* fastmlp_tabular_output_name(const fastmlp_tabular_model* model,
                                                    size_t output);

/* Outputs (rows x outputs) of x (rows x columns), whose missing numbers are NaN; infinite ones are
 * taken as missing. An output is the probability of a class, or that a target of yes and no is yes,
 * or a number in the units of the target. */
FASTMLP_API fastmlp_status fastmlp_tabular_predict(const fastmlp_tabular_model* model,
                                                   const double* x, size_t rows, double* out,
                                                   int n_threads);
/* The most probable class of each row (rows); refused if the target is no class. */
FASTMLP_API fastmlp_status fastmlp_tabular_classify(const fastmlp_tabular_model* model,
                                                    const double* x, size_t rows, size_t* classes,
                                                    int n_threads);

#ifdef __cplusplus
}
#endif

#endif
