/* SPDX-License-Identifier: MIT */
/* The key files of a configuration → keys. */

#include <stdlib.h>
#include <string.h>

#include "jwks_fetch.h"
#include "mem.h"
#include "option_setters.h"

static oc_err_t load_public_key(const char *value, oc_keyset_t *keys, oc_diag_t *diag)
{
    const char *equals = oc_option_key_id_end(value);
    OC_CLEANUP(oc_freep) char *kid = NULL;

    if (!equals)
        return oc_keyset_add_public_file(keys, value, NULL, diag);
    kid = strndup(value, (size_t)(equals - value));
    if (!kid)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
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
            return oc_option_fail("jwt_secret_file", err, &cause, diag);
    }
    for (size_t i = 0; i < config->public_key_files.count; i++) {
        err = load_public_key(config->public_key_files.items[i], keys, &cause);
        if (err)
            return oc_option_fail("jwt_public_key_file", err, &cause, diag);
    }
    for (size_t i = 0; i < config->jwks_files.count; i++) {
        const oc_jwks_options_t options = {config->jwks_files.items[i], true, sink->warn,
                                           sink->context};

        err = oc_keyset_add_jwks_file(keys, &options, &cause);
        if (err)
            return oc_option_fail("jwks_file", err, &cause, diag);
    }
    if (config->jwks_ca_file) {
        err = oc_ca_file_check(config->jwks_ca_file, &cause);
        if (err)
            return oc_option_fail("jwks_ca_file", err, &cause, diag);
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
