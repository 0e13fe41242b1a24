/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_poll of the local bus: what the committer has answered, then what the file answers, then
 * records. All reading of one poll sees one snapshot and ends with the poll, so that no reader of
 * ours keeps old pages; what events point at is copied into the client's blocks, which the next
 * poll uses again.
 */
#include "core/base/mem.h"
#include "core/bus/bus_local_impl.h"

#include <assert.h>

enum { BLOCK_BYTES = 2 << 20, BLOCKS_KEPT = 4, TOPIC_NAME_BYTES = 2 * BUS_NAME_MAX + 2 };

void *bus_local_lend(struct local_client *c, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    for (; c->block < c->blocks.len; c->block++) {
        struct local_block *b = &c->blocks.ptr[c->block];
        if (b->size - b->used >= bytes) {
            b->used += bytes;
            return b->ptr + b->used - bytes;
        }
    }
    struct local_block *b = VEC_PUSH(&c->blocks);
    b->size = MAX(bytes, (size_t)BLOCK_BYTES);
    b->ptr = mem_alloc(b->size);
    b->used = bytes;
    return b->ptr;
}

/* Takes back what the last poll has lent. */
static void reclaim(struct local_client *c)
{
    while (c->blocks.len > BLOCKS_KEPT && VEC_LAST(&c->blocks)->used == 0) { /* who reads much */
        mem_free(VEC_LAST(&c->blocks)->ptr);
        c->blocks.len--;
    }
    VEC_EACH (&c->blocks, b) {
        b->used = 0;
    }
    c->block = 0;
    c->lent_bytes = 0;
    VEC_EACH (&c->lent, op) {
        bus_local_op_free(*op);
    }
    VEC_CLEAR(&c->lent);
    VEC_EACH (&c->gone, a) {
        mem_free(*a);
    }
    VEC_CLEAR(&c->gone);
}

int bus_local_txn_begin(struct local_client *c, struct err *reterr)
{
    if (c->in_txn) {
        return 0;
    }
    int rc = c->txn == NULL ? mdb_txn_begin(c->store->env, NULL, MDB_RDONLY, &c->txn)
                            : mdb_txn_renew(c->txn);
    if (rc != 0) {
        return bus_local_mdb_err(c->store, rc, "reading", reterr);
    }
    c->in_txn = true;
    return 0;
}

void bus_local_txn_end(struct local_client *c)
{
    if (c->in_txn) {
        mdb_txn_reset(c->txn);
        c->in_txn = false;
    }
}

struct local_op *bus_local_event(struct local_client *c, enum bus_ev_kind kind, uint64_t tag)
{
    struct local_op *op = bus_local_op_new(LOCAL_OP_EVENT, c->inbox, NULL, tag);
    op->ev.kind = kind;
    *c->ready_tail = op;
    c->ready_tail = &op->next;
    bus_wake_signal(&c->client.wake);
    return op;
}

struct local_topic *bus_local_topic(struct local_client *c, uint32_t topic)
{
    assert(topic > 0);
    while (c->known.len < topic) {
        *VEC_PUSH(&c->known) = NULL;
    }
    struct local_topic **known = &c->known.ptr[topic - 1];
    if (*known == NULL) {
        char text[TOPIC_NAME_BYTES];
        struct slice prefix = slice_str(c->client.bus->prefix);
        struct slice name = bus_topic_name(&c->client, topic);
        bool was_open = c->in_txn;
        if (prefix.len + name.len > BUS_NAME_MAX * 2) {
            return NULL;
        }
        memcpy(text, prefix.ptr, prefix.len);
        memcpy(text + prefix.len, name.ptr, name.len);
        bool open = c->store->read_only && bus_local_txn_begin(c, NULL) == 0;
        *known = bus_local_topic_find(c->store, slice_of(text, prefix.len + name.len),
                                      open ? c->txn : NULL);
        if (!was_open) {
            bus_local_txn_end(c);
        }
    }
    return *known;
}

struct local_part *bus_local_part(struct local_client *c, struct bus_tp tp)
{
    struct local_topic *t = bus_local_topic(c, tp.topic);
    return t != NULL && tp.part < t->partitions ? &t->parts[tp.part] : NULL;
}

/* The committer's answers, behind what is ready already. */
static void take_inbox(struct local_client *c)
{
    struct local_op *op = bus_local_inbox_take(c->inbox);
    if (op != NULL) {
        *c->ready_tail = op;
        while (op->next != NULL) {
            op = op->next;
        }
        c->ready_tail = &op->next;
    }
}

/* Is the caller still waiting for this event? */
static bool is_wanted(const struct local_client *c, const struct local_op *op)
{
    if (op->core != NULL && op->core->writer == NULL) {
        return false;
    }
    if (op->kind == LOCAL_OP_LEADER) {
        return bus_local_elected(c, slice_str(op->name), op->arg) < c->elected.len;
    }
    return true;
}

static int give_plain(struct local_op *op, struct bus_ev *evs, int max)
{
    struct local_writer *w = op->core->writer;
    int n = 0;
    for (; op->emitted < op->puts.len && n < max; op->emitted++) {
        const struct local_put_ref *put = &op->puts.ptr[op->emitted];
        const struct local_tpart *tp = &op->txn->parts.ptr[put->tpart];
        struct bus_ev *ev = &evs[n++];
        *ev = (struct bus_ev){.kind = op->ev.kind,
                              .tag = put->token,
                              .tp = tp->tp,
                              .writer = &w->writer,
                              .err = op->ev.err};
        if (ev->kind == BUS_EV_DELIVERED) {
            ev->offset = tp->base + put->nth;
        }
        bus_local_writer_ended(w, put->charge);
    }
    return n;
}

static struct local_op *ready_pop(struct local_client *c)
{
    struct local_op *op = c->ready;
    c->ready = op->next;
    if (c->ready == NULL) {
        c->ready_tail = &c->ready;
    }
    op->next = NULL;
    return op;
}

static int give_ready(struct local_client *c, struct bus_ev *evs, int max)
{
    int n = 0;
    while (c->ready != NULL && n < max) {
        struct local_op *op = c->ready;
        if (!is_wanted(c, op)) {
            bus_local_op_free(ready_pop(c));
            continue;
        }
        if (op->kind == LOCAL_OP_PLAIN) {
            n += give_plain(op, evs + n, max - n);
            if (op->emitted < op->puts.len) {
                break;
            }
        } else {
            evs[n] = op->ev;
            if (op->core != NULL) {
                evs[n].writer = &op->core->writer->writer;
                bus_local_writer_event(c, op->core->writer, op);
            }
            if (op->kind == LOCAL_OP_ELECT) { /* an error: he does not take part */
                bus_local_elected_drop(c, bus_local_elected(c, slice_str(op->name), op->arg));
            }
            n++;
        }
        *VEC_PUSH(&c->lent) = ready_pop(c);
    }
    return n;
}

/* Questions to the file become ready operations. */
static void answer_asks(struct local_client *c)
{
    struct err err;
    VEC_EACH (&c->asks, op) {
        if (bus_local_txn_begin(c, &err) != 0) {
            *bus_local_op_fail(*op, BUS_EV_ERROR, false) = err;
        } else {
            bus_local_answer(c, *op);
        }
        *c->ready_tail = *op;
        c->ready_tail = &(*op)->next;
    }
    VEC_CLEAR(&c->asks);
}

int bus_local_poll(struct bus_client *bc, struct bus_ev *evs, int max)
{
    struct local_client *c = local_client_of(bc);
    reclaim(c);
    if (max <= 0) {
        return 0;
    }
    take_inbox(c);
    answer_asks(c);
    int n = give_ready(c, evs, max);
    if (n < max && !bc->held) {
        n += bus_local_fetch(c, evs + n, max - n);
    }
    bus_local_txn_end(c);
    return n;
}
