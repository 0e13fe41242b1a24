/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads JSON (RFC 8259) token by token out of one whole slice, without building a tree. Strings
 * point into the input; only those with escapes are written to the arena. Numbers are exact: an
 * integer that fits is an int64 or else a uint64, everything else the nearest double.
 *
 *     struct jsonpull r;
 *     jsonpull_init(&r, text, arena, JSONPULL_LENIENT, 64);
 *     struct jsonpull_token t;
 *     while (jsonpull_next(&r, &t) > JSONPULL_END) { ... }
 *     if (t.kind == JSONPULL_ERROR) { return jsonpull_error(&r, reterr); }
 *
 * Structure is checked here: every KEY is followed by one value, containers are closed by their own
 * bracket, nothing stands behind the top value. Keys come as they stand, twice if they stand twice.
 * The error remembers its place; line and column are counted only when it is asked for.
 *
 * What is no Unicode: strict refuses it; lenient hands bad UTF-8 through as it is (whoever writes
 * the event repairs and flags it) and makes U+FFFD of a lone surrogate escape.
 */
#ifndef CORE_CODEC_JSONPULL_H
#define CORE_CODEC_JSONPULL_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/slice.h"

enum jsonpull_kind {
    JSONPULL_ERROR = 0,
    JSONPULL_END = 1, /* of the text */
    JSONPULL_NULL = 2,
    JSONPULL_BOOL = 3,
    JSONPULL_INT = 4,    /* i */
    JSONPULL_UINT = 5,   /* u: above 2^63-1 */
    JSONPULL_DOUBLE = 6, /* d */
    JSONPULL_STRING = 7, /* text */
    JSONPULL_KEY = 8,    /* text */
    JSONPULL_OBJECT = 9,
    JSONPULL_OBJECT_END = 10,
    JSONPULL_ARRAY = 11,
    JSONPULL_ARRAY_END = 12,
};

enum jsonpull_mode { JSONPULL_STRICT = 0, JSONPULL_LENIENT = 1 };
enum { JSONPULL_DEPTH_MAX = 512 };

struct jsonpull_token {
    enum jsonpull_kind kind;
    struct slice text; /* STRING, KEY: unescaped; numbers: as written */
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
    };
};

struct jsonpull {
    const char *start, *at, *end;
    struct arena *arena;
    enum jsonpull_mode mode;
    uint8_t expect; /* what may come next */
    uint32_t depth, depth_max;
    uint64_t is_object[JSONPULL_DEPTH_MAX / 64]; /* one bit for each open container */
    enum err_code code;
    const char *why;
};

/* A leading byte order mark is skipped. depth_max: of containers, at most JSONPULL_DEPTH_MAX. The
 * arena may be NULL while no string has escapes; then those are errors. */
void jsonpull_init(struct jsonpull *r, struct slice text, struct arena *a, enum jsonpull_mode mode,
                   uint32_t depth_max);
/* The kind of the token, also in it. After END or ERROR it stays that. */
enum jsonpull_kind jsonpull_next(struct jsonpull *r, struct jsonpull_token *ret_token);
/* Having read the first token of a value (not a KEY), goes behind the value. False: an error. */
bool jsonpull_skip(struct jsonpull *r, const struct jsonpull_token *first);
/* The caller finds a value wrong: from now on jsonpull_next gives ERROR, at the place reached.
 * why must outlive the reader. */
void jsonpull_refuse(struct jsonpull *r, enum err_code code, const char *why);
/* Fills *reterr with the reason, line and column. Returns -code. */
int jsonpull_error(const struct jsonpull *r, struct err *reterr);

#endif
