/* SPDX-License-Identifier: Apache-2.0
 *
 * See emit.h. A lane is one partition of one topic. Values and heads of a parcel lie in one buffer;
 * while it grows, records hold positions, which become slices at the cut. Parcels are used again.
 */
#include "operators/shard/emit.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/codec/endian.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/schema.h"

#include <assert.h>

enum {
    BATCH_BYTES = BUS_RECORD_MAX - 64 * 1024, /* leaves room for key and headers */
    PARCEL_BYTES = 1 << 30,
};

struct lane {
    struct batch_enc *enc; /* NULL: nothing was ever written to it */
    uint32_t to, part;
    uint64_t first; /* number of the first event in enc */
    uint32_t last;  /* in the open parcel: its last record, from 1 */
    uint32_t turn;  /* of contexts, when it had its last event */
    bool busy;      /* in the list of those with events */
};

struct place { /* of a record in the buffer */
    size_t value, value_len, head, head_len, key, key_len;
};

struct box {
    struct parcel parcel;
    struct buf bytes;
    VEC(struct emit_record) records;
    VEC(struct place) places;
    struct box *next; /* free */
};

struct emit {
    uint64_t lineage, print;
    struct slice source;
    const struct emit_to *to;
    uint32_t n_to;
    uint32_t *base; /* of each topic's lanes */
    struct lane *lanes;
    uint32_t n_lanes;
    VEC(uint32_t) busy; /* lanes with events, in the order of their first */
    struct box *open, *free;
    struct hash_state *sum;
    uint64_t events, total;
    uint32_t turn; /* of contexts */
    bool ending;
};

void emit_end(struct emit *e)
{
    e->ending = true;
}

struct emit *emit_new(uint64_t lineage, struct slice source, const struct emit_to *to, uint32_t n)
{
    struct emit *e = MEM_NEW(struct emit);
    e->lineage = lineage;
    e->source = source;
    e->to = to;
    e->n_to = n;
    e->base = mem_calloc(n + 1, sizeof *e->base);
    for (uint32_t i = 0; i < n; i++) {
        e->base[i] = e->n_lanes;
        e->n_lanes += to[i].parts;
    }
    e->lanes = mem_calloc(e->n_lanes + 1, sizeof *e->lanes);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < to[i].parts; k++) {
            e->lanes[e->base[i] + k] = (struct lane){.to = i, .part = k};
        }
    }
    e->print = schema_file_print(SLICE("event_batch.avsc"));
    e->sum = hash_new();
    return e;
}

static void box_free(struct box *b)
{
    if (b != NULL) {
        buf_done(&b->bytes);
        VEC_DONE(&b->records);
        VEC_DONE(&b->places);
        mem_free(b);
    }
}

void emit_free(struct emit *e)
{
    if (e == NULL) {
        return;
    }
    for (uint32_t i = 0; i < e->n_lanes; i++) {
        batch_enc_free(e->lanes[i].enc);
    }
    for (struct box *b = e->free, *next; b != NULL; b = next) {
        next = b->next;
        box_free(b);
    }
    box_free(e->open);
    VEC_DONE(&e->busy);
    hash_free(e->sum);
    mem_free(e->lanes);
    mem_free(e->base);
    mem_free(e);
}

static struct box *open_box(struct emit *e)
{
    if (e->open == NULL && e->free != NULL) {
        e->open = e->free;
        e->free = e->open->next;
    } else if (e->open == NULL) {
        e->open = MEM_NEW(struct box);
        buf_init(&e->open->bytes, PARCEL_BYTES);
    }
    return e->open;
}

static struct emit_record *add_record(struct emit *e, struct lane *l)
{
    struct box *b = open_box(e);
    struct emit_record *r = VEC_PUSH(&b->records);
    (void)VEC_PUSH(&b->places);
    r->to = l->to;
    r->part = l->part;
    l->last = (uint32_t)b->records.len;
    return r;
}

/* What the lane has becomes a record. */
static void flush(struct emit *e, struct lane *l)
{
    struct err err;
    uint32_t count = batch_enc_count(l->enc);
    if (count == 0) {
        return;
    }
    struct emit_record *r = add_record(e, l);
    struct place *p = VEC_LAST(&e->open->places);
    r->first = l->first;
    r->count = count;
    p->value = e->open->bytes.len;
    int rc = 0;
    if (!frame_put(&e->open->bytes, FRAME_SINGLE, e->print) ||
        (rc = batch_enc_end(l->enc, &e->open->bytes, &err)) != 0) {
        assert(false && "a parcel is bounded by the queue of the bus, far below its buffer");
    }
    (void)rc;
    p->value_len = e->open->bytes.len - p->value;
}

static void add_to_sum(struct emit *e, const struct lane *l, uint64_t number, struct slice event)
{
    char head[24];
    endian_put_be64(head, l->to);
    endian_put_be64(head + 8, l->part);
    endian_put_be64(head + 16, number);
    hash_add(e->sum, head, sizeof head);
    hash_add(e->sum, event.ptr, event.len);
    e->total += event.len + sizeof head;
}

int emit_event(struct emit *e, uint32_t to, uint32_t part, struct rec *r, uint64_t number,
               struct err *reterr)
{
    assert(to < e->n_to && part < e->to[to].parts);
    struct lane *l = &e->lanes[e->base[to] + part];
    if (l->enc == NULL) {
        l->enc = batch_enc_new(BATCH_LIMITS, BATCH_BYTES);
        batch_enc_begin(l->enc, e->source, 0);
    }
    if (l->turn != e->turn) {
        batch_enc_contexts_moved(l->enc);
        l->turn = e->turn;
    }
    if (batch_enc_count(l->enc) > 0 && number - l->first > INT32_MAX) {
        flush(e, l);
    }
    for (int attempt = 0;; attempt++) {
        l->first = batch_enc_count(l->enc) == 0 ? number : l->first;
        r->n = (uint32_t)(number - l->first);
        int rc = batch_enc_add(l->enc, r, reterr);
        if (rc == 0) {
            break;
        }
        if (rc != -ERR_TOO_BIG || attempt > 0 || batch_enc_count(l->enc) == 0) {
            return rc;
        }
        flush(e, l);
    }
    add_to_sum(e, l, number, batch_enc_last(l->enc));
    e->events++;
    if (!l->busy) {
        l->busy = true;
        *VEC_PUSH(&e->busy) = (uint32_t)(l - e->lanes);
    }
    return 0;
}

void emit_contexts_moved(struct emit *e)
{
    e->turn++;
}

int emit_plain(struct emit *e, uint32_t to, uint32_t part, struct slice key, struct slice value,
               uint64_t number, struct err *reterr)
{
    assert(to < e->n_to && part < e->to[to].parts && !e->to[to].marked);
    if (key.len + value.len > BATCH_BYTES) {
        return err_set(reterr, ERR_TOO_BIG, "a record of %zu bytes; %d are allowed",
                       key.len + value.len, BATCH_BYTES);
    }
    struct lane *l = &e->lanes[e->base[to] + part];
    struct emit_record *r = add_record(e, l);
    struct place *p = VEC_LAST(&e->open->places);
    struct buf *b = &e->open->bytes;
    r->first = number;
    p->key = b->len;
    p->key_len = key.len;
    buf_add_slice(b, key);
    p->value = b->len;
    p->value_len = value.len;
    buf_add_slice(b, value);
    assert(!buf_failed(b));
    add_to_sum(e, l, number, slice_of(b->ptr + p->key, key.len + value.len));
    e->events++;
    return 0;
}

bool emit_is_empty(const struct emit *e)
{
    return e->busy.len == 0 && (e->open == NULL || e->open->records.len == 0);
}

uint64_t emit_total(const struct emit *e)
{
    return e->total;
}

size_t emit_bytes(const struct emit *e)
{
    size_t n = e->open != NULL ? e->open->bytes.len : 0;
    for (size_t i = 0; i < e->busy.len; i++) {
        n += batch_enc_bytes(e->lanes[e->busy.ptr[i]].enc);
    }
    return n;
}

/* Ends stand behind everything else, as records of their own: who begins again finds them. */
static size_t add_ends(struct emit *e, struct box *b)
{
    size_t from = b->records.len;
    for (uint32_t i = 0; i < e->n_lanes && e->ending; i++) {
        const struct lane *l = &e->lanes[i];
        if (e->to[l->to].marked) {
            *VEC_PUSH(&b->records) = (struct emit_record){.to = l->to, .part = l->part};
            (void)VEC_PUSH(&b->places);
        }
    }
    e->ending = false;
    return from;
}

static void write_heads(struct emit *e, struct box *b, uint64_t epoch, uint64_t seq, int64_t mark)
{
    size_t ends = add_ends(e, b);
    for (size_t i = 0; i < b->records.len; i++) {
        struct emit_record *r = &b->records.ptr[i];
        const struct lane *l = &e->lanes[e->base[r->to] + r->part];
        bool marks = e->to[r->to].marked && l->last == i + 1;
        bool numbered = b->places.ptr[i].key_len > 0 && r->first > 0; /* a plain record */
        struct head h = {.lineage = e->lineage,
                         .epoch = epoch,
                         .seq = seq,
                         .first = r->first,
                         .count = numbered ? 1 : r->count,
                         .mark = marks ? mark : MERGE_NO_MARK,
                         .end = i >= ends};
        b->places.ptr[i].head = b->bytes.len;
        bool fits = head_write(&b->bytes, &h);
        assert(fits);
        (void)fits;
        b->places.ptr[i].head_len = b->bytes.len - b->places.ptr[i].head;
    }
    for (size_t i = 0; i < b->records.len; i++) {
        const struct place *p = &b->places.ptr[i];
        b->records.ptr[i].value = slice_of(b->bytes.ptr + p->value, p->value_len);
        b->records.ptr[i].key =
            p->key_len > 0 ? slice_of(b->bytes.ptr + p->key, p->key_len) : SLICE_NONE;
        b->records.ptr[i].head = slice_of(b->bytes.ptr + p->head, p->head_len);
    }
}

struct parcel *emit_cut(struct emit *e, uint64_t epoch, uint64_t seq, int64_t mark)
{
    struct box *b = open_box(e);
    for (size_t i = 0; i < e->busy.len; i++) {
        struct lane *l = &e->lanes[e->busy.ptr[i]];
        l->busy = false;
        flush(e, l);
    }
    VEC_CLEAR(&e->busy);
    for (uint32_t i = 0; i < e->n_lanes && mark != MERGE_NO_MARK; i++) {
        struct lane *l = &e->lanes[i];
        if (e->to[l->to].marked && l->last == 0) {
            (void)add_record(e, l);
        }
    }
    write_heads(e, b, epoch, seq, mark);
    for (size_t i = 0; i < b->records.len; i++) {
        const struct emit_record *r = &b->records.ptr[i];
        e->lanes[e->base[r->to] + r->part].last = 0;
    }
    b->parcel =
        (struct parcel){b->records.ptr, (uint32_t)b->records.len, hash_end(e->sum), e->events};
    hash_reset(e->sum);
    e->events = 0;
    e->open = NULL;
    return &b->parcel;
}

void emit_give_back(struct emit *e, struct parcel *p)
{
    if (p == NULL) {
        return;
    }
    struct box *b = CONTAINER_OF(p, struct box, parcel);
    buf_clear(&b->bytes);
    VEC_CLEAR(&b->records);
    VEC_CLEAR(&b->places);
    b->next = e->free;
    e->free = b;
}
