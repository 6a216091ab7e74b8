/* SPDX-License-Identifier: MIT */
#include "option_table.h"

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

static oc_err_t set_string(oc_config_t *config, const oc_option_row_t *row, const char *value,
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

static oc_err_t set_path(oc_config_t *config, const oc_option_row_t *row, const char *value,
                         oc_diag_t *diag)
{
    if (value[0] == '\0')
        return oc_fail(diag, OC_E_CONFIG, "needs a path");
    return set_string(config, row, value, diag);
}

static oc_err_t add_string(oc_config_t *config, const oc_option_row_t *row, const char *value,
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

static oc_err_t set_pointer(oc_config_t *config, const oc_option_row_t *row, const char *value,
                            oc_diag_t *diag)
{
    if (value[0] != '/' || !oc_json_pointer_valid(value))
        return oc_fail(diag, OC_E_CONFIG,
                       "'%.100s' is no JSON pointer (RFC 6901); begin with '/', as in /org_id",
                       value);
    return set_string(config, row, value, diag);
}

static oc_err_t set_scope(oc_config_t *config, const oc_option_row_t *row, const char *value,
                          oc_diag_t *diag)
{
    if (strpbrk(value, " \t"))
        return oc_fail(diag, OC_E_CONFIG, "'%.100s' is more than one scope", value);
    return set_string(config, row, value, diag);
}

static oc_err_t set_number(oc_config_t *config, const oc_option_row_t *row, const char *value,
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

static oc_err_t set_event_policy(oc_config_t *config, const oc_option_row_t *row, const char *value,
                                 oc_diag_t *diag)
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

static oc_err_t set_allow(oc_config_t *config, const oc_option_row_t *row, const char *value,
                          oc_diag_t *diag)
{
    return set_choice(field(config, row), value, "allow", "deny", diag);
}

static oc_err_t set_defer(oc_config_t *config, const oc_option_row_t *row, const char *value,
                          oc_diag_t *diag)
{
    return set_choice(field(config, row), value, "defer", "deny", diag);
}

static oc_err_t set_boolean(oc_config_t *config, const oc_option_row_t *row, const char *value,
                            oc_diag_t *diag)
{
    return set_choice(field(config, row), value, "true", "false", diag);
}

static oc_err_t set_algorithms(oc_config_t *config, const oc_option_row_t *row, const char *value,
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

static oc_err_t add_template(oc_config_t *config, const oc_option_row_t *row, const char *value,
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

static oc_err_t add_public_key_file(oc_config_t *config, const oc_option_row_t *row,
                                    const char *value, oc_diag_t *diag)
{
    const char *equals = oc_option_key_id_end(value);

    if (equals && (equals == value || equals[1] == '\0'))
        return oc_fail(diag, OC_E_CONFIG, "'%.100s' is neither PATH nor KID=PATH", value);
    return add_string(config, row, value, diag);
}

/* TLS protects the set; to this machine itself it may come without. */
static oc_err_t add_url(oc_config_t *config, const oc_option_row_t *row, const char *value,
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

static oc_err_t set_address(oc_config_t *config, const oc_option_row_t *row, const char *value,
                            oc_diag_t *diag)
{
    oc_metrics_address_t address;
    oc_err_t err = oc_metrics_address_parse(value, &address, diag);

    return err ? err : set_string(config, row, value, diag);
}

#define FIELD(name) offsetof(oc_config_t, name)

/* An organization's list of recent events takes 16 bytes for each. */
#define REPLAY_EVENTS_MAX 1000000

/* Less would not hold a few events and the numbering of their organizations. */
#define REPLAY_BYTES_MIN 65536

/* More than any broker has. */
#define LIMIT_MAX 100000000

const oc_option_row_t oc_option_rows[] = {
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
        .meaning =
            "Scope for `$SYS/broker/orgcast/#` and the administrative [commands](control.md).",
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
    {
        .name = "revocation_file",
        .default_text = "–",
        .meaning = "File where revocations survive a restart; made when it is not there. The "
                   "broker's user must be able to write in its directory. See "
                   "[operations](operations.md#revocations).",
        .set = set_path,
        .offset = FIELD(revocation_file),
    },
    {
        .name = "validate_events",
        .default_value = "catalogue",
        .meaning = "What a publish under the templates must be, whoever it is from, Wills and "
                   "bridges included: `catalogue`, a valid event of a type of "
                   "[events](events.md) on its own topic; `envelope`, a CloudEvent in strict "
                   "JSON of the topic's organization, of any type and with any data; `off`, "
                   "anything. What is not is refused with `event_invalid`.",
        .set = set_event_policy,
        .offset = FIELD(validate_events),
    },
    {
        .name = "max_event_bytes",
        .default_value = "65536",
        .meaning = "Larger publishes under the templates are refused with `event_too_large`. "
                   "Mosquitto's `max_packet_size` has to be larger too.",
        .set = set_number,
        .offset = FIELD(event_max_bytes),
        .least = 64,
        .most = 268000000,
        .units = "bytes",
    },
    {
        .name = "stamp_sequence",
        .default_value = "true",
        .meaning = "Give each event under the templates the attributes `epoch` and `sequence`; a "
                   "sender's own are taken out. Without them there is no `position` and no "
                   "`replay`. See [events](events.md#numbers-and-replay).",
        .set = set_boolean,
        .offset = FIELD(stamp_sequence),
    },
    {
        .name = "replay_events_per_org",
        .default_value = "1024",
        .meaning = "Recent events of each organization that are kept in memory for `replay`, at "
                   "most 1000000; 0 keeps none.",
        .set = set_number,
        .offset = FIELD(replay_events_per_org),
        .most = REPLAY_EVENTS_MAX,
        .units = "events",
    },
    {
        .name = "replay_max_bytes",
        .default_value = "67108864",
        .meaning = "Bytes of all that is kept for `replay`, at least 65536, with what it takes to "
                   "keep it. When "
                   "there is no room, the organization whose last event is the oldest loses its "
                   "oldest events.",
        .set = set_number,
        .offset = FIELD(replay_max_bytes),
        .least = REPLAY_BYTES_MIN,
        .most = INT64_C(1) << 40,
        .units = "bytes",
    },
    {
        .name = "max_connections_per_org",
        .default_value = "0",
        .default_text = "off",
        .meaning = "Most connections whose token names an organization; further ones are refused "
                   "with `limit_connections`.",
        .set = set_number,
        .offset = FIELD(limits.max_per_org),
        .most = LIMIT_MAX,
        .units = "connections",
    },
    {
        .name = "max_connections_per_subject",
        .default_value = "0",
        .default_text = "off",
        .meaning = "The same for a subject (`username_claim`).",
        .set = set_number,
        .offset = FIELD(limits.max_per_subject),
        .most = LIMIT_MAX,
        .units = "connections",
    },
    {
        .name = "max_publish_rate_per_org",
        .default_value = "0",
        .default_text = "off",
        .meaning = "Events a second and organization; as many may come at once. Further ones are "
                   "refused with `limit_rate`: MQTT 5 reason 0x97 on Mosquitto 2.1, 0x87 on 2.0.",
        .set = set_number,
        .offset = FIELD(limits.max_publish_rate),
        .most = LIMIT_MAX,
        .units = "events a second",
    },
    {
        .name = "max_bad_tokens_per_address",
        .default_value = "10",
        .meaning = "Bad tokens a second from one address (IPv6: /64) that are looked at, after a "
                   "burst of 20; further ones are refused unseen with `limit_rate`. Loopback "
                   "addresses are never held, since a proxy there speaks for everybody; behind a "
                   "proxy elsewhere set it to 0, which turns it off.",
        .set = set_number,
        .offset = FIELD(bad_tokens_per_s),
        .most = LIMIT_MAX,
        .units = "tokens a second",
    },
    {
        .name = "audit_log_file",
        .default_text = "–",
        .meaning = "File that gets one JSON line for each decision other than a permitted "
                   "delivery. SIGHUP opens it again. See [operations](operations.md#audit-log).",
        .set = set_path,
        .offset = FIELD(audit_log_file),
    },
    {
        .name = "metrics_interval",
        .default_value = "10",
        .meaning = "Seconds between publications of what changed in `$SYS/broker/orgcast/…` "
                   "(retained); 0 turns them off.",
        .set = set_number,
        .offset = FIELD(metrics_interval_s),
        .most = 86400,
        .units = "seconds",
    },
    {
        .name = "metrics_listen",
        .default_text = "–",
        .meaning = "`ADDRESS:PORT` of a Prometheus endpoint (`/metrics`), such as "
                   "`127.0.0.1:9464`; a port alone is on 127.0.0.1. There is no TLS and no "
                   "password.",
        .set = set_address,
        .offset = FIELD(metrics_listen),
    },
    {
        .name = "metrics_per_org",
        .default_value = "false",
        .meaning = "Also show connections and events of each organization at the Prometheus "
                   "endpoint.",
        .set = set_boolean,
        .offset = FIELD(metrics_per_org),
    },
};

const size_t oc_option_count = sizeof oc_option_rows / sizeof oc_option_rows[0];

_Static_assert(sizeof oc_option_rows / sizeof oc_option_rows[0] <= OC_OPTIONS_MAX,
               "OC_OPTIONS_MAX is too small");

char **oc_option_text(oc_config_t *config, const oc_option_row_t *row)
{
    bool owns = row->set == set_string || row->set == set_path || row->set == set_pointer ||
                row->set == set_scope || row->set == set_address;

    return owns ? field(config, row) : NULL;
}

oc_err_t oc_option_add_template(oc_config_t *config, const char *text, oc_diag_t *diag)
{
    return add_template(config, NULL, text, diag);
}

oc_err_t oc_option_fail(const char *name, oc_err_t err, const oc_diag_t *cause, oc_diag_t *diag)
{
    if (err == OC_E_NOMEM)
        return oc_fail(diag, err, "out of memory");
    return oc_fail(diag, OC_E_CONFIG, "plugin_opt_%s: %.200s", name, cause->message);
}
