/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing byte buffer with a mandatory limit. Writes past the limit are refused and *remembered*
 * (`failed`), so that a run of writes may be checked once at its end:
 *
 *     struct buf b;
 *     buf_init(&b, 64 * 1024);
 *     buf_add_str(&b, "hello ");
 *     buf_add(&b, name.ptr, name.len);
 *     if (buf_failed(&b)) { ... ERR_TOO_BIG ... }
 *     buf_done(&b);
 *
 * buf_clear keeps the memory: in steady state nothing is allocated.
 */
#ifndef CORE_BASE_BUF_H
#define CORE_BASE_BUF_H

#include "core/base/err.h"
#include "core/base/slice.h"

#include <stdio.h>

struct buf {
    char *ptr;
    size_t len, cap, max;
    bool failed;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b);
static inline void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

/* Room for n more bytes at the end: the place, or NULL at the limit. buf_commit takes what was
 * written there into the length. */
char *buf_room_slow(struct buf *b, size_t n);
static inline char *buf_room(struct buf *b, size_t n)
{
    /* One byte more than asked for, so that an empty buffer asked for nothing gets memory, too. */
    return LIKELY(b->cap - b->len > n) ? b->ptr + b->len : buf_room_slow(b, n);
}
static inline void buf_commit(struct buf *b, size_t n)
{
    b->len += n;
}

static inline bool buf_add(struct buf *b, const void *p, size_t n)
{
    char *to = buf_room(b, n);
    if (UNLIKELY(to == NULL)) {
        return false;
    }
    if (n > 0) {
        memcpy(to, p, n);
    }
    b->len += n;
    return true;
}
static inline bool buf_add_byte(struct buf *b, uint8_t c)
{
    return buf_add(b, &c, 1);
}
static inline bool buf_add_slice(struct buf *b, struct slice s)
{
    return buf_add(b, s.ptr, s.len);
}
bool buf_add_str(struct buf *b, const char *s);
bool buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Removes the first n bytes; the rest moves down. */
void buf_drop(struct buf *b, size_t n);
/* The contents, valid until the next write. buf_cstr adds a NUL behind them ("" at the limit). */
static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->ptr, b->len};
}
const char *buf_cstr(struct buf *b);
void buf_print(const struct buf *b, FILE *to); /* all of it */
/* The whole file ("-": standard input) behind what is there; an error names the file. */
int buf_read_file(struct buf *b, const char *path, struct err *reterr) NODISCARD;
static inline bool buf_failed(const struct buf *b)
{
    return b->failed;
}

#endif
