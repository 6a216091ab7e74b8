/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "moment.h"
#include "utf8.h"

#define COLUMNS_MAX 8

/* Characters, as far as a terminal shows one for each code point. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const char *text, size_t width, bool last)
{
    fputs(text, stdout);
    if (last)
        putchar('\n');
    else
        printf("%*s", (int)(width - width_of(text)) + 2, "");
}

void cli_table_print(const cli_table_t *table, const json_t *rows)
{
    size_t widths[COLUMNS_MAX] = {0};
    char cell[CLI_CELL_CAP];
    const json_t *row;
    size_t i;

    for (size_t column = 0; column < table->columns; column++) {
        widths[column] = width_of(table->headers[column]);
        json_array_foreach(rows, i, row)
        {
            table->cell(row, column, cell);
            if (width_of(cell) > widths[column])
                widths[column] = width_of(cell);
        }
    }
    for (size_t column = 0; column < table->columns; column++)
        print_cell(table->headers[column], widths[column], column + 1 == table->columns);
    json_array_foreach(rows, i, row)
    {
        for (size_t column = 0; column < table->columns; column++) {
            table->cell(row, column, cell);
            print_cell(cell, widths[column], column + 1 == table->columns);
        }
    }
}

/* out_cap: at most CLI_CELL_CAP */
static void write_text(const char *text, char *out, size_t out_cap)
{
    char quoted[CLI_CELL_CAP];

    if (*text && oc_utf8_no_space(text, strlen(text)) && !strpbrk(text, "'\\"))
        (void)oc_utf8_clean(text, out, out_cap);
    else
        (void)snprintf(out, out_cap, "'%s'", oc_utf8_quote(text, quoted, out_cap - 2));
}

void cli_cell_text(const char *text, char out[static CLI_CELL_CAP])
{
    write_text(text, out, CLI_CELL_CAP);
}

#define MORE ",..."

void cli_cell_texts(const json_t *texts, char out[static CLI_CELL_CAP])
{
    char cell[CLI_CELL_CAP - sizeof MORE];
    const json_t *text;
    size_t used = 0;
    size_t i;

    out[0] = '\0';
    json_array_foreach(texts, i, text)
    {
        size_t len;

        write_text(json_string_value(text), cell, sizeof cell);
        len = strlen(cell);
        if (used + 1 + len + sizeof MORE > CLI_CELL_CAP) {
            memcpy(out + used, MORE, sizeof MORE);
            return;
        }
        if (used)
            out[used++] = ',';
        memcpy(out + used, cell, len + 1);
        used += len;
    }
}

void cli_cell_time(const json_t *time_s, char out[static CLI_CELL_CAP])
{
    if (!time_s)
        (void)snprintf(out, CLI_CELL_CAP, "-");
    else if (!cli_moment_format(json_number_value(time_s), out, CLI_CELL_CAP))
        (void)snprintf(out, CLI_CELL_CAP, "%lld", (long long)json_integer_value(time_s));
}

void cli_json_print(const json_t *object)
{
    size_t flags = JSON_COMPACT | (isatty(STDOUT_FILENO) ? (size_t)JSON_ENSURE_ASCII : 0);

    (void)json_dumpf(object, stdout, flags);
    putchar('\n');
}
