/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "mem.h"

#define TOKEN_MAX_BYTES 16384
#define LEEWAY_MAX_S 300

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

static oc_err_t set_leeway(oc_config_t *config, const option_row_t *row, const char *value,
                           oc_diag_t *diag)
{
    int64_t *leeway_s = field(config, row);
    char *end = NULL;
    long seconds;

    errno = 0;
    seconds = strtol(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno || seconds > LEEWAY_MAX_S)
        return oc_fail(diag, OC_E_CONFIG, "'%.100s' is not a number of seconds from 0 to %d", value,
                       LEEWAY_MAX_S);
    *leeway_s = seconds;
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

#define FIELD(name) offsetof(oc_config_t, name)

static const option_row_t rows[] = {
    {"jwt_secret_file", false, NULL, "–",
     "File with the HMAC secret (raw bytes, one trailing newline ignored): at least 32 bytes for "
     "HS256, 48 for HS384, 64 for HS512.",
     set_path, FIELD(secret_file)},
    {"jwt_public_key_file", true, NULL, "–",
     "PEM public key (RSA of 2048 bits or more, EC P-256, P-384 or P-521, Ed25519) or certificate. "
     "`KID=PATH` binds it to a key id: tokens with that `kid` are checked with this key. A key "
     "without one checks tokens whose `kid` names no other key, if it is the only such key that "
     "fits their `alg`.",
     add_public_key_file, FIELD(public_key_files)},
    {"jwt_algorithms", false, NULL, "what the keys allow",
     "Comma list out of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
     "ES384, ES512, EdDSA. Tokens with another `alg` are refused.",
     set_algorithms, FIELD(algorithms)},
    {"jwt_issuer", true, NULL, "any", "Accepted `iss`. Once set, a token without `iss` is refused.",
     add_string, FIELD(issuers)},
    {"jwt_audience", true, NULL, "any",
     "Accepted `aud` (a string or an array; any match). Once set, a token without `aud` is "
     "refused.",
     add_string, FIELD(audiences)},
    {"jwt_leeway", false, "30", NULL, "Seconds of clock skew allowed on `exp` and `nbf`: 0 to 300.",
     set_leeway, FIELD(leeway_s)},
    {"org_claim", false, "/org_id", NULL,
     "JSON pointer (RFC 6901) to the organization claim: a string, an array of strings, or an "
     "object whose keys are the ids.",
     set_pointer, FIELD(org_claim)},
    {"scope_claim", false, "/scope", NULL,
     "JSON pointer to the scopes: a space-separated string or an array of strings.", set_pointer,
     FIELD(scope_claim)},
    {"username_claim", false, "/sub", NULL,
     "JSON pointer to the subject, a string; it becomes the MQTT username.", set_pointer,
     FIELD(username_claim)},
    {"topic_template", true, NULL, "org/{org}/invoices/#",
     "Topics that belong to an organization. `{org}` is one whole level; `#` only at the end. The "
     "first one given replaces the default.",
     add_template, 0},
    {"subscribe_scope", false, "", "none needed", "Scope needed to subscribe.", set_scope,
     FIELD(subscribe_scope)},
    {"publish_scope", false, "invoices:publish", NULL,
     "Scope needed to publish into the token's organizations.", set_scope, FIELD(publish_scope)},
    {"any_org_scope", false, "orgcast:any-org", NULL,
     "Scope of a backend service that serves every organization. Its token needs no organization.",
     set_scope, FIELD(any_org_scope)},
    {"admin_scope", false, "orgcast:admin", NULL, "Scope for `$SYS/broker/orgcast/#`.", set_scope,
     FIELD(admin_scope)},
    {"shared_subscriptions", false, "deny", NULL,
     "`allow`: `$share/{group}/{filter}` when the inner filter is allowed.", set_allow,
     FIELD(shared_subscriptions)},
    {"non_jwt_clients", false, "deny", NULL,
     "`defer`: clients whose password is not shaped as a JWT, and everything about them, are left "
     "to the broker's other authenticators.",
     set_defer, FIELD(defer_non_jwt)},
    {"disconnect_on_expiry", false, "true", NULL,
     "Disconnect a client at its token's `exp` plus leeway. Whatever the value, nothing is "
     "delivered "
     "to it or accepted from it after that moment.",
     set_boolean, FIELD(disconnect_on_expiry)},
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
    if (!err && !config->secret_file && config->public_key_files.count == 0)
        err = oc_fail(diag, OC_E_CONFIG,
                      "no key to check tokens with: set plugin_opt_jwt_secret_file or "
                      "plugin_opt_jwt_public_key_file");
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

static oc_err_t load_keys(const oc_config_t *config, oc_keyset_t *keys, oc_diag_t *diag)
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
    return check_algorithms(config, oc_keyset_algs(keys), diag);
}

oc_err_t oc_config_load_keys(const oc_config_t *config, oc_keyset_t *ret_keys,
                             oc_jws_rules_t *ret_rules, oc_diag_t *diag)
{
    oc_keyset_t keys = {0};
    oc_err_t err = load_keys(config, &keys, diag);

    if (err) {
        oc_keyset_done(&keys);
        return err;
    }
    *ret_rules = (oc_jws_rules_t){
        .algs = config->algorithms ? config->algorithms : oc_keyset_algs(&keys),
        .max_bytes = TOKEN_MAX_BYTES,
    };
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
