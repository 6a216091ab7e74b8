/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "gate.h"
#include "mem.h"
#include "scratch.h"
#include "test_keys.h"
#include "token_sign.h"
#include "unit.h"

#define NOW_S 1000

static oc_shared_t shared;
static oc_config_t config;
static oc_gate_t gate;
static char clients[8]; /* told apart by address alone */

static void make(void)
{
    oc_option_t options[] = {{"jwt_secret_file", NULL}};
    oc_diag_t diag = {0};

    scratch_open();
    options[0].value = scratch_file("secret", test_secret, 64);
    ck_assert_msg(oc_config_init(&config, options, COUNT(options), &diag) == OC_OK, "%s",
                  diag.message);
    ck_assert_int_eq(oc_shared_join(&shared, &config, NOW_S, &diag), OC_OK);
    ck_assert_int_eq(oc_gate_init(&gate, &config, &shared, NULL, NULL, &diag), OC_OK);
}

static void unmake(void)
{
    oc_gate_done(&gate);
    oc_shared_leave(&shared);
    oc_config_done(&config);
    scratch_close();
}

static char *sign(const char *subject)
{
    const token_key_t key = {NULL, test_secret, 64};
    char claims[128];

    (void)snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"org_id\":\"acme\",\"exp\":2000}",
                   subject);
    return token_sign("HS256", &key, "{\"alg\":\"HS256\"}", claims);
}

static oc_gate_token_t token_of(const char *bytes)
{
    oc_gate_token_t token;

    ck_assert(oc_gate_token(&gate, bytes, strlen(bytes), &token));
    return token;
}

static oc_err_t connect_client(const oc_gate_client_t *client, const char *subject)
{
    OC_CLEANUP(oc_freep) char *bytes = sign(subject);
    const oc_gate_token_t token = token_of(bytes);
    oc_identity_t *identity = NULL;
    oc_err_t err = oc_gate_check(&gate, client, &token, NOW_S, &identity, NULL);

    if (!err)
        err = oc_gate_enter(&gate, client, &token, identity, NULL);
    if (err)
        oc_identity_unref(identity);
    return err;
}

enum session {
    NONE,
    CONNECTED,
    OFFLINE,
    FOREIGN
};

static const struct {
    const char *name;
    enum session session;
    bool enhanced; /* the session's token did not come as a password */
    oc_gate_known_t known;
    bool restored;
    bool defer;
    const char *password; /* NULL: the token that it connected with */
    oc_gate_party_t expected;
} asked[] = {
    {"a new client", NONE, false, OC_GATE_NEW, false, false, NULL, OC_GATE_CONNECTS},
    {"a new client without an address", NONE, false, OC_GATE_NEW, true, false, "",
     OC_GATE_CONNECTS},
    {"the same, defer", NONE, false, OC_GATE_NEW, true, true, "", OC_GATE_CONNECTS},
    {"memory of a session that ended", OFFLINE, false, OC_GATE_NEW, false, false, NULL,
     OC_GATE_CONNECTS},
    {"connected", CONNECTED, false, OC_GATE_KNOWN, false, false, NULL, OC_GATE_OURS},
    {"connected, enhanced", CONNECTED, true, OC_GATE_KNOWN, false, false, "", OC_GATE_OURS},
    {"offline", OFFLINE, false, OC_GATE_KNOWN, false, false, NULL, OC_GATE_OURS},
    {"offline, enhanced", OFFLINE, true, OC_GATE_KNOWN, false, false, "", OC_GATE_OURS},
    {"restored", NONE, false, OC_GATE_KNOWN, true, false, "", OC_GATE_OURS},
    {"restored, defer", NONE, false, OC_GATE_KNOWN, true, true, "", OC_GATE_OURS},
    {"forgotten", NONE, false, OC_GATE_KNOWN, false, false, NULL, OC_GATE_OURS},
    {"forgotten, defer", NONE, false, OC_GATE_KNOWN, false, true, NULL, OC_GATE_OURS},
    {"another authenticator's, connected", FOREIGN, false, OC_GATE_KNOWN, false, true, "secret",
     OC_GATE_THEIRS},
    {"another authenticator's, offline", NONE, false, OC_GATE_KNOWN, false, true, "secret",
     OC_GATE_THEIRS},
    {"perhaps new", NONE, false, OC_GATE_PERHAPS, false, false, NULL, OC_GATE_CONNECTS},
    {"perhaps restored", NONE, false, OC_GATE_PERHAPS, true, false, "", OC_GATE_OURS},
    {"perhaps offline", OFFLINE, false, OC_GATE_PERHAPS, false, false, NULL, OC_GATE_OURS},
    {"another token", OFFLINE, false, OC_GATE_PERHAPS, false, false, "a.b.c", OC_GATE_CONNECTS},
    {"no token", CONNECTED, false, OC_GATE_PERHAPS, false, false, "", OC_GATE_CONNECTS},
};

START_TEST(who_decides)
{
    OC_CLEANUP(oc_freep) char *bytes = sign("ann");
    const char *password = asked[_i].password ? asked[_i].password : bytes;
    oc_gate_client_t client = {.client = &clients[0], .id = "acme/1", .address = "192.0.2.1"};
    oc_gate_token_t token;

    client.no_password = asked[_i].enhanced;
    if (asked[_i].session == FOREIGN)
        ck_assert_int_eq(oc_gate_enter_foreign(&gate, &client, NOW_S, NULL), OC_OK);
    else if (asked[_i].session != NONE)
        ck_assert_int_eq(connect_client(&client, "ann"), OC_OK);
    if (asked[_i].session == OFFLINE)
        oc_sessions_disconnected(shared.sessions, &clients[0], true, NOW_S);
    config.defer_non_jwt = asked[_i].defer;
    client.known = asked[_i].known;
    client.address = asked[_i].restored ? NULL : "192.0.2.1";
    token = token_of(password);
    unit_check(oc_gate_recognize(&gate, &client, &token) == asked[_i].expected, "%s",
               asked[_i].name);
    unit_check(oc_sessions_count(shared.sessions) == (asked[_i].session != NONE), "%s: sessions",
               asked[_i].name);
    unit_check(oc_sessions_connected_count(shared.sessions) == (asked[_i].session == CONNECTED),
               "%s: connected", asked[_i].name);
}
END_TEST

/* It may be a newcomer on memory used before, with a name that anybody may send: it gets no rights. */
START_TEST(perhaps_without_a_token)
{
    oc_gate_client_t client = {
        .client = &clients[0], .id = "acme/1", .address = "192.0.2.1", .no_password = true};
    const oc_gate_token_t token = token_of("");
    const oc_identity_t *identity = NULL;

    ck_assert_int_eq(connect_client(&client, "ann"), OC_OK);
    oc_sessions_disconnected(shared.sessions, &clients[0], true, NOW_S);
    client.known = OC_GATE_PERHAPS;
    ck_assert_int_eq(oc_gate_recognize(&gate, &client, &token), OC_GATE_OURS);
    ck_assert_int_eq(
        oc_session_rights(oc_sessions_find(shared.sessions, &clients[0], "acme/1"), &identity),
        OC_E_TOKEN_REVOKED);
}
END_TEST

static const struct {
    const char *name;
    bool left;        /* "ann" left a session that the plugin knows */
    bool holder;      /* the broker has a session that the plugin does not know */
    const char *held; /* and its username */
    bool defer;
    const char *subject;
    oc_err_t expected;
} resumed[] = {
    {"nothing", false, false, NULL, false, "bob", OC_OK},
    {"the own", true, false, NULL, false, "ann", OC_OK},
    {"another subject's", true, false, NULL, false, "bob", OC_E_CLIENT_ID_NOT_BOUND},
    {"restored, the own", false, true, "bob", false, "bob", OC_OK},
    {"restored, another subject's", false, true, "ann", false, "bob", OC_E_CLIENT_ID_NOT_BOUND},
    {"restored, nobody's", false, true, NULL, false, "bob", OC_E_CLIENT_ID_NOT_BOUND},
    {"perhaps another authenticator's", false, true, "bob", true, "bob", OC_E_CLIENT_ID_NOT_BOUND},
};

START_TEST(clean_start_off)
{
    oc_gate_client_t client = {.client = &clients[0], .id = "free", .address = "192.0.2.1"};

    if (resumed[_i].left) {
        ck_assert_int_eq(connect_client(&client, "ann"), OC_OK);
        oc_sessions_disconnected(shared.sessions, &clients[0], true, NOW_S);
    }
    config.defer_non_jwt = resumed[_i].defer;
    client.client = &clients[1];
    client.holder = resumed[_i].holder ? &clients[2] : NULL;
    client.holder_username = resumed[_i].held;
    unit_check(connect_client(&client, resumed[_i].subject) == resumed[_i].expected, "%s",
               resumed[_i].name);
    /* A clean start resumes nothing. */
    client.clean_start = true;
    unit_check(connect_client(&client, resumed[_i].subject) == OC_OK, "%s: clean",
               resumed[_i].name);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("gate");

    tcase_add_checked_fixture(tcase, make, unmake);
    unit_add_table(tcase, who_decides, asked);
    tcase_add_test(tcase, perhaps_without_a_token);
    unit_add_table(tcase, clean_start_off, resumed);
    return unit_run("gate", tcase);
}
