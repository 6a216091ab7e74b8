/* SPDX-License-Identifier: MIT */
/* The keys of now: those of files and of URLs, read again, fetched again, swapped. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "http.h"
#include "jwks_cache.h"
#include "keyring.h"
#include "mem.h"
#include "scratch.h"
#include "test_jwks.h"
#include "unit.h"

#define NOW_S 1000000
#define DEADLINE_MS 20000
#define SILENCE_MS 300

static http_t *http;
static char *set_a; /* a P-256 key named "a" */
static char *set_b;
static char *set_c; /* Ed25519 */

static void make_keys(void)
{
    test_keys_make();
    set_a = test_jwks(test_jwk_named(TEST_P256, "a"), NULL, NULL);
    set_b = test_jwks(test_jwk_named(TEST_P256_OTHER, "b"), NULL, NULL);
    set_c = test_jwks(test_jwk_named(TEST_ED25519, "c"), NULL, NULL);
}

static void free_keys(void)
{
    free(set_a);
    free(set_b);
    free(set_c);
    test_keys_free();
}

static oc_config_t config;
static oc_keyring_t *ring;

/* What the ring wrote to the log. */
static struct {
    char text[4096];
    unsigned lines, errors;
} logged;

static void log_line(void *context, bool error, const char *message)
{
    size_t len = strlen(logged.text);

    ck_assert_ptr_eq(context, &logged);
    logged.lines++;
    logged.errors += error;
    (void)snprintf(logged.text + len, sizeof logged.text - len, "%s\n", message);
}

static void make(void)
{
    scratch_open();
    http = http_start();
}

static void unmake(void)
{
    oc_keyring_free(ring);
    oc_config_done(&config);
    http_stop(http);
    scratch_close();
}

#define OPTIONS_MAX 8

static oc_err_t open_ring(const oc_option_t options[static OPTIONS_MAX], oc_diag_t *diag)
{
    size_t count = 0;

    while (count < OPTIONS_MAX && options[count].name)
        count++;
    ck_assert_msg(oc_config_init(&config, options, count, diag) == OC_OK, "%s", diag->message);
    return oc_keyring_new(&config, log_line, &logged, &ring, diag);
}

#define OPEN(...)                                                                                  \
    do {                                                                                           \
        const oc_option_t options_[OPTIONS_MAX] = {__VA_ARGS__};                                   \
        oc_diag_t diag_ = {0};                                                                     \
        ck_assert_msg(open_ring(options_, &diag_) == OC_OK, "%s", diag_.message);                  \
    } while (0)

/* "a b c": the key ids of now, in their order; "-" for a key without one. */
static const char *kids(void)
{
    static char text[512];
    const oc_keyset_t *keys = oc_keyring_keys(ring);
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < keys->count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "",
                                 keys->keys[i]->kid ? keys->keys[i]->kid : "-");
    return text;
}

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Poll until the keys are these. */
static void wait_for_keys(const char *want)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;

    while (strcmp(kids(), want) != 0 && monotonic_ms() < deadline_ms) {
        if (!oc_keyring_poll(ring))
            (void)poll(NULL, 0, 1);
    }
    ck_assert_str_eq(kids(), want);
}

static void wait_for_line(const char *says)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;

    while (!strstr(logged.text, says) && monotonic_ms() < deadline_ms) {
        (void)oc_keyring_poll(ring);
        (void)poll(NULL, 0, 1);
    }
    ck_assert_msg(strstr(logged.text, says) != NULL, "no '%s' in: %s", says, logged.text);
}

static const char *a_file(const char *name, const char *json)
{
    return scratch_file(name, json, strlen(json));
}

static void fetch_now(void)
{
    oc_diag_t diag = {0};

    ck_assert_int_eq(oc_keyring_reload(ring, &diag), OC_OK);
}

static void miss(const char *kid, oc_key_miss_t want)
{
    ck_assert_int_eq(oc_keyring_miss(ring, OC_ALG_ES256, kid, NOW_S), want);
}

/* --- Files --- */

START_TEST(all_kinds_of_files)
{
    char named[600];

    (void)snprintf(named, sizeof named, "rsa=%s", test_key_file(TEST_RSA));
    OPEN({"jwks_file", a_file("c", set_c)}, {"jwt_public_key_file", named},
         {"jwt_secret_file", test_key_file(TEST_SECRET)}, {"jwks_file", a_file("a", set_a)});
    ck_assert_str_eq(kids(), "- rsa c a");
    ck_assert(!oc_keyring_poll(ring));
    ck_assert(oc_keyring_complete(ring));
    ck_assert_uint_eq(logged.lines, 0);
    ck_assert_int_eq(oc_keyring_miss(ring, OC_ALG_ES256, "b", NOW_S), OC_KEY_ABSENT);
}
END_TEST

START_TEST(files_are_read_again)
{
    oc_diag_t diag = {0};

    OPEN({"jwks_file", a_file("set", set_a)}, {"jwt_public_key_file", test_key_file(TEST_RSA)});
    ck_assert_str_eq(kids(), "- a");
    (void)a_file("set", set_b);
    ck_assert_str_eq(kids(), "- a");
    ck_assert_int_eq(oc_keyring_reload(ring, &diag), OC_OK);
    ck_assert_str_eq(kids(), "- b");
}
END_TEST

static const struct {
    const char *name;
    const char *json; /* NULL: the file goes; "/": it becomes a folder */
    const char *says;
} broken[] = {
    {"missing", NULL, "No such file"},
    {"empty", "", "is empty"},
    {"no JSON", "{\"keys\":", "no JWK set"},
    {"without a usable key", "{\"keys\":[{\"kty\":\"EC\"}]}", "no usable key"},
    {"a folder", "/", "directory"},
};

/* A broken file among good ones: the old keys stay, of all of them. */
START_TEST(a_broken_file_keeps_the_old_keys)
{
    const char *path = a_file("set", set_a);
    const oc_keyset_t *before;
    const oc_key_t *key;
    oc_diag_t diag = {0};

    OPEN({"jwks_file", a_file("other", set_c)}, {"jwks_file", path});
    before = oc_keyring_keys(ring);
    key = before->keys[1];
    (void)a_file("other", set_b);
    if (broken[_i].json && broken[_i].json[0] != '/') {
        (void)a_file("set", broken[_i].json);
    } else {
        ck_assert_int_eq(remove(path), 0);
        if (broken[_i].json)
            ck_assert_int_eq(mkdir(path, 0700), 0);
    }
    ck_assert_msg(oc_keyring_reload(ring, &diag) == OC_E_CONFIG, "%s", broken[_i].name);
    ck_assert_msg(strncmp(diag.message, "plugin_opt_jwks_file: ", 22) == 0 &&
                      strstr(diag.message, broken[_i].says),
                  "%s: '%s'", broken[_i].name, diag.message);
    ck_assert_str_eq(kids(), "c a");
    ck_assert_ptr_eq(oc_keyring_keys(ring)->keys[1], key);
    /* Whole again, the new ones come. */
    ck_assert(remove(path) == 0 || !broken[_i].json);
    (void)a_file("set", set_a);
    ck_assert_int_eq(oc_keyring_reload(ring, &diag), OC_OK);
    ck_assert_str_eq(kids(), "b a");
}
END_TEST

START_TEST(a_broken_file_stops_the_start)
{
    const oc_option_t options[OPTIONS_MAX] = {{"jwks_file", a_file("set", "{}")},
                                              {"jwks_url", http_url(http, "/keys")}};
    oc_diag_t diag = {0};

    ck_assert_int_eq(open_ring(options, &diag), OC_E_CONFIG);
    ck_assert_msg(strncmp(diag.message, "plugin_opt_jwks_file: ", 22) == 0, "'%s'", diag.message);
    ck_assert_ptr_null(ring);
    ck_assert_uint_eq(http_requests(http), 0);
}
END_TEST

START_TEST(skipped_keys_are_logged)
{
    OC_CLEANUP(oc_freep)
    char *json =
        test_jwks(test_jwk_named(TEST_RSA_1024, "small"), test_jwk_named(TEST_P256, "a"), NULL);

    OPEN({"jwks_file", a_file("set", json)});
    ck_assert_str_eq(kids(), "a");
    ck_assert_uint_eq(logged.errors, 1);
    ck_assert_msg(strstr(logged.text, "key 1 is skipped") && strstr(logged.text, "/set"), "%s",
                  logged.text);
}
END_TEST

/* --- URLs --- */

START_TEST(files_and_urls)
{
    http_set_text(http, "/a", set_a);
    http_set_text(http, "/b", set_b);
    OPEN({"jwks_url", http_url(http, "/b")}, {"jwks_url", http_url(http, "/a")},
         {"jwt_public_key_file", test_key_file(TEST_RSA)});
    ck_assert_str_eq(kids(), "-");
    ck_assert(!oc_keyring_complete(ring));
    wait_for_keys("- b a");
    ck_assert(oc_keyring_complete(ring));
    ck_assert(!oc_keyring_poll(ring));
    ck_assert_uint_eq(logged.lines, 2);
    ck_assert_uint_eq(logged.errors, 0);
    wait_for_line("/b: 1 key: 'b'");
}
END_TEST

/* The set of a URL goes as a whole, and nothing else does. */
START_TEST(a_new_set_replaces_the_old)
{
    http_set_text(http, "/1", set_a);
    http_set_text(http, "/2", set_c);
    OPEN({"jwks_url", http_url(http, "/1")}, {"jwks_url", http_url(http, "/2")},
         {"jwt_public_key_file", test_key_file(TEST_RSA)});
    wait_for_keys("- a c");
    http_set_text(http, "/1", set_b);
    miss("x", OC_KEY_FIRST);
    wait_for_keys("- b c");
}
END_TEST

/* Files come first: no URL can take their key ids over. */
START_TEST(a_kid_of_a_file)
{
    OC_CLEANUP(oc_freep)
    char *json =
        test_jwks(test_jwk_named(TEST_P256_OTHER, "a"), test_jwk_named(TEST_ED25519, "c"), NULL);
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    size_t len = token_signature("ES256", &test_keys[TEST_P256], "input", 5, signature);

    http_set_text(http, "/keys", json);
    OPEN({"jwks_file", a_file("set", set_a)}, {"jwks_url", http_url(http, "/keys")});
    wait_for_keys("a c");
    ck_assert(oc_key_verify(test_keyset_get(oc_keyring_keys(ring), OC_ALG_ES256, "a"), OC_ALG_ES256,
                            (const unsigned char *)"input", 5, signature, len));
}
END_TEST

START_TEST(a_provider_out_of_order)
{
    http_set_text(http, "/1", set_a);
    http_set_text(http, "/2", set_c);
    OPEN({"jwks_url", http_url(http, "/1")}, {"jwks_url", http_url(http, "/2")});
    wait_for_keys("a c");
    http_set(http, "/1", HTTP_ANSWER, 500, "", "", 0);
    http_set_text(http, "/2", set_b);
    miss("x", OC_KEY_FIRST);
    wait_for_keys("a b");
    wait_for_line("/1: status 500; the last good set stays");
    ck_assert_uint_eq(logged.errors, 1);
    ck_assert_str_eq(kids(), "a b");
}
END_TEST

/* SIGHUP has the sets fetched too, whether the files are whole or not. */
START_TEST(reload_fetches)
{
    const char *path = a_file("set", set_c);
    oc_diag_t diag = {0};

    http_set_text(http, "/keys", set_a);
    OPEN({"jwks_file", path}, {"jwks_url", http_url(http, "/keys")});
    wait_for_keys("c a");
    http_set_text(http, "/keys", set_b);
    ck_assert_int_eq(oc_keyring_reload(ring, &diag), OC_OK);
    wait_for_keys("c b");
    http_set_text(http, "/keys", set_a);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(oc_keyring_reload(ring, &diag), OC_E_CONFIG);
    wait_for_keys("c a");
}
END_TEST

/* --- Tokens with an unknown key --- */

static void wait_for_miss(const char *kid, oc_key_miss_t want)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;
    oc_key_miss_t found;

    do {
        (void)poll(NULL, 0, 1);
        (void)oc_keyring_poll(ring);
        found = oc_keyring_miss(ring, OC_ALG_ES256, kid, NOW_S);
    } while (found != want && monotonic_ms() < deadline_ms);
    ck_assert_int_eq(found, want);
}

/* The key is absent once a fetch that began after the first such token has brought a set without it. */
START_TEST(misses)
{
    http_set_text(http, "/keys", set_a);
    OPEN({"jwks_url", http_url(http, "/keys")});
    wait_for_keys("a");
    http_set(http, "/keys", HTTP_ANSWER, 500, "", "", 0);
    miss("x", OC_KEY_FIRST);
    wait_for_line("status 500");
    for (int i = 0; i < 1000; i++)
        miss("x", OC_KEY_AWAITED);
    ck_assert_uint_eq(http_requests(http), 2);
    http_set_text(http, "/keys", set_b);
    fetch_now();
    wait_for_miss("x", OC_KEY_ABSENT);
    ck_assert_str_eq(kids(), "b");
    for (int i = 0; i < 1000; i++)
        miss("x", OC_KEY_ABSENT);
    /* Another key id, no key id, and another algorithm are asked for by themselves. */
    miss("y", OC_KEY_FIRST);
    miss(NULL, OC_KEY_FIRST);
    ck_assert_int_eq(oc_keyring_miss(ring, OC_ALG_RS256, NULL, NOW_S), OC_KEY_FIRST);
    miss(NULL, OC_KEY_AWAITED);
    miss("y", OC_KEY_AWAITED);
    /* The wish of these waits, and is not lost. */
    ck_assert(!http_wait(http, 4, SILENCE_MS));
    fetch_now();
    wait_for_miss("y", OC_KEY_ABSENT);
    wait_for_miss(NULL, OC_KEY_ABSENT);
    ck_assert_uint_eq(http_requests(http), 4);
}
END_TEST

/* With several providers, each has to answer. */
START_TEST(a_miss_of_two_providers)
{
    http_set_text(http, "/1", set_a);
    http_set(http, "/2", HTTP_ANSWER, 500, "", "", 0);
    OPEN({"jwks_url", http_url(http, "/1")}, {"jwks_url", http_url(http, "/2")});
    wait_for_keys("a");
    miss("b", OC_KEY_FIRST);
    ck_assert(http_wait(http, 4, DEADLINE_MS));
    (void)oc_keyring_poll(ring);
    miss("b", OC_KEY_AWAITED);
    http_set_text(http, "/2", set_b);
    fetch_now();
    wait_for_keys("a b");
}
END_TEST

START_TEST(what_no_set_can_have)
{
    char kid[OC_KID_MAX + 2];

    memset(kid, 'k', sizeof kid);
    http_set_text(http, "/keys", set_a);
    OPEN({"jwks_url", http_url(http, "/keys")});
    wait_for_keys("a");
    kid[OC_KID_MAX + 1] = '\0';
    miss(kid, OC_KEY_ABSENT);
    ck_assert(!http_wait(http, 2, SILENCE_MS));
    kid[OC_KID_MAX] = '\0';
    miss(kid, OC_KEY_FIRST);
}
END_TEST

START_TEST(misses_are_forgotten)
{
    http_set_text(http, "/keys", set_a);
    OPEN({"jwks_url", http_url(http, "/keys")});
    wait_for_keys("a");
    miss("x", OC_KEY_FIRST);
    wait_for_miss("x", OC_KEY_ABSENT);
    ck_assert_int_eq(oc_keyring_miss(ring, OC_ALG_ES256, "x", NOW_S + 600), OC_KEY_ABSENT);
    ck_assert_int_eq(oc_keyring_miss(ring, OC_ALG_ES256, "x", NOW_S + 1201), OC_KEY_FIRST);
}
END_TEST

/* --- When a set was fetched --- */

START_TEST(the_oldest_fetch_counts)
{
    int64_t fetched_s = -1;
    int64_t began_s = time(NULL);

    http_set_text(http, "/1", set_a);
    http_set(http, "/2", HTTP_ANSWER, 500, "", "", 0);
    OPEN({"jwks_url", http_url(http, "/1")}, {"jwks_url", http_url(http, "/2")});
    wait_for_keys("a");
    ck_assert(oc_keyring_fetched(ring, &fetched_s));
    ck_assert_int_eq(fetched_s, 0);
    http_set_text(http, "/2", set_b);
    fetch_now();
    wait_for_keys("a b");
    /* It is noted right after the set is handed over. */
    for (int i = 0; i < DEADLINE_MS && fetched_s == 0; i++) {
        (void)poll(NULL, 0, 1);
        ck_assert(oc_keyring_fetched(ring, &fetched_s));
    }
    ck_assert(fetched_s >= began_s && fetched_s <= time(NULL));
}
END_TEST

START_TEST(no_url_no_fetch)
{
    int64_t fetched_s;

    OPEN({"jwks_file", a_file("set", set_a)});
    ck_assert(!oc_keyring_fetched(ring, &fetched_s));
}
END_TEST

/* --- What the log says of a set --- */

START_TEST(a_set_is_reported_once)
{
    OC_CLEANUP(oc_freep)
    char *json = test_jwks(test_jwk_named(TEST_P256, "a\n'"), test_jwk(TEST_ED25519),
                           test_jwk_named(TEST_RSA_1024, "small"));

    http_set_text(http, "/keys", json);
    OPEN({"jwks_url", http_url(http, "/keys")}, {"jwks_refresh_interval", "1"});
    wait_for_line("/keys: 2 keys: 'a\\x0a\\x27', without a key id");
    ck_assert_uint_eq(logged.lines, 2);
    ck_assert(http_wait(http, 3, DEADLINE_MS));
    (void)oc_keyring_poll(ring);
    ck_assert_uint_eq(logged.lines, 2);
    ck_assert_uint_eq(logged.errors, 1);
    http_set_text(http, "/keys", set_a);
    wait_for_line("/keys: 1 key: 'a'");
    ck_assert_uint_eq(logged.lines, 3);
}
END_TEST

/* By itself, after its interval. */
START_TEST(refreshed)
{
    http_set_text(http, "/keys", set_a);
    OPEN({"jwks_url", http_url(http, "/keys")}, {"jwks_refresh_interval", "1"});
    wait_for_keys("a");
    http_set_text(http, "/keys", set_b);
    wait_for_keys("b");
}
END_TEST

#define HS256 OC_ALG_BIT(OC_ALG_HS256)
#define ES256 OC_ALG_BIT(OC_ALG_ES256)

START_TEST(algorithms_without_a_url)
{
    OPEN({"jwks_file", a_file("set", set_a)});
    ck_assert_uint_eq(oc_keyring_algs(ring), ES256);
}
END_TEST

/* With a URL, whatever it may bring: all but those of secrets, which it never brings. */
START_TEST(algorithms_with_a_url)
{
    http_set_text(http, "/keys", set_a);
    OPEN({"jwks_url", http_url(http, "/keys")});
    for (int alg = OC_ALG_HS256; alg < OC_ALG_COUNT; alg++)
        ck_assert_msg(!(oc_keyring_algs(ring) & OC_ALG_BIT(alg)) == (alg <= OC_ALG_HS512), "%s",
                      oc_alg_name((oc_alg_t)alg));
    wait_for_keys("a");
    ck_assert(!(oc_keyring_algs(ring) & HS256));
}
END_TEST

START_TEST(algorithms_as_configured)
{
    OPEN({"jwks_url", http_url(http, "/keys")}, {"jwt_algorithms", "ES256"});
    ck_assert_uint_eq(oc_keyring_algs(ring), ES256);
}
END_TEST

/* --- The cache file --- */

static void fill_cache(const char *path, const char *url, const char *json)
{
    ck_assert_int_eq(oc_jwks_cache_store(path, url, json, strlen(json), NULL), OC_OK);
}

START_TEST(a_start_from_the_cache)
{
    const char *path = scratch_path("cache");

    fill_cache(path, http_url(http, "/1"), set_a);
    fill_cache(path, http_url(http, "/2"), set_c);
    http_set(http, "/1", HTTP_HANG, 0, "", "", 0);
    http_set_text(http, "/2", set_b);
    OPEN({"jwks_url", http_url(http, "/1")}, {"jwks_url", http_url(http, "/2")},
         {"jwks_cache_file", path});
    /* At once, before anything was fetched. */
    ck_assert_str_eq(kids(), "a c");
    ck_assert(!oc_keyring_complete(ring));
    wait_for_keys("a b");
    ck_assert(!oc_keyring_complete(ring));
    ck_assert_uint_eq(logged.lines, 3);
    wait_for_line("jwks_cache_file for http");
    wait_for_line("/1: 1 key: 'a'");
}
END_TEST

START_TEST(a_cache_that_holds_nothing)
{
    const char *path = scratch_path("cache");

    fill_cache(path, "https://id.globex.example/keys", set_c);
    http_set(http, "/keys", HTTP_HANG, 0, "", "", 0);
    OPEN({"jwks_url", http_url(http, "/keys")}, {"jwks_cache_file", path});
    ck_assert_str_eq(kids(), "");
    ck_assert_uint_eq(logged.lines, 1);
    ck_assert_uint_eq(logged.errors, 0);
    ck_assert_msg(strstr(logged.text, "jwks_cache_file: '") && strstr(logged.text, "/cache'"), "%s",
                  logged.text);
}
END_TEST

/* It is on disk, but it came from a URL: no secrets. */
START_TEST(a_secret_in_the_cache)
{
    OC_CLEANUP(oc_freep)
    char *json = test_jwks(test_jwk_named(TEST_SECRET, "s"), test_jwk_named(TEST_P256, "a"), NULL);
    const char *path = scratch_path("cache");

    fill_cache(path, http_url(http, "/keys"), json);
    http_set(http, "/keys", HTTP_HANG, 0, "", "", 0);
    OPEN({"jwks_url", http_url(http, "/keys")}, {"jwks_cache_file", path});
    ck_assert_str_eq(kids(), "a");
    ck_assert_msg(strstr(logged.text, "secret") != NULL, "%s", logged.text);
}
END_TEST

START_TEST(a_cache_that_is_only_read)
{
    const char *path = scratch_path("cache");
    const oc_option_t options[] = {{"jwks_url", http_url(http, "/keys")},
                                   {"jwks_cache_file", path}};
    char *json = NULL;
    size_t len;
    oc_diag_t diag = {0};

    fill_cache(path, http_url(http, "/keys"), set_a);
    http_set_text(http, "/keys", set_b);
    ck_assert_int_eq(oc_config_init(&config, options, COUNT(options), &diag), OC_OK);
    config.jwks_cache_read_only = true;
    ck_assert_int_eq(oc_keyring_new(&config, log_line, &logged, &ring, &diag), OC_OK);
    ck_assert_str_eq(kids(), "a");
    wait_for_keys("b");
    oc_keyring_free(ring);
    ring = NULL;
    ck_assert_int_eq(oc_jwks_cache_load(path, http_url(http, "/keys"), &json, &len, NULL), OC_OK);
    ck_assert_msg(strstr(json, "\"a\"") != NULL, "%s", json);
    free(json);
}
END_TEST

/* --- Many swaps --- */

#define SWAPS 200

/* While the sets change as fast as they come, every signature is checked with a whole set: that of the
 * key that is there is good, that of the key that is not has none. Under ThreadSanitizer this is also
 * where the two threads meet most. */
START_TEST(swapped_while_in_use)
{
    static const struct {
        const char *kid;
        enum test_key key;
        char *const *json;
    } sides[2] = {{"a", TEST_P256, &set_a}, {"b", TEST_P256_OTHER, &set_b}};
    unsigned char signatures[2][TOKEN_SIGNATURE_MAX];
    size_t lens[2];
    unsigned long verified = 0;

    for (int i = 0; i < 2; i++)
        lens[i] = token_signature("ES256", &test_keys[sides[i].key], "input", 5, signatures[i]);
    http_set_text(http, "/keys", set_a);
    OPEN({"jwks_url", http_url(http, "/keys")}, {"jwks_cache_file", scratch_path("cache")});
    for (int swap = 0; swap < SWAPS; swap++) {
        int now = swap % 2;
        oc_diag_t diag = {0};
        int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;

        http_set_text(http, "/keys", *sides[now].json);
        ck_assert_int_eq(oc_keyring_reload(ring, &diag), OC_OK);
        while (strcmp(kids(), sides[now].kid) != 0) {
            for (int i = 0; i < 2; i++) {
                oc_key_t *key = NULL;

                if (oc_keyset_select(oc_keyring_keys(ring), OC_ALG_ES256, sides[i].kid, &key,
                                     NULL) != OC_OK)
                    continue;
                unit_check(oc_key_verify(key, OC_ALG_ES256, (const unsigned char *)"input", 5,
                                         signatures[i], lens[i]),
                           "swap %d: %s", swap, sides[i].kid);
                unit_check(!oc_key_verify(key, OC_ALG_ES256, (const unsigned char *)"input", 5,
                                          signatures[1 - i], lens[1 - i]),
                           "swap %d: %s with the other key", swap, sides[i].kid);
                verified++;
            }
            (void)oc_keyring_poll(ring);
            unit_check(monotonic_ms() < deadline_ms, "swap %d did not come", swap);
        }
    }
    ck_assert_uint_ge(verified, SWAPS / 2);
    ck_assert_uint_eq(logged.errors, 0);
}
END_TEST

/* Many fetchers that end in the middle of things. */
START_TEST(opened_and_closed)
{
    http_set_text(http, "/1", set_a);
    http_set_text(http, "/2", set_b);
    http_set(http, "/3", HTTP_HANG, 0, "", "", 0);
    for (int i = 0; i < 20; i++) {
        OPEN({"jwks_url", http_url(http, "/1")}, {"jwks_url", http_url(http, "/2")},
             {"jwks_url", http_url(http, "/3")}, {"jwks_cache_file", scratch_path("cache")});
        if (i % 2)
            (void)http_wait(http, http_requests(http) + 2, i);
        (void)oc_keyring_poll(ring);
        oc_keyring_free(ring);
        ring = NULL;
        oc_config_done(&config);
    }
    oc_keyring_free(NULL);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("keyring");

    tcase_add_unchecked_fixture(tcase, make_keys, free_keys);
    tcase_add_checked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, all_kinds_of_files);
    tcase_add_test(tcase, files_are_read_again);
    unit_add_table(tcase, a_broken_file_keeps_the_old_keys, broken);
    tcase_add_test(tcase, a_broken_file_stops_the_start);
    tcase_add_test(tcase, skipped_keys_are_logged);
    tcase_add_test(tcase, files_and_urls);
    tcase_add_test(tcase, a_new_set_replaces_the_old);
    tcase_add_test(tcase, a_kid_of_a_file);
    tcase_add_test(tcase, a_provider_out_of_order);
    tcase_add_test(tcase, reload_fetches);
    tcase_add_test(tcase, misses);
    tcase_add_test(tcase, a_miss_of_two_providers);
    tcase_add_test(tcase, what_no_set_can_have);
    tcase_add_test(tcase, misses_are_forgotten);
    tcase_add_test(tcase, the_oldest_fetch_counts);
    tcase_add_test(tcase, no_url_no_fetch);
    tcase_add_test(tcase, a_set_is_reported_once);
    tcase_add_test(tcase, refreshed);
    tcase_add_test(tcase, algorithms_without_a_url);
    tcase_add_test(tcase, algorithms_with_a_url);
    tcase_add_test(tcase, algorithms_as_configured);
    tcase_add_test(tcase, a_start_from_the_cache);
    tcase_add_test(tcase, a_cache_that_holds_nothing);
    tcase_add_test(tcase, a_secret_in_the_cache);
    tcase_add_test(tcase, a_cache_that_is_only_read);
    tcase_add_test(tcase, swapped_while_in_use);
    tcase_add_test(tcase, opened_and_closed);
    return unit_run("keyring", tcase);
}
