/* SPDX-License-Identifier: MIT */
#include "backoff.h"

void oc_backoff_reset(oc_backoff_t *backoff, int64_t min_ms, int64_t max_ms)
{
    *backoff = (oc_backoff_t){.min_ms = min_ms, .max_ms = max_ms, .next_ms = min_ms};
}

int64_t oc_backoff_pause_ms(oc_backoff_t *backoff, uint64_t random)
{
    int64_t nominal_ms = backoff->next_ms;
    int64_t half_ms = (nominal_ms + 1) / 2;

    backoff->next_ms = nominal_ms <= backoff->max_ms / 2 ? nominal_ms * 2 : backoff->max_ms;
    return half_ms + (int64_t)(random % (uint64_t)(nominal_ms - half_ms + 1));
}
