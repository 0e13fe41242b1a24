/* SPDX-License-Identifier: Apache-2.0
 *
 * Writers of the local bus, on the client's thread. A slot's puts gather in the writer and go to
 * the committer as a whole; a plain writer's gather in an operation that already stands in the
 * committer's queue and is closed when the committer comes to it, so that puts coalesce while a
 * sync is under way and nothing waits when none is.
 */
#include "core/base/mem.h"
#include "core/bus/bus_local_impl.h"

#include <assert.h>

static struct local_writer *writer_of(struct bus_writer *w)
{
    return (struct local_writer *)w;
}

int bus_local_open(struct bus_client *bc, struct slice slot, uint64_t tag,
                   struct bus_writer **ret_writer, struct err *reterr)
{
    struct local_client *c = local_client_of(bc);
    if (((const struct local_bus *)bc->bus)->read_only) {
        return err_set(reterr, ERR_DENIED, "the bus was opened read-only");
    }
    struct local_writer *w = MEM_NEW(struct local_writer);
    w->core = bus_local_core_new(slot);
    w->core->writer = w;
    w->writer.client = bc;
    *VEC_PUSH(&c->writers) = w;
    if (slot.len > 0) {
        struct local_op *op = bus_local_op_new(LOCAL_OP_OPEN, c->inbox, w->core, tag);
        bus_local_submit(c->store, op);
    } else {
        struct local_op *op = bus_local_event(c, BUS_EV_OPENED, tag);
        op->core = w->core;
        atomic_fetch_add(&w->core->refs, 1);
    }
    *ret_writer = &w->writer;
    return 0;
}

void bus_local_writer_close(struct bus_writer *bw)
{
    struct local_writer *w = writer_of(bw);
    struct local_client *c = local_client_of(bw->client);
    for (size_t i = 0; i < c->writers.len; i++) {
        if (c->writers.ptr[i] == w) {
            VEC_REMOVE(&c->writers, i);
            break;
        }
    }
    w->core->writer = NULL; /* its events are dropped from now on */
    bus_local_core_unref(w->core);
    bus_local_txn_free(w->txn);
    mem_free(w);
}

static int check_open(const struct local_writer *w, struct err *reterr)
{
    if (w->state != LOCAL_OPEN) {
        return err_set(reterr, ERR_CLOSED, "the writer is %s",
                       w->state == LOCAL_OPENING ? "not open yet" : "used up");
    }
    if (w->aborting) {
        return err_set(reterr, ERR_AGAIN, "an abort is under way");
    }
    return 0;
}

/* Into the operation that waits in the queue, or a new one. */
static void put_plain(struct local_client *c, struct local_writer *w, struct local_part *part,
                      const struct bus_put *put)
{
    struct local_core *core = w->core;
    struct local_op *submit = NULL;
    struct local_put_ref ref = {.token = put->token, .charge = (uint32_t)bus_put_charge(put)};
    pthread_mutex_lock(&core->mutex);
    struct local_op *op = core->gathering;
    if (op == NULL) {
        op = submit = core->gathering = bus_local_op_new(LOCAL_OP_PLAIN, c->inbox, core, 0);
        op->txn = bus_local_txn_new();
    }
    bus_local_txn_add(op->txn, part, put, &ref.tpart, &ref.nth);
    *VEC_PUSH(&op->puts) = ref;
    pthread_mutex_unlock(&core->mutex);
    if (submit != NULL) {
        bus_local_submit(c->store, submit);
    }
}

int bus_local_put(struct bus_writer *bw, const struct bus_put *put, struct err *reterr)
{
    struct local_writer *w = writer_of(bw);
    struct local_client *c = local_client_of(bw->client);
    size_t charge = bus_put_charge(put);
    int rc = check_open(w, reterr);
    if (rc != 0) {
        return rc;
    }
    struct local_part *part = bus_local_part(c, put->to);
    if (part == NULL) {
        return err_set(reterr, ERR_NOT_FOUND, "no partition %u of topic " SLICE_FMT, put->to.part,
                       SLICE_ARG(bus_topic_name(bw->client, put->to.topic)));
    }
    if (put->key.ptr == NULL && (part->topic->cleanup & BUS_COMPACT) != 0) {
        return err_set(reterr, ERR_USAGE, "topic %s is compacted: its records need a key",
                       part->topic->name);
    }
    if (w->queued > 0 && w->queued + charge > bw->client->bus->writer_queue_bytes) {
        return err_set(reterr, ERR_AGAIN, "the writer's queue of %llu bytes is full",
                       (unsigned long long)bw->client->bus->writer_queue_bytes);
    }
    w->queued += charge;
    if (bw->plain) {
        put_plain(c, w, part, put);
    } else {
        uint32_t tpart, nth;
        w->txn = w->txn != NULL ? w->txn : bus_local_txn_new();
        bus_local_txn_add(w->txn, part, put, &tpart, &nth);
    }
    return 0;
}

int bus_local_commit(struct bus_writer *bw, uint64_t tag, struct err *reterr)
{
    struct local_writer *w = writer_of(bw);
    struct local_client *c = local_client_of(bw->client);
    int rc = check_open(w, reterr);
    if (rc != 0) {
        return rc;
    }
    if (w->committing) {
        return err_set(reterr, ERR_AGAIN, "a commit is under way");
    }
    struct local_op *op = bus_local_op_new(LOCAL_OP_COMMIT, c->inbox, w->core, tag);
    op->txn = w->txn != NULL ? w->txn : bus_local_txn_new();
    w->txn = NULL;
    w->committing = true;
    bus_local_submit(c->store, op);
    return 0;
}

static void discard(struct local_writer *w)
{
    if (w->txn != NULL) {
        assert(w->queued >= w->txn->charge);
        w->queued -= w->txn->charge;
        bus_local_txn_free(w->txn);
        w->txn = NULL;
    }
}

static void end_abort(struct local_client *c, struct local_writer *w)
{
    struct local_op *op = bus_local_event(c, BUS_EV_ABORTED, w->abort_tag);
    (void)err_set(bus_local_op_fail(op, BUS_EV_ABORTED, false), ERR_ABORTED,
                  "aborted by its writer");
    op->core = w->core;
    atomic_fetch_add(&w->core->refs, 1);
    atomic_fetch_add(&c->store->counters.aborts, 1);
}

int bus_local_abort(struct bus_writer *bw, uint64_t tag, struct err *reterr)
{
    struct local_writer *w = writer_of(bw);
    int rc = check_open(w, reterr);
    if (rc != 0) {
        return rc;
    }
    discard(w);
    w->aborting = true;
    w->abort_tag = tag;
    if (!w->committing) {
        end_abort(local_client_of(bw->client), w);
    }
    return 0;
}

void bus_local_writer_ended(struct local_writer *w, uint32_t charge)
{
    assert(w->queued >= charge);
    w->queued -= charge;
}

static void commit_ended(struct local_client *c, struct local_writer *w, const struct local_op *op)
{
    w->committing = false;
    w->queued -= op->txn->charge;
    if (op->ev.kind != BUS_EV_COMMITTED) {
        discard(w);
    }
    if (op->ev.reopen) {
        w->state = LOCAL_USED_UP;
    } else if (w->aborting) {
        end_abort(c, w);
    }
}

void bus_local_writer_event(struct local_client *c, struct local_writer *w,
                            const struct local_op *op)
{
    if (op->kind == LOCAL_OP_COMMIT) {
        commit_ended(c, w, op);
    } else if (op->ev.kind == BUS_EV_OPENED) {
        w->state = LOCAL_OPEN;
    } else if (op->kind == LOCAL_OP_OPEN) {
        w->state = LOCAL_USED_UP;
    } else if (op->ev.kind == BUS_EV_ABORTED) {
        w->aborting = false;
    }
}
