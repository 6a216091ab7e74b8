/* SPDX-License-Identifier: MIT */
#ifndef ORGCAST_EMITTER_H
#define ORGCAST_EMITTER_H

/** @file
 *  The emitter: publishes typed events to an MQTT broker, at least once, in order per organization,
 *  with one id per event for ever. MQTT 5, QoS 1, payload CloudEvents 1.0 structured JSON.
 *
 *  One worker thread owns the connection. Any thread may emit; emitting never waits for the broker.
 *  Broker down, restarted, refusing or kicking the emitter: the worker comes back by itself with
 *  jittered backoff and a token asked for again. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <orgcast/emit.h>
#include <orgcast/err.h>
#include <orgcast/event.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orgcast_emitter orgcast_emitter_t;

/** What an emit gives back; matches the delivery report of the same event. */
typedef struct orgcast_receipt {
    char event_id[37]; /**< CloudEvents `id`: a UUIDv7 (RFC 9562) in text form */
} orgcast_receipt_t;

/** What became of one event. */
typedef enum orgcast_delivery_status {
    /** PUBACK with success: the broker took it, with or without subscribers. */
    ORGCAST_DELIVERY_ACKNOWLEDGED = 0,
    /** PUBACK with a failure code, for example 0x87; or too large for the broker. Not sent again. */
    ORGCAST_DELIVERY_REFUSED = 1,
    /** The emitter was closed before the broker answered. It may have arrived all the same. */
    ORGCAST_DELIVERY_DROPPED = 2,
} orgcast_delivery_status_t;

/** One delivery report; exactly one follows each successful emit. Borrowed for the call. */
typedef struct orgcast_delivery {
    const char *event_id; /**< of the receipt */
    const char *organization_id;
    orgcast_delivery_status_t status;
    int reason_code;    /**< MQTT 5 reason code of the PUBACK; -1 when DROPPED */
    int64_t latency_ms; /**< from the emit call to the answer */
} orgcast_delivery_t;

/** The claims of a token that the emitter mints for itself. Each has a `jti` of its own. */
typedef struct orgcast_emitter_claims {
    const char *subject;         /**< `sub`; NULL: "orgcast-emitter" */
    const char *issuer;          /**< `iss`; NULL: absent */
    const char *audience;        /**< `aud`; NULL: absent */
    const char *organization_id; /**< `org_id`; NULL: absent (a service for every organization) */
    /** `scope`; NULL: "invoices:publish", and "orgcast:any-org" as well when organization_id is
     *  NULL. */
    const char *scope;
    const char *key_id;    /**< `kid` header; NULL: absent */
    const char *algorithm; /**< HS, RS or ES and 256, 384 or 512; NULL: "HS256" */
    int64_t lifetime_s;    /**< `exp` - `iat`; 0: 300 */
} orgcast_emitter_claims_t;

/** Options; zero-initialize, then set what is needed. All strings are copied. At most one token
 *  source (token, token_file, token_fn, signing_key_file) may be set; with none the emitter connects
 *  without a password. */
typedef struct orgcast_emitter_options {
    const char *host;          /**< name or address; NULL: "127.0.0.1" */
    uint16_t port;             /**< 0: 1883, or 8883 with tls_ca_file */
    const char *client_id;     /**< NULL: "orgcast-emitter-" and 16 random hex digits */
    int keepalive_s;           /**< 5 to 65535; 0: 30 */
    const char *tls_ca_file;   /**< PEM; NULL: no TLS */
    const char *tls_cert_file; /**< PEM client certificate; NULL: none */
    const char *tls_key_file;  /**< PEM key of tls_cert_file, without a passphrase */

    const char *token;      /**< the token itself */
    const char *token_file; /**< read again before each connect; one trailing newline is ignored */
    /** Asked before each connect, on the worker thread.
     *  @return a malloc'd token, which the emitter frees; NULL: none now, the emitter tries again */
    char *(*token_fn)(void *context);
    /** HMAC secret or PEM private key: mints a short-lived token for each connect. Read again each
     *  time. */
    const char *signing_key_file;
    orgcast_emitter_claims_t claims; /**< for signing_key_file */

    const char *source;      /**< CloudEvents `source`, a URI reference; NULL: "/orgcast" */
    size_t queue_max_events; /**< events held in memory, in flight ones included; 0: 10000 */
    /** Publishes that wait for their PUBACK, at most 32767; 0: 100. The broker's Receive Maximum may
     *  be less. */
    size_t in_flight_max;
    /** First pause before a reconnect; 0: 200. Each further one is twice as long, all are jittered
     *  (between half and whole). */
    int64_t backoff_min_ms;
    int64_t backoff_max_ms; /**< longest pause; 0: 30000 */

    /** Called once for each event: on the worker thread, or for DROPPED on the thread that closes. May
     *  emit; while the emitter closes, emits return ORGCAST_E_CLOSED. NULL: no reports. */
    void (*on_delivery)(void *context, const orgcast_delivery_t *delivery);
    /** Called when the connection state changes or an attempt fails, on the worker thread. `message`
     *  names the cause, for example "refused: not authorized (0x87)", and is borrowed for the call.
     *  NULL: not called. */
    void (*on_connection)(void *context, bool connected, const char *message);
    void *context; /**< handed to token_fn, on_delivery, on_connection */
} orgcast_emitter_options_t;

/** Counters since orgcast_emitter_open(). */
typedef struct orgcast_emitter_stats {
    uint64_t emitted;      /**< accepted by an emit call */
    uint64_t acknowledged; /**< PUBACK with success */
    uint64_t refused;      /**< PUBACK with a failure code */
    uint64_t retried;      /**< published again after a lost connection */
    uint64_t connects;     /**< successful CONNACKs */
    uint64_t connect_failures;
    size_t queued;    /**< waiting or in flight now */
    size_t in_flight; /**< of these, published and not answered */
    bool connected;
} orgcast_emitter_stats_t;

/** Start an emitter. Returns at once; the connection is made in the background, so a broker that is
 *  down is no error here.
 *  @param options     borrowed; copied before return
 *  @param ret_emitter set on success; the caller owns it: orgcast_emitter_close()
 *  @param diag        may be NULL
 *  @retval ORGCAST_E_INVALID an option is out of range, two token sources are set, or the signing
 *                            key does not fit its algorithm
 *  @retval ORGCAST_E_IO      a TLS file or the signing key cannot be read, or the system has no
 *                            random bytes
 *  @retval ORGCAST_E_NOMEM   out of memory, or no thread is available
 *  @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_emitter_open(const orgcast_emitter_options_t *options, orgcast_emitter_t **ret_emitter,
                     orgcast_diag_t *diag);

/** Wait until the broker has answered every event emitted before this call, and each of these
 *  answers has been reported.
 *  @param emitter    borrowed; any thread, but not from inside a callback
 *  @param timeout_ms 0: look and return; negative: without limit
 *  @retval ORGCAST_OK        all answered, REFUSED ones included
 *  @retval ORGCAST_E_TIMEOUT some are still waiting; they stay queued
 *  @retval ORGCAST_E_CLOSED  orgcast_emitter_close() has begun
 *  @retval ORGCAST_E_INVALID called from inside a callback
 *  @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t orgcast_emitter_flush(orgcast_emitter_t *emitter,
                                                                   int64_t timeout_ms);

/** Read the counters. Any thread.
 *  @retval ORGCAST_E_INVALID an argument is NULL
 *  @since 0.1 */
ORGCAST_API orgcast_err_t orgcast_emitter_stats(orgcast_emitter_t *emitter,
                                                orgcast_emitter_stats_t *ret_stats);

/** Stop the worker, report what the broker has not answered as DROPPED, free everything. Call
 *  orgcast_emitter_flush() first to lose nothing. Waits for a callback that is running, and for a
 *  look-up of the host name. From inside a callback it does nothing. No other thread may use the
 *  emitter any more. NULL is accepted.
 *  @since 0.1 */
ORGCAST_API void orgcast_emitter_close(orgcast_emitter_t *emitter);

#ifdef __cplusplus
}
#endif
#endif
