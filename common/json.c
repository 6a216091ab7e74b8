/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static json_malloc_t inner_malloc;
static json_free_t inner_free;
static unsigned guards;
static _Thread_local bool allocation_failed;

/* jansson reads a string or number into a buffer that doubles, and goes on when it cannot grow: then it
 * misses the end of the string and reads behind the buffer. So a parse has a reserve that such a request
 * falls back to. Others may be of such a size too: of what they can come to, with the buffer, for each
 * byte of JSON (pointers to members most of all) the reserve is more. Any other failure ends the parse. */
#define RESERVE_PER_BYTE 32
#define RESERVE_LEAST 4096

static _Thread_local struct {
    char *bytes;
    size_t size, used;
} reserve;

static void *take_reserve(size_t size)
{
    void *memory = reserve.bytes + reserve.used;

    if (size < 2 * sizeof(void *))
        size = 2 * sizeof(void *);
    if ((size & (size - 1)) != 0 || size > reserve.size - reserve.used)
        return NULL;
    reserve.used += size;
    return memory;
}

static void *guarded_malloc(size_t size)
{
    void *memory = inner_malloc(size);

    if (memory)
        return memory;
    allocation_failed = true;
    return reserve.bytes ? take_reserve(size) : NULL;
}

static void guarded_free(void *memory)
{
    uintptr_t at = (uintptr_t)memory;
    uintptr_t start = (uintptr_t)reserve.bytes;

    if (!reserve.bytes || at < start || at >= start + reserve.size)
        inner_free(memory);
}

void oc_json_guard_install(void)
{
    if (guards++ > 0)
        return;
    json_get_alloc_funcs(&inner_malloc, &inner_free);
    json_set_alloc_funcs(guarded_malloc, guarded_free);
}

void oc_json_guard_remove(void)
{
    if (guards > 0 && --guards == 0)
        json_set_alloc_funcs(inner_malloc, inner_free);
}

/* jansson's own limit is 2048 levels, each of them a stack frame; claims need a handful. */
static bool depth_within(const char *bytes, size_t len, int max_depth)
{
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_depth)
                return false;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return true;
}

bool oc_json_small(const char *bytes, size_t len, size_t most)
{
    size_t values = 1;
    bool in_string = false;

    for (size_t i = 0; i < len && values <= most; i++) {
        char c = bytes[i];

        if (c == '"')
            in_string = !in_string;
        else if (in_string)
            i += c == '\\';
        else
            values += c == '{' || c == '[' || c == ',' || c == ':';
    }
    return values <= most;
}

static json_t *load(const char *bytes, size_t len, json_error_t *ret_error)
{
    json_t *json;

    if (guards == 0)
        return json_loadb(bytes, len, JSON_REJECT_DUPLICATES, ret_error);
    reserve.size = RESERVE_LEAST + RESERVE_PER_BYTE * len;
    reserve.used = 0;
    reserve.bytes = malloc(reserve.size);
    allocation_failed = !reserve.bytes;
    json = reserve.bytes ? json_loadb(bytes, len, JSON_REJECT_DUPLICATES, ret_error) : NULL;
    if (allocation_failed) {
        json_decref(json);
        json = NULL;
    }
    free(reserve.bytes);
    reserve.bytes = NULL;
    return json;
}

#define DIGITS "0123456789"

/* RFC 8259 §6: the length of the number that begins here. 0: no number begins here. */
static size_t number_len(const char *text)
{
    const char *end = text + (*text == '-');
    size_t exponent;

    if (*end < '0' || *end > '9')
        return 0;
    /* A zero ends here, whatever follows. Each zero of a run of zeros is looked at alone. */
    end += *end == '0' ? 1 : strspn(end, DIGITS);
    if (*end == '.' && strspn(end + 1, DIGITS) > 0)
        end += 1 + strspn(end + 1, DIGITS);
    if (*end == 'e' || *end == 'E') {
        exponent = end[1] == '+' || end[1] == '-' ? 2 : 1;
        if (strspn(end + exponent, DIGITS) > 0)
            end += exponent + strspn(end + exponent, DIGITS);
    }
    return (size_t)(end - text);
}

/* Whether jansson can hold the number: 64 bits, or a double when it has a fraction or an exponent. */
static bool number_fits(const char *number, size_t len)
{
    bool integer =
        !memchr(number, '.', len) && !memchr(number, 'e', len) && !memchr(number, 'E', len);
    double value = 0;

    errno = 0;
    if (integer)
        (void)strtoll(number, NULL, 10);
    else
        value = strtod(number, NULL);
    return errno != ERANGE || (!integer && fabs(value) != HUGE_VAL);
}

/* Overwrites each number that jansson cannot hold by 1e99, which is shorter than any of them. A shorter number is not
 * read: strtod() would read all the digits that follow a zero, again for each zero. */
static void fit_numbers(char *text)
{
    static const char large[] = {'1', 'e', '9', '9'};
    bool in_string = false;

    while (*text) {
        size_t len = in_string ? 0 : number_len(text);

        if (len > sizeof large && !number_fits(text, len)) {
            memset(text, ' ', len);
            memcpy(text + len - sizeof large, large, sizeof large);
        } else if (in_string && *text == '\\' && text[1]) {
            len = 2;
        } else if (*text == '"') {
            in_string = !in_string;
        }
        text += len > 0 ? len : 1;
    }
}

/* Parse again with numbers that fit. Only called after a number did not fit. */
static json_t *load_fitted(const char *bytes, size_t len, json_error_t *ret_error)
{
    char *text = malloc(len + 1);
    json_t *json;

    allocation_failed = !text;
    if (!text)
        return NULL;
    memcpy(text, bytes, len);
    text[len] = '\0';
    fit_numbers(text);
    json = load(text, len, ret_error);
    free(text);
    return json;
}

static oc_err_t load_object(const char *bytes, size_t len, bool any_number, json_t **ret_object,
                            oc_diag_t *diag)
{
    json_error_t error = {0};
    json_t *json;

    if (!depth_within(bytes, len, OC_JSON_MAX_DEPTH))
        return oc_fail(diag, OC_E_INTERNAL, "deeper than %d levels", OC_JSON_MAX_DEPTH);
    /* jansson 2.14 takes one that follows a number for white space. */
    if (len > 0 && memchr(bytes, '\0', len))
        return oc_fail(diag, OC_E_INTERNAL, "a NUL byte");
    allocation_failed = false;
    json = load(bytes, len, &error);
    if (!json && any_number && !allocation_failed &&
        json_error_code(&error) == json_error_numeric_overflow)
        json = load_fitted(bytes, len, &error);
    if (allocation_failed)
        return oc_fail(diag, OC_E_NOMEM, "out of memory while parsing JSON");
    if (!json) {
        if (json_error_code(&error) == json_error_numeric_overflow)
            return oc_fail(diag, OC_E_INTERNAL,
                           "JSON with a number that is too large (64 bits, 1e308), near byte %d",
                           error.position);
        if (json_error_code(&error) == json_error_out_of_memory)
            return oc_fail(diag, OC_E_NOMEM, "out of memory while parsing JSON");
        /* error.text quotes the input, so only the position is passed on. */
        return oc_fail(diag, OC_E_INTERNAL, "not strict JSON near byte %d", error.position);
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return oc_fail(diag, OC_E_INTERNAL, "not a JSON object");
    }
    *ret_object = json;
    return OC_OK;
}

oc_err_t oc_json_load(const char *bytes, size_t len, json_t **ret_object, oc_diag_t *diag)
{
    return load_object(bytes, len, false, ret_object, diag);
}

oc_err_t oc_json_load_any_number(const char *bytes, size_t len, json_t **ret_object,
                                 oc_diag_t *diag)
{
    return load_object(bytes, len, true, ret_object, diag);
}

char *oc_json_dump(const json_t *json)
{
    char *text;

    allocation_failed = false;
    text = json_dumps(json, JSON_COMPACT);
    if (text && allocation_failed) {
        free(text);
        text = NULL;
    }
    return text;
}

bool oc_json_pointer_valid(const char *pointer)
{
    if ((*pointer != '\0' && *pointer != '/') || strlen(pointer) > OC_JSON_POINTER_MAX)
        return false;
    for (const char *c = pointer; *c; c++) {
        if (*c == '~' && c[1] != '0' && c[1] != '1')
            return false;
    }
    return true;
}

/* RFC 6901 §4: an index is 0, or digits without a leading zero. */
static json_t *array_item(json_t *array, const char *token)
{
    char *end;
    unsigned long long index;

    if (token[0] < '0' || token[0] > '9' || (token[0] == '0' && token[1] != '\0'))
        return NULL;
    index = strtoull(token, &end, 10);
    if (*end != '\0' || index >= json_array_size(array))
        return NULL;
    return json_array_get(array, (size_t)index);
}

json_t *oc_json_pointer_get(json_t *document, const char *pointer)
{
    char token[OC_JSON_POINTER_MAX + 1];
    json_t *value = document;

    if (!oc_json_pointer_valid(pointer))
        return NULL;
    while (value && *pointer == '/') {
        char *out = token;

        for (pointer++; *pointer && *pointer != '/'; pointer++) {
            if (*pointer == '~')
                *out++ = *++pointer == '0' ? '~' : '/';
            else
                *out++ = *pointer;
        }
        *out = '\0';
        if (json_is_object(value))
            value = json_object_get(value, token);
        else if (json_is_array(value))
            value = array_item(value, token);
        else
            value = NULL;
    }
    return value;
}
