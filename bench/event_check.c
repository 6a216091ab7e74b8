/* SPDX-License-Identifier: MIT */

/* What checking one event costs the broker, in both modes, beside jansson reading the same bytes alone. The
 * event is what the emitter writes, with ids of the usual length.
 *
 * usage: event_check */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "event_check.h"
#include "json.h"

#define ROUNDS 51
#define ITERATIONS 5000

static const char topic[] =
    "org/9f1b2c3d-0000-4000-8000-000000000001/invoices/updated/"
    "9f1b2c3d-0000-4000-8000-00000000aaaa";
static const char org[] = "9f1b2c3d-0000-4000-8000-000000000001";
static const char payload[] =
    "{\"specversion\":\"1.0\",\"id\":\"01938c9e-0000-7000-8000-000000000001\","
    "\"source\":\"/billing\",\"type\":\"invoice.updated\","
    "\"subject\":\"9f1b2c3d-0000-4000-8000-00000000aaaa\",\"time\":\"2026-11-24T10:00:00.123Z\","
    "\"datacontenttype\":\"application/json\",\"dataschema\":\"urn:orgcast:invoice:1\","
    "\"organizationid\":\"9f1b2c3d-0000-4000-8000-000000000001\","
    "\"data\":{\"organizationId\":\"9f1b2c3d-0000-4000-8000-000000000001\","
    "\"invoiceId\":\"9f1b2c3d-0000-4000-8000-00000000aaaa\",\"invoiceNumber\":\"2026-0017\","
    "\"amount\":\"99999999999999.99\",\"currency\":\"EUR\",\"status\":\"PAID\","
    "\"timestamp\":\"2026-11-24T10:00:00.123Z\",\"previous\":{\"status\":\"SENT\"}}}";

static void must(int ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "event_check: %s\n", what);
    exit(EXIT_FAILURE);
}

static void run_check(void *context, size_t iterations)
{
    const oc_event_mode_t *mode = context;

    for (size_t i = 0; i < iterations; i++)
        must(oc_event_check(*mode, org, sizeof org - 1, topic, payload, sizeof payload - 1, NULL) ==
                 OC_OK,
             "the event is refused");
}

static void run_parse(void *context, size_t iterations)
{
    (void)context;
    for (size_t i = 0; i < iterations; i++) {
        json_t *event = NULL;

        must(oc_json_load(payload, sizeof payload - 1, &event, NULL) == OC_OK, "it does not parse");
        json_decref(event);
    }
}

int main(void)
{
    oc_event_mode_t catalogue = OC_EVENT_MODE_CATALOGUE;
    oc_event_mode_t envelope = OC_EVENT_MODE_ENVELOPE;
    bench_subject_t subjects[] = {
        {.name = "catalogue", .run = run_check, .context = &catalogue, .iterations = ITERATIONS},
        {.name = "envelope", .run = run_check, .context = &envelope, .iterations = ITERATIONS},
        {.name = "jansson alone", .run = run_parse, .iterations = ITERATIONS},
    };

    /* As the plugin runs it. */
    oc_json_guard_install();
    bench_run(subjects, sizeof subjects / sizeof *subjects, ROUNDS);
    oc_json_guard_remove();
    (void)printf("%zu bytes, median of %d rounds\n", sizeof payload - 1, ROUNDS);
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        (void)printf("%-16s %6.2f us\n", subjects[i].name, subjects[i].median_ns / 1e3);
    return EXIT_SUCCESS;
}
