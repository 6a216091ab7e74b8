/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_PLACE_H
#define OC_CLI_PLACE_H

/* Where an organization's stream is: the two attributes that the plugin gives each event. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define CLI_EPOCH_MAX 32    /* letters and digits; the plugin's have 16 */
#define CLI_SEQUENCE_MAX 20 /* digits */

typedef struct cli_place {
    char epoch[CLI_EPOCH_MAX + 1]; /* "": not known */
    uint64_t sequence;
} cli_place_t;

/* "SEQUENCE", whose epoch is not known, or "EPOCH:SEQUENCE". False: neither. */
bool cli_place_parse(const char *text, cli_place_t *ret_place);

/* The members `epoch` and `sequence` of an event or an answer. False: they are not both there, as in an
 * event of a broker without the plugin. */
bool cli_place_get(const json_t *object, cli_place_t *ret_place);

#endif
