/* SPDX-License-Identifier: MIT */
#ifndef UNIT_H
#define UNIT_H

/* What each unit test program ends with. */

#include <check.h>
#include <stdlib.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* tcase_add_loop_test() over a table. */
#define unit_add_table(tcase, test, table) tcase_add_loop_test(tcase, test, 0, (int)COUNT(table))

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
