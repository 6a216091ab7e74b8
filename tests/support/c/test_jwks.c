/* SPDX-License-Identifier: MIT */
#include "test_jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition) must((condition), #condition, __LINE__)

static void must(bool good, const char *what, int line)
{
    if (good)
        return;
    fprintf(stderr, "test_jwks.c:%d: failed: %s\n", line, what);
    abort();
}

static void set_bytes(json_t *jwk, const char *name, const unsigned char *bytes, size_t len)
{
    char *text = token_b64url(bytes, len);

    MUST(json_object_set_new(jwk, name, json_string(text)) == 0);
    free(text);
}

/* len: 0: as many bytes as the number has */
static void set_number(json_t *jwk, const char *name, EVP_PKEY *pkey, const char *param, int len)
{
    unsigned char bytes[2048];
    BIGNUM *number = NULL;

    MUST(EVP_PKEY_get_bn_param(pkey, param, &number) == 1);
    if (len == 0)
        len = BN_num_bytes(number);
    MUST(BN_bn2binpad(number, bytes, len) == len);
    BN_free(number);
    set_bytes(jwk, name, bytes, (size_t)len);
}

static json_t *ec(EVP_PKEY *pkey)
{
    static const struct {
        const char *group, *crv;
    } curves[] = {{"prime256v1", "P-256"},
                  {"secp384r1", "P-384"},
                  {"secp521r1", "P-521"},
                  {"secp256k1", "secp256k1"}};
    int coordinate = (EVP_PKEY_get_bits(pkey) + 7) / 8;
    char group[64];
    json_t *jwk = NULL;

    MUST(EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1);
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (strcmp(group, curves[i].group) != 0)
            continue;
        jwk = json_pack("{s:s, s:s}", "kty", "EC", "crv", curves[i].crv);
        set_number(jwk, "x", pkey, OSSL_PKEY_PARAM_EC_PUB_X, coordinate);
        set_number(jwk, "y", pkey, OSSL_PKEY_PARAM_EC_PUB_Y, coordinate);
        break;
    }
    MUST(jwk != NULL); /* a known curve */
    return jwk;
}

json_t *test_jwk(enum test_key which)
{
    EVP_PKEY *pkey = test_keys[which].pkey;
    unsigned char raw[32];
    size_t raw_len = sizeof raw;
    json_t *jwk;

    if (!pkey) {
        jwk = json_pack("{s:s}", "kty", "oct");
        set_bytes(jwk, "k", test_keys[which].secret, test_keys[which].secret_len);
        return jwk;
    }
    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        jwk = json_pack("{s:s}", "kty", "RSA");
        set_number(jwk, "n", pkey, OSSL_PKEY_PARAM_RSA_N, 0);
        set_number(jwk, "e", pkey, OSSL_PKEY_PARAM_RSA_E, 0);
        return jwk;
    case EVP_PKEY_EC:
        return ec(pkey);
    default:
        MUST(EVP_PKEY_get_raw_public_key(pkey, raw, &raw_len) == 1);
        jwk = json_pack("{s:s, s:s}", "kty", "OKP", "crv",
                        EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519 ? "Ed25519" : "X25519");
        set_bytes(jwk, "x", raw, raw_len);
        return jwk;
    }
}

json_t *test_jwk_named(enum test_key which, const char *kid)
{
    json_t *jwk = test_jwk(which);

    MUST(json_object_set_new(jwk, "kid", json_string(kid)) == 0);
    return jwk;
}

char *test_jwks(json_t *one, json_t *two, json_t *three)
{
    json_t *keys = json_array();
    json_t *set = json_pack("{s:o}", "keys", keys);
    char *text;

    MUST(json_array_append_new(keys, one) == 0);
    MUST(!two || json_array_append_new(keys, two) == 0);
    MUST(!three || json_array_append_new(keys, three) == 0);
    text = json_dumps(set, JSON_COMPACT);
    MUST(text != NULL);
    json_decref(set);
    return text;
}
