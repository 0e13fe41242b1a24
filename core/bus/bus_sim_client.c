/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients of the simulated bus and the way of an event to its caller. What an event points at is
 * owned by the event, lent at a poll and really freed at the next, so that a sanitizer sees a
 * caller who keeps a pointer too long.
 */
#include "core/bus/bus_sim_ops.h"

#include "core/base/mem.h"

#include <assert.h>

struct sim_client *sim_client_find(const struct sim_bus *b, uint64_t id)
{
    VEC_EACH (&b->clients, c) {
        if ((*c)->id == id) {
            return *c;
        }
    }
    return NULL;
}

struct sim_writer *sim_writer_find(const struct sim_bus *b, uint64_t client, uint64_t writer)
{
    struct sim_client *c = sim_client_find(b, client);
    if (c != NULL && writer != 0) {
        VEC_EACH (&c->writers, w) {
            if ((*w)->id == writer) {
                return *w;
            }
        }
    }
    return NULL;
}

struct sim_out *sim_out_new(enum bus_ev_kind kind, uint64_t tag)
{
    struct sim_out *o = MEM_NEW(struct sim_out);
    o->ev.kind = kind;
    o->ev.tag = tag;
    return o;
}

void sim_out_free(void *out)
{
    struct sim_out *o = out;
    if (o != NULL) {
        mem_free(o->mem);
        mem_free(o);
    }
}

void sim_out_err(struct sim_out *o, enum err_code code, const char *why)
{
    (void)err_set(&o->err, code, "%s", why);
}

void sim_tell_now(struct sim_client *c, struct sim_out *take_out)
{
    *VEC_PUSH(&c->due) = take_out;
    bus_wake_signal(&c->c.wake);
}

static void arrive(struct sim_bus *b, const struct sim_action *a)
{
    struct sim_out *o = a->obj;
    struct sim_client *c = sim_client_find(b, a->client);
    struct sim_writer *w = sim_writer_find(b, a->client, a->writer);
    if (c == NULL || (a->writer != 0 && w == NULL)) {
        sim_out_free(o);
        return;
    }
    o->writer = a->writer;
    o->ev.writer = w != NULL ? &w->w : NULL;
    sim_tell_now(c, o);
}

void sim_tell_at(struct sim_bus *b, int64_t at_ns, uint64_t client, uint64_t writer,
                 struct sim_out *take_out)
{
    assert(take_out != NULL);
    sim_at(b, at_ns,
           (struct sim_action){.run = arrive,
                               .drop = sim_out_free,
                               .obj = take_out,
                               .client = client,
                               .writer = writer});
}

void sim_tell(struct sim_bus *b, int64_t delay_ns, uint64_t client, uint64_t writer,
              struct sim_out *take_out)
{
    sim_tell_at(b, b->time.mono_ns + delay_ns, client, writer, take_out);
}

#define HELD_MOST_NS CLOCK_NS_PER_S

/* How far what held it up has brought it before the world, which comes after. */
static int64_t held(const struct sim_client *c)
{
    return MAX(c->shown_ns - sim_of(&c->c)->time.mono_ns - c->ahead_ns, 0);
}

static int64_t mono(void *arg)
{
    struct sim_client *c = arg;
    int64_t before = held(c);
    bool more = c->slow_ns > 0 && before < HELD_MOST_NS && sim_random(sim_of(&c->c)) % 8 == 0;
    c->shown_ns = sim_of(&c->c)->time.mono_ns + c->ahead_ns + before + (more ? c->slow_ns : 0);
    return c->shown_ns;
}

static int64_t wall(void *arg)
{
    const struct sim_client *c = arg;
    return sim_of(&c->c)->time.wall_ns + c->wall_ahead_ns;
}

void sim_client_init(struct bus_client *client)
{
    struct sim_client *c = (struct sim_client *)client;
    struct sim_bus *b = sim_of(client);
    client->clock = (struct clock){mono, wall, c};
    c->id = ++b->ids;
    *VEC_PUSH(&b->clients) = c;
    sim_note(b, c->id, "client", slice_str(client->name), 0, 0, SLICE_NONE);
}

static void give_back(struct sim_client *c)
{
    VEC_EACH (&c->lent, o) {
        sim_out_free(*o);
    }
    VEC_CLEAR(&c->lent);
}

void sim_client_done(struct bus_client *client)
{
    struct sim_client *c = (struct sim_client *)client;
    struct sim_bus *b = sim_of(client);
    sim_note(b, c->id, c->crashed ? "crash" : "done", SLICE_NONE, 0, 0, SLICE_NONE);
    while (c->writers.len > 0) {
        sim_writer_close(&(*VEC_LAST(&c->writers))->w);
    }
    while (c->readers.len > 0) {
        sim_reader_free(&(*VEC_LAST(&c->readers))->r);
    }
    sim_elect_gone(b, c->id, c->crashed);
    for (size_t i = 0; i < b->clients.len; i++) {
        if (b->clients.ptr[i] == c) {
            VEC_REMOVE(&b->clients, i);
            break;
        }
    }
    give_back(c);
    VEC_EACH (&c->due, o) {
        sim_out_free(*o);
    }
    assert(c->ready.len == 0);
    VEC_DONE(&c->lent);
    VEC_DONE(&c->due);
    VEC_DONE(&c->ready);
    VEC_DONE(&c->readers);
    VEC_DONE(&c->writers);
}

int64_t sim_client_timer(const struct sim_client *c)
{
    int64_t at = bus_timers_next(&c->c.timers);
    return at == INT64_MAX ? at : at - c->ahead_ns - held(c);
}

bool sim_client_ready(const struct sim_client *c)
{
    return !c->paused && !c->crashed &&
           (c->due.len > 0 || c->ready.len > 0 ||
            sim_client_timer(c) <= sim_of(&c->c)->time.mono_ns);
}

static struct sim_out *take_next(struct sim_bus *b, struct sim_client *c)
{
    bool read = c->ready.len > 0;
    if (read && c->due.len > 0) {
        read = b->faults.batch_random && sim_below(b, 2) == 0;
    }
    if (read) {
        return sim_read_take(c);
    }
    struct sim_out *o = c->due.ptr[0];
    VEC_REMOVE(&c->due, 0);
    struct sim_writer *w = sim_writer_find(b, c->id, o->writer);
    if (w != NULL) {
        sim_writer_saw(w, o);
    }
    return o;
}

int sim_client_poll(struct bus_client *client, struct bus_ev *evs, int max)
{
    struct sim_client *c = (struct sim_client *)client;
    struct sim_bus *b = sim_of(client);
    int n = 0;
    give_back(c);
    VEC_EACH (&c->writers, w) {
        (*w)->again = false;
    }
    while (n < max && !c->paused && !c->crashed && (c->due.len > 0 || c->ready.len > 0)) {
        struct sim_out *o = take_next(b, c);
        if (o != NULL) {
            o->ev.err = o->err.code != ERR_OK ? &o->err : NULL;
            *VEC_PUSH(&c->lent) = o;
            sim_note_ev(b, c, &o->ev);
            evs[n++] = o->ev;
        }
    }
    return n;
}

void bus_sim_pause(struct bus_client *client, bool paused)
{
    struct sim_client *c = (struct sim_client *)client;
    struct sim_bus *b = sim_of(client);
    sim_note(b, c->id, "pause", SLICE_NONE, paused, 0, SLICE_NONE);
    c->paused = paused;
    sim_elect_paused(b, c->id, paused);
    bus_wake_signal(&client->wake);
}

bool sim_client_calls(struct bus_client *client)
{
    struct sim_client *c = (struct sim_client *)client;
    if (c->dies_in > 0 && --c->dies_in == 0) {
        sim_note(sim_of(client), c->id, "dies", SLICE_NONE, 0, 0, SLICE_NONE);
        c->crashed = true;
    }
    return !c->crashed;
}

void bus_sim_die(struct bus_client *client, uint32_t calls)
{
    assert(calls > 0);
    ((struct sim_client *)client)->dies_in = calls;
}

bool bus_sim_is_dead(const struct bus_client *client)
{
    return ((const struct sim_client *)client)->crashed;
}

void bus_sim_ahead(struct bus_client *client, int64_t mono_ns, int64_t wall_ns)
{
    struct sim_client *c = (struct sim_client *)client;
    assert(mono_ns >= c->ahead_ns);
    sim_note(sim_of(client), c->id, "ahead", SLICE_NONE, (uint64_t)mono_ns, (uint64_t)wall_ns,
             SLICE_NONE);
    c->ahead_ns = mono_ns;
    c->wall_ahead_ns = wall_ns;
    bus_wake_signal(&client->wake);
}

void bus_sim_slow(struct bus_client *client, int64_t ns)
{
    struct sim_client *c = (struct sim_client *)client;
    assert(ns >= 0);
    sim_note(sim_of(client), c->id, "slow", SLICE_NONE, (uint64_t)ns, 0, SLICE_NONE);
    c->slow_ns = ns;
}

void bus_sim_crash(struct bus_client *client)
{
    if (client != NULL) {
        ((struct sim_client *)client)->crashed = true;
        bus_client_free(client);
    }
}
