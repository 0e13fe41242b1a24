/* SPDX-License-Identifier: Apache-2.0
 *
 * See bus_local_op.h. Records are encoded here, in the writer's thread, so that the committer has
 * only to copy runs of bytes into pages.
 */
#include "core/bus/bus_local_op.h"

#include "core/base/mem.h"
#include "core/bus/bus_impl.h"
#include "core/bus/bus_local_value.h"

#include <assert.h>

enum { PIECE_FIRST = 4096, INDEX_FIRST = 64 };

struct local_inbox *bus_local_inbox_new(struct bus_wake *wake)
{
    struct local_inbox *in = MEM_NEW(struct local_inbox);
    pthread_mutex_init(&in->mutex, NULL);
    in->refs = 1;
    in->wake = wake;
    in->tail = &in->head;
    return in;
}

void bus_local_inbox_ref(struct local_inbox *in)
{
    pthread_mutex_lock(&in->mutex);
    in->refs++;
    pthread_mutex_unlock(&in->mutex);
}

void bus_local_inbox_unref(struct local_inbox *in)
{
    pthread_mutex_lock(&in->mutex);
    assert(in->refs > 0);
    bool last = --in->refs == 0;
    pthread_mutex_unlock(&in->mutex);
    if (last) {
        assert(in->head == NULL);
        pthread_mutex_destroy(&in->mutex);
        mem_free(in);
    }
}

void bus_local_inbox_close(struct local_inbox *in)
{
    pthread_mutex_lock(&in->mutex);
    in->closed = true;
    in->wake = NULL;
    pthread_mutex_unlock(&in->mutex);
}

void bus_local_inbox_wake(struct local_inbox *in)
{
    pthread_mutex_lock(&in->mutex);
    if (in->wake != NULL) {
        bus_wake_signal(in->wake);
    }
    pthread_mutex_unlock(&in->mutex);
}

void bus_local_inbox_push(struct local_inbox *in, struct local_op *take_op)
{
    assert(take_op != NULL);
    pthread_mutex_lock(&in->mutex);
    bool closed = in->closed;
    if (!closed) {
        take_op->next = NULL;
        *in->tail = take_op;
        in->tail = &take_op->next;
        bus_wake_signal(in->wake);
    }
    pthread_mutex_unlock(&in->mutex);
    if (closed) {
        bus_local_op_free(take_op);
    }
}

struct local_op *bus_local_inbox_take(struct local_inbox *in)
{
    pthread_mutex_lock(&in->mutex);
    struct local_op *all = in->head;
    in->head = NULL;
    in->tail = &in->head;
    pthread_mutex_unlock(&in->mutex);
    return all;
}

struct local_op *bus_local_op_new(enum local_op_kind kind, struct local_inbox *inbox,
                                  struct local_core *core, uint64_t tag)
{
    struct local_op *op = MEM_NEW(struct local_op);
    op->kind = kind;
    op->ev.kind = BUS_EV_DONE;
    op->ev.tag = tag;
    op->inbox = inbox;
    bus_local_inbox_ref(inbox);
    op->core = core;
    if (core != NULL) {
        atomic_fetch_add(&core->refs, 1);
    }
    return op;
}

void bus_local_op_free(struct local_op *op)
{
    if (op == NULL) {
        return;
    }
    bus_local_core_unref(op->core);
    bus_local_txn_free(op->txn);
    VEC_DONE(&op->puts);
    mem_free(op->name);
    mem_free(op->specs);
    mem_free(op->specs_text);
    mem_free(op->spans);
    bus_local_inbox_unref(op->inbox);
    mem_free(op);
}

struct err *bus_local_op_fail(struct local_op *op, enum bus_ev_kind kind, bool reopen)
{
    assert(kind != BUS_EV_COMMITTED && kind != BUS_EV_DELIVERED);
    op->ev.kind = kind;
    op->ev.reopen = reopen;
    op->ev.spans = NULL;
    op->ev.count = 0;
    op->ev.err = &op->err;
    op->decided = true;
    return &op->err;
}

void bus_local_submit(struct local_store *s, struct local_op *take_op)
{
    assert(!s->read_only);
    pthread_mutex_lock(&s->mutex);
    take_op->next = NULL;
    *s->queue_tail = take_op;
    s->queue_tail = &take_op->next;
    if (s->idle) {
        pthread_cond_signal(&s->more);
    }
    pthread_mutex_unlock(&s->mutex);
}

struct local_core *bus_local_core_new(struct slice slot)
{
    struct local_core *core = MEM_NEW(struct local_core);
    atomic_init(&core->refs, 1);
    pthread_mutex_init(&core->mutex, NULL);
    core->slot = slot.len > 0 ? mem_dup(slot.ptr, slot.len) : NULL;
    return core;
}

void bus_local_core_unref(struct local_core *core)
{
    if (core != NULL && atomic_fetch_sub(&core->refs, 1) == 1) {
        pthread_mutex_destroy(&core->mutex);
        mem_free(core->slot);
        mem_free(core);
    }
}

struct local_txn *bus_local_txn_new(void)
{
    struct local_txn *t = MEM_NEW(struct local_txn);
    t->index_size = INDEX_FIRST;
    t->index = mem_calloc(t->index_size, sizeof *t->index);
    return t;
}

void bus_local_txn_free(struct local_txn *t)
{
    if (t == NULL) {
        return;
    }
    VEC_EACH (&t->parts, tp) {
        VEC_EACH (&tp->pieces, piece) {
            mem_free(piece->ptr);
        }
        VEC_DONE(&tp->pieces);
    }
    VEC_DONE(&t->parts);
    mem_free(t->index);
    mem_free(t);
}

static uint32_t *index_place(struct local_txn *t, struct bus_tp tp)
{
    uint32_t mask = t->index_size - 1;
    uint32_t i = (uint32_t)(((uint64_t)tp.topic << 16 | tp.part) * 0x9e3779b97f4a7c15u >> 40);
    for (;; i++) {
        uint32_t *place = &t->index[i & mask];
        if (*place == 0) {
            return place;
        }
        struct bus_tp at = t->parts.ptr[*place - 1].tp;
        if (at.topic == tp.topic && at.part == tp.part) {
            return place;
        }
    }
}

static uint32_t find_part(struct local_txn *t, struct local_part *part, struct bus_tp tp)
{
    uint32_t *place = index_place(t, tp);
    if (*place != 0) {
        return *place - 1;
    }
    struct local_tpart *added = VEC_PUSH(&t->parts);
    added->tp = tp;
    added->part = part;
    *place = (uint32_t)t->parts.len;
    if (t->parts.len * 2 > t->index_size) {
        mem_free(t->index);
        t->index_size *= 2;
        t->index = mem_calloc(t->index_size, sizeof *t->index);
        for (uint32_t i = 0; i < t->parts.len; i++) {
            *index_place(t, t->parts.ptr[i].tp) = i + 1;
        }
    }
    return (uint32_t)t->parts.len - 1;
}

static struct local_piece *room_in(struct local_tpart *tp, size_t bytes)
{
    struct local_piece *piece = tp->pieces.len > 0 ? VEC_LAST(&tp->pieces) : NULL;
    if (piece == NULL ||
        (piece->len + bytes > BUS_LOCAL_CHUNK_BYTES - BUS_LOCAL_HEAD_BYTES && piece->count > 0)) {
        piece = VEC_PUSH(&tp->pieces);
    }
    size_t need = piece->len + bytes;
    if (need > piece->cap) {
        size_t cap = piece->cap > 0 ? (size_t)piece->cap * 2 : PIECE_FIRST;
        cap = MAX(cap, need);
        piece->ptr = mem_realloc(piece->ptr, cap);
        piece->cap = (uint32_t)cap;
    }
    return piece;
}

void bus_local_txn_add(struct local_txn *t, struct local_part *part, const struct bus_put *put,
                       uint32_t *ret_tpart, uint32_t *ret_nth)
{
    uint32_t at = find_part(t, part, put->to);
    struct local_tpart *tp = &t->parts.ptr[at];
    struct local_piece *piece = room_in(tp, bus_local_record_bound(put));
    char *end = bus_local_record_write(piece->ptr + piece->len, 0, put);
    size_t bytes = bus_put_bytes(put);
    piece->len = (uint32_t)(end - piece->ptr);
    assert(piece->len <= piece->cap);
    piece->count++;
    piece->headers += put->header_count;
    piece->bytes += (uint32_t)bytes;
    *ret_tpart = at;
    *ret_nth = tp->count++;
    t->bytes += bytes;
    t->charge += bus_put_charge(put);
    t->count++;
}
