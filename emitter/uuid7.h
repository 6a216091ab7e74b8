/* SPDX-License-Identifier: MIT */
#ifndef OC_UUID7_H
#define OC_UUID7_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OC_UUID_TEXT_LEN 37 /* with the NUL */

/* What a diag says when one of these functions fails. */
#define OC_NO_RANDOM_BYTES "the system has no random bytes"

/* Random bytes from the kernel. False: the kernel refuses them. */
bool oc_random_bytes(void *ret_bytes, size_t len);

/* The next UUIDv7 (RFC 9562 §5.7). Within a process each is greater than every earlier one, also
 * within a millisecond, when the clock goes backwards, and between threads (§6.2 method 2: 74 random
 * bits, then grown by a random step). Any thread.
 * now_ms: since 1970, below 2^48. False: no random bytes; ret_text is untouched. */
bool oc_uuid7_next(int64_t now_ms, char ret_text[OC_UUID_TEXT_LEN]);

#endif
