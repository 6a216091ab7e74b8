/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copy.h"
#include "fail.h"
#include "utf8.h"
#include "uuid7.h"

#define DEFAULT_HOST "127.0.0.1"
#define DEFAULT_PORT 1883
#define DEFAULT_PORT_TLS 8883
#define DEFAULT_KEEPALIVE_S 30
#define KEEPALIVE_MIN_S 5 /* libmosquitto's */
#define KEEPALIVE_MAX_S 65535
#define DEFAULT_IN_FLIGHT 100
#define DEFAULT_BACKOFF_MIN_MS 200
#define DEFAULT_BACKOFF_MAX_MS 30000
#define BACKOFF_LIMIT_MS ((int64_t)24 * 3600 * 1000)
#define CLIENT_ID_MAX 256

static orgcast_err_t check_numbers(const oc_settings_t *settings, orgcast_diag_t *diag)
{
    if (settings->keepalive_s < KEEPALIVE_MIN_S || settings->keepalive_s > KEEPALIVE_MAX_S)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "keepalive_s must be between %d and %d",
                               KEEPALIVE_MIN_S, KEEPALIVE_MAX_S);
    if (settings->in_flight_max > OC_IN_FLIGHT_LIMIT)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "in_flight_max must be at most %d",
                               OC_IN_FLIGHT_LIMIT);
    if (settings->backoff_min_ms < 1 || settings->backoff_min_ms > settings->backoff_max_ms ||
        settings->backoff_max_ms > BACKOFF_LIMIT_MS)
        return oc_emitter_fail(
            diag, ORGCAST_E_INVALID,
            "backoff_min_ms must be at least 1 and at most backoff_max_ms, and that a day");
    return ORGCAST_OK;
}

static orgcast_err_t check_strings(const orgcast_emitter_options_t *options, orgcast_diag_t *diag)
{
    if (options->host && !*options->host)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "host is empty");
    if (options->client_id &&
        (!*options->client_id || strnlen(options->client_id, CLIENT_ID_MAX + 1) > CLIENT_ID_MAX ||
         !oc_utf8_printable(options->client_id, strlen(options->client_id))))
        return oc_emitter_fail(
            diag, ORGCAST_E_INVALID,
            "client_id must be 1 to %d bytes of UTF-8 without control characters", CLIENT_ID_MAX);
    if ((options->tls_cert_file != NULL) != (options->tls_key_file != NULL))
        return oc_emitter_fail(diag, ORGCAST_E_INVALID,
                               "tls_cert_file and tls_key_file go together");
    if (options->tls_cert_file && !options->tls_ca_file)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "tls_cert_file needs tls_ca_file");
    return ORGCAST_OK;
}

/* libmosquitto opens these at each connect and says no more than "invalid". */
static orgcast_err_t check_readable(const char *name, const char *path, orgcast_diag_t *diag)
{
    int fd;

    if (!path)
        return ORGCAST_OK;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return oc_emitter_fail(diag, ORGCAST_E_IO, "%s: '%s': %s", name, path, strerror(errno));
    (void)close(fd);
    return ORGCAST_OK;
}

static orgcast_err_t random_client_id(char **ret_client_id, orgcast_diag_t *diag)
{
    uint64_t number;

    if (!oc_random_bytes(&number, sizeof number))
        return oc_emitter_fail(diag, ORGCAST_E_IO, OC_NO_RANDOM_BYTES);
    if (asprintf(ret_client_id, "orgcast-emitter-%016" PRIx64, number) < 0) {
        *ret_client_id = NULL;
        return oc_emitter_fail(diag, ORGCAST_E_NOMEM, "out of memory");
    }
    return ORGCAST_OK;
}

static orgcast_err_t copy_strings(oc_settings_t *settings, const orgcast_emitter_options_t *options,
                                  orgcast_diag_t *diag)
{
    bool ok = true;

    settings->host = oc_copy(options->host, DEFAULT_HOST, &ok);
    settings->client_id = oc_copy(options->client_id, NULL, &ok);
    settings->tls_ca_file = oc_copy(options->tls_ca_file, NULL, &ok);
    settings->tls_cert_file = oc_copy(options->tls_cert_file, NULL, &ok);
    settings->tls_key_file = oc_copy(options->tls_key_file, NULL, &ok);
    if (!ok)
        return oc_emitter_fail(diag, ORGCAST_E_NOMEM, "out of memory");
    return settings->client_id ? ORGCAST_OK : random_client_id(&settings->client_id, diag);
}

orgcast_err_t oc_settings_init(oc_settings_t *settings, const orgcast_emitter_options_t *options,
                               orgcast_diag_t *diag)
{
    uint16_t default_port = options->tls_ca_file ? DEFAULT_PORT_TLS : DEFAULT_PORT;
    orgcast_err_t err;

    *settings = (oc_settings_t){
        .port = options->port ? options->port : default_port,
        .keepalive_s = options->keepalive_s ? options->keepalive_s : DEFAULT_KEEPALIVE_S,
        .queue_max_events =
            options->queue_max_events ? options->queue_max_events : OC_QUEUE_MAX_EVENTS,
        .in_flight_max = options->in_flight_max ? options->in_flight_max : DEFAULT_IN_FLIGHT,
        .backoff_min_ms =
            options->backoff_min_ms ? options->backoff_min_ms : DEFAULT_BACKOFF_MIN_MS,
        .backoff_max_ms =
            options->backoff_max_ms ? options->backoff_max_ms : DEFAULT_BACKOFF_MAX_MS,
        .on_connection = options->on_connection,
        .context = options->context,
    };
    if (!options->backoff_min_ms && settings->backoff_max_ms < settings->backoff_min_ms)
        settings->backoff_min_ms = settings->backoff_max_ms;
    err = check_numbers(settings, diag);
    if (err == ORGCAST_OK)
        err = check_strings(options, diag);
    if (err == ORGCAST_OK)
        err = check_readable("tls_ca_file", options->tls_ca_file, diag);
    if (err == ORGCAST_OK)
        err = check_readable("tls_cert_file", options->tls_cert_file, diag);
    if (err == ORGCAST_OK)
        err = check_readable("tls_key_file", options->tls_key_file, diag);
    if (err == ORGCAST_OK)
        err = copy_strings(settings, options, diag);
    if (err != ORGCAST_OK)
        oc_settings_done(settings);
    return err;
}

void oc_settings_done(oc_settings_t *settings)
{
    free(settings->host);
    free(settings->client_id);
    free(settings->tls_ca_file);
    free(settings->tls_cert_file);
    free(settings->tls_key_file);
    *settings = (oc_settings_t){0};
}
