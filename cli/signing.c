/* SPDX-License-Identifier: MIT */
#include "signing.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <time.h>

#include "file.h"
#include "json.h"
#include "key.h"
#include "mem.h"
#include "mint.h"

#define LIFETIME_S 300

int cli_signing_check(const cli_args_t *args)
{
    static const cli_opt_t of_signing[] = {CLI_OPT_ALG, CLI_OPT_KID, CLI_OPT_SUB,
                                           CLI_OPT_ISS, CLI_OPT_AUD, CLI_OPT_SCOPE};

    if (cli_args_has(args, CLI_OPT_SIGNING_KEY_FILE)) {
        if (cli_args_has(args, CLI_OPT_TOKEN_FILE))
            return cli_usage_error(args, "--token-file and --signing-key-file exclude each other");
        return CLI_DONE;
    }
    for (size_t i = 0; i < sizeof of_signing / sizeof of_signing[0]; i++) {
        if (cli_args_has(args, of_signing[i]))
            return cli_usage_error(args, "--%s goes with --signing-key-file",
                                   cli_opt_name(of_signing[i]));
    }
    return CLI_DONE;
}

static const char *given_or(const cli_args_t *args, cli_opt_t opt, const char *fallback)
{
    const char *value = cli_args_get(args, opt);

    return value ? value : fallback;
}

/* NULL when an argument is not UTF-8. */
static char *claims_text(const cli_args_t *args, const char *subject, const char *scope)
{
    json_int_t now_s = (json_int_t)time(NULL);
    OC_CLEANUP(oc_json_decrefp)
    json_t *claims = json_pack(
        "{s:s, s:s, s:s*, s:s*, s:I, s:I}", "sub", given_or(args, CLI_OPT_SUB, subject), "scope",
        given_or(args, CLI_OPT_SCOPE, scope), "iss", cli_args_get(args, CLI_OPT_ISS), "aud",
        cli_args_get(args, CLI_OPT_AUD), "iat", now_s, "exp", now_s + LIFETIME_S);

    return claims ? oc_json_dump(claims) : NULL;
}

int cli_signing_token(const cli_args_t *args, const char *subject, const char *scope,
                      char **ret_token)
{
    const char *path = cli_args_get(args, CLI_OPT_SIGNING_KEY_FILE);
    OC_CLEANUP(oc_freep) char *claims = claims_text(args, subject, scope);
    unsigned char *key;
    size_t key_len;
    oc_diag_t diag = {0};
    oc_err_t err;

    if (!claims)
        return cli_usage_error(args, "an argument is not UTF-8");
    if (oc_file_read_once(path, OC_KEY_FILE_MAX, &key, &key_len, &diag) != OC_OK)
        return cli_error(args, "the key file cannot be read: %s", diag.message);
    err = oc_mint_token(given_or(args, CLI_OPT_ALG, "HS256"), cli_args_get(args, CLI_OPT_KID), key,
                        key_len, claims, ret_token, &diag);
    OPENSSL_cleanse(key, key_len);
    free(key);
    return err ? cli_error(args, "'%s': %s", path, diag.message) : CLI_DONE;
}
