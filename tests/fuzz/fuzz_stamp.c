/* SPDX-License-Identifier: MIT */
/* A payload of any bytes. What jansson takes for an object is stamped, and is the same then but for the two
 * attributes; what it does not is left alone. */
#include <jansson.h>

#include "fuzz.h"
#include "json.h"
#include "stamp.h"

static const oc_stamp_memory_t memory = {malloc, free};

static int depth_of(const json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;
    int deepest = 0;

    json_object_foreach((json_t *)value, name, member)
    {
        int depth = depth_of(member);

        deepest = depth > deepest ? depth : deepest;
    }
    json_array_foreach(value, i, member)
    {
        int depth = depth_of(member);

        deepest = depth > deepest ? depth : deepest;
    }
    return json_is_object(value) || json_is_array(value) ? deepest + 1 : 0;
}

/* Each of the two is there once; other names come twice where they did before. */
static void check_names(const char *payload, size_t size, json_t *before, const char *out,
                        size_t len)
{
    json_t *strict = json_loadb(payload, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *after = json_loadb(out, len, JSON_REJECT_DUPLICATES, NULL);

    MUST_HOLD(after || (!strict && json_object_size(before) > 0));
    json_decref(strict);
    json_decref(after);
}

static void check_stamped(json_t *before, const char *out, size_t len)
{
    /* No name comes twice that did not come twice before: then the last one counts, in both. */
    json_t *after = json_loadb(out, len, 0, NULL);
    json_t *value;

    MUST_HOLD(after && strlen(out) == len);
    value = json_object_get(after, "epoch");
    MUST_HOLD(json_is_string(value) && strcmp(json_string_value(value), "00000000000000ab") == 0);
    value = json_object_get(after, "sequence");
    MUST_HOLD(json_is_string(value) &&
              strcmp(json_string_value(value), "00000000000000000017") == 0);
    (void)json_object_del(before, "epoch");
    (void)json_object_del(before, "sequence");
    (void)json_object_del(after, "epoch");
    (void)json_object_del(after, "sequence");
    MUST_HOLD(json_equal(before, after));
    json_decref(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const oc_stamp_t stamp = {0xab, 17};
    /* Exactly its length, so that reading behind it shows. */
    char *payload = malloc(size ? size : 1);
    json_error_t error = {0};
    json_t *before;
    char *out = NULL;
    size_t len = 0;
    oc_err_t err;

    MUST_HOLD(payload);
    if (size)
        memcpy(payload, data, size);
    before = json_loadb(payload, size, 0, &error);
    err = oc_stamp(payload, size, &stamp, &memory, &out, &len);
    MUST_HOLD(err == OC_OK || err == OC_E_EVENT_INVALID);
    if (size && memchr(payload, '\0', size)) {
        /* jansson overlooks a NUL behind a number. */
        MUST_HOLD(err == OC_E_EVENT_INVALID);
    } else if (json_is_object(before) && depth_of(before) <= OC_JSON_MAX_DEPTH) {
        MUST_HOLD(err == OC_OK);
    } else if (before) {
        MUST_HOLD(err == OC_E_EVENT_INVALID);
    } else {
        /* RFC 8259 §6 leaves the range of numbers to whoever reads them. */
        MUST_HOLD(err || json_error_code(&error) == json_error_numeric_overflow);
    }
    if (!err && before)
        check_stamped(before, out, len);
    if (!err && before)
        check_names(payload, size, before, out, len);
    if (!err)
        free(out);
    json_decref(before);
    free(payload);
    return 0;
}
