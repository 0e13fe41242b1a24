/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers of the simulated bus. An assignment is fetching (an action is under way), ready (the next
 * poll of its client gives its event), idle (listed at its partition, which wakes it when its
 * stable end or start moves) or waits for bus_seek. What it gives is decided at the poll, so a
 * seek, a pause or a trim in between needs no care: nothing of an old position exists anywhere.
 */
#include "core/bus/bus_sim_ops.h"

#include "core/base/mem.h"

#include <assert.h>

enum { BATCH_BYTES = 4 * 1024 * 1024 };

/* What the assignment has to say now; ERR_OK with nothing = it waits. */
struct view {
    bool records, end;
    enum err_code failed;
    size_t first; /* index in the log */
    int64_t stable;
};

static struct sim_client *client_of(const struct sim_assign *a)
{
    return (struct sim_client *)a->reader->r.client;
}

static struct view look(struct sim_assign *a)
{
    struct view v = {0};
    const struct sim_part *p = a->part;
    if (p == NULL) {
        v.failed = ERR_NOT_FOUND;
        return v;
    }
    v.stable = sim_log_stable(p);
    if (a->pos == BUS_FROM_START) {
        a->pos = p->start;
    } else if (a->pos == BUS_FROM_END) {
        a->pos = v.stable;
    }
    if (a->pos < 0 || a->pos > p->next) {
        v.failed = ERR_RANGE;
    } else if (a->pos < p->start) {
        v.failed = ERR_GONE;
    } else {
        v.first = sim_log_find(p, a->pos);
        v.records = v.first < p->log.len && p->log.ptr[v.first].offset < v.stable;
        v.end = !v.records && a->pos <= v.stable && a->told_end != v.stable;
    }
    return v;
}

static void leave_ready(struct sim_assign *a)
{
    struct sim_client *c = client_of(a);
    for (size_t i = 0; i < c->ready.len; i++) {
        if (c->ready.ptr[i] == a) {
            VEC_REMOVE(&c->ready, i);
            return;
        }
    }
}

static void leave_idle(struct sim_assign *a)
{
    for (size_t i = 0; a->idle && i < a->part->idle.len; i++) {
        if (a->part->idle.ptr[i] == a) {
            VEC_REMOVE(&a->part->idle, i);
            break;
        }
    }
    a->idle = false;
}

static void fetch_drop(void *obj)
{
    mem_free(obj); /* all readers are gone by then */
}

static void fetch_done(struct sim_bus *b, const struct sim_action *action);

static void fetch_at(struct sim_bus *b, struct sim_assign *a, int64_t at_ns)
{
    if (!a->fetching) {
        a->fetching = true;
        sim_at(b, at_ns, (struct sim_action){.run = fetch_done, .drop = fetch_drop, .obj = a});
    }
}

static void fetch(struct sim_bus *b, struct sim_assign *a)
{
    leave_idle(a);
    fetch_at(b, a, b->time.mono_ns + sim_draw(b, b->faults.read));
}

static void wait_idle(struct sim_assign *a)
{
    assert(!a->idle && a->part != NULL);
    a->idle = true;
    *VEC_PUSH(&a->part->idle) = a;
}

static void fetch_done(struct sim_bus *b, const struct sim_action *action)
{
    struct sim_assign *a = action->obj;
    a->fetching = false;
    if (a->dead) {
        mem_free(a);
        return;
    }
    if (a->ready || a->idle) {
        return;
    }
    if (a->part == NULL) {
        a->part = sim_part_find(b, bus_topic_name(a->reader->r.client, a->tp.topic), a->tp.part);
    }
    if (a->part != NULL && a->part->busy_until_ns > b->time.mono_ns) {
        fetch_at(b, a, a->part->busy_until_ns);
        return;
    }
    struct view v = look(a);
    if (v.end && !a->late && b->faults.end.max_ns > 0) {
        a->late = true;
        fetch_at(b, a, b->time.mono_ns + sim_draw(b, b->faults.end));
        return;
    }
    a->late = false;
    if (!v.records && !v.end && v.failed == ERR_OK) {
        wait_idle(a);
        return;
    }
    a->ready = true;
    if (!a->paused) {
        struct sim_client *c = client_of(a);
        *VEC_PUSH(&c->ready) = a;
        bus_wake_signal(&c->c.wake);
    }
}

void sim_read_moved(struct sim_bus *b, struct sim_part *p)
{
    while (p->idle.len > 0) {
        fetch(b, p->idle.ptr[0]);
    }
}

static struct sim_out *give_records(struct sim_bus *b, struct sim_assign *a, const struct view *v)
{
    uint32_t max = b->faults.batch_max, n = 0, headers = 0;
    max = b->faults.batch_random ? 1 + (uint32_t)sim_below(b, max) : max;
    size_t bytes = 1;
    const struct sim_entry *first = &a->part->log.ptr[v->first];
    for (const struct sim_entry *e = first; e < a->part->log.ptr + a->part->log.len; e++) {
        size_t room =
            sim_record_room(&e->rec->key, &e->rec->value, e->rec->headers, e->rec->header_count);
        if (n == max || e->offset >= v->stable || (n > 0 && bytes + room > BATCH_BYTES)) {
            break;
        }
        assert(e->txn == NULL && e->rec != NULL);
        n++;
        headers += e->rec->header_count;
        bytes += room;
        b->stats.reads++;
        b->stats.read_bytes += e->rec->bytes;
    }
    struct sim_out *o = sim_out_new(BUS_EV_RECORDS, a->tag);
    struct bus_record *records = o->mem = mem_alloc(n * sizeof *records + bytes);
    struct bus_header *header = (struct bus_header *)(records + n);
    char *to = (char *)(header + headers);
    for (uint32_t i = 0; i < n; i++) {
        records[i].offset = first[i].offset;
        records[i].time_ms = first[i].time_ms;
        to = sim_record_fill(to, &records[i], header, first[i].rec);
        header += records[i].header_count;
    }
    a->pos = first[n - 1].offset + 1;
    o->ev.records = records;
    o->ev.count = n;
    return o;
}

static struct sim_out *give_failure(struct sim_assign *a, enum err_code code)
{
    struct sim_out *o = sim_out_new(BUS_EV_ERROR, a->tag);
    const char *why = code == ERR_GONE    ? "the position lies before the start of the partition"
                      : code == ERR_RANGE ? "the position lies beyond the end of the partition"
                                          : "no such topic or partition";
    sim_out_err(o, code, why);
    o->ev.offset = code == ERR_GONE ? a->part->start : 0;
    return o;
}

struct sim_out *sim_read_take(struct sim_client *c)
{
    struct sim_bus *b = sim_of(&c->c);
    struct sim_assign *a = c->ready.ptr[0];
    VEC_REMOVE(&c->ready, 0);
    assert(a->ready && !a->paused && !a->idle);
    a->ready = false;
    struct view v = look(a);
    struct sim_out *o = NULL;
    if (v.failed != ERR_OK) {
        o = give_failure(a, v.failed);
    } else if (v.records) {
        o = give_records(b, a, &v);
        fetch(b, a);
    } else if (v.end) {
        a->pos = a->told_end = v.stable;
        o = sim_out_new(BUS_EV_END, a->tag);
        o->ev.offset = v.stable;
        wait_idle(a);
    } else {
        wait_idle(a);
    }
    if (o != NULL) {
        o->ev.tp = a->tp;
        o->ev.reader = &a->reader->r;
    }
    return o;
}

struct bus_reader *sim_reader_new(struct bus_client *client)
{
    struct sim_client *c = (struct sim_client *)client;
    struct sim_reader *r = MEM_NEW(struct sim_reader);
    *VEC_PUSH(&c->readers) = r;
    return &r->r;
}

static void assign_free(struct sim_assign *a)
{
    leave_ready(a);
    leave_idle(a);
    a->dead = true;
    if (!a->fetching) {
        mem_free(a);
    }
}

void sim_reader_free(struct bus_reader *reader)
{
    struct sim_reader *r = (struct sim_reader *)reader;
    struct sim_client *c = (struct sim_client *)reader->client;
    VEC_EACH (&r->assigns, a) {
        assign_free(*a);
    }
    VEC_DONE(&r->assigns);
    for (size_t i = 0; i < c->readers.len; i++) {
        if (c->readers.ptr[i] == r) {
            VEC_REMOVE(&c->readers, i);
            break;
        }
    }
    mem_free(r);
}

static size_t find(const struct sim_reader *r, struct bus_tp tp)
{
    size_t i = 0;
    while (i < r->assigns.len &&
           (r->assigns.ptr[i]->tp.topic != tp.topic || r->assigns.ptr[i]->tp.part != tp.part)) {
        i++;
    }
    return i;
}

static void note(const struct bus_reader *r, const char *what, struct bus_tp tp, int64_t x)
{
    sim_note(sim_of(r->client), ((const struct sim_client *)r->client)->id, what,
             bus_topic_name(r->client, tp.topic), tp.part, (uint64_t)x, SLICE_NONE);
}

int sim_assign(struct bus_reader *reader, struct bus_tp tp, int64_t from, uint64_t tag,
               struct err *reterr)
{
    struct sim_reader *r = (struct sim_reader *)reader;
    if (find(r, tp) < r->assigns.len) {
        return err_set(reterr, ERR_EXISTS, "partition %u is assigned already", tp.part);
    }
    note(reader, "assign", tp, from);
    struct sim_assign *a = MEM_NEW(struct sim_assign);
    *a = (struct sim_assign){.reader = r, .tp = tp, .pos = from, .tag = tag, .told_end = -1};
    *VEC_PUSH(&r->assigns) = a;
    fetch(sim_of(reader->client), a);
    return 0;
}

void sim_unassign(struct bus_reader *reader, struct bus_tp tp)
{
    struct sim_reader *r = (struct sim_reader *)reader;
    size_t i = find(r, tp);
    note(reader, "unassign", tp, 0);
    if (i < r->assigns.len) {
        struct sim_assign *a = r->assigns.ptr[i];
        VEC_REMOVE(&r->assigns, i);
        assign_free(a);
    }
}

int sim_seek(struct bus_reader *reader, struct bus_tp tp, int64_t to, struct err *reterr)
{
    struct sim_reader *r = (struct sim_reader *)reader;
    size_t i = find(r, tp);
    if (i == r->assigns.len) {
        return err_set(reterr, ERR_NOT_FOUND, "partition %u is not assigned", tp.part);
    }
    note(reader, "seek", tp, to);
    struct sim_assign *a = r->assigns.ptr[i];
    leave_ready(a);
    a->ready = a->late = false;
    a->pos = to;
    a->told_end = -1;
    fetch(sim_of(reader->client), a);
    return 0;
}

int sim_pause(struct bus_reader *reader, struct bus_tp tp, bool paused, struct err *reterr)
{
    struct sim_reader *r = (struct sim_reader *)reader;
    size_t i = find(r, tp);
    if (i == r->assigns.len) {
        return err_set(reterr, ERR_NOT_FOUND, "partition %u is not assigned", tp.part);
    }
    note(reader, "pause", tp, paused);
    struct sim_assign *a = r->assigns.ptr[i];
    if (paused && !a->paused) {
        leave_ready(a);
    } else if (!paused && a->paused && a->ready) {
        *VEC_PUSH(&client_of(a)->ready) = a;
        bus_wake_signal(&reader->client->wake);
    }
    a->paused = paused;
    return 0;
}
