/* SPDX-License-Identifier: MIT */
/* Signatures that are wrong in the ways that Project Wycheproof tries: values at the edges, other
 * encodings, other lengths, flipped bits. One good one goes first, so that each refusal means something. */
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "key.h"
#include "scratch.h"
#include "test_keys.h"
#include "unit.h"

static const unsigned char input[] = "eyJhbGciOiJ4In0.e30";
#define INPUT_LEN (sizeof input - 1)

static oc_keyset_t set;

static const struct {
    const char *alg;
    oc_alg_t id;
    enum test_key key;
} algs[] = {
    {"HS256", OC_ALG_HS256, TEST_SECRET},  {"HS384", OC_ALG_HS384, TEST_SECRET},
    {"HS512", OC_ALG_HS512, TEST_SECRET},  {"RS256", OC_ALG_RS256, TEST_RSA},
    {"RS384", OC_ALG_RS384, TEST_RSA},     {"RS512", OC_ALG_RS512, TEST_RSA},
    {"PS256", OC_ALG_PS256, TEST_RSA},     {"PS384", OC_ALG_PS384, TEST_RSA},
    {"PS512", OC_ALG_PS512, TEST_RSA},     {"ES256", OC_ALG_ES256, TEST_P256},
    {"ES384", OC_ALG_ES384, TEST_P384},    {"ES512", OC_ALG_ES512, TEST_P521},
    {"EdDSA", OC_ALG_EDDSA, TEST_ED25519},
};

static void make(void)
{
    scratch_open();
    test_keys_make();
    test_keyset_add_all(&set);
}

static void unmake(void)
{
    oc_keyset_done(&set);
    test_keys_free();
    scratch_close();
}

static bool accepts(int i, const unsigned char *signature, size_t len)
{
    /* On the heap at its very length, so that a read behind it shows. */
    unsigned char *copy = malloc(len ? len : 1);
    bool good;

    memcpy(copy, signature, len);
    good =
        oc_key_verify(test_keyset_key(&set, algs[i].key), algs[i].id, input, INPUT_LEN, copy, len);
    ck_assert_msg(ERR_peek_error() == 0, "%s: errors left", algs[i].alg);
    free(copy);
    return good;
}

static size_t sign(int i, unsigned char out[static TOKEN_SIGNATURE_MAX])
{
    size_t len = token_signature(algs[i].alg, &test_keys[algs[i].key], input, INPUT_LEN, out);

    ck_assert_msg(accepts(i, out, len), "%s: the good one", algs[i].alg);
    return len;
}

#define REFUSED(i, signature, len, what)                                                           \
    ck_assert_msg(!accepts(i, signature, len), "%s: accepted %s", algs[i].alg, what)

START_TEST(flipped_bits)
{
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    size_t len = sign(_i, signature);

    for (size_t at = 0; at < len; at++) {
        signature[at] ^= (unsigned char)(1 << at % 8);
        ck_assert_msg(!accepts(_i, signature, len), "%s: byte %zu", algs[_i].alg, at);
        signature[at] ^= (unsigned char)(1 << at % 8);
    }
    ck_assert(accepts(_i, signature, len));
}
END_TEST

START_TEST(other_lengths)
{
    unsigned char signature[TOKEN_SIGNATURE_MAX] = {0};
    size_t len = sign(_i, signature);
    unsigned char shifted[TOKEN_SIGNATURE_MAX] = {0};

    for (size_t cut = 0; cut < len; cut++)
        ck_assert_msg(!accepts(_i, signature, cut), "%s: cut to %zu", algs[_i].alg, cut);
    memset(signature + len, 0, 64);
    REFUSED(_i, signature, len + 1, "a zero behind");
    REFUSED(_i, signature, len + 2, "two zeros behind");
    REFUSED(_i, signature, len + 64, "many zeros behind");
    memcpy(shifted + 1, signature, len);
    REFUSED(_i, shifted, len + 1, "a zero before");
    REFUSED(_i, signature + 1, len, "moved by one");
    memcpy(signature + len, signature, len);
    REFUSED(_i, signature, 2 * len, "twice itself");
}
END_TEST

START_TEST(constant_bytes)
{
    static const unsigned char bytes[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    size_t len = sign(_i, signature);

    for (size_t i = 0; i < sizeof bytes; i++) {
        memset(signature, bytes[i], sizeof signature);
        ck_assert_msg(!accepts(_i, signature, len), "%s: all bytes %02x", algs[_i].alg, bytes[i]);
        ck_assert_msg(!accepts(_i, signature, sizeof signature), "%s: too many bytes %02x",
                      algs[_i].alg, bytes[i]);
    }
}
END_TEST

#define FIRST_EC 9
#define ECDSA_ALGS 3
#define FIRST_PSS 6

/* Big-endian r and s, each of the coordinate's length. */
static size_t raw(const BIGNUM *r, const BIGNUM *s, int coordinate, unsigned char *out)
{
    ck_assert_int_eq(BN_bn2binpad(r, out, coordinate), coordinate);
    ck_assert_int_eq(BN_bn2binpad(s, out + coordinate, coordinate), coordinate);
    return 2 * (size_t)coordinate;
}

START_TEST(ecdsa_values)
{
    static const char *const names[] = {"0",     "1",     "n",        "n - 1", "n + 1",
                                        "own r", "own s", "all ones", "p"};
    int i = FIRST_EC + _i;
    int coordinate = i == FIRST_EC ? 32 : i == FIRST_EC + 1 ? 48 : 66;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(i == FIRST_EC       ? NID_X9_62_prime256v1
                                                 : i == FIRST_EC + 1 ? NID_secp384r1
                                                                     : NID_secp521r1);
    const BIGNUM *n = EC_GROUP_get0_order(group);
    BIGNUM *values[COUNT(names)];
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    unsigned char ones[66];
    size_t len = sign(i, signature);

    memset(ones, 0xff, sizeof ones);
    for (size_t v = 0; v < COUNT(names); v++)
        values[v] = BN_new();
    BN_set_word(values[1], 1);
    BN_copy(values[2], n);
    BN_sub(values[3], n, values[1]);
    BN_add(values[4], n, values[1]);
    BN_bin2bn(signature, coordinate, values[5]);
    BN_bin2bn(signature + coordinate, coordinate, values[6]);
    BN_bin2bn(ones, coordinate, values[7]);
    BN_copy(values[8], EC_GROUP_get0_field(group));
    for (size_t r = 0; r < COUNT(names); r++) {
        for (size_t s = 0; s < COUNT(names); s++) {
            unsigned char other[TOKEN_SIGNATURE_MAX];

            ck_assert_uint_eq(raw(values[r], values[s], coordinate, other), len);
            ck_assert_msg(accepts(i, other, len) == (r == 5 && s == 6), "%s: r = %s, s = %s",
                          algs[i].alg, names[r], names[s]);
        }
    }
    for (size_t v = 0; v < COUNT(names); v++)
        BN_free(values[v]);
    EC_GROUP_free(group);
}
END_TEST

START_TEST(ecdsa_encodings)
{
    int i = FIRST_EC + _i;
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    unsigned char other[TOKEN_SIGNATURE_MAX] = {0};
    unsigned char *der = other;
    size_t len = sign(i, signature);
    int half = (int)(len / 2);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    int der_len;

    ECDSA_SIG_set0(sig, BN_bin2bn(signature, half, NULL), BN_bin2bn(signature + half, half, NULL));
    der_len = i2d_ECDSA_SIG(sig, &der);
    REFUSED(i, other, (size_t)der_len, "DER");
    REFUSED(i, other, len, "DER at the raw length");
    /* Both halves with a zero before: a larger curve's length, the same numbers. */
    raw(ECDSA_SIG_get0_r(sig), ECDSA_SIG_get0_s(sig), half + 1, other);
    REFUSED(i, other, len + 2, "wider halves");
    memcpy(other, signature + half, (size_t)half);
    memcpy(other + half, signature, (size_t)half);
    REFUSED(i, other, len, "s before r");
    ECDSA_SIG_free(sig);
}
END_TEST

/* RFC 8032 §5.1.7: S is below the group's order, so that nobody can make a second signature of one. */
START_TEST(ed25519_values)
{
    static const unsigned char order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                            0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                            0,    0,    0,    0,    0,    0,    0,    0,
                                            0,    0,    0,    0,    0,    0,    0,    0x10};
    int i = (int)COUNT(algs) - 1;
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    unsigned char other[64] = {1};
    size_t len = sign(i, signature);
    unsigned carry = 0;

    for (size_t at = 0; at < 32; at++) {
        carry += (unsigned)signature[32 + at] + order[at];
        other[32 + at] = (unsigned char)carry;
        carry >>= 8;
    }
    memcpy(other, signature, 32);
    REFUSED(i, other, len, "S + L");
    memcpy(other + 32, order, 32);
    REFUSED(i, other, len, "S = L");
    memset(other + 32, 0, 32);
    REFUSED(i, other, len, "S = 0");
    memset(other, 0, 32);
    other[0] = 1;
    REFUSED(i, other, len, "the neutral point and 0");
    memcpy(other + 32, signature + 32, 32);
    REFUSED(i, other, len, "the neutral point");
}
END_TEST

/* RFC 7518 §3.5: the salt is as long as the digest. */
START_TEST(pss_salt_lengths)
{
    static const struct {
        const char *name;
        int salt_len;
        bool good;
    } salts[] = {{"none", 0, false},
                 {"20", 20, false},
                 {"of the digest", RSA_PSS_SALTLEN_DIGEST, true},
                 {"the longest", RSA_PSS_SALTLEN_MAX, false}};
    int i = FIRST_PSS + _i;
    const char *digest = _i == 0 ? "SHA256" : _i == 1 ? "SHA384" : "SHA512";

    for (size_t s = 0; s < COUNT(salts); s++) {
        unsigned char signature[TOKEN_SIGNATURE_MAX];
        size_t len = sizeof signature;
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pkey_ctx = NULL;

        ck_assert_int_eq(EVP_DigestSignInit_ex(ctx, &pkey_ctx, digest, NULL, NULL,
                                               test_keys[TEST_RSA].pkey, NULL),
                         1);
        EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING);
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, salts[s].salt_len), 1);
        ck_assert_int_eq(EVP_DigestSign(ctx, signature, &len, input, INPUT_LEN), 1);
        EVP_MD_CTX_free(ctx);
        ck_assert_msg(accepts(i, signature, len) == salts[s].good, "%s: salt %s", algs[i].alg,
                      salts[s].name);
    }
}
END_TEST

/* The number itself, or what a key of the same size could at most hold. */
START_TEST(rsa_values)
{
    int i = 3 + _i;
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    unsigned char other[TOKEN_SIGNATURE_MAX];
    size_t len = sign(i, signature);
    BIGNUM *n = NULL;
    BIGNUM *value = BN_bin2bn(signature, (int)len, NULL);

    ck_assert_int_eq(EVP_PKEY_get_bn_param(test_keys[TEST_RSA].pkey, "n", &n), 1);
    BN_bn2binpad(n, other, (int)len);
    REFUSED(i, other, len, "n");
    BN_sub_word(n, 1);
    BN_bn2binpad(n, other, (int)len);
    REFUSED(i, other, len, "n - 1");
    BN_add_word(n, 1);
    BN_add(value, value, n);
    if (BN_num_bytes(value) <= (int)len) {
        BN_bn2binpad(value, other, (int)len);
        REFUSED(i, other, len, "the signature + n");
    }
    BN_bn2binpad(value, other, (int)len + 1);
    REFUSED(i, other, len + 1, "the signature + n, longer");
    BN_free(n);
    BN_free(value);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("signature");

    tcase_add_unchecked_fixture(tcase, make, unmake);
    unit_add_table(tcase, flipped_bits, algs);
    unit_add_table(tcase, other_lengths, algs);
    unit_add_table(tcase, constant_bytes, algs);
    tcase_add_loop_test(tcase, ecdsa_values, 0, ECDSA_ALGS);
    tcase_add_loop_test(tcase, ecdsa_encodings, 0, ECDSA_ALGS);
    tcase_add_test(tcase, ed25519_values);
    tcase_add_loop_test(tcase, pss_salt_lengths, 0, 3);
    tcase_add_loop_test(tcase, rsa_values, 0, 6);
    return unit_run("signature", tcase);
}
