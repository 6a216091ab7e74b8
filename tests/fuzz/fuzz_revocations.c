/* SPDX-License-Identifier: MIT */
/* The bytes of a file of revocations. Whatever is loaded keeps the limits, and written anew it says the same. */
#include "fuzz.h"
#include "revocation_file.h"

static oc_revocation_set_t *load(const char *bytes, size_t len, oc_revocation_text_t *ret_text)
{
    oc_revocation_set_t *set = oc_revocation_set_new();
    oc_diag_t diag = {0};
    oc_err_t err;

    MUST_HOLD(set);
    err = oc_revocation_text_load("file", bytes, len, set, ret_text, &diag);
    MUST_HOLD(err == diag.code && (err == OC_OK || err == OC_E_IO));
    if (!err)
        return set;
    MUST_HOLD(strncmp(diag.message, "file:", 5) == 0);
    oc_revocation_set_free(set);
    return NULL;
}

static void check_same(const oc_revocation_set_t *a, const oc_revocation_set_t *b)
{
    const oc_revocation_t *one;
    uint64_t cursor_a = 0;
    uint64_t cursor_b = 0;

    MUST_HOLD(oc_revocation_set_count(a) == oc_revocation_set_count(b));
    while ((one = oc_revocation_set_next(a, &cursor_a)) != NULL) {
        const oc_revocation_t *other = oc_revocation_set_next(b, &cursor_b);

        MUST_HOLD(other && other->kind == one->kind && strcmp(other->name, one->name) == 0);
        MUST_HOLD(other->issued_before_s == one->issued_before_s);
        MUST_HOLD(other->revoked_s == one->revoked_s && other->forget_s == one->forget_s);
    }
}

static void check(const oc_revocation_set_t *set, const oc_revocation_text_t *text)
{
    size_t count = oc_revocation_set_count(set);
    char *bytes = malloc((count + 1) * OC_REVOCATION_LINE_MAX);
    const oc_revocation_t *revocation;
    oc_revocation_text_t again_text;
    oc_revocation_set_t *again;
    uint64_t cursor = 0;
    size_t len = 0;

    MUST_HOLD(bytes && count <= text->lines);
    while ((revocation = oc_revocation_set_next(set, &cursor)) != NULL) {
        MUST_HOLD(oc_revocation_check(revocation, NULL) == OC_OK);
        MUST_HOLD(oc_revocation_set_has(set, revocation->kind, revocation->name));
        len += oc_revocation_print(revocation, false, bytes + len);
        MUST_HOLD(bytes[len - 1] == '\n' && !memchr(bytes, '\0', len));
    }
    again = load(bytes, len, &again_text);
    MUST_HOLD(again && again_text.lines == count && !again_text.cut_off);
    check_same(set, again);
    /* And taken back, one by one. */
    cursor = 0;
    while ((revocation = oc_revocation_set_next(set, &cursor)) != NULL) {
        len = oc_revocation_print(revocation, true, bytes);
        MUST_HOLD(oc_revocation_text_load("file", bytes, len, again, &again_text, NULL) == OC_OK);
    }
    MUST_HOLD(oc_revocation_set_count(again) == 0);
    oc_revocation_set_free(again);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Exactly its length, so that reading behind it shows. */
    char *bytes = malloc(size ? size : 1);
    oc_revocation_text_t text = {0};
    oc_revocation_set_t *set;

    MUST_HOLD(bytes);
    if (size)
        memcpy(bytes, data, size);
    set = load(bytes, size, &text);
    if (set) {
        MUST_HOLD(!text.cut_off || size > 0);
        check(set, &text);
        oc_revocation_set_free(set);
    }
    free(bytes);
    return 0;
}
