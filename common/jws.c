/* SPDX-License-Identifier: MIT */
#include "jws.h"

#include <stdint.h>
#include <string.h>

#include "b64url.h"
#include "json.h"
#include "mem.h"

/* RFC 7515 §7.1: BASE64URL(header) '.' BASE64URL(payload) '.' BASE64URL(signature) */
static bool split(const char *token, size_t token_len, oc_jws_t *ret)
{
    const char *end = token + token_len;
    const char *dot1 = memchr(token, '.', token_len);
    const char *dot2 = dot1 ? memchr(dot1 + 1, '.', (size_t)(end - dot1 - 1)) : NULL;

    if (!dot2 || memchr(dot2 + 1, '.', (size_t)(end - dot2 - 1)))
        return false;
    *ret = (oc_jws_t){
        .header = token,
        .header_len = (size_t)(dot1 - token),
        .payload = dot1 + 1,
        .payload_len = (size_t)(dot2 - dot1 - 1),
        .signature = dot2 + 1,
        .signature_len = (size_t)(end - dot2 - 1),
    };
    return true;
}

static bool all_b64url(const char *text, size_t text_len)
{
    for (size_t i = 0; i < text_len; i++) {
        char c = text[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return text_len > 0;
}

/* True when the text could be a JSON object in base64url: `{` after white space (RFC 8259 §2). */
static bool begins_object(const char *text, size_t text_len)
{
    while (text_len > 2) {
        char group[4] = {'A', 'A', 'A', 'A'}; /* zero bits, where the last one is shorter */
        size_t group_len = text_len < sizeof group ? text_len : sizeof group;
        unsigned char bytes[3];
        size_t len = 0;

        memcpy(group, text, group_len);
        if (!oc_b64url_decode(group, sizeof group, bytes, sizeof bytes, &len))
            return false;
        for (size_t i = 0; i < len; i++) {
            if (bytes[i] != ' ' && bytes[i] != '\t' && bytes[i] != '\r' && bytes[i] != '\n')
                return bytes[i] == '{';
        }
        text += group_len;
        text_len -= group_len;
    }
    return false;
}

bool oc_jws_shaped(const char *text, size_t text_len)
{
    oc_jws_t s;

    return split(text, text_len, &s) && begins_object(s.header, s.header_len) &&
           all_b64url(s.header, s.header_len) && all_b64url(s.payload, s.payload_len) &&
           all_b64url(s.signature, s.signature_len);
}

/* values_max: the segment is not parsed when it could hold more JSON values */
static oc_err_t parse_segment(const char *what, const char *text, size_t text_len,
                              size_t values_max, json_t **ret_object, oc_diag_t *diag)
{
    unsigned char bytes[OC_B64URL_DECODED_MAX(OC_JWS_MAX_BYTES)];
    size_t len = 0;
    oc_diag_t cause = {0};
    oc_err_t err;

    if (!oc_b64url_decode(text, text_len, bytes, sizeof bytes, &len))
        return oc_fail(diag, OC_E_TOKEN_MALFORMED, "the %s is not strict base64url", what);
    if (!oc_json_small((const char *)bytes, len, values_max))
        return oc_fail(diag, OC_E_TOKEN_MALFORMED, "the %s holds more than %zu values", what,
                       values_max);
    err = oc_json_load_any_number((const char *)bytes, len, ret_object, &cause);
    if (err == OC_E_NOMEM)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    if (err)
        return oc_fail(diag, OC_E_TOKEN_MALFORMED, "the %s is %s", what, cause.message);
    return OC_OK;
}

/* RFC 7515 §4: alg is needed; crit (§4.1.11) lists extensions, of which none is understood here, and
 * b64 (RFC 7797) is one of them; the rest is ignored, so that no key or URL in it is ever used. */
static oc_err_t read_header(const oc_jws_rules_t *rules, oc_jws_t *jws, oc_diag_t *diag)
{
    json_t *header = jws->header_json;
    const json_t *name = json_object_get(header, "alg");
    const json_t *kid = json_object_get(header, "kid");
    oc_alg_t alg;

    if (json_object_get(header, "crit"))
        return oc_fail(diag, OC_E_TOKEN_MALFORMED, "the header has crit");
    if (json_object_get(header, "b64"))
        return oc_fail(diag, OC_E_TOKEN_MALFORMED, "the header has b64");
    if (kid && !json_is_string(kid))
        return oc_fail(diag, OC_E_TOKEN_MALFORMED, "the header's kid is not a string");
    if (!json_is_string(name))
        return oc_fail(diag, OC_E_ALG_NOT_ALLOWED, "the header has no alg of type string");
    alg = oc_alg_parse(json_string_value(name), json_string_length(name));
    if (alg == OC_ALG_NONE)
        return oc_fail(diag, OC_E_ALG_NOT_ALLOWED, "the header's alg is none that is known");
    if (!(rules->algs & OC_ALG_BIT(alg)))
        return oc_fail(diag, OC_E_ALG_NOT_ALLOWED,
                       "%s is not in jwt_algorithms or, without that, fits no key",
                       oc_alg_name(alg));
    jws->alg = alg;
    jws->kid = json_string_value(kid);
    return OC_OK;
}

oc_err_t oc_jws_open(const oc_jws_rules_t *rules, const char *token, size_t token_len,
                     oc_jws_t *ret_jws, oc_diag_t *diag)
{
    oc_jws_t jws;
    oc_err_t err;

    if (token_len == 0)
        return oc_fail(diag, OC_E_TOKEN_MISSING, "the password is empty; it must be the token");
    if (token_len > rules->max_bytes || token_len > OC_JWS_MAX_BYTES)
        return oc_fail(diag, OC_E_TOKEN_TOO_LARGE, "%zu bytes; at most %zu are read", token_len,
                       rules->max_bytes);
    if (!split(token, token_len, &jws))
        return oc_fail(diag, OC_E_TOKEN_MALFORMED, "not three segments with two periods");
    if (jws.header_len > OC_JWS_HEADER_MAX_BYTES)
        return oc_fail(diag, OC_E_TOKEN_TOO_LARGE, "the header has %zu bytes; at most %d are read",
                       jws.header_len, OC_JWS_HEADER_MAX_BYTES);
    err = parse_segment("header", jws.header, jws.header_len, OC_JWS_HEADER_VALUES_MAX,
                        &jws.header_json, diag);
    if (!err)
        err = read_header(rules, &jws, diag);
    if (err) {
        oc_jws_done(&jws);
        return err;
    }
    *ret_jws = jws;
    return OC_OK;
}

oc_err_t oc_jws_check(const oc_jws_t *jws, oc_key_t *key, oc_diag_t *diag)
{
    /* As long as the signature of any RSA key that OpenSSL verifies with. */
    unsigned char signature[2048];
    size_t len = 0;

    if (!oc_b64url_decode(jws->signature, jws->signature_len, signature, sizeof signature, &len))
        return oc_fail(diag, OC_E_TOKEN_MALFORMED, "the signature is not strict base64url");
    /* RFC 7515 §5.2: the signing input is the encoded header, a period and the encoded payload. */
    if (!oc_key_verify(key, jws->alg, (const unsigned char *)jws->header,
                       jws->header_len + 1 + jws->payload_len, signature, len))
        return oc_fail(diag, OC_E_SIGNATURE_INVALID, "not signed with %s by the key of '%s'",
                       oc_alg_name(jws->alg), key->source);
    return OC_OK;
}

oc_err_t oc_jws_claims(const oc_jws_t *jws, json_t **ret_claims, oc_diag_t *diag)
{
    return parse_segment("payload", jws->payload, jws->payload_len, SIZE_MAX, ret_claims, diag);
}

void oc_jws_done(oc_jws_t *jws)
{
    json_decref(jws->header_json);
    *jws = (oc_jws_t){0};
}

oc_err_t oc_jws_verify(const oc_jws_rules_t *rules, const oc_keyset_t *keys, const char *token,
                       size_t token_len, json_t **ret_claims, oc_diag_t *diag)
{
    OC_CLEANUP(oc_jws_done) oc_jws_t jws = {0};
    oc_key_t *key = NULL;
    oc_err_t err;

    if ((err = oc_jws_open(rules, token, token_len, &jws, diag)) ||
        (err = oc_keyset_select(keys, jws.alg, jws.kid, &key, diag)) ||
        (err = oc_jws_check(&jws, key, diag)))
        return err;
    return oc_jws_claims(&jws, ret_claims, diag);
}
