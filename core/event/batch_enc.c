/* SPDX-License-Identifier: Apache-2.0
 *
 * See batch_enc.h. Contexts and events are written to two buffers while events come in; the end
 * puts header, contexts and events together, each array as one block, which is the form that every
 * reader takes fastest. Writing goes through a cursor into a buffer that was given enough room for
 * the item at hand, so that most steps need no check.
 *
 * A context is known by its address (a direct-mapped cache, valid within the batch) or by its
 * encoded bytes (a hash index). To follow a new field of the schema: put_event.
 */
#include "core/event/batch_enc.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/codec/endian.h"
#include "core/codec/utf8.h"
#include "core/codec/varint.h"

enum {
    BY_ADDRESS = 256, /* places of the address cache */
    INDEX_FIRST = 64,
    SOURCE_MAX = 255,
    SHORT_STRING = 64, /* copied in line */
    PAIR_ROOM = 2 * (2 + SHORT_STRING) + 1 + VARINT_MAX,
    EVENT_FIXED = 16 + 17 + 9 + 7 * VARINT_MAX + 1, /* all but type, causes, payload */
    HEAD_MAX = SOURCE_MAX * 3 + 8 * VARINT_MAX,     /* repaired source, header, counts, ends */
};

struct known {
    size_t from, len; /* its bytes in contexts */
    uint32_t hash;
    bool repaired;
};

struct by_address {
    const struct rec_context *context;
    uint32_t number, batch;
};

struct batch_enc {
    struct batch_limits limits;
    size_t max;
    struct buf contexts, events;
    VEC(struct known) known;
    uint32_t *index; /* open addressing: 0 free, else number + 1 */
    size_t index_mask;
    uint32_t batch; /* number of the current batch, for by_address */
    uint32_t count;
    size_t last;   /* where the last event's id stands in events */
    bool repaired; /* something in the item being written was */
    int64_t seq, min_ts, max_ts;
    size_t source_len;
    char source[SOURCE_MAX];
    struct by_address by_address[BY_ADDRESS];
};

struct batch_enc *batch_enc_new(struct batch_limits limits, size_t max_bytes)
{
    assert(limits.depth <= VAL_DEPTH_MAX);
    assert(max_bytes > HEAD_MAX);
    struct batch_enc *e = MEM_NEW(struct batch_enc);
    e->limits = limits;
    e->max = max_bytes;
    buf_init(&e->contexts, max_bytes);
    buf_init(&e->events, max_bytes);
    e->index_mask = INDEX_FIRST - 1;
    e->index = mem_calloc(INDEX_FIRST, sizeof *e->index);
    batch_enc_begin(e, SLICE(""), 0);
    return e;
}

void batch_enc_free(struct batch_enc *e)
{
    if (e != NULL) {
        buf_done(&e->contexts);
        buf_done(&e->events);
        VEC_DONE(&e->known);
        mem_free(e->index);
        mem_free(e);
    }
}

/* Repaired and cut at a character, so that what is read of it is written the same again. */
static void keep_source(struct batch_enc *e, struct slice source)
{
    e->source_len = 0;
    while (source.len > 0) {
        size_t bad = 0, n = utf8_char(source, &bad), used = n > 0 ? n : bad;
        struct slice one = n > 0 ? slice_sub(source, 0, n) : SLICE("\xef\xbf\xbd");
        if (e->source_len + one.len > SOURCE_MAX) {
            return;
        }
        memcpy(e->source + e->source_len, one.ptr, one.len);
        e->source_len += one.len;
        source = slice_sub(source, used, source.len);
    }
}

void batch_enc_begin(struct batch_enc *e, struct slice source, int64_t seq)
{
    assert(e != NULL);
    buf_clear(&e->contexts);
    buf_clear(&e->events);
    if (e->known.len > 0) {
        memset(e->index, 0, (e->index_mask + 1) * sizeof *e->index);
    }
    VEC_CLEAR(&e->known);
    if (++e->batch == 0) {
        memset(e->by_address, 0, sizeof e->by_address);
        e->batch = 1;
    }
    e->count = 0;
    e->seq = seq;
    e->min_ts = e->max_ts = 0;
    if (source.ptr != e->source) { /* else the next batch of the same source */
        keep_source(e, source);
    }
}

/* --- values: each put_x makes its own room; false when the buffer is full or a limit is hit --- */

static COLD bool put_repaired(struct batch_enc *e, struct buf *b, struct slice s)
{
    size_t len = utf8_repaired_len(s);
    char *to = buf_room(b, VARINT_MAX + len);
    if (to == NULL) {
        return false;
    }
    e->repaired = true;
    char *end = utf8_repair(varint_write_zz(to, (int64_t)len), s);
    buf_commit(b, (size_t)(end - to));
    return true;
}

static inline bool put_bytes(struct buf *b, struct slice s)
{
    char *to = buf_room(b, VARINT_MAX + s.len);
    if (UNLIKELY(to == NULL)) {
        return false;
    }
    char *end = varint_write_zz(to, (int64_t)s.len);
    if (s.len > 0) {
        memcpy(end, s.ptr, s.len);
    }
    buf_commit(b, (size_t)(end - to) + s.len);
    return true;
}

/* Copies a string of at most 64 bytes and tells whether all of it is ASCII. Two loads that overlap
 * cover any length without reading outside of the string, and without a call. */
static inline bool copy_ascii(char *to, const char *from, size_t len)
{
    uint64_t seen = 0, a, b;
    if (len >= 8) {
        size_t i = 0;
        for (; i + 8 < len; i += 8) {
            memcpy(&a, from + i, 8);
            memcpy(to + i, &a, 8);
            seen |= a;
        }
        memcpy(&b, from + len - 8, 8);
        memcpy(to + len - 8, &b, 8);
        seen |= b;
    } else if (len >= 4) {
        uint32_t x, y;
        memcpy(&x, from, 4);
        memcpy(&y, from + len - 4, 4);
        memcpy(to, &x, 4);
        memcpy(to + len - 4, &y, 4);
        seen = x | y;
    } else {
        for (size_t i = 0; i < len; i++) {
            to[i] = from[i];
            seen |= (unsigned char)from[i];
        }
    }
    return (seen & 0x8080808080808080u) == 0;
}

static inline bool put_string(struct batch_enc *e, struct buf *b, struct slice s)
{
    if (LIKELY(s.len <= SHORT_STRING)) {
        char *to = buf_room(b, 2 + SHORT_STRING);
        if (UNLIKELY(to == NULL)) {
            return false;
        }
        char *end = varint_write_zz(to, (int64_t)s.len);
        if (LIKELY(copy_ascii(end, s.ptr, s.len))) {
            buf_commit(b, (size_t)(end - to) + s.len);
            return true;
        }
    }
    return LIKELY(utf8_valid(s)) ? put_bytes(b, s) : put_repaired(e, b, s);
}

static bool put_value(struct batch_enc *e, struct buf *b, struct val v, unsigned depth);

static bool put_list(struct batch_enc *e, struct buf *b, struct val v, unsigned depth)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < v.len; i++) {
        ok = put_value(e, b, v.list[i], depth);
    }
    return ok;
}

/* Null, bool, int or double with its branch (the tag, zigzag), into 1 + VARINT_MAX bytes. */
static inline char *write_scalar(char *to, struct val v)
{
    *to++ = (char)(v.tag << 1);
    if (v.tag == VAL_INT) {
        return varint_write_zz(to, v.i);
    }
    if (v.tag == VAL_DOUBLE) {
        endian_put_le64(to, v.bits);
        return to + 8;
    }
    *to = v.tag == VAL_BOOL && v.b ? 1 : 0;
    return to + (v.tag == VAL_BOOL);
}

/* A short ASCII key with a scalar or a short ASCII string, into PAIR_ROOM bytes: nearly every pair.
 * NULL if it is none; what was written then does not count. */
static inline char *write_short_pair(char *to, const struct val_pair *p)
{
    if (UNLIKELY(p->key_len > SHORT_STRING)) {
        return NULL;
    }
    to = varint_write_zz(to, p->key_len);
    if (UNLIKELY(!copy_ascii(to, p->key, p->key_len))) {
        return NULL;
    }
    to += p->key_len;
    if (p->value.tag <= VAL_DOUBLE) {
        return write_scalar(to, p->value);
    }
    if (p->value.tag != VAL_STRING || p->value.len > SHORT_STRING) {
        return NULL;
    }
    *to++ = VAL_STRING << 1;
    to = varint_write_zz(to, p->value.len);
    return LIKELY(copy_ascii(to, p->value.str, p->value.len)) ? to + p->value.len : NULL;
}

static bool put_pairs(struct batch_enc *e, struct buf *b, const struct val_pair *pairs,
                      uint32_t len, unsigned depth)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < len; i++) {
        char *to = buf_room(b, PAIR_ROOM);
        char *end = LIKELY(to != NULL) ? write_short_pair(to, &pairs[i]) : NULL;
        if (LIKELY(end != NULL)) {
            buf_commit(b, (size_t)(end - to));
        } else {
            ok = put_string(e, b, val_key(&pairs[i])) && put_value(e, b, pairs[i].value, depth);
        }
    }
    return ok;
}

static inline bool put_long(struct buf *b, int64_t v)
{
    char *to = buf_room(b, VARINT_MAX);
    if (UNLIKELY(to == NULL)) {
        return false;
    }
    buf_commit(b, (size_t)(varint_write_zz(to, v) - to));
    return true;
}

/* One block and the end. */
static bool put_nested(struct batch_enc *e, struct buf *b, struct val v, unsigned depth)
{
    if (depth == 0 || v.len > e->limits.items) {
        return false;
    }
    if (v.len == 0) {
        return buf_add_byte(b, 0);
    }
    return put_long(b, v.len) &&
           (v.tag == VAL_LIST ? put_list(e, b, v, depth - 1)
                              : put_pairs(e, b, v.map, v.len, depth - 1)) &&
           buf_add_byte(b, 0);
}

static bool put_value(struct batch_enc *e, struct buf *b, struct val v, unsigned depth)
{
    char *to = buf_room(b, 1 + VARINT_MAX);
    if (UNLIKELY(to == NULL)) {
        return false;
    }
    assert(v.tag < VAL_TAGS);
    if (v.tag <= VAL_DOUBLE) {
        buf_commit(b, (size_t)(write_scalar(to, v) - to));
        return true;
    }
    *to = (char)(v.tag << 1);
    buf_commit(b, 1);
    switch (v.tag) {
    case VAL_STRING: return put_string(e, b, val_slice(v));
    case VAL_BYTES: return put_bytes(b, val_slice(v));
    default: return put_nested(e, b, v, depth);
    }
}

static bool put_map(struct batch_enc *e, struct buf *b, const struct val_pair *pairs, uint32_t len)
{
    if (len == 0) {
        return buf_add_byte(b, 0);
    }
    return len <= e->limits.items && put_long(b, len) &&
           put_pairs(e, b, pairs, len, e->limits.depth) && buf_add_byte(b, 0);
}

bool batch_enc_text(struct batch_enc *e, struct buf *out, struct slice text)
{
    return put_string(e, out, text.ptr != NULL ? text : SLICE(""));
}

bool batch_enc_map(struct batch_enc *e, struct buf *out, struct val map)
{
    assert(map.tag == VAL_MAP || map.tag == VAL_NULL);
    return put_map(e, out, map.tag == VAL_MAP ? map.map : NULL, map.len);
}

/* --- contexts --- */

static struct slice known_bytes(const struct batch_enc *e, const struct known *k)
{
    return slice_of(e->contexts.ptr + k->from, k->len);
}

/* The place in the index of the known context with these bytes, or the free place for it. */
static uint32_t *place_of(const struct batch_enc *e, uint32_t hash, struct slice bytes)
{
    size_t at = hash & e->index_mask;
    for (; e->index[at] != 0; at = (at + 1) & e->index_mask) {
        const struct known *k = &e->known.ptr[e->index[at] - 1];
        if (k->hash == hash && slice_eq(known_bytes(e, k), bytes)) {
            break;
        }
    }
    return &e->index[at];
}

static void grow_index(struct batch_enc *e)
{
    e->index_mask = e->index_mask * 2 + 1;
    mem_free(e->index);
    e->index = mem_calloc(e->index_mask + 1, sizeof *e->index);
    for (size_t i = 0; i < e->known.len; i++) {
        const struct known *k = &e->known.ptr[i];
        *place_of(e, k->hash, known_bytes(e, k)) = (uint32_t)i + 1;
    }
}

/* Writes the context behind the others and keeps it if no equal one is there. */
static bool put_context(struct batch_enc *e, const struct rec_context *c, uint32_t *ret_number)
{
    size_t from = e->contexts.len;
    bool repaired_before = e->repaired;
    e->repaired = false;
    bool ok = put_map(e, &e->contexts, c != NULL ? c->pairs : NULL, c != NULL ? c->len : 0);
    struct slice bytes = slice_of(e->contexts.ptr + from, e->contexts.len - from);
    uint32_t hash = ok ? (uint32_t)hash_fast(bytes) : 0;
    uint32_t *place = ok ? place_of(e, hash, bytes) : NULL;
    if (place != NULL && *place != 0) {
        /* The texts are the same, but one of the two may have needed repair. */
        e->known.ptr[*place - 1].repaired |= e->repaired;
        e->contexts.len = from;
        *ret_number = *place - 1;
    } else if (place != NULL && e->known.len < e->limits.contexts) {
        *VEC_PUSH(&e->known) = (struct known){from, bytes.len, hash, e->repaired};
        *place = (uint32_t)e->known.len;
        *ret_number = (uint32_t)e->known.len - 1;
        if (e->known.len * 2 > e->index_mask) {
            grow_index(e);
        }
    } else {
        e->contexts.len = from;
        ok = false;
    }
    e->repaired = repaired_before;
    return ok;
}

static bool find_context(struct batch_enc *e, const struct rec_context *c, uint32_t *ret_number)
{
    size_t at = (((uintptr_t)c >> 4) ^ ((uintptr_t)c >> 12)) % BY_ADDRESS;
    struct by_address *cell = &e->by_address[at];
    if (LIKELY(cell->batch == e->batch && cell->context == c)) {
        *ret_number = cell->number;
        return true;
    }
    if (!put_context(e, c, ret_number)) {
        return false;
    }
    *cell = (struct by_address){c, *ret_number, e->batch};
    return true;
}

void batch_enc_contexts_moved(struct batch_enc *e)
{
    if (++e->batch == 0) {
        memset(e->by_address, 0, sizeof e->by_address);
        e->batch = 1;
    }
}

/* Takes contexts added since `known` back: the event that brought them did not fit. */
static void forget_contexts(struct batch_enc *e, size_t known)
{
    while (e->known.len > known) {
        struct known *k = VEC_LAST(&e->known);
        *place_of(e, k->hash, known_bytes(e, k)) = 0; /* the last put: no probe runs over it */
        e->contexts.len = k->from;
        e->known.len--;
    }
    batch_enc_contexts_moved(e);
}

/* --- events --- */

static inline char *put_opt_fixed(char *to, const uint8_t *bytes, size_t n, bool there)
{
    *to++ = there ? 2 : 0;
    if (there) {
        memcpy(to, bytes, n);
        to += n;
    }
    return to;
}

static bool put_causes(struct buf *b, const struct rec *r)
{
    size_t bytes = r->causes_len * sizeof *r->causes;
    return r->causes_len == 0 || (put_long(b, r->causes_len) && buf_add(b, r->causes, bytes));
}

/* The fields in the order of the schema. */
static bool put_event(struct batch_enc *e, const struct rec *r, uint32_t context, uint32_t flags)
{
    struct buf *b = &e->events;
    char *from = buf_room(b, EVENT_FIXED);
    if (UNLIKELY(from == NULL)) {
        return false;
    }
    char *to = varint_write_zz(from, context);
    to = varint_write_zz(to, r->n);
    e->last = b->len + (size_t)(to - from);
    memcpy(to, r->id.bytes, sizeof r->id.bytes);
    to = varint_write_zz(to + sizeof r->id.bytes, r->ts);
    to = varint_write_zz(to, r->ingest_ts);
    to = varint_write_zz(to, r->kind);
    buf_commit(b, (size_t)(to - from));
    if (UNLIKELY(!put_string(e, b, r->type) || (from = buf_room(b, EVENT_FIXED)) == NULL)) {
        return false;
    }
    to = put_opt_fixed(from, r->trace_id, sizeof r->trace_id, rec_has_trace(r));
    to = put_opt_fixed(to, r->span_id, sizeof r->span_id, rec_has_span(r));
    to = varint_write_zz(to, flags);
    buf_commit(b, (size_t)(to - from));
    return put_causes(b, r) && buf_add_byte(b, 0) && put_map(e, b, r->payload, r->payload_len);
}

size_t batch_enc_bytes(const struct batch_enc *e)
{
    return HEAD_MAX + e->contexts.len + e->events.len;
}

uint32_t batch_enc_count(const struct batch_enc *e)
{
    return e->count;
}

struct slice batch_enc_last(const struct batch_enc *e)
{
    assert(e->count > 0 && e->last < e->events.len);
    return slice_of(e->events.ptr + e->last, e->events.len - e->last);
}

/* Why nothing could be written, when the buffers were not full. */
static bool value_too_deep(struct val v, unsigned depth, const struct batch_limits *limits)
{
    if (v.tag != VAL_LIST && v.tag != VAL_MAP) {
        return false;
    }
    bool deep = depth == 0 || v.len > limits->items;
    for (uint32_t i = 0; !deep && i < v.len; i++) {
        deep = value_too_deep(v.tag == VAL_LIST ? v.list[i] : v.map[i].value, depth - 1, limits);
    }
    return deep;
}

static bool pairs_over_limit(const struct val_pair *pairs, uint32_t len,
                             const struct batch_limits *limits)
{
    bool over = len > limits->items;
    for (uint32_t i = 0; !over && i < len; i++) {
        over = value_too_deep(pairs[i].value, limits->depth, limits);
    }
    return over;
}

static COLD int refused(const struct batch_enc *e, const struct rec *r, struct err *reterr)
{
    const struct rec_context *c = r->context;
    if (pairs_over_limit(r->payload, r->payload_len, &e->limits) ||
        (c != NULL && pairs_over_limit(c->pairs, c->len, &e->limits))) {
        return err_set(reterr, ERR_LIMIT, "a value with more than %u items or %u levels",
                       e->limits.items, e->limits.depth);
    }
    return err_set(reterr, ERR_TOO_BIG,
                   "the event does not fit in a batch of %zu bytes with %u "
                   "events in it",
                   e->max, e->count);
}

static COLD int out_of_range(const struct batch_enc *e, const struct rec *r, struct err *reterr)
{
    if (r->causes_len > e->limits.causes) {
        return err_set(reterr, ERR_LIMIT, "%u causes: at most %u", r->causes_len, e->limits.causes);
    }
    return err_set(reterr, ERR_RANGE, "n %u or flags %u is above 2^31-1", r->n, r->flags);
}

int batch_enc_add(struct batch_enc *e, const struct rec *r, struct err *reterr)
{
    assert(e != NULL && r != NULL);
    if (UNLIKELY(r->n > INT32_MAX || r->flags > INT32_MAX || r->causes_len > e->limits.causes)) {
        return out_of_range(e, r, reterr);
    }
    size_t events_before = e->events.len, known_before = e->known.len;
    uint32_t context = 0, flags = r->flags;
    bool ok = e->count < e->limits.events && find_context(e, r->context, &context);
    if (LIKELY(ok)) {
        e->repaired = false;
        flags |= e->known.ptr[context].repaired ? (uint32_t)REC_FLAG_REPAIRED : 0;
        ok = put_event(e, r, context, flags);
        if (UNLIKELY(ok && e->repaired && (flags & REC_FLAG_REPAIRED) == 0)) {
            /* The flag stands before what was repaired: write the event again with it. */
            e->events.len = events_before;
            ok = put_event(e, r, context, flags | REC_FLAG_REPAIRED);
        }
    }
    if (UNLIKELY(!ok || batch_enc_bytes(e) > e->max)) {
        e->events.len = events_before;
        e->events.failed = e->contexts.failed = false;
        forget_contexts(e, known_before);
        return refused(e, r, reterr);
    }
    e->min_ts = e->count == 0 ? r->ts : MIN(e->min_ts, r->ts);
    e->max_ts = e->count == 0 ? r->ts : MAX(e->max_ts, r->ts);
    e->count++;
    return 0;
}

static bool put_array(struct buf *out, size_t count, const struct buf *items)
{
    return count == 0 || (put_long(out, (int64_t)count) && buf_add(out, items->ptr, items->len));
}

int batch_enc_end(struct batch_enc *e, struct buf *out, struct err *reterr)
{
    assert(e != NULL && out != NULL);
    size_t before = out->len;
    bool ok = put_string(e, out, slice_of(e->source, e->source_len)) && put_long(out, e->seq) &&
              put_long(out, e->min_ts) && put_long(out, e->max_ts) &&
              put_array(out, e->known.len, &e->contexts) && buf_add_byte(out, 0) &&
              put_array(out, e->count, &e->events) && buf_add_byte(out, 0);
    if (!ok) {
        out->len = before;
        out->failed = false;
        return err_set(reterr, ERR_TOO_BIG, "a batch of %zu bytes does not fit in the output",
                       batch_enc_bytes(e));
    }
    assert(out->len - before <= batch_enc_bytes(e));
    batch_enc_begin(e, slice_of(e->source, e->source_len), (int64_t)((uint64_t)e->seq + 1));
    return 0;
}
