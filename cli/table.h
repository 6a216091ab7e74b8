/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_TABLE_H
#define OC_CLI_TABLE_H

/* JSON from a broker, on standard output: lines of a table for people, or JSON for programs. */

#include <jansson.h>
#include <stddef.h>

#define CLI_CELL_CAP 80 /* bytes; what is longer is cut */

typedef struct cli_table {
    const char *const *headers;
    size_t columns;
    /* Write a cell. column: from 0 */
    void (*cell)(const json_t *row, size_t column, char out[static CLI_CELL_CAP]);
} cli_table_t;

/* A heading, and a line for each row. */
void cli_table_print(const cli_table_t *table, const json_t *rows);

/* A cell of a text that somebody else chose. What could steer the terminal, or be taken for another cell, is
 * between quotes, with its odd bytes as \xHH. */
void cli_cell_text(const char *text, char out[static CLI_CELL_CAP]);

/* Of an array of strings: with commas between them. */
void cli_cell_texts(const json_t *texts, char out[static CLI_CELL_CAP]);

/* Of a time in seconds since 1970; "-" for NULL. */
void cli_cell_time(const json_t *time_s, char out[static CLI_CELL_CAP]);

/* An object on a line; on a terminal ASCII alone, which cannot steer it. */
void cli_json_print(const json_t *object);

#endif
