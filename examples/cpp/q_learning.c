/* Deep Q-learning in C: an agent in a corridor learns to walk to its right end.
 *
 * The training loop is the program's own: it computes the gradient of its loss by the outputs, the
 * network computes the rest. A target network follows with a soft update after each step.
 *
 *     q_learning
 *
 * Exits with 0 if the agent takes the shortest way from every cell. */
#include <stdio.h>

#include "fastmlp.h"

enum { kCells = 8, kActions = 2, kMemory = 512, kBatch = 32, kSteps = 1500 };

typedef struct {
    int cell, action, next;
    float reward;
} Transition;

/* A random number below `most` (Marsaglia's xorshift). */
static unsigned draw(unsigned most) {
    static unsigned state = 2463534242U;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % most;
}

static void encode(int cell, float* features) {
    int i;
    for (i = 0; i < kCells; ++i) features[i] = i == cell ? 1.0F : 0.0F;
}

/* Walks at random: 1 for reaching the last cell, which ends the walk. */
static void walk(Transition* memory) {
    int i, cell = 0;
    for (i = 0; i < kMemory; ++i) {
        const int action = (int)draw(kActions);
        int next = cell + (action == 1 ? 1 : -1);
        if (next < 0) next = 0;
        memory[i] = (Transition){cell, action, next, next == kCells - 1 ? 1.0F : 0.0F};
        cell = next == kCells - 1 ? (int)draw(kCells - 1) : next;
    }
}

/* One step towards reward + 0.9 max q of the next cell, of the actions that were taken. */
static fastmlp_status learn(fastmlp_network* network, fastmlp_network* target,
                            const Transition* memory, const fastmlp_optimizer* optimizer) {
    static float x[kBatch * kCells], next[kBatch * kCells], future[kBatch * kActions];
    static float gradient[kBatch * kActions];
    const Transition* taken[kBatch];
    fastmlp_batch_targets y = {NULL, NULL, gradient, NULL};
    fastmlp_matrix q;
    fastmlp_status status;
    int b;

    for (b = 0; b < kBatch; ++b) {
        taken[b] = &memory[draw(kMemory)];
        encode(taken[b]->cell, x + b * kCells);
        encode(taken[b]->next, next + b * kCells);
    }
    status = fastmlp_predict(target, next, kBatch, future, 1);
    if (status == FASTMLP_OK) status = fastmlp_forward(network, x, kBatch, 1, NULL, 1);
    if (status == FASTMLP_OK) status = fastmlp_nodes(network, 1, &q);
    if (status != FASTMLP_OK) return status;
    for (b = 0; b < kBatch; ++b) {
        const float* of_next = future + b * kActions;
        const float best = of_next[0] > of_next[1] ? of_next[0] : of_next[1];
        const int ends = taken[b]->next == kCells - 1;
        const float goal = taken[b]->reward + (ends ? 0.0F : 0.9F * best);
        const int action = taken[b]->action;
        gradient[b * kActions + action] =
            (q.data[(size_t)b * q.stride + (size_t)action] - goal) / kBatch;
        gradient[b * kActions + 1 - action] = 0;
    }
    status = fastmlp_backward(network, kBatch, y, 1, NULL);
    if (status == FASTMLP_OK) status = fastmlp_update(network, optimizer, 1);
    if (status == FASTMLP_OK) status = fastmlp_soft_update(target, network, 0.02);
    return status;
}

int main(void) {
    static const fastmlp_layer layers[] = {{32, "relu"}, {kActions, "identity"}};
    static Transition memory[kMemory];
    fastmlp_optimizer optimizer = fastmlp_default_optimizer();
    fastmlp_network *network = NULL, *target = NULL;
    int step, cell, right = 0;

    fastmlp_status status = fastmlp_create(kCells, layers, 2, NULL, 1, &network);
    if (status == FASTMLP_OK) status = fastmlp_copy(network, 0, &target);
    optimizer.kind = "adam";
    optimizer.learning_rate = 0.003;
    walk(memory);
    for (step = 0; status == FASTMLP_OK && step < kSteps; ++step) {
        status = learn(network, target, memory, &optimizer);
    }
    for (cell = 0; status == FASTMLP_OK && cell < kCells - 1; ++cell) {
        float x[kCells], q[kActions];
        encode(cell, x);
        status = fastmlp_predict(network, x, 1, q, 1);
        printf("cell %d: left %.3f, right %.3f\n", cell, (double)q[0], (double)q[1]);
        right += q[1] > q[0];
    }
    if (status != FASTMLP_OK) fprintf(stderr, "%s\n", fastmlp_last_error());
    fastmlp_destroy(target);
    fastmlp_destroy(network);
    return status == FASTMLP_OK && right == kCells - 1 ? 0 : 1;
}
