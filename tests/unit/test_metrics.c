/* SPDX-License-Identifier: MIT */
/* The forms in which the plugin's numbers are shown. A page is read here as Prometheus reads it, and every
 * form has to say the same. Linked with -Wl,--wrap, so that allocations can be counted and fail. */
#include <inttypes.h>
#include <stddef.h>

#include "json.h"
#include "metrics.h"
#include "unit.h"

#define NOW_S 1795500000
/* At least so many topics there are. */
#define MANY 80

/* --- Allocations that are counted, and fail when told to --- */

static struct {
    bool armed;
    long count;
    long fail_at; /* -1: none */
    bool for_good;
} memory;

static bool fails(void)
{
    long at = memory.count;

    if (!memory.armed)
        return false;
    memory.count++;
    return memory.fail_at >= 0 && (memory.for_good ? at >= memory.fail_at : at == memory.fail_at);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

static void arm(long fail_at, bool for_good)
{
    memory.armed = true;
    memory.count = 0;
    memory.fail_at = fail_at;
    memory.for_good = for_good;
}

/* --- A reader of the exposition format --- */

#define SERIES_MAX 4096
#define FAMILIES_MAX 64

typedef struct reader {
    char *text;                     /* the page, cut up */
    const char *series[SERIES_MAX]; /* `name{labels}` */
    const char *values[SERIES_MAX]; /* as text */
    char *labels[SERIES_MAX];       /* the first label's value and what follows; NULL: none */
    size_t count;
    const char *families[FAMILIES_MAX];
    bool counter[FAMILIES_MAX];
    size_t family_count;
} reader_t;

static bool name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

static char *read_name(char *at)
{
    unit_check(name_char(*at, true), "no name: '%.40s'", at);
    while (name_char(*at, false))
        at++;
    return at;
}

/* `# HELP name text` and `# TYPE name type`, in this order. */
static void read_comment(reader_t *reader, char *line)
{
    bool help = strncmp(line, "# HELP ", 7) == 0;
    char *end;

    unit_check(help || strncmp(line, "# TYPE ", 7) == 0, "'%s'", line);
    end = read_name(line + 7);
    unit_check(*end == ' ' && end[1], "'%s'", line);
    *end = '\0';
    if (help) {
        for (size_t i = 0; i < reader->family_count; i++)
            unit_check(strcmp(reader->families[i], line + 7) != 0, "%s comes twice", line + 7);
        unit_check(reader->family_count < FAMILIES_MAX, "too many families");
        reader->families[reader->family_count++] = line + 7;
        return;
    }
    unit_check(reader->family_count > 0 &&
                   strcmp(reader->families[reader->family_count - 1], line + 7) == 0,
               "TYPE of %s is not after its HELP", line + 7);
    reader->counter[reader->family_count - 1] = strcmp(end + 1, "counter") == 0;
    unit_check(reader->counter[reader->family_count - 1] || strcmp(end + 1, "gauge") == 0, "'%s'",
               end + 1);
}

/* The value of a label, from its quote on; unescaped when asked, in place. */
static char *read_quoted(char *at, bool unescape)
{
    char *out = ++at;

    for (; *at != '"'; at++) {
        unit_check(*at, "an open quote");
        if (*at == '\\') {
            at++;
            unit_check(strchr("\\\"n", *at) && *at, "escape of '%c'", *at);
            if (*at == 'n' && unescape)
                *at = '\n';
        }
        if (unescape)
            *out++ = *at;
    }
    if (unescape)
        *out = '\0';
    return at + 1;
}

static char *read_labels(char *at, char **ret_first)
{
    bool first = true;

    do {
        char *quote = read_name(at + 1);

        unit_check(quote[0] == '=' && quote[1] == '"', "label: '%.40s'", at);
        if (first)
            *ret_first = strdup(quote + 2);
        first = false;
        at = read_quoted(quote + 1, false);
    } while (*at == ',');
    unit_check(*at == '}', "labels end with '%.40s'", at);
    return at + 1;
}

static void read_sample(reader_t *reader, char *line)
{
    char *first = NULL;
    char *end = read_name(line);
    size_t name_len = (size_t)(end - line);
    const char *family = reader->family_count ? reader->families[reader->family_count - 1] : "";
    char *digits_end = NULL;

    unit_check(strlen(family) == name_len && strncmp(family, line, name_len) == 0,
               "'%s' is not where its family is", line);
    if (*end == '{')
        end = read_labels(end, &first);
    unit_check(*end == ' ', "'%s'", line);
    *end = '\0';
    (void)strtod(end + 1, &digits_end);
    unit_check(digits_end > end + 1 && *digits_end == '\0', "value '%s'", end + 1);
    for (size_t i = 0; i < reader->count; i++)
        unit_check(strcmp(reader->series[i], line) != 0, "%s comes twice", line);
    unit_check(reader->count < SERIES_MAX, "too many series");
    reader->series[reader->count] = line;
    reader->values[reader->count] = end + 1;
    reader->labels[reader->count++] = first;
}

/* Cut a page up; it is taken. */
static void read_page(reader_t *reader, char *page)
{
    char *line = page;

    unit_check(page != NULL, "no page");
    *reader = (reader_t){.text = page};
    while (*line) {
        char *end = strchr(line, '\n');

        unit_check(end != NULL, "the last line has no end");
        *end = '\0';
        if (*line == '#')
            read_comment(reader, line);
        else
            read_sample(reader, line);
        line = end + 1;
    }
    for (size_t i = 0; i < reader->family_count; i++) {
        const char *name = reader->families[i];
        size_t len = strlen(name);

        unit_check(strncmp(name, "orgcast_", 8) == 0, "%s", name);
        unit_check(reader->counter[i] == (len > 6 && strcmp(name + len - 6, "_total") == 0), "%s",
                   name);
    }
}

static void reader_done(reader_t *reader)
{
    for (size_t i = 0; i < reader->count; i++)
        free(reader->labels[i]);
    free(reader->text);
}

/* The text of a series' value, or NULL. */
static const char *value_in(const reader_t *reader, const char *series)
{
    for (size_t i = 0; i < reader->count; i++) {
        if (strcmp(reader->series[i], series) == 0)
            return reader->values[i];
    }
    return NULL;
}

/* The series has a value in a page of these metrics; NULL: it is not there. */
static void want_series(const oc_metrics_t *metrics, const char *series, const char *value)
{
    reader_t reader;
    const char *found;

    read_page(&reader, oc_metrics_render(metrics, NULL));
    found = value_in(&reader, series);
    ck_assert_msg(found ? value && strcmp(found, value) == 0 : !value, "%s is %s, not %s", series,
                  found ? found : "absent", value ? value : "absent");
    reader_done(&reader);
}

/* --- The topics, collected --- */

#define TOPIC_ROOT "$SYS/broker/orgcast/"

typedef struct topics {
    char topics[SERIES_MAX][OC_METRICS_TOPIC_MAX];
    char values[SERIES_MAX][24];
    size_t count;
    size_t take; /* refuse from this one on */
} topics_t;

static topics_t topics;

static bool collect(void *context, const char *topic, const char *value)
{
    (void)context;
    if (topics.count >= topics.take)
        return false;
    unit_check(strncmp(topic, TOPIC_ROOT, sizeof TOPIC_ROOT - 1) == 0, "%s", topic);
    (void)snprintf(topics.topics[topics.count], OC_METRICS_TOPIC_MAX, "%s",
                   topic + sizeof TOPIC_ROOT - 1);
    (void)snprintf(topics.values[topics.count++], sizeof topics.values[0], "%s", value);
    return true;
}

static void collect_changed(const oc_metrics_t *metrics, oc_metrics_published_t *published,
                            size_t take)
{
    topics.count = 0;
    topics.take = take;
    oc_metrics_each_changed(metrics, published, collect, NULL);
}

static const char *topic_value(const char *topic)
{
    for (size_t i = 0; i < topics.count; i++) {
        if (strcmp(topics.topics[i], topic) == 0)
            return topics.values[i];
    }
    return NULL;
}

/* --- Where each number arrives --- */

#define ARRAY(field, err) offsetof(oc_metrics_t, field) + (err) * sizeof(uint64_t)
#define FIELD(field) offsetof(oc_metrics_t, field)

/* What one more of it changes. */
static const struct {
    size_t offset;
    const char *series;
    const char *topic;
    const char *total; /* another topic that counts it too, or NULL */
} numbers[] = {
    {FIELD(sessions), "orgcast_sessions{state=\"connected\"}", "sessions/connected", NULL},
    {FIELD(sessions_offline), "orgcast_sessions{state=\"offline\"}", "sessions/offline", NULL},
    {FIELD(organizations), "orgcast_organizations", "organizations/connected", NULL},
    {FIELD(keys), "orgcast_keys", "keys", NULL},
    {FIELD(revocations), "orgcast_revocations", "revocations", NULL},
    {FIELD(replay_bytes), "orgcast_replay_bytes", "replay/bytes", NULL},
    {ARRAY(connects, OC_OK), "orgcast_connects_total{result=\"accepted\"}", "connects/accepted",
     NULL},
    {ARRAY(connects, OC_E_TOKEN_EXPIRED),
     "orgcast_connects_refused_total{reason=\"token_expired\"}", "connects/refused/token_expired",
     "connects/refused/total"},
    {ARRAY(connects, OC_E_CLIENT_ID_IN_USE),
     "orgcast_connects_refused_total{reason=\"client_id_in_use\"}",
     "connects/refused/client_id_in_use", "connects/refused/total"},
    {ARRAY(connects, OC_E_NOMEM), "orgcast_connects_refused_total{reason=\"out_of_memory\"}",
     "connects/refused/out_of_memory", "connects/refused/total"},
    {ARRAY(connects, OC_E_INTERNAL), "orgcast_connects_refused_total{reason=\"internal_error\"}",
     "connects/refused/internal_error", "connects/refused/total"},
    {ARRAY(refreshes, OC_OK), "orgcast_refreshes_total{result=\"accepted\"}", "refreshes/accepted",
     NULL},
    {ARRAY(refreshes, OC_E_SIGNATURE_INVALID),
     "orgcast_refreshes_refused_total{reason=\"signature_invalid\"}",
     "refreshes/refused/signature_invalid", "refreshes/refused/total"},
    {ARRAY(subscribes, OC_OK), "orgcast_acl_checks_total{action=\"subscribe\",result=\"allowed\"}",
     "acl/subscribe/allowed", NULL},
    {ARRAY(subscribes, OC_E_TOPIC_NOT_ALLOWED),
     "orgcast_acl_denied_total{action=\"subscribe\",reason=\"topic_not_allowed\"}",
     "acl/subscribe/denied/topic_not_allowed", "acl/subscribe/denied/total"},
    {ARRAY(publishes, OC_OK), "orgcast_acl_checks_total{action=\"publish\",result=\"allowed\"}",
     "acl/publish/allowed", NULL},
    {ARRAY(publishes, OC_E_RETAIN_NOT_ALLOWED),
     "orgcast_acl_denied_total{action=\"publish\",reason=\"retain_not_allowed\"}",
     "acl/publish/denied/retain_not_allowed", "acl/publish/denied/total"},
    {ARRAY(deliveries, OC_OK), "orgcast_deliveries_total{result=\"allowed\"}", "deliveries/allowed",
     NULL},
    {ARRAY(deliveries, OC_E_TOKEN_EXPIRED),
     "orgcast_deliveries_suppressed_total{reason=\"token_expired\"}",
     "deliveries/suppressed/token_expired", "deliveries/suppressed/total"},
    {ARRAY(events, OC_OK), "orgcast_events_total{result=\"accepted\"}", "events/accepted", NULL},
    {ARRAY(events, OC_E_EVENT_INVALID), "orgcast_events_refused_total{reason=\"event_invalid\"}",
     "events/refused/event_invalid", "events/refused/total"},
    {ARRAY(admin_commands, OC_OK), "orgcast_admin_commands_total{result=\"accepted\"}",
     "admin/accepted", NULL},
    {ARRAY(admin_commands, OC_E_SCOPE_MISSING), "orgcast_admin_commands_total{result=\"refused\"}",
     "admin/refused", NULL},
    {FIELD(sessions_expired), "orgcast_sessions_ended_total{cause=\"token_expired\"}",
     "sessions/ended/token_expired", NULL},
    {FIELD(sessions_revoked), "orgcast_sessions_ended_total{cause=\"token_revoked\"}",
     "sessions/ended/token_revoked", NULL},
    {FIELD(sessions_kicked), "orgcast_sessions_ended_total{cause=\"kicked\"}",
     "sessions/ended/kicked", NULL},
    {FIELD(replays_recovered), "orgcast_replays_total{result=\"recovered\"}", "replays/recovered",
     NULL},
    {FIELD(replays_not_recovered), "orgcast_replays_total{result=\"not_recovered\"}",
     "replays/not_recovered", NULL},
    {FIELD(log_lines_left_out), "orgcast_log_lines_left_out_total", "log/left_out", NULL},
    {FIELD(audit_lines_lost), "orgcast_audit_lines_lost_total", "audit/lost", NULL},
};

START_TEST(each_number)
{
    oc_metrics_t metrics;
    oc_metrics_published_t published = {0};
    void *at = (char *)&metrics + numbers[_i].offset;
    const char *topic = numbers[_i].topic;
    const char *total = numbers[_i].total;

    oc_metrics_init(&metrics, NOW_S);
    collect_changed(&metrics, &published, SERIES_MAX);
    *(uint64_t *)at += 3;
    want_series(&metrics, numbers[_i].series, "3");
    /* And nothing else. */
    collect_changed(&metrics, &published, SERIES_MAX);
    ck_assert_uint_eq(topics.count, total ? 2 : 1);
    ck_assert_msg(topic_value(topic) && strcmp(topic_value(topic), "3") == 0, "%s", topic);
    ck_assert_msg(!total || (topic_value(total) && strcmp(topic_value(total), "3") == 0), "%s",
                  topic);
}
END_TEST

/* Every field of the struct is one of `numbers`, or an outcome like them, or has its own test. */
START_TEST(no_number_is_forgotten)
{
    oc_metrics_t metrics;
    oc_metrics_published_t published = {0};
    uint64_t *words = (uint64_t *)&metrics;

    oc_metrics_init(&metrics, NOW_S);
    collect_changed(&metrics, &published, SERIES_MAX);
    for (size_t i = 0; i < sizeof metrics / sizeof *words; i++) {
        words[i] = words[i] == OC_METRIC_ABSENT ? 1 : words[i] + 1;
        collect_changed(&metrics, &published, SERIES_MAX);
        ck_assert_msg(topics.count > 0, "byte %zu of the struct is shown nowhere",
                      i * sizeof *words);
    }
}
END_TEST

START_TEST(refused_is_the_sum_of_its_reasons)
{
    oc_metrics_t metrics;

    oc_metrics_init(&metrics, NOW_S);
    for (unsigned err = 0; err < OC_ERR_COUNT; err++)
        metrics.connects[err] = 10;
    for (unsigned err = OC_OK + 1; err < OC_ERR_COUNT; err++) {
        char series[128];

        (void)snprintf(series, sizeof series, "orgcast_connects_refused_total{reason=\"%s\"}",
                       oc_err_name((oc_err_t)err));
        want_series(&metrics, series, "10");
    }
    (void)snprintf(topics.values[0], sizeof topics.values[0], "%u", (OC_ERR_COUNT - 1) * 10U);
    want_series(&metrics, "orgcast_connects_total{result=\"refused\"}", topics.values[0]);
    want_series(&metrics, "orgcast_connects_total{result=\"accepted\"}", "10");
}
END_TEST

/* Series begin at zero, so that their first step shows in a rate; those nobody expects do not. */
START_TEST(zeros)
{
    oc_metrics_t metrics;

    oc_metrics_init(&metrics, NOW_S);
    want_series(&metrics, "orgcast_start_time_seconds", "1795500000");
    want_series(&metrics, "orgcast_sessions{state=\"connected\"}", "0");
    want_series(&metrics, "orgcast_connects_refused_total{reason=\"token_expired\"}", "0");
    want_series(&metrics, "orgcast_connects_refused_total{reason=\"event_invalid\"}", NULL);
    want_series(&metrics, "orgcast_connects_refused_total{reason=\"ok\"}", NULL);
    metrics.connects[OC_E_EVENT_INVALID]++;
    want_series(&metrics, "orgcast_connects_refused_total{reason=\"event_invalid\"}", "1");
}
END_TEST

START_TEST(absent_gauge)
{
    oc_metrics_t metrics;
    oc_metrics_published_t published = {0};
    json_t *json;

    oc_metrics_init(&metrics, NOW_S);
    want_series(&metrics, "orgcast_jwks_age_seconds", NULL);
    collect_changed(&metrics, &published, SERIES_MAX);
    ck_assert_ptr_null(topic_value("jwks/age"));
    json = oc_metrics_to_json(&metrics, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_ptr_null(json_object_get(json, "jwks"));
    json_decref(json);
    metrics.jwks_age_s = 0;
    want_series(&metrics, "orgcast_jwks_age_seconds", "0");
    collect_changed(&metrics, &published, SERIES_MAX);
    ck_assert_str_eq(topic_value("jwks/age"), "0");
    ck_assert_uint_eq(topics.count, 1);
}
END_TEST

START_TEST(large_values)
{
    oc_metrics_t metrics;

    oc_metrics_init(&metrics, NOW_S);
    metrics.deliveries[OC_OK] = UINT64_C(18446744073709551614);
    want_series(&metrics, "orgcast_deliveries_total{result=\"allowed\"}", "18446744073709551614");
}
END_TEST

/* --- What changed --- */

START_TEST(only_what_changed)
{
    oc_metrics_t metrics;
    oc_metrics_published_t published = {0};
    size_t all;

    oc_metrics_init(&metrics, NOW_S);
    collect_changed(&metrics, &published, SERIES_MAX);
    all = topics.count;
    ck_assert_uint_gt(all, MANY);
    collect_changed(&metrics, &published, SERIES_MAX);
    ck_assert_uint_eq(topics.count, 0);
    metrics.sessions = 2;
    collect_changed(&metrics, &published, SERIES_MAX);
    ck_assert_uint_eq(topics.count, 1);
    ck_assert_str_eq(topic_value("sessions/connected"), "2");
    metrics.sessions = 0;
    collect_changed(&metrics, &published, SERIES_MAX);
    ck_assert_str_eq(topic_value("sessions/connected"), "0");
    /* Anew for a broker that lost them. */
    published = (oc_metrics_published_t){0};
    collect_changed(&metrics, &published, SERIES_MAX);
    ck_assert_uint_eq(topics.count, all);
}
END_TEST

START_TEST(what_could_not_be_published_comes_again)
{
    oc_metrics_t metrics;
    oc_metrics_published_t published = {0};

    oc_metrics_init(&metrics, NOW_S);
    collect_changed(&metrics, &published, 5);
    ck_assert_uint_eq(topics.count, 5);
    collect_changed(&metrics, &published, SERIES_MAX);
    ck_assert_uint_gt(topics.count, MANY);
    metrics.keys++;
    metrics.audit_lines_lost++;
    collect_changed(&metrics, &published, 1);
    ck_assert_str_eq(topic_value("keys"), "1");
    collect_changed(&metrics, &published, SERIES_MAX);
    ck_assert_uint_eq(topics.count, 2);
    ck_assert_str_eq(topic_value("audit/lost"), "1");
}
END_TEST

START_TEST(topics_need_no_memory)
{
    oc_metrics_t metrics;
    oc_metrics_published_t published = {0};

    oc_metrics_init(&metrics, NOW_S);
    arm(0, true);
    collect_changed(&metrics, &published, SERIES_MAX);
    memory.armed = false;
    ck_assert_int_eq(memory.count, 0);
    ck_assert_uint_gt(topics.count, MANY);
}
END_TEST

/* --- JSON --- */

static size_t count_integers(json_t *json)
{
    size_t count = 0;
    const char *key;
    json_t *value;

    json_object_foreach(json, key, value)
    {
        unit_check(json_is_object(value) || json_is_integer(value), "%s is neither", key);
        count += json_is_integer(value) ? 1 : count_integers(value);
    }
    return count;
}

START_TEST(json_says_what_the_topics_say)
{
    oc_metrics_t metrics;
    oc_metrics_published_t published = {0};
    uint64_t *words = (uint64_t *)&metrics;
    json_t *json;

    for (size_t i = 0; i < sizeof metrics / sizeof *words; i++)
        words[i] = i * 1000 + 7;
    collect_changed(&metrics, &published, SERIES_MAX);
    json = oc_metrics_to_json(&metrics, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_uint_eq(count_integers(json), topics.count);
    for (size_t i = 0; i < topics.count; i++) {
        char pointer[OC_METRICS_TOPIC_MAX + 1];
        char digits[24];
        const json_t *found;

        (void)snprintf(pointer, sizeof pointer, "/%s", topics.topics[i]);
        found = oc_json_pointer_get(json, pointer);
        unit_check(json_is_integer(found), "%s", pointer);
        (void)snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(found));
        unit_check(strcmp(digits, topics.values[i]) == 0, "%s is %s", pointer, digits);
    }
    json_decref(json);
}
END_TEST

/* --- Organizations --- */

typedef struct orgs {
    const oc_metrics_org_t *list;
    size_t count;
    size_t told;
} orgs_t;

static void each_org(void *context, oc_metrics_org_fn function, void *for_function)
{
    orgs_t *orgs = context;
    bool more = true;

    for (size_t i = 0; i < orgs->count && more; i++) {
        more = function(for_function, &orgs->list[i]);
        orgs->told++;
    }
}

static const oc_metrics_org_t two_orgs[] = {{"acme", 3, 17, 2}, {"globex", 0, 1, 0}};

START_TEST(organizations)
{
    orgs_t orgs = {two_orgs, COUNT(two_orgs), 0};
    const oc_metrics_orgs_t source = {each_org, &orgs};
    oc_metrics_t metrics;
    reader_t reader;
    json_t *json;
    json_t *want =
        json_pack("[{s:s,s:i,s:{s:i,s:i}},{s:s,s:i,s:{s:i,s:i}}]", "organizationId", "acme",
                  "connections", 3, "events", "accepted", 17, "refused", 2, "organizationId",
                  "globex", "connections", 0, "events", "accepted", 1, "refused", 0);

    oc_metrics_init(&metrics, NOW_S);
    read_page(&reader, oc_metrics_render(&metrics, &source));
    ck_assert_str_eq(value_in(&reader, "orgcast_organization_connections{organization=\"acme\"}"),
                     "3");
    ck_assert_str_eq(
        value_in(&reader,
                 "orgcast_organization_events_total{organization=\"acme\",result=\"accepted\"}"),
        "17");
    ck_assert_str_eq(
        value_in(&reader,
                 "orgcast_organization_events_total{organization=\"acme\",result=\"refused\"}"),
        "2");
    ck_assert_str_eq(value_in(&reader, "orgcast_organization_connections{organization=\"globex\"}"),
                     "0");
    reader_done(&reader);
    json = oc_metrics_to_json(&metrics, &source);
    ck_assert(json_equal(json_object_get(json, "byOrganization"), want));
    json_decref(json);
    json_decref(want);
}
END_TEST

START_TEST(no_organizations)
{
    orgs_t orgs = {NULL, 0, 0};
    const oc_metrics_orgs_t source = {each_org, &orgs};
    oc_metrics_t metrics;
    reader_t reader;
    json_t *json;

    oc_metrics_init(&metrics, NOW_S);
    read_page(&reader, oc_metrics_render(&metrics, &source));
    reader_done(&reader);
    json = oc_metrics_to_json(&metrics, &source);
    ck_assert(json_is_array(json_object_get(json, "byOrganization")));
    json_decref(json);
}
END_TEST

static const struct {
    const char *name;
    const char *id;
    const char *shown; /* after unescaping; NULL: the id itself */
} hostile[] = {
    {"quote", "a\"b", NULL},
    {"a label of its own", "x\",result=\"accepted\"} 99", NULL},
    {"backslash", "a\\b", NULL},
    {"backslash at the end", "a\\", NULL},
    {"backslash and n", "a\\nb", NULL},
    {"line feed", "a\nb", "a\\x0ab"},
    {"a line of its own", "a\"} 1\norgcast_keys 99\n#", "a\"} 1\\x0aorgcast_keys 99\\x0a#"},
    {"carriage return", "a\rb", "a\\x0db"},
    {"braces", "{a}", NULL},
    {"not ASCII", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xb6", NULL},
    {"not UTF-8",
     "a\xff"
     "b",
     "a\\xffb"},
    {"cut UTF-8", "a\xc3", "a\\xc3"},
    {"empty", "", NULL},
};

START_TEST(hostile_ids)
{
    const char *id = hostile[_i].id;
    const oc_metrics_org_t list[] = {{id, 1, 2, 3}};
    orgs_t orgs = {list, 1, 0};
    const oc_metrics_orgs_t source = {each_org, &orgs};
    const char *shown = hostile[_i].shown ? hostile[_i].shown : id;
    oc_metrics_t metrics;
    reader_t reader;
    size_t found = 0;
    json_t *json;

    oc_metrics_init(&metrics, NOW_S);
    read_page(&reader, oc_metrics_render(&metrics, &source));
    ck_assert_str_eq(value_in(&reader, "orgcast_keys"), "0");
    for (size_t i = 0; i < reader.count; i++) {
        char label[512];

        if (strncmp(reader.series[i], "orgcast_organization_", 21) != 0)
            continue;
        found++;
        (void)snprintf(label, sizeof label, "\"%s", reader.labels[i]);
        (void)read_quoted(label, true);
        ck_assert_msg(strcmp(label + 1, shown) == 0, "%s: '%s'", hostile[_i].name, label + 1);
    }
    ck_assert_uint_eq(found, 3);
    reader_done(&reader);
    json = oc_metrics_to_json(&metrics, &source);
    ck_assert_msg(json != NULL, "%s: no JSON", hostile[_i].name);
    json_decref(json);
}
END_TEST

START_TEST(a_very_long_id_is_cut)
{
    char id[4097];
    const oc_metrics_org_t list[] = {{id, 1, 0, 0}};
    orgs_t orgs = {list, 1, 0};
    const oc_metrics_orgs_t source = {each_org, &orgs};
    oc_metrics_t metrics;
    reader_t reader;

    memset(id, 'a', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    oc_metrics_init(&metrics, NOW_S);
    read_page(&reader, oc_metrics_render(&metrics, &source));
    for (size_t i = 0; i < reader.count; i++)
        ck_assert_uint_lt(strlen(reader.series[i]), 700);
    reader_done(&reader);
}
END_TEST

/* A page has an end, whatever there is. */
START_TEST(too_many_organizations)
{
    size_t count = OC_METRICS_ORGS_MAX + 10;
    oc_metrics_org_t *list = calloc(count, sizeof *list);
    orgs_t orgs = {list, count, 0};
    const oc_metrics_orgs_t source = {each_org, &orgs};
    oc_metrics_t metrics;
    json_t *json;
    char *page;

    ck_assert_ptr_nonnull(list);
    for (size_t i = 0; i < count; i++)
        list[i].id = "acme";
    oc_metrics_init(&metrics, NOW_S);
    page = oc_metrics_render(&metrics, &source);
    ck_assert_ptr_nonnull(page);
    ck_assert_uint_eq(orgs.told, (size_t)OC_METRICS_ORGS_MAX * 2);
    free(page);
    json = oc_metrics_to_json(&metrics, &source);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "byOrganization")),
                      OC_METRICS_ORGS_MAX);
    json_decref(json);
    free(list);
}
END_TEST

/* --- Without memory --- */

static void *render_two(const oc_metrics_t *metrics, const oc_metrics_orgs_t *source)
{
    return oc_metrics_render(metrics, source);
}

static void *json_two(const oc_metrics_t *metrics, const oc_metrics_orgs_t *source)
{
    return oc_metrics_to_json(metrics, source);
}

static void free_json(void *json)
{
    json_decref(json);
}

static const struct {
    const char *name;
    void *(*make)(const oc_metrics_t *, const oc_metrics_orgs_t *);
    void (*free)(void *);
} makers[] = {{"page", render_two, free}, {"JSON", json_two, free_json}};

START_TEST(without_memory)
{
    oc_metrics_org_t list[100];
    orgs_t orgs = {list, COUNT(list), 0};
    const oc_metrics_orgs_t source = {each_org, &orgs};
    oc_metrics_t metrics;
    long needed;

    for (size_t i = 0; i < COUNT(list); i++)
        list[i] = two_orgs[i % 2];
    oc_metrics_init(&metrics, NOW_S);
    arm(-1, false);
    makers[_i].free(makers[_i].make(&metrics, &source));
    memory.armed = false;
    needed = memory.count;
    ck_assert_int_gt(needed, 1);
    for (int for_good = 0; for_good < 2; for_good++) {
        for (long at = 0; at < needed; at++) {
            void *made;

            arm(at, for_good);
            made = makers[_i].make(&metrics, &source);
            memory.armed = false;
            unit_check(made == NULL, "%s: allocation %ld of %ld", makers[_i].name, at, needed);
        }
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("metrics");

    json_set_alloc_funcs(__wrap_malloc, free);
    oc_json_guard_install();
    unit_add_table(tcase, each_number, numbers);
    tcase_add_test(tcase, no_number_is_forgotten);
    tcase_add_test(tcase, refused_is_the_sum_of_its_reasons);
    tcase_add_test(tcase, zeros);
    tcase_add_test(tcase, absent_gauge);
    tcase_add_test(tcase, large_values);
    tcase_add_test(tcase, only_what_changed);
    tcase_add_test(tcase, what_could_not_be_published_comes_again);
    tcase_add_test(tcase, topics_need_no_memory);
    tcase_add_test(tcase, json_says_what_the_topics_say);
    tcase_add_test(tcase, organizations);
    tcase_add_test(tcase, no_organizations);
    unit_add_table(tcase, hostile_ids, hostile);
    tcase_add_test(tcase, a_very_long_id_is_cut);
    tcase_add_test(tcase, too_many_organizations);
    unit_add_table(tcase, without_memory, makers);
    return unit_run("metrics", tcase);
}
