/* SPDX-License-Identifier: MIT */
#ifndef OC_UTF8_H
#define OC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strict UTF-8 (Unicode 15 table 3-7: no overlong forms, no surrogates) without control characters
 * (general category Cc) and without the noncharacters that MQTT 5 §1.5.4 warns of. */
bool oc_utf8_printable(const char *text, size_t len);

/* The same, and without white space (Unicode property White_Space). */
bool oc_utf8_no_space(const char *text, size_t len);

/* Bytes of the character at text, which may be any; 0 when it is not strict UTF-8, or len is 0. */
size_t oc_utf8_char(const char *text, size_t len);

/* Characters that would make one line look like two, or turn round what follows them. */
bool oc_utf8_misleads(uint32_t code);

/* Copy text into out, always terminated, for a log line: what is not printable UTF-8, what misleads, a quote
 * and a backslash become `\xHH`; what does not fit is cut, with "..." at the end. Returns out.
 * out_cap: at least 8. */
char *oc_utf8_quote(const char *text, char *out, size_t out_cap);

/* The same for a whole message: quotes and backslashes stay. */
char *oc_utf8_clean(const char *text, char *out, size_t out_cap);

#endif
