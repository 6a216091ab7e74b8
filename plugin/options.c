/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "jwks_url.h"
#include "mem.h"

typedef struct option_row option_row_t;

/* Takes one value of an option. On error, diag holds the cause without the option's name. */
typedef oc_err_t (*option_setter_t)(oc_config_t *config, const option_row_t *row, const char *value,
                                    oc_diag_t *diag);

struct option_row {
    const char *name;
    bool repeatable;
    const char *default_value; /* set before the given options; NULL: none */
    const char *default_text;  /* for the reference, where it differs */
    const char *meaning;
    option_setter_t set;
    size_t offset; /* of the field that set writes */
    int64_t least; /* for numbers */
    int64_t most;
    const char *units;
};

static oc_err_t nomem(oc_diag_t *diag)
{
    return oc_fail(diag, OC_E_NOMEM, "out of memory");
}

static void *field(oc_config_t *config, const option_row_t *row)
{
    return (char *)config + row->offset;
}

static oc_err_t set_string(oc_config_t *config, const option_row_t *row, const char *value,
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

static oc_err_t set_path(oc_config_t *config, const option_row_t *row, const char *value,
                         oc_diag_t *diag)
{
    if (value[0] == '\0')
        return oc_fail(diag, OC_E_CONFIG, "needs a path");
    return set_string(config, row, value, diag);
}

static oc_err_t add_string(oc_config_t *config, const option_row_t *row, const char *value,
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

static oc_err_t set_pointer(oc_config_t *config, const option_row_t *row, const char *value,
                            oc_diag_t *diag)
{
    if (value[0] != '/' || !oc_json_pointer_valid(value))
        return oc_fail(diag, OC_E_CONFIG,
                       "'%.100s' is no JSON pointer (RFC 6901); begin with '/', as in /org_id",
                       value);
    return set_string(config, row, value, diag);
}

static oc_err_t set_scope(oc_config_t *config, const option_row_t *row, const char *value,
                          oc_diag_t *diag)
{
    if (strpbrk(value, " \t"))
        return oc_fail(diag, OC_E_CONFIG, "'%.100s' is more than one scope", value);
    return set_string(config, row, value, diag);
}

static oc_err_t set_number(oc_config_t *config, const option_row_t *row, const char *value,
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

static oc_err_t set_allow(oc_config_t *config, const option_row_t *row, const char *value,
                          oc_diag_t *diag)
{
    return set_choice(field(config, row), value, "allow", "deny", diag);
}

static oc_err_t set_defer(oc_config_t *config, const option_row_t *row, const char *value,
                          oc_diag_t *diag)
{
    return set_choice(field(config, row), value, "defer", "deny", diag);
}

static oc_err_t set_boolean(oc_config_t *config, const option_row_t *row, const char *value,
                            oc_diag_t *diag)
{
    return set_choice(field(config, row), value, "true", "false", diag);
}

static oc_err_t set_algorithms(oc_config_t *config, const option_row_t *row, const char *value,
                               oc_diag_t *diag)
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
                           "PS384, PS512, ES256, ES384, ES512, EdDSA",
                           (int)(len < 32 ? len : 32), name);
        *algorithms |= OC_ALG_BIT(alg);
        if (name[next] == '\0')
            return OC_OK;
        name += next + 1;
    }
}

static oc_err_t add_template(oc_config_t *config, const option_row_t *row, const char *value,
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

/* The '=' of KID=PATH; NULL for a PATH, which may hold one too if it is absolute. */
static const char *key_id_end(const char *value)
{
    return value[0] == '/' ? NULL : strchr(value, '=');
}

static oc_err_t add_public_key_file(oc_config_t *config, const option_row_t *row, const char *value,
                                    oc_diag_t *diag)
{
    const char *equals = key_id_end(value);

    if (equals && (equals == value || equals[1] == '\0'))
        return oc_fail(diag, OC_E_CONFIG, "'%.100s' is neither PATH nor KID=PATH", value);
    return add_string(config, row, value, diag);
}

/* TLS protects the set; to this machine itself it may come without. */
static oc_err_t add_url(oc_config_t *config, const option_row_t *row, const char *value,
                        oc_diag_t *diag)
{
    if (oc_jwks_url_allowed(value))
        return add_string(config, row, value, diag);
    /* Whatever stands before a '@' may be a password, also where the URL is none. */
    if (strchr(value, '@'))
        return oc_fail(diag, OC_E_CONFIG,
                       "needs an https:// URL, or http:// to a loopback address, without user and "
                       "password");
    return oc_fail(diag, OC_E_CONFIG,
                   "'%.150s' is neither an https:// URL nor http:// to a loopback address", value);
}

#define FIELD(name) offsetof(oc_config_t, name)

static const option_row_t rows[] = {
    {
        .name = "jwt_secret_file",
        .default_text = "–",
        .meaning = "File with the HMAC secret (raw bytes, one trailing newline ignored): at least "
                   "32 bytes for HS256, 48 for HS384, 64 for HS512.",
        .set = set_path,
        .offset = FIELD(secret_file),
    },
    {
        .name = "jwt_public_key_file",
        .repeatable = true,
        .default_text = "–",
        .meaning = "PEM public key (RSA of 2048 bits or more, EC P-256, P-384 or P-521, Ed25519) "
                   "or certificate. `KID=PATH` binds it to a key id: tokens with that `kid` are "
                   "checked with this key. A key without one checks tokens whose `kid` names no "
                   "other key, if it is the only such key that fits their `alg`.",
        .set = add_public_key_file,
        .offset = FIELD(public_key_files),
    },
    {
        .name = "jwks_file",
        .repeatable = true,
        .default_text = "–",
        .meaning = "JWK set (RFC 7517) on disk. A key of it that cannot be used is skipped with a "
                   "warning.",
        .set = add_string,
        .offset = FIELD(jwks_files),
    },
    {
        .name = "jwks_url",
        .repeatable = true,
        .default_text = "–",
        .meaning = "JWK set over HTTPS (plain HTTP only to a loopback address), fetched on a "
                   "thread of its own. Secrets (`kty` oct) in it are not used. Until the first set "
                   "is there, tokens are refused with `key_unknown`.",
        .set = add_url,
        .offset = FIELD(jwks_urls),
    },
    {
        .name = "jwks_refresh_interval",
        .default_value = "300",
        .meaning = "Seconds between fetches. A token with an unknown `kid` brings one forward, at "
                   "most once in 10 seconds.",
        .set = set_number,
        .offset = FIELD(jwks_refresh_s),
        .least = 1,
        .most = 7L * 86400,
        .units = "seconds",
    },
    {
        .name = "jwks_cache_file",
        .default_text = "–",
        .meaning = "File for the last good sets of `jwks_url`, so that the broker can start while "
                   "the identity provider is down. The broker's user must be able to write in its "
                   "directory.",
        .set = set_path,
        .offset = FIELD(jwks_cache_file),
    },
    {
        .name = "jwks_ca_file",
        .default_text = "the system's",
        .meaning = "CA bundle (PEM) for `jwks_url`.",
        .set = set_path,
        .offset = FIELD(jwks_ca_file),
    },
    {
        .name = "jwt_algorithms",
        .default_text = "what the keys allow",
        .meaning = "Comma list out of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, "
                   "PS512, ES256, ES384, ES512, EdDSA. Tokens with another `alg` are refused.",
        .set = set_algorithms,
        .offset = FIELD(algorithms),
    },
    {
        .name = "jwt_issuer",
        .repeatable = true,
        .default_text = "any",
        .meaning = "Accepted `iss`. Once set, a token without `iss` is refused.",
        .set = add_string,
        .offset = FIELD(issuers),
    },
    {
        .name = "jwt_audience",
        .repeatable = true,
        .default_text = "any",
        .meaning = "Accepted `aud` (a string or an array; any match). Once set, a token without "
                   "`aud` is refused.",
        .set = add_string,
        .offset = FIELD(audiences),
    },
    {
        .name = "jwt_leeway",
        .default_value = "30",
        .meaning = "Seconds of clock skew allowed on `exp` and `nbf`: 0 to 300.",
        .set = set_number,
        .offset = FIELD(leeway_s),
        .least = 0,
        .most = 300,
        .units = "seconds",
    },
    {
        .name = "jwt_max_lifetime",
        .default_value = "0",
        .default_text = "off",
        .meaning = "Seconds: refuse tokens whose `exp` - `iat` is longer, or that have no `iat`.",
        .set = set_number,
        .offset = FIELD(max_lifetime_s),
        .least = 0,
        .most = 10L * 366 * 86400,
        .units = "seconds",
    },
    {
        .name = "jwt_max_bytes",
        .default_value = "16384",
        .meaning = "Longer tokens are refused before any parsing.",
        .set = set_number,
        .offset = FIELD(token_max_bytes),
        .least = 64,
        .most = OC_JWS_MAX_BYTES,
        .units = "bytes",
    },
    {
        .name = "org_claim",
        .default_value = "/org_id",
        .meaning = "JSON pointer (RFC 6901) to the organization claim: a string, an array of "
                   "strings, or an object whose keys are the ids.",
        .set = set_pointer,
        .offset = FIELD(org_claim),
    },
    {
        .name = "scope_claim",
        .default_value = "/scope",
        .meaning = "JSON pointer to the scopes: a space-separated string or an array of strings.",
        .set = set_pointer,
        .offset = FIELD(scope_claim),
    },
    {
        .name = "username_claim",
        .default_value = "/sub",
        .meaning = "JSON pointer to the subject, a string; it becomes the MQTT username.",
        .set = set_pointer,
        .offset = FIELD(username_claim),
    },
    {
        .name = "max_orgs_per_token",
        .default_value = "64",
        .meaning = "Tokens with more organizations are refused.",
        .set = set_number,
        .offset = FIELD(max_orgs),
        .least = 1,
        .most = OC_ORGS_PER_TOKEN_MAX,
        .units = "organizations",
    },
    {
        .name = "topic_template",
        .repeatable = true,
        .default_text = "org/{org}/invoices/#",
        .meaning = "Topics that belong to an organization. `{org}` is one whole level; `#` only at "
                   "the end. The first one given replaces the default.",
        .set = add_template,
    },
    {
        .name = "subscribe_scope",
        .default_value = "",
        .default_text = "none needed",
        .meaning = "Scope needed to subscribe.",
        .set = set_scope,
        .offset = FIELD(subscribe_scope),
    },
    {
        .name = "publish_scope",
        .default_value = "invoices:publish",
        .meaning = "Scope needed to publish into the token's organizations.",
        .set = set_scope,
        .offset = FIELD(publish_scope),
    },
    {
        .name = "any_org_scope",
        .default_value = "orgcast:any-org",
        .meaning = "Scope of a backend service that serves every organization. Its token needs no "
                   "organization.",
        .set = set_scope,
        .offset = FIELD(any_org_scope),
    },
    {
        .name = "admin_scope",
        .default_value = "orgcast:admin",
        .meaning = "Scope for `$SYS/broker/orgcast/#`.",
        .set = set_scope,
        .offset = FIELD(admin_scope),
    },
    {
        .name = "shared_subscriptions",
        .default_value = "deny",
        .meaning = "`allow`: `$share/{group}/{filter}` when the inner filter is allowed.",
        .set = set_allow,
        .offset = FIELD(shared_subscriptions),
    },
    {
        .name = "non_jwt_clients",
        .default_value = "deny",
        .meaning = "`defer`: clients whose password is not shaped as a JWT, and everything about "
                   "them, are left to the broker's other authenticators.",
        .set = set_defer,
        .offset = FIELD(defer_non_jwt),
    },
    {
        .name = "disconnect_on_expiry",
        .default_value = "true",
        .meaning = "Disconnect a client at its token's `exp` plus leeway. Whatever the value, "
                   "nothing is delivered to it or accepted from it after that moment.",
        .set = set_boolean,
        .offset = FIELD(disconnect_on_expiry),
    },
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

static oc_err_t with_name(const char *name, oc_err_t err, const oc_diag_t *cause, oc_diag_t *diag)
{
    if (err == OC_E_NOMEM)
        return oc_fail(diag, err, "out of memory");
    return oc_fail(diag, OC_E_CONFIG, "plugin_opt_%s: %.200s", name, cause->message);
}

static oc_err_t take_option(oc_config_t *config, const oc_option_t *option, bool seen[ROW_COUNT],
                            oc_diag_t *diag)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const option_row_t *row = &rows[i];
        oc_diag_t cause = {0};
        oc_err_t err;

        if (strcmp(option->name, row->name) != 0)
            continue;
        if (seen[i] && !row->repeatable)
            return oc_fail(diag, OC_E_CONFIG, "plugin_opt_%s: is given twice", row->name);
        seen[i] = true;
        err = row->set(config, row, option->value ? option->value : "", &cause);
        return err ? with_name(row->name, err, &cause, diag) : OC_OK;
    }
    return oc_fail(diag, OC_E_CONFIG,
                   "plugin_opt_%.100s: there is no such option; all are in "
                   "docs/configuration.md",
                   option->name);
}

static oc_err_t set_defaults(oc_config_t *config, oc_diag_t *diag)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        oc_err_t err;

        if (!rows[i].default_value)
            continue;
        err = rows[i].set(config, &rows[i], rows[i].default_value, diag);
        if (err)
            return err;
    }
    return OC_OK;
}

static oc_err_t parse(oc_config_t *config, const oc_option_t *options, size_t option_count,
                      oc_diag_t *diag)
{
    bool seen[ROW_COUNT] = {false};
    oc_err_t err = set_defaults(config, diag);

    for (size_t i = 0; i < option_count && !err; i++)
        err = take_option(config, &options[i], seen, diag);
    if (!err && config->template_count == 0)
        err = add_template(config, NULL, "org/{org}/invoices/#", diag);
    if (!err && !config->secret_file && config->public_key_files.count == 0 &&
        config->jwks_files.count == 0 && config->jwks_urls.count == 0)
        err = oc_fail(diag, OC_E_CONFIG,
                      "no key to check tokens with: set plugin_opt_jwt_secret_file, "
                      "jwt_public_key_file, jwks_file or jwks_url");
    return err;
}

oc_err_t oc_option_check(const oc_option_t *option, oc_diag_t *diag)
{
    oc_config_t scratch = {0};
    bool seen[ROW_COUNT] = {false};
    oc_err_t err = take_option(&scratch, option, seen, diag);

    oc_config_done(&scratch);
    return err;
}

oc_err_t oc_config_init(oc_config_t *ret_config, const oc_option_t *options, size_t option_count,
                        oc_diag_t *diag)
{
    oc_config_t *config = ret_config;
    oc_err_t err;

    *config = (oc_config_t){0};
    err = parse(config, options, option_count, diag);
    if (err) {
        oc_config_done(config);
        return err;
    }
    config->claim_rules = (oc_claim_rules_t){
        .issuers = (const char *const *)config->issuers.items,
        .issuer_count = config->issuers.count,
        .audiences = (const char *const *)config->audiences.items,
        .audience_count = config->audiences.count,
        .leeway_s = config->leeway_s,
        .max_lifetime_s = config->max_lifetime_s,
        .max_orgs = (size_t)config->max_orgs,
        .org_claim = config->org_claim,
        .scope_claim = config->scope_claim,
        .username_claim = config->username_claim,
        .publish_scope = config->publish_scope,
        .subscribe_scope = config->subscribe_scope,
        .any_org_scope = config->any_org_scope,
        .admin_scope = config->admin_scope,
    };
    config->acl_rules = (oc_acl_rules_t){
        .templates = config->templates,
        .template_count = config->template_count,
        .shared_subscriptions = config->shared_subscriptions,
    };
    return OC_OK;
}

static void strings_done(oc_strings_t *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
}

void oc_config_done(oc_config_t *config)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].set == set_string || rows[i].set == set_path || rows[i].set == set_pointer ||
            rows[i].set == set_scope)
            free(*(char **)field(config, &rows[i]));
    }
    strings_done(&config->public_key_files);
    strings_done(&config->jwks_files);
    strings_done(&config->jwks_urls);
    strings_done(&config->issuers);
    strings_done(&config->audiences);
    for (size_t i = 0; i < config->template_count; i++)
        oc_template_done(&config->templates[i]);
    *config = (oc_config_t){0};
}

static oc_err_t load_public_key(const char *value, oc_keyset_t *keys, oc_diag_t *diag)
{
    const char *equals = key_id_end(value);
    OC_CLEANUP(oc_freep) char *kid = NULL;

    if (!equals)
        return oc_keyset_add_public_file(keys, value, NULL, diag);
    kid = strndup(value, (size_t)(equals - value));
    if (!kid)
        return nomem(diag);
    return oc_keyset_add_public_file(keys, equals + 1, kid, diag);
}

/* An algorithm in the allow-list that no key can serve is a mistake in the configuration. */
static oc_err_t check_algorithms(const oc_config_t *config, oc_alg_set_t served, oc_diag_t *diag)
{
    for (int alg = OC_ALG_HS256; alg < OC_ALG_COUNT; alg++) {
        if (!(config->algorithms & OC_ALG_BIT(alg)) || (served & OC_ALG_BIT(alg)))
            continue;
        return oc_fail(
            diag, OC_E_CONFIG, "plugin_opt_jwt_algorithms: no key can check %s%s",
            oc_alg_name((oc_alg_t)alg),
            config->secret_file && alg == OC_ALG_HS384   ? "; its secret needs at least 48 bytes"
            : config->secret_file && alg == OC_ALG_HS512 ? "; its secret needs at least 64 bytes"
                                                         : "");
    }
    return OC_OK;
}

typedef struct warn_sink {
    void (*warn)(void *context, const char *message);
    void *context;
} warn_sink_t;

static oc_err_t load_keys(const oc_config_t *config, const warn_sink_t *sink, oc_keyset_t *keys,
                          oc_diag_t *diag)
{
    oc_diag_t cause = {0};
    oc_err_t err;

    if (config->secret_file) {
        err = oc_keyset_add_secret_file(keys, config->secret_file, &cause);
        if (err)
            return with_name("jwt_secret_file", err, &cause, diag);
    }
    for (size_t i = 0; i < config->public_key_files.count; i++) {
        err = load_public_key(config->public_key_files.items[i], keys, &cause);
        if (err)
            return with_name("jwt_public_key_file", err, &cause, diag);
    }
    for (size_t i = 0; i < config->jwks_files.count; i++) {
        const oc_jwks_options_t options = {config->jwks_files.items[i], true, sink->warn,
                                           sink->context};

        err = oc_keyset_add_jwks_file(keys, &options, &cause);
        if (err)
            return with_name("jwks_file", err, &cause, diag);
    }
    if (config->jwks_ca_file) {
        err = oc_ca_file_check(config->jwks_ca_file, &cause);
        if (err)
            return with_name("jwks_ca_file", err, &cause, diag);
    }
    /* What a URL will bring is not known yet. */
    return config->jwks_urls.count > 0 ? OC_OK
                                       : check_algorithms(config, oc_keyset_algs(keys), diag);
}

oc_err_t oc_config_load_keys(const oc_config_t *config,
                             void (*warn)(void *context, const char *message), void *context,
                             oc_keyset_t *ret_keys, oc_diag_t *diag)
{
    const warn_sink_t sink = {warn, context};
    oc_keyset_t keys = {0};
    oc_err_t err = load_keys(config, &sink, &keys, diag);

    if (err) {
        oc_keyset_done(&keys);
        return err;
    }
    *ret_keys = keys;
    return OC_OK;
}

void oc_options_print(FILE *out)
{
    fputs(
        "<!-- Written by print_options from the table in plugin/options.c. -->\n"
        "# Plugin options\n\n"
        "Each is a line `plugin_opt_NAME VALUE` in mosquitto.conf, after the line `plugin "
        "PATH/mosquitto_orgcast.so`.\n"
        "Options marked * may be given more than once. With an unknown option, a bad value, an\n"
        "unreadable or empty key file, or no key at all, the broker refuses to start and says "
        "which option\nand why. SIGHUP reads the key files again; a broken one keeps the old "
        "keys.\n\n"
        "| option | default | meaning |\n|---|---|---|\n",
        out);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const char *text = rows[i].default_text ? rows[i].default_text : rows[i].default_value;
        bool literal = !rows[i].default_text || strchr(text, '/') != NULL;

        fprintf(out, "| `%s`%s | %s%s%s | %s |\n", rows[i].name, rows[i].repeatable ? " *" : "",
                literal ? "`" : "", text, literal ? "`" : "", rows[i].meaning);
    }
}
