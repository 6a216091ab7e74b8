/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_ARGS_H
#define OC_CLI_ARGS_H

/* The command line: one table of options that every subcommand draws from. The parser and --help both
 * come out of it and of the subcommand's own list. */

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "event_options.h"

/* Exit codes. */
#define CLI_DONE 0
#define CLI_FAILED 1 /* refused, failed, not in time */
#define CLI_USAGE 2

/* X(constant, name, argument or NULL, what it means) */
#define CLI_OPTIONS(X)                                                                             \
    X(HELP, "help", NULL, "print this help and exit")                                              \
    X(JSON, "json", NULL, "print JSON, one object a line")                                         \
    X(HOST, "host", "HOST", "the broker's name or address (default 127.0.0.1)")                    \
    X(PORT, "port", "PORT",                                                                        \
      "the broker's port for MQTT over TCP, not WebSocket\n(default 1883, or 8883 with TLS)")      \
    X(TLS_CA_FILE, "tls-ca-file", "FILE", "use TLS and trust the PEM certificates in FILE")        \
    X(TOKEN_FILE, "token-file", "FILE",                                                            \
      "the token; '-' is standard input (default: the\nenvironment variable ORGCAST_TOKEN)")       \
    X(TIMEOUT, "timeout", "SECONDS", "how long to wait")                                           \
    X(STDIN, "stdin", NULL, "read events from standard input, one JSON object per line")           \
    X(KEEP_GOING, "keep-going", NULL, "with --stdin: skip a bad line instead of stopping")         \
    X(SOURCE, "source", "URI", "CloudEvents source of the events (default /orgcast)")              \
    CLI_EVENT_OPTIONS(X)                                                                           \
    X(EVENT, "event", "EVENT", "only this kind, for example paid (may be given more than once)")   \
    X(COUNT, "count", "N", "exit after N events")                                                  \
    X(SINCE, "since", "[EPOCH:]SEQUENCE", "begin after the event with this number")                \
    X(KEY_FILE, "key-file", "FILE", "HMAC secret or PEM private key to sign with")                 \
    X(SIGNING_KEY_FILE, "signing-key-file", "FILE",                                                \
      "instead of a token: sign short-lived ones with the HMAC\nsecret or PEM private key in "     \
      "FILE")                                                                                      \
    X(ALG, "alg", "ALG",                                                                           \
      "HS256 (default), HS384, HS512, RS256, RS384, RS512,\nES256, ES384 or ES512")                \
    X(KID, "kid", "ID", "key id for the token's header")                                           \
    X(ORG_ID, "org-id", "ORG", "claim org_id; given more than once: an array")                     \
    X(SUB, "sub", "SUBJECT", "claim sub")                                                          \
    X(SCOPE, "scope", "SCOPES", "claim scope, space-separated, for example invoices:publish")      \
    X(ISS, "iss", "ISSUER", "claim iss")                                                           \
    X(AUD, "aud", "AUDIENCE", "claim aud")                                                         \
    X(EXPIRES_IN, "expires-in", "SECONDS", "claim exp, from now (default 3600)")                   \
    X(EXP, "exp", "TIME", "claim exp, in seconds since 1970, instead of --expires-in")             \
    X(NBF, "nbf", "TIME", "claim nbf, in seconds since 1970")                                      \
    X(CLAIM, "claim", "NAME=JSON", "any other claim (may be given more than once)")                \
    X(CLIENT_ID, "client-id", "ID", "the client id")                                               \
    X(SUBJECT, "subject", "SUBJECT", "the subject of tokens, by default their claim sub")          \
    X(JTI, "jti", "ID", "a token's claim jti")                                                     \
    X(ISSUED_BEFORE, "issued-before", "TIME",                                                      \
      "only the subject's or organization's tokens issued\nbefore TIME (default now, including "   \
      "this second)")                                                                              \
    X(EXPIRES_AT, "expires-at", "TIME",                                                            \
      "when the last of these tokens expires; the plugin then\nforgets the revocation")            \
    X(CONF, "conf", "FILE", "the broker's mosquitto.conf")                                         \
    X(SUBSCRIBE, "subscribe", "FILTER", "may the token subscribe to this?")                        \
    X(PUBLISH, "publish", "TOPIC", "may the token publish to this?")                               \
    X(TOKEN, "token", "", NULL) /* never: see cli_args_parse() */

#define CLI_OPT_ENUM(constant, name, argument, help) CLI_OPT_##constant,
typedef enum cli_opt {
    CLI_OPT_NONE = 0,
    CLI_OPTIONS(CLI_OPT_ENUM) CLI_OPTS_COUNT
} cli_opt_t;
#undef CLI_OPT_ENUM

/* A subcommand's use of an option. */
typedef struct cli_use {
    cli_opt_t opt;
    bool repeat;      /* may be given more than once */
    const char *help; /* NULL: the table's */
} cli_use_t;

typedef struct cli_args cli_args_t;

/* A subcommand. Its file defines one, commands.h lists it. */
typedef struct cli_command {
    const char *name;         /* as typed after `orgcast`: "emit", "token sign" */
    const char *summary;      /* one line, for the list of subcommands */
    const char *synopsis;     /* lines, each of them what follows the name */
    const char *notes;        /* for --help, after the options; may be NULL */
    bool operand;             /* takes one argument that is not an option */
    const cli_use_t *options; /* ends with CLI_OPT_NONE; --help is added */
    int (*run)(const cli_args_t *args);
} cli_command_t;

#define CLI_GIVEN_MAX 256

/* What was typed. Everything is borrowed from argv. */
struct cli_args {
    const cli_command_t *command;
    const char *operand; /* NULL: none */
    size_t count;
    struct {
        cli_opt_t opt;
        const char *value; /* "" for an option without an argument */
    } given[CLI_GIVEN_MAX];
};

/* Parse the arguments after the subcommand's name; argv[0] is ignored. False: everything is
 * printed, and the program exits with *ret_exit. */
bool cli_args_parse(const cli_command_t *command, int argc, char **argv, cli_args_t *args,
                    int *ret_exit);

/* "invoice-id" for CLI_OPT_INVOICE_ID. */
const char *cli_opt_name(cli_opt_t opt);

bool cli_args_has(const cli_args_t *args, cli_opt_t opt);
/* The value of an option; NULL when it was not given. */
const char *cli_args_get(const cli_args_t *args, cli_opt_t opt);
/* The next value of an option that may be repeated; *cursor starts at 0. NULL at the end. */
const char *cli_args_next(const cli_args_t *args, cli_opt_t opt, size_t *cursor);
size_t cli_args_count(const cli_args_t *args, cli_opt_t opt);

/* A decimal integer from min to max, or fallback when the option was not given. False: a usage error
 * has been printed. */
bool cli_args_int(const cli_args_t *args, cli_opt_t opt, long long min, long long max,
                  long long fallback, long long *ret_value);

/* Print a message on standard error. Returns the exit code. */
int cli_usage_error(const cli_args_t *args, const char *format, ...) OC_PRINTF(2, 3);
int cli_error(const cli_args_t *args, const char *format, ...) OC_PRINTF(2, 3);

#endif
