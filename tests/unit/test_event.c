/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "event.h"
#include "unit.h"

#define A10 "aaaaaaaaaa"
#define A50 A10 A10 A10 A10 A10
#define TITLE_MAX 256
#define MESSAGE_MAX 4096
#define A128 A50 A50 A10 A10 "aaaaaaaa"

static const orgcast_invoice_event_t invoice = {
    .organization_id = "acme",
    .invoice_id = "inv-17",
    .invoice_number = "2026-0017",
    .amount = "10.00",
    .currency = "EUR",
    .status = ORGCAST_INVOICE_STATUS_PAID,
};

static const orgcast_notification_event_t notification = {
    .organization_id = "acme",
    .notification_id = "n-4",
    .title = "Paid",
    .message = "Invoice 2026-0017 is paid.",
    .type = ORGCAST_NOTIFICATION_TYPE_SUCCESS,
};

typedef struct text_case {
    const char *text;
    bool valid;
} text_case_t;

typedef orgcast_err_t check_text_fn(const char *text, orgcast_diag_t *diag);

/* Each case alone: accepted, or refused by a message that begins with the field's name. */
static void run(const char *field, const text_case_t *cases, size_t count, check_text_fn *check)
{
    for (size_t i = 0; i < count; i++) {
        orgcast_diag_t diag = {0};
        orgcast_err_t err = check(cases[i].text, &diag);
        const char *shown = cases[i].text ? cases[i].text : "(NULL)";

        ck_assert_msg(err == (cases[i].valid ? ORGCAST_OK : ORGCAST_E_INVALID), "%s '%s': %s",
                      field, shown, diag.message);
        ck_assert_msg(cases[i].valid || strncmp(diag.message, field, strlen(field)) == 0,
                      "%s '%s': the message is '%s'", field, shown, diag.message);
    }
}
#define RUN(field, cases, check) run(field, cases, COUNT(cases), check)

static orgcast_err_t check_invoice(const orgcast_invoice_event_t *event, orgcast_diag_t *diag)
{
    return orgcast_event_check_invoice(ORGCAST_EVENT_INVOICE_UPDATED, event, diag);
}

/* CHECK_OF(name, type, base, field, check): a function that checks base with one field replaced. */
#define CHECK_OF(name, type, base, field, check)                                                   \
    static orgcast_err_t name(const char *text, orgcast_diag_t *diag)                              \
    {                                                                                              \
        type event = base;                                                                         \
                                                                                                   \
        event.field = text;                                                                        \
        return check(&event, diag);                                                                \
    }
CHECK_OF(invoice_organization, orgcast_invoice_event_t, invoice, organization_id, check_invoice)
CHECK_OF(invoice_id, orgcast_invoice_event_t, invoice, invoice_id, check_invoice)
CHECK_OF(invoice_number, orgcast_invoice_event_t, invoice, invoice_number, check_invoice)
CHECK_OF(invoice_amount, orgcast_invoice_event_t, invoice, amount, check_invoice)
CHECK_OF(invoice_currency, orgcast_invoice_event_t, invoice, currency, check_invoice)
CHECK_OF(invoice_timestamp, orgcast_invoice_event_t, invoice, timestamp, check_invoice)
CHECK_OF(notification_organization, orgcast_notification_event_t, notification, organization_id,
         orgcast_event_check_notification)
CHECK_OF(notification_id, orgcast_notification_event_t, notification, notification_id,
         orgcast_event_check_notification)
CHECK_OF(notification_title, orgcast_notification_event_t, notification, title,
         orgcast_event_check_notification)
CHECK_OF(notification_message, orgcast_notification_event_t, notification, message,
         orgcast_event_check_notification)
CHECK_OF(notification_invoice, orgcast_notification_event_t, notification, invoice_id,
         orgcast_event_check_notification)
CHECK_OF(notification_timestamp, orgcast_notification_event_t, notification, timestamp,
         orgcast_event_check_notification)

START_TEST(ids)
{
    static const text_case_t cases[] = {
        {"a", true},
        {"acme", true},
        {"9f1b2c3d-0000-4000-8000-000000000001", true},
        {"a.b_c~d:e@f", true},
        {"caf\xc3\xa9", true},
        {"\xf0\x9f\xa7\xbe", true},
        {"a$", true},
        {A128, true},
        {NULL, false},
        {"", false},
        {A128 "a", false},
        {"a/b", false},
        {"/", false},
        {"+", false},
        {"a+b", false},
        {"#", false},
        {"a#", false},
        {" a", false},
        {"a b", false},
        {"a\tb", false},
        {"a\nb", false},
        {"a\x7f", false},
        {"a\xc2\x85", false},         /* U+0085 NEXT LINE */
        {"a\xc2\xa0z", false},        /* U+00A0 NO-BREAK SPACE */
        {"a\xe2\x80\xa8z", false},    /* U+2028 LINE SEPARATOR */
        {"a\xe3\x80\x80z", false},    /* U+3000 IDEOGRAPHIC SPACE */
        {"a\xef\xbf\xbf", false},     /* U+FFFF */
        {"a\xff", false},             /* no UTF-8 */
        {"a\xc0\xaf", false},         /* overlong '/' */
        {"a\xed\xa0\x80", false},     /* surrogate */
        {"a\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"a\xe2\x82", false},         /* cut off */
    };
    static const text_case_t dollar[] = {{"$acme", false}, {"$", false}};
    static const text_case_t dollar_entity[] = {{"$17", true}};

    RUN("organizationId", cases, invoice_organization);
    RUN("organizationId", dollar, invoice_organization);
    RUN("organizationId", cases, notification_organization);
    RUN("organizationId", dollar, notification_organization);
    RUN("invoiceId", cases, invoice_id);
    RUN("invoiceId", dollar_entity, invoice_id);
    RUN("notificationId", cases, notification_id);
    /* Here the same id is optional. */
    for (size_t i = 0; i < COUNT(cases); i++) {
        text_case_t optional = {cases[i].text, cases[i].valid || !cases[i].text};

        run("invoiceId", &optional, 1, notification_invoice);
    }
}
END_TEST

static const text_case_t amount_cases[] = {
    {"0", true},
    {"10.00", true},
    {"-10.00", true},
    {"-0.000001", true},
    {"007", true},
    {"99999999999999.99", true},
    {"999999999999999999", true},
    {"999999999999999999.999999", true},
    {"", false},
    {"-", false},
    {".", false},
    {".5", false},
    {"5.", false},
    {"-.5", false},
    {"+5", false},
    {"--5", false},
    {"1,000.00", false},
    {"1 000", false},
    {" 1", false},
    {"1 ", false},
    {"1e3", false},
    {"0x10", false},
    {"1.2.3", false},
    {"NaN", false},
    {"Infinity", false},
    {"1000000000000000000", false},
    {"0000000000000000001", false},
    {"1.0000001", false},
    {"\xd9\xa1", false}, /* ARABIC-INDIC DIGIT ONE */
};

START_TEST(amounts)
{
    static const text_case_t missing[] = {{NULL, false}};

    RUN("amount", amount_cases, invoice_amount);
    RUN("amount", missing, invoice_amount);
}
END_TEST

static const text_case_t currency_cases[] = {
    {"EUR", true},   {"USD", true},  {"XXX", true},  {"", false},    {"EU", false},
    {"EURO", false}, {"eur", false}, {"E R", false}, {"E1R", false}, {"\xe2\x82\xac", false},
};

START_TEST(currencies)
{
    static const text_case_t missing[] = {{NULL, false}};

    RUN("currency", currency_cases, invoice_currency);
    RUN("currency", missing, invoice_currency);
}
END_TEST

START_TEST(timestamps)
{
    static const text_case_t cases[] = {
        {NULL, true}, /* the time of the emit call */
        {"2026-11-24T10:00:00Z", true},
        {"2026-11-24T10:00:00.1Z", true},
        {"2026-11-24T10:00:00.123Z", true},
        {"2026-11-24T10:00:00.123456789Z", true},
        {"2026-11-24T10:00:00+01:00", true},
        {"2026-11-24T10:00:00-23:59", true},
        {"2024-02-29T00:00:00Z", true},
        {"2000-02-29T23:59:59Z", true},
        {"0000-01-01T00:00:00Z", true},
        {"", false},
        {"2026-11-24", false},
        {"2026-11-24T10:00Z", false},
        {"2026-11-24T10:00:00", false},
        {"2026-11-24 10:00:00Z", false},
        {"2026-11-24t10:00:00z", false},
        {"2026-11-24T10:00:00.Z", false},
        {"2026-11-24T10:00:00.1234567890Z", false},
        {"2026-11-24T10:00:00,5Z", false},
        {"2026-11-24T10:00:00+0100", false},
        {"2026-11-24T10:00:00+24:00", false},
        {"2026-11-24T10:00:00+01:60", false},
        {"2026-11-24T10:00:00ZZ", false},
        {"2026-11-24T10:00:00Z ", false},
        {"2026-11-24T24:00:00Z", false},
        {"2026-11-24T10:60:00Z", false},
        {"2026-11-24T10:00:60Z", false},
        {"2026-00-24T10:00:00Z", false},
        {"2026-13-24T10:00:00Z", false},
        {"2026-11-00T10:00:00Z", false},
        {"2026-11-31T10:00:00Z", false},
        {"2026-02-29T10:00:00Z", false},
        {"1900-02-29T10:00:00Z", false},
        {"26-11-24T10:00:00Z", false},
        {"2026-1-24T10:00:00Z", false},
        {"+2026-11-24T10:00:00Z", false},
        {"1795687200", false},
    };

    RUN("timestamp", cases, invoice_timestamp);
    RUN("timestamp", cases, notification_timestamp);
}
END_TEST

START_TEST(texts)
{
    static char title_longest[TITLE_MAX + 1];
    static char title_longer[TITLE_MAX + 2];
    static char message_longest[MESSAGE_MAX + 1];
    static char message_longer[MESSAGE_MAX + 2];
    static const text_case_t line[] = {
        {"x", true},          {"Rechnung \xe2\x84\x96 7 \xe2\x80\x93 bezahlt", true},
        {"\"\\", true},       {NULL, false},
        {"", false},          {"a\x01", false},
        {"a\xc2\x9f", false}, {"a\xff", false},
        {"\x80", false},      {"a\xc3", false},
    };
    static const text_case_t one_line[] = {{"a\nb", false}, {"a\tb", false}};
    static const text_case_t lines[] = {
        {"a\nb", true}, {"a\r\n\tb\n", true}, {"a\n\x02", false}, {"a\n\xff", false}};
    const text_case_t number[] = {{A128, true}, {A128 "a", false}};
    const text_case_t title[] = {{title_longest, true}, {title_longer, false}};
    const text_case_t message[] = {{message_longest, true}, {message_longer, false}};

    memset(title_longest, 'a', sizeof title_longest - 1);
    memset(title_longer, 'a', sizeof title_longer - 1);
    memset(message_longest, 'a', sizeof message_longest - 1);
    memset(message_longer, 'a', sizeof message_longer - 1);
    RUN("invoiceNumber", line, invoice_number);
    RUN("invoiceNumber", one_line, invoice_number);
    RUN("invoiceNumber", number, invoice_number);
    RUN("title", line, notification_title);
    RUN("title", one_line, notification_title);
    RUN("title", title, notification_title);
    RUN("message", line, notification_message);
    RUN("message", lines, notification_message);
    RUN("message", message, notification_message);
}
END_TEST

/* Enum values of an event, the unset one and numbers that are none of the enum's. */
START_TEST(enums)
{
    static const struct {
        int value;
        bool valid;
    } statuses[] = {{-1, false}, {0, false}, {1, true}, {6, true}, {7, false}, {1000, false}},
      types[] = {{-1, false}, {0, false}, {1, true}, {7, true}, {8, false}, {1000, false}};

    for (size_t i = 0; i < COUNT(statuses); i++) {
        orgcast_invoice_event_t event = invoice;
        orgcast_diag_t diag = {0};
        orgcast_err_t err;

        event.status = (orgcast_invoice_status_t)statuses[i].value;
        err = check_invoice(&event, &diag);
        ck_assert_msg((err == ORGCAST_OK) == statuses[i].valid, "status %d", statuses[i].value);
        ck_assert_msg(statuses[i].valid || strncmp(diag.message, "status", 6) == 0, "status %d: %s",
                      statuses[i].value, diag.message);
    }
    for (size_t i = 0; i < COUNT(types); i++) {
        orgcast_err_t err =
            orgcast_event_check_invoice((orgcast_event_type_t)types[i].value, &invoice, NULL);

        ck_assert_msg((err == ORGCAST_OK) == types[i].valid, "type %d", types[i].value);
    }
    for (int value = -1; value <= 5; value++) {
        orgcast_notification_event_t event = notification;

        event.type = (orgcast_notification_type_t)value;
        ck_assert_msg((orgcast_event_check_notification(&event, NULL) == ORGCAST_OK) ==
                          (value >= 1 && value <= 4),
                      "notification type %d", value);
    }
    ck_assert_int_eq(orgcast_event_check_invoice(ORGCAST_EVENT_INVOICE_PAID, NULL, NULL),
                     ORGCAST_E_INVALID);
    ck_assert_int_eq(orgcast_event_check_notification(NULL, NULL), ORGCAST_E_INVALID);
}
END_TEST

START_TEST(previous_values)
{
    orgcast_invoice_previous_t previous = {.amount = "9.00"};
    orgcast_invoice_event_t event = invoice;
    orgcast_diag_t diag = {0};

    event.previous = &previous;
    for (int type = ORGCAST_EVENT_INVOICE_CREATED; type <= ORGCAST_EVENT_INVOICE_DELETED; type++)
        ck_assert_msg((orgcast_event_check_invoice((orgcast_event_type_t)type, &event, NULL) ==
                       ORGCAST_OK) == (type == ORGCAST_EVENT_INVOICE_UPDATED),
                      "type %d", type);
    for (size_t i = 0; i < COUNT(amount_cases); i++) {
        previous.amount = amount_cases[i].text;
        ck_assert_msg((check_invoice(&event, NULL) == ORGCAST_OK) == amount_cases[i].valid,
                      "previous.amount '%s'", amount_cases[i].text);
    }
    previous.amount = NULL;
    for (size_t i = 0; i < COUNT(currency_cases); i++) {
        previous.currency = currency_cases[i].text;
        ck_assert_msg((check_invoice(&event, NULL) == ORGCAST_OK) == currency_cases[i].valid,
                      "previous.currency '%s'", currency_cases[i].text);
    }
    previous = (orgcast_invoice_previous_t){.invoice_number = ""};
    ck_assert_int_eq(check_invoice(&event, &diag), ORGCAST_E_INVALID);
    ck_assert_str_eq(diag.message, "previous.invoiceNumber must not be empty");
    previous = (orgcast_invoice_previous_t){.status = (orgcast_invoice_status_t)7};
    ck_assert_int_eq(check_invoice(&event, NULL), ORGCAST_E_INVALID);
    previous = (orgcast_invoice_previous_t){0};
    ck_assert_int_eq(check_invoice(&event, NULL), ORGCAST_OK);
}
END_TEST

/* Each type's name and the topic that it is published on. */
START_TEST(names_and_topics)
{
    static const struct {
        orgcast_event_type_t type;
        const char *name;
        const char *topic;
    } cases[] = {
        {ORGCAST_EVENT_INVOICE_CREATED, "invoice.created", "org/acme/invoices/created/inv-17"},
        {ORGCAST_EVENT_INVOICE_UPDATED, "invoice.updated", "org/acme/invoices/updated/inv-17"},
        {ORGCAST_EVENT_INVOICE_SENT, "invoice.sent", "org/acme/invoices/sent/inv-17"},
        {ORGCAST_EVENT_INVOICE_PAID, "invoice.paid", "org/acme/invoices/paid/inv-17"},
        {ORGCAST_EVENT_INVOICE_OVERDUE, "invoice.overdue", "org/acme/invoices/overdue/inv-17"},
        {ORGCAST_EVENT_INVOICE_CANCELLED, "invoice.cancelled",
         "org/acme/invoices/cancelled/inv-17"},
        {ORGCAST_EVENT_INVOICE_DELETED, "invoice.deleted", "org/acme/invoices/deleted/inv-17"},
        {ORGCAST_EVENT_NOTIFICATION_CREATED, "notification.created",
         "org/acme/invoices/notification/n-4"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        oc_event_t event = {.type = cases[i].type};
        char topic[OC_EVENT_TOPIC_LEN];

        if (cases[i].type == ORGCAST_EVENT_NOTIFICATION_CREATED)
            event.data = &notification;
        else
            event.data = &invoice;
        ck_assert_int_eq(oc_event_check_fields(&event, NULL), ORGCAST_OK);
        oc_event_topic(&event, topic);
        ck_assert_str_eq(topic, cases[i].topic);
        ck_assert_str_eq(oc_event_type_name(cases[i].type), cases[i].name);
        ck_assert_int_eq(oc_event_type_parse(cases[i].name), cases[i].type);
    }
    ck_assert_ptr_null(oc_event_type_name(ORGCAST_EVENT_UNSET));
    ck_assert_ptr_null(oc_event_type_name((orgcast_event_type_t)oc_event_rules_count));
    ck_assert_int_eq(oc_event_type_parse("invoice.PAID"), ORGCAST_EVENT_UNSET);
    ck_assert_int_eq(oc_event_type_parse(""), ORGCAST_EVENT_UNSET);
}
END_TEST

/* A constant is its value's place in the catalogue. */
START_TEST(enum_names)
{
    static const struct {
        orgcast_event_type_t type;
        const char *field;
        int constant;
        const char *value;
    } cases[] = {
        {ORGCAST_EVENT_INVOICE_PAID, "status", ORGCAST_INVOICE_STATUS_DRAFT, "DRAFT"},
        {ORGCAST_EVENT_INVOICE_PAID, "status", ORGCAST_INVOICE_STATUS_SENT, "SENT"},
        {ORGCAST_EVENT_INVOICE_PAID, "status", ORGCAST_INVOICE_STATUS_PENDING, "PENDING"},
        {ORGCAST_EVENT_INVOICE_PAID, "status", ORGCAST_INVOICE_STATUS_PAID, "PAID"},
        {ORGCAST_EVENT_INVOICE_PAID, "status", ORGCAST_INVOICE_STATUS_OVERDUE, "OVERDUE"},
        {ORGCAST_EVENT_INVOICE_PAID, "status", ORGCAST_INVOICE_STATUS_CANCELLED, "CANCELLED"},
        {ORGCAST_EVENT_INVOICE_PAID, "status", ORGCAST_INVOICE_STATUS_UNSET, "cancelled"},
        {ORGCAST_EVENT_NOTIFICATION_CREATED, "type", ORGCAST_NOTIFICATION_TYPE_SUCCESS, "success"},
        {ORGCAST_EVENT_NOTIFICATION_CREATED, "type", ORGCAST_NOTIFICATION_TYPE_INFO, "info"},
        {ORGCAST_EVENT_NOTIFICATION_CREATED, "type", ORGCAST_NOTIFICATION_TYPE_WARNING, "warning"},
        {ORGCAST_EVENT_NOTIFICATION_CREATED, "type", ORGCAST_NOTIFICATION_TYPE_ERROR, "error"},
        {ORGCAST_EVENT_NOTIFICATION_CREATED, "type", ORGCAST_NOTIFICATION_TYPE_UNSET, "Warning"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const oc_event_object_t *object = oc_event_rules[cases[i].type].data->object;
        size_t at = 0;

        while (strcmp(object->fields[at].name, cases[i].field) != 0)
            at++;
        ck_assert_uint_eq(oc_event_enum_find(object->fields[at].values, cases[i].value),
                          (size_t)cases[i].constant);
    }
}
END_TEST

START_TEST(longest_topic_fits)
{
    oc_event_t event = {.type = ORGCAST_EVENT_NOTIFICATION_CREATED};
    orgcast_notification_event_t longest = notification;
    char topic[OC_EVENT_TOPIC_LEN];

    longest.organization_id = A128;
    longest.notification_id = A128;
    event.data = &longest;
    oc_event_topic(&event, topic);
    ck_assert_str_eq(topic, "org/" A128 "/invoices/notification/" A128);
}
END_TEST

START_TEST(sources)
{
    static const text_case_t cases[] = {
        {"/billing", true},
        {"https://acme.example/billing?a=b#c", true},
        {"urn:orgcast:test", true},
        {"", false},
        {"a b", false},
        {"a\"b", false},
        {"/50%", false},
        {"1:2", false},
        {"caf\xc3\xa9", false},
        {A50 A50 A50 A50 A50 "aaaaaa", true},
        {A50 A50 A50 A50 A50 "aaaaaaa", false},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        ck_assert_msg(oc_event_source_valid(cases[i].text) == cases[i].valid, "'%s'",
                      cases[i].text);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("event");

    tcase_add_test(tcase, ids);
    tcase_add_test(tcase, amounts);
    tcase_add_test(tcase, currencies);
    tcase_add_test(tcase, timestamps);
    tcase_add_test(tcase, texts);
    tcase_add_test(tcase, enums);
    tcase_add_test(tcase, previous_values);
    tcase_add_test(tcase, names_and_topics);
    tcase_add_test(tcase, enum_names);
    tcase_add_test(tcase, longest_topic_fits);
    tcase_add_test(tcase, sources);
    return unit_run("event", tcase);
}
