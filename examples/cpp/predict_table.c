/* Predictions by a model of a table of numbers, which fm.TabularModel(...).save(path) wrote.
 *
 *     predict_table MODEL < ROWS
 *
 * ROWS are numbers, as many a row as the model has columns, "nan" where one is missing. Prints the
 * columns that it reads, and then a line for each row: the outputs with all digits, and for classes
 * the most probable one. */
#include <stdio.h>

#include "fastmlp.h"

enum { kMost = 1000 };

static int fail(const char* message) {
    fprintf(stderr, "%s\n", message);
    return 2;
}

static int predict_rows(const fastmlp_tabular_model* model, size_t columns, size_t outputs) {
    double x[kMost], out[kMost];
    size_t count = 0, best, i;
    while (scanf("%lf", &x[count]) == 1) {
        if (++count < columns) continue; /* of this row */
        count = 0;
        if (fastmlp_tabular_predict(model, x, 1, out, 1) != FASTMLP_OK) {
            return fail(fastmlp_last_error());
        }
        for (i = 0; i < outputs; ++i) printf("%.17g ", out[i]);
        if (fastmlp_tabular_classify(model, x, 1, &best, 1) == FASTMLP_OK) {
            printf("%s", fastmlp_tabular_output_name(model, best));
        }
        printf("\n");
    }
    return 0;
}

int main(int argc, char** argv) {
    fastmlp_tabular_model* model = NULL;
    size_t columns, outputs, i;
    int result;
    if (argc != 2) return fail("predict_table MODEL < ROWS");
    if (fastmlp_tabular_load(argv[1], &model) != FASTMLP_OK) return fail(fastmlp_last_error());
    columns = fastmlp_tabular_columns(model);
    outputs = fastmlp_tabular_outputs(model);
    if (columns > kMost || outputs > kMost) return fail("too many columns");
    for (i = 0; i < columns; ++i) printf("%s ", fastmlp_tabular_column_name(model, i));
    printf("->");
    for (i = 0; i < outputs; ++i) printf(" %s", fastmlp_tabular_output_name(model, i));
    printf("\n");
    result = predict_rows(model, columns, outputs);
    fastmlp_tabular_destroy(model);
    return result;
}
