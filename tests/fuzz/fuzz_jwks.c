/* SPDX-License-Identifier: MIT */
/* A key set's bytes, as a file and as an answer from a URL. Whatever keys come of it keep the promises of
 * key.h, and none of them takes a signature that nobody made. */
#include <openssl/err.h>

#include "fuzz.h"
#include "jwk.h"
#include "scratch.h"
#include "test_keys.h"

static oc_keyset_t before; /* what the set holds already: one secret */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    scratch_open();
    MUST_HOLD(oc_keyset_add_secret_file(&before, scratch_file("secret", test_secret, 64), NULL) ==
              OC_OK);
    scratch_close();
    return 0;
}

static void count_warning(void *context, const char *message)
{
    size_t *warnings = context;

    (*warnings)++;
    MUST_HOLD(strncmp(message, "set: key ", 9) == 0);
}

/* No key bytes, no chance: as long as each algorithm wants it, of one byte repeated. */
static void check_forgeries(oc_key_t *key, oc_alg_t alg)
{
    static const unsigned char input[] = "eyJhbGciOiJ4In0.e30";
    static const unsigned char fill[] = {0x00, 0x01, 0xff};
    size_t len = key->pkey ? (size_t)EVP_PKEY_get_size(key->pkey) : (size_t)0;
    unsigned char signature[2048];

    if (!key->pkey)
        len = alg == OC_ALG_HS256 ? 32 : alg == OC_ALG_HS384 ? 48 : 64;
    else if (alg >= OC_ALG_ES256 && alg <= OC_ALG_ES512)
        len = alg == OC_ALG_ES256 ? 64 : alg == OC_ALG_ES384 ? 96 : 132;
    MUST_HOLD(len > 0 && len <= sizeof signature);
    for (size_t i = 0; i < sizeof fill; i++) {
        memset(signature, fill[i], len);
        MUST_HOLD(!oc_key_verify(key, alg, input, sizeof input - 1, signature, len));
    }
    /* The neutral point of Ed25519 and 0. */
    memset(signature, 0, len);
    signature[0] = 1;
    MUST_HOLD(!oc_key_verify(key, alg, input, sizeof input - 1, signature, len));
}

static void check_key(const oc_keyset_t *set, oc_key_t *key, bool from_file)
{
    MUST_HOLD(key->pkey || from_file);
    MUST_HOLD(key->algs != 0 && strcmp(key->source, "set") == 0);
    for (int alg = OC_ALG_HS256; alg < OC_ALG_COUNT; alg++) {
        oc_key_t *found = NULL;

        if (!(key->algs & OC_ALG_BIT(alg)))
            continue;
        MUST_HOLD((key->pkey == NULL) == (alg <= OC_ALG_HS512));
        if (key->kid) {
            MUST_HOLD(oc_keyset_select(set, (oc_alg_t)alg, key->kid, &found, NULL) == OC_OK);
            MUST_HOLD(found == key);
        }
        check_forgeries(key, (oc_alg_t)alg);
    }
}

static void check(const char *json, size_t len, bool from_file)
{
    size_t warnings = 0;
    const oc_jwks_options_t options = {"set", from_file, count_warning, &warnings};
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};
    oc_err_t err;

    MUST_HOLD(oc_keyset_share(&set, &before, NULL) == OC_OK);
    err = oc_keyset_add_jwks(&set, json, len, &options, &diag);
    MUST_HOLD(err == diag.code && (err == OC_OK || err == OC_E_CONFIG));
    MUST_HOLD(set.keys[0] == before.keys[0]);
    MUST_HOLD((err == OC_OK) == (set.count > 1) && set.count <= OC_KEYS_MAX + 1);
    for (size_t i = 1; i < set.count; i++)
        check_key(&set, set.keys[i], from_file);
    MUST_HOLD(ERR_peek_error() == 0);
    oc_keyset_done(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Exactly its length, so that reading behind it shows. */
    char *json = malloc(size ? size : 1);

    MUST_HOLD(json);
    if (size)
        memcpy(json, data, size);
    check(json, size, true);
    check(json, size, false);
    free(json);
    return 0;
}
