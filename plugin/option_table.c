/* SPDX-License-Identifier: MIT */
#include "option_setters.h"

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
        .meaning =
            "File with the HMAC secret (raw bytes, one trailing newline ignored): at least "
            "32 bytes for HS256, 48 for HS384, 64 for HS512, and at least 8 different ones. A file "
            "that holds a key (PEM, DER, JWK, OpenSSH) is refused: whoever has a public key "
            "could sign tokens with it.",
        .set = oc_option_set_path,
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
        .set = oc_option_add_public_key_file,
        .offset = FIELD(public_key_files),
    },
    {
        .name = "jwks_file",
        .repeatable = true,
        .default_text = "–",
        .meaning = "JWK set (RFC 7517) on disk. A key of it that cannot be used is skipped with a "
                   "warning.",
        .set = oc_option_add_string,
        .offset = FIELD(jwks_files),
    },
    {
        .name = "jwks_url",
        .repeatable = true,
        .default_text = "–",
        .meaning = "JWK set over HTTPS (plain HTTP only to a loopback address), fetched on a "
                   "thread of its own. Secrets (`kty` oct) in it are not used. Until the first set "
                   "is there, tokens are refused with `key_unknown`.",
        .set = oc_option_add_url,
        .offset = FIELD(jwks_urls),
    },
    {
        .name = "jwks_refresh_interval",
        .default_value = "300",
        .meaning = "Seconds between fetches. A token with an unknown `kid` brings one forward, at "
                   "once or 10 seconds after the last one of that kind.",
        .set = oc_option_set_number,
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
        .set = oc_option_set_path,
        .offset = FIELD(jwks_cache_file),
    },
    {
        .name = "jwks_ca_file",
        .default_text = "the system's",
        .meaning = "CA bundle (PEM) for `jwks_url`.",
        .set = oc_option_set_path,
        .offset = FIELD(jwks_ca_file),
    },
    {
        .name = "jwt_algorithms",
        .default_text = "what the keys allow",
        .meaning = "Comma list out of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, "
                   "PS512, ES256, ES384, ES512, EdDSA (or Ed25519, its other name). Tokens with "
                   "another `alg` are refused.",
        .set = oc_option_set_algorithms,
        .offset = FIELD(algorithms),
    },
    {
        .name = "jwt_issuer",
        .repeatable = true,
        .default_text = "any",
        .meaning = "Accepted `iss`. Once set, a token without `iss` is refused.",
        .set = oc_option_add_string,
        .offset = FIELD(issuers),
    },
    {
        .name = "jwt_audience",
        .repeatable = true,
        .default_text = "any",
        .meaning = "Accepted `aud` (a string or an array; any match). Once set, a token without "
                   "`aud` is refused.",
        .set = oc_option_add_string,
        .offset = FIELD(audiences),
    },
    {
        .name = "jwt_leeway",
        .default_value = "30",
        .meaning = "Seconds of clock skew allowed on `exp` and `nbf`: 0 to 300.",
        .set = oc_option_set_number,
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
        .set = oc_option_set_number,
        .offset = FIELD(max_lifetime_s),
        .least = 0,
        .most = 10L * 366 * 86400,
        .units = "seconds",
    },
    {
        .name = "jwt_max_bytes",
        .default_value = "16384",
        .meaning = "Longer tokens are refused before any parsing.",
        .set = oc_option_set_number,
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
        .set = oc_option_set_pointer,
        .offset = FIELD(org_claim),
    },
    {
        .name = "scope_claim",
        .default_value = "/scope",
        .meaning = "JSON pointer to the scopes: a space-separated string or an array of strings.",
        .set = oc_option_set_pointer,
        .offset = FIELD(scope_claim),
    },
    {
        .name = "username_claim",
        .default_value = "/sub",
        .meaning = "JSON pointer to the subject, a string; it becomes the MQTT username.",
        .set = oc_option_set_pointer,
        .offset = FIELD(username_claim),
    },
    {
        .name = "max_orgs_per_token",
        .default_value = "64",
        .meaning = "Tokens with more organizations are refused.",
        .set = oc_option_set_number,
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
        .set = oc_option_add_template,
    },
    {
        .name = "subscribe_scope",
        .default_value = "",
        .default_text = "none needed",
        .meaning = "Scope needed to subscribe.",
        .set = oc_option_set_scope,
        .offset = FIELD(subscribe_scope),
    },
    {
        .name = "publish_scope",
        .default_value = "invoices:publish",
        .meaning = "Scope needed to publish into the token's organizations.",
        .set = oc_option_set_scope,
        .offset = FIELD(publish_scope),
    },
    {
        .name = "any_org_scope",
        .default_value = "orgcast:any-org",
        .meaning = "Scope of a backend service that serves every organization. Its token needs no "
                   "organization.",
        .set = oc_option_set_scope,
        .offset = FIELD(any_org_scope),
    },
    {
        .name = "admin_scope",
        .default_value = "orgcast:admin",
        .meaning =
            "Scope for `$SYS/broker/orgcast/#` and the administrative [commands](control.md). "
            "A token with this scope needs no organization.",
        .set = oc_option_set_scope,
        .offset = FIELD(admin_scope),
    },
    {
        .name = "shared_subscriptions",
        .default_value = "deny",
        .meaning = "`allow`: `$share/{group}/{filter}` when the inner filter is allowed.",
        .set = oc_option_set_allow,
        .offset = FIELD(shared_subscriptions),
    },
    {
        .name = "non_jwt_clients",
        .default_value = "deny",
        .meaning = "`defer`: clients whose password is not shaped as a JWT, and everything about "
                   "them, are left to the broker's other authenticators.",
        .set = oc_option_set_defer,
        .offset = FIELD(defer_non_jwt),
    },
    {
        .name = "disconnect_on_expiry",
        .default_value = "true",
        .meaning = "Disconnect a client at its token's `exp` plus leeway. Whatever the value, "
                   "nothing is delivered to it or accepted from it after that moment.",
        .set = oc_option_set_boolean,
        .offset = FIELD(disconnect_on_expiry),
    },
    {
        .name = "revocation_file",
        .default_text = "–",
        .meaning = "File where revocations survive a restart; made when it is not there. The "
                   "broker's user must be able to write in its directory. See "
                   "[operations](operations.md#revocations).",
        .set = oc_option_set_path,
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
        .set = oc_option_set_event_policy,
        .offset = FIELD(validate_events),
    },
    {
        .name = "max_event_bytes",
        .default_value = "65536",
        .meaning = "Larger publishes under the templates are refused with `event_too_large`. "
                   "Mosquitto's `max_packet_size` has to be larger too.",
        .set = oc_option_set_number,
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
        .set = oc_option_set_boolean,
        .offset = FIELD(stamp_sequence),
    },
    {
        .name = "replay_events_per_org",
        .default_value = "1024",
        .meaning = "Recent events of each organization that are kept in memory for `replay`, at "
                   "most 1000000; 0 keeps none.",
        .set = oc_option_set_number,
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
        .set = oc_option_set_number,
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
        .set = oc_option_set_number,
        .offset = FIELD(limits.max_per_org),
        .most = LIMIT_MAX,
        .units = "connections",
    },
    {
        .name = "max_connections_per_subject",
        .default_value = "0",
        .default_text = "off",
        .meaning = "The same for a subject (`username_claim`).",
        .set = oc_option_set_number,
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
        .set = oc_option_set_number,
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
        .set = oc_option_set_number,
        .offset = FIELD(bad_tokens_per_s),
        .most = LIMIT_MAX,
        .units = "tokens a second",
    },
    {
        .name = "audit_log_file",
        .default_text = "–",
        .meaning = "File that gets one JSON line for each decision other than a permitted "
                   "delivery. SIGHUP opens it again. See [operations](operations.md#audit-log).",
        .set = oc_option_set_path,
        .offset = FIELD(audit_log_file),
    },
    {
        .name = "metrics_interval",
        .default_value = "10",
        .meaning = "Seconds between publications of what changed in `$SYS/broker/orgcast/…` "
                   "(retained); 0 turns them off.",
        .set = oc_option_set_number,
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
        .set = oc_option_set_address,
        .offset = FIELD(metrics_listen),
    },
    {
        .name = "metrics_per_org",
        .default_value = "false",
        .meaning = "Also show connections and events of each organization at the Prometheus "
                   "endpoint.",
        .set = oc_option_set_boolean,
        .offset = FIELD(metrics_per_org),
    },
};

const size_t oc_option_count = sizeof oc_option_rows / sizeof oc_option_rows[0];

_Static_assert(sizeof oc_option_rows / sizeof oc_option_rows[0] <= OC_OPTIONS_MAX,
               "OC_OPTIONS_MAX is too small");

oc_err_t oc_option_fail(const char *name, oc_err_t err, const oc_diag_t *cause, oc_diag_t *diag)
{
    if (err == OC_E_NOMEM)
        return oc_fail(diag, err, "out of memory");
    return oc_fail(diag, OC_E_CONFIG, "plugin_opt_%s: %.200s", name, cause->message);
}
