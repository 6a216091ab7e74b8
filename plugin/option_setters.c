/* SPDX-License-Identifier: MIT */
#include "option_setters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "jwks_url.h"
#include "metrics_address.h"

static oc_err_t nomem(oc_diag_t *diag)
{
    return oc_fail(diag, OC_E_NOMEM, "out of memory");
}

static void *field(oc_config_t *config, const oc_option_row_t *row)
{
    return (char *)config + row->offset;
}

oc_err_t oc_option_set_string(oc_config_t *config, const oc_option_row_t *row, const char *value,
                              oc_diag_t *diag)
{
    char **string = field(config, row);
    char *copy = strdup(value);

    if (!copy)
        return nomem(diag);
    free(*string);
    *string = copy;
    return OC_OK;
}

oc_err_t oc_option_set_path(oc_config_t *config, const oc_option_row_t *row, const char *value,
                            oc_diag_t *diag)
{
    if (value[0] == '\0')
        return oc_fail(diag, OC_E_CONFIG, "needs a path");
    return oc_option_set_string(config, row, value, diag);
}

oc_err_t oc_option_add_string(oc_config_t *config, const oc_option_row_t *row, const char *value,
                              oc_diag_t *diag)
{
    oc_strings_t *list = field(config, row);
    char *copy;

    if (value[0] == '\0')
        return oc_fail(diag, OC_E_CONFIG, "is empty");
    if (list->count == OC_OPTION_LIST_MAX)
        return oc_fail(diag, OC_E_CONFIG, "is given more than %d times", OC_OPTION_LIST_MAX);
    copy = strdup(value);
    if (!copy)
        return nomem(diag);
    list->items[list->count++] = copy;
    return OC_OK;
}

oc_err_t oc_option_set_pointer(oc_config_t *config, const oc_option_row_t *row, const char *value,
                               oc_diag_t *diag)
{
    if (value[0] != '/' || !oc_json_pointer_valid(value))
        return oc_fail(diag, OC_E_CONFIG,
                       "'%.100s' is no JSON pointer (RFC 6901); begin with '/', as in /org_id",
                       value);
    return oc_option_set_string(config, row, value, diag);
}

oc_err_t oc_option_set_scope(oc_config_t *config, const oc_option_row_t *row, const char *value,
                             oc_diag_t *diag)
{
    if (strpbrk(value, " \t"))
        return oc_fail(diag, OC_E_CONFIG, "'%.100s' is more than one scope", value);
    return oc_option_set_string(config, row, value, diag);
}

oc_err_t oc_option_set_number(oc_config_t *config, const oc_option_row_t *row, const char *value,
                              oc_diag_t *diag)
{
    int64_t *field_value = field(config, row);
    char *end = NULL;
    long long number;

    errno = 0;
    number = strtoll(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno || number < row->least ||
        number > row->most)
        return oc_fail(diag, OC_E_CONFIG, "'%.100s' is not a number of %s from %lld to %lld", value,
                       row->units, (long long)row->least, (long long)row->most);
    *field_value = number;
    return OC_OK;
}

static oc_err_t set_choice(bool *choice, const char *value, const char *yes, const char *no,
                           oc_diag_t *diag)
{
    if (strcmp(value, yes) != 0 && strcmp(value, no) != 0)
        return oc_fail(diag, OC_E_CONFIG, "'%.100s' is neither %s nor %s", value, yes, no);
    *choice = strcmp(value, yes) == 0;
    return OC_OK;
}

oc_err_t oc_option_set_event_policy(oc_config_t *config, const oc_option_row_t *row,
                                    const char *value, oc_diag_t *diag)
{
    /* Indexed by oc_event_policy_t. */
    static const char *const names[] = {"catalogue", "envelope", "off"};
    oc_event_policy_t *policy = field(config, row);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i]) != 0)
            continue;
        *policy = (oc_event_policy_t)i;
        return OC_OK;
    }
    return oc_fail(diag, OC_E_CONFIG, "'%.100s' is none of catalogue, envelope, off", value);
}

oc_err_t oc_option_set_allow(oc_config_t *config, const oc_option_row_t *row, const char *value,
                             oc_diag_t *diag)
{
    return set_choice(field(config, row), value, "allow", "deny", diag);
}

oc_err_t oc_option_set_defer(oc_config_t *config, const oc_option_row_t *row, const char *value,
                             oc_diag_t *diag)
{
    return set_choice(field(config, row), value, "defer", "deny", diag);
}

oc_err_t oc_option_set_boolean(oc_config_t *config, const oc_option_row_t *row, const char *value,
                               oc_diag_t *diag)
{
    return set_choice(field(config, row), value, "true", "false", diag);
}

oc_err_t oc_option_set_algorithms(oc_config_t *config, const oc_option_row_t *row,
                                  const char *value, oc_diag_t *diag)
{
    oc_alg_set_t *algorithms = field(config, row);
    const char *name = value;

    *algorithms = 0;
    for (;;) {
        size_t len;
        size_t next;
        oc_alg_t alg;

        name += strspn(name, " ");
        next = strcspn(name, ",");
        for (len = next; len > 0 && name[len - 1] == ' '; len--)
            continue;
        alg = oc_alg_parse(name, len);
        if (alg == OC_ALG_NONE)
            return oc_fail(diag, OC_E_CONFIG,
                           "'%.*s' is none of HS256, HS384, HS512, RS256, RS384, RS512, PS256, "
                           "PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519",
                           (int)(len < 32 ? len : 32), name);
        *algorithms |= OC_ALG_BIT(alg);
        if (name[next] == '\0')
            return OC_OK;
        name += next + 1;
    }
}

oc_err_t oc_option_add_template(oc_config_t *config, const oc_option_row_t *row, const char *value,
                                oc_diag_t *diag)
{
    oc_diag_t cause = {0};
    oc_err_t err;

    (void)row;
    if (config->template_count == OC_OPTION_LIST_MAX)
        return oc_fail(diag, OC_E_CONFIG, "is given more than %d times", OC_OPTION_LIST_MAX);
    err = oc_template_init(&config->templates[config->template_count], value, &cause);
    if (err)
        return oc_fail(diag, err, "'%.100s' %s", value, cause.message);
    config->template_count++;
    return OC_OK;
}

const char *oc_option_key_id_end(const char *value)
{
    return value[0] == '/' ? NULL : strchr(value, '=');
}

oc_err_t oc_option_add_public_key_file(oc_config_t *config, const oc_option_row_t *row,
                                       const char *value, oc_diag_t *diag)
{
    const char *equals = oc_option_key_id_end(value);

    if (equals && (equals == value || equals[1] == '\0'))
        return oc_fail(diag, OC_E_CONFIG, "'%.100s' is neither PATH nor KID=PATH", value);
    return oc_option_add_string(config, row, value, diag);
}

/* TLS protects the set; to this machine itself it may come without. */
oc_err_t oc_option_add_url(oc_config_t *config, const oc_option_row_t *row, const char *value,
                           oc_diag_t *diag)
{
    if (oc_jwks_url_allowed(value))
        return oc_option_add_string(config, row, value, diag);
    /* Whatever stands before a '@' may be a password, also where the URL is none. */
    if (strchr(value, '@'))
        return oc_fail(diag, OC_E_CONFIG,
                       "needs an https:// URL, or http:// to a loopback address, without user and "
                       "password");
    return oc_fail(diag, OC_E_CONFIG,
                   "'%.150s' is neither an https:// URL nor http:// to a loopback address", value);
}

oc_err_t oc_option_set_address(oc_config_t *config, const oc_option_row_t *row, const char *value,
                               oc_diag_t *diag)
{
    oc_metrics_address_t address;
    oc_err_t err = oc_metrics_address_parse(value, &address, diag);

    return err ? err : oc_option_set_string(config, row, value, diag);
}

char **oc_option_text(oc_config_t *config, const oc_option_row_t *row)
{
    bool owns = row->set == oc_option_set_string || row->set == oc_option_set_path ||
                row->set == oc_option_set_pointer || row->set == oc_option_set_scope ||
                row->set == oc_option_set_address;

    return owns ? field(config, row) : NULL;
}
