/* SPDX-License-Identifier: Apache-2.0
 *
 * See batch_dec.h. Each read_x takes the position in the input and returns the position behind x,
 * or NULL after noting what was wrong: one pointer is all the state a read needs, so the compiler
 * keeps it in a register. `end` never moves.
 *
 * Arrays and maps come in blocks: a count and the items, or a negative count, the size of the block
 * in bytes and the items; a count of 0 ends them. Nearly every writer makes one block, for which
 * the arena is asked once for exactly that many items; more blocks grow by doubling. Before it is
 * asked, the count is held against the bytes left: an item takes at least one byte, an event 27.
 *
 * To follow a new field of the schema: read_event, batch_enc.c's put_event, batch_other.c.
 */
#include "core/event/batch_dec.h"

#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "core/codec/varint.h"
#include "core/event/keytab.h"

enum { EVENT_BYTES_MIN = 27, PAIR_BYTES_MIN = 2, GUESSES = 32 };

/* Maps of one sort mostly have the same keys in the same order: those of the map before, by place.
 * id 0: nothing to guess. */
struct guesses {
    struct keytab_cell at[GUESSES];
};

struct batch_dec {
    struct batch_limits limits;
    struct keytab keys;
    struct guesses payload, context;
    struct keytab_cell type; /* of the event before */
    /* During one call: */
    struct arena *arena;
    const char *end;
    const char *bad_at, *bad_what; /* the first thing that was wrong */
    enum err_code bad_code;
};

struct batch_dec *batch_dec_new(struct batch_limits limits, struct intern *keys)
{
    assert(keys != NULL);
    assert(limits.depth <= VAL_DEPTH_MAX);
    struct batch_dec *d = MEM_NEW(struct batch_dec);
    d->limits = limits;
    keytab_init(&d->keys, keys);
    return d;
}

void batch_dec_free(struct batch_dec *d)
{
    if (d != NULL) {
        keytab_done(&d->keys);
        mem_free(d);
    }
}

static COLD void note_bad(struct batch_dec *d, const char *at, enum err_code code, const char *what)
{
    assert(at != NULL);
    if (d->bad_what == NULL) {
        d->bad_at = at;
        d->bad_code = code;
        d->bad_what = what;
    }
}

/* Always NULL, and the compiler sees it. */
static inline const char *bad(struct batch_dec *d, const char *at, enum err_code code,
                              const char *what)
{
    note_bad(d, at, code, what);
    return NULL;
}

static inline const char *read_long(struct batch_dec *d, const char *p, int64_t *ret)
{
    const char *next = varint_read_zz(p, d->end, ret);
    return LIKELY(next != NULL) ? next : bad(d, p, ERR_CORRUPT, "a number does not end");
}

/* A number within 0..max. */
static inline const char *read_count(struct batch_dec *d, const char *p, uint32_t max,
                                     uint32_t *ret)
{
    int64_t v;
    const char *next = read_long(d, p, &v);
    if (UNLIKELY(next == NULL)) {
        return NULL;
    }
    if (UNLIKELY(v < 0 || v > (int64_t)max)) {
        return bad(d, p, ERR_CORRUPT, "a number is outside of its range");
    }
    *ret = (uint32_t)v;
    return next;
}

static inline const char *read_bytes(struct batch_dec *d, const char *p, struct slice *ret)
{
    int64_t len;
    const char *next = read_long(d, p, &len);
    if (UNLIKELY(next == NULL)) {
        return NULL;
    }
    if (UNLIKELY(len < 0 || len > d->end - next || len > UINT32_MAX)) {
        return bad(d, p, ERR_CORRUPT, "a string is longer than the input");
    }
    *ret = slice_of(next, (size_t)len);
    return next + len;
}

static inline const char *read_fixed(struct batch_dec *d, const char *p, void *to, size_t n)
{
    if (UNLIKELY((size_t)(d->end - p) < n)) {
        return bad(d, p, ERR_CORRUPT, "the input ends within a fixed field");
    }
    memcpy(to, p, n);
    return p + n;
}

/* [null, fixed(n)]: all zero for null. */
static inline const char *read_opt_fixed(struct batch_dec *d, const char *p, void *to, size_t n)
{
    if (UNLIKELY(p == d->end)) {
        return bad(d, p, ERR_CORRUPT, "the input ends before an optional field");
    }
    if (*p == 0) {
        memset(to, 0, n);
        return p + 1;
    }
    if (LIKELY(*p == 2)) {
        return read_fixed(d, p + 1, to, n);
    }
    return bad(d, p, ERR_CORRUPT, "a union has no such branch");
}

/* --- blocks --- */

struct blocks {
    void *items;
    uint32_t len, cap;
    size_t size;           /* of one item in memory */
    size_t min;            /* of one item in the input */
    uint32_t max;          /* items in all */
    const char *block_end; /* where the writer said the block ends; NULL if it did not */
};

static bool blocks_grow(struct batch_dec *d, struct blocks *b, uint32_t more)
{
    uint32_t need = b->len + more;
    if (need <= b->cap) {
        return true;
    }
    uint32_t cap = b->cap == 0 ? need : MAX(need, MIN(b->cap * 2, b->max));
    void *items = arena_alloc(d->arena, (size_t)cap * b->size);
    if (items == NULL) {
        return false;
    }
    if (b->len > 0) {
        memcpy(items, b->items, b->len * b->size);
    }
    b->items = items;
    b->cap = cap;
    return true;
}

/* A block with a negative count, or one that is too large. */
static COLD const char *block_odd(struct batch_dec *d, const char *p, struct blocks *b,
                                  int64_t count, const char *next, uint32_t *ret_n)
{
    int64_t size = -1;
    if (count < 0) {
        next = read_long(d, next, &size);
        if (next == NULL) {
            return NULL;
        }
        if (count == INT64_MIN || size < 0 || size > d->end - next) {
            return bad(d, p, ERR_CORRUPT, "a block is larger than the input");
        }
        count = -count;
    }
    if ((uint64_t)count > (size_t)(d->end - next) / b->min) {
        return bad(d, p, ERR_CORRUPT, "a block has more items than the input has room for");
    }
    if ((uint64_t)count > b->max - b->len) {
        return bad(d, p, ERR_LIMIT, "more items than the limit allows");
    }
    b->block_end = size >= 0 ? next + size : NULL;
    *ret_n = (uint32_t)count;
    return next;
}

/* Starts the next block: its count, 0 at the end of all, and room for its items in b. */
static inline const char *block_next(struct batch_dec *d, const char *p, struct blocks *b,
                                     uint32_t *ret_n)
{
    if (UNLIKELY(b->block_end != NULL && b->block_end != p)) {
        return bad(d, p, ERR_CORRUPT, "a block is not as long as it says");
    }
    b->block_end = NULL;
    int64_t count;
    const char *next = read_long(d, p, &count);
    if (UNLIKELY(next == NULL)) {
        return NULL;
    }
    uint32_t n = (uint32_t)count;
    if (UNLIKELY(count < 0 || (uint64_t)count > (size_t)(d->end - next) / b->min ||
                 (uint64_t)count > b->max - b->len)) {
        next = block_odd(d, p, b, count, next, &n);
    }
    if (UNLIKELY(next != NULL && n > 0 && !blocks_grow(d, b, n))) {
        return bad(d, p, ERR_LIMIT, "the batch needs more memory than its limit");
    }
    *ret_n = n;
    return next;
}

/* --- values --- */

static const char *read_value(struct batch_dec *d, const char *p, unsigned depth, struct val *ret);

static const char *read_list(struct batch_dec *d, const char *p, unsigned depth, struct val *ret)
{
    struct blocks b = {.size = sizeof(struct val), .min = 1, .max = d->limits.items};
    uint32_t n;
    while ((p = block_next(d, p, &b, &n)) != NULL && n > 0) {
        for (; n > 0; n--) {
            p = read_value(d, p, depth, (struct val *)b.items + b.len);
            if (UNLIKELY(p == NULL)) {
                return NULL;
            }
            b.len++;
        }
    }
    *ret = val_list(b.items, b.len);
    return p;
}

static const char *read_map(struct batch_dec *d, const char *p, unsigned depth, struct val *ret)
{
    struct blocks b = {
        .size = sizeof(struct val_pair), .min = PAIR_BYTES_MIN, .max = d->limits.items};
    uint32_t n;
    while ((p = block_next(d, p, &b, &n)) != NULL && n > 0) {
        for (; n > 0; n--) {
            struct val_pair *pair = (struct val_pair *)b.items + b.len;
            struct slice key;
            p = read_bytes(d, p, &key);
            p = p != NULL ? read_value(d, p, depth, &pair->value) : NULL;
            if (UNLIKELY(p == NULL)) {
                return NULL;
            }
            *pair = val_pair(key, pair->value);
            b.len++;
        }
    }
    *ret = val_map(b.items, val_map_sort(b.items, b.len));
    return p;
}

static const char *read_nested(struct batch_dec *d, const char *p, unsigned branch, unsigned depth,
                               struct val *ret)
{
    if (depth == 0) {
        return bad(d, p, ERR_LIMIT, "a value is nested too deeply");
    }
    return branch == VAL_LIST ? read_list(d, p, depth - 1, ret) : read_map(d, p, depth - 1, ret);
}

static const char *read_double(struct batch_dec *d, const char *p, struct val *ret)
{
    uint64_t bits;
    p = read_fixed(d, p, &bits, sizeof bits);
    if (LIKELY(p != NULL)) {
        *ret = val_double(0);
        ret->bits = endian_le64(&bits); /* by its bits: a NaN keeps its payload */
    }
    return p;
}

static const char *read_bool(struct batch_dec *d, const char *p, struct val *ret)
{
    if (UNLIKELY(p == d->end || (unsigned char)*p > 1)) {
        return bad(d, p, ERR_CORRUPT, "neither true nor false");
    }
    *ret = val_bool(*p != 0);
    return p + 1;
}

/* Value = {v: union of the eight types}; the branch numbers are the tags. */
static const char *read_value(struct batch_dec *d, const char *p, unsigned depth, struct val *ret)
{
    uint32_t branch;
    int64_t number;
    struct slice text;
    p = read_count(d, p, VAL_TAGS - 1, &branch);
    if (UNLIKELY(p == NULL)) {
        return NULL;
    }
    switch (branch) {
    case VAL_NULL: *ret = val_null(); return p;
    case VAL_BOOL: return read_bool(d, p, ret);
    case VAL_INT:
        p = read_long(d, p, &number);
        if (LIKELY(p != NULL)) {
            *ret = val_int(number);
        }
        return p;
    case VAL_DOUBLE: return read_double(d, p, ret);
    case VAL_STRING:
    case VAL_BYTES:
        p = read_bytes(d, p, &text);
        if (LIKELY(p != NULL)) {
            *ret = branch == VAL_STRING ? val_string(text) : val_bytes(text);
        }
        return p;
    default: return read_nested(d, p, branch, depth, ret);
    }
}

/* --- payloads and contexts: pairs in the order written, keys interned --- */

/* The key was in this map before: the later value wins, in the earlier one's place. */
static COLD void replace_pair(struct blocks *b, uint32_t id)
{
    struct val_pair *pairs = b->items;
    for (uint32_t i = 0; i < b->len; i++) {
        if (pairs[i].key_id == id) {
            pairs[i].value = pairs[b->len].value;
        }
    }
}

/* Without a call for most keys: the halves overlap. */
static inline bool same_bytes(const char *a, const char *b, size_t n)
{
    if (n >= 8 && n <= 16) {
        uint64_t tail = endian_le64(a + n - 8) ^ endian_le64(b + n - 8);
        return ((endian_le64(a) ^ endian_le64(b)) | tail) == 0;
    }
    if (n >= 4 && n < 8) {
        uint32_t tail = endian_be32(a + n - 4) ^ endian_be32(b + n - 4);
        return ((endian_be32(a) ^ endian_be32(b)) | tail) == 0;
    }
    return memcmp(a, b, n) == 0;
}

/* A string of less than 64 bytes, if it is that one; else NULL. */
static inline const char *read_guessed(const struct batch_dec *d, const char *p,
                                       const struct keytab_cell *guess)
{
    uint32_t len = guess->len;
    bool same = guess->id != 0 && len < 64 && (size_t)(d->end - p) > len &&
                (unsigned char)*p == 2 * len && same_bytes(guess->text, p + 1, len);
    return same ? p + 1 + len : NULL;
}

/* Strings and doubles, as far as they are short and lie within the input. */
static inline const char *read_simple(struct batch_dec *d, const char *p, struct val *ret)
{
    if (LIKELY(d->end - p > 9)) {
        unsigned char branch = (unsigned char)p[0], len = (unsigned char)p[1];
        if (branch == 2 * VAL_STRING && (len & 0x81) == 0 && len / 2 <= d->end - p - 2) {
            *ret = val_string(slice_of(p + 2, len / 2));
            return p + 2 + len / 2;
        }
        if (branch == 2 * VAL_DOUBLE) {
            return read_double(d, p + 1, ret);
        }
    }
    return read_value(d, p, d->limits.depth, ret);
}

static inline const char *read_key(struct batch_dec *d, const char *p, struct keytab_cell *guess,
                                   struct val_pair *pair)
{
    const struct keytab_cell *cell = guess;
    const char *next = read_guessed(d, p, guess);
    struct slice key;
    if (UNLIKELY(next == NULL)) {
        next = read_bytes(d, p, &key);
        cell = next != NULL ? keytab_get(&d->keys, key) : NULL;
        if (cell == NULL) {
            pair->key = next != NULL ? key.ptr : NULL;
            pair->key_len = next != NULL ? (uint32_t)key.len : 0;
            pair->key_id = 0;
            return next;
        }
        *guess = *cell;
    }
    pair->key = cell->text;
    pair->key_len = cell->len;
    pair->key_id = cell->id;
    return next;
}

static inline const char *read_pair(struct batch_dec *d, const char *p, struct guesses *guesses,
                                    struct blocks *b)
{
    struct val_pair *pair = (struct val_pair *)b->items + b->len;
    p = read_key(d, p, &guesses->at[MIN(b->len, (uint32_t)GUESSES - 1)], pair);
    if (UNLIKELY(p == NULL)) {
        return NULL;
    }
    p = read_simple(d, p, &pair->value);
    if (LIKELY(pair->key_id == 0 || keytab_first(&d->keys, pair->key_id))) {
        b->len++;
    } else if (p != NULL) {
        replace_pair(b, pair->key_id);
    }
    return p;
}

static inline bool is_over(const struct batch_dec *d, const char *p, const struct blocks *b)
{
    return p < d->end && *p == 0 && b->block_end == NULL;
}

static const char *read_pairs(struct batch_dec *d, const char *p, struct guesses *guesses,
                              const struct val_pair **ret, uint32_t *ret_len)
{
    struct blocks b = {
        .size = sizeof(struct val_pair), .min = PAIR_BYTES_MIN, .max = d->limits.items};
    uint32_t n;
    keytab_map(&d->keys);
    while ((p = block_next(d, p, &b, &n)) != NULL && n > 0) {
        for (; n > 0; n--) {
            p = read_pair(d, p, guesses, &b);
            if (UNLIKELY(p == NULL)) {
                return NULL;
            }
        }
        if (LIKELY(is_over(d, p, &b))) {
            p++;
            break;
        }
    }
    *ret = b.items;
    *ret_len = b.len;
    return p;
}

/* --- events --- */

/* The general case: copied together out of their blocks. */
static const char *read_causes_blocks(struct batch_dec *d, const char *p, struct rec *r)
{
    struct blocks b = {
        .size = sizeof(struct ref), .min = sizeof(struct ref), .max = d->limits.causes};
    uint32_t n;
    while ((p = block_next(d, p, &b, &n)) != NULL && n > 0) {
        memcpy((struct ref *)b.items + b.len, p, n * sizeof(struct ref));
        p += n * sizeof(struct ref);
        b.len += n;
    }
    r->causes = b.items;
    r->causes_len = b.len;
    return p;
}

/* In one block, as we write them, they are used where they lie in the input. */
static inline const char *read_causes(struct batch_dec *d, const char *p, struct rec *r)
{
    int64_t n;
    const char *at = varint_read_zz(p, d->end, &n);
    if (UNLIKELY(at == NULL || n < 0 || n > d->limits.causes)) {
        return read_causes_blocks(d, p, r);
    }
    if (LIKELY(n == 0)) {
        r->causes = NULL;
        r->causes_len = 0;
        return at;
    }
    size_t bytes = (size_t)n * sizeof(struct ref);
    if (bytes >= (size_t)(d->end - at) || at[bytes] != 0) {
        return read_causes_blocks(d, p, r);
    }
    r->causes = (const struct ref *)(const void *)at; /* bytes: any alignment will do */
    r->causes_len = (uint32_t)n;
    return at + bytes + 1;
}

static inline const char *read_type(struct batch_dec *d, const char *p, struct rec *r)
{
    const struct keytab_cell *cell = &d->type;
    const char *next = read_guessed(d, p, cell);
    if (UNLIKELY(next == NULL)) {
        next = read_bytes(d, p, &r->type);
        cell = next != NULL ? keytab_get(&d->keys, r->type) : NULL;
        r->type_id = 0;
        if (cell == NULL) {
            return next;
        }
        d->type = *cell;
    }
    r->type = slice_of(cell->text, cell->len);
    r->type_id = cell->id;
    return next;
}

/* The fields in the order of the schema. */
static const char *read_event(struct batch_dec *d, const char *p, const struct rec_batch *batch,
                              struct rec *r)
{
    uint32_t context, kind, flags;
    if (UNLIKELY(batch->contexts_len == 0)) {
        return bad(d, p, ERR_CORRUPT, "an event in a batch without contexts");
    }
    bool ok =
        (p = read_count(d, p, batch->contexts_len - 1, &context)) != NULL &&
        (p = read_count(d, p, INT32_MAX, &r->n)) != NULL &&
        (p = read_fixed(d, p, r->id.bytes, sizeof r->id.bytes)) != NULL &&
        (p = read_long(d, p, &r->ts)) != NULL && (p = read_long(d, p, &r->ingest_ts)) != NULL &&
        (p = read_count(d, p, UINT8_MAX, &kind)) != NULL && (p = read_type(d, p, r)) != NULL &&
        (p = read_opt_fixed(d, p, r->trace_id, sizeof r->trace_id)) != NULL &&
        (p = read_opt_fixed(d, p, r->span_id, sizeof r->span_id)) != NULL &&
        (p = read_count(d, p, INT32_MAX, &flags)) != NULL && (p = read_causes(d, p, r)) != NULL &&
        (p = read_pairs(d, p, &d->payload, &r->payload, &r->payload_len)) != NULL;
    if (UNLIKELY(!ok)) {
        return NULL;
    }
    r->context = &batch->contexts[context];
    r->kind = (uint8_t)kind;
    r->flags = flags;
    return p;
}

static const char *read_events(struct batch_dec *d, const char *p, struct rec_batch *batch)
{
    struct blocks b = {.size = sizeof(struct rec), .min = EVENT_BYTES_MIN, .max = d->limits.events};
    uint32_t n;
    while ((p = block_next(d, p, &b, &n)) != NULL && n > 0) {
        for (; n > 0; n--) {
            p = read_event(d, p, batch, (struct rec *)b.items + b.len);
            if (UNLIKELY(p == NULL)) {
                return NULL;
            }
            b.len++;
        }
    }
    batch->events = b.items;
    batch->events_len = b.len;
    return p;
}

static const char *read_contexts(struct batch_dec *d, const char *p, struct rec_batch *batch)
{
    struct blocks b = {.size = sizeof(struct rec_context), .min = 1, .max = d->limits.contexts};
    uint32_t n;
    while ((p = block_next(d, p, &b, &n)) != NULL && n > 0) {
        for (; n > 0; n--) {
            struct rec_context *c = (struct rec_context *)b.items + b.len;
            p = read_pairs(d, p, &d->context, &c->pairs, &c->len);
            if (UNLIKELY(p == NULL)) {
                return NULL;
            }
            c->index = b.len++;
        }
    }
    batch->contexts = b.items;
    batch->contexts_len = b.len;
    return p;
}

static void start(struct batch_dec *d, struct arena *a, struct slice input)
{
    d->arena = a;
    d->end = input.ptr + input.len;
    d->bad_what = d->bad_at = NULL;
}

static COLD int failed(const struct batch_dec *d, struct slice input, struct err *reterr)
{
    assert(d->bad_what != NULL);
    return err_set(reterr, d->bad_code, "%s (at byte %td of %zu)", d->bad_what,
                   d->bad_at - input.ptr, input.len);
}

int batch_dec_read(struct batch_dec *d, struct arena *a, struct slice body,
                   struct rec_batch *ret_batch, struct err *reterr)
{
    assert(d != NULL && a != NULL);
    assert(ret_batch != NULL);
    if (body.len == 0) {
        return err_set(reterr, ERR_CORRUPT, "no bytes at all");
    }
    struct rec_batch batch = {0};
    start(d, a, body);
    const char *p = read_bytes(d, body.ptr, &batch.source);
    bool ok = p != NULL && (p = read_long(d, p, &batch.seq)) != NULL &&
              (p = read_long(d, p, &batch.min_ts)) != NULL &&
              (p = read_long(d, p, &batch.max_ts)) != NULL &&
              (p = read_contexts(d, p, &batch)) != NULL && (p = read_events(d, p, &batch)) != NULL;
    if (UNLIKELY(ok && p != d->end)) {
        ok = bad(d, p, ERR_CORRUPT, "bytes behind the batch") != NULL;
    }
    if (UNLIKELY(!ok)) {
        return failed(d, body, reterr);
    }
    *ret_batch = batch;
    return 0;
}

int batch_dec_value(struct batch_dec *d, struct arena *a, struct slice *rest, struct val *ret_value,
                    struct err *reterr)
{
    assert(d != NULL && a != NULL);
    assert(rest != NULL && ret_value != NULL);
    if (rest->len == 0) {
        return err_set(reterr, ERR_CORRUPT, "no bytes at all");
    }
    struct val v;
    start(d, a, *rest);
    const char *p = read_value(d, rest->ptr, d->limits.depth, &v);
    if (p == NULL) {
        return failed(d, *rest, reterr);
    }
    *ret_value = v;
    *rest = slice_of(p, (size_t)(d->end - p));
    return 0;
}
