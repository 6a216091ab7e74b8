/* SPDX-License-Identifier: MIT */
#include "jwk.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b64url.h"
#include "file.h"
#include "json.h"
#include "mem.h"

/* RSA of 16,384 bits is the most that OpenSSL verifies with. */
#define MEMBER_MAX_BYTES 2048

/* A member's bytes (RFC 7518 §6: base64url). */
typedef struct member {
    unsigned char bytes[MEMBER_MAX_BYTES];
    size_t len;
} member_t;

static oc_err_t get_member(json_t *jwk, const char *name, member_t *ret, oc_diag_t *diag)
{
    const json_t *value = json_object_get(jwk, name);

    if (!json_is_string(value) || json_string_length(value) == 0)
        return oc_fail(diag, OC_E_CONFIG, "has no '%s'", name);
    if (!oc_b64url_decode(json_string_value(value), json_string_length(value), ret->bytes,
                          sizeof ret->bytes, &ret->len))
        return oc_fail(diag, OC_E_CONFIG, "has a '%s' that is no base64url or too long", name);
    return OC_OK;
}

static oc_err_t nomem(oc_diag_t *diag)
{
    ERR_clear_error();
    return oc_fail(diag, OC_E_NOMEM, "out of memory");
}

/* Why OpenSSL made no key: for want of memory, or because it is none. Empties its error queue. */
static oc_err_t no_key(const char *type, oc_diag_t *diag)
{
    bool out_of_memory = false;
    unsigned long error;

    while ((error = ERR_get_error()) != 0)
        out_of_memory = out_of_memory || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    return out_of_memory ? nomem(diag) : oc_fail(diag, OC_E_CONFIG, "is no valid %s key", type);
}

static oc_err_t check_on_curve(const char *type, EVP_PKEY *pkey, oc_diag_t *diag)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool good = ctx && EVP_PKEY_public_check_quick(ctx) == 1;
    oc_err_t err = OC_OK;

    if (!ctx)
        err = nomem(diag);
    else if (!good)
        err = no_key(type, diag);
    EVP_PKEY_CTX_free(ctx);
    return err;
}

/* Build the key. check_point: have OpenSSL look whether the point is on its curve. */
static oc_err_t from_params(const char *type, OSSL_PARAM_BLD *builder, bool check_point,
                            EVP_PKEY **ret, oc_diag_t *diag)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    oc_err_t err = OC_OK;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1)
        err = nomem(diag);
    else if (EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        err = no_key(type, diag);
    else if (check_point)
        err = check_on_curve(type, pkey, diag);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    if (err)
        EVP_PKEY_free(pkey);
    else
        *ret = pkey;
    return err;
}

/* RFC 7518 §6.3.1 */
static oc_err_t read_rsa(json_t *jwk, EVP_PKEY **ret, oc_diag_t *diag)
{
    member_t n = {.len = 0};
    member_t e = {.len = 0};
    oc_err_t err = get_member(jwk, "n", &n, diag);
    OSSL_PARAM_BLD *builder;
    BIGNUM *n_number;
    BIGNUM *e_number;

    if (!err)
        err = get_member(jwk, "e", &e, diag);
    if (err)
        return err;
    /* Before OpenSSL does arithmetic with it: its own check of a modulus takes milliseconds to seconds. */
    if (n.len > OC_RSA_MAX_BITS / 8 + 1)
        return oc_fail(diag, OC_E_CONFIG, "is RSA of more than %d bits", OC_RSA_MAX_BITS);
    builder = OSSL_PARAM_BLD_new();
    n_number = BN_bin2bn(n.bytes, (int)n.len, NULL);
    e_number = BN_bin2bn(e.bytes, (int)e.len, NULL);
    if (builder && n_number && e_number &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n_number) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e_number) == 1)
        err = from_params("RSA", builder, false, ret, diag);
    else
        err = nomem(diag);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n_number);
    BN_free(e_number);
    return err;
}

/* RFC 7518 §6.2.1: the coordinates are as long as the curve's field, no more and no less. */
static oc_err_t read_ec(json_t *jwk, EVP_PKEY **ret, oc_diag_t *diag)
{
    static const struct {
        const char *crv, *group;
        size_t coordinate;
    } curves[] = {
        {"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    unsigned char point[1 + 2 * 66] = {4};
    member_t x = {.len = 0};
    member_t y = {.len = 0};
    oc_err_t err = get_member(jwk, "x", &x, diag);

    if (!err)
        err = get_member(jwk, "y", &y, diag);
    if (err)
        return err;
    for (size_t i = 0; crv && i < sizeof curves / sizeof curves[0]; i++) {
        size_t coordinate = curves[i].coordinate;
        OSSL_PARAM_BLD *builder;

        if (strcmp(crv, curves[i].crv) != 0)
            continue;
        if (x.len != coordinate || y.len != coordinate)
            return oc_fail(diag, OC_E_CONFIG, "has coordinates of the wrong length for %s", crv);
        memcpy(point + 1, x.bytes, coordinate);
        memcpy(point + 1 + coordinate, y.bytes, coordinate);
        builder = OSSL_PARAM_BLD_new();
        if (builder &&
            OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].group,
                                            0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                             1 + 2 * coordinate) == 1)
            err = from_params("EC", builder, true, ret, diag);
        else
            err = nomem(diag);
        OSSL_PARAM_BLD_free(builder);
        return err;
    }
    return oc_fail(diag, OC_E_CONFIG, "is on none of the curves P-256, P-384, P-521");
}

/* RFC 8037 §2 */
static oc_err_t read_okp(json_t *jwk, EVP_PKEY **ret, oc_diag_t *diag)
{
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    member_t x = {.len = 0};
    oc_err_t err = get_member(jwk, "x", &x, diag);

    if (err)
        return err;
    if (!crv || strcmp(crv, "Ed25519") != 0)
        return oc_fail(diag, OC_E_CONFIG, "is not on the curve Ed25519");
    *ret = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x.bytes, x.len);
    return *ret ? OC_OK : no_key("OKP", diag);
}

static bool array_has(json_t *array, const char *text)
{
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
            return true;
    }
    return false;
}

/* RFC 7517 §4.2 to §4.4: the key must be for checking JWS signatures. */
static oc_err_t check_purpose(json_t *jwk, oc_alg_set_t *ret_allowed, oc_diag_t *diag)
{
    const json_t *use = json_object_get(jwk, "use");
    json_t *key_ops = json_object_get(jwk, "key_ops");
    const json_t *alg = json_object_get(jwk, "alg");
    oc_alg_t known = OC_ALG_NONE;

    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return oc_fail(diag, OC_E_CONFIG, "is not for signatures: its 'use' is not 'sig'");
    if (key_ops && (!json_is_array(key_ops) || !array_has(key_ops, "verify")))
        return oc_fail(diag, OC_E_CONFIG,
                       "is not for checking signatures: its 'key_ops' lacks 'verify'");
    if (json_is_string(alg))
        known = oc_alg_parse(json_string_value(alg), json_string_length(alg));
    if (alg && known == OC_ALG_NONE)
        return oc_fail(diag, OC_E_CONFIG, "has an 'alg' that is not a known signature algorithm");
    *ret_allowed = alg ? OC_ALG_BIT(known) : OC_ALG_ANY;
    return OC_OK;
}

static oc_err_t add_oct(oc_keyset_t *set, json_t *jwk, const char *kid,
                        const oc_jwks_options_t *options, oc_alg_set_t allowed, oc_diag_t *diag)
{
    member_t k = {.len = 0};
    oc_err_t err;

    if (!options->allow_secrets)
        return oc_fail(diag, OC_E_CONFIG, "is a secret, which is not taken from a URL");
    err = get_member(jwk, "k", &k, diag);
    if (!err)
        err = oc_keyset_add_secret(set, k.bytes, k.len, kid, options->source, allowed, diag);
    OPENSSL_cleanse(&k, sizeof k);
    return err;
}

static oc_err_t add_public(oc_keyset_t *set, json_t *jwk, const char *kty, const char *kid,
                           const char *source, oc_alg_set_t allowed, oc_diag_t *diag)
{
    EVP_PKEY *pkey = NULL;
    oc_err_t err;

    if (json_object_get(jwk, "d"))
        return oc_fail(diag, OC_E_CONFIG, "is a private key; publish the public part only");
    if (strcmp(kty, "RSA") == 0)
        err = read_rsa(jwk, &pkey, diag);
    else if (strcmp(kty, "EC") == 0)
        err = read_ec(jwk, &pkey, diag);
    else if (strcmp(kty, "OKP") == 0)
        err = read_okp(jwk, &pkey, diag);
    else
        err = oc_fail(diag, OC_E_CONFIG, "has a 'kty' that is none of RSA, EC, OKP, oct");
    if (!err)
        err = oc_keyset_add_pkey(set, pkey, kid, source, allowed, diag);
    EVP_PKEY_free(pkey);
    return err;
}

static oc_err_t add_jwk(oc_keyset_t *set, json_t *jwk, const oc_jwks_options_t *options,
                        oc_diag_t *diag)
{
    const json_t *kid = json_object_get(jwk, "kid");
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    oc_alg_set_t allowed = 0;
    oc_err_t err;

    if (!kty)
        return oc_fail(diag, OC_E_CONFIG, "has no 'kty'");
    if (kid && !json_is_string(kid))
        return oc_fail(diag, OC_E_CONFIG, "has a 'kid' that is no string");
    if (kid && json_string_length(kid) > OC_KID_MAX)
        return oc_fail(diag, OC_E_CONFIG, "has a 'kid' of more than %d bytes", OC_KID_MAX);
    err = check_purpose(jwk, &allowed, diag);
    if (err)
        return err;
    if (strcmp(kty, "oct") == 0)
        return add_oct(set, jwk, json_string_value(kid), options, allowed, diag);
    return add_public(set, jwk, kty, json_string_value(kid), options->source, allowed, diag);
}

static void warn(const oc_jwks_options_t *options, size_t index, const oc_diag_t *cause)
{
    char message[512];

    if (!options->warn)
        return;
    (void)snprintf(message, sizeof message, "%.150s: key %zu is skipped: %.250s", options->source,
                   index + 1, cause->message);
    options->warn(options->context, message);
}

/* Add all usable keys to an empty set. */
static oc_err_t add_keys(oc_keyset_t *set, json_t *jwks, const oc_jwks_options_t *options,
                         oc_diag_t *diag)
{
    json_t *keys = json_object_get(jwks, "keys");
    json_t *jwk;
    size_t i;

    if (!json_is_array(keys))
        return oc_fail(diag, OC_E_CONFIG, "'%.150s' is no JWK set: it has no array 'keys'",
                       options->source);
    json_array_foreach(keys, i, jwk)
    {
        oc_diag_t cause = {0};
        oc_err_t err = json_is_object(jwk) ? add_jwk(set, jwk, options, &cause)
                                           : oc_fail(&cause, OC_E_CONFIG, "is no JSON object");

        if (err == OC_E_NOMEM)
            return oc_fail(diag, err, "out of memory");
        if (err)
            warn(options, i, &cause);
        /* Said once: no later key fits in either. */
        if (err && set->count == OC_KEYS_MAX)
            break;
    }
    if (set->count == 0)
        return oc_fail(diag, OC_E_CONFIG, "'%.150s' holds no usable key", options->source);
    return OC_OK;
}

oc_err_t oc_keyset_add_jwks(oc_keyset_t *set, const char *json, size_t json_len,
                            const oc_jwks_options_t *options, oc_diag_t *diag)
{
    OC_CLEANUP(oc_json_decrefp) json_t *jwks = NULL;
    oc_keyset_t added = {0};
    oc_diag_t cause = {0};
    oc_err_t err = oc_json_load(json, json_len, &jwks, &cause);

    if (err == OC_E_NOMEM)
        return oc_fail(diag, err, "out of memory");
    if (err)
        return oc_fail(diag, OC_E_CONFIG, "'%.150s' is no JWK set: %s", options->source,
                       cause.message);
    err = add_keys(&added, jwks, options, diag);
    if (!err)
        err = oc_keyset_share(set, &added, diag);
    oc_keyset_done(&added);
    return err;
}

oc_err_t oc_keyset_add_jwks_file(oc_keyset_t *set, const oc_jwks_options_t *options,
                                 oc_diag_t *diag)
{
    unsigned char *bytes = NULL;
    size_t len = 0;
    oc_err_t err = oc_file_read(options->source, OC_JWKS_MAX_BYTES, &bytes, &len, diag);

    if (err)
        return err == OC_E_NOMEM ? err : OC_E_CONFIG;
    err = oc_keyset_add_jwks(set, (const char *)bytes, len, options, diag);
    OPENSSL_cleanse(bytes, len);
    free(bytes);
    return err;
}
