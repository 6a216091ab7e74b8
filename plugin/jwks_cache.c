/* SPDX-License-Identifier: MIT */
#include "jwks_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "json.h"
#include "jwk.h"
#include "jwks_url.h"
#include "mem.h"

/* Of all sets together. */
#define CACHE_MAX_BYTES (8 * OC_JWKS_MAX_BYTES)

/* The sets are read, changed and written back by one fetch thread at a time. */
static pthread_mutex_t writer_lock = PTHREAD_MUTEX_INITIALIZER;

/* Who can write the file can make the broker accept tokens: so it must be root's, the broker's or its
 * folder's owner's, and nobody else may write it. */
static oc_err_t get_owner(const char *path, uid_t *ret_owner, oc_diag_t *diag)
{
    OC_CLEANUP(oc_freep) char *folder = strdup(path);
    struct stat above;

    if (!folder)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    if (stat(dirname(folder), &above) != 0)
        return oc_fail(diag, OC_E_IO, "'%s': %s", path, strerror(errno));
    *ret_owner = above.st_uid;
    return OC_OK;
}

/* Whether there is a file that may hold sets: not a missing, too long or untrusted one. */
static bool may_hold_sets(const char *path, uid_t owner)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno != ENOENT;
    return oc_file_trusted(&st, owner) && st.st_size <= (off_t)CACHE_MAX_BYTES;
}

/* The object of all sets, owned by the caller. OC_E_NOT_FOUND: the file has none, and can be replaced. OC_E_IO: the
 * file cannot be read now. */
static oc_err_t read_sets(const char *path, json_t **ret_sets, oc_diag_t *diag)
{
    OC_CLEANUP(oc_freep) unsigned char *bytes = NULL;
    OC_CLEANUP(oc_json_decrefp) json_t *document = NULL;
    size_t len = 0;
    oc_diag_t cause = {0};
    uid_t owner = 0;
    json_t *sets;
    oc_err_t err = get_owner(path, &owner, diag);

    if (err)
        return err;
    err = oc_file_read_trusted(path, owner, CACHE_MAX_BYTES, &bytes, &len, diag);
    if (err)
        return err == OC_E_IO && !may_hold_sets(path, owner) ? OC_E_NOT_FOUND : err;
    err = oc_json_load((const char *)bytes, len, &document, &cause);
    if (err == OC_E_NOMEM)
        return oc_fail(diag, err, "out of memory");
    if (err)
        return oc_fail(diag, OC_E_NOT_FOUND, "'%.150s' is %s", path, cause.message);
    sets = json_object_get(document, "sets");
    if (!json_is_object(sets))
        return oc_fail(diag, OC_E_NOT_FOUND, "'%.150s' has no object 'sets'", path);
    *ret_sets = json_incref(sets);
    return OC_OK;
}

oc_err_t oc_jwks_cache_load(const char *path, const char *url, char **ret_json, size_t *ret_len,
                            oc_diag_t *diag)
{
    OC_CLEANUP(oc_json_decrefp) json_t *sets = NULL;
    char shown[OC_JWKS_URL_SHOWN_MAX];
    const json_t *set;
    char *json;
    oc_err_t err = read_sets(path, &sets, diag);

    if (err)
        return err;
    set = json_object_get(sets, url);
    if (!set)
        return oc_fail(diag, OC_E_NOT_FOUND, "'%.150s' holds no set of %.80s", path,
                       oc_jwks_url_shown(url, shown));
    json = oc_json_dump(set);
    if (!json)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    *ret_json = json;
    *ret_len = strlen(json);
    return OC_OK;
}

/* The new file's name is always the same, so that what a killed broker left there is used up and does not
 * pile up. It is made anew each time: a link is not followed, and whoever has an old one open cannot write
 * into the new one.
 * @locks writer_lock */
static oc_err_t replace_file(const char *path, const char *text, oc_diag_t *diag)
{
    OC_CLEANUP(oc_freep) char *temporary = NULL;
    size_t len = strlen(text);
    bool written;
    int fd;

    if (asprintf(&temporary, "%s.new", path) < 0) {
        temporary = NULL;
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    }
    (void)unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0)
        return oc_fail(diag, OC_E_IO, "'%s': cannot make its .new: %s", path, strerror(errno));
    written = fchmod(fd, 0640) == 0; /* whatever the umask */
    while (written && len > 0) {
        ssize_t put = write(fd, text, len);

        if (put < 0 && errno == EINTR)
            continue;
        written = put > 0;
        if (written) {
            text += put;
            len -= (size_t)put;
        }
    }
    written = written && fsync(fd) == 0;
    written = close(fd) == 0 && written && rename(temporary, path) == 0;
    if (!written) {
        (void)oc_fail(diag, OC_E_IO, "'%s': %s", path, strerror(errno));
        (void)unlink(temporary);
        return OC_E_IO;
    }
    if (!oc_file_sync_folder(path))
        return oc_fail(diag, OC_E_IO, "'%s': cannot sync its folder: %s", path, strerror(errno));
    return OC_OK;
}

/* @locks writer_lock */
static oc_err_t store_locked(const char *path, const char *url, const char *json, size_t json_len,
                             oc_diag_t *diag)
{
    OC_CLEANUP(oc_json_decrefp) json_t *sets = NULL;
    OC_CLEANUP(oc_json_decrefp) json_t *document = NULL;
    OC_CLEANUP(oc_freep) char *text = NULL;
    json_t *set = NULL;
    oc_diag_t cause = {0};
    oc_err_t err;

    /* A file that cannot be read now may hold the sets of other URLs. */
    err = read_sets(path, &sets, &cause);
    if (err && err != OC_E_NOT_FOUND)
        return oc_fail(diag, err, "%s", cause.message);
    if (err)
        sets = json_object();
    err = oc_json_load(json, json_len, &set, diag);
    if (err)
        return err;
    if (json_object_set_new(sets, url, set) == 0)
        document = json_pack("{s:O}", "sets", sets);
    text = document ? oc_json_dump(document) : NULL;
    if (!text)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    return replace_file(path, text, diag);
}

oc_err_t oc_jwks_cache_store(const char *path, const char *url, const char *json, size_t json_len,
                             oc_diag_t *diag)
{
    oc_err_t err;

    (void)pthread_mutex_lock(&writer_lock);
    err = store_locked(path, url, json, json_len, diag);
    (void)pthread_mutex_unlock(&writer_lock);
    return err;
}
