/* SPDX-License-Identifier: MIT */
/* Which keys of a JWK set are taken (RFC 7517, RFC 7518 §6, RFC 8037), and what is said of the others. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "jwk.h"
#include "mem.h"
#include "scratch.h"
#include "test_jwks.h"
#include "unit.h"

#define BIT(alg) OC_ALG_BIT(OC_ALG_##alg)
#define HS_ALGS (BIT(HS256) | BIT(HS384) | BIT(HS512))
#define RSA_ALGS (BIT(RS256) | BIT(RS384) | BIT(RS512) | BIT(PS256) | BIT(PS384) | BIT(PS512))

static void make(void)
{
    scratch_open();
    test_keys_make();
}

static void unmake(void)
{
    test_keys_free();
    scratch_close();
}

/* --- What is said while a set is read --- */

typedef struct warnings {
    size_t count;
    char last[512];
} warnings_t;

static void note(void *context, const char *message)
{
    warnings_t *warnings = context;

    warnings->count++;
    (void)snprintf(warnings->last, sizeof warnings->last, "%s", message);
}

enum from {
    FROM_FILE, /* with allow_secrets */
    FROM_URL
};

static oc_err_t add(oc_keyset_t *set, const char *json, enum from from, warnings_t *warnings,
                    oc_diag_t *diag)
{
    const oc_jwks_options_t options = {"the set", from == FROM_FILE, note, warnings};

    return oc_keyset_add_jwks(set, json, strlen(json), &options, diag);
}

/* --- One key, changed --- */

/* What becomes of the bytes of a member. */
#define KID_16 "kkkkkkkkkkkkkkkk"
#define KID_64 KID_16 KID_16 KID_16 KID_16
#define KID_256 KID_64 KID_64 KID_64 KID_64

enum how {
    AS_IS,
    CUT,           /* the first byte goes */
    ZERO_BEFORE,   /* a zero in front */
    BYTE_BEHIND,   /* a byte more */
    FLIP,          /* one bit of the last byte */
    ZEROS,         /* all zero */
    PADDED,        /* "=" behind the text */
    STANDARD,      /* a character of plain base64 */
    LEFTOVER_BITS, /* another last character for the same bytes */
    FILLED         /* 2049 bytes */
};

static void change(json_t *jwk, const char *name, enum how how)
{
    unsigned char bytes[2100] = {0};
    const char *old = json_string_value(json_object_get(jwk, name));
    size_t len = token_unb64url(old, bytes);
    char text[3000];
    char *encoded;

    switch (how) {
    case AS_IS:
        return;
    case CUT:
        memmove(bytes, bytes + 1, --len);
        break;
    case ZERO_BEFORE:
        memmove(bytes + 1, bytes, len++);
        bytes[0] = 0;
        break;
    case BYTE_BEHIND:
        bytes[len++] = 1;
        break;
    case FLIP:
        bytes[len - 1] ^= 1;
        break;
    case ZEROS:
        memset(bytes, 0, len);
        break;
    case FILLED:
        memset(bytes + len, 0x5a, 2049 - len);
        len = 2049;
        break;
    case PADDED:
    case STANDARD:
    case LEFTOVER_BITS:
        (void)snprintf(text, sizeof text, "%s%s", old, how == PADDED ? "=" : "");
        if (how == STANDARD)
            text[3] = '+';
        /* 'A' ends in zero bits, so that 'B' means the same byte and one bit left over. */
        if (how == LEFTOVER_BITS)
            text[strlen(text) - 1]++;
        json_object_set_new(jwk, name, json_string(text));
        return;
    }
    encoded = token_b64url(bytes, len);
    json_object_set_new(jwk, name, json_string(encoded));
    free(encoded);
}

/* The key with the members of `edit` (null: none) and one member's bytes changed. */
static const struct {
    const char *name;
    enum test_key key;
    const char *edit; /* NULL: nothing */
    const char *member;
    enum how how;
    enum from from;
    oc_alg_set_t algs; /* 0: skipped */
    const char *says;  /* of a skipped one: what the warning names */
} keys[] = {
    /* kty */
    {"no kty", TEST_P256, "{\"kty\":null}", NULL, AS_IS, FROM_FILE, 0, "'kty'"},
    {"kty is a number", TEST_P256, "{\"kty\":1}", NULL, AS_IS, FROM_FILE, 0, "'kty'"},
    {"kty in small letters", TEST_P256, "{\"kty\":\"ec\"}", NULL, AS_IS, FROM_FILE, 0, "'kty'"},
    {"kty of the future", TEST_P256, "{\"kty\":\"AKP\"}", NULL, AS_IS, FROM_FILE, 0, "'kty'"},
    {"kty is empty", TEST_P256, "{\"kty\":\"\"}", NULL, AS_IS, FROM_FILE, 0, "'kty'"},
    {"kty of another key", TEST_P256, "{\"kty\":\"RSA\"}", NULL, AS_IS, FROM_FILE, 0, "'n'"},
    {"EC as OKP", TEST_P256, "{\"kty\":\"OKP\"}", NULL, AS_IS, FROM_FILE, 0, "Ed25519"},

    /* RSA */
    {"RSA", TEST_RSA, NULL, NULL, AS_IS, FROM_URL, RSA_ALGS, NULL},
    {"RSA of 1024 bits", TEST_RSA_1024, NULL, NULL, AS_IS, FROM_FILE, 0, "1024 bits"},
    {"no n", TEST_RSA, "{\"n\":null}", NULL, AS_IS, FROM_FILE, 0, "'n'"},
    {"n is a number", TEST_RSA, "{\"n\":1}", NULL, AS_IS, FROM_FILE, 0, "'n'"},
    {"n is empty", TEST_RSA, "{\"n\":\"\"}", NULL, AS_IS, FROM_FILE, 0, "'n'"},
    {"n has a zero in front", TEST_RSA, NULL, "n", ZERO_BEFORE, FROM_FILE, RSA_ALGS, NULL},
    {"n is even", TEST_RSA, NULL, "n", FLIP, FROM_FILE, 0, "even modulus"},
    {"n is zero", TEST_RSA, NULL, "n", ZEROS, FROM_FILE, 0, "RSA of 0 bits"},
    {"n is padded", TEST_RSA, NULL, "n", PADDED, FROM_FILE, 0, "'n'"},
    {"n in plain base64", TEST_RSA, NULL, "n", STANDARD, FROM_FILE, 0, "'n'"},
    {"n of 2049 bytes", TEST_RSA, NULL, "n", FILLED, FROM_FILE, 0, "'n'"},
    {"no e", TEST_RSA, "{\"e\":null}", NULL, AS_IS, FROM_FILE, 0, "'e'"},
    {"e is a number", TEST_RSA, "{\"e\":65537}", NULL, AS_IS, FROM_FILE, 0, "'e'"},
    {"e = 0", TEST_RSA, "{\"e\":\"AA\"}", NULL, AS_IS, FROM_FILE, 0, "RSA"},
    {"e = 1", TEST_RSA, "{\"e\":\"AQ\"}", NULL, AS_IS, FROM_FILE, 0, "RSA"},
    {"e = 2", TEST_RSA, "{\"e\":\"Ag\"}", NULL, AS_IS, FROM_FILE, 0, "RSA"},
    {"e = 3", TEST_RSA, "{\"e\":\"Aw\"}", NULL, AS_IS, FROM_FILE, RSA_ALGS, NULL},
    {"e = 2^64 + 1", TEST_RSA, "{\"e\":\"AQAAAAAAAAAB\"}", NULL, AS_IS, FROM_FILE, 0, "RSA"},
    {"RSA with d", TEST_RSA, "{\"d\":\"AQAB\"}", NULL, AS_IS, FROM_FILE, 0, "private"},
    {"RSA with a d that is no text", TEST_RSA, "{\"d\":0}", NULL, AS_IS, FROM_FILE, 0, "private"},

    /* EC */
    {"P-256", TEST_P256, NULL, NULL, AS_IS, FROM_URL, BIT(ES256), NULL},
    {"P-384", TEST_P384, NULL, NULL, AS_IS, FROM_URL, BIT(ES384), NULL},
    {"P-521", TEST_P521, NULL, NULL, AS_IS, FROM_URL, BIT(ES512), NULL},
    {"secp256k1", TEST_SECP256K1, NULL, NULL, AS_IS, FROM_FILE, 0, "P-256, P-384, P-521"},
    {"secp256k1 as P-256", TEST_SECP256K1, "{\"crv\":\"P-256\"}", NULL, AS_IS, FROM_FILE, 0,
     "no valid EC"},
    {"no crv", TEST_P256, "{\"crv\":null}", NULL, AS_IS, FROM_FILE, 0, "P-256, P-384, P-521"},
    {"crv is a number", TEST_P256, "{\"crv\":256}", NULL, AS_IS, FROM_FILE, 0, "P-256, P-384"},
    {"crv in small letters", TEST_P256, "{\"crv\":\"p-256\"}", NULL, AS_IS, FROM_FILE, 0, "P-256"},
    {"crv by OpenSSL's name", TEST_P256, "{\"crv\":\"prime256v1\"}", NULL, AS_IS, FROM_FILE, 0,
     "P-256, P-384, P-521"},
    {"a smaller key's coordinates", TEST_P256, "{\"crv\":\"P-384\"}", NULL, AS_IS, FROM_FILE, 0,
     "wrong length for P-384"},
    {"a larger key's coordinates", TEST_P521, "{\"crv\":\"P-256\"}", NULL, AS_IS, FROM_FILE, 0,
     "wrong length for P-256"},
    {"x a byte short", TEST_P256, NULL, "x", CUT, FROM_FILE, 0, "wrong length for P-256"},
    {"x with a zero in front", TEST_P256, NULL, "x", ZERO_BEFORE, FROM_FILE, 0, "wrong length"},
    {"y a byte short", TEST_P521, NULL, "y", CUT, FROM_FILE, 0, "wrong length for P-521"},
    {"y a byte long", TEST_P384, NULL, "y", BYTE_BEHIND, FROM_FILE, 0, "wrong length for P-384"},
    {"off the curve by x", TEST_P256, NULL, "x", FLIP, FROM_FILE, 0, "no valid EC"},
    {"off the curve by y", TEST_P384, NULL, "y", FLIP, FROM_FILE, 0, "no valid EC"},
    {"y is zero", TEST_P521, NULL, "y", ZEROS, FROM_FILE, 0, "no valid EC"},
    {"no x", TEST_P256, "{\"x\":null}", NULL, AS_IS, FROM_FILE, 0, "'x'"},
    {"no y", TEST_P256, "{\"y\":null}", NULL, AS_IS, FROM_FILE, 0, "'y'"},
    {"y is a flag", TEST_P256, "{\"y\":true}", NULL, AS_IS, FROM_FILE, 0, "'y'"},
    {"x is padded", TEST_P256, NULL, "x", PADDED, FROM_FILE, 0, "'x'"},
    {"y in plain base64", TEST_P256, NULL, "y", STANDARD, FROM_FILE, 0, "'y'"},
    {"y with leftover bits", TEST_P256, NULL, "y", LEFTOVER_BITS, FROM_FILE, 0, "'y'"},
    {"EC with d", TEST_P256, "{\"d\":\"AQ\"}", NULL, AS_IS, FROM_URL, 0, "private"},

    /* OKP */
    {"Ed25519", TEST_ED25519, NULL, NULL, AS_IS, FROM_URL, BIT(EDDSA), NULL},
    {"X25519", TEST_X25519, NULL, NULL, AS_IS, FROM_FILE, 0, "Ed25519"},
    {"Ed448", TEST_ED25519, "{\"crv\":\"Ed448\"}", NULL, AS_IS, FROM_FILE, 0, "Ed25519"},
    {"OKP without crv", TEST_ED25519, "{\"crv\":null}", NULL, AS_IS, FROM_FILE, 0, "Ed25519"},
    {"OKP without x", TEST_ED25519, "{\"x\":null}", NULL, AS_IS, FROM_FILE, 0, "'x'"},
    {"Ed25519 a byte short", TEST_ED25519, NULL, "x", CUT, FROM_FILE, 0, "no valid OKP"},
    {"Ed25519 a byte long", TEST_ED25519, NULL, "x", BYTE_BEHIND, FROM_FILE, 0, "no valid OKP"},
    {"Ed25519 of small order", TEST_ED25519, NULL, "x", ZEROS, FROM_FILE, 0, "small order"},
    {"Ed25519 with d", TEST_ED25519, "{\"d\":\"AQ\"}", NULL, AS_IS, FROM_FILE, 0, "private"},

    /* oct */
    {"a secret from a file", TEST_SECRET, NULL, NULL, AS_IS, FROM_FILE, HS_ALGS, NULL},
    {"a secret from a URL", TEST_SECRET, NULL, NULL, AS_IS, FROM_URL, 0, "secret"},
    {"a secret for encryption, from a URL", TEST_SECRET, "{\"use\":\"enc\"}", NULL, AS_IS, FROM_URL,
     0, "'use'"},
    {"31 bytes", TEST_SECRET, "{\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQ\"}", NULL, AS_IS,
     FROM_FILE, 0, "31 bytes"},
    {"32 bytes", TEST_SECRET, "{\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}", NULL,
     AS_IS, FROM_FILE, BIT(HS256), NULL},
    {"63 bytes", TEST_SECRET, NULL, "k", CUT, FROM_FILE, BIT(HS256) | BIT(HS384), NULL},
    {"32 bytes for HS512", TEST_SECRET,
     "{\"alg\":\"HS512\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}", NULL, AS_IS,
     FROM_FILE, 0, "no algorithm"},
    {"2049 bytes", TEST_SECRET, NULL, "k", FILLED, FROM_FILE, 0, "'k'"},
    {"no k", TEST_SECRET, "{\"k\":null}", NULL, AS_IS, FROM_FILE, 0, "'k'"},
    {"k is a number", TEST_SECRET, "{\"k\":0}", NULL, AS_IS, FROM_FILE, 0, "'k'"},
    {"k is padded", TEST_SECRET, NULL, "k", PADDED, FROM_FILE, 0, "'k'"},
    {"a secret for HS384", TEST_SECRET, "{\"alg\":\"HS384\"}", NULL, AS_IS, FROM_FILE, BIT(HS384),
     NULL},
    {"a secret for RS256", TEST_SECRET, "{\"alg\":\"RS256\"}", NULL, AS_IS, FROM_FILE, 0,
     "no algorithm"},

    /* use */
    {"use sig", TEST_P256, "{\"use\":\"sig\"}", NULL, AS_IS, FROM_URL, BIT(ES256), NULL},
    {"use enc", TEST_P256, "{\"use\":\"enc\"}", NULL, AS_IS, FROM_URL, 0, "'use'"},
    {"use in capitals", TEST_P256, "{\"use\":\"SIG\"}", NULL, AS_IS, FROM_URL, 0, "'use'"},
    {"use is empty", TEST_P256, "{\"use\":\"\"}", NULL, AS_IS, FROM_URL, 0, "'use'"},
    {"use is an array", TEST_P256, "{\"use\":[\"sig\"]}", NULL, AS_IS, FROM_URL, 0, "'use'"},

    /* key_ops */
    {"key_ops verify", TEST_P256, "{\"key_ops\":[\"verify\"]}", NULL, AS_IS, FROM_URL, BIT(ES256),
     NULL},
    {"key_ops sign, verify", TEST_P256, "{\"key_ops\":[\"sign\",\"verify\"]}", NULL, AS_IS,
     FROM_URL, BIT(ES256), NULL},
    {"key_ops with a number", TEST_P256, "{\"key_ops\":[1,\"verify\"]}", NULL, AS_IS, FROM_URL,
     BIT(ES256), NULL},
    {"key_ops sign", TEST_P256, "{\"key_ops\":[\"sign\"]}", NULL, AS_IS, FROM_URL, 0, "'key_ops'"},
    {"key_ops Verify", TEST_P256, "{\"key_ops\":[\"Verify\"]}", NULL, AS_IS, FROM_URL, 0,
     "'key_ops'"},
    {"no key_ops at all", TEST_P256, "{\"key_ops\":[]}", NULL, AS_IS, FROM_URL, 0, "'key_ops'"},
    {"key_ops is a text", TEST_P256, "{\"key_ops\":\"verify\"}", NULL, AS_IS, FROM_URL, 0,
     "'key_ops'"},
    {"use and key_ops disagree", TEST_P256, "{\"use\":\"enc\",\"key_ops\":[\"verify\"]}", NULL,
     AS_IS, FROM_URL, 0, "'use'"},
    {"key_ops and use disagree", TEST_P256, "{\"use\":\"sig\",\"key_ops\":[\"encrypt\"]}", NULL,
     AS_IS, FROM_URL, 0, "'key_ops'"},

    /* alg */
    {"alg of the key", TEST_P256, "{\"alg\":\"ES256\"}", NULL, AS_IS, FROM_URL, BIT(ES256), NULL},
    {"alg RS256", TEST_RSA, "{\"alg\":\"RS256\"}", NULL, AS_IS, FROM_URL, BIT(RS256), NULL},
    {"alg PS384", TEST_RSA, "{\"alg\":\"PS384\"}", NULL, AS_IS, FROM_URL, BIT(PS384), NULL},
    {"alg EdDSA", TEST_ED25519, "{\"alg\":\"EdDSA\"}", NULL, AS_IS, FROM_URL, BIT(EDDSA), NULL},
    {"alg Ed25519", TEST_ED25519, "{\"alg\":\"Ed25519\"}", NULL, AS_IS, FROM_URL, BIT(EDDSA), NULL},
    {"alg Ed25519 of another type", TEST_P256, "{\"alg\":\"Ed25519\"}", NULL, AS_IS, FROM_URL, 0,
     "no algorithm"},
    {"alg of another curve", TEST_P256, "{\"alg\":\"ES384\"}", NULL, AS_IS, FROM_URL, 0,
     "no algorithm"},
    {"alg of another type", TEST_P256, "{\"alg\":\"RS256\"}", NULL, AS_IS, FROM_URL, 0,
     "no algorithm"},
    {"alg of secrets", TEST_RSA, "{\"alg\":\"HS256\"}", NULL, AS_IS, FROM_FILE, 0, "no algorithm"},
    {"alg of encryption", TEST_RSA, "{\"alg\":\"RSA-OAEP-256\"}", NULL, AS_IS, FROM_URL, 0,
     "'alg'"},
    {"alg none", TEST_RSA, "{\"alg\":\"none\"}", NULL, AS_IS, FROM_URL, 0, "'alg'"},
    {"alg in small letters", TEST_RSA, "{\"alg\":\"rs256\"}", NULL, AS_IS, FROM_URL, 0, "'alg'"},
    {"alg is empty", TEST_RSA, "{\"alg\":\"\"}", NULL, AS_IS, FROM_URL, 0, "'alg'"},
    {"alg is an array", TEST_RSA, "{\"alg\":[\"RS256\"]}", NULL, AS_IS, FROM_URL, 0, "'alg'"},

    /* kid */
    {"kid is a number", TEST_P256, "{\"kid\":1}", NULL, AS_IS, FROM_URL, 0, "'kid'"},
    {"kid is an array", TEST_P256, "{\"kid\":[\"a\"]}", NULL, AS_IS, FROM_URL, 0, "'kid'"},
    {"kid of 256 bytes", TEST_P256, "{\"kid\":\"" KID_256 "\"}", NULL, AS_IS, FROM_URL, BIT(ES256),
     NULL},
    {"kid of 257 bytes", TEST_P256, "{\"kid\":\"" KID_256 "k\"}", NULL, AS_IS, FROM_URL, 0,
     "'kid'"},
    {"kid is empty", TEST_P256, "{\"kid\":\"\"}", NULL, AS_IS, FROM_URL, BIT(ES256), NULL},
    {"kid of umlauts", TEST_P256, "{\"kid\":\"\xc3\xa4\\u00f6\"}", NULL, AS_IS, FROM_URL,
     BIT(ES256), NULL},

    /* the rest is not looked at */
    {"with a chain and a URL", TEST_P256,
     "{\"x5c\":[\"AAAA\"],\"x5u\":\"http://acme.example/\",\"x5t\":1,\"acme\":{}}", NULL, AS_IS,
     FROM_URL, BIT(ES256), NULL},
};

static json_t *changed_key(int i)
{
    json_t *jwk = test_jwk(keys[i].key);
    const char *name;
    json_t *value;

    if (keys[i].member)
        change(jwk, keys[i].member, keys[i].how);
    if (keys[i].edit) {
        OC_CLEANUP(oc_json_decrefp) json_t *edit = json_loads(keys[i].edit, 0, NULL);

        ck_assert_msg(edit != NULL, "%s: the edit", keys[i].name);
        json_object_foreach(edit, name, value)
        {
            if (json_is_null(value))
                json_object_del(jwk, name);
            else
                json_object_set(jwk, name, value);
        }
    }
    return jwk;
}

static void check_warnings(int i, const warnings_t *warnings, json_t *jwk)
{
    static const char *const secrets[] = {"k", "n", "x", "d"};
    bool warned = keys[i].algs == 0;

    ck_assert_msg(warnings->count == warned, "%s: %zu warnings, '%s'", keys[i].name,
                  warnings->count, warnings->last);
    if (!warned)
        return;
    ck_assert_msg(strncmp(warnings->last, "the set: key 1 is skipped: ", 27) == 0, "%s: '%s'",
                  keys[i].name, warnings->last);
    ck_assert_msg(strstr(warnings->last + 27, keys[i].says) != NULL, "%s: '%s'", keys[i].name,
                  warnings->last);
    for (size_t s = 0; s < COUNT(secrets); s++) {
        const char *text = json_string_value(json_object_get(jwk, secrets[s]));

        ck_assert_msg(!text || strlen(text) < 8 || !strstr(warnings->last, text), "%s: '%s'",
                      keys[i].name, warnings->last);
    }
}

/* In a set with another that is good: the one is skipped or not, the other is there. */
START_TEST(one_key_of_two)
{
    OC_CLEANUP(oc_json_decrefp) json_t *jwk = changed_key(_i);
    OC_CLEANUP(oc_freep)
    char *json = test_jwks(json_incref(jwk), test_jwk_named(TEST_ED25519_OTHER, "the other"), NULL);
    oc_keyset_t set = {0};
    warnings_t warnings = {0};
    oc_diag_t diag = {0};
    oc_err_t err = add(&set, json, keys[_i].from, &warnings, &diag);

    ck_assert_msg(err == OC_OK, "%s: %s", keys[_i].name, diag.message);
    ck_assert_msg(set.count == (keys[_i].algs ? 2 : 1), "%s: %zu keys, '%s'", keys[_i].name,
                  set.count, warnings.last);
    ck_assert_str_eq(set.keys[set.count - 1]->kid, "the other");
    if (keys[_i].algs) {
        const char *kid = json_string_value(json_object_get(jwk, "kid"));

        ck_assert_msg(set.keys[0]->algs == keys[_i].algs, "%s: algorithms %x", keys[_i].name,
                      set.keys[0]->algs);
        ck_assert_str_eq(set.keys[0]->source, "the set");
        ck_assert_msg(kid ? set.keys[0]->kid && strcmp(set.keys[0]->kid, kid) == 0
                          : !set.keys[0]->kid,
                      "%s: kid", keys[_i].name);
    }
    check_warnings(_i, &warnings, jwk);
    ck_assert_msg(ERR_peek_error() == 0, "%s: errors left", keys[_i].name);
    oc_keyset_done(&set);
}
END_TEST

/* By itself: a set without a usable key is an error, and what was there before stays as it was. */
START_TEST(one_key_alone)
{
    OC_CLEANUP(oc_json_decrefp) json_t *jwk = changed_key(_i);
    OC_CLEANUP(oc_freep) char *json = test_jwks(json_incref(jwk), NULL, NULL);
    oc_keyset_t set = {0};
    warnings_t warnings = {0};
    oc_diag_t diag = {0};
    const oc_key_t *first;
    oc_err_t err;

    test_keyset_add(&set, TEST_RSA_OTHER, "the first");
    first = set.keys[0];
    err = add(&set, json, keys[_i].from, &warnings, &diag);
    ck_assert_msg(err == (keys[_i].algs ? OC_OK : OC_E_CONFIG), "%s: %s", keys[_i].name,
                  diag.message);
    ck_assert_ptr_eq(set.keys[0], first);
    ck_assert_msg(set.count == (keys[_i].algs ? 2 : 1), "%s: %zu keys", keys[_i].name, set.count);
    if (err) {
        ck_assert_msg(diag.code == err && strstr(diag.message, "'the set' holds no usable key"),
                      "%s: '%s'", keys[_i].name, diag.message);
    }
    check_warnings(_i, &warnings, jwk);
    oc_keyset_done(&set);
}
END_TEST

/* --- Keys that were taken check what their private halves signed --- */

static const struct {
    const char *alg;
    enum test_key key;
    enum test_key other; /* of the same type */
} signers[] = {
    {"HS256", TEST_SECRET, TEST_SECRET},   {"HS512", TEST_SECRET, TEST_SECRET},
    {"RS256", TEST_RSA, TEST_RSA_OTHER},   {"PS512", TEST_RSA, TEST_RSA_OTHER},
    {"ES256", TEST_P256, TEST_P256_OTHER}, {"ES384", TEST_P384, TEST_P384},
    {"ES512", TEST_P521, TEST_P521},       {"EdDSA", TEST_ED25519, TEST_ED25519_OTHER},
    {"PS256", TEST_RSA, TEST_RSA_OTHER},   {"HS384", TEST_SECRET, TEST_SECRET},
};

START_TEST(keys_verify)
{
    static const unsigned char input[] = "eyJhbGciOiJ4In0.e30";
    const char *name = signers[_i].alg;
    oc_alg_t alg = oc_alg_parse(name, strlen(name));
    OC_CLEANUP(oc_freep) char *json = test_jwks(test_jwk_named(signers[_i].key, "k"), NULL, NULL);
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    oc_keyset_t set = {0};
    warnings_t warnings = {0};
    oc_key_t *key;
    size_t len;

    ck_assert_int_eq(add(&set, json, FROM_FILE, &warnings, NULL), OC_OK);
    key = test_keyset_get(&set, alg, "k");
    len = token_signature(name, &test_keys[signers[_i].key], input, sizeof input - 1, signature);
    ck_assert_msg(oc_key_verify(key, alg, input, sizeof input - 1, signature, len), "%s", name);
    ck_assert_msg(!oc_key_verify(key, alg, input, sizeof input - 2, signature, len), "%s", name);
    if (signers[_i].other != signers[_i].key) {
        len = token_signature(name, &test_keys[signers[_i].other], input, sizeof input - 1,
                              signature);
        ck_assert_msg(!oc_key_verify(key, alg, input, sizeof input - 1, signature, len),
                      "%s: other", name);
    }
    oc_keyset_done(&set);
}
END_TEST

/* --- Whole documents --- */

#define GOOD "{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}"

static const struct {
    const char *name;
    const char *json;
    const char *says; /* NULL: one key is taken */
} documents[] = {
    {"a set", "{\"keys\":[" GOOD "]}", NULL},
    {"white space around", " \r\n{\"keys\": [" GOOD "] }\n", NULL},
    {"more members", "{\"expires\":1,\"keys\":[" GOOD "],\"acme\":[]}", NULL},
    {"nothing", "", "no JWK set"},
    {"no JSON", "<html>Not found</html>", "no JWK set"},
    {"an array", "[" GOOD "]", "no JWK set"},
    {"null", "null", "no JWK set"},
    {"half of one", "{\"keys\":[" GOOD "]", "no JWK set"},
    {"something behind", "{\"keys\":[" GOOD "]}}", "no JWK set"},
    {"two sets", "{\"keys\":[" GOOD "]}{\"keys\":[]}", "no JWK set"},
    {"a byte order mark", "\xef\xbb\xbf{\"keys\":[" GOOD "]}", "no JWK set"},
    {"keys twice", "{\"keys\":[" GOOD "],\"keys\":[" GOOD "]}", "no JWK set"},
    {"a member of a key twice", "{\"keys\":[{\"kty\":\"oct\",\"kty\":\"oct\"}]}", "no JWK set"},
    {"no UTF-8", "{\"keys\":[" GOOD "],\"a\":\"\xff\"}", "no JWK set"},
    {"NUL in a text", "{\"keys\":[" GOOD "],\"a\":\"\\u0000\"}", "no JWK set"},
    {"a huge number", "{\"keys\":[" GOOD "],\"a\":1e999}", "number that is too large"},
    {"too deep",
     "{\"keys\":[" GOOD
     "],\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
     "levels"},
    {"an object", "{}", "'keys'"},
    {"a key alone", GOOD, "'keys'"},
    {"keys is an object", "{\"keys\":{\"a\":" GOOD "}}", "'keys'"},
    {"keys is null", "{\"keys\":null}", "'keys'"},
    {"Keys", "{\"Keys\":[" GOOD "]}", "'keys'"},
    {"no key", "{\"keys\":[]}", "no usable key"},
};

START_TEST(whole_documents)
{
    oc_keyset_t set = {0};
    warnings_t warnings = {0};
    oc_diag_t diag = {0};
    oc_err_t err = add(&set, documents[_i].json, FROM_FILE, &warnings, &diag);

    ck_assert_msg(err == (documents[_i].says ? OC_E_CONFIG : OC_OK), "%s: %s, %s",
                  documents[_i].name, oc_err_name(err), diag.message);
    ck_assert_msg(set.count == (documents[_i].says ? 0 : 1), "%s", documents[_i].name);
    if (documents[_i].says) {
        ck_assert_msg(strstr(diag.message, documents[_i].says) && strstr(diag.message, "'the set'"),
                      "%s: '%s'", documents[_i].name, diag.message);
        ck_assert_msg(!strstr(diag.message, "html"), "'%s'", diag.message);
    }
    ck_assert_uint_eq(warnings.count, 0);
    oc_keyset_done(&set);
}
END_TEST

/* A NUL byte ends nothing: the length counts. */
START_TEST(bytes_behind_a_nul)
{
    static const char json[] = "{\"keys\":[" GOOD "]}\0{}";
    const oc_jwks_options_t options = {"the set", true, NULL, NULL};
    oc_keyset_t set = {0};

    ck_assert_int_eq(oc_keyset_add_jwks(&set, json, strlen(json), &options, NULL), OC_OK);
    oc_keyset_done(&set);
    ck_assert_int_eq(oc_keyset_add_jwks(&set, json, sizeof json - 1, &options, NULL), OC_E_CONFIG);
    ck_assert_uint_eq(set.count, 0);
}
END_TEST

START_TEST(things_that_are_no_keys)
{
    static const char json[] = "{\"keys\":[1,null,\"a\",[],true," GOOD "]}";
    oc_keyset_t set = {0};
    warnings_t warnings = {0};

    ck_assert_int_eq(add(&set, json, FROM_FILE, &warnings, NULL), OC_OK);
    ck_assert_uint_eq(set.count, 1);
    ck_assert_uint_eq(warnings.count, 5);
    ck_assert_str_eq(warnings.last, "the set: key 5 is skipped: is no JSON object");
    oc_keyset_done(&set);
}
END_TEST

START_TEST(nobody_listens)
{
    static const char json[] = "{\"keys\":[1," GOOD "]}";
    const oc_jwks_options_t options = {"the set", true, NULL, NULL};
    oc_keyset_t set = {0};

    ck_assert_int_eq(oc_keyset_add_jwks(&set, json, strlen(json), &options, NULL), OC_OK);
    ck_assert_uint_eq(set.count, 1);
    oc_keyset_done(&set);
}
END_TEST

/* --- Key ids --- */

/* RFC 7517 §4.5: one key id for keys of different types is a choice between them, by alg. */
START_TEST(one_kid_for_two_algorithms)
{
    OC_CLEANUP(oc_freep)
    char *json = test_jwks(test_jwk_named(TEST_P256, "k"), test_jwk_named(TEST_RSA, "k"),
                           test_jwk_named(TEST_ED25519, "k"));
    oc_keyset_t set = {0};
    warnings_t warnings = {0};
    oc_key_t *key = NULL;

    ck_assert_int_eq(add(&set, json, FROM_URL, &warnings, NULL), OC_OK);
    ck_assert_uint_eq(set.count, 3);
    ck_assert_uint_eq(warnings.count, 0);
    ck_assert_ptr_eq(test_keyset_get(&set, OC_ALG_ES256, "k"), set.keys[0]);
    ck_assert_ptr_eq(test_keyset_get(&set, OC_ALG_PS256, "k"), set.keys[1]);
    ck_assert_ptr_eq(test_keyset_get(&set, OC_ALG_EDDSA, "k"), set.keys[2]);
    ck_assert_int_eq(oc_keyset_select(&set, OC_ALG_ES384, "k", &key, NULL), OC_E_ALG_NOT_ALLOWED);
    oc_keyset_done(&set);
}
END_TEST

START_TEST(one_kid_for_one_algorithm_twice)
{
    OC_CLEANUP(oc_freep)
    char *json = test_jwks(test_jwk_named(TEST_P256, "k"), test_jwk_named(TEST_P256_OTHER, "k"),
                           test_jwk_named(TEST_P256_OTHER, "K"));
    oc_keyset_t set = {0};
    warnings_t warnings = {0};

    ck_assert_int_eq(add(&set, json, FROM_URL, &warnings, NULL), OC_OK);
    ck_assert_uint_eq(set.count, 2);
    ck_assert_uint_eq(warnings.count, 1);
    ck_assert_str_eq(warnings.last, "the set: key 2 is skipped: two keys have the key id 'k'");
    ck_assert_str_eq(set.keys[1]->kid, "K");
    oc_keyset_done(&set);
}
END_TEST

/* Only the algorithms count: RS256 and PS256 of one key id are two keys. */
START_TEST(one_kid_and_alg)
{
    json_t *one = test_jwk_named(TEST_RSA, "k");
    json_t *two = test_jwk_named(TEST_RSA_OTHER, "k");
    json_t *three = test_jwk_named(TEST_RSA_OTHER, "k");
    OC_CLEANUP(oc_freep) char *json = NULL;
    oc_keyset_t set = {0};
    warnings_t warnings = {0};

    json_object_set_new(one, "alg", json_string("RS256"));
    json_object_set_new(two, "alg", json_string("PS256"));
    json = test_jwks(one, two, three);
    ck_assert_int_eq(add(&set, json, FROM_URL, &warnings, NULL), OC_OK);
    ck_assert_uint_eq(set.count, 2);
    ck_assert_uint_eq(warnings.count, 1);
    ck_assert_ptr_eq(test_keyset_get(&set, OC_ALG_PS256, "k"), set.keys[1]);
    oc_keyset_done(&set);
}
END_TEST

/* What another file or URL brought first stays. */
START_TEST(a_kid_of_another_set)
{
    OC_CLEANUP(oc_freep)
    char *json =
        test_jwks(test_jwk_named(TEST_P256_OTHER, "k"), test_jwk_named(TEST_ED25519, "e"), NULL);
    oc_keyset_t set = {0};
    warnings_t warnings = {0};
    const oc_key_t *first;

    test_keyset_add(&set, TEST_P256, "k");
    first = set.keys[0];
    ck_assert_int_eq(add(&set, json, FROM_URL, &warnings, NULL), OC_OK);
    ck_assert_uint_eq(set.count, 2);
    ck_assert_ptr_eq(test_keyset_get(&set, OC_ALG_ES256, "k"), first);
    oc_keyset_done(&set);
}
END_TEST

/* A key id is somebody else's text, and goes into the log. */
START_TEST(a_kid_in_a_warning)
{
    static const char kid[] = "k'\n1700000000: orgcast: keys read again";
    OC_CLEANUP(oc_freep)
    char *json =
        test_jwks(test_jwk_named(TEST_P256, kid), test_jwk_named(TEST_P256_OTHER, kid), NULL);
    oc_keyset_t set = {0};
    warnings_t warnings = {0};

    ck_assert_int_eq(add(&set, json, FROM_URL, &warnings, NULL), OC_OK);
    ck_assert_uint_eq(warnings.count, 1);
    ck_assert_msg(!strchr(warnings.last, '\n') && strstr(warnings.last, "'k\\x27\\x0a1700000000"),
                  "'%s'", warnings.last);
    oc_keyset_done(&set);
}
END_TEST

/* --- Limits --- */

START_TEST(so_many_keys)
{
    json_t *list = json_array();
    json_t *jwks = json_pack("{s:o}", "keys", list);
    OC_CLEANUP(oc_freep) char *json = NULL;
    oc_keyset_t set = {0};
    warnings_t warnings = {0};

    for (int i = 0; i < OC_KEYS_MAX + 3; i++) {
        char kid[16];

        (void)snprintf(kid, sizeof kid, "k%d", i);
        json_array_append_new(list, test_jwk_named(TEST_ED25519, kid));
    }
    json = json_dumps(jwks, JSON_COMPACT);
    json_decref(jwks);
    ck_assert_int_eq(add(&set, json, FROM_URL, &warnings, NULL), OC_OK);
    ck_assert_uint_eq(set.count, OC_KEYS_MAX);
    /* Said once. */
    ck_assert_uint_eq(warnings.count, 1);
    ck_assert_str_eq(warnings.last, "the set: key 257 is skipped: more than 256 keys");
    oc_keyset_done(&set);
}
END_TEST

static oc_err_t add_file(const char *path, oc_keyset_t *set, oc_diag_t *diag)
{
    const oc_jwks_options_t options = {path, true, NULL, NULL};

    return oc_keyset_add_jwks_file(set, &options, diag);
}

/* Its size alone refuses it, before any arithmetic: a number of so many bits would take OpenSSL seconds. */
START_TEST(rsa_of_too_many_bits)
{
    static char json[4096];
    unsigned char n[1026];
    char *text;
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};

    memset(n, 0xff, sizeof n);
    text = token_b64url(n, sizeof n);
    (void)snprintf(json, sizeof json, "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"}]}",
                   text);
    free(text);
    ck_assert_int_ne(add_file(scratch_file("set", json, strlen(json)), &set, &diag), OC_OK);
    ck_assert_uint_eq(set.count, 0);
}
END_TEST

START_TEST(so_many_bytes)
{
    static const char json[] = "{\"keys\":[" GOOD "]}";
    char *bytes = malloc(OC_JWKS_MAX_BYTES + 1);
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};

    ck_assert_uint_eq(OC_JWKS_MAX_BYTES, 1 << 20);
    memset(bytes, ' ', OC_JWKS_MAX_BYTES + 1);
    memcpy(bytes, json, sizeof json - 1); /* NOLINT(bugprone-not-null-terminated-result) */
    ck_assert_int_eq(add_file(scratch_file("set", bytes, OC_JWKS_MAX_BYTES), &set, &diag), OC_OK);
    ck_assert_uint_eq(set.count, 1);
    oc_keyset_done(&set);
    ck_assert_int_eq(add_file(scratch_file("set", bytes, OC_JWKS_MAX_BYTES + 1), &set, &diag),
                     OC_E_CONFIG);
    ck_assert_msg(strstr(diag.message, "1048576") != NULL, "'%s'", diag.message);
    ck_assert_uint_eq(set.count, 0);
    free(bytes);
}
END_TEST

START_TEST(files)
{
    const char *const paths[] = {scratch_path("missing"), scratch_path("."),
                                 scratch_file("empty", "", 0), scratch_file("text", "x", 1)};
    oc_keyset_t set = {0};

    for (size_t i = 0; i < COUNT(paths); i++) {
        oc_diag_t diag = {0};

        ck_assert_msg(add_file(paths[i], &set, &diag) == OC_E_CONFIG, "%s", paths[i]);
        ck_assert_msg(strstr(diag.message, paths[i]) != NULL, "'%s'", diag.message);
        ck_assert_uint_eq(set.count, 0);
    }
}
END_TEST

/* --- Published sets --- */

START_TEST(published_vectors)
{
    OC_CLEANUP(oc_json_decrefp)
    json_t *file = json_load_file(ORGCAST_VECTORS "/jwks.json", JSON_REJECT_DUPLICATES, NULL);
    json_t *vector = json_array_get(json_object_get(file, "vectors"), (size_t)_i);
    const char *source = json_string_value(json_object_get(vector, "source"));
    OC_CLEANUP(oc_freep) char *json = json_dumps(json_object_get(vector, "set"), 0);
    const json_t *want = json_object_get(vector, "keys");
    bool secrets = json_is_true(json_object_get(vector, "secrets"));

    for (int from = FROM_FILE; from <= FROM_URL; from++) {
        size_t count = secrets && from == FROM_URL ? 0 : json_array_size(want);
        json_int_t skipped =
            json_integer_value(json_object_get(vector, "skipped")) + (secrets && from == FROM_URL);
        oc_keyset_t set = {0};
        warnings_t warnings = {0};
        oc_diag_t diag = {0};
        oc_err_t err = add(&set, json, (enum from)from, &warnings, &diag);

        ck_assert_msg(err == (count ? OC_OK : OC_E_CONFIG), "%s: %s", source, diag.message);
        ck_assert_msg(set.count == count, "%s: %zu keys", source, set.count);
        ck_assert_msg((json_int_t)warnings.count == skipped, "%s: %zu warnings, '%s'", source,
                      warnings.count, warnings.last);
        for (size_t i = 0; i < count; i++) {
            const json_t *key = json_array_get(want, i);
            const char *kid = json_string_value(json_object_get(key, "kid"));
            oc_alg_set_t algs = 0;
            json_t *name;
            size_t a;

            json_array_foreach(json_object_get(key, "algs"), a, name) algs |=
                OC_ALG_BIT(oc_alg_parse(json_string_value(name), json_string_length(name)));
            ck_assert_msg(set.keys[i]->algs == algs, "%s: algorithms %x", source,
                          set.keys[i]->algs);
            ck_assert_msg(kid ? strcmp(set.keys[i]->kid, kid) == 0 : !set.keys[i]->kid, "%s: kid",
                          source);
        }
        oc_keyset_done(&set);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("jwk");

    tcase_add_unchecked_fixture(tcase, make, unmake);
    unit_add_table(tcase, one_key_of_two, keys);
    unit_add_table(tcase, one_key_alone, keys);
    unit_add_table(tcase, keys_verify, signers);
    unit_add_table(tcase, whole_documents, documents);
    tcase_add_test(tcase, bytes_behind_a_nul);
    tcase_add_test(tcase, things_that_are_no_keys);
    tcase_add_test(tcase, nobody_listens);
    tcase_add_test(tcase, one_kid_for_two_algorithms);
    tcase_add_test(tcase, one_kid_for_one_algorithm_twice);
    tcase_add_test(tcase, one_kid_and_alg);
    tcase_add_test(tcase, a_kid_of_another_set);
    tcase_add_test(tcase, a_kid_in_a_warning);
    tcase_add_test(tcase, so_many_keys);
    tcase_add_test(tcase, so_many_bytes);
    tcase_add_test(tcase, rsa_of_too_many_bits);
    tcase_add_test(tcase, files);
    tcase_add_loop_test(tcase, published_vectors, 0, 5);
    return unit_run("jwk", tcase);
}
