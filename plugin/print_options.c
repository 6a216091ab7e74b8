/* SPDX-License-Identifier: MIT */

/* Prints docs/configuration.md from the table of options. */

#include "options.h"

int main(void)
{
    oc_options_print(stdout);
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
