/* SPDX-License-Identifier: MIT */
#ifndef ORGCAST_ERR_H
#define ORGCAST_ERR_H

/** @file
 *  Errors of the public interface. Every function that can fail in two ways returns an
 *  orgcast_err_t; ORGCAST_OK is 0. After an error nothing was done. Detail goes to an optional orgcast_diag_t that the caller owns. */

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && __GNUC__ >= 4
#define ORGCAST_API __attribute__((visibility("default")))
#define ORGCAST_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ORGCAST_API
#define ORGCAST_MUST_CHECK
#endif

typedef enum orgcast_err {
    ORGCAST_OK = 0,
    ORGCAST_E_INVALID = 1, /**< an argument or an event's field failed its check */
    ORGCAST_E_NOMEM = 2,   /**< out of memory */
    ORGCAST_E_FULL = 3,    /**< queue_max_events reached: try again after a report */
    ORGCAST_E_IO = 4,      /**< a file could not be read, or the system not be asked */
    ORGCAST_E_TIMEOUT = 5, /**< the given time passed first */
    ORGCAST_E_CLOSED = 6,  /**< the emitter is being closed */
    ORGCAST_E_TOKEN = 7    /**< the token source gave no token */
} orgcast_err_t;

/** Where and why something failed. The first failure wins; later ones do not overwrite it. */
typedef struct orgcast_diag {
    orgcast_err_t code; /**< ORGCAST_OK while nothing has failed */
    char message[256];  /**< one sentence, UTF-8, NUL-terminated; empty while nothing has failed */
} orgcast_diag_t;

/** The constant's short name, for example "full" for ORGCAST_E_FULL. Never NULL. Any thread.
 *  @since 0.1 */
ORGCAST_API const char *orgcast_err_name(orgcast_err_t err);

/** The library's version, for example "0.1.0". Any thread. @since 0.1 */
ORGCAST_API const char *orgcast_version(void);

#ifdef __cplusplus
}
#endif
#endif
