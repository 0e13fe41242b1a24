/* SPDX-License-Identifier: Apache-2.0
 *
 * The value that everything from decoder to rule engine passes around: 16 bytes, by value. Strings,
 * bytes, lists and maps are borrowed: they point into the input of the batch they came from, into
 * an arena or into constants, and live as long as that. Nothing here owns or counts anything.
 *
 * A map's pairs are sorted by key bytes and its keys are distinct: the decoder sees to it, others
 * call val_map_sort. So maps compare in one pass and are searched by halving.
 *
 * Two notions of equality. val_cmp/val_equal compare meaning: 1 equals 1.0, -0.0 equals 0, NaN
 * equals NaN; exactly then the key bytes (key.h) of both are equal, too. val_same compares
 * representation, bit by bit. Values nest at most VAL_DEPTH_MAX deep; who builds them holds that.
 */
#ifndef CORE_EVENT_VAL_H
#define CORE_EVENT_VAL_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/slice.h"

/* Stored and sent: the numbers are those of the branches of Value in event_batch.avsc. */
enum val_tag {
    VAL_NULL = 0,
    VAL_BOOL = 1,
    VAL_INT = 2,
    VAL_DOUBLE = 3,
    VAL_STRING = 4,
    VAL_BYTES = 5,
    VAL_LIST = 6,
    VAL_MAP = 7,
    VAL_TAGS = 8,
};

enum { VAL_DEPTH_MAX = 32, VAL_NUMBER_MAX = 32 };

struct val_pair;

struct val {
    uint8_t tag; /* enum val_tag */
    uint8_t pad[3];
    uint32_t len; /* bytes of a string or bytes, items of a list or map, else 0 */
    union {
        bool b;
        int64_t i;
        double d;
        const char *str; /* string and bytes; never NUL-terminated */
        const struct val *list;
        const struct val_pair *map;
        uint64_t bits; /* to compare or copy without knowing the tag */
    };
};

/* One entry of a map, of a payload or of a context. key_id is the interned number of the key in
 * payloads and contexts (0 when the table was full), always 0 inside nested maps. */
struct val_pair {
    const char *key;
    uint32_t key_len, key_id;
    struct val value;
};

_Static_assert(sizeof(struct val) == 16, "registers, windows and columns count on 16 bytes");
_Static_assert(sizeof(struct val_pair) == 32, "two pairs fill a cache line");

static inline struct val val_null(void)
{
    return (struct val){.tag = VAL_NULL};
}
static inline struct val val_bool(bool b)
{
    struct val v = {.tag = VAL_BOOL};
    v.bits = 0;
    v.b = b;
    return v;
}
static inline struct val val_int(int64_t i)
{
    return (struct val){.tag = VAL_INT, .i = i};
}
static inline struct val val_double(double d)
{
    return (struct val){.tag = VAL_DOUBLE, .d = d};
}
/* The slice must be shorter than 4 GiB: every reader's limit is far below. */
static inline struct val val_string(struct slice s)
{
    return (struct val){.tag = VAL_STRING, .len = (uint32_t)s.len, .str = s.ptr};
}
static inline struct val val_bytes(struct slice s)
{
    return (struct val){.tag = VAL_BYTES, .len = (uint32_t)s.len, .str = s.ptr};
}
static inline struct val val_list(const struct val *items, uint32_t n)
{
    return (struct val){.tag = VAL_LIST, .len = n, .list = items};
}
/* pairs must be sorted: val_map_sort. */
static inline struct val val_map(const struct val_pair *pairs, uint32_t n)
{
    return (struct val){.tag = VAL_MAP, .len = n, .map = pairs};
}
static inline struct val_pair val_pair(struct slice key, struct val value)
{
    return (struct val_pair){.key = key.ptr, .key_len = (uint32_t)key.len, .value = value};
}

/* Of a string or bytes. */
static inline struct slice val_slice(struct val v)
{
    return (struct slice){v.str, v.len};
}
static inline struct slice val_key(const struct val_pair *p)
{
    return (struct slice){p->key, p->key_len};
}
static inline bool val_is_number(struct val v)
{
    return v.tag == VAL_INT || v.tag == VAL_DOUBLE;
}

/* A total order: null < bool < numbers (by exact value, NaN last) < string < bytes < list < map. */
int val_cmp(struct val a, struct val b);
static inline bool val_equal(struct val a, struct val b)
{
    return val_cmp(a, b) == 0;
}
bool val_same(struct val a, struct val b);

/* Sorts by key and keeps the last of equal keys; the new count. Key ids are set to 0. In place,
 * O(n log n), linear when already sorted, allocates nothing. */
uint32_t val_map_sort(struct val_pair *pairs, uint32_t n);
/* The value under a key of a VAL_MAP, or NULL. */
const struct val *val_map_get(struct val map, struct slice key);

/* Copies with everything it points to; false at the arena's limit. */
bool val_copy(struct arena *a, struct val v, struct val *ret_copy);
/* For people: a bare string as it is, nested ones quoted. Not JSON: see rec_json.h. */
bool val_print(struct buf *b, struct val v);
/* The shortest text that reads back as d, with ".0" or an exponent so that it stays a double;
 * NaN, Infinity, -Infinity. out has VAL_NUMBER_MAX bytes; the length. */
size_t val_double_text(double d, char *out);
/* "null", "bool", "int", ... for messages. */
const char *val_tag_name(unsigned tag);

#endif
