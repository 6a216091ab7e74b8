/* SPDX-License-Identifier: MIT */
/* The options that name key files, with those files. */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "scratch.h"
#include "test_keys.h"
#include "unit.h"

enum file {
    MISSING,
    FOLDER,
    EMPTY,
    SECRET_31,
    SECRET_32,
    SECRET_48,
    SECRET_64,
    RSA_PEM,
    RSA_SMALL_PEM,
    P256_PEM,
    PRIVATE_PEM,
    FILES
};

static const char *files[FILES];

static void make(void)
{
    char *private;

    scratch_open();
    test_keys_make();
    private = test_pem_private(test_keys[TEST_RSA].pkey);
    files[MISSING] = scratch_path("missing");
    files[FOLDER] = scratch_path(".");
    files[EMPTY] = scratch_file("empty", "", 0);
    files[SECRET_31] = scratch_file("31", test_secret, 31);
    files[SECRET_32] = scratch_file("32", test_secret, 32);
    files[SECRET_48] = scratch_file("48", test_secret, 48);
    files[SECRET_64] = scratch_file("64", test_secret, 64);
    files[RSA_PEM] = test_key_file(TEST_RSA);
    files[RSA_SMALL_PEM] = test_key_file(TEST_RSA_1024);
    files[P256_PEM] = test_key_file(TEST_P256);
    files[PRIVATE_PEM] = scratch_file("private", private, strlen(private));
    free(private);
}

static void unmake(void)
{
    test_keys_free();
    scratch_close();
}

#define HS256 OC_ALG_BIT(OC_ALG_HS256)
#define HS384 OC_ALG_BIT(OC_ALG_HS384)
#define HS512 OC_ALG_BIT(OC_ALG_HS512)
#define ES256 OC_ALG_BIT(OC_ALG_ES256)
#define RSA_ALGS                                                                                   \
    (OC_ALG_BIT(OC_ALG_RS256) | OC_ALG_BIT(OC_ALG_RS384) | OC_ALG_BIT(OC_ALG_RS512) |              \
     OC_ALG_BIT(OC_ALG_PS256) | OC_ALG_BIT(OC_ALG_PS384) | OC_ALG_BIT(OC_ALG_PS512))

#define NONE FILES

static const struct {
    const char *name;
    enum file secret;
    enum file public_keys[2];
    const char *kids[2];
    const char *algorithms;
    oc_alg_set_t algs; /* 0: refused */
    const char *option;
    const char *says;
} key_files[] = {
    {"a secret", SECRET_32, {NONE, NONE}, {0}, NULL, HS256, NULL, NULL},
    {"a long secret", SECRET_64, {NONE, NONE}, {0}, NULL, HS256 | HS384 | HS512, NULL, NULL},
    {"a public key", NONE, {RSA_PEM, NONE}, {0}, NULL, RSA_ALGS, NULL, NULL},
    {"both",
     SECRET_48,
     {RSA_PEM, P256_PEM},
     {0},
     NULL,
     HS256 | HS384 | RSA_ALGS | ES256,
     NULL,
     NULL},
    {"named", NONE, {P256_PEM, P256_PEM}, {"a", "b"}, NULL, ES256, NULL, NULL},
    {"fewer algorithms than keys", SECRET_64, {RSA_PEM, NONE}, {0}, "HS256", HS256, NULL, NULL},
    {"missing secret", MISSING, {NONE, NONE}, {0}, NULL, 0, "jwt_secret_file", "No such file"},
    {"secret is a folder", FOLDER, {NONE, NONE}, {0}, NULL, 0, "jwt_secret_file", "directory"},
    {"empty secret", EMPTY, {NONE, NONE}, {0}, NULL, 0, "jwt_secret_file", "empty"},
    {"short secret", SECRET_31, {NONE, NONE}, {0}, NULL, 0, "jwt_secret_file", "31 bytes"},
    {"PEM as secret", RSA_PEM, {NONE, NONE}, {0}, NULL, 0, "jwt_secret_file", "in PEM form"},
    {"missing key", NONE, {MISSING, NONE}, {0}, NULL, 0, "jwt_public_key_file", "No such file"},
    {"missing key with a kid",
     NONE,
     {MISSING, NONE},
     {"a"},
     NULL,
     0,
     "jwt_public_key_file",
     "No such file"},
    {"second key missing",
     NONE,
     {RSA_PEM, MISSING},
     {0},
     NULL,
     0,
     "jwt_public_key_file",
     "No such file"},
    {"empty key", NONE, {EMPTY, NONE}, {0}, NULL, 0, "jwt_public_key_file", "empty"},
    {"secret as key", NONE, {SECRET_64, NONE}, {0}, NULL, 0, "jwt_public_key_file", "no PEM"},
    {"private key", NONE, {PRIVATE_PEM, NONE}, {0}, NULL, 0, "jwt_public_key_file", "private key"},
    {"small RSA key", NONE, {RSA_SMALL_PEM, NONE}, {0}, NULL, 0, "jwt_public_key_file", "1024"},
    {"twice the same kid",
     NONE,
     {P256_PEM, P256_PEM},
     {"a", "a"},
     NULL,
     0,
     "jwt_public_key_file",
     "'a'"},
    {"an algorithm that no key serves",
     NONE,
     {RSA_PEM, NONE},
     {0},
     "RS256,ES256",
     0,
     "jwt_algorithms",
     "ES256"},
    {"HS256 without a secret", NONE, {RSA_PEM, NONE}, {0}, "HS256", 0, "jwt_algorithms", "HS256"},
    {"HS384 with a short secret",
     SECRET_32,
     {NONE, NONE},
     {0},
     "HS384",
     0,
     "jwt_algorithms",
     "48 bytes"},
    {"HS512 with a short secret",
     SECRET_48,
     {NONE, NONE},
     {0},
     "HS256,HS512",
     0,
     "jwt_algorithms",
     "64 bytes"},
};

START_TEST(loading_keys)
{
    oc_option_t options[4];
    char values_of[2][600];
    size_t count = 0;
    oc_config_t config;
    oc_keyset_t keys = {0};
    oc_diag_t diag = {0};
    oc_err_t err;

    if (key_files[_i].secret != NONE)
        options[count++] = (oc_option_t){"jwt_secret_file", files[key_files[_i].secret]};
    for (size_t i = 0; i < 2 && key_files[_i].public_keys[i] != NONE; i++) {
        const char *kid = key_files[_i].kids[i];

        (void)snprintf(values_of[i], sizeof values_of[0], "%s%s%s", kid ? kid : "", kid ? "=" : "",
                       files[key_files[_i].public_keys[i]]);
        options[count++] = (oc_option_t){"jwt_public_key_file", values_of[i]};
    }
    if (key_files[_i].algorithms)
        options[count++] = (oc_option_t){"jwt_algorithms", key_files[_i].algorithms};
    err = oc_config_init(&config, options, count, &diag);
    ck_assert_msg(err == OC_OK, "%s: %s", key_files[_i].name, diag.message);

    err = oc_config_load_keys(&config, NULL, NULL, &keys, &diag);
    ck_assert_msg(err == (key_files[_i].algs ? OC_OK : OC_E_CONFIG), "%s: %s, %s",
                  key_files[_i].name, oc_err_name(err), diag.message);
    if (err) {
        char start[64];

        (void)snprintf(start, sizeof start, "plugin_opt_%s: ", key_files[_i].option);
        ck_assert_msg(strncmp(diag.message, start, strlen(start)) == 0, "%s: '%s'",
                      key_files[_i].name, diag.message);
        ck_assert_msg(strstr(diag.message, key_files[_i].says) != NULL, "%s: '%s'",
                      key_files[_i].name, diag.message);
        ck_assert_msg(keys.count == 0, "%s: results written", key_files[_i].name);
    } else {
        oc_alg_set_t algs = config.algorithms ? config.algorithms : oc_keyset_algs(&keys);

        ck_assert_msg(algs == key_files[_i].algs, "%s: %x", key_files[_i].name, algs);
    }
    oc_keyset_done(&keys);
    oc_config_done(&config);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("key_options");

    tcase_add_unchecked_fixture(tcase, make, unmake);
    unit_add_table(tcase, loading_keys, key_files);
    return unit_run("key_options", tcase);
}
