/* SPDX-License-Identifier: MIT */
#include "args.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What getopt_long() returns for an option: beyond every character. */
#define OPT_BASE 1000

static const struct {
    const char *name;
    const char *argument;
    const char *help;
} options[CLI_OPTS_COUNT] = {
#define CLI_OPT_ROW(constant, name, argument, help) [CLI_OPT_##constant] = {name, argument, help},
    CLI_OPTIONS(CLI_OPT_ROW)
#undef CLI_OPT_ROW
};

const char *cli_opt_name(cli_opt_t opt)
{
    return options[opt].name;
}

static void print_option(cli_opt_t opt, const char *help)
{
    char left[40];

    (void)snprintf(left, sizeof left, "--%s%s%s", options[opt].name,
                   options[opt].argument ? " " : "",
                   options[opt].argument ? options[opt].argument : "");
    printf("  %-26s ", left);
    for (const char *c = help ? help : options[opt].help; *c; c++) {
        putchar(*c);
        if (*c == '\n')
            printf("%29s", "");
    }
    putchar('\n');
}

static void print_help(const cli_command_t *command)
{
    const char *line = command->synopsis;

    for (const char *prefix = "Usage:"; line; prefix = "      ") {
        const char *end = strchrnul(line, '\n');

        printf("%s orgcast %s %.*s\n", prefix, command->name, (int)(end - line), line);
        line = *end ? end + 1 : NULL;
    }
    printf("\n%s\n\nOptions:\n", command->summary);
    for (const cli_use_t *use = command->options; use->opt != CLI_OPT_NONE; use++)
        print_option(use->opt, use->help);
    print_option(CLI_OPT_HELP, NULL);
    if (command->notes)
        printf("\n%s\n", command->notes);
    printf("\nExit codes: 0 done, 1 refused or failed, 2 wrong usage.\n");
}

static const cli_use_t *find_use(const cli_command_t *command, cli_opt_t opt)
{
    for (const cli_use_t *use = command->options; use->opt != CLI_OPT_NONE; use++) {
        if (use->opt == opt)
            return use;
    }
    return NULL;
}

static void fill_longopts(const cli_command_t *command, struct option *longopts)
{
    size_t count = 0;

    for (int i = CLI_OPT_NONE + 1; i < CLI_OPTS_COUNT; i++) {
        cli_opt_t opt = (cli_opt_t)i;

        if (opt == CLI_OPT_HELP || opt == CLI_OPT_TOKEN || find_use(command, opt))
            longopts[count++] =
                (struct option){.name = options[opt].name,
                                .has_arg = options[opt].argument ? required_argument : no_argument,
                                .val = OPT_BASE + i};
    }
    longopts[count] = (struct option){0};
}

static int note(cli_args_t *args, cli_opt_t opt, const char *value)
{
    const cli_use_t *use = find_use(args->command, opt);

    if ((!use || !use->repeat) && cli_args_has(args, opt))
        return cli_usage_error(args, "--%s is given twice", options[opt].name);
    if (args->count == CLI_GIVEN_MAX)
        return cli_usage_error(args, "more than %d options", CLI_GIVEN_MAX);
    args->given[args->count].opt = opt;
    args->given[args->count].value = value ? value : "";
    args->count++;
    return CLI_DONE;
}

bool cli_args_parse(const cli_command_t *command, int argc, char **argv, cli_args_t *args,
                    int *ret_exit)
{
    struct option longopts[CLI_OPTS_COUNT + 1];
    int c;

    *args = (cli_args_t){.command = command};
    fill_longopts(command, longopts);
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":h", longopts, NULL)) != -1) {
        *ret_exit = CLI_DONE;
        if (c == 'h' || c == OPT_BASE + CLI_OPT_HELP) {
            print_help(command);
            return false;
        }
        if (c == OPT_BASE + CLI_OPT_TOKEN || optopt == OPT_BASE + CLI_OPT_TOKEN)
            /* Taken for an abbreviation of --token-file, it would be printed as a path. */
            *ret_exit = cli_usage_error(args,
                                        "a token in an argument can be read by everybody on "
                                        "this machine: use --token-file or ORGCAST_TOKEN");
        else if (c == ':')
            *ret_exit =
                cli_usage_error(args, "--%s needs an argument", options[optopt - OPT_BASE].name);
        else if (c == '?' && optopt > OPT_BASE)
            *ret_exit =
                cli_usage_error(args, "--%s takes no argument", options[optopt - OPT_BASE].name);
        else if (c == '?' && optopt)
            *ret_exit = cli_usage_error(args, "unknown option -%c", optopt);
        else if (c == '?')
            *ret_exit = cli_usage_error(args, "unknown option %.*s",
                                        (int)strcspn(argv[optind - 1], "="), argv[optind - 1]);
        else
            *ret_exit = note(args, (cli_opt_t)(c - OPT_BASE), optarg);
        if (*ret_exit != CLI_DONE)
            return false;
    }
    if (command->operand && optind < argc)
        args->operand = argv[optind++];
    if (optind < argc) {
        *ret_exit = cli_usage_error(args, "one argument too many");
        return false;
    }
    return true;
}

bool cli_args_has(const cli_args_t *args, cli_opt_t opt)
{
    return cli_args_get(args, opt) != NULL;
}

const char *cli_args_get(const cli_args_t *args, cli_opt_t opt)
{
    size_t cursor = 0;

    return cli_args_next(args, opt, &cursor);
}

const char *cli_args_next(const cli_args_t *args, cli_opt_t opt, size_t *cursor)
{
    while (*cursor < args->count) {
        size_t i = (*cursor)++;

        if (args->given[i].opt == opt)
            return args->given[i].value;
    }
    return NULL;
}

size_t cli_args_count(const cli_args_t *args, cli_opt_t opt)
{
    size_t cursor = 0, count = 0;

    while (cli_args_next(args, opt, &cursor))
        count++;
    return count;
}

bool cli_args_int(const cli_args_t *args, cli_opt_t opt, long long min, long long max,
                  long long fallback, long long *ret_value)
{
    const char *text = cli_args_get(args, opt);
    char *end;
    long long value;

    if (!text) {
        *ret_value = fallback;
        return true;
    }
    errno = 0;
    value = strtoll(text, &end, 10);
    if (*text == '\0' || strspn(text, "-0123456789") != strlen(text) || *end != '\0' ||
        errno != 0 || value < min || value > max) {
        (void)cli_usage_error(args, "--%s: '%s' is not a whole number from %lld to %lld",
                              options[opt].name, text, min, max);
        return false;
    }
    *ret_value = value;
    return true;
}

static void say(const cli_args_t *args, const char *format, va_list list) OC_PRINTF(2, 0);

static void say(const cli_args_t *args, const char *format, va_list list)
{
    fprintf(stderr, "orgcast %s: ", args->command->name);
    (void)vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

int cli_usage_error(const cli_args_t *args, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say(args, format, list);
    va_end(list);
    fprintf(stderr, "Try 'orgcast %s --help'.\n", args->command->name);
    return CLI_USAGE;
}

int cli_error(const cli_args_t *args, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say(args, format, list);
    va_end(list);
    return CLI_FAILED;
}
