/* SPDX-License-Identifier: MIT */
#ifndef OC_TOPIC_H
#define OC_TOPIC_H

/* Topic templates such as `org/{org}/invoices/#`: which topics and filters are inside one, and of
 * which organization. Pure functions; matching allocates nothing. */

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define OC_TEMPLATE_MAX_BYTES 512

/* A part of somebody else's string. */
typedef struct oc_slice {
    const char *start;
    size_t len;
} oc_slice_t;

typedef struct oc_template {
    char *text;        /* as configured */
    oc_slice_t before; /* "org/": what comes before {org}, its slash included; may be empty */
    oc_slice_t after;  /* "/invoices": what comes after {org}, without a final "/#"; may be empty */
    bool open;         /* ends with /# */
} oc_template_t;

/* {org} once, as a whole level; # only as the last level; no +; does not begin with `$`. OC_E_CONFIG
 * with the cause otherwise. */
OC_MUST_CHECK oc_err_t oc_template_init(oc_template_t *template, const char *text, oc_diag_t *diag);
void oc_template_done(oc_template_t *template);

/* True when the topic name is inside the template; ret_org is then the level at {org}. */
bool oc_template_match_topic(const oc_template_t *template, const char *topic, oc_slice_t *ret_org);

/* The same for a topic of this organization, a valid id. */
bool oc_template_match_org(const oc_template_t *template, const char *topic, oc_slice_t org);

/* True when every topic that the filter can match is inside the template for one organization, or,
 * when the level at {org} is `+`, for any: ret_org is that level, `+` included. */
bool oc_template_contains_filter(const oc_template_t *template, const char *filter,
                                 oc_slice_t *ret_org);

/* True when some topic is matched by the filter and inside the template. */
bool oc_template_overlaps_filter(const oc_template_t *template, const char *filter);

/* MQTT 5 §4.7: # only as the whole last level, + only as a whole level, not empty. */
bool oc_filter_valid(const char *filter);

/* The filter inside `$share/{group}/{filter}`; NULL when that form is malformed. A filter that is not
 * shared is returned as it is. */
const char *oc_filter_unshared(const char *filter, bool *ret_shared);

#endif
