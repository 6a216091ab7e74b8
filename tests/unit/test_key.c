/* SPDX-License-Identifier: MIT */
/* Which key files are accepted, which key a token selects, and which signatures each key takes. What
 * signatures can be malformed in is in test_signature.c. */
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "key.h"
#include "scratch.h"
#include "test_jwks.h"
#include "test_keys.h"
#include "token_sign.h"
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

static const struct {
    const char *name;
    oc_alg_t alg;
} names[] = {
    {"HS256", OC_ALG_HS256},   {"HS384", OC_ALG_HS384}, {"HS512", OC_ALG_HS512},
    {"RS256", OC_ALG_RS256},   {"RS384", OC_ALG_RS384}, {"RS512", OC_ALG_RS512},
    {"PS256", OC_ALG_PS256},   {"PS384", OC_ALG_PS384}, {"PS512", OC_ALG_PS512},
    {"ES256", OC_ALG_ES256},   {"ES384", OC_ALG_ES384}, {"ES512", OC_ALG_ES512},
    {"EdDSA", OC_ALG_EDDSA},   {"none", OC_ALG_NONE},   {"None", OC_ALG_NONE},
    {"", OC_ALG_NONE},         {"hs256", OC_ALG_NONE},  {"HS25", OC_ALG_NONE},
    {"HS2567", OC_ALG_NONE},   {"HS256 ", OC_ALG_NONE}, {" HS256", OC_ALG_NONE},
    {"EDDSA", OC_ALG_NONE},    {"ES256K", OC_ALG_NONE}, {"ed25519", OC_ALG_NONE},
    {"RSA-OAEP", OC_ALG_NONE}, {"dir", OC_ALG_NONE},    {"HS1", OC_ALG_NONE},
    {"Ed448", OC_ALG_NONE},
};

START_TEST(algorithm_names)
{
    const char *name = names[_i].name;

    ck_assert_msg(oc_alg_parse(name, strlen(name)) == names[_i].alg, "'%s'", name);
    if (names[_i].alg != OC_ALG_NONE)
        ck_assert_str_eq(oc_alg_name(names[_i].alg), name);
}
END_TEST

/* RFC 9864 §2.2: the same algorithm. */
START_TEST(ed25519_is_eddsa)
{
    ck_assert_int_eq(oc_alg_parse("Ed25519", 7), OC_ALG_EDDSA);
    ck_assert_str_eq(oc_alg_name(OC_ALG_EDDSA), "EdDSA");
}
END_TEST

START_TEST(unknown_algorithms_are_none)
{
    ck_assert_str_eq(oc_alg_name(OC_ALG_NONE), "none");
    ck_assert_str_eq(oc_alg_name(OC_ALG_COUNT), "none");
    ck_assert_int_eq(oc_alg_parse("HS256\0", 6), OC_ALG_NONE);
}
END_TEST

enum form {
    PUBLIC,
    PRIVATE,
    CERTIFICATE,
    TEXT /* of the table */
};

static const struct {
    const char *name;
    enum form form;
    enum test_key key;
    const char *text;
    oc_alg_set_t algs; /* 0: refused */
    const char *says;
} public_files[] = {
    {"RSA", PUBLIC, TEST_RSA, NULL, RSA_ALGS, NULL},
    {"P-256", PUBLIC, TEST_P256, NULL, BIT(ES256), NULL},
    {"P-384", PUBLIC, TEST_P384, NULL, BIT(ES384), NULL},
    {"P-521", PUBLIC, TEST_P521, NULL, BIT(ES512), NULL},
    {"Ed25519", PUBLIC, TEST_ED25519, NULL, BIT(EDDSA), NULL},
    {"RSA certificate", CERTIFICATE, TEST_RSA, NULL, RSA_ALGS, NULL},
    {"P-256 certificate", CERTIFICATE, TEST_P256, NULL, BIT(ES256), NULL},
    {"Ed25519 certificate", CERTIFICATE, TEST_ED25519, NULL, BIT(EDDSA), NULL},
    {"RSA of 1024 bits", PUBLIC, TEST_RSA_1024, NULL, 0, "1024 bits"},
    {"certificate of RSA of 1024 bits", CERTIFICATE, TEST_RSA_1024, NULL, 0, "1024 bits"},
    {"secp256k1", PUBLIC, TEST_SECP256K1, NULL, 0, "curve 'secp256k1'"},
    {"X25519", PUBLIC, TEST_X25519, NULL, 0, "neither RSA"},
    {"DSA", PUBLIC, TEST_DSA, NULL, 0, "neither RSA"},
    {"RSA-PSS", PUBLIC, TEST_RSA_PSS, NULL, 0, "neither RSA"},
    {"RSA private", PRIVATE, TEST_RSA, NULL, 0, "private key"},
    {"P-256 private", PRIVATE, TEST_P256, NULL, 0, "private key"},
    {"Ed25519 private", PRIVATE, TEST_ED25519, NULL, 0, "private key"},
    {"no PEM", TEXT, 0, "0123456789abcdef0123456789abcdef", 0, "no PEM public key"},
    {"a newline", TEXT, 0, "\n", 0, "no PEM public key"},
    {"empty PEM", TEXT, 0, "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", 0,
     "no PEM public key"},
    {"broken PEM", TEXT, 0, "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0C\n", 0,
     "no PEM public key"},
    {"PEM of something else", TEXT, 0,
     "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 0, "no PEM public key"},
    {"empty", TEXT, 0, "", 0, "is empty"},
};

START_TEST(public_key_files)
{
    EVP_PKEY *pkey = test_keys[public_files[_i].key].pkey;
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};
    char *text = NULL;
    const char *path;
    oc_err_t err;

    switch (public_files[_i].form) {
    case PUBLIC:
        text = test_pem_public(pkey);
        break;
    case PRIVATE:
        text = test_pem_private(pkey);
        break;
    case CERTIFICATE:
        text = test_pem_certificate(pkey);
        break;
    case TEXT:
        text = strdup(public_files[_i].text);
        break;
    }
    path = scratch_file("public", text, strlen(text));
    err = oc_keyset_add_public_file(&set, path, "k", &diag);
    ck_assert_msg(err == (public_files[_i].algs ? OC_OK : OC_E_CONFIG), "%s: %s, %s",
                  public_files[_i].name, oc_err_name(err), diag.message);
    ck_assert_msg(oc_keyset_algs(&set) == public_files[_i].algs, "%s: algorithms %x",
                  public_files[_i].name, oc_keyset_algs(&set));
    if (public_files[_i].says) {
        ck_assert_msg(strstr(diag.message, public_files[_i].says) != NULL, "%s: '%s'",
                      public_files[_i].name, diag.message);
        ck_assert_msg(strstr(diag.message, path) != NULL, "%s: '%s'", public_files[_i].name,
                      diag.message);
    } else {
        for (int alg = OC_ALG_HS256; alg < OC_ALG_COUNT; alg++) {
            if (public_files[_i].algs & OC_ALG_BIT(alg))
                ck_assert_str_eq(test_keyset_get(&set, (oc_alg_t)alg, "k")->source, path);
        }
    }
    ck_assert_msg(ERR_peek_error() == 0, "%s: errors left", public_files[_i].name);
    oc_keyset_done(&set);
    free(text);
}
END_TEST

/* The points of small order, and their encodings above the field's prime: with one of these as the key,
 * anybody can sign. RFC 8032 leaves them to the one who takes keys. The sign bit makes no difference. */
static const char *const small_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void check_refused(EVP_PKEY *pkey, const char *name, const char *says)
{
    char *pem = test_pem_public(pkey);
    const char *path = scratch_file("weak", pem, strlen(pem));
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};

    ck_assert_msg(oc_keyset_add_pkey(&set, pkey, NULL, "weak", OC_ALG_ANY, &diag) == OC_E_CONFIG,
                  "%s", name);
    ck_assert_msg(strstr(diag.message, says) != NULL, "%s: '%s'", name, diag.message);
    ck_assert_msg(oc_keyset_add_public_file(&set, path, NULL, NULL) == OC_E_CONFIG, "%s: PEM",
                  name);
    ck_assert_uint_eq(set.count, 0);
    ck_assert_msg(ERR_peek_error() == 0, "%s: errors left", name);
    free(pem);
    EVP_PKEY_free(pkey);
}

START_TEST(ed25519_keys_of_small_order)
{
    for (int sign = 0; sign < 2; sign++) {
        unsigned char *x = OPENSSL_hexstr2buf(small_order[_i], NULL);

        x[31] |= (unsigned char)(sign << 7);
        check_refused(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, 32), small_order[_i],
                      "small order");
        OPENSSL_free(x);
    }
}
END_TEST

/* With 1 a signature is the padded digest itself; an even one is no RSA; a huge one costs the broker time. */
static const struct {
    const char *name;
    const char *e;
    bool good;
} exponents[] = {
    {"1", "AQ", false},
    {"2", "Ag", false},
    {"3", "Aw", true},
    {"65536", "AQAA", false},
    {"65537", "AQAB", true},
    {"2^64 - 1", "__________8", true},
    {"2^64 + 1", "AQAAAAAAAAAB", false},
};

START_TEST(rsa_exponents)
{
    BIGNUM *n = NULL;
    unsigned char bytes[256];
    char *text;
    EVP_PKEY *pkey;

    ck_assert_int_eq(EVP_PKEY_get_bn_param(test_keys[TEST_RSA].pkey, "n", &n), 1);
    BN_bn2binpad(n, bytes, sizeof bytes);
    text = token_b64url(bytes, sizeof bytes);
    pkey = test_jwk_rsa(text, exponents[_i].e);
    if (exponents[_i].good) {
        oc_keyset_t set = {0};

        ck_assert_msg(oc_keyset_add_pkey(&set, pkey, NULL, "rsa", OC_ALG_ANY, NULL) == OC_OK, "%s",
                      exponents[_i].name);
        oc_keyset_done(&set);
        EVP_PKEY_free(pkey);
    } else {
        check_refused(pkey, exponents[_i].name, "exponent");
    }
    free(text);
    BN_free(n);
}
END_TEST

/* --- Keys in the forms that files of keys have --- */

static char *whole(char *text, size_t *ret_len)
{
    *ret_len = strlen(text);
    return text;
}

static char *write_certificate(EVP_PKEY *pkey, size_t *ret_len)
{
    return whole(test_pem_certificate(pkey), ret_len);
}

static char *write_jwk(EVP_PKEY *pkey, size_t *ret_len)
{
    json_t *jwk = test_jwk(pkey == test_keys[TEST_RSA].pkey ? TEST_RSA : TEST_P256);
    char *text = json_dumps(jwk, JSON_INDENT(2));

    json_decref(jwk);
    return whole(text, ret_len);
}

static char *write_jwk_set(EVP_PKEY *pkey, size_t *ret_len)
{
    (void)pkey;
    return whole(test_jwks(test_jwk(TEST_RSA), NULL, NULL), ret_len);
}

static char *copy_der(unsigned char *der, int len, size_t *ret_len)
{
    char *copy;

    ck_assert_int_gt(len, 0);
    copy = malloc((size_t)len);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, der, (size_t)len);
    OPENSSL_free(der);
    *ret_len = (size_t)len;
    return copy;
}

static char *write_der(EVP_PKEY *pkey, size_t *ret_len)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);

    return copy_der(der, len, ret_len);
}

static char *write_pkcs1(EVP_PKEY *pkey, size_t *ret_len)
{
    unsigned char *der = NULL;
    int len = i2d_PublicKey(pkey, &der);

    return copy_der(der, len, ret_len);
}

static char *write_der_private(EVP_PKEY *pkey, size_t *ret_len)
{
    unsigned char *der = NULL;
    int len = i2d_PrivateKey(pkey, &der);

    return copy_der(der, len, ret_len);
}

static char *write_der_certificate(EVP_PKEY *pkey, size_t *ret_len)
{
    char *pem = test_pem_certificate(pkey);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);

    X509_free(certificate);
    BIO_free(bio);
    free(pem);
    return copy_der(der, len, ret_len);
}

static char *write_der_and_more(EVP_PKEY *pkey, size_t *ret_len)
{
    char *der = write_der(pkey, ret_len);

    der = realloc(der, *ret_len + 4);
    ck_assert_ptr_nonnull(der);
    memset(der + *ret_len, 'x', 4);
    *ret_len += 4;
    return der;
}

static char *write_base64(EVP_PKEY *pkey, size_t *ret_len)
{
    size_t len = 0;
    char *der = write_der(pkey, &len);
    char *text = calloc(2, len);

    ck_assert_ptr_nonnull(text);
    (void)EVP_EncodeBlock((unsigned char *)text, (unsigned char *)der, (int)len);
    free(der);
    return whole(text, ret_len);
}

/* The lines of a PEM file without the first and the last. */
static char *write_base64_lines(EVP_PKEY *pkey, size_t *ret_len)
{
    char *pem = test_pem_public(pkey);
    const char *first = strchr(pem, '\n') + 1;
    char *text = strndup(first, (size_t)(strstr(first, "-----END") - first));

    free(pem);
    return whole(text, ret_len);
}

/* A file in base64, as environment variables and Kubernetes secrets hold it. */
static char *base64_of(char *file, size_t len, size_t *ret_len)
{
    char *text = calloc(2, len + 2);

    ck_assert_ptr_nonnull(text);
    (void)EVP_EncodeBlock((unsigned char *)text, (unsigned char *)file, (int)len);
    free(file);
    return whole(text, ret_len);
}

static char *write_pem_base64(EVP_PKEY *pkey, size_t *ret_len)
{
    char *pem = test_pem_public(pkey);

    return base64_of(pem, strlen(pem), ret_len);
}

static char *write_jwk_base64(EVP_PKEY *pkey, size_t *ret_len)
{
    size_t len = 0;
    char *jwk = write_jwk(pkey, &len);

    return base64_of(jwk, len, ret_len);
}

static char *write_base64url(EVP_PKEY *pkey, size_t *ret_len)
{
    size_t len = 0;
    char *der = write_der(pkey, &len);
    char *text = token_b64url(der, len);

    free(der);
    return whole(text, ret_len);
}

/* RFC 8709 §4, of an Ed25519 key. */
static char *write_openssh_bytes(EVP_PKEY *pkey, size_t *ret_len)
{
    static const char head[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20";
    size_t len = 32;
    char *blob = malloc(sizeof head - 1 + len);

    ck_assert_ptr_nonnull(blob);
    memcpy(blob, head, sizeof head - 1);
    ck_assert_int_eq(
        EVP_PKEY_get_raw_public_key(pkey, (unsigned char *)blob + sizeof head - 1, &len), 1);
    *ret_len = sizeof head - 1 + len;
    return blob;
}

static char *write_openssh_bare(EVP_PKEY *pkey, size_t *ret_len)
{
    size_t len = 0;
    char *blob = write_openssh_bytes(pkey, &len);
    char *text = calloc(2, len);

    ck_assert_ptr_nonnull(text);
    (void)EVP_EncodeBlock((unsigned char *)text, (unsigned char *)blob, (int)len);
    free(blob);
    return whole(text, ret_len);
}

static char *framed(const char *before, EVP_PKEY *pkey, const char *after, size_t *ret_len)
{
    char *bare = write_openssh_bare(pkey, ret_len);
    char *text = NULL;

    ck_assert_int_ge(asprintf(&text, "%s%s%s\n", before, bare, after), 0);
    free(bare);
    return whole(text, ret_len);
}

static char *write_openssh(EVP_PKEY *pkey, size_t *ret_len)
{
    return framed("ssh-ed25519 ", pkey, " ops@example", ret_len);
}

static char *write_rfc4716(EVP_PKEY *pkey, size_t *ret_len)
{
    return framed("---- BEGIN SSH2 PUBLIC KEY ----\n", pkey, "\n---- END SSH2 PUBLIC KEY ----",
                  ret_len);
}

static const struct {
    const char *name;
    const char *prefix; /* written first */
    size_t len;         /* of the secret; SIZE_MAX: the public key of RSA instead */
    const char *suffix;
    oc_alg_set_t algs; /* 0: refused */
    const char *says;
} secret_files[] = {
    {"31 bytes", "", 31, "", 0, "31 bytes"},
    {"31 bytes and a newline", "", 31, "\n", 0, "31 bytes"},
    {"31 bytes and two newlines", "", 31, "\n\n", BIT(HS256), NULL},
    {"32 bytes", "", 32, "", BIT(HS256), NULL},
    {"32 bytes and a newline", "", 32, "\n", BIT(HS256), NULL},
    {"47 bytes", "", 47, "", BIT(HS256), NULL},
    {"47 bytes and a newline", "", 47, "\n", BIT(HS256), NULL},
    {"48 bytes", "", 48, "", BIT(HS256) | BIT(HS384), NULL},
    {"63 bytes and a newline", "", 63, "\n", BIT(HS256) | BIT(HS384), NULL},
    {"64 bytes", "", 64, "", HS_ALGS, NULL},
    {"a newline", "", 0, "\n", 0, "0 bytes"},
    {"nothing", "", 0, "", 0, "is empty"},
    {"PEM", "", SIZE_MAX, "", 0, "PEM"},
    {"PEM after a newline", "\n", SIZE_MAX, "", 0, "PEM"},
    {"PEM after a comment", "# the key of acme\n", SIZE_MAX, "", 0, "PEM"},
    {"PEM after a byte order mark", "\xef\xbb\xbf", SIZE_MAX, "", 0, "PEM"},
};

START_TEST(secret_key_files)
{
    bool pem = secret_files[_i].len == SIZE_MAX;
    char *key = pem ? test_pem_public(test_keys[TEST_RSA].pkey)
                    : strndup(test_secret, secret_files[_i].len);
    char *text = NULL;
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};
    oc_err_t err;

    ck_assert_int_ge(
        asprintf(&text, "%s%s%s", secret_files[_i].prefix, key, secret_files[_i].suffix), 0);
    err = oc_keyset_add_secret_file(&set, scratch_file("secret", text, strlen(text)), &diag);
    ck_assert_msg(err == (secret_files[_i].algs ? OC_OK : OC_E_CONFIG), "%s: %s, %s",
                  secret_files[_i].name, oc_err_name(err), diag.message);
    ck_assert_msg(oc_keyset_algs(&set) == secret_files[_i].algs, "%s: algorithms %x",
                  secret_files[_i].name, oc_keyset_algs(&set));
    if (secret_files[_i].says)
        ck_assert_msg(strstr(diag.message, secret_files[_i].says) != NULL, "%s: '%s'",
                      secret_files[_i].name, diag.message);
    /* No secret in what may be logged. */
    ck_assert_msg(secret_files[_i].len < 8 || !strstr(diag.message, "01234567"), "%s: '%s'",
                  secret_files[_i].name, diag.message);
    oc_keyset_done(&set);
    free(key);
    free(text);
}
END_TEST

/* What an operator may have at hand in place of a secret, each of them public or nearly so. */
static const struct {
    const char *name;
    char *(*write)(EVP_PKEY *pkey, size_t *ret_len);
    enum test_key key;
    const char *says;
} keys_as_secrets[] = {
    {"PEM certificate", write_certificate, TEST_P256, "PEM"},
    {"RFC 4716 public key", write_rfc4716, TEST_ED25519, "PEM"},
    {"JWK", write_jwk, TEST_P256, "JWK"},
    {"JWK set", write_jwk_set, TEST_RSA, "JWK"},
    {"public key in DER", write_der, TEST_RSA, "DER"},
    {"EC public key in DER", write_der, TEST_P256, "DER"},
    {"Ed25519 public key in DER", write_der, TEST_ED25519, "DER"},
    {"PKCS #1 public key in DER", write_pkcs1, TEST_RSA, "DER"},
    {"certificate in DER", write_der_certificate, TEST_P256, "DER"},
    {"private key in DER", write_der_private, TEST_P256, "DER"},
    {"DER and more", write_der_and_more, TEST_P256, "DER"},
    {"DER in base64", write_base64, TEST_RSA, "DER"},
    {"DER in base64 of several lines", write_base64_lines, TEST_RSA, "DER"},
    {"DER in base64url", write_base64url, TEST_P256, "DER"},
    {"PEM in base64", write_pem_base64, TEST_RSA, "PEM"},
    {"JWK in base64", write_jwk_base64, TEST_P256, "JWK"},
    {"OpenSSH public key", write_openssh, TEST_ED25519, "OpenSSH"},
    {"OpenSSH public key without its type", write_openssh_bare, TEST_ED25519, "OpenSSH"},
    {"OpenSSH public key in bytes", write_openssh_bytes, TEST_ED25519, "OpenSSH"},
};

/* CVE-2026-48526 in other libraries: whoever has the public key could sign. */
START_TEST(keys_are_no_secrets)
{
    size_t len = 0;
    char *text = keys_as_secrets[_i].write(test_keys[keys_as_secrets[_i].key].pkey, &len);
    const char *path = scratch_file("secret", text, len);
    const char *sources[] = {path, "a set"};

    for (size_t i = 0; i < COUNT(sources); i++) {
        oc_keyset_t set = {0};
        oc_diag_t diag = {0};
        oc_err_t err = i == 0 ? oc_keyset_add_secret_file(&set, path, &diag)
                              : oc_keyset_add_secret(&set, (unsigned char *)text, len, "k", "a set",
                                                     OC_ALG_ANY, &diag);

        ck_assert_msg(err == OC_E_CONFIG && set.count == 0, "%s: %s", keys_as_secrets[_i].name,
                      oc_err_name(err));
        ck_assert_msg(strstr(diag.message, keys_as_secrets[_i].says) &&
                          strstr(diag.message, sources[i]),
                      "%s: '%s'", keys_as_secrets[_i].name, diag.message);
        ck_assert_msg(ERR_peek_error() == 0, "%s: errors left", keys_as_secrets[_i].name);
    }
    free(text);
}
END_TEST

static const struct {
    const char *secret;
    bool good;
} guessable[] = {
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},      {"00000000000000000000000000000000", false},
    {"0123456012345601234560123456012345", false},    {"changemechangemechangemechangeme", false},
    {"0123456701234567012345670123456701", true},     {"31415926535897932384626433832795", true},
    {"correct horse battery staple, and more", true},
};

START_TEST(secrets_of_few_bytes)
{
    const char *secret = guessable[_i].secret;
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};
    oc_err_t err =
        oc_keyset_add_secret_file(&set, scratch_file("secret", secret, strlen(secret)), &diag);

    ck_assert_msg(err == (guessable[_i].good ? OC_OK : OC_E_CONFIG), "%s: %s", secret,
                  diag.message);
    ck_assert_msg(guessable[_i].good || strstr(diag.message, "different bytes"), "%s: '%s'", secret,
                  diag.message);
    oc_keyset_done(&set);
}
END_TEST

/* One newline, and only one, is not part of the secret. */
START_TEST(newline_after_a_secret)
{
    const token_key_t bare = {NULL, test_secret, 63};
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    size_t signature_len = token_signature("HS256", &bare, "input", 5, signature);

    for (int newlines = 0; newlines < 3; newlines++) {
        char text[70];
        oc_keyset_t set = {0};

        (void)snprintf(text, sizeof text, "%.63s%.*s", test_secret, newlines, "\n\n");
        ck_assert_int_eq(
            oc_keyset_add_secret_file(&set, scratch_file("secret", text, strlen(text)), NULL),
            OC_OK);
        ck_assert_msg(oc_key_verify(test_keyset_key(&set, TEST_SECRET), OC_ALG_HS256,
                                    (const unsigned char *)"input", 5, signature,
                                    signature_len) == (newlines < 2),
                      "%d newlines", newlines);
        oc_keyset_done(&set);
    }
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
    char *long_text = calloc(1, OC_KEY_FILE_MAX + 1);
    const char *paths[] = {scratch_path("missing"), scratch_path("."),
                           scratch_file("long", long_text, OC_KEY_FILE_MAX + 1)};

    for (size_t i = 0; i < COUNT(paths); i++) {
        oc_keyset_t set = {0};
        oc_diag_t diag = {0};

        ck_assert_msg(oc_keyset_add_public_file(&set, paths[i], NULL, &diag) == OC_E_CONFIG, "%s",
                      paths[i]);
        ck_assert_msg(strstr(diag.message, paths[i]) != NULL, "'%s'", diag.message);
        ck_assert_msg(oc_keyset_add_secret_file(&set, paths[i], NULL) == OC_E_CONFIG, "%s",
                      paths[i]);
        ck_assert_uint_eq(set.count, 0);
        oc_keyset_done(&set);
    }
    free(long_text);
}
END_TEST

START_TEST(a_key_id_is_given_once)
{
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};

    test_keyset_add(&set, TEST_P256, "one");
    test_keyset_add(&set, TEST_P256_OTHER, "One");
    test_keyset_add(&set, TEST_P256, NULL);
    test_keyset_add(&set, TEST_P256, NULL);
    ck_assert_int_eq(oc_keyset_add_public_file(&set, test_key_file(TEST_P256), "one", &diag),
                     OC_E_CONFIG);
    ck_assert_msg(strstr(diag.message, "'one'") != NULL, "'%s'", diag.message);
    ck_assert_uint_eq(set.count, 4);
    oc_keyset_done(&set);
}
END_TEST

START_TEST(so_many_keys)
{
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};
    const char *path = test_key_file(TEST_ED25519);

    for (int i = 0; i < OC_KEYS_MAX; i++)
        ck_assert_int_eq(oc_keyset_add_public_file(&set, path, NULL, &diag), OC_OK);
    ck_assert_int_eq(oc_keyset_add_public_file(&set, path, NULL, &diag), OC_E_CONFIG);
    ck_assert_msg(strstr(diag.message, "256") != NULL, "'%s'", diag.message);
    ck_assert_uint_eq(set.count, OC_KEYS_MAX);
    oc_keyset_done(&set);
    ck_assert_ptr_null(set.keys);
}
END_TEST

#define KEYS_MAX 4
#define END TEST_KEYS

/* Each set is added in order, each key with its name; want is an index, -1 for a refusal. */
static const struct {
    const char *name;
    enum test_key keys[KEYS_MAX];
    const char *kids[KEYS_MAX];
    oc_alg_t alg;
    const char *kid;
    int want;
    oc_err_t err;
} selections[] = {
    {"the only key", {TEST_RSA, END}, {0}, OC_ALG_RS256, NULL, 0, OC_OK},
    {"the only key, for a token with a kid", {TEST_RSA, END}, {0}, OC_ALG_PS512, "x", 0, OC_OK},
    {"the only key, for an empty kid", {TEST_RSA, END}, {0}, OC_ALG_RS256, "", 0, OC_OK},
    {"the only named key, no kid", {TEST_RSA, END}, {"a"}, OC_ALG_RS256, NULL, 0, OC_OK},
    {"named", {TEST_RSA, END}, {"a"}, OC_ALG_RS256, "a", 0, OC_OK},
    {"named otherwise", {TEST_RSA, END}, {"a"}, OC_ALG_RS256, "b", -1, OC_E_KEY_UNKNOWN},
    {"named in another case", {TEST_RSA, END}, {"a"}, OC_ALG_RS256, "A", -1, OC_E_KEY_UNKNOWN},
    {"named with more", {TEST_RSA, END}, {"a"}, OC_ALG_RS256, "ab", -1, OC_E_KEY_UNKNOWN},
    {"named with less", {TEST_RSA, END}, {"ab"}, OC_ALG_RS256, "a", -1, OC_E_KEY_UNKNOWN},
    {"named empty", {TEST_RSA, END}, {"a"}, OC_ALG_RS256, "", -1, OC_E_KEY_UNKNOWN},
    {"no key of the type", {TEST_RSA, END}, {0}, OC_ALG_ES256, NULL, -1, OC_E_KEY_UNKNOWN},
    {"no key of the curve", {TEST_P256, END}, {0}, OC_ALG_ES384, NULL, -1, OC_E_KEY_UNKNOWN},
    {"no key", {END}, {0}, OC_ALG_RS256, NULL, -1, OC_E_KEY_UNKNOWN},
    {"named, of another type", {TEST_RSA, END}, {"a"}, OC_ALG_ES256, "a", -1, OC_E_ALG_NOT_ALLOWED},
    {"named, of another curve",
     {TEST_P256, TEST_P384, END},
     {"a", "b"},
     OC_ALG_ES384,
     "a",
     -1,
     OC_E_ALG_NOT_ALLOWED},
    {"HMAC for the name of a public key",
     {TEST_SECRET, TEST_RSA, END},
     {NULL, "a"},
     OC_ALG_HS256,
     "a",
     -1,
     OC_E_ALG_NOT_ALLOWED},
    {"second of two named",
     {TEST_P256, TEST_P256_OTHER, END},
     {"a", "b"},
     OC_ALG_ES256,
     "b",
     1,
     OC_OK},
    {"first of two named",
     {TEST_P256, TEST_P256_OTHER, END},
     {"a", "b"},
     OC_ALG_ES256,
     "a",
     0,
     OC_OK},
    {"two named, no kid",
     {TEST_P256, TEST_P256_OTHER, END},
     {"a", "b"},
     OC_ALG_ES256,
     NULL,
     -1,
     OC_E_KEY_UNKNOWN},
    {"two unnamed, no kid",
     {TEST_P256, TEST_P256_OTHER, END},
     {0},
     OC_ALG_ES256,
     NULL,
     -1,
     OC_E_KEY_UNKNOWN},
    {"two unnamed, a kid",
     {TEST_P256, TEST_P256_OTHER, END},
     {0},
     OC_ALG_ES256,
     "a",
     -1,
     OC_E_KEY_UNKNOWN},
    {"one named and one not, no kid",
     {TEST_P256, TEST_P256_OTHER, END},
     {"a", NULL},
     OC_ALG_ES256,
     NULL,
     -1,
     OC_E_KEY_UNKNOWN},
    {"one named and one not, another kid: the unnamed",
     {TEST_P256, TEST_P256_OTHER, END},
     {"a", NULL},
     OC_ALG_ES256,
     "b",
     1,
     OC_OK},
    {"the unnamed first, then the named one that kid means",
     {TEST_P256, TEST_P256_OTHER, END},
     {NULL, "b"},
     OC_ALG_ES256,
     "b",
     1,
     OC_OK},
    {"one of each type, no kid",
     {TEST_SECRET, TEST_RSA, TEST_P256, TEST_ED25519},
     {0},
     OC_ALG_ES256,
     NULL,
     2,
     OC_OK},
    {"the secret among all",
     {TEST_ED25519, TEST_RSA, TEST_P256, TEST_SECRET},
     {0},
     OC_ALG_HS512,
     NULL,
     3,
     OC_OK},
    {"the type decides among unnamed, whatever the kid",
     {TEST_RSA, TEST_P256, TEST_P384, END},
     {0},
     OC_ALG_ES384,
     "x",
     2,
     OC_OK},
};

START_TEST(selection)
{
    oc_keyset_t set = {0};
    oc_key_t *key = NULL;
    oc_diag_t diag = {0};
    oc_err_t err;

    for (size_t i = 0; i < KEYS_MAX && selections[_i].keys[i] != END; i++)
        test_keyset_add(&set, selections[_i].keys[i], selections[_i].kids[i]);
    err = oc_keyset_select(&set, selections[_i].alg, selections[_i].kid, &key, &diag);
    ck_assert_msg(err == selections[_i].err, "%s: %s", selections[_i].name, oc_err_name(err));
    ck_assert_msg((key != NULL) == (selections[_i].want >= 0), "%s", selections[_i].name);
    if (key) {
        EVP_PKEY *want = test_keys[selections[_i].keys[selections[_i].want]].pkey;

        ck_assert_msg(want ? EVP_PKEY_eq(key->pkey, want) == 1 : key->pkey == NULL,
                      "%s: another key", selections[_i].name);
    }
    oc_keyset_done(&set);
}
END_TEST

/* Every signature under every key, said to be of every algorithm: good in one place. */
START_TEST(who_accepts_a_signature)
{
    static const struct {
        const char *alg;
        enum test_key key;
    } signers[] = {{"HS256", TEST_SECRET}, {"HS384", TEST_SECRET}, {"HS512", TEST_SECRET},
                   {"RS256", TEST_RSA},    {"RS384", TEST_RSA},    {"RS512", TEST_RSA},
                   {"PS256", TEST_RSA},    {"PS384", TEST_RSA},    {"PS512", TEST_RSA},
                   {"ES256", TEST_P256},   {"ES384", TEST_P384},   {"ES512", TEST_P521},
                   {"EdDSA", TEST_ED25519}};
    static const unsigned char input[] = "header.payload";
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    size_t len = token_signature(signers[_i].alg, &test_keys[signers[_i].key], input,
                                 sizeof input - 1, signature);
    oc_keyset_t set = {0};

    test_keyset_add_all(&set);
    for (int k = TEST_SECRET; k <= TEST_ED25519_OTHER; k++) {
        oc_key_t *key = test_keyset_key(&set, (enum test_key)k);

        for (int alg = OC_ALG_NONE; alg < OC_ALG_COUNT; alg++) {
            bool want = k == (int)signers[_i].key &&
                        strcmp(oc_alg_name((oc_alg_t)alg), signers[_i].alg) == 0;

            /* Twice, and once with another input between: the contexts are used again. */
            for (int turn = 0; turn < 3; turn++)
                ck_assert_msg(oc_key_verify(key, (oc_alg_t)alg, input,
                                            sizeof input - 1 - (turn == 1), signature,
                                            len) == (want && turn != 1),
                              "signed with %s, checked as %s by key %d, turn %d", signers[_i].alg,
                              oc_alg_name((oc_alg_t)alg), k, turn);
            ck_assert_uint_eq(ERR_peek_error(), 0);
        }
    }
    oc_keyset_done(&set);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("key");

    tcase_add_unchecked_fixture(tcase, make, unmake);
    unit_add_table(tcase, algorithm_names, names);
    tcase_add_test(tcase, ed25519_is_eddsa);
    tcase_add_test(tcase, unknown_algorithms_are_none);
    unit_add_table(tcase, public_key_files, public_files);
    unit_add_table(tcase, ed25519_keys_of_small_order, small_order);
    unit_add_table(tcase, rsa_exponents, exponents);
    unit_add_table(tcase, secret_key_files, secret_files);
    unit_add_table(tcase, keys_are_no_secrets, keys_as_secrets);
    unit_add_table(tcase, secrets_of_few_bytes, guessable);
    tcase_add_test(tcase, newline_after_a_secret);
    tcase_add_test(tcase, files_that_cannot_be_read);
    tcase_add_test(tcase, a_key_id_is_given_once);
    tcase_add_test(tcase, so_many_keys);
    unit_add_table(tcase, selection, selections);
    tcase_add_loop_test(tcase, who_accepts_a_signature, 0, OC_ALG_COUNT - 1);
    return unit_run("key", tcase);
}
