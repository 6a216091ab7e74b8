/* SPDX-License-Identifier: MIT */
#include "revocation_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* After a failure; each further one doubles it. A new change is tried at once. */
#define RETRY_MS 1000
#define RETRY_MAX_MS 64000

/* A short file is not worth rewriting. */
#define TIDY_LINES 1024

struct oc_revocation_writer {
    char *path;
    pthread_t thread;
    bool stopped; /* the broker's thread only */

    /* Changes in the order of their tickets. Those up to `durable` are the broker's thread's, which frees them.
     * The others are read by both, and but for the last one's `next` nobody writes to them. */
    oc_revocation_change_t *first;
    oc_revocation_change_t *last;
    uint64_t last_ticket;           /* the broker's thread only */
    atomic_uint_fast64_t durable;   /* up to here they are on disk */
    atomic_uint_fast64_t attempted; /* up to here that was tried */

    atomic_size_t lines;     /* of the file, about */
    atomic_size_t count;     /* of the revocations that hold */
    atomic_size_t tidy_from; /* with fewer lines the file is not rewritten */
    atomic_int_fast64_t now_s;
    atomic_bool gone;     /* the file, and the broker's thread has not put all again */
    atomic_bool may_make; /* it has: the file may be made with what is not durable */

    pthread_mutex_t lock; /* guards what follows, and the list's two ends; held for moments */
    pthread_cond_t wake;
    bool stopping;
    bool tidy_wanted;
    bool has_error;
    char error[OC_REVOCATION_WRITER_ERROR_MAX];

    bool append_failing; /* the thread only, as what follows */
    bool tidy_failing;
    int64_t pause_ms;
    int64_t retry_ms;
};

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- The thread --- */

/* What is to be done next. */
typedef struct job {
    const oc_revocation_change_t *first; /* NULL: nothing to append */
    const oc_revocation_change_t *last;
    bool tidy;
    bool stop;
} job_t;

/* @locks lock */
static bool has_unwritten(const oc_revocation_writer_t *writer)
{
    return writer->last && writer->last->ticket > atomic_load(&writer->durable);
}

static bool mostly_garbage(const oc_revocation_writer_t *writer)
{
    size_t lines = atomic_load(&writer->lines);

    return lines >= atomic_load(&writer->tidy_from) && lines / 2 > atomic_load(&writer->count);
}

/* Whether there is something to do now; otherwise *ret_wait_ms is how long that may stay so, -1 for ever.
 * @locks lock */
static bool is_due(const oc_revocation_writer_t *writer, int64_t *ret_wait_ms)
{
    *ret_wait_ms = -1;
    if (writer->stopping)
        return true;
    if (!has_unwritten(writer))
        return writer->tidy_wanted || mostly_garbage(writer);
    if (writer->last->ticket > atomic_load(&writer->attempted))
        return true;
    *ret_wait_ms = writer->retry_ms - monotonic_ms();
    return *ret_wait_ms <= 0;
}

/* @locks lock */
static void wait_ms(oc_revocation_writer_t *writer, int64_t ms)
{
    int64_t until_ms = monotonic_ms() + ms;
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

    if (ms < 0)
        (void)pthread_cond_wait(&writer->wake, &writer->lock);
    else
        (void)pthread_cond_timedwait(&writer->wake, &writer->lock, &until);
}

static job_t next_job(oc_revocation_writer_t *writer)
{
    job_t job = {0};
    int64_t ms;

    (void)pthread_mutex_lock(&writer->lock);
    while (!is_due(writer, &ms))
        wait_ms(writer, ms);
    job.stop = writer->stopping;
    if (has_unwritten(writer)) {
        const oc_revocation_change_t *change = writer->first;

        while (change->ticket <= atomic_load(&writer->durable))
            change = change->next;
        job.first = change;
        job.last = writer->last;
    } else {
        job.tidy = !job.stop;
        writer->tidy_wanted = false;
    }
    (void)pthread_mutex_unlock(&writer->lock);
    return job;
}

/* Reports the first of several failures. */
static void note_failure(oc_revocation_writer_t *writer, bool *failing, const oc_diag_t *diag)
{
    if (*failing)
        return;
    *failing = true;
    (void)pthread_mutex_lock(&writer->lock);
    (void)snprintf(writer->error, sizeof writer->error, "%s", diag->message);
    writer->has_error = true;
    (void)pthread_mutex_unlock(&writer->lock);
}

static bool is_gone(const char *path)
{
    return access(path, F_OK) != 0 && errno == ENOENT;
}

/* If the file is gone, writes it again with all current revocations, which the broker's thread
 * knows. */
static oc_err_t append(oc_revocation_writer_t *writer, const job_t *job, oc_diag_t *diag)
{
    oc_err_t err;

    if (is_gone(writer->path)) {
        if (!atomic_load(&writer->may_make)) {
            atomic_store(&writer->gone, true);
            return oc_fail(diag, OC_E_IO, "'%.150s' is gone; writing it again", writer->path);
        }
        atomic_store(&writer->lines, 0);
        err = oc_revocation_file_make(writer->path, diag);
        if (err)
            return err;
    }
    return oc_revocation_file_append(writer->path, job->first, job->last, diag);
}

static void write_changes(oc_revocation_writer_t *writer, const job_t *job)
{
    uint64_t first = job->first->ticket;
    uint64_t last = job->last->ticket;
    oc_diag_t diag = {0};

    if (append(writer, job, &diag) == OC_OK) {
        writer->append_failing = false;
        writer->pause_ms = 0;
        atomic_store(&writer->may_make, false);
        (void)atomic_fetch_add(&writer->lines, last - first + 1);
        /* From here on the list up to `last` is not this thread's. */
        atomic_store(&writer->durable, last);
    } else {
        note_failure(writer, &writer->append_failing, &diag);
        writer->pause_ms = writer->pause_ms ? writer->pause_ms * 2 : RETRY_MS;
        if (writer->pause_ms > RETRY_MAX_MS)
            writer->pause_ms = RETRY_MAX_MS;
        writer->retry_ms = monotonic_ms() + writer->pause_ms;
    }
    /* After `durable`, so that whoever sees it sees how it ended. */
    atomic_store(&writer->attempted, last);
}

/* Not again before the file is twice as long, whether it could be done or not. */
static void tidy(oc_revocation_writer_t *writer)
{
    oc_diag_t diag = {0};
    size_t lines = atomic_load(&writer->lines);
    oc_err_t err =
        oc_revocation_file_tidy(writer->path, atomic_load(&writer->now_s), &lines, &diag);

    atomic_store(&writer->lines, lines);
    atomic_store(&writer->tidy_from, 2 * lines > TIDY_LINES ? 2 * lines : TIDY_LINES);
    if (err)
        note_failure(writer, &writer->tidy_failing, &diag);
    else
        writer->tidy_failing = false;
}

static void *run(void *context)
{
    oc_revocation_writer_t *writer = context;

    for (;;) {
        const job_t job = next_job(writer);

        if (job.first)
            write_changes(writer, &job);
        else if (job.tidy)
            tidy(writer);
        if (job.stop)
            return NULL;
    }
}

/* --- The broker's thread --- */

/* The broker's signals are for the broker's thread; and where a file may not grow, that is an error here and no
 * signal. */
static int start_thread(oc_revocation_writer_t *writer)
{
    sigset_t all;
    sigset_t old;
    int failure;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    failure = pthread_create(&writer->thread, NULL, run, writer);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failure;
}

static void init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

oc_err_t oc_revocation_writer_start(const char *path, oc_revocation_writer_t **ret_writer,
                                    oc_diag_t *diag)
{
    oc_revocation_writer_t *writer = calloc(1, sizeof *writer);

    if (!writer)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    (void)pthread_mutex_init(&writer->lock, NULL);
    init_wake(&writer->wake);
    writer->stopped = true;
    atomic_store(&writer->tidy_from, TIDY_LINES);
    writer->path = strdup(path);
    if (!writer->path || start_thread(writer) != 0) {
        oc_revocation_writer_free(writer);
        return oc_fail(diag, OC_E_NOMEM, "no thread for writing '%.150s'", path);
    }
    writer->stopped = false;
    *ret_writer = writer;
    return OC_OK;
}

/* Free what is on disk.
 * @locks lock */
static void prune(oc_revocation_writer_t *writer)
{
    uint64_t durable = atomic_load(&writer->durable);

    while (writer->first && writer->first->ticket <= durable) {
        oc_revocation_change_t *change = writer->first;

        writer->first = change->next;
        if (!writer->first)
            writer->last = NULL;
        free(change);
    }
}

void oc_revocation_writer_stop(oc_revocation_writer_t *writer)
{
    if (writer->stopped)
        return;
    (void)pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    (void)pthread_cond_signal(&writer->wake);
    (void)pthread_mutex_unlock(&writer->lock);
    (void)pthread_join(writer->thread, NULL);
    writer->stopped = true;
}

void oc_revocation_writer_free(oc_revocation_writer_t *writer)
{
    if (!writer)
        return;
    oc_revocation_writer_stop(writer);
    /* What was put since. */
    if (has_unwritten(writer) && atomic_load(&writer->may_make))
        (void)run(writer);
    while (writer->first) {
        oc_revocation_change_t *change = writer->first;

        writer->first = change->next;
        free(change);
    }
    (void)pthread_cond_destroy(&writer->wake);
    (void)pthread_mutex_destroy(&writer->lock);
    free(writer->path);
    free(writer);
}

const char *oc_revocation_writer_path(const oc_revocation_writer_t *writer)
{
    return writer->path;
}

oc_revocation_change_t *oc_revocation_change_new(const oc_revocation_t *revocation, bool unrevoke)
{
    size_t size = strlen(revocation->name) + 1;
    oc_revocation_change_t *change = calloc(1, sizeof *change + size);

    if (!change)
        return NULL;
    memcpy(change->name, revocation->name, size);
    change->revocation = *revocation;
    change->revocation.name = change->name;
    change->unrevoke = unrevoke;
    return change;
}

uint64_t oc_revocation_writer_put(oc_revocation_writer_t *writer, oc_revocation_change_t *change)
{
    change->ticket = ++writer->last_ticket;
    change->next = NULL;
    (void)pthread_mutex_lock(&writer->lock);
    prune(writer);
    if (writer->last)
        writer->last->next = change;
    else
        writer->first = change;
    writer->last = change;
    (void)pthread_cond_signal(&writer->wake);
    (void)pthread_mutex_unlock(&writer->lock);
    return writer->last_ticket;
}

size_t oc_revocation_writer_unwritten(const oc_revocation_writer_t *writer)
{
    return (size_t)(writer->last_ticket - atomic_load(&writer->durable));
}

uint64_t oc_revocation_writer_durable(const oc_revocation_writer_t *writer)
{
    return atomic_load(&writer->durable);
}

oc_err_t oc_revocation_writer_replay(const oc_revocation_writer_t *writer, uint64_t after,
                                     oc_revocation_set_t *set)
{
    for (const oc_revocation_change_t *change = writer->first; change; change = change->next) {
        oc_err_t err = OC_OK;

        if (change->ticket <= after)
            continue;
        if (change->unrevoke)
            oc_revocation_set_remove(set, change->revocation.kind, change->name);
        else
            err = oc_revocation_set_add(set, &change->revocation);
        if (err)
            return err;
    }
    return OC_OK;
}

bool oc_revocation_writer_settled(const oc_revocation_writer_t *writer, uint64_t ticket,
                                  bool *ret_failed)
{
    bool attempted = ticket <= atomic_load(&writer->attempted);
    bool durable = ticket <= atomic_load(&writer->durable);

    if (attempted || durable)
        *ret_failed = !durable;
    return attempted || durable;
}

static void wake(oc_revocation_writer_t *writer, bool tidy_wanted)
{
    (void)pthread_mutex_lock(&writer->lock);
    writer->tidy_wanted = writer->tidy_wanted || tidy_wanted;
    (void)pthread_cond_signal(&writer->wake);
    (void)pthread_mutex_unlock(&writer->lock);
}

void oc_revocation_writer_note(oc_revocation_writer_t *writer, size_t count, int64_t now_s)
{
    atomic_store(&writer->count, count);
    atomic_store(&writer->now_s, now_s);
    if (mostly_garbage(writer))
        wake(writer, false);
}

void oc_revocation_writer_note_lines(oc_revocation_writer_t *writer, size_t lines)
{
    atomic_store(&writer->lines, lines);
    if (lines > atomic_load(&writer->count))
        wake(writer, true);
}

void oc_revocation_writer_note_gone(oc_revocation_writer_t *writer)
{
    atomic_store(&writer->gone, true);
}

bool oc_revocation_writer_gone(const oc_revocation_writer_t *writer)
{
    return atomic_load_explicit(&writer->gone, memory_order_relaxed);
}

void oc_revocation_writer_make_again(oc_revocation_writer_t *writer)
{
    atomic_store(&writer->may_make, true);
    atomic_store(&writer->gone, false);
    wake(writer, false);
}

bool oc_revocation_writer_take_error(oc_revocation_writer_t *writer,
                                     char ret_error[static OC_REVOCATION_WRITER_ERROR_MAX])
{
    bool found;

    if (pthread_mutex_trylock(&writer->lock) != 0)
        return false;
    found = writer->has_error;
    if (found)
        memcpy(ret_error, writer->error, sizeof writer->error);
    writer->has_error = false;
    (void)pthread_mutex_unlock(&writer->lock);
    return found;
}
