/* SPDX-License-Identifier: MIT */
#include "audit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "utf8.h"

/* After a failed write the next try, unless something else wakes the thread. */
#define RETRY_MS 1000
/* Between two writes, so that a busy broker wakes the thread for many lines at once. */
#define GATHER_MS 10
/* So much, and it is written at once. */
#define GATHER_BYTES (OC_AUDIT_BUFFER_BYTES / 2)

#define LOST_LINE_MAX 128

/* Whole lines on their way to the file. */
typedef struct lines {
    size_t len;
    size_t old_len;  /* these belong into the file of before the last oc_audit_reopen() */
    uint64_t lost;   /* lines that came after these and found no room */
    int64_t lost_ms; /* the time of the last of them */
    char bytes[OC_AUDIT_BUFFER_BYTES + LOST_LINE_MAX];
} lines_t;

struct oc_audit {
    char *path;
    pthread_t thread;
    atomic_uint_fast64_t lost;

    /* The writing thread's alone, once it runs. */
    int fd;
    lines_t *batch; /* being written */
    size_t done;    /* bytes of it that are in the file */
    bool failing;   /* the last write failed, and that was said */

    pthread_mutex_t lock; /* guards what follows; held for a copy, never while writing */
    pthread_cond_t wake;
    lines_t *filling;
    bool idle; /* the thread waits for a line, without a deadline */
    bool reopening;
    bool stopping;
    bool has_error;
    char error[OC_AUDIT_ERROR_MAX];

    lines_t buffers[2];
};

/* --- The line --- */

/* As large as the longest line: each string with its comma, name and quotes, and all the rest. */
#define STRING_BYTES(field, member, max) char field[sizeof(",\"" member "\":\"\"") - 1 + (max)];
struct longest_line {
    OC_AUDIT_STRINGS(STRING_BYTES)
    char rest[sizeof("{\"time\":\"2026-11-24T10:00:00.123Z\",\"protocol\":2147483647,"
                     "\"count\":18446744073709551615}\n") -
              1];
};
static_assert(sizeof(struct longest_line) <= OC_AUDIT_LINE_MAX, "a line is longer than its buffer");

static char *put(char *out, const void *bytes, size_t len)
{
    memcpy(out, bytes, len);
    return out + len;
}

#define put_literal(out, literal) put(out, "" literal, sizeof(literal) - 1)

/* A number of that many digits, and the character that follows it. */
static char *put_padded(char *out, uint64_t value, int digits, char after)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    out[digits] = after;
    return out + digits + 1;
}

static char *put_number(char *out, uint64_t value)
{
    int digits = 1;

    for (uint64_t rest = value; rest >= 10; rest /= 10)
        digits++;
    (void)put_padded(out, value, digits, '\0');
    return out + digits;
}

static char *put_escape(char *out, uint32_t code)
{
    static const char hex[] = "0123456789abcdef";

    out = put_literal(out, "\\u");
    for (int shift = 12; shift >= 0; shift -= 4)
        *out++ = hex[code >> shift & 15];
    return out;
}

/* Put what stands for the character at text in a JSON string, at most 6 bytes: for each byte of what is no
 * strict UTF-8, or a noncharacter, U+FFFD. *ret_len: how many bytes of text that was. */
static char *put_character(char *out, const char *text, size_t len, size_t *ret_len)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t n = bytes[0] < 0xc0 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    uint32_t code = bytes[0] & (n == 1 ? 0xff : 0x7fU >> n);

    *ret_len = 1;
    if (bytes[0] == '"' || bytes[0] == '\\') {
        *out++ = '\\';
        return put(out, text, 1);
    }
    if (bytes[0] < 0x20 || bytes[0] == 0x7f)
        return put_escape(out, bytes[0]);
    if (bytes[0] < 0x80)
        return put(out, text, 1);
    for (size_t i = 1; i < n && i < len; i++)
        code = code << 6 | (bytes[i] & 0x3f);
    if (n == 2 && len >= 2 && bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] < 0xa0) {
        *ret_len = 2; /* the other control characters, U+0080 to U+009F */
        return put_escape(out, code);
    }
    if (n > len || !oc_utf8_printable(text, n))
        return put_literal(out, "\xef\xbf\xbd");
    *ret_len = n;
    return oc_utf8_misleads(code) ? put_escape(out, code) : put(out, text, n);
}

static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Put a text as the inside of a JSON string, in at most max bytes. */
static char *put_escaped(char *out, const char *text, size_t max)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    const char *end = out + max;
    char *cut = out; /* the last place that leaves room for the ellipsis */
    /* No character gets shorter, so that one byte more is enough to see that it does not fit. */
    size_t len = strnlen(text, max + 1);

    for (size_t i = 0; i < len;) {
        if (is_plain(text[i]) && out < end) {
            *out++ = text[i++];
        } else {
            char piece[8];
            size_t n;
            size_t piece_len = (size_t)(put_character(piece, text + i, len - i, &n) - piece);

            if (piece_len > (size_t)(end - out))
                return put(cut, ellipsis, sizeof ellipsis - 1);
            out = put(out, piece, piece_len);
            i += n;
        }
        if ((size_t)(end - out) >= sizeof ellipsis - 1)
            cut = out;
    }
    return out;
}

/* RFC 3339 §5.6, UTC, as a member `"time":"…"`. Not gmtime_r(), which may read files. */
static char *put_time(char *out, int64_t time_ms)
{
    const int64_t last_ms = 253402300799999; /* 9999-12-31T23:59:59.999Z */
    uint64_t ms = (uint64_t)(time_ms < 0 ? 0 : time_ms > last_ms ? last_ms : time_ms);
    uint64_t second = ms / 1000 % 86400;
    /* Days since 0000-03-01, so that a leap day is the last of its year; 146,097 make 400 years. */
    uint64_t days = ms / 86400000 + 719468;
    uint64_t day = days % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t month;

    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153; /* since March */
    day -= (153 * month + 2) / 5;
    year += days / 146097 * 400 + (month >= 10);
    out = put_literal(out, "\"time\":\"");
    out = put_padded(out, year, 4, '-');
    out = put_padded(out, month >= 10 ? month - 9 : month + 3, 2, '-');
    out = put_padded(out, day + 1, 2, 'T');
    out = put_padded(out, second / 3600, 2, ':');
    out = put_padded(out, second / 60 % 60, 2, ':');
    out = put_padded(out, second % 60, 2, '.');
    out = put_padded(out, ms % 1000, 3, 'Z');
    *out++ = '"';
    return out;
}

size_t oc_audit_format(const oc_audit_entry_t *entry, char out[static OC_AUDIT_LINE_MAX])
{
    char *at = put_literal(out, "{");

    at = put_time(at, entry->time_ms);
#define PUT_STRING(field, member, max)                                                             \
    if (entry->field) {                                                                            \
        at = put_literal(at, ",\"" member "\":\"");                                                \
        at = put_escaped(at, entry->field, max);                                                   \
        *at++ = '"';                                                                               \
    }
    OC_AUDIT_STRINGS(PUT_STRING)
#undef PUT_STRING
    if (entry->protocol > 0)
        at = put_number(put_literal(at, ",\"protocol\":"), (uint64_t)entry->protocol);
    if (entry->count > 0)
        at = put_number(put_literal(at, ",\"count\":"), entry->count);
    *at++ = '}';
    *at++ = '\n';
    return (size_t)(at - out);
}

/* --- The file, on the writing thread --- */

/* O_NONBLOCK: opening a FIFO must not hang the caller. A link is not followed, because whoever could put
 * one there would choose a file of the broker's user that is written to. */
static oc_err_t open_file(const char *path, int *ret_fd, oc_diag_t *diag)
{
    int fd = open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0640);
    struct stat st;

    if (fd < 0 && errno == EISDIR)
        return oc_fail(diag, OC_E_IO, "'%.150s' is a directory", path);
    if (fd < 0 && errno == ELOOP)
        return oc_fail(diag, OC_E_IO, "'%.150s' is a symbolic link: name the file itself", path);
    if (fd < 0 && errno == EACCES)
        return oc_fail(diag, OC_E_IO, "'%.150s': not writable for user id %u", path,
                       (unsigned)geteuid());
    if (fd < 0 && errno != ENXIO) /* a FIFO or a socket */
        return oc_fail(diag, OC_E_IO, "'%.150s': %s", path, strerror(errno));
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            (void)close(fd);
        return oc_fail(diag, OC_E_IO, "'%.150s' is not a regular file", path);
    }
    *ret_fd = fd;
    return OC_OK;
}

static void tell(oc_audit_t *audit, const char *text)
{
    (void)pthread_mutex_lock(&audit->lock);
    (void)snprintf(audit->error, sizeof audit->error, "%s", text);
    audit->has_error = true;
    (void)pthread_mutex_unlock(&audit->lock);
}

/* After a failed write: take the line that is in the file in part out again, so that the file ends with a
 * whole one and whoever reads it meanwhile sees no other. Where that is impossible, because somebody else
 * wrote into or cut off the file, the line goes on where it stopped. */
static void take_back(oc_audit_t *audit)
{
    const lines_t *batch = audit->batch;
    size_t whole = audit->done;
    off_t end = lseek(audit->fd, 0, SEEK_CUR); /* of the last write */
    struct stat st;

    while (whole > 0 && batch->bytes[whole - 1] != '\n')
        whole--;
    if (whole < audit->done && end >= 0 && fstat(audit->fd, &st) == 0 && st.st_size == end &&
        ftruncate(audit->fd, end - (off_t)(audit->done - whole)) == 0)
        audit->done = whole;
}

/* Until the next try. */
static void give_up(oc_audit_t *audit, int cause)
{
    char text[OC_AUDIT_ERROR_MAX];

    take_back(audit);
    if (!audit->failing) {
        (void)snprintf(text, sizeof text,
                       "audit_log_file '%.150s': %s; it is tried again, and lines are lost once "
                       "too many wait",
                       audit->path, strerror(cause));
        tell(audit, text);
    }
    audit->failing = true;
}

/* Write the batch up to that byte. What cannot be written stays for the next try. */
static void write_to(oc_audit_t *audit, size_t len)
{
    while (audit->done < len) {
        ssize_t put = write(audit->fd, audit->batch->bytes + audit->done, len - audit->done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            give_up(audit, put < 0 ? errno : EIO);
            return;
        }
        audit->done += (size_t)put;
        audit->failing = audit->failing && audit->done < len;
    }
}

static void reopen(oc_audit_t *audit)
{
    const lines_t *batch = audit->batch;
    char text[OC_AUDIT_ERROR_MAX];
    oc_diag_t diag = {0};
    int fd = -1;

    if (open_file(audit->path, &fd, &diag) != OC_OK) {
        (void)snprintf(text, sizeof text, "audit_log_file %.200s; the old file stays",
                       diag.message);
        tell(audit, text);
        return;
    }
    (void)close(audit->fd);
    audit->fd = fd;
    audit->failing = false;
    /* A line that the old file has in part is written whole into the new one. */
    while (audit->done > 0 && batch->bytes[audit->done - 1] != '\n')
        audit->done--;
}

/* The end of a wait that begins now. */
static struct timespec after_ms(long ms)
{
    struct timespec end;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += ms % 1000 * 1000000;
    end.tv_sec += ms / 1000 + end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    return end;
}

/* Wait until there is something to do.
 * @locks lock, which is released while waiting */
static void wait_for_work(oc_audit_t *audit)
{
    struct timespec end = after_ms(audit->failing ? RETRY_MS : GATHER_MS);

    while (!audit->stopping && !audit->reopening &&
           (audit->failing || audit->filling->len < GATHER_BYTES) &&
           pthread_cond_timedwait(&audit->wake, &audit->lock, &end) == 0)
        ;
    audit->idle = true;
    while (!audit->stopping && !audit->reopening && !audit->failing && audit->filling->len == 0)
        (void)pthread_cond_wait(&audit->wake, &audit->lock);
    audit->idle = false;
}

/* Take the lines that are there for a batch, and leave an empty buffer. Lines that could not be written
 * yet come first.
 * @locks lock */
static void take_batch(oc_audit_t *audit)
{
    lines_t *batch = audit->batch;

    if (audit->done < batch->len) {
        batch->old_len = batch->len;
        return;
    }
    batch->len = batch->old_len = 0;
    audit->batch = audit->filling;
    audit->filling = batch;
    audit->done = 0;
}

/* Every lost line comes after the batch's last, and before the next batch's first. */
static void put_lost(lines_t *batch)
{
    char *at = batch->bytes + batch->len;

    if (batch->lost == 0)
        return;
    at = put_literal(at, "{");
    at = put_time(at, batch->lost_ms);
    at = put_literal(at, ",\"action\":\"audit_lost\",\"count\":");
    at = put_number(at, batch->lost);
    *at++ = '}';
    *at++ = '\n';
    batch->len = (size_t)(at - batch->bytes);
    batch->lost = 0;
}

static void *run(void *context)
{
    oc_audit_t *audit = context;
    bool stopping;
    bool more;

    do {
        bool reopening;

        (void)pthread_mutex_lock(&audit->lock);
        wait_for_work(audit);
        take_batch(audit);
        stopping = audit->stopping;
        reopening = audit->reopening;
        audit->reopening = false;
        (void)pthread_mutex_unlock(&audit->lock);

        more = audit->batch->len > 0;
        put_lost(audit->batch);
        if (reopening) {
            /* A file that takes nothing any more does not keep its successor from being opened. */
            write_to(audit, audit->batch->old_len);
            reopen(audit);
        }
        write_to(audit, audit->batch->len);
        /* At the end, lines may have gathered behind a batch that had to wait. */
    } while (!stopping || (more && !audit->failing));
    return NULL;
}

/* --- The broker's side --- */

/* The broker's signals are for the broker's thread. */
static int start_thread(oc_audit_t *audit)
{
    sigset_t all;
    sigset_t old;
    int failure;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    failure = pthread_create(&audit->thread, NULL, run, audit);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failure;
}

static void audit_free(oc_audit_t *audit)
{
    if (audit->fd >= 0)
        (void)close(audit->fd);
    (void)pthread_cond_destroy(&audit->wake);
    (void)pthread_mutex_destroy(&audit->lock);
    free(audit->path);
    free(audit);
}

oc_err_t oc_audit_open(const char *path, oc_audit_t **ret_audit, oc_diag_t *diag)
{
    oc_audit_t *audit = calloc(1, sizeof *audit);
    pthread_condattr_t monotonic;
    oc_err_t err = OC_OK;

    if (!audit)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    audit->fd = -1;
    audit->filling = &audit->buffers[0];
    audit->batch = &audit->buffers[1];
    (void)pthread_mutex_init(&audit->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&audit->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    audit->path = strdup(path);
    if (!audit->path)
        err = oc_fail(diag, OC_E_NOMEM, "out of memory");
    if (!err)
        err = open_file(path, &audit->fd, diag);
    if (!err && start_thread(audit) != 0)
        err = oc_fail(diag, OC_E_NOMEM, "no thread for writing '%.150s'", path);
    if (err) {
        audit_free(audit);
        return err;
    }
    *ret_audit = audit;
    return OC_OK;
}

void oc_audit_close(oc_audit_t *audit)
{
    if (!audit)
        return;
    (void)pthread_mutex_lock(&audit->lock);
    audit->stopping = true;
    (void)pthread_cond_signal(&audit->wake);
    (void)pthread_mutex_unlock(&audit->lock);
    (void)pthread_join(audit->thread, NULL);
    audit_free(audit);
}

void oc_audit_reopen(oc_audit_t *audit)
{
    if (!audit)
        return;
    (void)pthread_mutex_lock(&audit->lock);
    audit->filling->old_len = audit->filling->len;
    audit->reopening = true;
    (void)pthread_cond_signal(&audit->wake);
    (void)pthread_mutex_unlock(&audit->lock);
}

void oc_audit_write(oc_audit_t *audit, const oc_audit_entry_t *entry)
{
    char line[OC_AUDIT_LINE_MAX];
    lines_t *filling;
    size_t len;
    bool wake = false;

    if (!audit)
        return;
    len = oc_audit_format(entry, line);
    (void)pthread_mutex_lock(&audit->lock);
    filling = audit->filling;
    /* A shorter line that would still fit does not jump over one that was lost. */
    if (filling->lost > 0 || len > OC_AUDIT_BUFFER_BYTES - filling->len) {
        filling->lost++;
        filling->lost_ms = entry->time_ms;
        (void)atomic_fetch_add_explicit(&audit->lost, 1, memory_order_relaxed);
    } else {
        memcpy(filling->bytes + filling->len, line, len);
        filling->len += len;
        wake = audit->idle || (filling->len >= GATHER_BYTES && filling->len - len < GATHER_BYTES);
    }
    (void)pthread_mutex_unlock(&audit->lock);
    /* Only a thread that waits is woken: the call costs more than all of the above. */
    if (wake)
        (void)pthread_cond_signal(&audit->wake);
}

uint64_t oc_audit_lost(const oc_audit_t *audit)
{
    return audit ? atomic_load_explicit(&audit->lost, memory_order_relaxed) : 0;
}

bool oc_audit_take_error(oc_audit_t *audit, char *out, size_t cap)
{
    bool found;

    if (!audit)
        return false;
    (void)pthread_mutex_lock(&audit->lock);
    found = audit->has_error;
    audit->has_error = false;
    if (found)
        (void)snprintf(out, cap, "%s", audit->error);
    (void)pthread_mutex_unlock(&audit->lock);
    return found;
}
