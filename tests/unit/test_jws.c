/* SPDX-License-Identifier: MIT */
/* What a token is, how long it may be, and the published examples. What can be wrong with one is in
 * test_tokens.c. */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "jws.h"
#include "scratch.h"
#include "test_keys.h"
#include "unit.h"

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

START_TEST(a_token_is_looked_at_up_to_its_limit)
{
    oc_jws_rules_t rules = {.algs = OC_ALG_BIT(OC_ALG_HS256)};
    oc_keyset_t keys = {0};
    char *token = token_sign("HS256", &test_keys[TEST_SECRET], "{\"alg\":\"HS256\"}", "{}");
    size_t len = strlen(token);
    json_t *claims = NULL;

    test_keyset_add(&keys, TEST_SECRET, NULL);
    rules.max_bytes = len;
    ck_assert_int_eq(oc_jws_verify(&rules, &keys, token, len, &claims, NULL), OC_OK);
    json_decref(claims);
    rules.max_bytes = len - 1;
    ck_assert_int_eq(oc_jws_verify(&rules, &keys, token, len, &claims, NULL), OC_E_TOKEN_TOO_LARGE);
    rules.max_bytes = 0;
    ck_assert_int_eq(oc_jws_verify(&rules, &keys, token, len, &claims, NULL), OC_E_TOKEN_TOO_LARGE);
    /* Whatever the rules say, no more than the buffers hold. */
    rules.max_bytes = SIZE_MAX;
    token = realloc(token, OC_JWS_MAX_BYTES + 1);
    memset(token + len, 'A', OC_JWS_MAX_BYTES + 1 - len);
    ck_assert_int_eq(oc_jws_verify(&rules, &keys, token, OC_JWS_MAX_BYTES + 1, &claims, NULL),
                     OC_E_TOKEN_TOO_LARGE);
    ck_assert_int_eq(oc_jws_verify(&rules, &keys, token, OC_JWS_MAX_BYTES, &claims, NULL),
                     OC_E_TOKEN_MALFORMED);
    free(token);
    oc_keyset_done(&keys);
}
END_TEST

/* --- The header, which is parsed before the signature is checked --- */

#define HEADER_MAX 10000

/* {"alg":"HS256","x":…} with the value made of `count` pieces. */
static oc_err_t open_header(const char *first, const char *piece, size_t count, const char *last)
{
    const oc_jws_rules_t rules = {OC_ALG_BIT(OC_ALG_HS256), OC_JWS_MAX_BYTES};
    char header[HEADER_MAX] = "{\"alg\":\"HS256\",\"x\":";
    size_t len = strlen(header);
    char *token;
    oc_jws_t jws = {0};
    oc_err_t err;

    len += (size_t)snprintf(header + len, sizeof header - len, "%s", first);
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(header + len, sizeof header - len, "%s", piece);
    (void)snprintf(header + len, sizeof header - len, "%s}", last);
    token = token_sign("HS256", &test_keys[TEST_SECRET], header, "{}");
    err = oc_jws_open(&rules, token, strlen(token), &jws, NULL);
    oc_jws_done(&jws);
    free(token);
    return err;
}

START_TEST(how_large_a_header_may_be)
{
    /* `{"alg":"HS256","x":""}` is 22 bytes, and 6144 bytes are 8192 of base64url. */
    ck_assert_int_eq(open_header("\"", "a", 6144 - 22, "\""), OC_OK);
    ck_assert_int_eq(open_header("\"", "a", 6145 - 22, "\""), OC_E_TOKEN_TOO_LARGE);
    /* The object, two names and their values, and the array's. */
    ck_assert_int_eq(open_header("[1", ",1", 57, "]"), OC_OK);
    ck_assert_int_eq(open_header("[1", ",1", 60, "]"), OC_E_TOKEN_MALFORMED);
    ck_assert_int_eq(open_header("[{}", ",{}", 1500, "]"), OC_E_TOKEN_MALFORMED);
    ck_assert_int_eq(open_header("{\"a\":1", ",\"b\":1", 800, "}"), OC_E_TOKEN_MALFORMED);
    /* What looks like values in a text is none. */
    ck_assert_int_eq(open_header("\"", "[{,:", 1000, "\""), OC_OK);
    ck_assert_int_eq(open_header("\"", "\\\"[", 1000, "\""), OC_OK);
}
END_TEST

static const struct {
    const char *text;
    bool shaped;
} shapes[] = {
    {"eyJh.eyJh.AAAA", true},
    {"IHsiYWxnIjoiSFMyNTYifQ.e30.AAAA", true},
    {"CXsK.e30.AAAA", true},
    {"DXsK.e30.AAAA", true},
    {"eyJ.e.A", true},
    {"eyJh._-_-.09az", true},
    {"", false},
    {".", false},
    {"..", false},
    {"...", false},
    {"eyJh", false},
    {"eyJh.eyJh", false},
    {"eyJh.eyJh.", false},
    {".eyJh.AAAA", false},
    {"eyJh..AAAA", false},
    {"eyJh.eyJh.AAAA.A", false},
    {"eyJh.eyJh.AA=", false},
    {"eyJh.ey+h.AAAA", false},
    {"ey h.eyJh.AAAA", false},
    {"xyJh.eyJh.AAAA", false},
    {"ey.eyJh.AAAA", false},
    {"www.acme.example", false},
    {"s3cret", false},
    {"eyJh.eyJh.AAAA\n", false},
    {" eyJh.eyJh.AAAA", false},
};

START_TEST(shaped_as_a_token)
{
    ck_assert_msg(oc_jws_shaped(shapes[_i].text, strlen(shapes[_i].text)) == shapes[_i].shaped,
                  "'%s'", shapes[_i].text);
}
END_TEST

/* The published examples, with nothing of ours but the key file around them. */
static void add_jwk(oc_keyset_t *set, const json_t *jwk)
{
#define MEMBER(name) json_string_value(json_object_get(jwk, name))
    const char *type = MEMBER("kty");
    EVP_PKEY *pkey;
    char *pem;

    if (strcmp(type, "oct") == 0) {
        unsigned char secret[256];
        size_t len = token_unb64url(MEMBER("k"), secret);

        ck_assert_int_eq(oc_keyset_add_secret_file(set, scratch_file("vector", secret, len), NULL),
                         OC_OK);
        return;
    }
    pkey = strcmp(type, "RSA") == 0  ? test_jwk_rsa(MEMBER("n"), MEMBER("e"))
           : strcmp(type, "EC") == 0 ? test_jwk_p256(MEMBER("x"), MEMBER("y"))
                                     : test_jwk_ed25519(MEMBER("x"));
    pem = test_pem_public(pkey);
    ck_assert_int_eq(
        oc_keyset_add_public_file(set, scratch_file("vector", pem, strlen(pem)), NULL, NULL),
        OC_OK);
    EVP_PKEY_free(pkey);
    free(pem);
}

START_TEST(published_vectors)
{
    json_t *file = json_load_file(ORGCAST_VECTORS "/jws.json", JSON_REJECT_DUPLICATES, NULL);
    const json_t *vector = json_array_get(json_object_get(file, "vectors"), (size_t)_i);
    const char *source = json_string_value(json_object_get(vector, "source"));
    const char *token = json_string_value(json_object_get(vector, "token"));
    const char *alg_name = json_string_value(json_object_get(vector, "alg"));
    const json_t *want = json_object_get(vector, "claims");
    oc_alg_t alg = oc_alg_parse(alg_name, strlen(alg_name));
    oc_jws_rules_t rules = {.algs = OC_ALG_BIT(alg), .max_bytes = 4096};
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    const char *last_dot = strrchr(token, '.');
    size_t len = token_unb64url(last_dot + 1, signature);
    oc_keyset_t set = {0};
    oc_key_t *key;
    json_t *claims = NULL;
    oc_err_t err;

    add_jwk(&set, json_object_get(vector, "key"));
    key = test_keyset_get(&set, alg, NULL);
    ck_assert_msg(oc_key_verify(key, alg, (const unsigned char *)token, (size_t)(last_dot - token),
                                signature, len),
                  "%s: signature", source);
    err = oc_jws_verify(&rules, &set, token, strlen(token), &claims, NULL);
    if (want)
        ck_assert_msg(err == OC_OK && json_equal(claims, (json_t *)want), "%s: %s", source,
                      oc_err_name(err));
    else
        ck_assert_msg(err == OC_E_TOKEN_MALFORMED, "%s: %s", source, oc_err_name(err));
    json_decref(claims);
    json_decref(file);
    oc_keyset_done(&set);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("jws");

    tcase_add_unchecked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, a_token_is_looked_at_up_to_its_limit);
    tcase_add_test(tcase, how_large_a_header_may_be);
    unit_add_table(tcase, shaped_as_a_token, shapes);
    tcase_add_loop_test(tcase, published_vectors, 0, 4);
    return unit_run("jws", tcase);
}
