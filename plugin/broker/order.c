/* SPDX-License-Identifier: MIT */

/* Which plugins the broker loaded before this one. */

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "plugin.h"
#include "plugin_order.h"

/* Whether the object itself has the entry point; dlsym() also finds those of its dependencies. */
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
