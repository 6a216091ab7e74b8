/* SPDX-License-Identifier: MIT */
#include "oom.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

_Thread_local oom_memory_t oom_memory;

static bool fails(void)
{
    bool now;

    if (!oom_memory.armed)
        return false;
    now = oom_memory.fail_at >= 0 && (oom_memory.for_good ? oom_memory.count >= oom_memory.fail_at
                                                          : oom_memory.count == oom_memory.fail_at);
    oom_memory.count++;
    oom_memory.failed += now;
    return now;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : __real_malloc(size);
}

static void *openssl_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : __real_realloc(block, size);
}

static void openssl_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}

void oom_arm(long fail_at, bool for_good)
{
    oom_memory.armed = true;
    oom_memory.for_good = for_good;
    oom_memory.count = 0;
    oom_memory.failed = 0;
    oom_memory.fail_at = fail_at;
}

void oom_disarm(void)
{
    oom_memory.armed = false;
}

void oom_install(void)
{
    if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
        abort();
    json_set_alloc_funcs(__wrap_malloc, free);
    oc_json_guard_install();
}

/* How many allocations OpenSSL makes depends on random numbers and on its caches, so the last few may not come:
 * at most a tenth, and at most 16. */
static bool may_be_absent(long at, long needed)
{
    return needed - at <= needed / 10 && needed - at <= 16;
}

void oom_each_allocation(const char *name, void (*body)(bool failing))
{
    long needed;

    body(false);
    oom_arm(-1, false);
    body(false);
    needed = oom_memory.count;
    oom_disarm();
    ck_assert_msg(needed > 0, "%s allocates nothing", name);
    for (int for_good = 0; for_good < 2; for_good++) {
        for (long at = 0; at < needed; at++) {
            oom_arm(at, for_good);
            body(true);
            oom_disarm();
            ck_assert_msg(oom_memory.failed > 0 || may_be_absent(at, needed),
                          "%s: allocation %ld of %ld did not come", name, at, needed);
            ck_assert_msg(ERR_peek_error() == 0, "%s: errors left, allocation %ld", name, at);
        }
    }
    body(false);
}
