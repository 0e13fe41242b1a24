/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker's side of transactions: slots with their epochs, the decision of a commit with all the
 * ends it may have, markers, time-outs. See bus_sim_txn.h for the states. A commit's end is drawn
 * when it is decided; bus_sim_inject sets it beforehand.
 */
#include "core/bus/bus_sim_ops.h"

#include "core/base/mem.h"

#include <assert.h>

struct sim_slot *sim_slot_get(struct sim_bus *b, struct slice name)
{
    void **at = map_put(&b->slots, name);
    assert(at != NULL);
    if (*at == NULL) {
        struct sim_slot *s = *at = MEM_NEW(struct sim_slot);
        s->name = slice_of(mem_dup(name.ptr, name.len), name.len);
    }
    return *at;
}

void sim_slot_free(struct sim_slot *s)
{
    VEC_EACH (&s->undecided, t) {
        sim_txn_unref(*t);
    }
    VEC_EACH (&s->held, t) {
        sim_txn_unref(*t);
    }
    VEC_EACH (&s->waiting, op) {
        sim_op_free(*op);
    }
    VEC_DONE(&s->undecided);
    VEC_DONE(&s->held);
    VEC_DONE(&s->waiting);
    VEC_DONE(&s->fates);
    mem_free((void *)(uintptr_t)s->name.ptr);
    mem_free(s);
}

struct sim_txn *sim_txn_new(struct sim_bus *b, const struct sim_writer *w)
{
    assert(w->slot != NULL);
    struct sim_txn *t = MEM_NEW(struct sim_txn);
    t->refs = 1;
    t->slot = w->slot;
    t->epoch = w->epoch;
    t->client = ((const struct sim_client *)w->w.client)->id;
    t->writer = w->id;
    t->lazy = sim_chance(b, b->faults.lazy);
    return t;
}

static struct sim_txn *txn_ref(struct sim_txn *t)
{
    assert(t->refs > 0);
    t->refs++;
    return t;
}

static void drop_puts(struct sim_txn *t)
{
    VEC_EACH (&t->puts, rec) {
        mem_free(*rec);
    }
    VEC_CLEAR(&t->puts);
}

void sim_txn_unref(struct sim_txn *t)
{
    assert(t->refs > 0);
    if (--t->refs == 0) {
        drop_puts(t);
        VEC_DONE(&t->puts);
        VEC_DONE(&t->touched);
        mem_free(t);
    }
}

void sim_txn_unref_obj(void *txn)
{
    sim_txn_unref(txn);
}

static void unlist(struct sim_bus *b, struct sim_txn *t)
{
    struct sim_slot *s = t->slot;
    for (size_t i = 0; t->listed && i < s->undecided.len; i++) {
        if (s->undecided.ptr[i] == t) {
            VEC_REMOVE(&s->undecided, i);
            t->listed = false;
            sim_txn_unref(t);
        }
    }
    while (s->undecided.len == 0 && s->waiting.len > 0) {
        struct sim_op *op = s->waiting.ptr[0];
        VEC_REMOVE(&s->waiting, 0);
        sim_op_decided(b, op);
    }
}

static void marker_written(struct sim_bus *b, struct sim_txn *t, struct sim_part *p)
{
    assert(t->markers > 0);
    sim_log_decide(b, p, t, t->state == SIM_TXN_COMMITTED);
    if (--t->markers == 0) {
        t->state = SIM_TXN_DONE;
        unlist(b, t);
    }
}

static void write_marker(struct sim_bus *b, const struct sim_action *a)
{
    marker_written(b, a->obj, a->part);
    sim_txn_unref(a->obj);
}

/* The decision: from here its fate is fixed, and markers tell each partition. */
static void decide(struct sim_bus *b, struct sim_txn *t, bool committed)
{
    assert(t->state == SIM_TXN_OPEN);
    assert(!committed || t->puts.len == 0);
    sim_note(b, t->client, committed ? "committed" : "aborted", t->slot->name, t->writer, t->tag,
             SLICE_NONE);
    drop_puts(t);
    t->state = committed ? SIM_TXN_COMMITTED : SIM_TXN_ABORTED;
    t->markers = (uint32_t)t->touched.len;
    (void)txn_ref(t);
    if (t->touched.len == 0) {
        t->state = SIM_TXN_DONE;
        unlist(b, t);
    }
    VEC_EACH (&t->touched, touch) {
        int64_t delay = sim_draw(b, b->faults.marker);
        if (delay == 0) {
            marker_written(b, t, touch->part);
        } else {
            sim_at(b, b->time.mono_ns + delay,
                   (struct sim_action){.run = write_marker,
                                       .drop = sim_txn_unref_obj,
                                       .obj = txn_ref(t),
                                       .part = touch->part});
        }
    }
    sim_txn_unref(t);
}

void sim_slot_bump(struct sim_bus *b, struct sim_slot *s)
{
    s->epoch++;
    sim_note(b, 0, "epoch", s->name, (uint64_t)s->epoch, 0, SLICE_NONE);
    b->stats.fences++;
    for (size_t i = s->undecided.len; i > 0; i--) {
        /* From the end: a decision may take the transaction out of the list. */
        struct sim_txn *t = i <= s->undecided.len ? s->undecided.ptr[i - 1] : NULL;
        if (t != NULL && t->state == SIM_TXN_OPEN) {
            decide(b, t, false);
        }
    }
    VEC_EACH (&b->clients, c) {
        VEC_EACH (&(*c)->writers, w) {
            if ((*w)->slot == s && (*w)->state == SIM_OPENED) {
                sim_writer_fenced(b, (*c)->id, (*w)->id, false);
            }
        }
    }
}

void bus_sim_fence(struct bus *bus, struct slice slot)
{
    struct sim_bus *b = (struct sim_bus *)bus;
    sim_slot_bump(b, sim_slot_get(b, slot));
}

static void time_out(struct sim_bus *b, const struct sim_action *a)
{
    struct sim_txn *t = a->obj;
    if (t->state == SIM_TXN_OPEN) {
        t->timed_out = true;
        decide(b, t, false);
    }
    sim_txn_unref(t);
}

static struct sim_touch *touch_part(struct sim_bus *b, struct sim_txn *t, struct sim_part *p)
{
    VEC_EACH (&t->touched, touch) {
        if (touch->part == p) {
            return touch;
        }
    }
    if (!t->listed) {
        t->listed = true;
        *VEC_PUSH(&t->slot->undecided) = txn_ref(t);
        if (!t->lazy) {
            sim_at(
                b, b->time.mono_ns + b->faults.txn_timeout_ns,
                (struct sim_action){.run = time_out, .drop = sim_txn_unref_obj, .obj = txn_ref(t)});
        }
    }
    struct sim_touch *touch = VEC_PUSH(&t->touched);
    touch->part = p;
    touch->first = -1;
    return touch;
}

void sim_txn_flush(struct sim_bus *b, struct sim_txn *t)
{
    if (t->slot->epoch != t->epoch || t->state != SIM_TXN_OPEN) {
        drop_puts(t);
        sim_writer_fenced(b, t->client, t->writer, false);
        return;
    }
    VEC_EACH (&t->puts, put) {
        struct sim_record *rec = *put;
        struct sim_part *p = rec->part;
        struct sim_touch *touch = touch_part(b, t, p);
        struct bus_tp tp = rec->tp;
        int64_t offset = sim_log_append(b, p, rec, t);
        if (touch->count++ == 0) {
            touch->first = offset;
            touch->tp = tp;
        }
    }
    VEC_CLEAR(&t->puts);
}

static struct sim_out *committed_out(const struct sim_txn *t)
{
    struct sim_out *o = sim_out_new(BUS_EV_COMMITTED, t->tag);
    if (t->touched.len > 0) {
        struct bus_span *spans = o->mem = mem_calloc(t->touched.len, sizeof *spans);
        for (size_t i = 0; i < t->touched.len; i++) {
            const struct sim_touch *touch = &t->touched.ptr[i];
            spans[i] = (struct bus_span){touch->tp, touch->first, touch->count};
        }
        o->ev.spans = spans;
        o->ev.count = (uint32_t)t->touched.len;
    }
    return o;
}

static void tell(struct sim_bus *b, const struct sim_txn *t, enum bus_ev_kind kind, bool reopen,
                 const char *why)
{
    if (t->told) {
        return;
    }
    struct sim_out *o;
    if (kind == BUS_EV_COMMITTED) {
        o = committed_out(t);
    } else {
        o = sim_out_new(kind, t->tag);
        enum err_code code = kind == BUS_EV_UNKNOWN ? ERR_UNKNOWN
                             : kind == BUS_EV_FULL  ? ERR_FULL
                                                    : ERR_ABORTED;
        if (kind != BUS_EV_FENCED) {
            sim_out_err(o, code, why);
        }
    }
    b->stats.commits += kind == BUS_EV_COMMITTED;
    b->stats.aborts += kind == BUS_EV_ABORTED;
    b->stats.unknowns += kind == BUS_EV_UNKNOWN;
    b->stats.fulls += kind == BUS_EV_FULL;
    o->ev.reopen = reopen;
    sim_tell(b, sim_draw(b, b->faults.ack), t->client, t->writer, o);
}

static enum bus_sim_fate draw_fate(struct sim_bus *b, struct sim_slot *s)
{
    const struct bus_sim_faults *f = &b->faults;
    if (s->fates.len > 0) {
        enum bus_sim_fate fate = s->fates.ptr[0];
        VEC_REMOVE(&s->fates, 0);
        return fate;
    }
    const struct {
        double p;
        enum bus_sim_fate fate;
    } table[] = {
        {f->aborted, BUS_SIM_ABORT},
        {f->unknown_done, BUS_SIM_UNKNOWN_DONE},
        {f->unknown_lost, BUS_SIM_UNKNOWN_LOST},
        {f->unknown_late, BUS_SIM_UNKNOWN_LATE},
        {f->fenced, BUS_SIM_FENCE},
        {f->full, BUS_SIM_FULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (sim_chance(b, table[i].p)) {
            bool reopen = table[i].fate == BUS_SIM_ABORT && sim_chance(b, f->aborted_reopen);
            return reopen ? BUS_SIM_ABORT_REOPEN : table[i].fate;
        }
    }
    return BUS_SIM_COMMIT;
}

static uint64_t unappended_bytes(const struct sim_txn *t)
{
    uint64_t bytes = 0;
    VEC_EACH (&t->puts, put) {
        bytes += (*put)->bytes;
    }
    return bytes;
}

static void commit_now(struct sim_bus *b, struct sim_txn *t)
{
    sim_txn_flush(b, t);
    decide(b, t, true);
}

static void late_commit(struct sim_bus *b, const struct sim_action *a)
{
    struct sim_txn *t = a->obj;
    if (t->state == SIM_TXN_OPEN && t->epoch == t->slot->epoch) {
        commit_now(b, t);
    }
    sim_txn_unref(t);
}

static void end_unknown(struct sim_bus *b, struct sim_txn *t, enum bus_sim_fate fate)
{
    tell(b, t, BUS_EV_UNKNOWN, true, "the answer to the commit did not arrive");
    t->told = true;
    if (fate == BUS_SIM_UNKNOWN_DONE) {
        commit_now(b, t);
    } else if (fate == BUS_SIM_UNKNOWN_LATE) {
        sim_at(
            b, b->time.mono_ns + sim_draw(b, b->faults.late),
            (struct sim_action){.run = late_commit, .drop = sim_txn_unref_obj, .obj = txn_ref(t)});
    }
}

static void end_commit(struct sim_bus *b, struct sim_txn *t, enum bus_sim_fate fate)
{
    uint64_t quota = b->faults.quota_bytes;
    if (fate == BUS_SIM_COMMIT && quota > 0 && t->puts.len + t->touched.len > 0 &&
        b->stats.used_bytes + unappended_bytes(t) > quota) {
        fate = BUS_SIM_FULL;
    }
    switch (fate) {
    case BUS_SIM_COMMIT:
        commit_now(b, t);
        tell(b, t, BUS_EV_COMMITTED, false, NULL);
        break;
    case BUS_SIM_ABORT:
    case BUS_SIM_ABORT_REOPEN:
        decide(b, t, false);
        tell(b, t, BUS_EV_ABORTED, fate == BUS_SIM_ABORT_REOPEN, "the commit was refused");
        break;
    case BUS_SIM_FULL:
        decide(b, t, false);
        tell(b, t, BUS_EV_FULL, false, "no space is left on the bus");
        break;
    case BUS_SIM_FENCE:
        sim_slot_bump(b, t->slot);
        if (t->state == SIM_TXN_OPEN) {
            decide(b, t, false);
        }
        tell(b, t, BUS_EV_FENCED, true, "the slot has another holder");
        break;
    case BUS_SIM_HOLD: *VEC_PUSH(&t->slot->held) = txn_ref(t); break;
    default: end_unknown(b, t, fate); break;
    }
}

/* One partition of it may lose its leader now; until all have one again the commit waits. */
static bool wait_for_leaders(struct sim_bus *b, const struct sim_txn *t, const struct sim_action *a)
{
    struct sim_part *unlucky = NULL;
    if (t->puts.len > 0) {
        unlucky = t->puts.ptr[sim_below(b, t->puts.len)]->part;
    } else if (t->touched.len > 0) {
        unlucky = t->touched.ptr[sim_below(b, t->touched.len)].part;
    }
    int64_t until = unlucky != NULL && sim_log_busy(b, unlucky) ? unlucky->busy_until_ns : 0;
    VEC_EACH (&t->touched, touch) {
        until = MAX(until, touch->part->busy_until_ns);
    }
    VEC_EACH (&t->puts, put) {
        until = MAX(until, (*put)->part->busy_until_ns);
    }
    if (until > b->time.mono_ns) {
        sim_again_at(b, until, a);
    }
    return until > b->time.mono_ns;
}

/* A commit has reached the broker. */
static void commit_arrives(struct sim_bus *b, const struct sim_action *a)
{
    struct sim_txn *t = a->obj;
    if (wait_for_leaders(b, t, a)) {
        return;
    }
    if (sim_chance(b, b->faults.depose)) {
        sim_elect_depose_any(b);
    }
    if (t->epoch != t->slot->epoch) {
        if (t->state == SIM_TXN_OPEN) {
            decide(b, t, false);
        }
        tell(b, t, BUS_EV_FENCED, true, "the slot has another holder");
    } else if (t->state != SIM_TXN_OPEN) {
        assert(t->timed_out);
        tell(b, t, BUS_EV_ABORTED, true, "the transaction was open for too long");
    } else {
        end_commit(b, t, draw_fate(b, t->slot));
    }
    sim_txn_unref(t);
}

static void abort_arrives(struct sim_bus *b, const struct sim_action *a)
{
    struct sim_txn *t = a->obj;
    bool fenced = t->epoch != t->slot->epoch;
    if (t->state == SIM_TXN_OPEN) {
        decide(b, t, false);
    }
    if (fenced) {
        tell(b, t, BUS_EV_FENCED, true, "the slot has another holder");
    } else {
        tell(b, t, BUS_EV_ABORTED, t->timed_out, "aborted by its writer");
    }
    sim_txn_unref(t);
}

void sim_txn_commit(struct sim_bus *b, struct sim_txn *take_t, int64_t after_ns)
{
    sim_at(b, b->time.mono_ns + after_ns,
           (struct sim_action){.run = commit_arrives, .drop = sim_txn_unref_obj, .obj = take_t});
}

void sim_txn_abort(struct sim_bus *b, struct sim_txn *take_t, int64_t after_ns)
{
    sim_at(b, b->time.mono_ns + after_ns,
           (struct sim_action){.run = abort_arrives, .drop = sim_txn_unref_obj, .obj = take_t});
}

void sim_txn_give_up(struct sim_bus *b, struct sim_txn *take_t, bool crashed)
{
    if (crashed || take_t->state != SIM_TXN_OPEN) {
        sim_txn_unref(take_t); /* open until its slot moves on or its time is over */
        return;
    }
    take_t->told = true;
    sim_txn_abort(b, take_t, sim_draw(b, b->faults.commit));
}

void bus_sim_inject(struct bus *bus, struct slice slot, enum bus_sim_fate fate)
{
    struct sim_bus *b = (struct sim_bus *)bus;
    *VEC_PUSH(&sim_slot_get(b, slot)->fates) = fate;
}

void bus_sim_release(struct bus *bus, struct slice slot)
{
    struct sim_bus *b = (struct sim_bus *)bus;
    struct sim_slot *s = sim_slot_get(b, slot);
    while (s->held.len > 0) {
        struct sim_txn *t = s->held.ptr[0];
        VEC_REMOVE(&s->held, 0);
        sim_txn_commit(b, t, 0);
    }
}
