/* SPDX-License-Identifier: MIT */
/* tests/vectors/signatures.json: signatures that are wrong in the ways that Project Wycheproof tries. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#include "json.h"
#include "jwk.h"
#include "mem.h"
#include "unit.h"

static json_t *file;

static void make(void)
{
    file = json_load_file(ORGCAST_VECTORS "/signatures.json", JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(file);
}

static void unmake(void)
{
    json_decref(file);
}

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    ck_assert_msg(value != NULL, "no '%s'", name);
    return value;
}

static oc_err_t add(oc_keyset_t *set, json_t *jwk)
{
    const oc_jwks_options_t options = {"signatures.json", true, NULL, NULL};
    OC_CLEANUP(oc_json_decrefp) json_t *jwks = json_pack("{s:[O]}", "keys", jwk);
    OC_CLEANUP(oc_freep) char *json = json_dumps(jwks, 0);

    return oc_keyset_add_jwks(set, json, strlen(json), &options, NULL);
}

static bool verifies(oc_key_t *key, oc_alg_t alg, const char *input, const char *hex)
{
    long len = 0;
    unsigned char *bytes =
        *hex ? OPENSSL_hexstr2buf(hex, &len) : OPENSSL_zalloc(1); /* "" is an error to it */
    /* At its very length, so that a read behind it shows. */
    unsigned char *signature = malloc(len ? (size_t)len : 1);
    bool good;

    memcpy(signature, bytes, (size_t)len);
    good = oc_key_verify(key, alg, (const unsigned char *)input, strlen(input), signature,
                         (size_t)len);
    free(signature);
    OPENSSL_free(bytes);
    return good;
}

START_TEST(signatures)
{
    json_t *keys = json_object_get(file, "keys");
    const char *input = text(file, "input");
    const char *name;
    json_t *jwk;
    size_t checked = 0;
    size_t good = 0;

    json_object_foreach(keys, name, jwk)
    {
        oc_keyset_t set = {0};
        const json_t *item;
        size_t i;

        ck_assert_msg(add(&set, jwk) == OC_OK && set.count == 1, "%s", name);
        json_array_foreach(json_object_get(file, "cases"), i, item)
        {
            const char *alg_name = text(item, "alg");
            oc_alg_t alg = oc_alg_parse(alg_name, strlen(alg_name));
            bool want = json_is_true(json_object_get(item, "good"));

            if (strcmp(text(item, "key"), name) != 0)
                continue;
            unit_check(set.keys[0]->algs & OC_ALG_BIT(alg), "%s: alg", text(item, "name"));
            unit_check(verifies(set.keys[0], alg, input, text(item, "signature")) == want, "%s: %s",
                       text(item, "name"), want ? "refused" : "accepted");
            unit_check(ERR_peek_error() == 0, "%s: errors left", text(item, "name"));
            checked++;
            good += want;
        }
        oc_keyset_done(&set);
    }
    ck_assert_uint_eq(checked, json_array_size(json_object_get(file, "cases")));
    ck_assert_uint_ge(checked, 300);
    /* One of each algorithm, and of each curve the other s. */
    ck_assert_uint_eq(good, 13 + 3);
}
END_TEST

START_TEST(keys_under_which_anybody_could_sign)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(file, "refused_keys"), i, item)
    {
        oc_keyset_t set = {0};

        ck_assert_msg(add(&set, json_object_get(item, "jwk")) == OC_E_CONFIG && set.count == 0,
                      "%s", text(item, "name"));
    }
    ck_assert_uint_ge(i, 18);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("signature_vectors");

    tcase_add_unchecked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, signatures);
    tcase_add_test(tcase, keys_under_which_anybody_could_sign);
    return unit_run("signature_vectors", tcase);
}
