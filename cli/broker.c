/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <ctype.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"

int cli_broker_init(const cli_args_t *args, cli_broker_t *broker)
{
    long long port;

    *broker = (cli_broker_t){.host = cli_args_get(args, CLI_OPT_HOST),
                             .tls_ca_file = cli_args_get(args, CLI_OPT_TLS_CA_FILE)};
    if (!broker->host)
        broker->host = "127.0.0.1";
    if (!cli_args_int(args, CLI_OPT_PORT, 1, 65535, broker->tls_ca_file ? 8883 : 1883, &port))
        return CLI_USAGE;
    broker->port = (uint16_t)port;
    broker->signs = cli_args_has(args, CLI_OPT_SIGNING_KEY_FILE);
    broker->has_token = broker->signs;
    if (!broker->has_token) {
        int code = cli_token_read(args, &broker->token);

        broker->has_token = broker->token != NULL;
        return code;
    }
    return CLI_DONE;
}

int cli_broker_renew_token(const cli_args_t *args, cli_broker_t *broker)
{
    const char *path = cli_args_get(args, CLI_OPT_TOKEN_FILE);
    char *token = NULL;
    int code;

    if (!path || strcmp(path, "-") == 0)
        return CLI_DONE;
    code = cli_token_read(args, &token);
    if (code != CLI_DONE)
        return code;
    free(broker->token);
    broker->token = token;
    return CLI_DONE;
}

struct mosquitto *cli_broker_client(const cli_broker_t *broker, const char *client_id,
                                    const char *username, void *context)
{
    struct mosquitto *client = mosquitto_new(client_id, true, context);
    int rc;

    if (!client)
        return NULL;
    rc = mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    if (rc == MOSQ_ERR_SUCCESS && broker->token)
        rc = mosquitto_username_pw_set(client, username, broker->token);
    if (rc == MOSQ_ERR_SUCCESS && broker->tls_ca_file)
        rc = mosquitto_tls_set(client, broker->tls_ca_file, NULL, NULL, NULL, NULL);
    if (rc == MOSQ_ERR_SUCCESS)
        return client;
    mosquitto_destroy(client);
    return NULL;
}

const char *cli_broker_reason(int reason_code, char *out, size_t out_cap)
{
    (void)snprintf(out, out_cap, "%s (0x%02x)", mosquitto_reason_string(reason_code),
                   (unsigned)reason_code);
    out[0] = (char)tolower((unsigned char)out[0]);
    return out;
}

bool cli_broker_not_mqtt5(int rc)
{
    return rc == MOSQ_ERR_PROTOCOL || rc == MOSQ_ERR_MALFORMED_PACKET;
}

bool cli_broker_refuses_token(int reason_code)
{
    return reason_code == MQTT_RC_NOT_AUTHORIZED ||
           reason_code == MQTT_RC_BAD_USERNAME_OR_PASSWORD ||
           reason_code == MQTT_RC_BAD_AUTHENTICATION_METHOD || reason_code == MQTT_RC_BANNED;
}

void cli_broker_print_mend(const cli_broker_t *broker)
{
    const char *mend =
        "No token was given: use --token-file or the environment "
        "variable " CLI_TOKEN_VARIABLE ".";

    if (broker->signs)
        mend =
            "The broker does not accept what the key of --signing-key-file signs. Its log line has "
            "the\n"
            "reason: is the key among the broker's, and do --alg, --kid, --iss and --aud fit?";
    else if (broker->has_token)
        mend =
            "The broker does not accept the token. Its log line has the reason;\n"
            "'orgcast token inspect' shows what a token says and whether it has expired.";
    fprintf(stderr, "%s\n", mend);
}

void cli_broker_done(cli_broker_t *broker)
{
    free(broker->token);
    *broker = (cli_broker_t){0};
}
