/* Checks of the tests in C. */
#ifndef C_CHECK_H
#define C_CHECK_H

#include <stdio.h>
#include <string.h>

#include "fastmlp.h"

static int failures = 0;

static void check(int holds, const char* condition, int line) {
    if (holds) return;
    ++failures;
    printf("line %d failed: %s (last error: %s)\n", line, condition, fastmlp_last_error());
}
#define CHECK(condition) check(condition, #condition, __LINE__)
/* The call fails with this status and message. */
#define CHECK_REFUSED(call, status, words) \
    CHECK((call) == (status) && strstr(fastmlp_last_error(), words) != NULL)

#endif
