/* SPDX-License-Identifier: Apache-2.0
 *
 * A borrowed run of bytes, passed by value. Never NUL-terminated, never owned: whoever made the
 * bytes says how long they live. {NULL, 0} is the absent slice, {"", 0} the empty one; both have
 * length 0 and compare equal.
 */
#ifndef CORE_BASE_SLICE_H
#define CORE_BASE_SLICE_H

#include "core/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *ptr;
    size_t len;
};

#define SLICE(lit)   ((struct slice){"" lit, sizeof(lit) - 1})
#define SLICE_NONE   ((struct slice){NULL, 0})
#define SLICE_FMT    "%.*s"
#define SLICE_ARG(s) (int)((s).len < 4096 ? (s).len : 4096), ((s).ptr != NULL ? (s).ptr : "")

static inline struct slice slice_of(const void *ptr, size_t len)
{
    return (struct slice){(const char *)ptr, len};
}

/* From a NUL-terminated string; NULL gives the absent slice. */
static inline struct slice slice_str(const char *s)
{
    return (struct slice){s, s != NULL ? strlen(s) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* [from, to) clamped to the slice. */
static inline struct slice slice_sub(struct slice s, size_t from, size_t to)
{
    to = to > s.len ? s.len : to;
    from = from > to ? to : from;
    return (struct slice){s.ptr != NULL ? s.ptr + from : NULL, to - from};
}

int slice_cmp(struct slice a, struct slice b);        /* bytewise, shorter first */
bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII only */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
/* Position of the first c or part, or s.len if there is none. */
size_t slice_find(struct slice s, char c);
size_t slice_find_slice(struct slice s, struct slice part);
struct slice slice_trim(struct slice s); /* spaces, tabs, CR, LF at both ends */
/* Takes the part before the next `sep` off *rest; false when *rest was absent (all taken). */
bool slice_split(struct slice *rest, char sep, struct slice *ret_part);

/* Whole-slice numbers: false on anything else, overflow included. */
bool slice_to_i64(struct slice s, int64_t *ret);
bool slice_to_u64(struct slice s, uint64_t *ret);
bool slice_to_f64(struct slice s, double *ret); /* also nan, inf, infinity in any case */
bool slice_is_utf8(struct slice s);
/* Edit distance for "did you mean"; gives up and returns limit + 1 above the limit (at most 16). */
unsigned slice_distance(struct slice a, struct slice b, unsigned limit);

#endif
