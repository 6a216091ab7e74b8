/* SPDX-License-Identifier: MIT */
/* Every allocation of the library failed once (linked with --wrap for each of them). */
#include <cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <orgcast/recorder.h>

#include "unit.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

/* Allocations until the one that fails, on the thread that set it; negative: none fails. */
static _Thread_local int fail_at = -1;

static bool fails(void)
{
    return fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

static const orgcast_invoice_event_t invoice = {
    .organization_id = "acme",
    .invoice_id = "inv-17",
    .invoice_number = "2026-0017",
    .amount = "10.00",
    .currency = "EUR",
    .status = ORGCAST_INVOICE_STATUS_PAID,
};

START_TEST(an_emit_fails_whole)
{
    cJSON_Hooks hooks = {__wrap_malloc, free};
    orgcast_emitter_t *emitter = NULL;
    int failures = 0;

    ck_assert_int_eq(orgcast_recorder_open(NULL, &emitter, NULL), ORGCAST_OK);
    cJSON_InitHooks(&hooks);
    for (;; failures++) {
        orgcast_receipt_t receipt = {"untouched"};
        orgcast_err_t err;

        fail_at = failures;
        err = orgcast_emit_invoice_paid(emitter, &invoice, &receipt);
        fail_at = -1;
        if (err == ORGCAST_OK)
            break;
        ck_assert_int_eq(err, ORGCAST_E_NOMEM);
        ck_assert_str_eq(receipt.event_id, "untouched");
        ck_assert_uint_eq(orgcast_recorder_count(emitter), 0);
    }
    ck_assert_uint_eq(orgcast_recorder_count(emitter), 1);
    ck_assert_int_gt(failures, 20);
    orgcast_emitter_close(emitter);
    cJSON_InitHooks(NULL);
}
END_TEST

typedef orgcast_err_t open_fn(const orgcast_emitter_options_t *options,
                              orgcast_emitter_t **ret_emitter, orgcast_diag_t *diag);

static int count_open_failures(open_fn *open_emitter, const orgcast_emitter_options_t *options)
{
    for (int failures = 0;; failures++) {
        orgcast_emitter_t *emitter = NULL;
        orgcast_diag_t diag = {0};
        orgcast_err_t err;

        fail_at = failures;
        err = open_emitter(options, &emitter, &diag);
        fail_at = -1;
        if (err == ORGCAST_OK) {
            orgcast_emitter_close(emitter);
            return failures;
        }
        ck_assert_int_eq(err, ORGCAST_E_NOMEM);
        ck_assert_int_eq(diag.code, ORGCAST_E_NOMEM);
        ck_assert_ptr_null(emitter);
    }
}

START_TEST(an_open_fails_whole)
{
    char key[] = "/tmp/orgcast-key-XXXXXX";
    int fd = mkstemp(key);
    FILE *file = fdopen(fd, "w");
    orgcast_emitter_options_t options = {
        .port = 1,
        .client_id = "billing",
        .signing_key_file = key,
        .claims = {.issuer = "https://acme.example", .audience = "events", .key_id = "k1"},
    };

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fprintf(file, "%s", "0123456789abcdef0123456789abcdef"), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_ge(count_open_failures(orgcast_recorder_open, NULL), 2);
    ck_assert_int_ge(count_open_failures(orgcast_emitter_open, &options), 10);
    ck_assert_int_eq(remove(key), 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("emitter memory");

    tcase_add_test(tcase, an_emit_fails_whole);
    tcase_add_test(tcase, an_open_fails_whole);
    return unit_run("emitter memory", tcase);
}
