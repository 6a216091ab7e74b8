/* SPDX-License-Identifier: MIT */
#include "topic.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define ORG_LEVEL "{org}"
#define ORG_LEVEL_LEN (sizeof ORG_LEVEL - 1)

oc_err_t oc_template_init(oc_template_t *template, const char *text, oc_diag_t *diag)
{
    const char *org = strstr(text, ORG_LEVEL);
    size_t len = strlen(text);
    const char *after;

    *template = (oc_template_t){0};
    if (len > OC_TEMPLATE_MAX_BYTES)
        return oc_fail(diag, OC_E_CONFIG, "longer than %d bytes", OC_TEMPLATE_MAX_BYTES);
    if (text[0] == '$')
        return oc_fail(diag, OC_E_CONFIG, "begins with '$', which the broker reserves");
    if (!oc_utf8_printable(text, len))
        return oc_fail(diag, OC_E_CONFIG, "is not UTF-8 without control characters");
    if (strchr(text, '+'))
        return oc_fail(diag, OC_E_CONFIG, "has '+'; only {org} stands for a level");
    if (!org || (org > text && org[-1] != '/') ||
        (org[ORG_LEVEL_LEN] != '\0' && org[ORG_LEVEL_LEN] != '/'))
        return oc_fail(diag, OC_E_CONFIG, "has no {org} that is a whole level");
    after = org + ORG_LEVEL_LEN;
    if (strstr(after, ORG_LEVEL))
        return oc_fail(diag, OC_E_CONFIG, "has {org} twice");
    template->open = len >= 2 && strcmp(text + len - 2, "/#") == 0;
    if (strcspn(text, "#") != len - (template->open ? 1 : 0))
        return oc_fail(diag, OC_E_CONFIG, "has '#' elsewhere than as the last level");

    template->text = strdup(text);
    if (!template->text)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    template->before = (oc_slice_t){template->text, (size_t)(org - text)};
    template->after = (oc_slice_t){template->text + (after - text),
                                   len - (size_t)(after - text) - (template->open ? 2 : 0)};
    return OC_OK;
}

void oc_template_done(oc_template_t *template)
{
    free(template->text);
    *template = (oc_template_t){0};
}

/* What follows the part in the text, NULL when the text begins otherwise. Not strncmp(): the parts are short, and
 * with each delivery the library's code would have to come back into the cache. */
static const char *skip(const char *text, oc_slice_t part)
{
    for (size_t i = 0; i < part.len; i++) {
        if (text[i] != part.start[i])
            return NULL;
    }
    return text + part.len;
}

/* Whether that can stand behind {org}. */
static bool is_rest(const oc_template_t *template, const char *text)
{
    const char *rest = skip(text, template->after);

    /* MQTT 5 §4.7.1.2: `a/#` is inside of `a` too. */
    return rest && (*rest == '\0' || (template->open && *rest == '/'));
}

/* Split text into what stands for {org} and check the rest; topics and filters alike. */
static bool match(const oc_template_t *template, const char *text, oc_slice_t *ret_org)
{
    const char *org = text[0] == '$' ? NULL : skip(text, template->before);
    const char *end = org;

    while (end && *end != '/' && *end != '\0')
        end++;
    if (end == org || !is_rest(template, end))
        return false;
    *ret_org = (oc_slice_t){org, (size_t)(end - org)};
    return true;
}

bool oc_template_match_topic(const oc_template_t *template, const char *topic, oc_slice_t *ret_org)
{
    return match(template, topic, ret_org);
}

bool oc_template_match_org(const oc_template_t *template, const char *topic, oc_slice_t org)
{
    const char *rest = skip(topic, template->before);

    rest = rest ? skip(rest, org) : NULL;
    return rest && is_rest(template, rest);
}

bool oc_template_contains_filter(const oc_template_t *template, const char *filter,
                                 oc_slice_t *ret_org)
{
    /* The parts before and after {org} hold no wildcard, so one in the filter differs from them; what
     * follows an open template may be anything. That leaves the level at {org} itself. */
    return match(template, filter, ret_org) && ret_org->start[0] != '#';
}

static size_t level_len(const char *level)
{
    return strcspn(level, "/");
}

bool oc_template_overlaps_filter(const oc_template_t *template, const char *filter)
{
    const char *ours = template->text;
    const char *theirs = filter;

    if (filter[0] == '$')
        return false;
    for (;;) {
        size_t ours_len = level_len(ours);
        size_t theirs_len = level_len(theirs);

        if (*ours == '#' || *theirs == '#')
            return true;
        if (strncmp(ours, ORG_LEVEL, ORG_LEVEL_LEN) == 0) {
            if (theirs_len == 0)
                return false;
        } else if (*theirs != '+' &&
                   (ours_len != theirs_len || strncmp(ours, theirs, ours_len) != 0)) {
            return false;
        }
        ours += ours_len;
        theirs += theirs_len;
        if (*ours == '\0' || *theirs == '\0')
            break;
        ours++;
        theirs++;
    }
    /* One of them has ended: the other may only go on with `/#`. */
    return strcmp(*ours ? ours : theirs, "/#") == 0 || (*ours == '\0' && *theirs == '\0');
}

bool oc_filter_valid(const char *filter)
{
    const char *level = filter;

    if (*filter == '\0')
        return false;
    for (;;) {
        size_t len = level_len(level);

        for (size_t i = 0; i < len; i++) {
            if ((level[i] == '+' || level[i] == '#') && len != 1)
                return false;
        }
        if (level[len] == '\0')
            return true;
        if (*level == '#')
            return false;
        level += len + 1;
    }
}

const char *oc_filter_unshared(const char *filter, bool *ret_shared)
{
    static const char prefix[] = "$share/";
    const char *group;
    size_t group_len;

    *ret_shared = strncmp(filter, "$share", sizeof prefix - 2) == 0;
    if (!*ret_shared)
        return filter;
    if (strncmp(filter, prefix, sizeof prefix - 1) != 0)
        return NULL;
    /* MQTT 5 §4.8.2: the group is not empty and has no wildcard; a filter follows. */
    group = filter + sizeof prefix - 1;
    group_len = level_len(group);
    if (group_len == 0 || memchr(group, '+', group_len) || memchr(group, '#', group_len) ||
        group[group_len] != '/' || group[group_len + 1] == '\0')
        return NULL;
    return group + group_len + 1;
}
