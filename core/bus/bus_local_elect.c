/* SPDX-License-Identifier: Apache-2.0
 *
 * Elections of the local bus: among the clients of this process, because only one process writes.
 * The first who asks leads until he resigns or his client is freed; then the next in line. Each
 * leadership has an epoch, written like that of a slot, and nobody is told before it is durable. If
 * the group fails the seat stays empty and is filled by a later one.
 */
#include "core/base/mem.h"
#include "core/bus/bus_local_commit.h"

#include <assert.h>

enum { ELECTIONS_MAX = 10000 };

struct candidate {
    struct local_inbox *inbox;
    uint64_t tag;
    int64_t candidacy; /* the client's number for it */
    bool fresh;        /* of this group: has been told nothing yet */
};

struct election {
    char *name;
    VEC(struct candidate) candidates; /* the first leads, if `led` */
    bool led, fresh;                  /* fresh: appointed in this group */
    uint64_t epoch;
};

struct local_elections {
    struct map map;
    bool unsettled, changed;
};

void bus_local_elect_init(struct local_store *s)
{
    s->elections = MEM_NEW(struct local_elections);
    map_init(&s->elections->map, ELECTIONS_MAX);
}

static void candidate_remove(struct election *e, size_t i)
{
    bus_local_inbox_unref(e->candidates.ptr[i].inbox);
    VEC_REMOVE(&e->candidates, i);
    if (i == 0) {
        e->led = e->fresh = false;
    }
}

static void election_free(struct election *e)
{
    while (e->candidates.len > 0) {
        candidate_remove(e, e->candidates.len - 1);
    }
    VEC_DONE(&e->candidates);
    mem_free(e->name);
    mem_free(e);
}

void bus_local_elect_done(struct local_store *s)
{
    if (s->elections != NULL) {
        MAP_EACH (&s->elections->map, entry) {
            election_free(entry->value);
        }
        map_done(&s->elections->map);
        mem_free(s->elections);
        s->elections = NULL;
    }
}

bool bus_local_elect_due(const struct local_store *s)
{
    return s->elections->unsettled;
}

static void elect(struct local_group *g, struct local_op *op)
{
    void **slot = map_put(&g->s->elections->map, slice_str(op->name));
    if (slot == NULL) {
        (void)err_set(bus_local_op_fail(op, BUS_EV_ERROR, false), ERR_LIMIT,
                      "there are %d elections already", ELECTIONS_MAX);
        return;
    }
    if (*slot == NULL) {
        struct election *e = *slot = MEM_NEW(struct election);
        e->name = mem_dup(op->name, strlen(op->name));
    }
    struct election *e = *slot;
    bus_local_inbox_ref(op->inbox);
    *VEC_PUSH(&e->candidates) = (struct candidate){
        .inbox = op->inbox, .tag = op->ev.tag, .candidacy = op->arg, .fresh = true};
}

static void resign(struct election *e, const struct local_inbox *inbox)
{
    for (size_t i = e->candidates.len; i > 0; i--) {
        if (e->candidates.ptr[i - 1].inbox == inbox) {
            candidate_remove(e, i - 1);
        }
    }
}

void bus_local_elect_decide(struct local_group *g, struct local_op *op)
{
    struct local_elections *all = g->s->elections;
    all->unsettled = all->changed = true;
    if (op->kind == LOCAL_OP_ELECT) {
        elect(g, op);
    } else if (op->kind == LOCAL_OP_RESIGN) {
        struct election *e = map_get(&all->map, slice_str(op->name));
        if (e != NULL) {
            resign(e, op->inbox);
        }
    } else {
        MAP_EACH (&all->map, entry) {
            resign(entry->value, op->inbox);
        }
    }
}

void bus_local_elect_settle(struct local_group *g)
{
    struct local_elections *all = g->s->elections;
    if (!all->unsettled || g->rc != 0 || atomic_load(&g->s->dead)) {
        return;
    }
    all->changed = true;
    MAP_EACH (&all->map, entry) {
        struct election *e = entry->value;
        if (!e->led && e->candidates.len > 0) {
            e->epoch = bus_local_epoch_next(g, "election", e->name);
            e->led = e->fresh = e->epoch != 0;
        }
    }
}

static void tell(const struct election *e, const struct candidate *c, bool leading)
{
    struct local_op *op = bus_local_op_new(LOCAL_OP_LEADER, c->inbox, NULL, c->tag);
    op->ev.kind = BUS_EV_LEADER;
    op->ev.leading = leading;
    op->ev.offset = (int64_t)e->epoch;
    op->arg = c->candidacy;
    op->name = mem_dup(e->name, strlen(e->name));
    bus_local_inbox_push(c->inbox, op);
}

static void publish_one(struct election *e, bool committed)
{
    for (size_t i = e->candidates.len; i > 0; i--) {
        struct candidate *c = &e->candidates.ptr[i - 1];
        bool leads = i == 1 && e->led;
        if (!committed && c->fresh) {
            candidate_remove(e, i - 1);
            continue;
        }
        if (c->fresh || (leads && e->fresh && committed)) {
            tell(e, c, leads);
        }
        c->fresh = false;
    }
    if (!committed && e->fresh) {
        e->led = false;
    }
    e->fresh = false;
}

void bus_local_elect_publish(struct local_store *s, bool committed)
{
    struct local_elections *all = s->elections;
    if (!all->changed) {
        return;
    }
    all->changed = false;
    all->unsettled = !committed;
    MAP_EACH (&all->map, entry) {
        struct election *e = entry->value;
        publish_one(e, committed);
        if (e->candidates.len == 0) {
            map_remove(&all->map, entry->key);
            election_free(e);
        }
    }
}
