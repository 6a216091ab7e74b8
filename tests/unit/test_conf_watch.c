/* SPDX-License-Identifier: MIT */
/* Which options of a mosquitto.conf changed. */
#include <stdio.h>
#include <string.h>

#include "conf_watch.h"
#include "scratch.h"
#include "unit.h"

#define PLUGIN "plugin /usr/lib/mosquitto_orgcast.so\n"

static const char *write_conf(const char *text)
{
    return scratch_file("mosquitto.conf", text, strlen(text));
}

static const struct {
    const char *name;
    const char *before;
    const char *after;
    const char *changed;
} cases[] = {
    {"nothing", PLUGIN "plugin_opt_a 1\n", PLUGIN "plugin_opt_a 1\n", ""},
    {"a comment", PLUGIN "plugin_opt_a 1\n", PLUGIN "# x\nplugin_opt_a 1\n", ""},
    {"another order", PLUGIN "plugin_opt_a 1\nplugin_opt_b 1\n",
     PLUGIN "plugin_opt_b 1\nplugin_opt_a 1\n", ""},
    {"a value", PLUGIN "plugin_opt_a 1\n", PLUGIN "plugin_opt_a 2\n", "plugin_opt_a"},
    {"a new one", PLUGIN, PLUGIN "plugin_opt_a 2\n", "plugin_opt_a"},
    {"one that is gone", PLUGIN "plugin_opt_a 2\n", PLUGIN, "plugin_opt_a"},
    {"one of several values", PLUGIN "plugin_opt_a 1\nplugin_opt_a 2\n",
     PLUGIN "plugin_opt_a 1\nplugin_opt_a 3\n", "plugin_opt_a"},
    {"a further value", PLUGIN "plugin_opt_a 1\n", PLUGIN "plugin_opt_a 1\nplugin_opt_a 2\n",
     "plugin_opt_a"},
    {"a name within another", PLUGIN "plugin_opt_a_b 1\nplugin_opt_a 1\nplugin_opt_b 1\n", PLUGIN,
     "plugin_opt_a_b, plugin_opt_a, plugin_opt_b"},
    {"another plugin's", PLUGIN "plugin /usr/lib/other.so\nplugin_opt_a 1\n",
     PLUGIN "plugin /usr/lib/other.so\nplugin_opt_a 2\n", ""},
    {"the same of two", PLUGIN "plugin_opt_a 1\n" PLUGIN "plugin_opt_a 1\n",
     PLUGIN "plugin_opt_a 2\n" PLUGIN "plugin_opt_a 2\n", "plugin_opt_a"},
};

START_TEST(changes)
{
    oc_conf_watch_t *watch = oc_conf_watch_new(write_conf(cases[_i].before));
    char names[256];

    ck_assert_ptr_nonnull(watch);
    (void)write_conf(cases[_i].after);
    ck_assert_int_eq(oc_conf_watch_compare(watch, names, sizeof names, NULL), OC_OK);
    ck_assert_msg(strcmp(names, cases[_i].changed) == 0, "%s: %s", cases[_i].name, names);
    oc_conf_watch_free(watch);
}
END_TEST

START_TEST(a_long_list_is_cut)
{
    oc_conf_watch_t *watch = oc_conf_watch_new(write_conf(PLUGIN));
    char text[4096] = PLUGIN;
    char names[64];

    for (int i = 0; i < 50; i++)
        (void)sprintf(text + strlen(text), "plugin_opt_a%d 1\n", i);
    (void)write_conf(text);
    ck_assert_int_eq(oc_conf_watch_compare(watch, names, sizeof names, NULL), OC_OK);
    ck_assert_str_eq(names, "plugin_opt_a0, plugin_opt_a1, plugin_opt_a2, plugin_opt_a3, …");
    oc_conf_watch_free(watch);
}
END_TEST

START_TEST(what_cannot_be_compared)
{
    oc_conf_watch_t *watch = oc_conf_watch_new(write_conf(PLUGIN));
    char names[64] = "kept";
    oc_diag_t diag = {0};

    (void)write_conf("listener 1883\n");
    ck_assert_int_eq(oc_conf_watch_compare(watch, names, sizeof names, &diag), OC_E_IO);
    ck_assert_ptr_nonnull(strstr(diag.message, "loads the plugin 0 times, and did so 1 times"));
    ck_assert_str_eq(names, "kept");
    ck_assert_ptr_null(oc_conf_watch_new("/no/such/file"));
    oc_conf_watch_free(watch);
    oc_conf_watch_free(NULL);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("conf_watch");

    tcase_add_checked_fixture(tcase, scratch_open, scratch_close);
    unit_add_table(tcase, changes, cases);
    tcase_add_test(tcase, a_long_list_is_cut);
    tcase_add_test(tcase, what_cannot_be_compared);
    return unit_run("conf_watch", tcase);
}
