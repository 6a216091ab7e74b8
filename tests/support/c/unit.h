/* SPDX-License-Identifier: MIT */
#ifndef UNIT_H
#define UNIT_H

/* What each unit test program ends with. */

#include <check.h>
#include <stdlib.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* tcase_add_loop_test() over a table. */
#define unit_add_table(tcase, test, table) tcase_add_loop_test(tcase, test, 0, (int)COUNT(table))

/* ck_assert_msg() for inner loops: check reports each of its own to the parent process. */
#define unit_check(condition, ...)                                                                 \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

/* Run the one case as a suite of its name; what main() returns. */
static inline int unit_run(const char *name, TCase *tcase)
{
    Suite *suite = suite_create(name);
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 0);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
