/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_BROKER_H
#define OC_CLI_BROKER_H

/* Where the broker is and who says so: the options that emit and listen share. */

#include <mosquitto.h>
#include <stdint.h>

#include "args.h"

#define CLI_BROKER_USES                                                                            \
    {CLI_OPT_HOST, false, NULL}, {CLI_OPT_PORT, false, NULL}, {CLI_OPT_TLS_CA_FILE, false, NULL},  \
    {                                                                                              \
        CLI_OPT_TOKEN_FILE, false, NULL                                                            \
    }

typedef struct cli_broker {
    const char *host; /* borrowed */
    uint16_t port;
    const char *tls_ca_file; /* borrowed; NULL: no TLS */
    char *token;             /* owned; NULL: none was given, or --signing-key-file was */
    bool has_token;          /* a token goes to the broker */
    bool signs;              /* it is signed with --signing-key-file */
} cli_broker_t;

/* Returns an exit code; unless it is CLI_DONE, everything has been said. The token is not read when
 * --signing-key-file is given. */
int cli_broker_init(const cli_args_t *args, cli_broker_t *broker);
/* For a further connection: a token that is in a file is read again, since something may have renewed it. Exit
 * code as above; then the token is the one before. */
int cli_broker_renew_token(const cli_args_t *args, cli_broker_t *broker);
void cli_broker_done(cli_broker_t *broker);

/* A client on MQTT 5 with the broker's token and TLS; its callbacks are for the caller to set. NULL when it cannot be
 * set up: out of memory, or the file of --tls-ca-file is not there. */
struct mosquitto *cli_broker_client(const cli_broker_t *broker, const char *client_id,
                                    const char *username, void *context);

#define CLI_BROKER_REASON_LEN 96

/* "not authorized (0x87)" for an MQTT 5 reason code. Returns out. */
const char *cli_broker_reason(int reason_code, char *out, size_t out_cap);

/* True when libmosquitto's error says that the broker's answer could not be read as MQTT 5. */
bool cli_broker_not_mqtt5(int rc);
#define CLI_BROKER_NOT_MQTT5 "the answer is not MQTT 5; is this a broker for MQTT 3 only?"

/* True when this reason code of a CONNACK is about the token, so that another attempt will not help. */
bool cli_broker_refuses_token(int reason_code);

/* Say on standard error what to look at when the broker refused the connection as not authorized. */
void cli_broker_print_mend(const cli_broker_t *broker);

#endif
