/* SPDX-License-Identifier: Apache-2.0
 *
 * Error objects. The caller owns one, usually on his stack, and passes it as the last parameter;
 * the callee fills it and returns -code, so reporting an error allocates nothing. Codes are rows
 * of err.def. A source span (line, col, len: 1-based, 0 = none) points into rule text, YAML, JSON.
 *
 *     if (len > max) {
 *         return err_set(reterr, ERR_TOO_BIG, "value of %zu bytes: at most %zu are accepted", len,
 * max);
 *     }
 *
 * On the way up a caller may add context: err_wrap(reterr, "rule %s", name) gives "rule x: ...".
 */
#ifndef CORE_BASE_ERR_H
#define CORE_BASE_ERR_H

#include "core/base/attr.h"

#include <stdint.h>

enum err_code {
#define ERR(name, number, doc) ERR_##name = (number),
#include "core/base/err.def"
#undef ERR
};

enum err_flag {
    ERR_FLAG_RETRY = 1, /* the same call may succeed later */
    ERR_FLAG_USER = 4,  /* caused by what a user wrote: show it to him, do not alarm */
};

struct err {
    enum err_code code;
    uint8_t flags;
    uint32_t line, col, len;
    const char *file; /* of our source: where it was set */
    int src_line;
    char msg[240];
};

/* An analyzer sees through this that the value of err_set is not 0. */
static inline int err_value(int rc, enum err_code code)
{
    return rc < 0 ? rc : -(int)code;
}
#define err_set(e_, code_, ...)                                                                    \
    err_value(err_set_at((e_), (code_), __FILE__, __LINE__, __VA_ARGS__), (code_))

/* Fills *e (which may be NULL) and returns -code. */
int err_set_at(struct err *e, enum err_code code, const char *file, int src_line, const char *fmt,
               ...) PRINTF_LIKE(5, 6);
/* Prepends "context: " to the message. Returns -e->code, so `return err_wrap(...)` reads well. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
void err_span(struct err *e, uint32_t line, uint32_t col, uint32_t len);
void err_flags(struct err *e, uint8_t flags);
void err_clear(struct err *e);
/* "LIMIT". Any number is accepted. */
const char *err_name(int code);

#endif
