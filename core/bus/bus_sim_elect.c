/* SPDX-License-Identifier: Apache-2.0
 *
 * Elections in the simulated bus. A member who crashed or is paused keeps his place until his
 * session runs out; each member hears of a change after a time of his own, so that for a while two
 * may believe to lead, as in life.
 */
#include "core/bus/bus_sim_ops.h"

#include "core/base/mem.h"

#include <assert.h>

struct sim_member {
    uint64_t client, tag, candidacy; /* candidacy: unique */
    int told;                        /* what `leading` said last; -1 = nothing yet */
    int64_t told_ns;
};

struct sim_election {
    struct slice name; /* owned */
    int64_t epoch;
    uint64_t leader; /* a client; 0 = none */
    VEC(struct sim_member) members;
};

static struct sim_election *election_get(struct sim_bus *b, struct slice name)
{
    void **at = map_put(&b->elections, name);
    assert(at != NULL);
    if (*at == NULL) {
        struct sim_election *e = *at = MEM_NEW(struct sim_election);
        e->name = slice_of(mem_dup(name.ptr, name.len), name.len);
    }
    return *at;
}

void sim_election_free(void *election)
{
    struct sim_election *e = election;
    VEC_DONE(&e->members);
    mem_free((void *)(uintptr_t)e->name.ptr);
    mem_free(e);
}

static struct sim_member *member_find(struct sim_election *e, uint64_t client)
{
    VEC_EACH (&e->members, m) {
        if (m->client == client) {
            return m;
        }
    }
    return NULL;
}

/* Gives him the event, unless he has left in the meantime. */
static void leader_arrives(struct sim_bus *b, const struct sim_action *a)
{
    struct sim_out *o = a->obj;
    struct sim_election *e = map_get(&b->elections, slice_str(o->mem));
    struct sim_member *m = e != NULL ? member_find(e, a->client) : NULL;
    struct sim_client *c = sim_client_find(b, a->client);
    if (c == NULL || m == NULL || m->candidacy != o->candidacy) {
        sim_out_free(o);
        return;
    }
    sim_tell_now(c, o); /* at once: he may resign in the next moment */
}

static void tell_member(struct sim_bus *b, struct sim_election *e, struct sim_member *m)
{
    bool leading = m->client == e->leader;
    if (m->told == (int)leading) {
        return;
    }
    m->told = leading;
    int64_t at_ns = b->time.mono_ns + sim_draw(b, b->faults.elect);
    m->told_ns = MAX(m->told_ns, at_ns); /* in order */
    struct sim_out *o = sim_out_new(BUS_EV_LEADER, m->tag);
    o->ev.leading = leading;
    o->ev.offset = e->epoch;
    o->candidacy = m->candidacy;
    o->mem = mem_dup(e->name.ptr, e->name.len);
    sim_at(b, m->told_ns,
           (struct sim_action){
               .run = leader_arrives, .drop = sim_out_free, .obj = o, .client = m->client});
}

/* Anyone who is there and not paused may win, the last leader too if nobody else can. */
static void hold_election(struct sim_bus *b, struct sim_election *e, uint64_t rather_not)
{
    uint64_t able[64];
    size_t n = 0;
    VEC_EACH (&e->members, m) {
        const struct sim_client *c = sim_client_find(b, m->client);
        if (c != NULL && !c->paused && m->client != rather_not && n < ARRAY_LEN(able)) {
            able[n++] = m->client;
        }
    }
    if (n == 0 && rather_not != 0 && e->leader == rather_not) {
        return;
    }
    e->leader = n > 0 ? able[sim_below(b, n)] : 0;
    if (e->leader != 0) {
        e->epoch++;
        sim_note(b, e->leader, "elected", e->name, (uint64_t)e->epoch, 0, SLICE_NONE);
    }
    VEC_EACH (&e->members, m) {
        tell_member(b, e, m);
    }
}

static void election_due(struct sim_bus *b, const struct sim_action *a)
{
    struct sim_election *e = a->obj;
    if (e->leader == 0) {
        hold_election(b, e, 0);
    }
}

static void election_soon(struct sim_bus *b, struct sim_election *e)
{
    sim_at(b, b->time.mono_ns + sim_draw(b, b->faults.elect),
           (struct sim_action){.run = election_due, .obj = e});
}

static void remove_member(struct sim_bus *b, struct sim_election *e, uint64_t client)
{
    for (size_t i = 0; i < e->members.len; i++) {
        if (e->members.ptr[i].client == client) {
            VEC_REMOVE(&e->members, i);
            break;
        }
    }
    if (e->leader == client) {
        e->leader = 0;
        election_soon(b, e);
    }
}

static void join_arrives(struct sim_bus *b, const struct sim_action *a)
{
    struct sim_election *e = a->obj;
    struct sim_member *m = member_find(e, a->client);
    if (m == NULL) {
        return;
    }
    if (e->leader == 0) {
        hold_election(b, e, 0);
    } else {
        tell_member(b, e, m);
    }
}

int sim_elect(struct bus_client *client, struct slice name, uint64_t tag, struct err *reterr)
{
    struct sim_bus *b = sim_of(client);
    struct sim_election *e = election_get(b, name);
    uint64_t id = ((const struct sim_client *)client)->id;
    if (member_find(e, id) != NULL) {
        return err_set(reterr, ERR_EXISTS, "this client takes part in " SLICE_FMT " already",
                       SLICE_ARG(name));
    }
    sim_note(b, id, "elect", name, tag, 0, SLICE_NONE);
    *VEC_PUSH(&e->members) =
        (struct sim_member){.client = id, .tag = tag, .candidacy = ++b->ids, .told = -1};
    sim_at(b, b->time.mono_ns + sim_draw(b, b->faults.call),
           (struct sim_action){.run = join_arrives, .obj = e, .client = id});
    return 0;
}

static void drop_told(struct sim_client *c, uint64_t candidacy)
{
    for (size_t i = c->due.len; i > 0; i--) {
        struct sim_out *o = c->due.ptr[i - 1];
        if (o->candidacy == candidacy) {
            VEC_REMOVE(&c->due, i - 1);
            sim_out_free(o);
        }
    }
}

void sim_resign(struct bus_client *client, struct slice name)
{
    struct sim_bus *b = sim_of(client);
    struct sim_client *c = (struct sim_client *)client;
    struct sim_election *e = map_get(&b->elections, name);
    struct sim_member *m = e != NULL ? member_find(e, c->id) : NULL;
    sim_note(b, c->id, "resign", name, 0, 0, SLICE_NONE);
    if (m != NULL) {
        drop_told(c, m->candidacy);
        remove_member(b, e, c->id);
    }
}

static void session_over(struct sim_bus *b, const struct sim_action *a)
{
    struct sim_election *e = a->obj;
    const struct sim_client *c = sim_client_find(b, a->client);
    if (c == NULL) {
        remove_member(b, e, a->client);
    } else if (c->paused && e->leader == a->client) {
        e->leader = 0;
        hold_election(b, e, a->client);
    }
}

void sim_elect_gone(struct sim_bus *b, uint64_t client, bool crashed)
{
    MAP_EACH (&b->elections, it) {
        struct sim_election *e = it->value;
        if (member_find(e, client) == NULL) {
            continue;
        }
        if (crashed) {
            sim_at(b, b->time.mono_ns + b->faults.session_ns,
                   (struct sim_action){.run = session_over, .obj = e, .client = client});
        } else {
            remove_member(b, e, client);
        }
    }
}

void sim_elect_paused(struct sim_bus *b, uint64_t client, bool paused)
{
    MAP_EACH (&b->elections, it) {
        struct sim_election *e = it->value;
        if (member_find(e, client) != NULL && paused) {
            sim_at(b, b->time.mono_ns + b->faults.session_ns,
                   (struct sim_action){.run = session_over, .obj = e, .client = client});
        } else if (member_find(e, client) != NULL) {
            election_soon(b, e);
        }
    }
}

void bus_sim_depose(struct bus *bus, struct slice name)
{
    struct sim_bus *b = (struct sim_bus *)bus;
    struct sim_election *e = map_get(&b->elections, name);
    if (e != NULL && e->leader != 0) {
        hold_election(b, e, e->leader);
    }
}

void sim_elect_depose_any(struct sim_bus *b)
{
    if (b->elections.live > 0) {
        uint64_t n = sim_below(b, b->elections.live);
        MAP_EACH (&b->elections, it) {
            struct sim_election *e = it->value;
            if (n-- == 0 && e->leader != 0) {
                hold_election(b, e, e->leader);
            }
        }
    }
}
