/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ids.h"
#include "json.h"
#include "mem.h"
#include "utf8.h"

#define TOPIC_ROOT "$SYS/broker/orgcast/"

/* --- The table --- */

/* A number, or one for each reason code. Rows with the same Prometheus name follow each other; the first
 * of them has the meaning of them all. A name that ends in _total is a counter's. */
typedef struct row {
    const char *name;
    const char *labels; /* NULL: none */
    const char *topic;  /* below TOPIC_ROOT */
    size_t offset;      /* of the first uint64_t */
    size_t count;       /* so many are added up; 0: one for each reason code */
    uint64_t reasons; /* those that are to be expected are shown from the start, others once met */
    const char *meaning; /* NULL: as in the row before */
} row_t;

#define BIT(reason) (UINT64_C(1) << (reason))
static_assert(OC_ERR_COUNT <= 64, "reason codes fit a set of bits");

#define TOKEN_REASONS                                                                              \
    (BIT(OC_E_TOKEN_MISSING) | BIT(OC_E_TOKEN_MALFORMED) | BIT(OC_E_TOKEN_TOO_LARGE) |             \
     BIT(OC_E_ALG_NOT_ALLOWED) | BIT(OC_E_KEY_UNKNOWN) | BIT(OC_E_SIGNATURE_INVALID) |             \
     BIT(OC_E_TOKEN_EXPIRED) | BIT(OC_E_TOKEN_NOT_YET_VALID) | BIT(OC_E_TOKEN_LIFETIME) |          \
     BIT(OC_E_ISSUER_MISMATCH) | BIT(OC_E_AUDIENCE_MISMATCH) | BIT(OC_E_CLAIM_MISSING) |           \
     BIT(OC_E_CLAIM_INVALID) | BIT(OC_E_ORG_INVALID) | BIT(OC_E_TOO_MANY_ORGS) |                   \
     BIT(OC_E_TOKEN_REVOKED) | BIT(OC_E_NOMEM))
#define CONNECT_REASONS                                                                            \
    (TOKEN_REASONS | BIT(OC_E_CLIENT_ID_IN_USE) | BIT(OC_E_CLIENT_ID_NOT_BOUND) |                  \
     BIT(OC_E_LIMIT_CONNECTIONS))
#define SUBSCRIBE_REASONS                                                                          \
    (BIT(OC_E_TOKEN_EXPIRED) | BIT(OC_E_TOKEN_REVOKED) | BIT(OC_E_TOPIC_NOT_ALLOWED) |             \
     BIT(OC_E_SCOPE_MISSING) | BIT(OC_E_SESSION_UNKNOWN))
#define PUBLISH_REASONS (SUBSCRIBE_REASONS | BIT(OC_E_RETAIN_NOT_ALLOWED))
#define DELIVERY_REASONS                                                                           \
    (BIT(OC_E_TOKEN_EXPIRED) | BIT(OC_E_TOKEN_REVOKED) | BIT(OC_E_TOPIC_NOT_ALLOWED) |             \
     BIT(OC_E_CLIENT_ID_NOT_BOUND) | BIT(OC_E_SESSION_UNKNOWN))
#define EVENT_REASONS                                                                              \
    (BIT(OC_E_EVENT_INVALID) | BIT(OC_E_EVENT_TOO_LARGE) | BIT(OC_E_LIMIT_RATE) | BIT(OC_E_NOMEM))

#define ONE(field) offsetof(oc_metrics_t, field), 1, 0
/* Of an oc_outcomes_t: what was allowed, all that was not, and these by reason code. */
#define ALLOWED(field) offsetof(oc_metrics_t, field), 1, 0
#define REFUSED(field) offsetof(oc_metrics_t, field) + sizeof(uint64_t), OC_ERR_COUNT - 1, 0
#define BY_REASON(field, reasons) offsetof(oc_metrics_t, field), 0, reasons

static const row_t rows[] = {
    {"orgcast_start_time_seconds", NULL, "started", ONE(started_s),
     "When the plugin was loaded, in seconds since 1970."},
    {"orgcast_sessions", "state=\"connected\"", "sessions/connected", ONE(sessions),
     "Sessions that a token let in: with a connection, or kept for a later one."},
    {"orgcast_sessions", "state=\"offline\"", "sessions/offline", ONE(sessions_offline), NULL},
    {"orgcast_organizations", NULL, "organizations/connected", ONE(organizations),
     "Organizations with a connection."},
    {"orgcast_keys", NULL, "keys", ONE(keys), "Keys that tokens are checked with."},
    {"orgcast_jwks_age_seconds", NULL, "jwks/age", ONE(jwks_age_s),
     "Seconds since the key set of a jwks_url was last fetched, of several the oldest. Absent "
     "without "
     "such a URL."},
    {"orgcast_revocations", NULL, "revocations", ONE(revocations),
     "Revocations that a token could still meet."},
    {"orgcast_replay_bytes", NULL, "replay/bytes", ONE(replay_bytes),
     "Bytes of recent events kept for replay."},

    {"orgcast_connects_total", "result=\"accepted\"", "connects/accepted", ALLOWED(connects),
     "Clients that connected with a token, or tried."},
    {"orgcast_connects_total", "result=\"refused\"", "connects/refused/total", REFUSED(connects),
     NULL},
    {"orgcast_connects_refused_total", NULL, "connects/refused",
     BY_REASON(connects, CONNECT_REASONS), "Refused connects by reason code."},
    {"orgcast_refreshes_total", "result=\"accepted\"", "refreshes/accepted", ALLOWED(refreshes),
     "Tokens sent over a live connection to replace the one before."},
    {"orgcast_refreshes_total", "result=\"refused\"", "refreshes/refused/total", REFUSED(refreshes),
     NULL},
    {"orgcast_refreshes_refused_total", NULL, "refreshes/refused",
     BY_REASON(refreshes, TOKEN_REASONS), "Refused refreshes by reason code."},
    {"orgcast_sessions_ended_total", "cause=\"token_expired\"", "sessions/ended/token_expired",
     ONE(sessions_expired), "Connections that the plugin ended."},
    {"orgcast_sessions_ended_total", "cause=\"token_revoked\"", "sessions/ended/token_revoked",
     ONE(sessions_revoked), NULL},
    {"orgcast_sessions_ended_total", "cause=\"kicked\"", "sessions/ended/kicked",
     ONE(sessions_kicked), NULL},

    {"orgcast_acl_checks_total", "action=\"subscribe\",result=\"allowed\"", "acl/subscribe/allowed",
     ALLOWED(subscribes), "Subscriptions and publishes that were asked for."},
    {"orgcast_acl_checks_total", "action=\"subscribe\",result=\"denied\"",
     "acl/subscribe/denied/total", REFUSED(subscribes), NULL},
    {"orgcast_acl_checks_total", "action=\"publish\",result=\"allowed\"", "acl/publish/allowed",
     ALLOWED(publishes), NULL},
    {"orgcast_acl_checks_total", "action=\"publish\",result=\"denied\"", "acl/publish/denied/total",
     REFUSED(publishes), NULL},
    {"orgcast_acl_denied_total", "action=\"subscribe\"", "acl/subscribe/denied",
     BY_REASON(subscribes, SUBSCRIBE_REASONS),
     "Denied subscriptions and publishes by reason code."},
    {"orgcast_acl_denied_total", "action=\"publish\"", "acl/publish/denied",
     BY_REASON(publishes, PUBLISH_REASONS), NULL},
    {"orgcast_deliveries_total", "result=\"allowed\"", "deliveries/allowed", ALLOWED(deliveries),
     "Messages on their way to a subscriber, one for each subscription."},
    {"orgcast_deliveries_total", "result=\"suppressed\"", "deliveries/suppressed/total",
     REFUSED(deliveries), NULL},
    {"orgcast_deliveries_suppressed_total", NULL, "deliveries/suppressed",
     BY_REASON(deliveries, DELIVERY_REASONS), "Messages that were held back, by reason code."},

    {"orgcast_events_total", "result=\"accepted\"", "events/accepted", ALLOWED(events),
     "Events published by clients that may."},
    {"orgcast_events_total", "result=\"refused\"", "events/refused/total", REFUSED(events), NULL},
    {"orgcast_events_refused_total", NULL, "events/refused", BY_REASON(events, EVENT_REASONS),
     "Refused events by reason code."},
    {"orgcast_replays_total", "result=\"recovered\"", "replays/recovered", ONE(replays_recovered),
     "Replays that clients asked for; not recovered: the events were no longer stored, or of an "
     "earlier epoch."},
    {"orgcast_replays_total", "result=\"not_recovered\"", "replays/not_recovered",
     ONE(replays_not_recovered), NULL},
    {"orgcast_admin_commands_total", "result=\"accepted\"", "admin/accepted",
     ALLOWED(admin_commands), "Administrative control commands."},
    {"orgcast_admin_commands_total", "result=\"refused\"", "admin/refused", REFUSED(admin_commands),
     NULL},
    {"orgcast_log_lines_left_out_total", NULL, "log/left_out", ONE(log_lines_left_out),
     "Log lines about clients that were over the limit."},
    {"orgcast_audit_lines_lost_total", NULL, "audit/lost", ONE(audit_lines_lost),
     "Audit lines that could not be written."},
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

/* --- Going through it --- */

/* One number. reason: OC_OK in a row that has but one */
typedef bool (*visit_fn)(void *context, const row_t *row, oc_err_t reason, uint64_t value);

static uint64_t value_of(const oc_metrics_t *metrics, const row_t *row, oc_err_t reason)
{
    const void *first = (const char *)metrics + row->offset;
    const uint64_t *values = first;
    uint64_t sum = 0;

    if (row->count == 0)
        return values[reason];
    for (size_t i = 0; i < row->count; i++)
        sum += values[i];
    return sum;
}

static bool visit_reasons(const oc_metrics_t *metrics, const row_t *row, visit_fn visit,
                          void *context)
{
    for (unsigned i = OC_OK + 1; i < OC_ERR_COUNT; i++) {
        oc_err_t reason = (oc_err_t)i;
        uint64_t value = value_of(metrics, row, reason);

        if ((value > 0 || (row->reasons & BIT(i))) && !visit(context, row, reason, value))
            return false;
    }
    return true;
}

/* Visit each number that is shown, until one visit returns false; then that is returned. */
static bool visit_all(const oc_metrics_t *metrics, visit_fn visit, void *context)
{
    for (const row_t *row = rows; row < rows + ROW_COUNT; row++) {
        if (row->count == 0) {
            if (!visit_reasons(metrics, row, visit, context))
                return false;
            continue;
        }
        uint64_t value = value_of(metrics, row, OC_OK);

        if (value != OC_METRIC_ABSENT && !visit(context, row, OC_OK, value))
            return false;
    }
    return true;
}

/* "connects/accepted", "connects/refused/token_expired", after a root */
static void path_of(const char *root, const row_t *row, oc_err_t reason,
                    char ret_path[static OC_METRICS_TOPIC_MAX])
{
    (void)snprintf(ret_path, OC_METRICS_TOPIC_MAX, "%s%s%s%s", root, row->topic, reason ? "/" : "",
                   reason ? oc_err_name(reason) : "");
}

void oc_metrics_init(oc_metrics_t *metrics, int64_t now_s)
{
    *metrics = (oc_metrics_t){.started_s = (uint64_t)now_s, .jwks_age_s = OC_METRIC_ABSENT};
}

/* --- Organizations --- */

/* An id as it is shown, fit for JSON and UTF-8. Those that get as far as this are; should one not be, its
 * odd bytes become \xHH. */
#define SHOWN_ID_MAX (4 * OC_ID_MAX + 8)

static const char *shown_id(const char *id, char buffer[static SHOWN_ID_MAX])
{
    size_t len = strnlen(id, OC_ID_MAX + 1);

    if (len <= OC_ID_MAX && oc_utf8_printable(id, len))
        return id;
    return oc_utf8_quote(id, buffer, SHOWN_ID_MAX);
}

/* --- The Prometheus page --- */

#define PAGE_STEP 16384U

typedef struct page {
    char *bytes;
    size_t len;
    size_t cap;
    bool failed; /* memory ran out: nothing is added any more */
    const char *family;
    size_t orgs; /* shown in this family */
} page_t;

/* Make room for so many bytes and a NUL. */
static bool page_reserve(page_t *page, size_t len)
{
    size_t cap = page->cap + page->cap / 2 + len + PAGE_STEP;
    char *bytes;

    if (page->failed || page->cap - page->len > len)
        return !page->failed;
    bytes = realloc(page->bytes, cap);
    if (!bytes) {
        page->failed = true;
        return false;
    }
    page->bytes = bytes;
    page->cap = cap;
    return true;
}

static void page_add(page_t *page, const char *text)
{
    size_t len = strlen(text);

    if (!page_reserve(page, len))
        return;
    memcpy(page->bytes + page->len, text, len + 1);
    page->len += len;
}

static void page_add_value(page_t *page, uint64_t value)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, " %" PRIu64 "\n", value);
    page_add(page, digits);
}

/* Text between the quotes of a label: backslash, quote and line feed are escaped, nothing else may be. */
static void page_add_label(page_t *page, const char *text)
{
    size_t most = 2 * strlen(text);

    if (!page_reserve(page, most))
        return;
    for (; *text; text++) {
        char byte = *text;

        if (byte == '\\' || byte == '"' || byte == '\n')
            page->bytes[page->len++] = '\\';
        if (byte == '\n')
            byte = 'n';
        page->bytes[page->len++] = byte;
    }
    page->bytes[page->len] = '\0';
}

static const char *type_of(const char *name)
{
    const char *last = strrchr(name, '_');

    return last && strcmp(last, "_total") == 0 ? "counter" : "gauge";
}

static void page_add_head(page_t *page, const char *name, const char *meaning)
{
    page->family = name;
    page->orgs = 0;
    page_add(page, "# HELP ");
    page_add(page, name);
    page_add(page, " ");
    page_add(page, meaning);
    page_add(page, "\n# TYPE ");
    page_add(page, name);
    page_add(page, " ");
    page_add(page, type_of(name));
    page_add(page, "\n");
}

static const char *meaning_of(const row_t *row)
{
    while (!row->meaning)
        row--;
    return row->meaning;
}

static bool page_add_number(void *context, const row_t *row, oc_err_t reason, uint64_t value)
{
    page_t *page = context;

    if (strcmp(page->family, row->name) != 0)
        page_add_head(page, row->name, meaning_of(row));
    page_add(page, row->name);
    if (row->labels || reason) {
        page_add(page, "{");
        page_add(page, row->labels ? row->labels : "");
        page_add(page, row->labels && reason ? "," : "");
        if (reason) {
            page_add(page, "reason=\"");
            page_add(page, oc_err_name(reason));
            page_add(page, "\"");
        }
        page_add(page, "}");
    }
    page_add_value(page, value);
    return !page->failed;
}

/* `more`: further labels, beginning with a comma, or "" */
static void page_add_org(page_t *page, const char *id, const char *more, uint64_t value)
{
    char buffer[SHOWN_ID_MAX];

    page_add(page, page->family);
    page_add(page, "{organization=\"");
    page_add_label(page, shown_id(id, buffer));
    page_add(page, "\"");
    page_add(page, more);
    page_add(page, "}");
    page_add_value(page, value);
}

static bool page_add_connections(void *context, const oc_metrics_org_t *org)
{
    page_t *page = context;

    page_add_org(page, org->id, "", org->connections);
    return !page->failed && ++page->orgs < OC_METRICS_ORGS_MAX;
}

static bool page_add_events(void *context, const oc_metrics_org_t *org)
{
    page_t *page = context;

    page_add_org(page, org->id, ",result=\"accepted\"", org->events_accepted);
    page_add_org(page, org->id, ",result=\"refused\"", org->events_refused);
    return !page->failed && ++page->orgs < OC_METRICS_ORGS_MAX;
}

/* The numbers that each organization has. */
static const struct {
    const char *name;
    const char *labels; /* as the table in the documentation shows them */
    const char *meaning;
    oc_metrics_org_fn add;
} org_rows[] = {
    {"orgcast_organization_connections", "organization=\"...\"",
     "Connections whose token names the organization.", page_add_connections},
    {"orgcast_organization_events_total", "organization=\"...\",result=\"...\"",
     "Events published to the organization.", page_add_events},
};

#define ORG_ROW_COUNT (sizeof org_rows / sizeof org_rows[0])

char *oc_metrics_render(const oc_metrics_t *metrics, const oc_metrics_orgs_t *orgs)
{
    page_t page = {.family = ""};

    (void)visit_all(metrics, page_add_number, &page);
    for (size_t i = 0; orgs && i < ORG_ROW_COUNT; i++) {
        page_add_head(&page, org_rows[i].name, org_rows[i].meaning);
        orgs->each(orgs->orgs, org_rows[i].add, &page);
    }
    if (page.failed) {
        free(page.bytes);
        return NULL;
    }
    return page.bytes;
}

/* --- JSON --- */

/* Put a value where the path leads, making the objects on the way. */
static bool put_at(json_t *root, char *path, uint64_t value)
{
    char *rest = NULL;
    char *key = strtok_r(path, "/", &rest);

    for (char *next = strtok_r(NULL, "/", &rest); next; next = strtok_r(NULL, "/", &rest)) {
        json_t *inner = json_object_get(root, key);

        if (!inner) {
            inner = json_object();
            if (json_object_set_new(root, key, inner) != 0)
                return false;
        }
        root = inner;
        key = next;
    }
    return json_object_set_new(root, key, json_integer((json_int_t)value)) == 0;
}

static bool put_number(void *context, const row_t *row, oc_err_t reason, uint64_t value)
{
    char path[OC_METRICS_TOPIC_MAX];

    path_of("", row, reason, path);
    return put_at(context, path, value);
}

typedef struct org_list {
    json_t *array;
    bool failed;
} org_list_t;

static bool put_org(void *context, const oc_metrics_org_t *org)
{
    org_list_t *list = context;
    char buffer[SHOWN_ID_MAX];
    json_t *object =
        json_pack("{s:s, s:I, s:{s:I, s:I}}", "organizationId", shown_id(org->id, buffer),
                  "connections", (json_int_t)org->connections, "events", "accepted",
                  (json_int_t)org->events_accepted, "refused", (json_int_t)org->events_refused);

    if (json_array_append_new(list->array, object) != 0)
        list->failed = true;
    return !list->failed && json_array_size(list->array) < OC_METRICS_ORGS_MAX;
}

static bool put_orgs(json_t *root, const oc_metrics_orgs_t *orgs)
{
    org_list_t list = {.array = json_array()};

    if (json_object_set_new(root, "byOrganization", list.array) != 0)
        return false;
    orgs->each(orgs->orgs, put_org, &list);
    return !list.failed;
}

json_t *oc_metrics_to_json(const oc_metrics_t *metrics, const oc_metrics_orgs_t *orgs)
{
    OC_CLEANUP(oc_json_decrefp) json_t *root = json_object();

    if (!root || !visit_all(metrics, put_number, root) || (orgs && !put_orgs(root, orgs)))
        return NULL;
    return oc_take(root);
}

/* --- Topics --- */

typedef struct changes {
    const oc_metrics_published_t *published;
    oc_metrics_topic_fn function;
    void *context;
} changes_t;

static bool tell_change(void *context, const row_t *row, oc_err_t reason, uint64_t value)
{
    const changes_t *changes = context;
    const oc_metrics_published_t *published = changes->published;
    char topic[OC_METRICS_TOPIC_MAX];
    char digits[24];

    if (published->any && value_of(&published->last, row, reason) == value)
        return true;
    path_of(TOPIC_ROOT, row, reason, topic);
    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    return changes->function(changes->context, topic, digits);
}

void oc_metrics_each_changed(const oc_metrics_t *metrics, oc_metrics_published_t *published,
                             oc_metrics_topic_fn function, void *context)
{
    changes_t changes = {published, function, context};

    if (!visit_all(metrics, tell_change, &changes))
        return;
    published->last = *metrics;
    published->any = true;
}

/* --- The documentation --- */

void oc_metrics_print(FILE *out)
{
    fputs(
        "<!-- Written by print_metrics from the table in plugin/metrics.c. -->\n"
        "| metric | topic | meaning |\n|---|---|---|\n",
        out);
    for (const row_t *row = rows; row < rows + ROW_COUNT; row++) {
        const char *labels = row->labels ? row->labels : "";
        const char *reason = row->count > 0 ? ""
                             : row->labels  ? ",reason=\"...\""
                                            : "reason=\"...\"";
        bool braces = *labels || *reason;

        fprintf(out, "| `%s%s%s%s%s` | `%s%s` | %s |\n", row->name, braces ? "{" : "", labels,
                reason, braces ? "}" : "", row->topic, row->count > 0 ? "" : "/...",
                row->meaning ? row->meaning : "");
    }
    for (size_t i = 0; i < ORG_ROW_COUNT; i++)
        fprintf(out, "| `%s{%s}` | | %s |\n", org_rows[i].name, org_rows[i].labels,
                org_rows[i].meaning);
    fputs("<!-- End of what print_metrics wrote. -->\n", out);
}
