/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <stdlib.h>

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
    if (cli_args_has(args, CLI_OPT_SIGNING_KEY_FILE))
        return CLI_DONE;
    return cli_token_read(args, &broker->token);
}

void cli_broker_done(cli_broker_t *broker)
{
    free(broker->token);
    *broker = (cli_broker_t){0};
}
