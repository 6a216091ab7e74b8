/* SPDX-License-Identifier: MIT */

/* Which plugins the broker asks before this one. */

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"
#include "plugin_order.h"

/* Whether the object itself has the entry point. dlsym() would also find one of its
 * dependencies. */
static bool has_entry_point(void *object, const char *path, const char *name)
{
    const void *symbol = dlsym(object, name);
    Dl_info info;

    return symbol && dladdr(symbol, &info) != 0 && strcmp(info.dli_fname, path) == 0;
}

static bool is_plugin(const char *path)
{
    void *object = *path ? dlopen(path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    bool is;

    if (!object)
        return false;
    is = has_entry_point(object, path, "mosquitto_plugin_init") ||
         has_entry_point(object, path, "mosquitto_auth_plugin_init");
    (void)dlclose(object);
    return is;
}

static bool is_this(const char *path)
{
    static const char here;
    Dl_info info;

    return dladdr(&here, &info) != 0 && strcmp(info.dli_fname, path) == 0;
}

/* NULL: there is none. Borrowed from the loader. */
static const char *find_earlier(const struct link_map *object)
{
    for (; object; object = object->l_next) {
        const char *path = object->l_name;

        if (!oc_plugin_may_be_first(path) && is_plugin(path) && !is_this(path))
            return path;
    }
    return NULL;
}

oc_err_t check_order(oc_diag_t *diag)
{
    void *program = dlopen(NULL, RTLD_LAZY);
    struct link_map *objects = NULL;
    const char *earlier;

    if (!program || dlinfo(program, RTLD_DI_LINKMAP, &objects) != 0)
        return oc_fail(diag, OC_E_CONFIG, "cannot find out which plugins are loaded");
    earlier = find_earlier(objects);
    (void)dlclose(program);
    if (!earlier)
        return OC_OK;
    return oc_fail(diag, OC_E_CONFIG,
                   "%s is loaded before this plugin; move its line below this one's, or its users' "
                   "rights go to tokens whose subject has the same name",
                   earlier);
}

static oc_err_t read_conf(oc_shared_t *shared, oc_diag_t *diag)
{
    char path[4096];
    oc_diag_t cause = {0};

    if (shared->conf)
        return OC_OK;
    if (oc_conf_watch_path(path, sizeof path))
        shared->conf = oc_conf_watch_new(path, &cause);
    else
        (void)oc_fail(&cause, OC_E_IO, "the broker's command line does not name one file");
    if (shared->conf)
        return OC_OK;
    return oc_fail(diag, OC_E_CONFIG,
                   "the broker may ask another plugin first; let user id %u read all of "
                   "mosquitto.conf: %s",
                   (unsigned)geteuid(), cause.message);
}

static void warn_of_persistence(const plugin_t *plugin, const oc_conf_t *conf)
{
    if (conf->persistence && plugin->config.defer_non_jwt && !plugin->is_2_1)
        mosquitto_log_printf(MOSQ_LOG_WARNING, "orgcast: " OC_PERSISTENCE_WARNING);
}

oc_err_t check_conf(const plugin_t *plugin, oc_diag_t *diag)
{
    oc_err_t err = read_conf(plugin->gate.shared, diag);
    const oc_conf_t *conf;
    const oc_conf_load_t *late;
    char text[512];

    /* Mosquitto 2.0 has no plugins for all listeners beside those of one. */
    if (err)
        return plugin->is_2_1 ? err : OC_OK;
    conf = oc_conf_watch_conf(plugin->gate.shared->conf);
    warn_of_persistence(plugin, conf);
    late = oc_conf_asked_late(conf);
    if (!late)
        return OC_OK;
    oc_conf_asked_late_text(late, text, sizeof text);
    return oc_fail(diag, OC_E_CONFIG, "%s:%u: %s", late->place.file, late->place.line, text);
}
