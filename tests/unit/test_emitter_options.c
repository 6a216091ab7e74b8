/* SPDX-License-Identifier: MIT */
/* The emitter's options and its token sources. */
#include <dlfcn.h>
#include <errno.h>
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <orgcast/emitter.h>

#include "scratch.h"
#include "settings.h"
#include "test_keys.h"
#include "token.h"
#include "token_sign.h"
#include "unit.h"

#define NOW_S INT64_C(1795514400)

static bool no_random_bytes;

/* In the place of libc's. The parameters' names are libc's. */
__attribute__((visibility("default"))) ssize_t getrandom(void *__buffer, size_t __length,
                                                         unsigned int __flags)
{
    ssize_t (*real)(void *buffer, size_t length, unsigned int flags);
    void *symbol = dlsym(RTLD_NEXT, "getrandom");

    memcpy(&real, &symbol, sizeof real);
    if (!no_random_bytes)
        return real(__buffer, __length, __flags);
    errno = ENOSYS;
    return -1;
}

static char *some_token(void *context)
{
    return context ? strdup(context) : NULL;
}

/* Files that options can name, by a word that begins with '@'. */
static void resolve(const char **path)
{
    if (*path && **path == '@')
        *path = scratch_path(*path + 1);
}

static void make_files(void)
{
    scratch_open();
    (void)scratch_file("secret", test_secret, 64);
    (void)scratch_file("short", "0123456789", 10);
    (void)scratch_file("token", "a.b.c\n", 6);
    (void)scratch_file("two-lines", "a.b.c\n\n", 7);
    (void)scratch_file("newline", "\n", 1);
    (void)scratch_file("nul", "a\0b", 3);
    (void)scratch_file("empty", "", 0);
}

static const struct {
    orgcast_emitter_options_t options;
    orgcast_err_t err;
    const char *message; /* its beginning */
} refused[] = {
    {{.host = ""}, ORGCAST_E_INVALID, "host is empty"},
    {{.client_id = ""}, ORGCAST_E_INVALID, "client_id must be"},
    {{.client_id = "a\nb"}, ORGCAST_E_INVALID, "client_id must be"},
    {{.client_id = "\xff"}, ORGCAST_E_INVALID, "client_id must be"},
    {{.source = ""}, ORGCAST_E_INVALID, "source must be"},
    {{.keepalive_s = 4}, ORGCAST_E_INVALID, "keepalive_s must be"},
    {{.keepalive_s = -1}, ORGCAST_E_INVALID, "keepalive_s must be"},
    {{.keepalive_s = 65536}, ORGCAST_E_INVALID, "keepalive_s must be"},
    {{.in_flight_max = 32768}, ORGCAST_E_INVALID, "in_flight_max must be"},
    {{.backoff_min_ms = -1}, ORGCAST_E_INVALID, "backoff_min_ms must be"},
    {{.backoff_max_ms = -1}, ORGCAST_E_INVALID, "backoff_min_ms must be"},
    {{.backoff_min_ms = 2, .backoff_max_ms = 1}, ORGCAST_E_INVALID, "backoff_min_ms must be"},
    {{.backoff_max_ms = 86400001}, ORGCAST_E_INVALID, "backoff_min_ms must be"},
    {{.tls_cert_file = "@token"}, ORGCAST_E_INVALID, "tls_cert_file and tls_key_file"},
    {{.tls_ca_file = "@token", .tls_key_file = "@token"},
     ORGCAST_E_INVALID,
     "tls_cert_file and tls_key_file"},
    {{.tls_cert_file = "@token", .tls_key_file = "@token"},
     ORGCAST_E_INVALID,
     "tls_cert_file needs tls_ca_file"},
    {{.tls_ca_file = "@none"}, ORGCAST_E_IO, "tls_ca_file: '"},
    {{.tls_ca_file = "@token", .tls_cert_file = "@none", .tls_key_file = "@token"},
     ORGCAST_E_IO,
     "tls_cert_file: '"},
    {{.tls_ca_file = "@token", .tls_cert_file = "@token", .tls_key_file = "@none"},
     ORGCAST_E_IO,
     "tls_key_file: '"},
    {{.token = ""}, ORGCAST_E_INVALID, "token is empty"},
    {{.token = "t", .token_file = "@token"}, ORGCAST_E_INVALID, "more than one of token"},
    {{.token_file = "@token", .token_fn = some_token}, ORGCAST_E_INVALID, "more than one of token"},
    {{.token_fn = some_token, .signing_key_file = "@secret"},
     ORGCAST_E_INVALID,
     "more than one of token"},
    {{.signing_key_file = "@none"}, ORGCAST_E_IO, "signing_key_file: '"},
    {{.signing_key_file = "@empty"}, ORGCAST_E_IO, "signing_key_file: '"},
    {{.signing_key_file = "@short"}, ORGCAST_E_INVALID, "signing_key_file: the secret is 10 bytes"},
    {{.signing_key_file = "@secret", .claims = {.algorithm = "none"}},
     ORGCAST_E_INVALID,
     "signing_key_file: no such signing algorithm"},
    {{.signing_key_file = "@secret", .claims = {.algorithm = "RS256"}},
     ORGCAST_E_INVALID,
     "signing_key_file: RS256 signs with a PEM private key"},
    {{.signing_key_file = "@secret", .claims = {.lifetime_s = -1}},
     ORGCAST_E_INVALID,
     "claims.lifetime_s must be"},
};

START_TEST(refused_options)
{
    orgcast_emitter_options_t options = refused[_i].options;
    orgcast_emitter_t *emitter = NULL;
    orgcast_diag_t diag = {0};

    make_files();
    resolve(&options.tls_ca_file);
    resolve(&options.tls_cert_file);
    resolve(&options.tls_key_file);
    resolve(&options.token_file);
    resolve(&options.signing_key_file);
    ck_assert_int_eq(orgcast_emitter_open(&options, &emitter, &diag), refused[_i].err);
    ck_assert_int_eq(diag.code, refused[_i].err);
    ck_assert_msg(strncmp(diag.message, refused[_i].message, strlen(refused[_i].message)) == 0,
                  "the message is '%s', not '%s'", diag.message, refused[_i].message);
    ck_assert_ptr_null(emitter);
    scratch_close();
}
END_TEST

START_TEST(null_arguments)
{
    orgcast_emitter_options_t options = {0};
    orgcast_emitter_t *emitter = NULL;

    ck_assert_int_eq(orgcast_emitter_open(NULL, &emitter, NULL), ORGCAST_E_INVALID);
    ck_assert_int_eq(orgcast_emitter_open(&options, NULL, NULL), ORGCAST_E_INVALID);
}
END_TEST

START_TEST(defaults)
{
    orgcast_emitter_options_t options = {0};
    oc_settings_t first;
    oc_settings_t second;

    ck_assert_int_eq(oc_settings_init(&first, &options, NULL), ORGCAST_OK);
    ck_assert_int_eq(oc_settings_init(&second, &options, NULL), ORGCAST_OK);
    ck_assert_str_eq(first.host, "127.0.0.1");
    ck_assert_int_eq(first.port, 1883);
    ck_assert_int_eq(first.keepalive_s, 30);
    ck_assert_uint_eq(first.queue_max_events, 10000);
    ck_assert_uint_eq(first.in_flight_max, 100);
    ck_assert_int_eq(first.backoff_min_ms, 200);
    ck_assert_int_eq(first.backoff_max_ms, 30000);
    ck_assert_uint_eq(strlen(first.client_id), strlen("orgcast-emitter-") + 16);
    ck_assert_int_eq(strncmp(first.client_id, "orgcast-emitter-", 16), 0);
    ck_assert_str_ne(first.client_id, second.client_id);
    oc_settings_done(&first);
    oc_settings_done(&second);

    make_files();
    options.tls_ca_file = scratch_path("token");
    options.backoff_max_ms = 50;
    ck_assert_int_eq(oc_settings_init(&first, &options, NULL), ORGCAST_OK);
    ck_assert_int_eq(first.port, 8883);
    ck_assert_int_eq(first.backoff_min_ms, 50);
    oc_settings_done(&first);
    scratch_close();
}
END_TEST

static char *get_token(const oc_token_source_t *source, orgcast_diag_t *diag)
{
    char *token = NULL;
    orgcast_err_t err = oc_token_source_get(source, NOW_S, &token, diag);

    ck_assert_int_eq(err, diag->code);
    ck_assert(err == ORGCAST_OK || (err == ORGCAST_E_TOKEN && !token));
    return token;
}

static const struct {
    orgcast_emitter_options_t options;
    const char *token; /* NULL: none */
    const char *cause; /* NULL: no failure */
} sources[] = {
    {{0}, NULL, NULL},
    {{.token = "a.b.c"}, "a.b.c", NULL},
    {{.token_fn = some_token, .context = (void *)(uintptr_t) "d.e.f"}, "d.e.f", NULL},
    {{.token_fn = some_token, .context = (void *)(uintptr_t) ""}, NULL, "no token: token_fn gave"},
    {{.token_fn = some_token}, NULL, "no token: token_fn gave no token"},
    {{.token_file = "@token"}, "a.b.c", NULL},
    {{.token_file = "@two-lines"}, "a.b.c\n", NULL},
    {{.token_file = "@none"}, NULL, "no token: '"},
    {{.token_file = "@empty"}, NULL, "no token: '"},
    {{.token_file = "@newline"}, NULL, "no token: '"},
    {{.token_file = "@nul"}, NULL, "no token: '"},
};

START_TEST(token_sources)
{
    orgcast_emitter_options_t options = sources[_i].options;
    oc_token_source_t source;
    orgcast_diag_t diag = {0};
    char *token;

    make_files();
    resolve(&options.token_file);
    ck_assert_int_eq(oc_token_source_init(&source, &options, NOW_S, NULL), ORGCAST_OK);
    token = get_token(&source, &diag);
    if (sources[_i].cause)
        ck_assert_msg(strncmp(diag.message, sources[_i].cause, strlen(sources[_i].cause)) == 0,
                      "the message is '%s'", diag.message);
    else
        ck_assert_int_eq(diag.code, ORGCAST_OK);
    ck_assert_pstr_eq(token, sources[_i].token);
    oc_token_free(token);
    oc_token_source_done(&source);
    scratch_close();
}
END_TEST

START_TEST(a_token_file_is_read_each_time)
{
    orgcast_emitter_options_t options = {0};
    oc_token_source_t source;
    orgcast_diag_t diag = {0};
    char *token;

    make_files();
    options.token_file = scratch_path("token");
    ck_assert_int_eq(oc_token_source_init(&source, &options, NOW_S, NULL), ORGCAST_OK);
    oc_token_free(get_token(&source, &diag));
    (void)scratch_file("token", "g.h.i", 5);
    token = get_token(&source, &diag);
    ck_assert_pstr_eq(token, "g.h.i");
    oc_token_free(token);
    oc_token_source_done(&source);
    scratch_close();
}
END_TEST

static const struct {
    orgcast_emitter_claims_t claims;
    const char *json; /* what the claims hold beside iat, exp and jti */
    int64_t lifetime_s;
} minted[] = {
    {{0}, "{\"scope\":\"invoices:publish orgcast:any-org\",\"sub\":\"orgcast-emitter\"}", 300},
    {{.organization_id = "acme"},
     "{\"org_id\":\"acme\",\"scope\":\"invoices:publish\",\"sub\":\"orgcast-emitter\"}",
     300},
    {{.subject = "billing",
      .issuer = "https://acme.example",
      .audience = "events",
      .organization_id = "acme",
      .scope = "a b",
      .key_id = "k1",
      .algorithm = "HS512",
      .lifetime_s = 60},
     "{\"aud\":\"events\",\"iss\":\"https://acme.example\",\"org_id\":\"acme\",\"scope\":\"a b\","
     "\"sub\":\"billing\"}",
     60},
};

/* libjwt reads back what the emitter signs. */
START_TEST(minted_tokens)
{
    orgcast_emitter_options_t options = {.claims = minted[_i].claims};
    oc_token_source_t source;
    orgcast_diag_t diag = {0};
    char *token;
    char *other;
    char *json;
    jwt_t *jwt = NULL;

    make_files();
    options.signing_key_file = scratch_path("secret");
    ck_assert_int_eq(oc_token_source_init(&source, &options, NOW_S, &diag), ORGCAST_OK);
    token = get_token(&source, &diag);
    other = get_token(&source, &diag);
    ck_assert_str_ne(token, other);
    ck_assert_int_eq(jwt_decode(&jwt, token, (const unsigned char *)test_secret, 64), 0);
    ck_assert_int_eq(jwt_get_alg(jwt), minted[_i].claims.algorithm ? JWT_ALG_HS512 : JWT_ALG_HS256);
    ck_assert_pstr_eq(jwt_get_header(jwt, "kid"), minted[_i].claims.key_id);
    ck_assert_int_eq(jwt_get_grant_int(jwt, "iat"), NOW_S);
    ck_assert_int_eq(jwt_get_grant_int(jwt, "exp"), NOW_S + minted[_i].lifetime_s);
    ck_assert_uint_eq(strlen(jwt_get_grant(jwt, "jti")), 36);
    ck_assert_int_eq(
        jwt_del_grants(jwt, "iat") + jwt_del_grants(jwt, "exp") + jwt_del_grants(jwt, "jti"), 0);
    json = jwt_get_grants_json(jwt, NULL);
    ck_assert_str_eq(json, minted[_i].json);
    free(json);
    jwt_free(jwt);
    oc_token_free(token);
    oc_token_free(other);
    oc_token_source_done(&source);
    scratch_close();
}
END_TEST

static const struct {
    const char *claims;
    int64_t expires_s;
} ends[] = {
    {"{\"exp\":1795514400}", NOW_S},
    {"{\"sub\":\"a\",\"exp\":1795514400.9}", NOW_S},
    {"{}", 0},
    {"{\"exp\":\"1795514400\"}", 0},
    {"{\"exp\":null}", 0},
    {"{\"exp\":-1}", 0},
    {"{\"exp\":1e300}", 0},
    {"{\"exp\":1,\"exp\":2}", 0},
    {"[1795514400]", 0},
    {"", 0},
};

START_TEST(a_token_says_when_it_ends)
{
    char *claims = token_b64url(ends[_i].claims, strlen(ends[_i].claims));
    char token[256];

    (void)snprintf(token, sizeof token, "e30.%s.c2ln", claims);
    ck_assert_int_eq(oc_token_expires_s(token), ends[_i].expires_s);
    free(claims);
}
END_TEST

START_TEST(no_jwt_says_no_end)
{
    static const char *const tokens[] = {NULL, "", "a", "a.b", "..", "a.*.c", "a.e30.c"};

    for (size_t i = 0; i < COUNT(tokens); i++)
        ck_assert_int_eq(oc_token_expires_s(tokens[i]), 0);
}
END_TEST

/* A key that goes away after the start is a failed attempt, not a failed emitter. */
START_TEST(a_signing_key_is_read_each_time)
{
    orgcast_emitter_options_t options = {0};
    oc_token_source_t source;
    orgcast_diag_t diag = {0};

    make_files();
    options.signing_key_file = scratch_path("secret");
    ck_assert_int_eq(oc_token_source_init(&source, &options, NOW_S, NULL), ORGCAST_OK);
    ck_assert_int_eq(remove(scratch_path("secret")), 0);
    ck_assert_ptr_null(get_token(&source, &diag));
    ck_assert_int_eq(strncmp(diag.message, "no token: '", 11), 0);
    oc_token_source_done(&source);
    scratch_close();
}
END_TEST

START_TEST(no_random_bytes_are_named)
{
    orgcast_emitter_options_t options = {0};
    oc_settings_t settings;
    oc_token_source_t source;
    orgcast_diag_t diag = {0};

    make_files();
    no_random_bytes = true;
    ck_assert_int_eq(oc_settings_init(&settings, &options, &diag), ORGCAST_E_IO);
    ck_assert_str_eq(diag.message, "the system has no random bytes");
    diag = (orgcast_diag_t){0};
    options.signing_key_file = scratch_path("secret");
    ck_assert_int_eq(oc_token_source_init(&source, &options, NOW_S, &diag), ORGCAST_E_IO);
    ck_assert_str_eq(diag.message, "signing_key_file: the system has no random bytes");
    no_random_bytes = false;
    scratch_close();
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("emitter options");

    unit_add_table(tcase, refused_options, refused);
    tcase_add_test(tcase, null_arguments);
    tcase_add_test(tcase, defaults);
    unit_add_table(tcase, token_sources, sources);
    tcase_add_test(tcase, a_token_file_is_read_each_time);
    unit_add_table(tcase, minted_tokens, minted);
    tcase_add_test(tcase, a_signing_key_is_read_each_time);
    unit_add_table(tcase, a_token_says_when_it_ends, ends);
    tcase_add_test(tcase, no_jwt_says_no_end);
    tcase_add_test(tcase, no_random_bytes_are_named);
    return unit_run("emitter options", tcase);
}
