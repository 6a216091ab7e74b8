/* SPDX-License-Identifier: MIT */
/* A JSON pointer, a newline, a document. */
#include "fuzz.h"
#include "json.h"

/* True when wanted is the document or somewhere in it. */
static bool is_part(const json_t *document, const json_t *wanted)
{
    const char *key;
    json_t *value;
    size_t i;

    if (document == wanted)
        return true;
    json_object_foreach((json_t *)document, key, value)
    {
        if (is_part(value, wanted))
            return true;
    }
    json_array_foreach(document, i, value)
    {
        if (is_part(value, wanted))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *pointer = fuzz_part(&data, &size);
    json_t *document = NULL;

    if (oc_json_load((const char *)data, size, &document, NULL) == OC_OK) {
        const json_t *found = oc_json_pointer_get(document, pointer);

        MUST_HOLD(!found || oc_json_pointer_valid(pointer));
        MUST_HOLD(!found || is_part(document, found));
        MUST_HOLD(*pointer || found == document);
        json_decref(document);
    }
    free(pointer);
    return 0;
}
