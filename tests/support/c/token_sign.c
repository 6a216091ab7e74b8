/* SPDX-License-Identifier: MIT */
#include "token_sign.h"

#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition) must((condition), #condition, __LINE__)

static void must(bool good, const char *what, int line)
{
    if (good)
        return;
    fprintf(stderr, "token_sign.c:%d: failed: %s\n", line, what);
    abort();
}

char *token_b64url(const void *bytes, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *in = bytes;
    char *text = malloc(len / 3 * 4 + 5);
    char *out = text;
    unsigned bits = 0;
    int count = 0;

    MUST(text != NULL);
    for (size_t i = 0; i < len; i++) {
        bits = (bits << 8 | in[i]) & 0xffff;
        for (count += 8; count >= 6; count -= 6)
            *out++ = alphabet[bits >> (count - 6) & 63];
    }
    if (count > 0)
        *out++ = alphabet[bits << (6 - count) & 63];
    *out = '\0';
    return text;
}

size_t token_unb64url(const char *text, unsigned char *out)
{
    unsigned bits = 0;
    int count = 0;
    size_t len = 0;

    for (; *text; text++) {
        char c = *text;

        bits = (bits << 6 | (unsigned)(c >= 'a'   ? c - 'a' + 26
                                       : c == '_' ? 63
                                       : c >= 'A' ? c - 'A'
                                       : c >= '0' ? c - '0' + 52
                                                  : 62)) &
               0xffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[len++] = (unsigned char)(bits >> count & 0xff);
        }
    }
    return len;
}

static const char *digest_of(const char *alg)
{
    if (strcmp(alg, "EdDSA") == 0)
        return NULL;
    MUST(strlen(alg) == 5);
    return strcmp(alg + 2, "256") == 0   ? "SHA256"
           : strcmp(alg + 2, "384") == 0 ? "SHA384"
                                         : "SHA512";
}

/* RFC 7518 §3.4: r and s, big-endian, each as long as the coordinate. */
static size_t ecdsa_raw(const char *alg, const token_key_t *key, const unsigned char *der,
                        size_t der_len, unsigned char *out)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    int coordinate = strcmp(alg, "ES512") == 0 ? 66 : strcmp(alg, "ES384") == 0 ? 48 : 32;
    int own = (EVP_PKEY_get_bits(key->pkey) + 7) / 8;

    if (own > coordinate)
        coordinate = own;
    MUST(sig != NULL);
    MUST(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, coordinate) == coordinate);
    MUST(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + coordinate, coordinate) == coordinate);
    ECDSA_SIG_free(sig);
    return 2 * (size_t)coordinate;
}

size_t token_signature(const char *alg, const token_key_t *key, const void *input, size_t input_len,
                       unsigned char out[static TOKEN_SIGNATURE_MAX])
{
    const char *digest = digest_of(alg);
    unsigned char der[TOKEN_SIGNATURE_MAX];
    size_t len = sizeof der;
    EVP_MD_CTX *ctx;
    EVP_PKEY_CTX *pkey_ctx = NULL;

    if (!key->pkey) {
        unsigned mac_len = 0;

        MUST(HMAC(EVP_get_digestbyname(digest), key->secret, (int)key->secret_len, input, input_len,
                  out, &mac_len) != NULL);
        return mac_len;
    }
    ctx = EVP_MD_CTX_new();
    MUST(ctx != NULL);
    MUST(EVP_DigestSignInit_ex(ctx, &pkey_ctx, digest, NULL, NULL, key->pkey, NULL) == 1);
    if (alg[0] == 'P') {
        MUST(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) == 1);
        MUST(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
    }
    MUST(EVP_DigestSign(ctx, der, &len, input, input_len) == 1);
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_get_base_id(key->pkey) == EVP_PKEY_EC)
        return ecdsa_raw(alg, key, der, len, out);
    memcpy(out, der, len);
    return len;
}

char *token_sign_bytes(const char *alg, const token_key_t *key, const void *header,
                       size_t header_len, const void *payload, size_t payload_len)
{
    char *header_text = token_b64url(header, header_len);
    char *payload_text = token_b64url(payload, payload_len);
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    char *input = NULL;
    char *signature_text;
    char *token = NULL;
    int input_len = asprintf(&input, "%s.%s", header_text, payload_text);

    MUST(input_len > 0);
    signature_text = token_b64url(
        signature, alg ? token_signature(alg, key, input, (size_t)input_len, signature) : 0);
    MUST(asprintf(&token, "%s.%s", input, signature_text) > 0);
    free(header_text);
    free(payload_text);
    free(input);
    free(signature_text);
    return token;
}

char *token_sign(const char *alg, const token_key_t *key, const char *header, const char *payload)
{
    return token_sign_bytes(alg, key, header, strlen(header), payload, strlen(payload));
}
