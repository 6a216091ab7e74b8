/* SPDX-License-Identifier: MIT */
/* A token's bytes. One that begins with `!` is header, newline, payload and is signed here with the
 * secret, so that what is behind the signature is reached; any other is taken as it is, and must never be
 * found good, as its signature is a guess. */
#include <openssl/ec.h>
#include <openssl/err.h>

#include "fuzz.h"
#include "jws.h"
#include "scratch.h"
#include "test_keys.h"

static oc_keyset_t keys;
static const token_key_t signer = {NULL, test_secret, 64};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    EVP_PKEY *p256 = EVP_EC_gen("P-256");
    char *pem = test_pem_public(p256);

    (void)argc;
    (void)argv;
    scratch_open();
    MUST_HOLD(oc_keyset_add_secret_file(&keys, scratch_file("secret", test_secret, 64), NULL) ==
              OC_OK);
    MUST_HOLD(oc_keyset_add_public_file(&keys, scratch_file("public", pem, strlen(pem)), "k",
                                        NULL) == OC_OK);
    scratch_close();
    free(pem);
    EVP_PKEY_free(p256);
    return 0;
}

static void check(const char *token, size_t token_len, bool signed_here)
{
    const oc_jws_rules_t rules = {.algs = oc_keyset_algs(&keys), .max_bytes = 16384};
    json_t *claims = NULL;
    oc_diag_t diag = {0};
    oc_err_t err = oc_jws_verify(&rules, &keys, token, token_len, &claims, &diag);

    MUST_HOLD((err == OC_OK) == json_is_object(claims));
    MUST_HOLD(err == diag.code);
    MUST_HOLD(err != OC_OK || signed_here);
    MUST_HOLD(err != OC_OK || oc_jws_shaped(token, token_len));
    MUST_HOLD(ERR_peek_error() == 0);
    /* Not of the others: libFuzzer would put the messages themselves into them. */
    for (size_t i = 0; signed_here && i + 12 <= token_len; i++)
        MUST_HOLD(!memmem(diag.message, strlen(diag.message), token + i, 12));
    json_decref(claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *token;

    if (size > 0 && data[0] == '!') {
        const uint8_t *header = data + 1;
        const uint8_t *newline = memchr(header, '\n', size - 1);
        size_t header_len = newline ? (size_t)(newline - header) : size - 1;
        size_t payload_len = newline ? size - 2 - header_len : 0;

        token = token_sign_bytes("HS256", &signer, header, header_len,
                                 newline ? newline + 1 : header, payload_len);
        check(token, strlen(token), true);
    } else {
        /* Exactly its length, so that reading behind it shows. */
        token = malloc(size ? size : 1);
        MUST_HOLD(token);
        if (size)
            memcpy(token, data, size);
        check(token, size, false);
    }
    free(token);
    return 0;
}
