/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of each operation of a group, in the order in which they were submitted: so a commit
 * that came before a new opening of its slot still counts, and one that came after is fenced. An
 * operation that is not `decided` here succeeds if its group does.
 */
#include "core/base/mem.h"
#include "core/bus/bus_local_commit.h"

#include <assert.h>
#include <stdio.h>

enum { KEY_BYTES = BUS_NAME_MAX + 16, TREE_BYTES = 6 * 1024 };

static struct slice slot_key(char out[KEY_BYTES], const char *kind, const char *name)
{
    int n = snprintf(out, KEY_BYTES, "%s:%s", kind, name);
    assert(n > 0 && n < KEY_BYTES);
    return slice_of(out, (size_t)n);
}

static uint64_t epoch_of(const struct local_store *s, const char *slot)
{
    char key[KEY_BYTES];
    return (uint64_t)(uintptr_t)map_get(&s->slot_map, slot_key(key, "slot", slot));
}

uint64_t bus_local_epoch_next(struct local_group *g, const char *kind, const char *name)
{
    char text[KEY_BYTES];
    struct slice key = slot_key(text, kind, name);
    void **slot = map_put(&g->s->slot_map, key);
    if (slot == NULL) {
        return 0;
    }
    /* Kept even if the group fails: it grows, and nobody has seen it. */
    *slot = (void *)(uintptr_t)++g->s->epoch;
    g->changed = true;
    bus_local_group_fail(g, bus_local_slot_put(g->s, g->txn, key, g->s->epoch), "writing a slot");
    return g->s->epoch;
}

/* Takes the records into the group if there is room. */
static int accept(struct local_group *g, struct local_txn *t, bool slot, struct err *reterr)
{
    uint64_t raw = 0;
    VEC_EACH (&t->parts, tp) {
        raw += TREE_BYTES;
        VEC_EACH (&tp->pieces, piece) {
            raw += piece->len;
        }
    }
    int rc = bus_local_room(g->s, g->bytes + t->bytes, g->raw + raw, reterr);
    if (rc != 0) {
        return rc;
    }
    g->bytes += t->bytes;
    g->raw += raw;
    VEC_EACH (&t->parts, tp) {
        tp->marker = slot;
        tp->next = NULL;
        *tp->part->gather_tail = tp;
        tp->part->gather_tail = &tp->next;
        bus_local_touch(g, tp->part);
    }
    return 0;
}

static void decide_commit(struct local_group *g, struct local_op *op)
{
    struct local_store *s = g->s;
    struct err err;
    op->ev.kind = BUS_EV_COMMITTED;
    if (epoch_of(s, op->core->slot) != op->core->epoch) {
        atomic_fetch_add(&s->counters.fences, 1);
        (void)err_set(bus_local_op_fail(op, BUS_EV_FENCED, true), ERR_FENCED,
                      "slot %s has another holder", op->core->slot);
        op->ev.err = NULL;
    } else if (accept(g, op->txn, true, &err) != 0) {
        atomic_fetch_add(&s->counters.fulls, 1);
        bus_local_room_refused(s);
        *bus_local_op_fail(op, BUS_EV_FULL, false) = err;
    }
}

static void decide_plain(struct local_group *g, struct local_op *op)
{
    struct err err;
    op->ev.kind = BUS_EV_DELIVERED;
    if (accept(g, op->txn, false, &err) != 0) {
        atomic_fetch_add(&g->s->counters.refused, op->puts.len);
        bus_local_room_refused(g->s);
        *bus_local_op_fail(op, BUS_EV_REFUSED, false) = err;
    }
}

static void decide_open(struct local_group *g, struct local_op *op)
{
    bool open = op->kind == LOCAL_OP_OPEN;
    uint64_t epoch = bus_local_epoch_next(g, "slot", open ? op->core->slot : op->name);
    if (epoch == 0) {
        (void)err_set(bus_local_op_fail(op, BUS_EV_ERROR, open), ERR_LIMIT,
                      "there are %d slots already", LOCAL_SLOTS_MAX);
        return;
    }
    op->ev.kind = open ? BUS_EV_OPENED : BUS_EV_DONE;
    if (open) {
        op->core->epoch = epoch;
        op->ev.offset = (int64_t)epoch;
    }
}

static const struct local_topic *find_topic(struct local_group *g, struct slice name)
{
    VEC_EACH (&g->created, t) {
        if (slice_eq(slice_str((*t)->name), name)) {
            return *t;
        }
    }
    return bus_local_topic_find(g->s, name, NULL);
}

static struct err *fail(struct local_op *op)
{
    return bus_local_op_fail(op, BUS_EV_ERROR, false);
}

/* What is missing is made, also if another of the topics does not fit. */
static void ensure_one(struct local_group *g, struct local_op *op,
                       const struct bus_topic_spec *spec)
{
    const struct local_topic *t = find_topic(g, spec->name);
    size_t have = g->s->topic_list.len + g->created.len;
    if (t != NULL && (t->partitions != spec->partitions || t->cleanup != spec->cleanup)) {
        (void)err_set(fail(op), ERR_MISMATCH,
                      "topic %s has %u partitions and cleanup %d, asked for are %u and %d", t->name,
                      t->partitions, (int)t->cleanup, spec->partitions, (int)spec->cleanup);
    } else if (t == NULL && have >= LOCAL_TOPICS_MAX) {
        (void)err_set(fail(op), ERR_LIMIT, "there are %zu topics already", have);
    } else if (t == NULL) {
        struct local_topic *added = bus_local_topic_new(spec->name, (uint16_t)(have + 1), spec);
        *VEC_PUSH(&g->created) = added;
        g->changed = true;
        bus_local_group_fail(g, bus_local_topic_put(g->s, g->txn, added), "writing a topic");
    }
}

static void decide_ensure(struct local_group *g, struct local_op *op)
{
    for (uint32_t i = 0; i < op->spec_count && g->rc == 0; i++) {
        ensure_one(g, op, &op->specs[i]);
    }
}

static void decide_trim(struct local_group *g, struct local_op *op)
{
    struct local_part *p = op->part;
    int64_t end = p->now.end, before = op->arg == BUS_FROM_END ? end : op->arg;
    if (p->topic->cleanup == BUS_COMPACT) {
        (void)err_set(fail(op), ERR_UNSUPPORTED, "topic %s is compacted: it cannot be trimmed",
                      p->topic->name);
    } else if (before > end || before < BUS_FROM_START) {
        (void)err_set(fail(op), ERR_RANGE, "offset %lld: the partition ends at %lld",
                      (long long)before, (long long)end);
    } else if (before > p->next.start) {
        p->next.start = before;
        p->first_ms = LOCAL_FIRST_UNSEEN; /* so that retention looks at the chunks */
        bus_local_touch(g, p);
    }
}

void bus_local_decide(struct local_group *g, struct local_op *op)
{
    if (atomic_load(&g->s->dead)) {
        bool slot = op->kind == LOCAL_OP_COMMIT, plain = op->kind == LOCAL_OP_PLAIN;
        (void)err_set(bus_local_op_fail(op,
                                        plain  ? BUS_EV_REFUSED
                                        : slot ? BUS_EV_ABORTED
                                               : BUS_EV_ERROR,
                                        slot || op->kind == LOCAL_OP_OPEN),
                      ERR_IO, "%s: a sync has failed: restart the process", g->s->dir);
        return;
    }
    if (g->rc != 0 && op->kind != LOCAL_OP_MAINTAIN) { /* that one is answered from its list */
        return;
    }
    switch (op->kind) {
    case LOCAL_OP_COMMIT: decide_commit(g, op); break;
    case LOCAL_OP_PLAIN: decide_plain(g, op); break;
    case LOCAL_OP_OPEN:
    case LOCAL_OP_FENCE: decide_open(g, op); break;
    case LOCAL_OP_ENSURE: decide_ensure(g, op); break;
    case LOCAL_OP_TRIM: decide_trim(g, op); break;
    case LOCAL_OP_MAINTAIN:
        bus_local_retain_scan(g->s, g->now_ms);
        bus_local_compact_scan(g->s, true);
        *VEC_PUSH(&g->s->maintaining) = op;
        break;
    case LOCAL_OP_ELECT:
    case LOCAL_OP_RESIGN:
    case LOCAL_OP_RELEASE: bus_local_elect_decide(g, op); break;
    default: assert(false); break;
    }
}
