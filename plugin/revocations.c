/* SPDX-License-Identifier: MIT */
#include "revocations.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "revocation_file.h"
#include "revocation_set.h"
#include "revocation_writer.h"

_Static_assert(OC_REVOCATIONS_ERROR_MAX == OC_REVOCATION_WRITER_ERROR_MAX, "the same line");

struct oc_revocations {
    oc_revocation_set_t *set;
    oc_revocation_writer_t *writer; /* NULL: no file */
    int64_t now_s;                  /* of the last call that told it */
};

oc_err_t oc_revocations_new(oc_revocations_t **ret_revocations)
{
    oc_revocations_t *revocations = calloc(1, sizeof *revocations);

    if (revocations)
        revocations->set = oc_revocation_set_new();
    if (!revocations || !revocations->set) {
        free(revocations);
        return OC_E_NOMEM;
    }
    *ret_revocations = revocations;
    return OC_OK;
}

static void note(const oc_revocations_t *revocations)
{
    if (revocations->writer)
        oc_revocation_writer_note(revocations->writer, oc_revocation_set_count(revocations->set),
                                  revocations->now_s);
}

/* A set from the file, which so many lines are for. */
static void take_set(oc_revocations_t *revocations, oc_revocation_set_t *set, size_t lines,
                     int64_t now_s)
{
    oc_revocation_set_free(revocations->set);
    revocations->set = set;
    revocations->now_s = now_s;
    note(revocations);
    oc_revocation_writer_note_lines(revocations->writer, lines);
}

oc_err_t oc_revocations_open(oc_revocations_t *revocations, const char *path, int64_t now_s,
                             oc_diag_t *diag)
{
    oc_revocation_set_t *set = NULL;
    oc_revocation_text_t text;
    oc_err_t err;

    if (revocations->writer || oc_revocation_set_count(revocations->set) > 0)
        return oc_fail(diag, OC_E_INTERNAL, "revocations are there before their file");
    /* To append nothing mends the last line, and shows whether the file can be written. */
    if ((err = oc_revocation_file_make(path, diag)) ||
        (err = oc_revocation_file_load(path, now_s, NULL, &set, &text, diag)))
        return err;
    if ((err = oc_revocation_file_append(path, NULL, NULL, diag)) ||
        (err = oc_revocation_writer_start(path, &revocations->writer, diag))) {
        oc_revocation_set_free(set);
        return err;
    }
    take_set(revocations, set, text.lines, now_s);
    return OC_OK;
}

/* The file is gone: give the writer all current revocations again. When memory runs out, the next
 * call does it. */
static void put_all(oc_revocations_t *revocations)
{
    oc_revocation_change_t *list = NULL;
    oc_revocation_change_t **end = &list;
    const oc_revocation_t *revocation;
    uint64_t cursor = 0;

    while ((revocation = oc_revocation_set_next(revocations->set, &cursor)) != NULL) {
        *end = oc_revocation_change_new(revocation, false);
        if (!*end)
            break;
        end = &(*end)->next;
    }
    while (list) {
        oc_revocation_change_t *change = list;

        list = change->next;
        if (revocation)
            free(change);
        else
            (void)oc_revocation_writer_put(revocations->writer, change);
    }
    if (!revocation)
        oc_revocation_writer_make_again(revocations->writer);
}

void oc_revocations_free(oc_revocations_t *revocations)
{
    if (!revocations)
        return;
    if (revocations->writer) {
        oc_revocation_writer_stop(revocations->writer);
        if (oc_revocation_writer_gone(revocations->writer))
            put_all(revocations);
    }
    oc_revocation_writer_free(revocations->writer);
    oc_revocation_set_free(revocations->set);
    free(revocations);
}

bool oc_revocations_match(const oc_revocations_t *revocations, const oc_identity_t *identity)
{
    return oc_revocation_set_match(revocations->set, identity);
}

/* Room for one more change on disk, and for one more name if it is a new one; then the change, or with no file
 * NULL. */
static oc_err_t prepare(const oc_revocations_t *revocations, const oc_revocation_t *revocation,
                        bool unrevoke, oc_revocation_change_t **ret_change, oc_diag_t *diag)
{
    *ret_change = NULL;
    if (!unrevoke && oc_revocations_count(revocations) >= OC_REVOCATIONS_MAX &&
        !oc_revocation_set_has(revocations->set, revocation->kind, revocation->name))
        return oc_fail(diag, OC_E_FULL,
                       "there are %zu revocations already; revoke by subject or organizationId, or "
                       "set jwt_max_lifetime so that they are forgotten sooner",
                       OC_REVOCATIONS_MAX);
    if (!revocations->writer)
        return OC_OK;
    if (oc_revocation_writer_unwritten(revocations->writer) >= OC_REVOCATIONS_UNWRITTEN_MAX)
        return oc_fail(diag, OC_E_FULL, "%zu changes of revocations wait for the disk already",
                       OC_REVOCATIONS_UNWRITTEN_MAX);
    *ret_change = oc_revocation_change_new(revocation, unrevoke);
    return *ret_change ? OC_OK : oc_fail(diag, OC_E_NOMEM, "out of memory");
}

static uint64_t put(oc_revocations_t *revocations, oc_revocation_change_t *change)
{
    note(revocations);
    return change ? oc_revocation_writer_put(revocations->writer, change) : 0;
}

oc_err_t oc_revocations_add(oc_revocations_t *revocations, const oc_revocation_t *revocation,
                            uint64_t *ret_ticket, oc_diag_t *diag)
{
    oc_revocation_change_t *change;
    oc_err_t err;

    if ((err = oc_revocation_check(revocation, diag)) ||
        (err = prepare(revocations, revocation, false, &change, diag)))
        return err;
    if (oc_revocation_set_add(revocations->set, revocation) != OC_OK) {
        free(change);
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    }
    *ret_ticket = put(revocations, change);
    return OC_OK;
}

oc_err_t oc_revocations_remove(oc_revocations_t *revocations, oc_revocation_kind_t kind,
                               const char *name, uint64_t *ret_ticket, oc_diag_t *diag)
{
    const oc_revocation_t revocation = {.kind = kind, .name = name};
    oc_revocation_change_t *change;
    oc_err_t err = oc_revocation_check_name(kind, name, diag);

    if (err)
        return err;
    if (!oc_revocation_set_has(revocations->set, kind, name))
        return oc_fail(diag, OC_E_NOT_FOUND, "not revoked");
    err = prepare(revocations, &revocation, true, &change, diag);
    if (err)
        return err;
    /* Last, for the name may be the set's own. */
    oc_revocation_set_remove(revocations->set, kind, name);
    *ret_ticket = put(revocations, change);
    return OC_OK;
}

bool oc_revocations_settled(const oc_revocations_t *revocations, uint64_t ticket, bool *ret_failed)
{
    if (revocations->writer)
        return oc_revocation_writer_settled(revocations->writer, ticket, ret_failed);
    *ret_failed = false;
    return true;
}

const oc_revocation_t *oc_revocations_next(const oc_revocations_t *revocations, uint64_t *cursor)
{
    return oc_revocation_set_next(revocations->set, cursor);
}

size_t oc_revocations_count(const oc_revocations_t *revocations)
{
    return oc_revocation_set_count(revocations->set);
}

void oc_revocations_forget(oc_revocations_t *revocations, int64_t now_s)
{
    revocations->now_s = now_s;
    oc_revocation_set_forget(revocations->set, now_s, OC_REVOCATIONS_FORGET_MAX);
    note(revocations);
    if (revocations->writer && oc_revocation_writer_gone(revocations->writer))
        put_all(revocations);
}

oc_err_t oc_revocations_reload(oc_revocations_t *revocations, int64_t now_s, oc_diag_t *diag)
{
    oc_revocation_writer_t *writer = revocations->writer;
    oc_revocation_set_t *set = NULL;
    oc_revocation_text_t text;
    const char *path;
    uint64_t durable;
    size_t unwritten;
    oc_err_t err;

    if (!writer)
        return OC_OK;
    path = oc_revocation_writer_path(writer);
    /* Before the file is read: what comes to be on disk meanwhile may be in it or not. */
    durable = oc_revocation_writer_durable(writer);
    unwritten = oc_revocation_writer_unwritten(writer);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        oc_revocation_writer_note_gone(writer);
    err = oc_revocation_file_load(path, now_s, revocations->set, &set, &text, diag);
    if (err)
        return err;
    /* That is the writer's, if it is writing, and otherwise somebody's mistake. */
    if (text.cut_off && unwritten == 0)
        err = oc_fail(diag, OC_E_IO, "%.150s:%zu: cut off", path, text.lines + 1);
    else if (oc_revocation_writer_replay(writer, durable, set) != OC_OK)
        err = oc_fail(diag, OC_E_NOMEM, "out of memory");
    if (err) {
        oc_revocation_set_free(set);
        return err;
    }
    take_set(revocations, set, text.lines, now_s);
    return OC_OK;
}

bool oc_revocations_take_error(oc_revocations_t *revocations,
                               char ret_error[static OC_REVOCATIONS_ERROR_MAX])
{
    return revocations->writer && oc_revocation_writer_take_error(revocations->writer, ret_error);
}
