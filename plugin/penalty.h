/* SPDX-License-Identifier: MIT */
#ifndef OC_PENALTY_H
#define OC_PENALTY_H

/* Slows down addresses that send bad tokens again and again: after a burst of them, further tokens from
 * there are refused unseen, but for a few a second. A good token costs nothing.
 *
 * An address is an IPv4 address, also when it is written as IPv6 (::ffff:192.0.2.1), or the /64 of an
 * IPv6 address, of which one host can have them all; other text stands for itself. Never slowed down are
 * loopback, Unix sockets (their path stands for the address), and clients without an address: a proxy on
 * this machine speaks for everybody.
 *
 * A table of fixed size: of very many addresses that misbehave at once, some are forgotten early, those
 * with the fewest bad tokens first. One thread. */

#include <stdbool.h>
#include <stdint.h>

#define OC_PENALTY_BURST 20           /* bad tokens of an address at once */
#define OC_PENALTY_ADDRESSES_MAX 4096 /* most that are remembered */

typedef struct oc_penalty oc_penalty_t;

/* per_second: bad tokens of an address that are looked at after the burst; 0: no address is slowed down.
 * NULL when out of memory, or when the system has no random bytes. Nothing is allocated after this. */
oc_penalty_t *oc_penalty_new(uint32_t per_second);
void oc_penalty_free(oc_penalty_t *penalty);

/* Whether tokens from the address are to be refused now (OC_E_LIMIT_RATE), before anything is verified.
 * address: text; NULL: there is none */
bool oc_penalty_held(oc_penalty_t *penalty, const char *address, int64_t now_s);

/* A token from the address was bad. Not for those that were held: else a client that keeps trying would
 * never get out. */
void oc_penalty_note(oc_penalty_t *penalty, const char *address, int64_t now_s);

#endif
