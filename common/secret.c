/* SPDX-License-Identifier: MIT */
#include "secret.h"

#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "b64url.h"

/* Each file of such a key contains one of these texts, and no random secret does. */
static const struct {
    const char *text, *form;
} marks[] = {
    {"-----BEGIN ", "PEM"},
    {"---- BEGIN ", "PEM"}, /* RFC 4716 §3.2 */
    {"PuTTY-User-Key-File", "PuTTY"},
    {"\"kty\"", "JWK"}, /* RFC 7517 §4.1: every JWK has it, in a set too */
    {"ssh-rsa", "OpenSSH"},
    {"ssh-dss", "OpenSSH"},
    {"ssh-ed25519", "OpenSSH"},
    {"ssh-ed448", "OpenSSH"},
    {"ecdsa-sha2-nistp", "OpenSSH"},
    /* RFC 4253 §6.6 in base64: the length of the type, then the type: ssh-…, ecdsa-sha2-…. */
    {"AAAAB3NzaC", "OpenSSH"},
    {"AAAAC3NzaC", "OpenSSH"},
    {"AAAACXNzaC", "OpenSSH"},
    {"AAAAE2VjZHNh", "OpenSSH"},
};

static const char *marked_form(const unsigned char *secret, size_t secret_len)
{
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (memmem(secret, secret_len, marks[i].text, strlen(marks[i].text)))
            return marks[i].form;
    }
    return NULL;
}

/* A public or private key in any of OpenSSL's structures, or a certificate. */
static bool is_der(const unsigned char *bytes, size_t len)
{
    const unsigned char *at = bytes;
    size_t left = len;
    EVP_PKEY *pkey = NULL;
    X509 *certificate = NULL;
    OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(&pkey, "DER", NULL, NULL, 0, NULL, NULL);
    bool found = ctx && OSSL_DECODER_from_data(ctx, &at, &left) == 1;

    at = bytes;
    if (!found)
        certificate = d2i_X509(NULL, &at, (long)len);
    found = found || certificate;
    X509_free(certificate);
    EVP_PKEY_free(pkey);
    OSSL_DECODER_CTX_free(ctx);
    ERR_clear_error();
    return found;
}

/* Base64 of either alphabet, without its white space and padding, as base64url. Returns the length. */
static size_t to_b64url(const unsigned char *text, size_t text_len, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < text_len; i++) {
        if (!strchr(" \t\r\n=", text[i]))
            out[len++] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    }
    return len;
}

/* The body of a PEM file without its frame, as Keycloak shows the public key of a realm. */
static oc_err_t check_base64(const unsigned char *secret, size_t secret_len, bool *ret_der)
{
    char *text = malloc(secret_len);
    unsigned char *bytes = malloc(secret_len);
    size_t len = 0;
    oc_err_t err = text && bytes ? OC_OK : OC_E_NOMEM;

    if (!err)
        *ret_der =
            oc_b64url_decode(text, to_b64url(secret, secret_len, text), bytes, secret_len, &len) &&
            is_der(bytes, len);
    if (text)
        OPENSSL_cleanse(text, secret_len);
    if (bytes)
        OPENSSL_cleanse(bytes, secret_len);
    free(text);
    free(bytes);
    return err;
}

static int count_different(const unsigned char *secret, size_t secret_len)
{
    bool seen[256] = {false};
    int count = 0;

    for (size_t i = 0; i < secret_len; i++) {
        count += !seen[secret[i]];
        seen[secret[i]] = true;
    }
    return count;
}

oc_err_t oc_secret_check(const unsigned char *secret, size_t secret_len, const char *source,
                         oc_diag_t *diag)
{
    const char *form = marked_form(secret, secret_len);
    int different = count_different(secret, secret_len);
    bool der = is_der(secret, secret_len);

    if (different < OC_SECRET_BYTES_MIN)
        return oc_fail(diag, OC_E_CONFIG,
                       "'%.120s' can be guessed: it has %d different bytes, and needs at least %d; "
                       "make one with: openssl rand -base64 48",
                       source, different, OC_SECRET_BYTES_MIN);
    if (!form && !der && check_base64(secret, secret_len, &der) != OC_OK)
        return oc_fail(diag, OC_E_NOMEM, "out of memory while loading the key '%s'", source);
    if (!form && der)
        form = "DER";
    if (form)
        return oc_fail(
            diag, OC_E_CONFIG,
            "'%.120s' holds a key in %s form, not an HMAC secret; name a public key with "
            "jwt_public_key_file or jwks_file",
            source, form);
    return OC_OK;
}
