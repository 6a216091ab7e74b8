/* SPDX-License-Identifier: MIT */
/* Part of the copy of the tree in which test_new_event_type.py adds types: what comes out of the emitter for
 * them is what the broker's check lets through. */
#include <orgcast/recorder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event_check.h"

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "line %d: does not hold: %s\n", __LINE__, #condition);           \
            exit(EXIT_FAILURE);                                                                    \
        }                                                                                          \
    } while (0)

static const orgcast_payment_event_t payment = {
    .organization_id = "acme",
    .payment_id = "p-1",
    .method = ORGCAST_PAYMENT_METHOD_CARD,
    .iban = "DE02120300000000202051",
};

static const orgcast_invoice_event_t invoice = {
    .organization_id = "acme",
    .invoice_id = "inv-17",
    .invoice_number = "2026-0017",
    .amount = "10.00",
    .currency = "EUR",
    .status = ORGCAST_INVOICE_STATUS_CANCELLED,
};

static oc_err_t check(const char *topic, const char *payload)
{
    return oc_event_check(OC_EVENT_MODE_CATALOGUE, "acme", 4, topic, payload, strlen(payload),
                          NULL);
}

static void check_recorded(orgcast_emitter_t *recorder, size_t index, const char *topic,
                           const char *part)
{
    orgcast_recorded_t event;

    MUST(orgcast_recorder_get(recorder, index, &event) == ORGCAST_OK);
    MUST(strcmp(event.topic, topic) == 0);
    MUST(strstr(event.payload, part));
    MUST(check(event.topic, event.payload) == OC_OK);
    MUST(check("org/acme/invoices/paid/inv-17", event.payload) == OC_E_EVENT_INVALID);
}

/* As the recorder has it, with one part of it changed. */
static void check_changed(orgcast_emitter_t *recorder, const char *part, const char *by)
{
    orgcast_recorded_t event;
    const char *at;
    char changed[1024];

    MUST(orgcast_recorder_get(recorder, 0, &event) == ORGCAST_OK);
    at = strstr(event.payload, part);
    MUST(at);
    (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - event.payload), event.payload,
                   by, at + strlen(part));
    MUST(check(event.topic, changed) == OC_E_EVENT_INVALID);
}

static void check_refused(const char *iban, int method, const char *message)
{
    orgcast_payment_event_t event = payment;
    orgcast_diag_t diag = {0};

    event.iban = iban;
    event.method = (orgcast_payment_method_t)method;
    MUST(orgcast_event_check_payment(ORGCAST_EVENT_PAYMENT_RECEIVED, &event, &diag) ==
         ORGCAST_E_INVALID);
    MUST(strcmp(diag.message, message) == 0);
}

int main(void)
{
    orgcast_emitter_t *recorder = NULL;

    MUST(orgcast_recorder_open(NULL, &recorder, NULL) == ORGCAST_OK);
    MUST(orgcast_emit_payment_received(recorder, &payment, NULL) == ORGCAST_OK);
    MUST(orgcast_emit_invoice_refunded(recorder, &invoice, NULL) == ORGCAST_OK);
    check_recorded(recorder, 0, "org/acme/invoices/received/p-1", "\"method\":\"card\"");
    check_recorded(recorder, 1, "org/acme/invoices/refunded/inv-17", "\"invoice.refunded\"");
    check_changed(recorder, "\"card\"", "\"cheque\"");
    check_changed(recorder, "\"DE02", "\"DE0x");
    check_changed(recorder, "\"method\":\"card\",", "");
    check_changed(recorder, "\"method\":", "\"amount\":\"1\",\"method\":");
    check_refused("DE02 1203", ORGCAST_PAYMENT_METHOD_CASH, "iban must be an IBAN without spaces");
    check_refused(NULL, 0, "method is missing");
    check_refused(NULL, 4, "method must be transfer, card or cash");
    orgcast_emitter_close(recorder);
    return EXIT_SUCCESS;
}
