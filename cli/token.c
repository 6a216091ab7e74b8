/* SPDX-License-Identifier: MIT */
#include "token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "mem.h"

static int read_stdin(const cli_args_t *args, char **ret_text, size_t *ret_len)
{
    OC_CLEANUP(oc_freep) char *text = malloc(CLI_TOKEN_MAX_BYTES + 1);
    size_t len;

    if (!text)
        return cli_error(args, "out of memory");
    len = fread(text, 1, CLI_TOKEN_MAX_BYTES + 1, stdin);
    if (ferror(stdin))
        return cli_error(args, "the token on standard input: %s", strerror(errno));
    if (len > CLI_TOKEN_MAX_BYTES)
        return cli_error(args, "the token on standard input is longer than %zu bytes",
                         CLI_TOKEN_MAX_BYTES);
    text[len] = '\0';
    *ret_len = len;
    *ret_text = oc_take(text);
    return CLI_DONE;
}

static int read_environment(const cli_args_t *args, char **ret_text, size_t *ret_len)
{
    const char *value = getenv(CLI_TOKEN_VARIABLE);

    if (!value || !*value)
        return CLI_DONE;
    *ret_text = strdup(value);
    if (!*ret_text)
        return cli_error(args, "out of memory");
    *ret_len = strlen(value);
    return CLI_DONE;
}

int cli_token_read(const cli_args_t *args, char **ret_token)
{
    const char *path = cli_args_get(args, CLI_OPT_TOKEN_FILE);
    OC_CLEANUP(oc_freep) char *text = NULL;
    oc_diag_t diag = {0};
    size_t len = 0;
    int code = CLI_DONE;

    *ret_token = NULL;
    if (path && strcmp(path, "-") == 0)
        code = read_stdin(args, &text, &len);
    else if (!path)
        code = read_environment(args, &text, &len);
    else if (oc_file_read_once(path, CLI_TOKEN_MAX_BYTES, (unsigned char **)&text, &len, &diag) !=
             OC_OK)
        code = cli_error(args, "the token file cannot be read: %s", diag.message);
    if (code != CLI_DONE || !text)
        return code;

    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return cli_error(args, "not a token: invalid character at byte %zu", i + 1);
    }
    if (len == 0)
        return cli_error(args, "the token is empty");
    text[len] = '\0';
    *ret_token = oc_take(text);
    return CLI_DONE;
}
