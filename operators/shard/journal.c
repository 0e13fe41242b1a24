/* SPDX-License-Identifier: Apache-2.0
 *
 * See journal.h. `record` walks the fields once; each step writes its field or reads it, so that
 * both cannot drift apart.
 */
#include "operators/shard/journal.h"

#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "core/codec/varint.h"

#include <assert.h>

enum { SUM_BYTES = 8 };

struct pass {
    struct buf *out; /* writing; NULL: reading */
    const char *at, *end;
    struct arena *a;
    bool bad;
    uint32_t unknown; /* a decision that a newer program has made; 0: none */
};

static void num(struct pass *p, uint64_t *v)
{
    if (p->out != NULL) {
        char *to = buf_room(p->out, VARINT_MAX);
        if (to != NULL) {
            buf_commit(p->out, (size_t)(varint_write(to, *v) - to));
        }
        return;
    }
    const char *next = p->bad ? NULL : varint_read(p->at, p->end, v);
    p->bad = next == NULL;
    p->at = p->bad ? p->end : next;
    *v = p->bad ? 0 : *v;
}

static void snum(struct pass *p, int64_t *v)
{
    uint64_t u = varint_zigzag(*v);
    num(p, &u);
    *v = varint_unzigzag(u);
}

static void num32(struct pass *p, uint32_t *v)
{
    uint64_t u = *v;
    num(p, &u);
    p->bad |= u > UINT32_MAX;
    *v = (uint32_t)u;
}

static void raw(struct pass *p, void *v, size_t n)
{
    if (p->out != NULL) {
        buf_add(p->out, v, n);
    } else if ((size_t)(p->end - p->at) < n) {
        p->bad = true;
        memset(v, 0, n);
    } else {
        memcpy(v, p->at, n);
        p->at += n;
    }
}

static void text(struct pass *p, struct slice *s)
{
    uint64_t n = s->len;
    num(p, &n);
    if (p->out != NULL) {
        buf_add_slice(p->out, *s);
    } else if (n > (uint64_t)(p->end - p->at)) {
        p->bad = true;
        *s = SLICE("");
    } else {
        *s = slice_of(p->at, (size_t)n);
        p->at += n;
    }
}

/* The length of an array whose items have at least `least` bytes; when reading, the array. */
static void *array(struct pass *p, void *v, uint32_t *n, size_t size, size_t least)
{
    num32(p, n);
    if (p->out != NULL) {
        return v;
    }
    if (p->bad || *n > (size_t)(p->end - p->at) / least) {
        p->bad |= *n > 0;
        *n = 0;
    }
    void *to = *n > 0 ? arena_array(p->a, *n, size) : NULL;
    if (*n > 0 && to == NULL) {
        p->bad = true;
        *n = 0;
    }
    return to;
}

static void pos(struct pass *p, struct merge_pos *at)
{
    snum(p, &at->offset);
    num32(p, &at->index);
}

static void skip(struct pass *p, struct merge_skip *s)
{
    uint64_t length = s->to == MERGE_NEVER ? 0 : s->to - s->from; /* an open one has no end */
    num32(p, &s->sub);
    num(p, &s->from);
    num(p, &length);
    p->bad |= length > UINT64_MAX - s->from;
    s->to = length == 0 ? MERGE_NEVER : s->from + length;
}

static void decision(struct pass *p, struct journal_decision *d)
{
    uint32_t kind = d->kind;
    num32(p, &kind);
    if (p->out == NULL && !p->bad && journal_kind_name((enum journal_kind)kind) == NULL) {
        p->unknown = kind;
        p->bad |= kind == 0;
    }
    d->kind = (enum journal_kind)kind;
    num(p, &d->take);
    snum(p, &d->time);
    text(p, &d->bytes);
}

static void lists(struct pass *p, struct journal_record *r)
{
    r->reads = array(p, r->reads, &r->n_reads, sizeof *r->reads, 5);
    for (uint32_t i = 0; i < r->n_reads; i++) {
        num32(p, &r->reads[i].sub);
        pos(p, &r->reads[i].from);
        pos(p, &r->reads[i].to);
    }
    r->skips = array(p, r->skips, &r->n_skips, sizeof *r->skips, 3);
    for (uint32_t i = 0; i < r->n_skips; i++) {
        skip(p, &r->skips[i]);
    }
    r->decisions = array(p, r->decisions, &r->n_decisions, sizeof *r->decisions, 4);
    for (uint32_t i = 0; i < r->n_decisions; i++) {
        decision(p, &r->decisions[i]);
    }
    r->puts = array(p, r->puts, &r->n_puts, sizeof *r->puts, 4);
    for (uint32_t i = 0; i < r->n_puts; i++) {
        text(p, &r->puts[i].topic);
        num32(p, &r->puts[i].part);
        num(p, &r->puts[i].first);
        num32(p, &r->puts[i].count);
    }
    r->spans = array(p, r->spans, &r->n_spans, sizeof *r->spans, 4);
    for (uint32_t i = 0; i < r->n_spans; i++) {
        text(p, &r->spans[i].topic);
        num32(p, &r->spans[i].part);
        snum(p, &r->spans[i].offset);
        num32(p, &r->spans[i].count);
    }
}

static void record(struct pass *p, struct journal_record *r)
{
    num(p, &r->lineage);
    num(p, &r->epoch);
    num(p, &r->seq);
    num(p, &r->plan);
    num32(p, &r->engine);
    snum(p, &r->prev_offset);
    raw(p, &r->prev_sum, sizeof r->prev_sum);
    snum(p, &r->clock);
    num(p, &r->takes);
    num(p, &r->outputs);
    lists(p, r);
    raw(p, &r->out_sum, sizeof r->out_sum);
    uint64_t has = r->has_state;
    num(p, &has);
    p->bad |= has > 1;
    r->has_state = has == 1;
    if (r->has_state) {
        raw(p, &r->state, sizeof r->state);
    }
}

static uint64_t sum_of(struct slice bytes)
{
    struct hash128 h = hash_xxh128(bytes);
    return endian_be64(h.bytes);
}

int journal_write(const struct journal_record *r, struct buf *out, uint64_t *ret_sum,
                  struct err *reterr)
{
    size_t from = out->len;
    struct pass p = {.out = out};
    struct journal_record copy = *r; /* the walk only reads it */
    copy.prev_sum = endian_be64(&r->prev_sum);
    buf_add_byte(out, JOURNAL_FORMAT);
    record(&p, &copy);
    assert(!p.bad);
    uint64_t sum = sum_of(slice_of(out->ptr + from, out->len - from)), bytes;
    endian_put_be64(&bytes, sum);
    buf_add(out, &bytes, SUM_BYTES);
    if (buf_failed(out) || out->len - from > JOURNAL_BYTES_MAX) {
        return err_set(reterr, ERR_TOO_BIG, "a record of the journal is larger than %d bytes",
                       JOURNAL_BYTES_MAX);
    }
    *ret_sum = sum;
    return 0;
}

int journal_read(struct slice bytes, struct arena *a, struct journal_record *ret, uint64_t *ret_sum,
                 struct err *reterr)
{
    unsigned format = bytes.len > 0 ? (uint8_t)bytes.ptr[0] : 0;
    if (format > JOURNAL_FORMAT) {
        return err_set(reterr, ERR_UNSUPPORTED,
                       "a journal of format %u, of a newer program; this one reads formats 1 to %d",
                       format, JOURNAL_FORMAT);
    }
    if (bytes.len <= SUM_BYTES || format == 0 ||
        sum_of(slice_sub(bytes, 0, bytes.len - SUM_BYTES)) !=
            endian_be64(bytes.ptr + bytes.len - SUM_BYTES)) {
        return err_set(reterr, ERR_CORRUPT, "a record of the journal whose checksum is wrong");
    }
    struct pass p = {.at = bytes.ptr + 1, .end = bytes.ptr + bytes.len - SUM_BYTES, .a = a};
    struct journal_record r = {0};
    record(&p, &r);
    r.prev_sum = endian_be64(&r.prev_sum);
    if (!p.bad && p.at == p.end && p.unknown > 0) {
        return err_set(reterr, ERR_UNSUPPORTED,
                       "a journal with decisions of kind %u, of a newer program", p.unknown);
    }
    if (p.bad || p.at != p.end) {
        return err_set(reterr, ERR_CORRUPT, "a record of the journal that does not decode");
    }
    *ret = r;
    *ret_sum = endian_be64(bytes.ptr + bytes.len - SUM_BYTES);
    return 0;
}

bool journal_begins(const struct journal_record *r)
{
    bool begins = r->seq == 1;
    for (uint32_t i = 0; i < r->n_decisions; i++) {
        begins |= r->decisions[i].kind == JOURNAL_SUCCEEDS;
    }
    return begins;
}

const char *journal_kind_name(enum journal_kind kind)
{
    static const struct {
        enum journal_kind kind;
        const char *name;
    } names[] = {
#define JOURNAL_DECISION(name, number, doc) {JOURNAL_##name, #name},
#include "operators/shard/journal.def"
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].kind == kind) {
            return names[i].name;
        }
    }
    return NULL;
}
