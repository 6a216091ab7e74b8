/* SPDX-License-Identifier: MIT */
#include "uuid7.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#define RAND_A_MAX UINT64_C(0xfff)
#define RAND_B_MAX UINT64_C(0x3fffffffffffffff)

/* The last id handed out, under lock. */
static struct {
    pthread_mutex_t lock;
    int64_t ms;
    uint64_t rand_a; /* 12 bits, the high part of the counter */
    uint64_t rand_b; /* 62 bits */
} last = {.lock = PTHREAD_MUTEX_INITIALIZER, .ms = -1};

bool oc_random_bytes(void *ret_bytes, size_t len)
{
    unsigned char *bytes = ret_bytes;

    while (len > 0) {
        ssize_t got = getrandom(bytes, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        bytes += got;
        len -= (size_t)got;
    }
    return true;
}

static void write_hex(char *text, uint64_t value, int digits)
{
    static const char hex[] = "0123456789abcdef";

    while (digits-- > 0) {
        text[digits] = hex[value & 15];
        value >>= 4;
    }
}

static void format(char text[OC_UUID_TEXT_LEN])
{
    write_hex(text, (uint64_t)last.ms >> 16, 8);
    text[8] = '-';
    write_hex(text + 9, (uint64_t)last.ms & 0xffff, 4);
    text[13] = '-';
    write_hex(text + 14, UINT64_C(0x7000) | last.rand_a, 4);
    text[18] = '-';
    write_hex(text + 19, UINT64_C(0x8000) | (last.rand_b >> 48), 4);
    text[23] = '-';
    write_hex(text + 24, last.rand_b & UINT64_C(0xffffffffffff), 12);
    text[36] = '\0';
}

/* A new millisecond starts at a random place. @locks */
static void start_ms(int64_t ms, const uint64_t random[2])
{
    last.ms = ms;
    last.rand_a = random[0] & RAND_A_MAX;
    last.rand_b = random[1] & RAND_B_MAX;
}

/* Past the last number of a millisecond comes the next one, which the clock then catches up with.
 * @locks */
static void grow(const uint64_t random[2])
{
    uint64_t step = 1 + (random[0] & UINT32_MAX);

    if (last.rand_b <= RAND_B_MAX - step) {
        last.rand_b += step;
        return;
    }
    last.rand_b = step - (RAND_B_MAX - last.rand_b) - 1;
    if (last.rand_a < RAND_A_MAX)
        last.rand_a++;
    else
        start_ms(last.ms + 1, random);
}

bool oc_uuid7_next(int64_t now_ms, char ret_text[OC_UUID_TEXT_LEN])
{
    uint64_t random[2];

    if (!oc_random_bytes(random, sizeof random))
        return false;
    (void)pthread_mutex_lock(&last.lock);
    if (now_ms > last.ms)
        start_ms(now_ms, random);
    else
        grow(random);
    format(ret_text);
    (void)pthread_mutex_unlock(&last.lock);
    return true;
}
