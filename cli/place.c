/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "0123456789";
static const char epoch_letters[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static bool parse_sequence(const char *text, uint64_t *ret_sequence)
{
    size_t len = strlen(text);
    unsigned long long sequence;

    if (len == 0 || len > CLI_SEQUENCE_MAX || strspn(text, digits) != len)
        return false;
    errno = 0;
    sequence = strtoull(text, NULL, 10);
    if (errno != 0)
        return false;
    *ret_sequence = sequence;
    return true;
}

static bool parse(const char *epoch, size_t epoch_len, const char *sequence, cli_place_t *ret_place)
{
    cli_place_t place = {0};

    if (epoch_len > CLI_EPOCH_MAX || strspn(epoch, epoch_letters) < epoch_len ||
        !parse_sequence(sequence, &place.sequence))
        return false;
    memcpy(place.epoch, epoch, epoch_len);
    *ret_place = place;
    return true;
}

bool cli_place_parse(const char *text, cli_place_t *ret_place)
{
    const char *colon = strchr(text, ':');

    if (!colon)
        return parse("", 0, text, ret_place);
    return colon != text && parse(text, (size_t)(colon - text), colon + 1, ret_place);
}

bool cli_place_get(const json_t *object, cli_place_t *ret_place)
{
    const char *epoch = json_string_value(json_object_get(object, "epoch"));
    const char *sequence = json_string_value(json_object_get(object, "sequence"));

    return epoch && *epoch && sequence && parse(epoch, strlen(epoch), sequence, ret_place);
}
