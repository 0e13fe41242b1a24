/* SPDX-License-Identifier: Apache-2.0
 *
 * See replay_outputs.h. A lane is one partition that the task writes, with a tape of its own, which
 * begins a while before the first record was journaled.
 */
#include "operators/replay/replay_outputs.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/bus/bus_topics.h"
#include "core/event/rec_json.h"

#include <assert.h>
#include <inttypes.h>

enum { ARENA_MAX = 256 << 20, TEXT_MAX = 64 << 10, SHOWN = 900 };

#define BEFORE_MS INT64_C(600000) /* clocks of brokers differ, and a transaction takes its time */

struct item { /* an event, or a record that is none of events */
    uint64_t number;
    const struct rec *rec; /* NULL: bytes */
    struct slice bytes;
};

struct lane {
    struct slice topic;
    uint32_t part;
    struct tape *tape; /* NULL: it is not looked at */
    bool cut;          /* retention has removed records of it */
    VEC(struct item) made, there;
};

struct replay_outputs {
    struct tapes *tapes;
    const struct task_plan *plan;
    struct batch_in *decoder;
    struct arena *arena; /* of one record of the journal */
    struct lane *lanes;
    uint32_t n_lanes, *base;
    uint64_t first_seq, last_seq;
    bool open;
    struct replay_held held;
    struct buf first;
};

struct replay_outputs *replay_outputs_new(struct tapes *tapes, const struct task_plan *plan,
                                          struct batch_in *decoder)
{
    struct replay_outputs *o = MEM_NEW(struct replay_outputs);
    o->tapes = tapes;
    o->plan = plan;
    o->decoder = decoder;
    o->arena = arena_new(NULL, "outputs", ARENA_MAX);
    o->base = mem_calloc(plan->n_to + 1, sizeof *o->base);
    for (uint32_t i = 0; i < plan->n_to; i++) {
        o->base[i] = o->n_lanes;
        o->n_lanes += plan->to[i].parts;
    }
    o->lanes = mem_calloc(o->n_lanes + 1, sizeof *o->lanes);
    for (uint32_t i = 0; i < plan->n_to; i++) {
        for (uint32_t p = 0; p < plan->to[i].parts; p++) {
            struct lane *l = &o->lanes[o->base[i] + p];
            l->topic = plan->to[i].topic;
            l->part = p;
        }
    }
    buf_init(&o->first, TEXT_MAX);
    return o;
}

void replay_outputs_free(struct replay_outputs *o)
{
    if (o == NULL) {
        return;
    }
    for (uint32_t i = 0; i < o->n_lanes; i++) {
        tape_close(o->lanes[i].tape);
        VEC_DONE(&o->lanes[i].made);
        VEC_DONE(&o->lanes[i].there);
    }
    arena_free(o->arena);
    buf_done(&o->first);
    mem_free(o->lanes);
    mem_free(o->base);
    mem_free(o);
}

static int open_lanes(struct replay_outputs *o, int64_t time_ms, struct err *reterr)
{
    for (uint32_t i = 0; i < o->n_lanes && o->tapes != NULL; i++) {
        struct lane *l = &o->lanes[i];
        const struct bus_topic_row *row = bus_topic_row(l->topic);
        int64_t from = 0;
        if (row != NULL && row->cleanup == BUS_COMPACT) {
            continue;
        }
        int rc = tapes_by_time(o->tapes, l->topic, l->part, time_ms - BEFORE_MS, &from, reterr);
        rc = rc == 0 ? tape_open(o->tapes, l->topic, l->part, from, &l->tape, reterr) : rc;
        if (rc != 0) {
            return rc;
        }
        l->cut = tape_start(l->tape) > 0 && from <= tape_start(l->tape);
    }
    o->open = true;
    return 0;
}

/* ---- what was made, and what is there ---- */

/* `bytes` live as long as the arena. */
static void add_items(struct replay_outputs *o, struct slice bytes, uint64_t first, struct lane *l,
                      bool made)
{
    struct rec_batch b = {0};
    struct err err;
    bool events = batch_in_read(o->decoder, o->arena, bytes, &b, &err) == 0;
    for (uint32_t i = 0; events && i < b.events_len; i++) {
        struct rec *r = ARENA_NEW(o->arena, struct rec);
        *r = b.events[i];
        r->n = 0;
        struct item it = {first + b.events[i].n, r, SLICE_NONE};
        if (made) {
            *VEC_PUSH(&l->made) = it;
        } else {
            *VEC_PUSH(&l->there) = it;
        }
    }
    if (!events && made) {
        *VEC_PUSH(&l->made) = (struct item){first, NULL, bytes};
    } else if (!events) {
        *VEC_PUSH(&l->there) = (struct item){first, NULL, bytes};
    }
}

/* Records of this task in the lane, up to that record of its journal. What others put out between
 * the record held before, `last`, and this one is of other rules. */
static int read_lane(struct replay_outputs *o, struct lane *l, uint64_t last, uint64_t seq,
                     struct err *reterr)
{
    const struct bus_record *r;
    int rc = 0;
    while (l->tape != NULL && (rc = tape_next(l->tape, &r, reterr)) == 1) {
        struct head h;
        if (!head_of(r, &h) || h.lineage != o->plan->lineage || h.seq < o->first_seq) {
            continue;
        }
        if (h.seq > seq) {
            tape_back(l->tape);
            break;
        }
        bool of_others = h.seq > last && h.seq < seq;
        if (r->value.len > 0 && !of_others) { /* else a mark */
            add_items(o, arena_copy(o->arena, r->value), h.first, l, false);
        }
    }
    return MIN(rc, 0);
}

/* ---- comparing ---- */

static void show(struct buf *b, const struct item *it)
{
    size_t from = b->len;
    if (it == NULL) {
        (void)buf_add_str(b, "nothing");
    } else if (it->rec != NULL) {
        (void)rec_json_event(b, it->rec, NULL);
    } else {
        (void)buf_addf(b, "%zu bytes", it->bytes.len);
    }
    if (b->len - from > SHOWN) {
        b->len = from + SHOWN;
        (void)buf_add_str(b, "...");
    }
}

static void note(struct replay_outputs *o, const struct lane *l, uint64_t seq,
                 const struct item *made, const struct item *there)
{
    if (o->first.len > 0) {
        return;
    }
    (void)buf_addf(&o->first,
                   "record %" PRIu64 ", " SLICE_FMT " partition %u, event %" PRIu64 ": made ", seq,
                   SLICE_ARG(l->topic), l->part, made != NULL ? made->number : there->number);
    show(&o->first, made);
    (void)buf_add_str(&o->first, "; in the topic: ");
    show(&o->first, there);
}

static bool same(const struct item *a, const struct item *b)
{
    return a->number == b->number && (a->rec != NULL) == (b->rec != NULL) &&
           (a->rec != NULL ? rec_same(a->rec, b->rec) : slice_eq(a->bytes, b->bytes));
}

/* By numbers, which rise. */
static void compare(struct replay_outputs *o, struct lane *l, uint64_t seq)
{
    size_t i = 0, k = 0;
    while (i < l->made.len || k < l->there.len) {
        const struct item *a = i < l->made.len ? &l->made.ptr[i] : NULL;
        const struct item *b = k < l->there.len ? &l->there.ptr[k] : NULL;
        if (a != NULL && (b == NULL || a->number < b->number)) {
            o->held.missing += !l->cut;
            o->held.gone += l->cut;
            if (!l->cut) {
                note(o, l, seq, a, NULL);
            }
            i++;
        } else if (a == NULL || b->number < a->number) {
            o->held.extra++;
            note(o, l, seq, NULL, b);
            k++;
        } else {
            bool equal = same(a, b);
            l->cut = false; /* what comes after it is there, too */
            o->held.same += equal;
            o->held.differ += !equal;
            if (!equal) {
                note(o, l, seq, a, b);
            }
            i++;
            k++;
        }
    }
    VEC_CLEAR(&l->made);
    VEC_CLEAR(&l->there);
}

int replay_outputs_hold(struct replay_outputs *o, const struct journal_record *r, int64_t time_ms,
                        const struct parcel *p,
                        void (*on_event)(void *, const struct replay_event *), void *arg,
                        struct err *reterr)
{
    arena_reset(o->arena);
    if (!o->open) {
        o->first_seq = r->seq;
        int rc = open_lanes(o, time_ms, reterr);
        if (rc != 0) {
            return rc;
        }
    }
    uint64_t last = o->last_seq;
    o->last_seq = r->seq;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct emit_record *x = &p->records[i];
        struct lane *l = &o->lanes[o->base[x->to] + x->part];
        size_t from = l->made.len;
        if (x->value.len > 0) {
            add_items(o, x->value, x->first, l, true);
        }
        for (size_t k = from; k < l->made.len; k++) {
            const struct item *it = &l->made.ptr[k];
            const struct replay_event e = {l->topic, l->part, it->number, it->rec};
            o->held.made += l->tape != NULL || o->tapes == NULL;
            if (on_event != NULL && it->rec != NULL) {
                on_event(arg, &e);
            }
        }
    }
    int rc = 0;
    for (uint32_t i = 0; i < o->n_lanes && rc == 0; i++) {
        struct lane *l = &o->lanes[i];
        rc = read_lane(o, l, last, r->seq, reterr);
        if (l->tape != NULL && rc == 0) {
            compare(o, l, r->seq);
        }
        VEC_CLEAR(&l->made);
    }
    return rc;
}

struct replay_held replay_outputs_held(const struct replay_outputs *o)
{
    return o->held;
}

const char *replay_outputs_first(struct replay_outputs *o)
{
    return buf_cstr(&o->first);
}
