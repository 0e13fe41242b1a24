/* SPDX-License-Identifier: Apache-2.0
 *
 * See err.h. To add a code: one row in err.def.
 */
#include "core/base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err_row {
    int number;
    const char *name;
};

static const struct err_row rows[] = {
#define ERR(name, number, doc) {(number), #name},
#include "core/base/err.def"
#undef ERR
};

static const struct err_row *row_of(int code)
{
    code = code < 0 ? -code : code;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].number == code) {
            return &rows[i];
        }
    }
    return NULL;
}

int err_set_at(struct err *e, enum err_code code, const char *file, int src_line, const char *fmt,
               ...)
{
    assert(code != ERR_OK);
    assert(fmt != NULL);
    if (e != NULL) {
        va_list ap;
        *e = (struct err){.code = code, .file = file, .src_line = src_line};
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof e->msg, fmt, ap);
        va_end(ap);
    }
    return -(int)code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    if (e == NULL) {
        return -(int)ERR_UNKNOWN;
    }
    assert(e->code != ERR_OK);
    char old[sizeof e->msg];
    memcpy(old, e->msg, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->msg) {
        snprintf(e->msg + n, sizeof e->msg - (size_t)n, ": %s", old);
    }
    return -(int)e->code;
}

void err_span(struct err *e, uint32_t line, uint32_t col, uint32_t len)
{
    if (e != NULL) {
        e->line = line;
        e->col = col;
        e->len = len;
    }
}

void err_flags(struct err *e, uint8_t flags)
{
    if (e != NULL) {
        e->flags |= flags;
    }
}

void err_clear(struct err *e)
{
    if (e != NULL) {
        *e = (struct err){.code = ERR_OK};
    }
}

const char *err_name(int code)
{
    const struct err_row *row = row_of(code);
    return row != NULL ? row->name : "?";
}
