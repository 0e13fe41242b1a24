/* SPDX-License-Identifier: Apache-2.0
 *
 * See slot_trial.h. What is written down here is no part of what tasks do: it may be there twice,
 * or be missing, so it goes with a plain writer, which is there only while somebody is tried.
 */
#include "operators/shard/slot_trial.h"

#include "core/codec/endian.h"
#include "core/codec/varint.h"
#include "operators/shard/slot_impl.h"
#include "operators/shard/task_gap.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define SETTLE_NS (1 * CLOCK_NS_PER_S)

enum {
    RECORDS_MAX = 1000,
    RECORD_ARENA = 64 << 20,
    FORMAT = 1,
    KEY_BYTES = 12,
    VALUE_BYTES = 8 * VARINT_MAX
};
static const char mark[] = "died"; /* behind the lineage: no key of a snapshot is so long */

/* ---- records ---- */

static struct slice write_key(const struct slot_one *o, char to[KEY_BYTES])
{
    endian_put_be64(to, o->conf.plan->lineage);
    memcpy(to + 8, mark, KEY_BYTES - 8);
    return slice_of(to, KEY_BYTES);
}

static struct slice write_value(const struct slot_tried *t, char to[VALUE_BYTES])
{
    char *p = varint_write(to, FORMAT);
    p = varint_write(p, t->plan);
    p = varint_write(p, t->seq);
    p = varint_write(p, t->begun);
    p = varint_write(p, t->alone);
    p = varint_write(p, t->sub);
    p = varint_write_zz(p, t->offset);
    return slice_of(to, (size_t)(p - to));
}

static struct slot_tried read_value(struct slice v)
{
    const char *p = v.ptr, *end = v.ptr + v.len;
    uint64_t n[6] = {0};
    int64_t offset = 0;
    for (size_t i = 0; i < ARRAY_LEN(n) && p != NULL; i++) {
        p = varint_read(p, end, &n[i]);
    }
    p = p != NULL ? varint_read_zz(p, end, &offset) : NULL;
    if (p == NULL || n[0] != FORMAT || n[5] > UINT32_MAX) {
        return (struct slot_tried){0};
    }
    return (struct slot_tried){.plan = n[1],
                               .seq = n[2],
                               .begun = n[3],
                               .alone = n[4] != 0,
                               .sub = (uint32_t)n[5],
                               .offset = offset};
}

void slot_trial_record(struct slot *s, uint32_t load, const struct bus_record *r)
{
    if (r->key.len != KEY_BYTES || memcmp(r->key.ptr + 8, mark, KEY_BYTES - 8) != 0) {
        return;
    }
    struct slot_one *o = slot_one_of(s, endian_be64(r->key.ptr));
    if (o != NULL && o->state == SLOT_JOURNAL && o->load == load && o->trial.step != TRIAL_NONE) {
        o->trial.now = r->value.len > 0 ? read_value(r->value) : (struct slot_tried){0};
    }
}

/* ---- the writer ---- */

static void put(struct slot *s, struct slot_one *o, struct slice value)
{
    char key[KEY_BYTES];
    struct err err;
    const struct bus_put p = {.to = slot_state_of(s, o->conf.plan->lineage),
                              .key = write_key(o, key),
                              .value = value,
                              .token = slot_tag(SLOT_TAG_TRIAL_PUT, 0, o->id)};
    o->trial.asked = s->trials.open && bus_put(s->trials.notes, &p, &err) == 0;
    s->trials.puts += o->trial.asked;
}

void slot_trials_close(struct slot *s)
{
    if (s->trials.notes != NULL) {
        bus_writer_close(s->trials.notes);
    }
    s->trials.notes = NULL;
    s->trials.open = false;
    s->trials.puts = 0;
    VEC_EACH (&s->tasks, o) {
        (*o)->trial.asked = (*o)->trial.stale = false; /* again, if it still matters */
    }
}

void slot_trial_event(struct slot *s, const struct bus_ev *ev)
{
    s->trials.open |= ev->kind == BUS_EV_OPENED;
    if (ev->kind == BUS_EV_ERROR) {
        slot_trials_close(s);
    } else if (ev->kind != BUS_EV_OPENED) {
        s->trials.puts--;
    }
    VEC_EACH (&s->tasks, at) {
        struct slot_trial *t = &(*at)->trial;
        bool mine = (*at)->id == (uint32_t)(ev->tag >> 32) && t->asked;
        if (mine && !t->stale && t->step == TRIAL_NAMING && ev->kind == BUS_EV_DELIVERED) {
            t->step = t->back ? TRIAL_WAITS : TRIAL_NAMED;
        }
        t->asked &= !mine;
        t->stale &= !mine;
    }
}

/* What is to be written is; the writer is there while somebody may need it. */
void slot_trials_write(struct slot *s)
{
    char value[VALUE_BYTES];
    struct err err;
    bool needed = false;
    VEC_EACH (&s->tasks, at) {
        struct slot_one *o = *at;
        needed |= o->trial.step > TRIAL_WAITS || o == s->trials.alone;
        if (o->trial.step == TRIAL_NAMING && !o->trial.asked) {
            put(s, o, write_value(&o->trial.now, value));
        }
    }
    if (!needed && s->trials.open && s->trials.puts == 0) {
        slot_trials_close(s);
    } else if (needed && s->trials.notes == NULL &&
               bus_open(s->bus, SLICE(""), slot_tag(SLOT_TAG_TRIAL_OPEN, 0, 0), &s->trials.notes,
                        &err) != 0) {
        slot_lose(s, "a writer cannot be opened: %s", err.msg);
    }
}

/* ---- before it begins ---- */

/* Where it stands: the last record of its journal. */
static uint64_t cut_of(const struct slot_one *o)
{
    struct journal_record r;
    struct err err;
    uint64_t seq = o->snap.there ? o->snap.root.seq : 0, sum;
    if (o->journal.len > 0) {
        const struct slot_record *last = VEC_LAST(&o->journal);
        struct arena *a = arena_new(NULL, "journal record", RECORD_ARENA);
        bool reads = journal_read(slice_of(last->bytes, last->len), a, &r, &sum, &err) == 0;
        seq = reads ? r.seq : seq;
        arena_free(a);
    }
    return seq;
}

void slot_trial_count(struct slot_one *o)
{
    struct slot_trial *t = &o->trial;
    uint64_t plan = o->conf.plan->hash, seq = cut_of(o);
    if (t->step != TRIAL_NONE && (t->now.plan != plan || t->now.seq != seq)) {
        t->now = (struct slot_tried){.plan = plan, .seq = seq};
    }
    t->deaths = t->now.begun;
}

/* ---- alone ---- */

static void is_over(struct slot *s, struct slot_one *o)
{
    if (s->trials.alone == o) {
        s->trials.alone = NULL;
        o->why[0] = o->state == SLOT_LOST ? o->why[0] : '\0';
        if (s->conf.trial != NULL) {
            atomic_store(s->conf.trial, false);
        }
    }
}

/* It has done something, or has nothing to do: what was written down is no longer true. */
static void is_cleared(struct slot *s, struct slot_one *o)
{
    is_over(s, o);
    put(s, o, SLICE_NONE);
    o->trial.asked = false;
    o->trial.step = TRIAL_NONE;
}

void slot_trial_end(struct slot *s, struct slot_one *o)
{
    is_over(s, o);
    o->trial.step = TRIAL_NONE;
}

void slot_trial_committed(struct slot *s, struct slot_one *o)
{
    struct slot_trial *t = &o->trial;
    if (t->step == TRIAL_NONE || o->cut.seq <= t->now.seq) {
        return;
    }
    if (t->step == TRIAL_TAKEN && (s->trials.alone != o || t->records >= RECORDS_MAX)) {
        is_cleared(s, o);
        return;
    }
    t->now = (struct slot_tried){.plan = t->now.plan, .seq = o->cut.seq}; /* and the next record */
    t->deaths = s->trials.alone == o ? t->deaths : 0;
    t->stale = t->asked; /* a tick was committed before what it was to take was written */
    t->step = TRIAL_WAITS;
}

/* True: it is alone, and may go on. */
static bool may_be_alone(struct slot *s, struct slot_one *o)
{
    bool taken =
        s->trials.alone != o && (s->trials.alone != NULL ||
                                 (s->conf.trial != NULL && atomic_exchange(s->conf.trial, true)));
    if (!taken && s->trials.alone != o) {
        s->trials.alone = o;
        o->trial.settles = slot_now(s) + SETTLE_NS;
    }
    (void)snprintf(o->why, sizeof o->why, "%s: %" PRIu64 " died of what follows record %" PRIu64,
                   taken ? "waits to be tried alone" : "is tried alone", o->trial.deaths,
                   o->trial.now.seq);
    return !taken && slot_now(s) >= o->trial.settles;
}

int64_t slot_trial_wake(const struct slot *s, const struct slot_one *o)
{
    return s->trials.alone == o && slot_now(s) < o->trial.settles ? o->trial.settles : INT64_MAX;
}

static void name(struct slot *s, struct slot_one *o, uint32_t sub, int64_t offset)
{
    struct slot_trial *t = &o->trial;
    t->now.begun = t->deaths + 1;
    t->now.alone = s->trials.alone == o;
    t->now.sub = sub;
    t->now.offset = offset;
    t->back = false;
    t->step = TRIAL_NAMING;
    slot_trials_write(s);
}

/* It is not taken after all, and whoever kills the process now shall not be mistaken for it. */
static void take_back(struct slot *s, struct slot_one *o)
{
    struct slot_trial *t = &o->trial;
    t->now.begun = t->deaths;
    t->now.alone = false;
    t->back = true;
    t->step = TRIAL_NAMING;
    slot_trials_write(s);
}

/* Of who is alone: one record and no more. */
static uint32_t take_record(struct slot_one *o)
{
    struct slot_trial *t = &o->trial;
    enum { STEPS = 4096 }; /* of one record; and of timers before it, which may be many more */
    uint32_t n = 0, sub;
    int64_t offset;
    while (n < STEPS && merge_peek(task_merge(o->task), &sub, &offset) && sub == t->now.sub &&
           offset == t->now.offset && task_work(o->task, 1) == 1) {
        n++;
    }
    t->records++;
    return n;
}

static uint32_t take(struct slot *s, struct slot_one *o, uint32_t most)
{
    struct slot_trial *t = &o->trial;
    uint32_t n = s->trials.alone == o ? take_record(o) : task_work(o->task, most);
    t->step = n > 0 ? TRIAL_TAKEN : TRIAL_NAMED;
    s->last_commit -= s->conf.commit_ns; /* at once */
    return n;
}

/* What comes is written down, then taken. */
static uint32_t take_next(struct slot *s, struct slot_one *o, uint32_t most)
{
    struct slot_trial *t = &o->trial;
    uint32_t sub = 0;
    int64_t offset = 0;
    bool there = merge_peek(task_merge(o->task), &sub, &offset);
    bool same = t->now.sub == sub && t->now.offset == offset;
    if (t->step == TRIAL_NAMED && there && (same || s->trials.alone != o)) {
        return take(s, o, most);
    }
    if (t->step == TRIAL_NAMED && !there) {
        take_back(s, o);
    } else if (t->step != TRIAL_NAMING && there) {
        name(s, o, sub, offset);
    }
    return 0;
}

uint32_t slot_trial_work(struct slot *s, struct slot_one *o, uint32_t most)
{
    struct slot_trial *t = &o->trial;
    bool alone = t->deaths >= TRIAL_DEATHS;
    if (alone && !may_be_alone(s, o)) {
        return 0;
    }
    if (t->step == TRIAL_TAKEN) {
        return alone ? 0 : task_work(o->task, most);
    }
    if (t->step == TRIAL_WAITS && t->now.alone) { /* whoever took it alone has died of it */
        task_skip(o->task, t->now.sub, t->now.offset);
        t->now.alone = false;
        t->step = task_is_dirty(o->task) ? TRIAL_TAKEN : TRIAL_WAITS;
    } else if (alone && t->step == TRIAL_WAITS && merge_is_empty(task_merge(o->task)) &&
               slot_idle_since(o) != INT64_MAX) {
        is_cleared(s, o);
    }
    return t->step == TRIAL_NONE || t->step == TRIAL_TAKEN ? 0 : take_next(s, o, most);
}
