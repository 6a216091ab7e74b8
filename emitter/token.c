/* SPDX-License-Identifier: MIT */
#include "token.h"

#include <cJSON.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "b64url.h"
#include "copy.h"
#include "fail.h"
#include "file.h"
#include "json.h"
#include "mem.h"
#include "mint.h"
#include "uuid7.h"

#define KEY_FILE_MAX ((size_t)64 * 1024)
#define DEFAULT_LIFETIME_S 300
#define LIFETIME_MAX_S ((int64_t)366 * 24 * 3600)
#define EXPIRES_MAX_S 1e15 /* far below what an int64_t of milliseconds holds */
#define SCOPE_PUBLISH "invoices:publish"
#define SCOPE_ANY_ORG SCOPE_PUBLISH " orgcast:any-org"

static void json_deletep(cJSON **json)
{
    cJSON_Delete(*json);
}

static orgcast_err_t check_one_source(const orgcast_emitter_options_t *options,
                                      orgcast_diag_t *diag)
{
    int count = (options->token != NULL) + (options->token_file != NULL) +
                (options->token_fn != NULL) + (options->signing_key_file != NULL);

    if (count > 1)
        return oc_emitter_fail(
            diag, ORGCAST_E_INVALID,
            "more than one of token, token_file, token_fn and signing_key_file is set");
    if (options->token && strnlen(options->token, OC_TOKEN_MAX + 1) > OC_TOKEN_MAX)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "token is longer than %d bytes",
                               OC_TOKEN_MAX);
    if (options->token && !*options->token)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "token is empty");
    if (options->claims.lifetime_s < 0 || options->claims.lifetime_s > LIFETIME_MAX_S)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID,
                               "claims.lifetime_s must be between 1 and %lld",
                               (long long)LIFETIME_MAX_S);
    return ORGCAST_OK;
}

static orgcast_err_t copy_options(oc_token_source_t *source,
                                  const orgcast_emitter_options_t *options)
{
    const orgcast_emitter_claims_t *claims = &options->claims;
    bool ok = true;

    source->token = oc_copy(options->token, NULL, &ok);
    source->token_file = oc_copy(options->token_file, NULL, &ok);
    source->token_fn = options->token_fn;
    source->context = options->context;
    source->signing_key_file = oc_copy(options->signing_key_file, NULL, &ok);
    source->algorithm = oc_copy(claims->algorithm, "HS256", &ok);
    source->key_id = oc_copy(claims->key_id, NULL, &ok);
    source->subject = oc_copy(claims->subject, "orgcast-emitter", &ok);
    source->issuer = oc_copy(claims->issuer, NULL, &ok);
    source->audience = oc_copy(claims->audience, NULL, &ok);
    source->organization_id = oc_copy(claims->organization_id, NULL, &ok);
    source->scope =
        oc_copy(claims->scope, claims->organization_id ? SCOPE_PUBLISH : SCOPE_ANY_ORG, &ok);
    source->lifetime_s = claims->lifetime_s > 0 ? claims->lifetime_s : DEFAULT_LIFETIME_S;
    return ok ? ORGCAST_OK : ORGCAST_E_NOMEM;
}

static bool put(cJSON *claims, const char *name, const char *value)
{
    return !value || cJSON_AddStringToObject(claims, name, value);
}

/* NumericDates are written as integers: cJSON prints every number up to 2^53 so. */
static char *claims_json(const oc_token_source_t *source, const char *token_id, int64_t now_s)
{
    OC_CLEANUP(json_deletep) cJSON *claims = cJSON_CreateObject();

    if (!claims || !put(claims, "sub", source->subject) || !put(claims, "iss", source->issuer) ||
        !put(claims, "aud", source->audience) || !put(claims, "org_id", source->organization_id) ||
        !put(claims, "scope", source->scope) || !put(claims, "jti", token_id) ||
        !cJSON_AddNumberToObject(claims, "iat", (double)now_s) ||
        !cJSON_AddNumberToObject(claims, "exp", (double)(now_s + source->lifetime_s)))
        return NULL;
    return cJSON_PrintUnformatted(claims);
}

static orgcast_err_t mint(const oc_token_source_t *source, int64_t now_s, char **ret_token,
                          orgcast_diag_t *diag)
{
    unsigned char *key = NULL;
    size_t key_len = 0;
    oc_diag_t cause = {0};
    char token_id[OC_UUID_TEXT_LEN];
    char *claims = NULL;
    oc_err_t err = OC_OK;

    if (!oc_uuid7_next(now_s * 1000, token_id))
        return oc_emitter_fail(diag, ORGCAST_E_IO, OC_NO_RANDOM_BYTES);
    claims = claims_json(source, token_id, now_s);
    if (!claims)
        err = oc_fail(&cause, OC_E_NOMEM, "out of memory while minting");
    if (err == OC_OK)
        err = oc_file_read(source->signing_key_file, KEY_FILE_MAX, &key, &key_len, &cause);
    if (err == OC_OK) {
        err = oc_mint_token(source->algorithm, source->key_id, key, key_len, claims, ret_token,
                            &cause);
        explicit_bzero(key, key_len);
    }
    free(key);
    cJSON_free(claims);
    return err == OC_OK ? ORGCAST_OK : oc_emitter_fail_from(diag, err, &cause);
}

orgcast_err_t oc_token_source_init(oc_token_source_t *source,
                                   const orgcast_emitter_options_t *options, int64_t now_s,
                                   orgcast_diag_t *diag)
{
    orgcast_err_t err = check_one_source(options, diag);
    orgcast_diag_t cause = {0};
    char *token = NULL;

    *source = (oc_token_source_t){0};
    if (err != ORGCAST_OK)
        return err;
    err = copy_options(source, options);
    if (err != ORGCAST_OK)
        (void)oc_emitter_fail(diag, err, "out of memory");
    if (err == ORGCAST_OK && source->signing_key_file) {
        err = mint(source, now_s, &token, &cause);
        if (err != ORGCAST_OK)
            (void)oc_emitter_fail(diag, err, "signing_key_file: %s", cause.message);
        oc_token_free(token);
    }
    if (err != ORGCAST_OK)
        oc_token_source_done(source);
    return err;
}

void oc_token_source_done(oc_token_source_t *source)
{
    oc_token_free(source->token);
    free(source->token_file);
    free(source->signing_key_file);
    free(source->algorithm);
    free(source->key_id);
    free(source->subject);
    free(source->issuer);
    free(source->audience);
    free(source->organization_id);
    free(source->scope);
    *source = (oc_token_source_t){0};
}

static orgcast_err_t read_token_file(const char *path, char **ret_token, orgcast_diag_t *diag)
{
    unsigned char *bytes = NULL;
    size_t len = 0;
    oc_diag_t cause = {0};
    oc_err_t err = oc_file_read(path, OC_TOKEN_MAX + 1, &bytes, &len, &cause);
    char *token = (char *)bytes;

    if (err != OC_OK)
        return oc_emitter_fail_from(diag, err, &cause);
    if (bytes[len - 1] == '\n')
        bytes[--len] = '\0';
    if (len == 0 || len > OC_TOKEN_MAX || strlen(token) != len) {
        oc_token_free(token);
        return oc_emitter_fail(diag, ORGCAST_E_TOKEN, "'%s' holds no token", path);
    }
    *ret_token = token;
    return ORGCAST_OK;
}

orgcast_err_t oc_token_source_get(const oc_token_source_t *source, int64_t now_s, char **ret_token,
                                  orgcast_diag_t *diag)
{
    orgcast_diag_t cause = {0};
    orgcast_err_t err = ORGCAST_OK;
    char *token = NULL;

    if (source->token) {
        token = strdup(source->token);
        if (!token)
            err = oc_emitter_fail(&cause, ORGCAST_E_NOMEM, "out of memory");
    } else if (source->token_file) {
        err = read_token_file(source->token_file, &token, &cause);
    } else if (source->token_fn) {
        token = source->token_fn(source->context);
        if (!token || !*token || strnlen(token, OC_TOKEN_MAX + 1) > OC_TOKEN_MAX)
            err = oc_emitter_fail(&cause, ORGCAST_E_TOKEN, "token_fn gave no token");
    } else if (source->signing_key_file) {
        err = mint(source, now_s, &token, &cause);
    }
    if (err != ORGCAST_OK) {
        oc_token_free(token);
        return oc_emitter_fail(diag, ORGCAST_E_TOKEN, "no token: %s", cause.message);
    }
    *ret_token = token;
    return ORGCAST_OK;
}

static int64_t read_expiry(const char *claims_text, size_t claims_len)
{
    OC_CLEANUP(oc_json_decrefp) json_t *claims = NULL;
    double expires_s;

    if (oc_json_load(claims_text, claims_len, &claims, NULL) != OC_OK)
        return 0;
    expires_s = json_number_value(json_object_get(claims, "exp"));
    return expires_s > 0 && expires_s < EXPIRES_MAX_S ? (int64_t)expires_s : 0;
}

int64_t oc_token_expires_s(const char *token)
{
    OC_CLEANUP(oc_freep) unsigned char *claims_text = NULL;
    const char *begin = token ? strchr(token, '.') : NULL;
    const char *end = begin ? strchr(begin + 1, '.') : NULL;
    size_t encoded_len;
    size_t claims_cap;
    size_t claims_len = 0;

    if (!end)
        return 0;
    begin++;
    encoded_len = (size_t)(end - begin);
    claims_cap = OC_B64URL_DECODED_MAX(encoded_len);
    claims_text = malloc(claims_cap);
    if (!claims_text || !oc_b64url_decode(begin, encoded_len, claims_text, claims_cap, &claims_len))
        return 0;
    return read_expiry((const char *)claims_text, claims_len);
}

void oc_token_free(char *token)
{
    if (!token)
        return;
    explicit_bzero(token, strlen(token));
    free(token);
}
