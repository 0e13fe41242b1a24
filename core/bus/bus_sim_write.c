/* SPDX-License-Identifier: Apache-2.0
 *
 * Writers of the simulated bus, the client's side. A slot writer has at most the transaction that
 * is ending and the one it collects; the latter reaches the log only when the former is known to be
 * committed. Its state moves when the caller is given an event, not when the world decides, because
 * the caller's puts in between belong to what he knew.
 */
#include "core/bus/bus_sim_ops.h"

#include "core/base/mem.h"

#include <assert.h>

static uint64_t client_id(const struct sim_writer *w)
{
    return ((const struct sim_client *)w->w.client)->id;
}

int sim_open(struct bus_client *client, struct slice slot, uint64_t tag,
             struct bus_writer **ret_writer, struct err *reterr)
{
    (void)reterr;
    struct sim_client *c = (struct sim_client *)client;
    struct sim_bus *b = sim_of(client);
    struct sim_writer *w = MEM_NEW(struct sim_writer);
    w->w.client = client;
    w->id = ++b->ids;
    w->open_tag = tag;
    w->slot = slot.len > 0 ? sim_slot_get(b, slot) : NULL;
    *VEC_PUSH(&c->writers) = w;
    struct sim_op *op = MEM_NEW(struct sim_op);
    *op = (struct sim_op){.kind = SIM_OP_OPEN, .writer = w->id, .tag = tag};
    op->name = slice_of(mem_dup(slot.ptr, slot.len), slot.len);
    sim_op_send(client, op);
    *ret_writer = &w->w;
    return 0;
}

static void give_up_plain(struct sim_bus *b, const struct sim_writer *w);

void sim_writer_close(struct bus_writer *writer)
{
    struct sim_writer *w = (struct sim_writer *)writer;
    struct sim_client *c = (struct sim_client *)writer->client;
    struct sim_bus *b = sim_of(writer->client);
    sim_note(b, c->id, "close", SLICE_NONE, w->id, 0, SLICE_NONE);
    if (w->cur != NULL) {
        sim_txn_give_up(b, w->cur, c->crashed);
    }
    if (w->ending != NULL) {
        sim_txn_unref(w->ending);
    }
    if (w->slot == NULL) {
        give_up_plain(b, w);
    }
    size_t to = 0;
    for (size_t i = 0; i < c->due.len; i++) {
        if (c->due.ptr[i]->writer == w->id) {
            sim_out_free(c->due.ptr[i]);
        } else {
            c->due.ptr[to++] = c->due.ptr[i];
        }
    }
    c->due.len = to;
    for (size_t i = 0; i < c->writers.len; i++) {
        if (c->writers.ptr[i] == w) {
            VEC_REMOVE(&c->writers, i);
            break;
        }
    }
    VEC_DONE(&w->pipes);
    mem_free(w);
}

static void send_abort(struct sim_writer *w)
{
    struct sim_bus *b = sim_of(w->w.client);
    struct sim_txn *t = w->cur != NULL ? w->cur : sim_txn_new(b, w);
    w->cur = NULL;
    t->tag = w->abort_tag;
    w->ending = t;
    t->refs++;
    sim_txn_abort(b, t, sim_draw(b, b->faults.commit));
}

static void drop_cur(struct sim_writer *w)
{
    if (w->cur != NULL) {
        /* Nothing of it is in the log: it was collected while another was ending. */
        assert(w->cur->touched.len == 0);
        sim_txn_unref(w->cur);
        w->cur = NULL;
    }
}

static void saw_end(struct sim_writer *w, const struct sim_out *o)
{
    if (w->ending != NULL) {
        sim_txn_unref(w->ending);
        w->ending = NULL;
        if (o->ev.kind != BUS_EV_COMMITTED && !o->ev.reopen) {
            drop_cur(w);
        }
    }
    if (w->abort_sent) {
        w->aborting = w->abort_sent = false;
    } else if (w->aborting && !o->ev.reopen) {
        drop_cur(w);
        w->abort_sent = true;
        send_abort(w);
    } else if (w->cur != NULL && !w->cur->lazy && !o->ev.reopen) {
        sim_txn_flush(sim_of(w->w.client), w->cur);
    }
}

void sim_writer_saw(struct sim_writer *w, const struct sim_out *o)
{
    switch (o->ev.kind) {
    case BUS_EV_OPENED:
        assert(w->state == SIM_OPENING);
        w->state = SIM_OPENED;
        w->epoch = o->ev.offset;
        break;
    case BUS_EV_COMMITTED:
    case BUS_EV_ABORTED:
    case BUS_EV_UNKNOWN:
    case BUS_EV_FENCED:
    case BUS_EV_FULL: saw_end(w, o); break;
    case BUS_EV_DELIVERED:
    case BUS_EV_REFUSED:
        assert(w->plain_flying > 0 && w->plain_bytes >= o->bytes);
        w->plain_flying--;
        w->plain_bytes -= o->bytes;
        break;
    default: w->state = SIM_DEAD; break; /* ERROR of bus_open */
    }
    if (o->ev.reopen) {
        w->state = SIM_DEAD;
    }
}

void sim_writer_fenced(struct sim_bus *b, uint64_t client, uint64_t writer, bool surely)
{
    struct sim_writer *w = sim_writer_find(b, client, writer);
    if (w == NULL || w->fenced_told || w->state != SIM_OPENED || w->ending != NULL ||
        w->slot->epoch == w->epoch) {
        return; /* what is ending will say it */
    }
    if (surely || sim_chance(b, b->faults.fenced_notice)) {
        w->fenced_told = true;
        struct sim_out *o = sim_out_new(BUS_EV_FENCED, w->open_tag);
        o->ev.reopen = true;
        sim_tell(b, sim_draw(b, b->faults.ack), client, writer, o);
    }
}

static int closed(const struct sim_writer *w, struct err *reterr)
{
    if (w->state == SIM_OPENED) {
        return 0;
    }
    return err_set(reterr, ERR_CLOSED,
                   w->state == SIM_OPENING ? "the writer is not open yet"
                                           : "the writer is used up: open the slot again");
}

static uint64_t charge(const struct sim_record *rec)
{
    return MAX((uint64_t)rec->bytes, (uint64_t)BUS_CHARGE_LEAST);
}

static uint64_t queued(const struct sim_writer *w)
{
    return w->plain_bytes + (w->cur != NULL ? w->cur->bytes : 0) +
           (w->ending != NULL ? w->ending->bytes : 0);
}

static int admit(struct sim_writer *w, const struct bus_put *put, struct err *reterr)
{
    struct sim_bus *b = sim_of(w->w.client);
    bool flying = w->plain_flying > 0 || w->ending != NULL;
    if (!w->again && flying && sim_chance(b, b->faults.again)) {
        w->again = true;
    }
    uint64_t full = queued(w);
    if (w->again || w->aborting ||
        (full > 0 && full + bus_put_charge(put) > b->bus.writer_queue_bytes)) {
        return err_set(reterr, ERR_AGAIN, "the writer's queue is full");
    }
    return 0;
}

struct plain {
    struct sim_record *rec;
    int64_t ack_ns;
};

static void plain_free(void *obj)
{
    struct plain *p = obj;
    mem_free(p->rec);
    mem_free(p);
}

static struct sim_out *plain_end(struct sim_bus *b, struct plain *p)
{
    uint64_t token = p->rec->token;
    size_t bytes = p->rec->bytes;
    uint64_t weight = charge(p->rec);
    struct sim_out *o;
    bool full = b->faults.quota_bytes > 0 && b->stats.used_bytes + bytes > b->faults.quota_bytes;
    bool unsure = !full && sim_chance(b, b->faults.refused_done);
    if (full || (!unsure && sim_chance(b, b->faults.refused))) {
        o = sim_out_new(BUS_EV_REFUSED, token);
        sim_out_err(o, full ? ERR_FULL : ERR_UNAVAILABLE,
                    full ? "no space is left on the bus" : "the broker refused the record");
    } else {
        struct bus_tp tp = p->rec->tp;
        int64_t offset = sim_log_append(b, p->rec->part, p->rec, NULL);
        p->rec = NULL;
        o = sim_out_new(unsure ? BUS_EV_REFUSED : BUS_EV_DELIVERED, token);
        o->ev.tp = tp;
        o->ev.offset = unsure ? 0 : offset;
        if (unsure) {
            sim_out_err(o, ERR_UNKNOWN, "the answer to the put did not arrive");
        }
    }
    b->stats.refused += o->ev.kind == BUS_EV_REFUSED;
    o->bytes = weight;
    return o;
}

static void plain_arrives(struct sim_bus *b, const struct sim_action *a)
{
    struct plain *p = a->obj;
    if (sim_log_busy(b, a->part)) {
        sim_again_at(b, a->part->busy_until_ns, a);
        return;
    }
    struct sim_out *o = plain_end(b, p);
    int64_t ack = b->time.mono_ns + sim_draw(b, b->faults.ack);
    struct sim_writer *w = sim_writer_find(b, a->client, a->writer);
    if (w != NULL) {
        VEC_EACH (&w->pipes, pipe) {
            if (pipe->part == a->part) {
                ack = pipe->ack_ns = MAX(ack, pipe->ack_ns);
            }
        }
    }
    sim_tell_at(b, ack, a->client, a->writer, o);
    plain_free(p);
}

static void plain_lost(struct sim_bus *b, const struct sim_action *a)
{
    (void)b;
    plain_free(a->obj);
}

/* All that is still on its way arrives, or nothing. */
static void give_up_plain(struct sim_bus *b, const struct sim_writer *w)
{
    if (w->plain_flying == 0 || sim_below(b, 2) == 0) {
        return;
    }
    VEC_EACH (&b->heap, a) {
        if (a->run == plain_arrives && a->writer == w->id) {
            a->run = plain_lost;
        }
    }
}

static void put_plain(struct sim_bus *b, struct sim_writer *w, struct sim_record *take_rec)
{
    struct sim_pipe *pipe = NULL;
    VEC_EACH (&w->pipes, it) {
        pipe = it->part == take_rec->part ? it : pipe;
    }
    if (pipe == NULL) {
        pipe = VEC_PUSH(&w->pipes);
        pipe->part = take_rec->part;
    }
    int64_t at = b->time.mono_ns + sim_draw(b, b->faults.commit);
    at = pipe->append_ns = MAX(at, pipe->append_ns);
    struct plain *p = MEM_NEW(struct plain);
    p->rec = take_rec;
    w->plain_flying++;
    w->plain_bytes += charge(take_rec);
    sim_at(b, at,
           (struct sim_action){.run = plain_arrives,
                               .drop = plain_free,
                               .obj = p,
                               .client = client_id(w),
                               .writer = w->id,
                               .part = take_rec->part});
}

static void put_slot(struct sim_bus *b, struct sim_writer *w, struct sim_record *take_rec)
{
    if (w->cur == NULL) {
        w->cur = sim_txn_new(b, w);
    }
    w->cur->bytes += charge(take_rec);
    *VEC_PUSH(&w->cur->puts) = take_rec;
    if (w->ending == NULL && !w->cur->lazy) {
        sim_txn_flush(b, w->cur);
    }
}

int sim_put(struct bus_writer *writer, const struct bus_put *put, struct err *reterr)
{
    struct sim_writer *w = (struct sim_writer *)writer;
    struct sim_bus *b = sim_of(writer->client);
    struct slice topic = bus_topic_name(writer->client, put->to.topic);
    if (!sim_client_calls(writer->client)) {
        return 0;
    }
    int rc = closed(w, reterr);
    rc = rc != 0 ? rc : admit(w, put, reterr);
    if (rc != 0) {
        return rc;
    }
    struct sim_part *part = sim_part_find(b, topic, put->to.part);
    if (part == NULL) {
        return err_set(reterr, ERR_NOT_FOUND, "no topic " SLICE_FMT " with a partition %u",
                       SLICE_ARG(topic), put->to.part);
    }
    if (put->key.ptr == NULL && (part->topic->spec.cleanup & BUS_COMPACT) != 0) {
        return err_set(reterr, ERR_USAGE, "topic " SLICE_FMT " is compacted: a record needs a key",
                       SLICE_ARG(topic));
    }
    sim_note(b, client_id(w), "put", topic, put->to.part, w->id, put->value);
    sim_note(b, client_id(w), " key", put->key, put->header_count, put->token, SLICE_NONE);
    struct sim_record *rec = sim_record_new(put, part);
    b->stats.puts++;
    b->stats.put_bytes += rec->bytes;
    if (w->slot == NULL) {
        put_plain(b, w, rec);
    } else {
        put_slot(b, w, rec);
    }
    return 0;
}

int sim_commit(struct bus_writer *writer, uint64_t tag, struct err *reterr)
{
    struct sim_writer *w = (struct sim_writer *)writer;
    struct sim_bus *b = sim_of(writer->client);
    if (!sim_client_calls(writer->client)) {
        return 0;
    }
    int rc = closed(w, reterr);
    if (rc != 0) {
        return rc;
    }
    if (w->ending != NULL || w->aborting) {
        return err_set(reterr, ERR_AGAIN, "another transaction of this writer is ending");
    }
    if (w->fenced_told) {
        return err_set(reterr, ERR_CLOSED, "the slot has another holder");
    }
    sim_note(b, client_id(w), "commit", w->slot->name, tag, w->id, SLICE_NONE);
    struct sim_txn *t = w->cur != NULL ? w->cur : sim_txn_new(b, w);
    w->cur = NULL;
    w->ending = t;
    t->tag = tag;
    t->refs++;
    sim_txn_commit(b, t, sim_draw(b, b->faults.commit));
    return 0;
}

int sim_abort(struct bus_writer *writer, uint64_t tag, struct err *reterr)
{
    struct sim_writer *w = (struct sim_writer *)writer;
    struct sim_bus *b = sim_of(writer->client);
    if (!sim_client_calls(writer->client)) {
        return 0;
    }
    int rc = closed(w, reterr);
    if (rc != 0) {
        return rc;
    }
    if (w->aborting) {
        return err_set(reterr, ERR_AGAIN, "an abort of this writer is under way");
    }
    if (w->fenced_told) {
        return err_set(reterr, ERR_CLOSED, "the slot has another holder");
    }
    sim_note(b, client_id(w), "abort", w->slot->name, tag, w->id, SLICE_NONE);
    w->aborting = true;
    w->abort_tag = tag;
    if (w->ending == NULL) {
        w->abort_sent = true;
        send_abort(w);
    }
    return 0;
}
