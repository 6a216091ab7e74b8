/* SPDX-License-Identifier: MIT */
/* orgcast conf check: everything about the plugin that would stop the broker, with line numbers. */
#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "conf_file.h"
#include "mem.h"
#include "metrics_address.h"
#include "utf8.h"

static const cli_use_t uses[] = {
    {CLI_OPT_JSON, false,
     "print each line as an object with severity (error or\nwarning), file, line, message"},
    {CLI_OPT_NONE, false, NULL},
};

static const char notes[] =
    "FILE is a mosquitto.conf; its include_dir is followed. It checks the lines that load the "
    "plugin,\n"
    "their options, the files that these name, the listeners and the files of their TLS. It does "
    "not\n"
    "fetch the key sets behind a jwks_url. Run it as root or as the broker's user: as root it "
    "becomes\n"
    "that user before it opens the files. Exits with 0 when nothing would stop the broker.";

typedef struct report {
    bool json;
    const char *path;               /* of the configuration */
    const oc_conf_plugin_t *plugin; /* the one that is being looked at; NULL: none */
    size_t problems;
} report_t;

static void print_json(const char *severity, const char *file, unsigned line, const char *message)
{
    json_t *object = json_pack("{s:s, s:s, s:i, s:s}", "severity", severity, "file", file, "line",
                               (int)line, "message", message);

    if (object)
        (void)json_dumpf(object, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(object);
}

static void print_problem(void *context, const oc_conf_place_t *place, const char *message)
{
    report_t *report = context;
    char file[PATH_MAX];
    char text[1024];

    report->problems++;
    /* What a file holds, or is called, must not steer the terminal. */
    (void)oc_utf8_clean(place->file, file, sizeof file);
    (void)oc_utf8_clean(message, text, sizeof text);
    if (report->json)
        print_json("error", file, place->line, text);
    else if (place->line > 0)
        printf("%s:%u: %s\n", file, place->line, text);
    else
        printf("%s: %s\n", file, text);
}

/* The place of the option that a message of oc_config_* is about ("plugin_opt_NAME: cause"): its last
 * line, since that is the one too many when it is given twice. A file's name in the message tells which
 * of several. */
static const oc_conf_place_t *place_of(const oc_conf_plugin_t *plugin, const char *message)
{
    const oc_conf_place_t *found = &plugin->place;

    for (size_t i = 0; i < plugin->option_count; i++) {
        const oc_option_t *option = &plugin->options[i];
        const char *prefix = "plugin_opt_";
        size_t name_len = strlen(option->name);
        const char *path = strchr(option->value, '=');

        if (strncmp(message, prefix, strlen(prefix)) != 0 ||
            strncmp(message + strlen(prefix), option->name, name_len) != 0 ||
            message[strlen(prefix) + name_len] != ':')
            continue;
        found = &plugin->places[i];
        if (strstr(message, path ? path + 1 : option->value))
            break;
    }
    return found;
}

static void print_warning(void *context, const char *message)
{
    const report_t *report = context;
    oc_conf_place_t whole = {(char *)report->path, 0};
    const oc_conf_place_t *place = report->plugin ? place_of(report->plugin, message) : &whole;
    char file[PATH_MAX];
    char text[1024];

    (void)oc_utf8_clean(place->file, file, sizeof file);
    (void)oc_utf8_clean(message, text, sizeof text);
    if (report->json)
        print_json("warning", file, place->line, text);
    else
        printf("warning: %s\n", text);
}

/* Keep the options that are good by themselves, report the others. Returns how many are kept. */
static size_t check_each(const oc_conf_plugin_t *plugin, report_t *report,
                         oc_option_t good[static OC_CONF_OPTIONS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < plugin->option_count; i++) {
        oc_diag_t diag = {0};

        if (oc_option_check(&plugin->options[i], &diag) == OC_OK)
            good[count++] = plugin->options[i];
        else
            print_problem(report, &plugin->places[i], diag.message);
    }
    return count;
}

/* Read the key file that an option names, by itself. Keys that are skipped are warnings. */
static void check_file(const oc_conf_plugin_t *plugin, size_t at, report_t *report)
{
    oc_config_t config;
    oc_keyset_t keys = {0};
    oc_diag_t diag = {0};

    /* Without one of the options that name a key file, this fails for having no key. */
    if (oc_config_init(&config, &plugin->options[at], 1, NULL) != OC_OK)
        return;
    if (oc_config_load_keys(&config, print_warning, report, &keys, &diag) != OC_OK)
        print_problem(report, &plugin->places[at], diag.message);
    oc_keyset_done(&keys);
    oc_config_done(&config);
}

/* Whether this process could write a file, or make it. On false the cause is in errno. */
static bool writable(const char *path)
{
    char folder[PATH_MAX];
    char *slash;
    struct stat st;

    if (lstat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            errno = S_ISDIR(st.st_mode) ? EISDIR : ELOOP;
        return S_ISREG(st.st_mode) && access(path, R_OK | W_OK) == 0;
    }
    if ((size_t)snprintf(folder, sizeof folder, "%s", path) >= sizeof folder) {
        errno = ENAMETOOLONG;
        return false;
    }
    slash = strrchr(folder, '/');
    if (slash == folder)
        slash++;
    if (slash)
        *slash = '\0';
    return access(slash ? folder : ".", W_OK | X_OK) == 0;
}

/* A file that the broker writes. Without some of them it does not start. */
static void check_written_file(const oc_conf_plugin_t *plugin, size_t at, report_t *report)
{
    static const struct {
        const char *name;
        bool stops;
    } written[] = {{"audit_log_file", true}, {"revocation_file", true}, {"jwks_cache_file", false}};
    const oc_option_t *option = &plugin->options[at];

    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        char message[512];

        if (strcmp(option->name, written[i].name) != 0 || writable(option->value))
            continue;
        (void)snprintf(message, sizeof message,
                       "plugin_opt_%s: '%.300s' cannot be written by user id %u: %s", option->name,
                       option->value, (unsigned)geteuid(), strerror(errno));
        if (written[i].stops)
            print_problem(report, &plugin->places[at], message);
        else
            print_warning(report, message);
    }
}

/* A port that is in use stops a broker that starts, but it is also in use while the broker runs. */
static void check_metrics_port(const oc_option_t *option, report_t *report)
{
    oc_metrics_address_t address;
    const int yes = 1;
    char message[512];
    int sock;

    if (strcmp(option->name, "metrics_listen") != 0 ||
        oc_metrics_address_parse(option->value, &address, NULL) != OC_OK)
        return;
    sock = socket(address.socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return;
    (void)setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(sock, &address.socket.any, address.socket_len) != 0) {
        (void)snprintf(message, sizeof message,
                       "plugin_opt_metrics_listen: '%.100s': %s; unless this broker runs now, it "
                       "will not start",
                       option->value, strerror(errno));
        print_warning(report, message);
    }
    (void)close(sock);
}

static void check_plugin(const oc_conf_plugin_t *plugin, report_t *report)
{
    oc_option_t good[OC_CONF_OPTIONS_MAX];
    size_t count = check_each(plugin, report, good);
    oc_config_t config;
    oc_keyset_t keys = {0};
    oc_diag_t diag = {0};

    if (access(plugin->path, R_OK) != 0) {
        char message[512];

        (void)snprintf(message, sizeof message, "plugin '%.300s': %s", plugin->path,
                       strerror(errno));
        print_problem(report, &plugin->place, message);
    }
    if (plugin->behind_dynamic_security)
        print_problem(report, &plugin->place,
                      "the dynamic-security plugin is loaded before this one: its lines belong "
                      "below this one's");
    for (size_t i = 0; i < plugin->option_count; i++) {
        check_file(plugin, i, report);
        check_written_file(plugin, i, report);
        check_metrics_port(&plugin->options[i], report);
    }
    if (oc_config_init(&config, good, count, &diag) != OC_OK) {
        print_problem(report, place_of(plugin, diag.message), diag.message);
        return;
    }
    /* What shows only with all of them: key ids given twice, algorithms that no key serves. */
    if (report->problems == 0 && oc_config_load_keys(&config, NULL, NULL, &keys, &diag) != OC_OK)
        print_problem(report, place_of(plugin, diag.message), diag.message);
    else if (report->problems == 0 && !report->json)
        printf("%s:%u: the plugin, with %zu %s from files\n", plugin->place.file,
               plugin->place.line, keys.count, keys.count == 1 ? "key" : "keys");
    oc_keyset_done(&keys);
    oc_config_done(&config);
}

/* Mosquitto that root starts becomes another user before it opens these files. So does this process. */
static void become_broker(const oc_conf_t *conf, report_t *report)
{
    const char *name = conf->user && *conf->user ? conf->user : "mosquitto";
    const struct passwd *user;
    char message[512];

    if (geteuid() != 0 || strcmp(name, "root") == 0)
        return;
    user = getpwnam(name);
    if (user && initgroups(name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 &&
        setuid(user->pw_uid) == 0)
        return;
    (void)snprintf(message, sizeof message,
                   "cannot become the broker's user '%.100s': whether that user may read and write "
                   "the files is not checked",
                   name);
    print_warning(report, message);
}

static void check_tls_files(const oc_conf_t *conf, report_t *report)
{
    for (size_t i = 0; i < conf->tls_file_count; i++) {
        const oc_conf_tls_file_t *file = &conf->tls_files[i];
        char message[512];

        if (access(file->path, R_OK) == 0)
            continue;
        (void)snprintf(message, sizeof message, "%s '%.300s' cannot be read by user id %u: %s",
                       file->option, file->path, (unsigned)geteuid(), strerror(errno));
        print_problem(report, &file->place, message);
    }
}

static void check_listeners(const oc_conf_t *conf, report_t *report)
{
    if (conf->listeners > 0 && conf->listeners == conf->websockets_listeners)
        print_warning(report,
                      "only websockets listeners: Mosquitto 2.0.11 of Debian 12 exits; add "
                      "one without, such as 'listener 1883 127.0.0.1'");
    if (conf->websockets_listeners > 0 && !conf->tcp_nodelay)
        print_warning(report,
                      "events in a row can wait 40 ms on Mosquitto 2.1: add "
                      "'set_tcp_nodelay true'");
}

static void check_conf(const oc_conf_t *conf, report_t *report)
{
    const oc_conf_place_t whole = {(char *)report->path, 0};

    become_broker(conf, report);
    for (size_t i = 0; i < conf->plugin_count; i++) {
        report->plugin = conf->plugins[i];
        check_plugin(conf->plugins[i], report);
    }
    report->plugin = NULL;
    if (conf->plugin_count == 0)
        print_problem(report, &whole, "no line loads mosquitto_orgcast.so");
    check_tls_files(conf, report);
    check_listeners(conf, report);
}

static int run(const cli_args_t *args)
{
    report_t report = {.json = cli_args_has(args, CLI_OPT_JSON), .path = args->operand};
    oc_conf_t conf = {0};
    oc_diag_t diag = {0};
    int code = CLI_DONE;

    if (!args->operand)
        return cli_usage_error(args, "FILE is needed: a mosquitto.conf");
    if (oc_conf_read(args->operand, print_problem, &report, &conf, &diag) != OC_OK)
        code = cli_error(args, "%s", diag.message);
    else
        check_conf(&conf, &report);
    oc_conf_done(&conf);
    return code == CLI_DONE && report.problems > 0 ? CLI_FAILED : code;
}

const cli_command_t cli_cmd_conf_check = {
    .name = "conf check",
    .summary = "Find what would stop the broker in a mosquitto.conf.",
    .synopsis = "FILE [--json]",
    .notes = notes,
    .operand = true,
    .options = uses,
    .run = run,
};
