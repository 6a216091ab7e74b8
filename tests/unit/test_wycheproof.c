/* SPDX-License-Identifier: MIT */
/* tests/vectors/wycheproof.json: signatures of Project Wycheproof. The test names each verdict that differs. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

#include "b64url.h"
#include "json.h"
#include "key.h"
#include "mem.h"
#include "unit.h"

#define SHORT_SECRET "RFC 7518 §3.2: a secret is at least as long as the digest"
#define NO_NULL                                                                                    \
    "RFC 8017 §8.2.2: a verifier encodes the digest itself, with NULL, and compares the result"

/* Where Wycheproof says "valid" or "acceptable" and we refuse, and why. There is no other difference. */
static const struct {
    const char *file;
    json_int_t first, last;
    const char *why;
} differences[] = {
    {"hmac_sha256", 163, 165, SHORT_SECRET},      {"hmac_sha384", 163, 165, SHORT_SECRET},
    {"hmac_sha512", 163, 165, SHORT_SECRET},      {"rsa_signature_2048_sha256", 8, 8, NO_NULL},
    {"rsa_signature_2048_sha384", 8, 8, NO_NULL}, {"rsa_signature_2048_sha512", 8, 8, NO_NULL},
    {"rsa_signature_3072_sha256", 8, 8, NO_NULL}, {"rsa_signature_3072_sha384", 8, 8, NO_NULL},
    {"rsa_signature_3072_sha512", 8, 8, NO_NULL}, {"rsa_signature_4096_sha256", 8, 8, NO_NULL},
    {"rsa_signature_4096_sha384", 8, 8, NO_NULL}, {"rsa_signature_4096_sha512", 8, 8, NO_NULL},
};
#define VECTORS 4390

typedef struct bytes {
    unsigned char *data;
    size_t len;
} bytes_t;

/* Exactly as long as the data, so that a sanitizer sees a read past its end. */
static bytes_t decode(const json_t *text)
{
    size_t text_len = json_string_length(text);
    size_t cap = OC_B64URL_DECODED_MAX(text_len);
    bytes_t bytes = {malloc(cap + 1), 0};
    unsigned char *exact;

    ck_assert(oc_b64url_decode(json_string_value(text), text_len, bytes.data, cap, &bytes.len));
    exact = malloc(bytes.len ? bytes.len : 1);
    memcpy(exact, bytes.data, bytes.len);
    free(bytes.data);
    bytes.data = exact;
    return bytes;
}

/* As a key file is loaded. The set stays empty when the key is refused. */
static oc_keyset_t load(oc_alg_t alg, const json_t *text)
{
    oc_keyset_t set = {0};
    bytes_t bytes = decode(text);
    const unsigned char *at = bytes.data;
    oc_err_t err;

    if (oc_alg_secret_min(alg) > 0) {
        err = oc_keyset_add_secret(&set, bytes.data, bytes.len, NULL, "key", OC_ALG_ANY, NULL);
    } else {
        EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)bytes.len);

        ck_assert_ptr_nonnull(pkey);
        err = oc_keyset_add_pkey(&set, pkey, NULL, "key", OC_ALG_ANY, NULL);
        EVP_PKEY_free(pkey);
    }
    free(bytes.data);
    ck_assert_uint_eq(set.count, err == OC_OK ? 1 : 0);
    return set;
}

static bool verifies(const oc_keyset_t *keys, oc_alg_t alg, const json_t *test)
{
    bytes_t message = decode(json_array_get(test, 2));
    bytes_t signature = decode(json_array_get(test, 3));
    bool good = keys->count > 0 && oc_key_verify(keys->keys[0], alg, message.data, message.len,
                                                 signature.data, signature.len);

    free(message.data);
    free(signature.data);
    return good;
}

/* Why we refuse what Wycheproof does not; NULL: it is not listed. */
static const char *refused_because(const char *file, json_int_t id)
{
    for (size_t i = 0; i < COUNT(differences); i++) {
        if (strcmp(differences[i].file, file) == 0 && id >= differences[i].first &&
            id <= differences[i].last)
            return differences[i].why;
    }
    return NULL;
}

static void check(const char *file, oc_alg_t alg, const oc_keyset_t *keys, const json_t *test)
{
    json_int_t id = json_integer_value(json_array_get(test, 0));
    const char *verdict = json_string_value(json_array_get(test, 1));
    const char *why = refused_because(file, id);
    bool good = verifies(keys, alg, test);

    unit_check(ERR_peek_error() == 0, "%s %d: errors left", file, (int)id);
    if (why)
        unit_check(!good && strcmp(verdict, "invalid") != 0, "%s %d: no difference any more (%s)",
                   file, (int)id, why);
    else
        unit_check(strcmp(verdict, good ? "valid" : "invalid") == 0,
                   "%s %d: %s, but Wycheproof: %s (%s)", file, (int)id,
                   good ? "accepted" : "refused", verdict,
                   json_string_value(json_array_get(test, 4)));
}

/* Returns how many tests the set has. */
static size_t check_set(const json_t *set)
{
    const char *file = json_string_value(json_object_get(set, "file"));
    const json_t *name = json_object_get(set, "alg");
    oc_alg_t alg = oc_alg_parse(json_string_value(name), json_string_length(name));
    const json_t *group;
    const json_t *test;
    size_t count = 0;
    size_t i;
    size_t j;

    json_array_foreach(json_object_get(set, "groups"), i, group)
    {
        oc_keyset_t keys = load(alg, json_object_get(group, "key"));

        json_array_foreach(json_object_get(group, "tests"), j, test)
        {
            check(file, alg, &keys, test);
            count++;
        }
        oc_keyset_done(&keys);
    }
    return count;
}

START_TEST(wycheproof)
{
    OC_CLEANUP(oc_json_decrefp)
    json_t *file = json_load_file(ORGCAST_VECTORS "/wycheproof.json", JSON_REJECT_DUPLICATES, NULL);
    size_t of_alg[OC_ALG_COUNT] = {0};
    size_t count = 0;
    const json_t *set;
    size_t i;

    json_array_foreach(json_object_get(file, "sets"), i, set)
    {
        const json_t *name = json_object_get(set, "alg");
        size_t in_set = check_set(set);

        of_alg[oc_alg_parse(json_string_value(name), json_string_length(name))] += in_set;
        count += in_set;
    }
    for (int alg = OC_ALG_NONE + 1; alg < OC_ALG_COUNT; alg++)
        ck_assert_msg(of_alg[alg] > 0, "no vector of %s", oc_alg_name((oc_alg_t)alg));
    ck_assert_uint_eq(count, VECTORS);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("wycheproof");

    tcase_add_test(tcase, wycheproof);
    return unit_run("wycheproof", tcase);
}
