/* SPDX-License-Identifier: MIT */
/* Tokens as an attacker would make them, through signature and claims: for each the reason, no byte of
 * it in what is logged, and nothing left in OpenSSL's error queue. */
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "identity.h"
#include "json.h"
#include "jws.h"
#include "mem.h"
#include "scratch.h"
#include "test_keys.h"
#include "unit.h"

#define NOW_S 1000000
#define MAX_BYTES 4096

static oc_keyset_t keys;
static oc_jws_rules_t jws_rules = {.max_bytes = MAX_BYTES};
static const oc_claim_rules_t claim_rules = {
    .leeway_s = 30,
    .max_orgs = 64,
    .org_claim = "/org_id",
    .scope_claim = "/scope",
    .username_claim = "/sub",
    .publish_scope = "invoices:publish",
    .subscribe_scope = "",
    .any_org_scope = "orgcast:any-org",
    .admin_scope = "orgcast:admin",
};

/* One key of each type, the secret without a newline. */
static void make(void)
{
    static const enum test_key held[] = {TEST_SECRET, TEST_RSA,  TEST_P256,
                                         TEST_P384,   TEST_P521, TEST_ED25519};

    scratch_open();
    test_keys_make();
    for (size_t i = 0; i < COUNT(held); i++)
        test_keyset_add(&keys, held[i], NULL);
    jws_rules.algs = oc_keyset_algs(&keys) & ~OC_ALG_BIT(OC_ALG_HS512);
}

static void unmake(void)
{
    oc_keyset_done(&keys);
    test_keys_free();
    scratch_close();
}

/* Secrets that an attacker may try, after the last of test_keys. */
enum {
    PEM_SECRET = TEST_KEYS,
    PEM_SECRET_NO_NEWLINE,
    CERTIFICATE_SECRET,
    EMPTY_SECRET,
    NUL_SECRET,
    OTHER_SECRET
};

static char *sign(const char *alg, int key, const char *header, const char *payload)
{
    static const char zeros[64];
    char *text = key == CERTIFICATE_SECRET ? test_pem_certificate(test_keys[TEST_RSA].pkey)
                                           : test_pem_public(test_keys[TEST_RSA].pkey);
    token_key_t signer = {NULL, text, strlen(text)};
    char *token;

    if (key < TEST_KEYS)
        signer = test_keys[key];
    else if (key == PEM_SECRET_NO_NEWLINE)
        signer.secret_len--;
    else if (key == EMPTY_SECRET)
        signer.secret_len = 0;
    else if (key == NUL_SECRET)
        signer = (token_key_t){NULL, zeros, sizeof zeros};
    else if (key == OTHER_SECRET)
        signer = (token_key_t){NULL, test_secret, 63};
    token = token_sign(alg, &signer, header, payload);
    free(text);
    return token;
}

/* What is done to a finished token; the length counts, for NUL bytes. */
typedef struct text {
    char bytes[MAX_BYTES * 2];
    size_t len;
} text_t;

static void insert(text_t *t, size_t at, const char *bytes, size_t len)
{
    memmove(t->bytes + at + len, t->bytes + at, t->len - at);
    memcpy(t->bytes + at, bytes, len);
    t->len += len;
}

static void erase(text_t *t, size_t at, size_t len)
{
    memmove(t->bytes + at, t->bytes + at + len, t->len - at - len);
    t->len -= len;
}

static size_t dot(const text_t *t, int which)
{
    const char *at = t->bytes - 1;

    for (int i = 0; i < which; i++)
        at = memchr(at + 1, '.', t->len);
    return (size_t)(at - t->bytes);
}

static void no_signature(text_t *t)
{
    t->len = dot(t, 2) + 1;
}
static void no_second_dot(text_t *t)
{
    t->len = dot(t, 2);
}
static void header_alone(text_t *t)
{
    t->len = dot(t, 1);
}
static void empty(text_t *t)
{
    t->len = 0;
}
static void dots(text_t *t)
{
    memset(t->bytes, '.', t->len = 2);
}
static void one_dot(text_t *t)
{
    t->bytes[0] = '.';
    t->len = 1;
}
static void fourth_segment(text_t *t)
{
    insert(t, t->len, ".AAAA", 5);
}
static void dot_behind(text_t *t)
{
    insert(t, t->len, ".", 1);
}
static void dot_before(text_t *t)
{
    insert(t, 0, ".", 1);
}
static void space_before(text_t *t)
{
    insert(t, 0, " ", 1);
}
static void newline_behind(text_t *t)
{
    insert(t, t->len, "\n", 1);
}
static void bearer_before(text_t *t)
{
    insert(t, 0, "Bearer ", 7);
}
static void nul_behind(text_t *t)
{
    insert(t, t->len, "\0", 1);
}
static void nul_in_payload(text_t *t)
{
    insert(t, dot(t, 1) + 3, "\0", 1);
}
static void pad_header(text_t *t)
{
    insert(t, dot(t, 1), "=", 1);
}
static void pad_payload(text_t *t)
{
    insert(t, dot(t, 2), "=", 1);
}
static void pad_signature(text_t *t)
{
    insert(t, t->len, "=", 1);
}
static void no_header(text_t *t)
{
    erase(t, 0, dot(t, 1));
}
static void no_payload(text_t *t)
{
    erase(t, dot(t, 1) + 1, dot(t, 2) - dot(t, 1) - 1);
}
static void flip_payload(text_t *t)
{
    t->bytes[dot(t, 1) + 5] ^= 1;
}
static void flip_header(text_t *t)
{
    insert(t, dot(t, 1), "IA", 2); /* a space behind an object of 15 bytes */
}
static void standard_alphabet(text_t *t)
{
    t->bytes[t->len - 3] = '+';
}
/* The same signature bytes, with a leftover bit set: 64 bytes end in two characters, 4 bits over. */
static void loose_signature(text_t *t)
{
    t->bytes[t->len - 1]++;
}
static void truncated(text_t *t)
{
    t->len -= 2;
}
static void doubled(text_t *t)
{
    insert(t, t->len, t->bytes, t->len);
}
static void too_long(text_t *t)
{
    memset(t->bytes + t->len, 'A', sizeof t->bytes - t->len);
    t->len = MAX_BYTES + 1;
}
static void at_the_limit(text_t *t)
{
    too_long(t);
    t->len = MAX_BYTES;
}
/* The claims of somebody else under this signature. */
static void other_payload(text_t *t)
{
    char *payload = token_b64url("{\"sub\":\"s\",\"org_id\":\"globex\",\"exp\":2000000}", 44);

    no_payload(t);
    insert(t, dot(t, 1) + 1, payload, strlen(payload));
    free(payload);
}

#define H(alg) "{\"alg\":\"" alg "\",\"typ\":\"JWT\"}"
#define P(claims) "{\"sub\":\"s\",\"exp\":2000000," claims "}"
#define ACME P("\"org_id\":\"acme\"")
#define ORG(value) P("\"org_id\":" value)
#define T(times) "{\"sub\":\"s\",\"org_id\":\"acme\"," times "}"
#define HS "HS256", TEST_SECRET
#define ES "ES256", TEST_P256

static const struct {
    const char *name;
    const char *signed_with; /* NULL: an empty signature */
    int key;
    const char *header;
    const char *payload;
    oc_err_t err;
    void (*edit)(text_t *);
} cases[] = {
    /* What is good, of every algorithm. */
    {"HS256", "HS256", TEST_SECRET, H("HS256"), ACME, OC_OK, NULL},
    {"HS384", "HS384", TEST_SECRET, H("HS384"), ACME, OC_OK, NULL},
    {"RS256", "RS256", TEST_RSA, H("RS256"), ACME, OC_OK, NULL},
    {"RS384", "RS384", TEST_RSA, H("RS384"), ACME, OC_OK, NULL},
    {"RS512", "RS512", TEST_RSA, H("RS512"), ACME, OC_OK, NULL},
    {"PS256", "PS256", TEST_RSA, H("PS256"), ACME, OC_OK, NULL},
    {"PS384", "PS384", TEST_RSA, H("PS384"), ACME, OC_OK, NULL},
    {"PS512", "PS512", TEST_RSA, H("PS512"), ACME, OC_OK, NULL},
    {"ES256", "ES256", TEST_P256, H("ES256"), ACME, OC_OK, NULL},
    {"ES384", "ES384", TEST_P384, H("ES384"), ACME, OC_OK, NULL},
    {"ES512", "ES512", TEST_P521, H("ES512"), ACME, OC_OK, NULL},
    {"EdDSA", "EdDSA", TEST_ED25519, H("EdDSA"), ACME, OC_OK, NULL},
    {"Ed25519", "EdDSA", TEST_ED25519, H("Ed25519"), ACME, OC_OK, NULL},
    {"Ed25519 without signature", "EdDSA", TEST_ED25519, H("Ed25519"), ACME, OC_E_SIGNATURE_INVALID,
     no_signature},
    {"Ed25519 of another key", "EdDSA", TEST_ED25519_OTHER, H("Ed25519"), ACME,
     OC_E_SIGNATURE_INVALID, NULL},
    {"Ed448", "EdDSA", TEST_ED25519, H("Ed448"), ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"white space in header and claims", HS, " { \"alg\" : \"HS256\" }\n", " " ACME " ", OC_OK,
     NULL},
    {"a header of alg alone", HS, "{\"alg\":\"HS256\"}", ACME, OC_OK, NULL},
    {"another typ", HS, "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", ACME, OC_OK, NULL},
    {"a kid that names no key, one unnamed", HS, "{\"alg\":\"HS256\",\"kid\":\"x\"}", ACME, OC_OK,
     NULL},
    {"alg by an escape", HS, "{\"alg\":\"HS\\u0032\\u0035\\u0036\"}", ACME, OC_OK, NULL},
    {"exp with a fraction", HS, H("HS256"), T("\"exp\":2000000.9"), OC_OK, NULL},
    {"exp with an exponent", HS, H("HS256"), T("\"exp\":2e6"), OC_OK, NULL},

    /* Shape. */
    {"nothing", HS, H("HS256"), ACME, OC_E_TOKEN_MISSING, empty},
    {"two dots alone", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, dots},
    {"one dot alone", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, one_dot},
    {"header alone", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, header_alone},
    {"two segments", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, no_second_dot},
    {"four segments", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, fourth_segment},
    {"dot behind", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, dot_behind},
    {"dot before", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, dot_before},
    {"space before", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, space_before},
    {"newline behind", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, newline_behind},
    {"Bearer before", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, bearer_before},
    {"NUL behind", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, nul_behind},
    {"NUL in the payload", HS, H("HS256"), ACME, OC_E_SIGNATURE_INVALID, nul_in_payload},
    {"padding behind the header", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, pad_header},
    {"padding behind the payload", HS, H("HS256"), ACME, OC_E_SIGNATURE_INVALID, pad_payload},
    {"padding behind the signature", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, pad_signature},
    {"empty header", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, no_header},
    {"empty header, signed", HS, "", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"empty payload", HS, H("HS256"), ACME, OC_E_SIGNATURE_INVALID, no_payload},
    {"empty payload, signed", HS, H("HS256"), "", OC_E_TOKEN_MALFORMED, NULL},
    {"twice itself", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, doubled},
    {"too long", HS, H("HS256"), ACME, OC_E_TOKEN_TOO_LARGE, too_long},
    {"as long as can be", HS, H("HS256"), ACME, OC_E_TOKEN_MALFORMED, at_the_limit},

    /* Header. */
    {"header is an array", HS, "[{\"alg\":\"HS256\"}]", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"header is a string", HS, "\"HS256\"", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"header is no JSON", HS, "alg=HS256", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"header with a BOM", HS, "\xef\xbb\xbf" H("HS256"), ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"header and more", HS, H("HS256") "x", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"header is not UTF-8", HS, "{\"alg\":\"HS256\",\"x\":\"\xff\"}", ACME, OC_E_TOKEN_MALFORMED,
     NULL},
    {"twice alg", HS, "{\"alg\":\"none\",\"alg\":\"HS256\"}", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"twice alg, the good one first", HS, "{\"alg\":\"HS256\",\"alg\":\"none\"}", ACME,
     OC_E_TOKEN_MALFORMED, NULL},
    {"twice kid", HS, "{\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"b\"}", ACME, OC_E_TOKEN_MALFORMED,
     NULL},
    {"crit", HS, "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"crit, empty", HS, "{\"alg\":\"HS256\",\"crit\":[]}", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"crit, null", HS, "{\"alg\":\"HS256\",\"crit\":null}", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"b64 false", HS, "{\"alg\":\"HS256\",\"b64\":false}", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"b64 true", HS, "{\"alg\":\"HS256\",\"b64\":true}", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"kid is a number", HS, "{\"alg\":\"HS256\",\"kid\":1}", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"kid is null", HS, "{\"alg\":\"HS256\",\"kid\":null}", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"kid with NUL", HS, "{\"alg\":\"HS256\",\"kid\":\"a\\u0000\"}", ACME, OC_E_TOKEN_MALFORMED,
     NULL},
    {"no alg", HS, "{\"typ\":\"JWT\"}", ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"alg is null", HS, "{\"alg\":null}", ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"alg is an array", HS, "{\"alg\":[\"HS256\"]}", ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"alg is empty", HS, "{\"alg\":\"\"}", ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"ALG", HS, "{\"ALG\":\"HS256\"}", ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"alg with NUL", HS, "{\"alg\":\"HS256\\u0000\"}", ACME, OC_E_TOKEN_MALFORMED, NULL},
    {"alg with a space", HS, "{\"alg\":\"HS256 \"}", ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"hs256", HS, "{\"alg\":\"hs256\"}", ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"none, no signature", NULL, 0, H("none"), ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"none, signed", HS, H("none"), ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"None", NULL, 0, H("None"), ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"NONE", NULL, 0, H("NONE"), ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"nOnE", NULL, 0, H("nOnE"), ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"ES256K", ES, H("ES256K"), ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"an encrypted token's alg", HS, H("dir"), ACME, OC_E_ALG_NOT_ALLOWED, NULL},
    {"HS512, which is not in the list", "HS512", TEST_SECRET, H("HS512"), ACME,
     OC_E_ALG_NOT_ALLOWED, NULL},
    {"a key of its own in the header", "ES256", TEST_P256_OTHER,
     "{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}}",
     ACME, OC_E_SIGNATURE_INVALID, NULL},
    {"a key's address in the header", "RS256", TEST_RSA_OTHER,
     "{\"alg\":\"RS256\",\"jku\":\"https://globex.example/keys\",\"x5u\":\"https://globex.example/"
     "x\"}",
     ACME, OC_E_SIGNATURE_INVALID, NULL},
    {"kid is a path", HS, "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", ACME, OC_OK, NULL},
    {"kid is a path, signed with nothing", "HS256", EMPTY_SECRET,
     "{\"alg\":\"HS256\",\"kid\":\"/dev/null\"}", ACME, OC_E_SIGNATURE_INVALID, NULL},

    /* Signature. */
    {"no signature", HS, H("HS256"), ACME, OC_E_SIGNATURE_INVALID, no_signature},
    {"ES256 without signature", ES, H("ES256"), ACME, OC_E_SIGNATURE_INVALID, no_signature},
    {"RS256 without signature", "RS256", TEST_RSA, H("RS256"), ACME, OC_E_SIGNATURE_INVALID,
     no_signature},
    {"EdDSA without signature", "EdDSA", TEST_ED25519, H("EdDSA"), ACME, OC_E_SIGNATURE_INVALID,
     no_signature},
    {"a bit of the payload", ES, H("ES256"), ACME, OC_E_SIGNATURE_INVALID, flip_payload},
    {"more header", ES, "{\"alg\":\"ES256\"}", ACME, OC_E_SIGNATURE_INVALID, flip_header},
    {"others' claims", ES, H("ES256"), ACME, OC_E_SIGNATURE_INVALID, other_payload},
    {"signature cut", ES, H("ES256"), ACME, OC_E_SIGNATURE_INVALID, truncated},
    {"signature with leftover bits", ES, H("ES256"), ACME, OC_E_TOKEN_MALFORMED, loose_signature},
    {"signature in the standard alphabet", ES, H("ES256"), ACME, OC_E_TOKEN_MALFORMED,
     standard_alphabet},
    {"HS256 with the public PEM", "HS256", PEM_SECRET, H("HS256"), ACME, OC_E_SIGNATURE_INVALID,
     NULL},
    {"HS256 with the public PEM, no newline", "HS256", PEM_SECRET_NO_NEWLINE, H("HS256"), ACME,
     OC_E_SIGNATURE_INVALID, NULL},
    {"HS256 with the certificate", "HS256", CERTIFICATE_SECRET, H("HS256"), ACME,
     OC_E_SIGNATURE_INVALID, NULL},
    {"HS256 with an empty secret", "HS256", EMPTY_SECRET, H("HS256"), ACME, OC_E_SIGNATURE_INVALID,
     NULL},
    {"HS256 with NUL bytes", "HS256", NUL_SECRET, H("HS256"), ACME, OC_E_SIGNATURE_INVALID, NULL},
    {"HS256 with a part of the secret", "HS256", OTHER_SECRET, H("HS256"), ACME,
     OC_E_SIGNATURE_INVALID, NULL},
    {"another RSA key", "RS256", TEST_RSA_OTHER, H("RS256"), ACME, OC_E_SIGNATURE_INVALID, NULL},
    {"another P-256 key", "ES256", TEST_P256_OTHER, H("ES256"), ACME, OC_E_SIGNATURE_INVALID, NULL},
    {"another Ed25519 key", "EdDSA", TEST_ED25519_OTHER, H("EdDSA"), ACME, OC_E_SIGNATURE_INVALID,
     NULL},
    {"ES384 header, P-256 key", "ES384", TEST_P256, H("ES384"), ACME, OC_E_SIGNATURE_INVALID, NULL},
    {"ES256 header, P-384 key", "ES256", TEST_P384, H("ES256"), ACME, OC_E_SIGNATURE_INVALID, NULL},
    {"ES256 header, secp256k1 key", "ES256", TEST_SECP256K1, H("ES256"), ACME,
     OC_E_SIGNATURE_INVALID, NULL},
    {"RS256 signed, PS256 header", "RS256", TEST_RSA, H("PS256"), ACME, OC_E_SIGNATURE_INVALID,
     NULL},
    {"PS256 signed, RS256 header", "PS256", TEST_RSA, H("RS256"), ACME, OC_E_SIGNATURE_INVALID,
     NULL},
    {"HS384 signed, HS256 header", "HS384", TEST_SECRET, H("HS256"), ACME, OC_E_SIGNATURE_INVALID,
     NULL},
    {"HS256 signed, ES256 header", HS, H("ES256"), ACME, OC_E_SIGNATURE_INVALID, NULL},
    {"the payload is looked at last", "HS256", OTHER_SECRET, H("HS256"), "{",
     OC_E_SIGNATURE_INVALID, NULL},

    /* Claims, under a good signature. */
    {"claims are an array", HS, H("HS256"), "[" ACME "]", OC_E_TOKEN_MALFORMED, NULL},
    {"claims are a string", HS, H("HS256"), "\"acme\"", OC_E_TOKEN_MALFORMED, NULL},
    {"claims and more", HS, H("HS256"), ACME "{}", OC_E_TOKEN_MALFORMED, NULL},
    {"twice org_id", HS, H("HS256"), P("\"org_id\":\"acme\",\"org_id\":\"globex\""),
     OC_E_TOKEN_MALFORMED, NULL},
    {"twice org_id by an escape", HS, H("HS256"),
     P("\"org_id\":\"acme\",\"org\\u005fid\":\"globex\""), OC_E_TOKEN_MALFORMED, NULL},
    {"twice exp", HS, H("HS256"), T("\"exp\":2000000,\"exp\":1"), OC_E_TOKEN_MALFORMED, NULL},
    {"no claims", HS, H("HS256"), "{}", OC_E_CLAIM_MISSING, NULL},
    {"no exp", HS, H("HS256"), "{\"sub\":\"s\",\"org_id\":\"acme\"}", OC_E_CLAIM_MISSING, NULL},
    {"exp is a string", HS, H("HS256"), T("\"exp\":\"2000000\""), OC_E_CLAIM_INVALID, NULL},
    {"exp is null", HS, H("HS256"), T("\"exp\":null"), OC_E_CLAIM_INVALID, NULL},
    {"exp is true", HS, H("HS256"), T("\"exp\":true"), OC_E_CLAIM_INVALID, NULL},
    {"exp is an array", HS, H("HS256"), T("\"exp\":[2000000]"), OC_E_CLAIM_INVALID, NULL},
    {"others' claims of any size", HS, H("HS256"),
     T("\"exp\":2000000,\"id\":340282366920938463463374607431768211455,\"x\":[1e400]"), OC_OK,
     NULL},
    {"a jti beyond 64 bits", HS, H("HS256"), T("\"exp\":2000000,\"jti\":18446744073709551616"),
     OC_E_CLAIM_INVALID, NULL},
    {"exp is 1e400", HS, H("HS256"), T("\"exp\":1e400"), OC_E_CLAIM_INVALID, NULL},
    {"exp is 1e300", HS, H("HS256"), T("\"exp\":1e300"), OC_E_CLAIM_INVALID, NULL},
    {"exp is -1e300", HS, H("HS256"), T("\"exp\":-1e300"), OC_E_CLAIM_INVALID, NULL},
    {"exp beyond 64 bits", HS, H("HS256"), T("\"exp\":18446744073709551616"), OC_E_CLAIM_INVALID,
     NULL},
    {"exp is the greatest integer", HS, H("HS256"), T("\"exp\":9223372036854775807"),
     OC_E_CLAIM_INVALID, NULL},
    {"exp is Infinity", HS, H("HS256"), T("\"exp\":Infinity"), OC_E_TOKEN_MALFORMED, NULL},
    {"exp is 0", HS, H("HS256"), T("\"exp\":0"), OC_E_TOKEN_EXPIRED, NULL},
    {"exp is -1", HS, H("HS256"), T("\"exp\":-1"), OC_E_TOKEN_EXPIRED, NULL},
    {"exp in milliseconds is far away", HS, H("HS256"), T("\"exp\":2000000000"), OC_OK, NULL},
    {"EXP", HS, H("HS256"), T("\"EXP\":2000000"), OC_E_CLAIM_MISSING, NULL},
    {"nbf in the future", HS, H("HS256"), T("\"exp\":2000000,\"nbf\":1999999"),
     OC_E_TOKEN_NOT_YET_VALID, NULL},
    {"nbf is a string", HS, H("HS256"), T("\"exp\":2000000,\"nbf\":\"0\""), OC_E_CLAIM_INVALID,
     NULL},
    {"nbf is null", HS, H("HS256"), T("\"exp\":2000000,\"nbf\":null"), OC_E_CLAIM_INVALID, NULL},
    {"iat is a string", HS, H("HS256"), T("\"exp\":2000000,\"iat\":\"0\""), OC_E_CLAIM_INVALID,
     NULL},
    {"no org_id", HS, H("HS256"), "{\"sub\":\"s\",\"exp\":2000000}", OC_E_CLAIM_MISSING, NULL},
    {"org_id is null", HS, H("HS256"), ORG("null"), OC_E_CLAIM_INVALID, NULL},
    {"org_id is a number", HS, H("HS256"), ORG("1"), OC_E_CLAIM_INVALID, NULL},
    {"org_id is empty", HS, H("HS256"), ORG("\"\""), OC_E_ORG_INVALID, NULL},
    {"org_id is +", HS, H("HS256"), ORG("\"+\""), OC_E_ORG_INVALID, NULL},
    {"org_id is #", HS, H("HS256"), ORG("\"#\""), OC_E_ORG_INVALID, NULL},
    {"org_id is a/b", HS, H("HS256"), ORG("\"a/b\""), OC_E_ORG_INVALID, NULL},
    {"org_id is a/#", HS, H("HS256"), ORG("\"acme/#\""), OC_E_ORG_INVALID, NULL},
    {"org_id begins with $", HS, H("HS256"), ORG("\"$SYS\""), OC_E_ORG_INVALID, NULL},
    {"org_id with NUL", HS, H("HS256"), ORG("\"acme\\u0000\""), OC_E_TOKEN_MALFORMED, NULL},
    {"org_id with a NUL byte by an escape first", HS, H("HS256"), ORG("\"\\u0000acme\""),
     OC_E_TOKEN_MALFORMED, NULL},
    {"org_id with a space", HS, H("HS256"), ORG("\"acme \""), OC_E_ORG_INVALID, NULL},
    {"org_id with a newline", HS, H("HS256"), ORG("\"acme\\n\""), OC_E_ORG_INVALID, NULL},
    {"org_id with a no-break space", HS, H("HS256"), ORG("\"acme\\u00a0\""), OC_E_ORG_INVALID,
     NULL},
    {"org_id is a lone surrogate", HS, H("HS256"), ORG("\"\\ud800\""), OC_E_TOKEN_MALFORMED, NULL},
    {"org_id is an empty array", HS, H("HS256"), ORG("[]"), OC_E_ORG_INVALID, NULL},
    {"org_id is an array of arrays", HS, H("HS256"), ORG("[[\"acme\"]]"), OC_E_CLAIM_INVALID, NULL},
    {"org_id is an array of invalid ones", HS, H("HS256"), ORG("[\"+\",\"#\",\"\"]"),
     OC_E_ORG_INVALID, NULL},
    {"org_id has a number among good ones", HS, H("HS256"), ORG("[\"acme\",1]"), OC_E_CLAIM_INVALID,
     NULL},
    {"org_id is an empty object", HS, H("HS256"), ORG("{}"), OC_E_ORG_INVALID, NULL},
    {"no sub", HS, H("HS256"), "{\"exp\":2000000,\"org_id\":\"acme\"}", OC_E_CLAIM_MISSING, NULL},
    {"sub is empty", HS, H("HS256"), "{\"sub\":\"\",\"exp\":2000000,\"org_id\":\"acme\"}",
     OC_E_CLAIM_INVALID, NULL},
    {"sub is a number", HS, H("HS256"), "{\"sub\":1,\"exp\":2000000,\"org_id\":\"acme\"}",
     OC_E_CLAIM_INVALID, NULL},
    {"sub with a newline", HS, H("HS256"), "{\"sub\":\"s\\n\",\"exp\":2000000,\"org_id\":\"acme\"}",
     OC_E_CLAIM_INVALID, NULL},
    {"scope is a number", HS, H("HS256"), P("\"org_id\":\"acme\",\"scope\":1"), OC_E_CLAIM_INVALID,
     NULL},
    {"scope holds a number", HS, H("HS256"), P("\"org_id\":\"acme\",\"scope\":[1]"),
     OC_E_CLAIM_INVALID, NULL},
};

/* No 12 bytes in a row of the token or of what it encodes. */
static void check_quiet(const char *name, const char *message, const char *bytes, size_t len)
{
    for (size_t i = 0; i + 12 <= len; i++)
        ck_assert_msg(!memmem(message, strlen(message), bytes + i, 12), "%s: '%s' has bytes of it",
                      name, message);
}

START_TEST(tokens)
{
    OC_CLEANUP(oc_freep)
    char *made = sign(cases[_i].signed_with, cases[_i].key, cases[_i].header, cases[_i].payload);
    OC_CLEANUP(oc_freep) char *exact = NULL;
    OC_CLEANUP(oc_json_decrefp) json_t *claims = NULL;
    text_t token = {.len = strlen(made)};
    oc_identity_t *identity = NULL;
    oc_diag_t diag = {0};
    oc_err_t err;

    memcpy(token.bytes, made, token.len);
    if (cases[_i].edit)
        cases[_i].edit(&token);
    exact = malloc(token.len ? token.len : 1);
    memcpy(exact, token.bytes, token.len);

    err = oc_jws_verify(&jws_rules, &keys, exact, token.len, &claims, &diag);
    ck_assert_msg((err == OC_OK) == (claims != NULL), "%s: claims", cases[_i].name);
    if (!err)
        err = oc_identity_from_claims(&claim_rules, claims, NOW_S, &identity, &diag);
    ck_assert_msg(err == cases[_i].err, "%s: %s, %s", cases[_i].name, oc_err_name(err),
                  diag.message);
    ck_assert_msg((err == OC_OK) == (identity != NULL), "%s: identity", cases[_i].name);
    ck_assert_msg(ERR_peek_error() == 0, "%s: errors left", cases[_i].name);
    if (err) {
        ck_assert_msg(diag.code == err && diag.message[0], "%s: no cause", cases[_i].name);
        check_quiet(cases[_i].name, diag.message, token.bytes, token.len);
        check_quiet(cases[_i].name, diag.message, cases[_i].header, strlen(cases[_i].header));
        check_quiet(cases[_i].name, diag.message, cases[_i].payload, strlen(cases[_i].payload));
    } else {
        ck_assert(oc_identity_has_org(identity, "acme", 4));
        ck_assert_uint_eq(identity->org_count, 1);
    }
    oc_identity_unref(identity);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("tokens");

    tcase_add_unchecked_fixture(tcase, make, unmake);
    unit_add_table(tcase, tokens, cases);
    return unit_run("tokens", tcase);
}
