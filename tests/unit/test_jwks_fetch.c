/* SPDX-License-Identifier: MIT */
/* The thread that fetches a key set, with an HTTP server of the test's own. */
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "http.h"
#include "jwk.h"
#include "jwks_cache.h"
#include "jwks_fetch.h"
#include "mem.h"
#include "scratch.h"
#include "test_jwks.h"
#include "unit.h"

#define NOW_S 1000000
#define DEADLINE_MS 20000
/* How long to look for something that must not come. */
#define SILENCE_MS 300

static http_t *http;
static oc_fetch_t *fetch;
static char url[256];
static char *set_a; /* a P-256 key named "a" */
static char *set_b;

static void make_keys(void)
{
    test_keys_make();
    set_a = test_jwks(test_jwk_named(TEST_P256, "a"), NULL, NULL);
    set_b = test_jwks(test_jwk_named(TEST_P256_OTHER, "b"), NULL, NULL);
}

static void free_keys(void)
{
    free(set_a);
    free(set_b);
    test_keys_free();
}

static void make(void)
{
    scratch_open();
    http = http_start();
    (void)snprintf(url, sizeof url, "%s", http_url(http, "/keys"));
}

static void unmake(void)
{
    oc_fetch_stop(fetch);
    http_stop(http);
    scratch_close();
}

#define WISH_INTERVAL_MS 1000

/* Far apart, so that only the test brings fetches about. */
static void start(const char *cache_file)
{
    const oc_fetch_options_t options = {url, NULL, cache_file, 604800, WISH_INTERVAL_MS};
    oc_diag_t diag = {0};

    ck_assert_msg(oc_fetch_start(&options, &fetch, &diag) == OC_OK, "%s", diag.message);
}

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for the next set, of one key with this name. */
static void take(const char *kid)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;
    oc_keyset_t keys = {0};

    while (!oc_fetch_take(fetch, &keys) && monotonic_ms() < deadline_ms)
        (void)poll(NULL, 0, 1);
    ck_assert_msg(keys.count == 1, "no set of '%s' came", kid);
    ck_assert_str_eq(keys.keys[0]->kid, kid);
    ck_assert_str_eq(keys.keys[0]->source, url);
    oc_keyset_done(&keys);
}

static void take_nothing(void)
{
    oc_keyset_t keys;

    ck_assert(!oc_fetch_take(fetch, &keys));
}

/* Wait for the next line, which holds this. */
static void read_line(bool error, const char *says)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;
    char line[OC_FETCH_MESSAGE_MAX] = "";
    bool is_error = !error;

    while (!oc_fetch_message(fetch, line, &is_error) && monotonic_ms() < deadline_ms)
        (void)poll(NULL, 0, 1);
    ck_assert_msg(strstr(line, says) != NULL, "not '%s' but '%s'", says, line);
    ck_assert_msg(is_error == error, "'%s'", line);
}

static void read_no_line(void)
{
    char line[OC_FETCH_MESSAGE_MAX];
    bool is_error;

    ck_assert_msg(!oc_fetch_message(fetch, line, &is_error), "'%s'", line);
}

/* Have it fetched once more, and wait until that request is there. */
static void again(void)
{
    unsigned requests = http_requests(http);

    oc_fetch_now(fetch);
    ck_assert(http_wait(http, requests + 1, DEADLINE_MS));
}

START_TEST(takes_sets)
{
    http_set_text(http, "/keys", set_a);
    start(NULL);
    take("a");
    take_nothing();
    http_set_text(http, "/keys", set_b);
    again();
    take("b");
    take_nothing();
    read_no_line();
    ck_assert_uint_eq(http_requests(http), 2);
}
END_TEST

START_TEST(the_same_document_is_not_handed_over_again)
{
    http_set_text(http, "/keys", set_a);
    start(NULL);
    take("a");
    for (int i = 0; i < 3; i++)
        again();
    /* When the request after it is there, a document has been dealt with. */
    take_nothing();
    http_set_text(http, "/keys", set_b);
    again();
    take("b");
    http_set_text(http, "/keys", set_a);
    again();
    take("a");
}
END_TEST

/* Of two that came meanwhile, the newer one. */
START_TEST(the_newest_set)
{
    http_set_text(http, "/keys", set_a);
    start(NULL);
    ck_assert(http_wait(http, 1, DEADLINE_MS));
    http_set_text(http, "/keys", set_b);
    again();
    again();
    take("b");
    take_nothing();
}
END_TEST

START_TEST(a_set_nobody_takes)
{
    http_set_text(http, "/keys", set_a);
    start(NULL);
    ck_assert(http_wait(http, 1, DEADLINE_MS));
    again();
}
END_TEST

#define HTML "<html>Not here</html>"

/* What an identity provider that is out of order does. */
static const struct {
    const char *name;
    http_how_t how;
    int status;
    const char *headers;
    const char *body;
    const char *says;
} failures[] = {
    {"not found", HTTP_ANSWER, 404, "", HTML, "status 404"},
    {"an error with a set", HTTP_ANSWER, 500, "", NULL, "status 500"},
    {"busy", HTTP_ANSWER, 503, "Retry-After: 1\r\n", "", "status 503"},
    {"created with a set", HTTP_ANSWER, 201, "", NULL, "status 201"},
    {"partial content", HTTP_ANSWER, 206, "", NULL, "status 206"},
    {"not modified, unasked", HTTP_ANSWER, 304, "", "", "status 304"},
    {"no body", HTTP_ANSWER, 200, "", "", "no JWK set"},
    {"a page", HTTP_ANSWER, 200, "", HTML, "no JWK set"},
    {"a set without keys", HTTP_ANSWER, 200, "", "{\"keys\":[]}", "no usable key"},
    {"half a set", HTTP_ANSWER, 200, "", "{\"keys\":[", "no JWK set"},
    {"cut off", HTTP_CUT, 200, "", NULL, " bytes "},
    {"reset", HTTP_RESET, 0, "", "", "reset"},
    {"no answer but the end", HTTP_RAW, 0, "", "", "Empty reply"},
    {"no HTTP", HTTP_RAW, 0, "", "220 smtp.acme.example\r\n", "HTTP/0.9"},
    {"without end", HTTP_ENDLESS, 0, "", "", "longer than 1048576 bytes"},
    {"announced too long", HTTP_RAW, 0, "", "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n{",
     "longer than 1048576 bytes"},
    {"chunked nonsense", HTTP_RAW, 0, "",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunk"},
    {"redirect to another port", HTTP_ANSWER, 302, "Location: http://127.0.0.1:1/keys\r\n", "",
     "another host"},
    {"redirect to another host", HTTP_ANSWER, 301, "Location: https://id.acme.example/keys\r\n", "",
     "another host"},
    {"redirect by the scheme alone", HTTP_ANSWER, 307, "Location: //id.acme.example/keys\r\n", "",
     "another host"},
    {"redirect to a file", HTTP_ANSWER, 302, "Location: file:///etc/passwd\r\n", "",
     "another host"},
    {"redirect in a circle", HTTP_ANSWER, 302, "Location: /keys\r\n", "", "more than 3 redirects"},
    {"redirect to nowhere", HTTP_ANSWER, 302, "", "", "status 302"},
};

START_TEST(the_last_good_set_stays)
{
    const char *body = failures[_i].body ? failures[_i].body : set_b;

    http_set_text(http, "/keys", set_a);
    start(NULL);
    take("a");
    http_set(http, "/keys", failures[_i].how, failures[_i].status, failures[_i].headers, body,
             strlen(body));
    again();
    read_line(true, failures[_i].says);
    take_nothing();
    read_no_line();
    /* And it is there again when the provider is. */
    http_set_text(http, "/keys", set_b);
    again();
    take("b");
    read_line(false, "fetched");
    read_no_line();
}
END_TEST

START_TEST(failures_from_the_start)
{
    const char *body = failures[_i].body ? failures[_i].body : set_b;

    http_set(http, "/keys", failures[_i].how, failures[_i].status, failures[_i].headers, body,
             strlen(body));
    start(NULL);
    read_line(true, failures[_i].says);
    take_nothing();
    http_set_text(http, "/keys", set_a);
    again();
    take("a");
}
END_TEST

START_TEST(a_failure_is_one_line_that_names_the_url)
{
    char start_of[OC_FETCH_MESSAGE_MAX];

    start(NULL);
    (void)snprintf(start_of, sizeof start_of, "jwks_url %s: status 404; the last good set stays",
                   url);
    read_line(true, start_of);
    again();
    read_line(true, start_of);
}
END_TEST

START_TEST(nobody_listens)
{
    http_t *other = http_start();

    (void)snprintf(url, sizeof url, "%s", http_url(other, "/keys"));
    http_stop(other);
    start(NULL);
    read_line(true, "onnect");
    take_nothing();
}
END_TEST

/* Redirects within the origin are followed, up to three. */
START_TEST(redirects_within_the_origin)
{
    char absolute[300];

    (void)snprintf(absolute, sizeof absolute, "Location: %s\r\n", http_url(http, "/2"));
    http_set(http, "/keys", HTTP_ANSWER, 301, "Location: /1\r\n", HTML, strlen(HTML));
    http_set(http, "/1", HTTP_ANSWER, 302, absolute, "", 0);
    http_set(http, "/2", HTTP_ANSWER, 308, "Location: 3\r\n", "", 0);
    http_set_text(http, "/3", set_a);
    start(NULL);
    take("a");
    ck_assert_uint_eq(http_requests(http), 4);
    /* The next fetch begins anew. */
    http_set_text(http, "/keys", set_b);
    again();
    take("b");
    ck_assert_uint_eq(http_requests(http), 5);
    /* One more is too much. */
    http_set(http, "/keys", HTTP_ANSWER, 301, "Location: /0\r\n", "", 0);
    http_set(http, "/0", HTTP_ANSWER, 301, "Location: /1\r\n", "", 0);
    again();
    read_line(true, "more than 3 redirects");
    ck_assert_uint_eq(http_requests(http), 9);
}
END_TEST

START_TEST(a_set_as_long_as_allowed)
{
    char *body = malloc(OC_JWKS_MAX_BYTES + 1);

    memset(body, ' ', OC_JWKS_MAX_BYTES + 1);
    memcpy(body, set_a, strlen(set_a)); /* NOLINT(bugprone-not-null-terminated-result) */
    http_set(http, "/keys", HTTP_ANSWER, 200, "", body, OC_JWKS_MAX_BYTES);
    start(NULL);
    take("a");
    http_set(http, "/keys", HTTP_ANSWER, 200, "", body, OC_JWKS_MAX_BYTES + 1);
    again();
    read_line(true, "longer than 1048576 bytes");
    free(body);
}
END_TEST

/* A secret in a set from a URL is not taken, and the log says so. */
START_TEST(no_secrets)
{
    OC_CLEANUP(oc_freep)
    char *json = test_jwks(test_jwk_named(TEST_SECRET, "s"), test_jwk_named(TEST_P256, "a"), NULL);

    http_set_text(http, "/keys", json);
    start(NULL);
    take("a");
    read_line(true, "key 1 is skipped: is a secret");
    read_no_line();
}
END_TEST

START_TEST(lines_that_find_no_room_are_counted)
{
    json_t *keys = json_array();
    json_t *set = json_pack("{s:o}", "keys", keys);
    OC_CLEANUP(oc_freep) char *json = NULL;

    for (int i = 0; i < 20; i++)
        (void)json_array_append_new(keys, json_object());
    (void)json_array_append_new(keys, test_jwk_named(TEST_P256, "a"));
    json = json_dumps(set, 0);
    json_decref(set);
    http_set_text(http, "/keys", json);
    start(NULL);
    take("a");
    for (int i = 0; i < 8; i++)
        read_line(true, "is skipped: has no 'kty'");
    read_line(true, "/keys: 12 more lines left out");
    read_no_line();
}
END_TEST

/* --- Wishes --- */

static void wait_answered(uint64_t wish)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;

    while (oc_fetch_answered(fetch) < wish && monotonic_ms() < deadline_ms)
        (void)poll(NULL, 0, 1);
    ck_assert_uint_eq(oc_fetch_answered(fetch), wish);
    ck_assert(oc_fetch_begun(fetch, wish));
}

/* The first wish is granted at once. Later ones wait until the interval is over, and are not lost. */
START_TEST(wishes_within_the_interval_are_deferred)
{
    int64_t granted_ms;

    http_set_text(http, "/keys", set_a);
    start(NULL);
    take("a");
    ck_assert_uint_eq(oc_fetch_answered(fetch), 0);
    granted_ms = monotonic_ms();
    oc_fetch_wish(fetch, 1);
    wait_answered(1);
    ck_assert(monotonic_ms() - granted_ms < WISH_INTERVAL_MS);
    for (uint64_t wish = 2; wish <= 1000; wish++)
        oc_fetch_wish(fetch, wish);
    ck_assert(!oc_fetch_begun(fetch, 1000));
    http_set_text(http, "/keys", set_b);
    wait_answered(1000);
    ck_assert(monotonic_ms() - granted_ms >= WISH_INTERVAL_MS);
    take("b");
    ck_assert_uint_eq(http_requests(http), 3);
    ck_assert(!http_wait(http, 4, WISH_INTERVAL_MS + SILENCE_MS));
}
END_TEST

/* The fetch that began before the wish does not answer it. */
START_TEST(a_wish_during_a_fetch)
{
    http_set(http, "/keys", HTTP_HANG, 0, "", "", 0);
    start(NULL);
    ck_assert(http_wait(http, 1, DEADLINE_MS));
    oc_fetch_wish(fetch, 1);
    ck_assert(!oc_fetch_begun(fetch, 1));
    http_set_text(http, "/keys", set_a);
    wait_answered(1);
    take("a");
    ck_assert_uint_eq(http_requests(http), 2);
}
END_TEST

/* A failure is no answer. */
START_TEST(a_wish_while_the_provider_fails)
{
    http_set(http, "/keys", HTTP_ANSWER, 500, "", "", 0);
    start(NULL);
    read_line(true, "status 500");
    oc_fetch_wish(fetch, 1);
    read_line(true, "status 500");
    ck_assert(oc_fetch_begun(fetch, 1));
    ck_assert_uint_eq(oc_fetch_answered(fetch), 0);
    http_set_text(http, "/keys", set_a);
    again();
    wait_answered(1);
}
END_TEST

/* --- The time of the last success --- */

START_TEST(the_same_document_counts_as_fetched)
{
    int64_t began_s = time(NULL);
    int64_t first_s;

    http_set_text(http, "/keys", set_a);
    start(NULL);
    ck_assert_int_eq(oc_fetch_fetched_s(fetch), 0);
    take("a");
    oc_fetch_wish(fetch, 1);
    wait_answered(1);
    first_s = oc_fetch_fetched_s(fetch);
    ck_assert(first_s >= began_s && first_s <= time(NULL));
    oc_fetch_wish(fetch, 2);
    wait_answered(2);
    ck_assert_int_gt(oc_fetch_fetched_s(fetch), first_s);
    take_nothing();
}
END_TEST

START_TEST(a_failure_does_not_count_as_fetched)
{
    http_set(http, "/keys", HTTP_ANSWER, 200, "", HTML, strlen(HTML));
    start(NULL);
    read_line(true, "no JWK set");
    ck_assert_int_eq(oc_fetch_fetched_s(fetch), 0);
}
END_TEST

/* --- Ending --- */

static void stop_at_once(const char *when)
{
    int64_t start_ms = monotonic_ms();

    oc_fetch_stop(fetch);
    fetch = NULL;
    ck_assert_msg(monotonic_ms() - start_ms < 2000, "%s: %lld ms", when,
                  (long long)(monotonic_ms() - start_ms));
}

START_TEST(stops_while_the_server_hangs)
{
    http_set(http, "/keys", HTTP_HANG, 0, "", "", 0);
    start(NULL);
    ck_assert(http_wait(http, 1, DEADLINE_MS));
    stop_at_once("hanging");
}
END_TEST

START_TEST(stops_at_any_moment)
{
    http_set_text(http, "/keys", set_a);
    for (int i = 0; i < 20; i++) {
        start(NULL);
        if (i % 4 > 0)
            (void)http_wait(http, http_requests(http) + 1, i);
        stop_at_once("started");
    }
    start(NULL);
    take("a");
    stop_at_once("waiting");
    oc_fetch_stop(NULL);
}
END_TEST

/* --- The cache file --- */

static void check_cached(const char *path, const char *kid)
{
    OC_CLEANUP(oc_freep) char *json = NULL;
    size_t len = 0;
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;
    char want[64];

    (void)snprintf(want, sizeof want, "\"kid\":\"%s\"", kid);
    while (monotonic_ms() < deadline_ms) {
        if (oc_jwks_cache_load(path, url, &json, &len, NULL) == OC_OK && strstr(json, want))
            return;
        free(json);
        json = NULL;
        (void)poll(NULL, 0, 1);
    }
    ck_abort_msg("'%s' is not in the cache", kid);
}

START_TEST(good_sets_are_kept_on_disk)
{
    const char *path = scratch_path("cache");

    http_set_text(http, "/keys", set_a);
    start(path);
    take("a");
    check_cached(path, "a");
    http_set_text(http, "/keys", "{\"keys\":[]}");
    again();
    read_line(true, "no usable key");
    check_cached(path, "a");
    http_set_text(http, "/keys", set_b);
    again();
    check_cached(path, "b");
    /* One that went missing is written again, with nothing new to hand over. */
    take("b");
    read_line(false, "fetched");
    read_no_line();
}
END_TEST

/* A cache file that cannot be written is said once, and keeps nobody out; when it can be, the set that
 * is in use goes in. */
START_TEST(a_cache_file_that_cannot_be_written)
{
    const char *path = scratch_path("folder/cache");

    http_set_text(http, "/keys", set_a);
    start(path);
    take("a");
    read_line(true, "jwks_cache_file: ");
    again();
    again();
    read_no_line();
    http_set_text(http, "/keys", set_b);
    again();
    take("b");
    again();
    read_no_line();
    ck_assert_int_eq(mkdir(scratch_path("folder"), 0700), 0);
    again();
    check_cached(path, "b");
    stop_at_once("cached");
    ck_assert_int_eq(remove(path), 0);
}
END_TEST

/* More lines than are kept: the first ones, and nothing breaks. */
START_TEST(so_many_lines)
{
    OC_CLEANUP(oc_freep) char *json = malloc(1000);
    char line[OC_FETCH_MESSAGE_MAX];
    bool is_error;
    int lines = 0;

    (void)snprintf(json, 1000, "{\"keys\":[1,2,3,4,5,6,7,8,9,10,11,12,%s", strchr(set_a, '[') + 1);
    http_set_text(http, "/keys", json);
    start(NULL);
    take("a");
    while (oc_fetch_message(fetch, line, &is_error))
        lines++;
    ck_assert_int_ge(lines, 1);
    ck_assert_int_le(lines, 12);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("jwks_fetch");

    tcase_add_unchecked_fixture(tcase, make_keys, free_keys);
    tcase_add_checked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, takes_sets);
    tcase_add_test(tcase, the_same_document_is_not_handed_over_again);
    tcase_add_test(tcase, the_newest_set);
    tcase_add_test(tcase, a_set_nobody_takes);
    unit_add_table(tcase, the_last_good_set_stays, failures);
    unit_add_table(tcase, failures_from_the_start, failures);
    tcase_add_test(tcase, a_failure_is_one_line_that_names_the_url);
    tcase_add_test(tcase, nobody_listens);
    tcase_add_test(tcase, redirects_within_the_origin);
    tcase_add_test(tcase, a_set_as_long_as_allowed);
    tcase_add_test(tcase, no_secrets);
    tcase_add_test(tcase, wishes_within_the_interval_are_deferred);
    tcase_add_test(tcase, a_wish_during_a_fetch);
    tcase_add_test(tcase, a_wish_while_the_provider_fails);
    tcase_add_test(tcase, the_same_document_counts_as_fetched);
    tcase_add_test(tcase, a_failure_does_not_count_as_fetched);
    tcase_add_test(tcase, lines_that_find_no_room_are_counted);
    tcase_add_test(tcase, stops_while_the_server_hangs);
    tcase_add_test(tcase, stops_at_any_moment);
    tcase_add_test(tcase, good_sets_are_kept_on_disk);
    tcase_add_test(tcase, a_cache_file_that_cannot_be_written);
    tcase_add_test(tcase, so_many_lines);
    return unit_run("jwks_fetch", tcase);
}
