/* SPDX-License-Identifier: MIT */
/* The orgcast command: finds the subcommand and runs it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <orgcast/err.h>

#include "commands.h"

#define CLI_COMMAND_ROW(name) &cli_cmd_##name,
static const cli_command_t *const commands[] = {CLI_COMMANDS(CLI_COMMAND_ROW)};
#undef CLI_COMMAND_ROW

#define COMMANDS_COUNT (sizeof commands / sizeof commands[0])

/* True when the command is in the group ("token sign" is in "token"); NULL is everything. */
static bool in_group(const cli_command_t *command, const char *group)
{
    size_t len;

    if (!group)
        return true;
    len = strlen(group);
    return strncmp(command->name, group, len) == 0 && command->name[len] == ' ';
}

static bool is_group(const char *word)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (in_group(commands[i], word))
            return true;
    }
    return false;
}

static void print_commands(FILE *out, const char *group)
{
    fprintf(out, "Usage: orgcast %s%sSUBCOMMAND [OPTION]...\n\nSubcommands:\n", group ? group : "",
            group ? " " : "");
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (in_group(commands[i], group))
            fprintf(out, "  %-18s %s\n", commands[i]->name, commands[i]->summary);
    }
    fprintf(out,
            "\n'orgcast SUBCOMMAND --help' explains a subcommand; 'orgcast --version' prints "
            "the version.\n");
}

/* The command that argv[1] (and argv[2]) names; *ret_words is how many of them it took. */
static const cli_command_t *find_command(int argc, char **argv, int *ret_words)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        const char *name = commands[i]->name;
        const char *space = strchr(name, ' ');

        *ret_words = space ? 2 : 1;
        if (!space && strcmp(argv[1], name) == 0)
            return commands[i];
        if (space && argc > 2 && in_group(commands[i], argv[1]) && strcmp(argv[2], space + 1) == 0)
            return commands[i];
    }
    return NULL;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run(int argc, char **argv)
{
    const cli_command_t *command;
    cli_args_t args;
    int words, code;

    if (argc < 2) {
        print_commands(stderr, NULL);
        return CLI_USAGE;
    }
    if (is_help(argv[1])) {
        print_commands(stdout, NULL);
        return CLI_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("orgcast %s\n", orgcast_version());
        return CLI_DONE;
    }
    command = find_command(argc, argv, &words);
    if (command) {
        if (!cli_args_parse(command, argc - words, argv + words, &args, &code))
            return code;
        return command->run(&args);
    }
    if (is_group(argv[1]) && argc > 2 && is_help(argv[2])) {
        print_commands(stdout, argv[1]);
        return CLI_DONE;
    }
    if (is_group(argv[1]) && argc > 2)
        fprintf(stderr, "orgcast %s: no such subcommand: '%s'\n", argv[1], argv[2]);
    else if (is_group(argv[1]))
        fprintf(stderr, "orgcast %s: a subcommand is missing\n", argv[1]);
    else
        fprintf(stderr, "orgcast: no such subcommand: '%s'\n", argv[1]);
    fprintf(stderr, "Try 'orgcast %s%s--help'.\n", is_group(argv[1]) ? argv[1] : "",
            is_group(argv[1]) ? " " : "");
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    int code;

    /* A reader that went away shows as a failed write below, not as a death without a word. */
    (void)signal(SIGPIPE, SIG_IGN);
    code = run(argc, argv);
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "orgcast: standard output cannot be written%s%s\n", errno ? ": " : "",
                errno ? strerror(errno) : "");
        return CLI_FAILED;
    }
    return code;
}
