/* Trains a little; 0 if it worked. */
#include <fastmlp.h>

int main(void) {
    const float x[] = {0, 1, 2, 3}, values[] = {1, 3, 5, 7};
    const fastmlp_layer layer = {1, "identity"};
    fastmlp_network* network = 0;
    if (fastmlp_create(1, &layer, 1, 0, 1, &network) != FASTMLP_OK) return 1;
    const fastmlp_targets y = {.values = values};
    double loss = -1;
    const fastmlp_status status = fastmlp_train(network, x, 4, y, 0, &loss);
    fastmlp_destroy(network);
    return status == FASTMLP_OK && loss >= 0 ? 0 : 1;
}
