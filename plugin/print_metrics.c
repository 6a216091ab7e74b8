/* SPDX-License-Identifier: MIT */

/* Prints the table of docs/operations.md, or with the argument `page` what Prometheus reads, where every
 * metric has a value: the tests compare dashboard and alert rules with it. */

#include <stdlib.h>
#include <string.h>

#include "metrics.h"

static void each_org(void *orgs, oc_metrics_org_fn function, void *context)
{
    static const oc_metrics_org_t examples[] = {{"acme", 3, 17, 2}, {"globex", 0, 1, 0}};

    (void)orgs;
    if (function(context, &examples[0]))
        (void)function(context, &examples[1]);
}

static int print_page(void)
{
    const oc_metrics_orgs_t orgs = {each_org, NULL};
    oc_metrics_t metrics;
    char *page;

    oc_metrics_init(&metrics, 1795500000);
    metrics.jwks_age_s = 0;
    page = oc_metrics_render(&metrics, &orgs);
    if (!page)
        return 1;
    (void)fputs(page, stdout);
    free(page);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "page") == 0) {
        if (print_page())
            return 1;
    } else {
        oc_metrics_print(stdout);
    }
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
