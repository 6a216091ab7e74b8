/* SPDX-License-Identifier: MIT */
#ifndef OC_B64URL_H
#define OC_B64URL_H

#include <stdbool.h>
#include <stddef.h>

/* The most bytes that text_len characters can decode to. */
#define OC_B64URL_DECODED_MAX(text_len) ((text_len) / 4 * 3 + 2)

/* base64url without padding (RFC 7515 §2, RFC 4648 §5), strictly: false for a character outside the
 * alphabet, an impossible length, or leftover bits that are not zero. An empty text is valid. */
bool oc_b64url_decode(const char *text, size_t text_len, unsigned char *out, size_t out_cap,
                      size_t *ret_len);

#endif
