/* SPDX-License-Identifier: Apache-2.0
 *
 * See buf.h. Grows by doubling, never past max.
 */
#include "core/base/buf.h"

#include "core/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { BUF_FIRST_CAP = 64 };

void buf_init(struct buf *b, size_t max_bytes)
{
    assert(b != NULL);
    assert(max_bytes > 0);
    *b = (struct buf){.max = max_bytes};
}

void buf_done(struct buf *b)
{
    if (b != NULL) {
        mem_free(b->ptr);
        *b = (struct buf){.max = b->max};
    }
}

char *buf_room_slow(struct buf *b, size_t n)
{
    assert(b->max > 0);
    if (n > b->max - b->len || mem_limit_refused()) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + n;
    if (need > b->cap || b->ptr == NULL) {
        size_t cap = b->cap > 0 ? b->cap : BUF_FIRST_CAP;
        while (cap < need) {
            cap *= 2;
        }
        b->cap = MIN(cap, MAX(b->max, need));
        b->ptr = mem_realloc(b->ptr, b->cap);
    }
    return b->ptr + b->len;
}

bool buf_add_str(struct buf *b, const char *s)
{
    assert(s != NULL);
    return buf_add(b, s, strlen(s));
}

bool buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    /* The formatter writes a NUL behind the text: it needs one byte more than it keeps. */
    char *to = n >= 0 ? buf_room(b, (size_t)n + 1) : NULL;
    if (to == NULL) {
        b->failed = true;
        return false;
    }
    va_start(ap, fmt);
    vsnprintf(to, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return true;
}

void buf_drop(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n > 0) {
        memmove(b->ptr, b->ptr + n, b->len - n);
        b->len -= n;
    }
}

const char *buf_cstr(struct buf *b)
{
    char *end = buf_room(b, 1);
    if (end == NULL) {
        return "";
    }
    *end = '\0';
    return b->ptr;
}

void buf_print(const struct buf *b, FILE *to)
{
    if (b->len > 0) { /* an empty buffer may have no memory */
        (void)fwrite(b->ptr, 1, b->len, to);
    }
}

int buf_read_file(struct buf *b, const char *path, struct err *reterr)
{
    char part[16 * 1024];
    bool is_input = strcmp(path, "-") == 0;
    FILE *f = is_input ? stdin : fopen(path, "rb");
    if (f == NULL) {
        return err_set(reterr, ERR_IO, "%s: %s", path, strerror(errno));
    }
    int rc = 0;
    size_t n;
    while (rc == 0 && (n = fread(part, 1, sizeof part, f)) > 0) {
        if (!buf_add(b, part, n)) {
            rc = b->max >= 1 << 20
                     ? err_set(reterr, ERR_TOO_BIG, "%s: larger than %zu MiB", path, b->max >> 20)
                     : err_set(reterr, ERR_TOO_BIG, "%s: larger than %zu bytes", path, b->max);
        }
    }
    if (rc == 0 && ferror(f) != 0) {
        rc = err_set(reterr, ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (!is_input) {
        (void)fclose(f);
    }
    return rc;
}
