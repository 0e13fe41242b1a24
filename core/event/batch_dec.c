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

enum { EVENT_BYTES_MIN = 27, PAIR_BYTES_MIN = 2, GUESSES = 32, WORDS_BYTES = 16, ROOM_MAX = 128 };

/* A name that may come next, and how it lies in the input: its length and its first bytes, as two
 * words. id 0: nothing to guess. */
struct guess {
    struct keytab_cell cell;
    uint64_t word[2], mask[2];
};

/* Maps of one sort mostly have the same keys in the same order: those of the map before, by place.
 * The first `distinct` are known to differ. Mostly the first values, too, are those of the map
 * before; if it lies in the same batch, its pairs serve again. */
struct guesses {
    struct guess at[GUESSES];
    size_t ends[GUESSES]; /* of its pairs, from its first byte on */
    uint32_t distinct;
    const char *bytes; /* its pairs in the input; NULL: it has none that serve again, */
    const struct val_pair *pairs;
    uint32_t len, alike; /* and as many were like those of the one before */
};

struct batch_dec {
    struct batch_limits limits;
    struct keytab keys;
    struct guesses payload, context;
    struct guess type; /* of the event before */
    /* During one call: */
    struct arena *arena;
    struct val_pair *room; /* for pairs, taken from the arena for several maps at once */
    uint32_t room_len;
    uint32_t maps; /* of this sort still to come, this one included */
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

static inline const char *read_double(struct batch_dec *d, const char *p, struct val *ret)
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

static void guess_set(struct guess *g, const struct keytab_cell *cell)
{
    unsigned char bytes[WORDS_BYTES] = {0}, mask[WORDS_BYTES] = {0};
    size_t n = MIN((size_t)cell->len, sizeof bytes - 1);
    bytes[0] = (unsigned char)(2 * cell->len);
    memcpy(bytes + 1, cell->text, n);
    memset(mask, 0xff, n + 1);
    *g = (struct guess){.cell = *cell};
    for (size_t i = 0; i < 2; i++) {
        g->word[i] = endian_le64(bytes + 8 * i);
        g->mask[i] = endian_le64(mask + 8 * i);
    }
    g->cell.id = cell->len < 64 ? cell->id : 0; /* of longer ones the length has two bytes */
}

/* If the string of the guess comes next, the position behind it; else NULL. */
static inline const char *read_guessed(const struct batch_dec *d, const char *p,
                                       const struct guess *g)
{
    size_t len = g->cell.len, left = (size_t)(d->end - p);
    if (UNLIKELY(left < WORDS_BYTES)) {
        bool same =
            left > len && (unsigned char)*p == 2 * len && memcmp(g->cell.text, p + 1, len) == 0;
        return same ? p + 1 + len : NULL;
    }
    uint64_t differs = ((endian_le64(p) ^ g->word[0]) & g->mask[0]) |
                       ((endian_le64(p + 8) ^ g->word[1]) & g->mask[1]);
    if (differs != 0) {
        return NULL;
    }
    enum { SEEN = WORDS_BYTES - 1 }; /* of the text */
    bool same = len <= SEEN ||
                (left > len && memcmp(g->cell.text + SEEN, p + WORDS_BYTES, len - SEEN) == 0);
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

static inline void set_key(struct val_pair *pair, const struct keytab_cell *cell)
{
    pair->key = cell->text;
    pair->key_len = cell->len;
    pair->key_id = cell->id;
}

static const char *read_key(struct batch_dec *d, const char *p, struct guess *guess,
                            struct val_pair *pair)
{
    const char *next = guess->cell.id != 0 ? read_guessed(d, p, guess) : NULL;
    if (next != NULL) {
        set_key(pair, &guess->cell);
        return next;
    }
    struct slice key;
    next = read_bytes(d, p, &key);
    const struct keytab_cell *cell = next != NULL ? keytab_get(&d->keys, key) : NULL;
    if (cell != NULL) {
        set_key(pair, cell);
        guess_set(guess, cell);
    } else if (next != NULL) {
        set_key(pair, &(struct keytab_cell){key.ptr, (uint32_t)key.len, 0});
    }
    return next;
}

/* A pair whose key may be any, also one that the map has already. */
static const char *read_pair(struct batch_dec *d, const char *p, struct guesses *guesses,
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

static void note_distinct(struct guesses *g, const struct blocks *b)
{
    const struct val_pair *pairs = b->items;
    uint32_t n = 0;
    while (n < b->len && n < GUESSES - 1 && pairs[n].key_id != 0 &&
           pairs[n].key_id == g->at[n].cell.id) {
        n++;
    }
    g->distinct = n;
}

/* The n pairs that are left of this block, and all further blocks. */
static const char *read_others(struct batch_dec *d, const char *p, struct guesses *guesses,
                               struct blocks *b, uint32_t n)
{
    guesses->distinct = MIN(guesses->distinct, b->len);
    keytab_map(&d->keys);
    for (uint32_t i = 0; i < b->len; i++) {
        (void)keytab_first(&d->keys, ((const struct val_pair *)b->items)[i].key_id);
    }
    do {
        for (; n > 0; n--) {
            p = read_pair(d, p, guesses, b);
            if (UNLIKELY(p == NULL)) {
                return NULL;
            }
        }
        if (LIKELY(is_over(d, p, b))) {
            p++;
            break;
        }
    } while ((p = block_next(d, p, b, &n)) != NULL && n > 0);
    note_distinct(guesses, b);
    return p;
}

static COLD bool more_room(struct batch_dec *d, uint32_t n)
{
    uint32_t most = (uint32_t)MIN((uint64_t)n * d->maps, (uint64_t)ROOM_MAX);
    for (uint32_t len = MAX(n, most); len >= n; len = n < len ? n : 0) {
        d->room = arena_alloc(d->arena, (size_t)len * sizeof *d->room);
        d->room_len = d->room != NULL ? len : 0;
        if (d->room != NULL) {
            return true;
        }
    }
    return false;
}

/* The first block of a map, if it is as we write it: a count in one byte. Else *ret_n is 0. */
static inline const char *first_block(struct batch_dec *d, const char *p, struct blocks *b,
                                      uint32_t *ret_n)
{
    uint32_t byte = p < d->end ? (unsigned char)*p : 0, n = byte / 2;
    bool plain =
        (byte & 0x81) == 0 && n <= b->max && n <= (size_t)(d->end - p - 1) / PAIR_BYTES_MIN;
    if (UNLIKELY(byte == 0 || !plain || (n > d->room_len && !more_room(d, n)))) {
        return block_next(d, p, b, ret_n);
    }
    b->items = d->room;
    b->cap = n;
    d->room += n;
    d->room_len -= n;
    *ret_n = n;
    return p + 1;
}

/* How many pairs from p on are those of the map before, byte by byte. */
static uint32_t count_alike(const struct batch_dec *d, const char *p, const struct guesses *g,
                            uint32_t most)
{
    size_t left = (size_t)(d->end - p), same = 0;
    uint32_t n = 0;
    while (n < most && g->ends[n] <= left &&
           memcmp(g->bytes + same, p + same, g->ends[n] - same) == 0) {
        same = g->ends[n++];
    }
    return n;
}

/* The first pairs of a map of n, as far as they are those of the map before: *ret_p moves behind
 * them. How many. */
static inline uint32_t read_alike(struct batch_dec *d, const char **ret_p, struct guesses *g,
                                  struct val_pair *to, uint32_t n)
{
    const char *p = *ret_p;
    if (UNLIKELY(g->bytes == NULL)) {
        g->alike = 0;
        return 0;
    }
    uint32_t k = MIN(g->alike, n);
    size_t bytes = k > 0 ? g->ends[k - 1] : 0;
    if (k == 0 || bytes > (size_t)(d->end - p) || memcmp(g->bytes, p, bytes) != 0) {
        k = count_alike(d, p, g, MIN(n, g->len));
        bytes = k > 0 ? g->ends[k - 1] : 0;
        g->alike = k;
    }
    memcpy(to, g->pairs, k * sizeof *to);
    *ret_p = p + bytes;
    return k;
}

/* Pairs in an order of their own: they may have equal keys, of which the last one counts. Those
 * whose keys are the guessed ones, which differ, need not be asked about. */
static const char *read_pairs(struct batch_dec *d, const char *p, struct guesses *guesses,
                              const struct val_pair **ret, uint32_t *ret_len)
{
    struct blocks b = {
        .size = sizeof(struct val_pair), .min = PAIR_BYTES_MIN, .max = d->limits.items};
    uint32_t n = 0, known = 0;
    p = first_block(d, p, &b, &n);
    if (UNLIKELY(p == NULL || n == 0)) {
        *ret = NULL;
        *ret_len = 0;
        return p;
    }
    struct val_pair *pairs = b.items;
    const char *start = p;
    uint32_t most = MIN(n, guesses->distinct);
    for (known = read_alike(d, &p, guesses, pairs, most); known < most; known++) {
        const char *next = read_guessed(d, p, &guesses->at[known]);
        if (UNLIKELY(next == NULL)) {
            break;
        }
        set_key(&pairs[known], &guesses->at[known].cell);
        p = read_simple(d, next, &pairs[known].value);
        if (UNLIKELY(p == NULL)) {
            return NULL;
        }
        guesses->ends[known] = (size_t)(p - start);
    }
    b.len = known;
    bool over = known == n && is_over(d, p, &b);
    guesses->bytes = LIKELY(over) ? start : NULL;
    guesses->pairs = pairs;
    guesses->len = known;
    p = LIKELY(over) ? p + 1 : read_others(d, p, guesses, &b, n - known);
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
    const struct keytab_cell *cell = &d->type.cell;
    const char *next = cell->id != 0 ? read_guessed(d, p, &d->type) : NULL;
    if (UNLIKELY(next == NULL)) {
        next = read_bytes(d, p, &r->type);
        cell = next != NULL ? keytab_get(&d->keys, r->type) : NULL;
        r->type_id = 0;
        if (cell == NULL) {
            return next;
        }
        guess_set(&d->type, cell);
    }
    r->type = slice_of(cell->text, cell->len);
    r->type_id = cell->id;
    return next;
}

/* What most events do not have: trace, span, flags and causes, a byte each. */
static inline const char *read_optional(struct batch_dec *d, const char *p, struct rec *r)
{
    static const char none[4] = {0};
    if (d->end - p > (ptrdiff_t)sizeof none && memcmp(p, none, sizeof none) == 0) {
        memset(r->trace_id, 0, sizeof r->trace_id);
        memset(r->span_id, 0, sizeof r->span_id);
        r->flags = 0;
        r->causes = NULL;
        r->causes_len = 0;
        return p + sizeof none;
    }
    bool ok = (p = read_opt_fixed(d, p, r->trace_id, sizeof r->trace_id)) != NULL &&
              (p = read_opt_fixed(d, p, r->span_id, sizeof r->span_id)) != NULL &&
              (p = read_count(d, p, INT32_MAX, &r->flags)) != NULL &&
              (p = read_causes(d, p, r)) != NULL;
    return ok ? p : NULL;
}

/* The fields in the order of the schema. */
static const char *read_event(struct batch_dec *d, const char *p, const struct rec_batch *batch,
                              struct rec *r)
{
    uint32_t context, kind;
    if (UNLIKELY(batch->contexts_len == 0)) {
        return bad(d, p, ERR_CORRUPT, "an event in a batch without contexts");
    }
    bool ok = (p = read_count(d, p, batch->contexts_len - 1, &context)) != NULL &&
              (p = read_count(d, p, INT32_MAX, &r->n)) != NULL &&
              (p = read_fixed(d, p, r->id.bytes, sizeof r->id.bytes)) != NULL &&
              (p = read_long(d, p, &r->ts)) != NULL &&
              (p = read_long(d, p, &r->ingest_ts)) != NULL &&
              (p = read_count(d, p, UINT8_MAX, &kind)) != NULL &&
              (p = read_type(d, p, r)) != NULL && (p = read_optional(d, p, r)) != NULL &&
              (p = read_pairs(d, p, &d->payload, &r->payload, &r->payload_len)) != NULL;
    if (UNLIKELY(!ok)) {
        return NULL;
    }
    r->context = &batch->contexts[context];
    r->kind = (uint8_t)kind;
    return p;
}

static const char *read_events(struct batch_dec *d, const char *p, struct rec_batch *batch)
{
    struct blocks b = {.size = sizeof(struct rec), .min = EVENT_BYTES_MIN, .max = d->limits.events};
    uint32_t n;
    while ((p = block_next(d, p, &b, &n)) != NULL && n > 0) {
        for (; n > 0; n--) {
            d->maps = n;
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
            d->maps = n;
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
    d->room_len = 0;
    d->payload.bytes = d->context.bytes = NULL;
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
