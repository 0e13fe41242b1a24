/* SPDX-License-Identifier: Apache-2.0
 *
 * How a slot begins, and begins again: its writer is opened, which decides all that a former holder
 * had under way; then the journal partitions of its tasks are read to their stable ends, taken
 * after the open. The first time, what is found is replayed. After an UNKNOWN end the journals tell
 * whether the transaction has happened.
 */
#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "operators/shard/slot_impl.h"

#include <assert.h>
#include <stdio.h>

enum { RECORD_ARENA = 64 << 20, LOAD_SHIFT = 20 };

#define REPLAY_NS (4 * CLOCK_NS_PER_MS) /* of a step: others are live */

static void slot_look(struct slot *s);
static void begin_reading(struct slot *s, uint32_t load);
static void ask_journals(struct slot *s, uint32_t load);

void slot_open(struct slot *s)
{
    struct err err;
    assert(s->writer == NULL);
    struct slice name = s->conf.plain ? SLICE_NONE : s->conf.name;
    if (bus_open(s->bus, name, slot_tag(SLOT_TAG_OPEN, 0, 0), &s->writer, &err) != 0) {
        slot_lose(s, "the slot cannot be opened: %s", err.msg);
    }
}

void slot_own_topics(struct slot *s)
{
    static const char *const names[SLOT_OWN] = {[SLOT_JOURNAL_TOPIC] = "journal",
                                                [SLOT_STATE_TOPIC] = "state",
                                                [SLOT_ARCHIVE_TOPIC] = "state.archive"};
    char text[BUS_NAME_MAX + 1];
    for (int i = 0; i < SLOT_OWN; i++) {
        (void)snprintf(text, sizeof text, SLICE_FMT "%s", SLICE_ARG(s->conf.prefix), names[i]);
        s->own[i] = bus_topic(s->bus, slice_str(text));
    }
}

static struct bus_tp own_topic(const struct slot *s, enum slot_own topic, uint64_t lineage)
{
    uint32_t parts = s->conf.journal_parts > 0 ? s->conf.journal_parts : SLOT_JOURNAL_PARTS;
    return (struct bus_tp){s->own[topic], (uint32_t)(lineage % parts)};
}

struct bus_tp slot_journal_of(struct slot *s, const struct slot_one *o)
{
    return own_topic(s, SLOT_JOURNAL_TOPIC, o->conf.plan->lineage);
}

struct bus_tp slot_archive_of(struct slot *s, uint64_t lineage)
{
    return own_topic(s, SLOT_ARCHIVE_TOPIC, lineage);
}

struct bus_tp slot_state_of(struct slot *s, uint64_t lineage)
{
    return own_topic(s, SLOT_STATE_TOPIC, lineage);
}

static void go_on(struct slot *s)
{
    s->open = true;
    if (s->looking) {
        slot_look(s);
    } else {
        s->last_commit = slot_now(s);
    }
}

void slot_opened(struct slot *s, const struct bus_ev *ev)
{
    s->epoch = (uint64_t)ev->offset;
    if (s->conf.lease == NULL) {
        go_on(s);
        return;
    }
    struct slot_load *l = &s->loads[SLOT_LOOK];
    slot_load_end(s, SLOT_LOOK);
    begin_reading(s, SLOT_LOOK);
    s->asking = true;
    s->leased = false;
    *VEC_PUSH(&l->journals) = (struct slot_journal){
        .tp = {bus_topic(s->bus, s->conf.lease->topic), 0}, .from = BUS_FROM_START, .end = -1};
    ask_journals(s, SLOT_LOOK);
}

static void lease_known(struct slot *s)
{
    s->asking = false;
    slot_load_end(s, SLOT_LOOK);
    if (s->leased) {
        go_on(s);
    } else {
        s->fenced = true;
        slot_lose(s, "the slot is another's, or nobody's");
    }
}

/* ---- loads ---- */

static void add_journal(struct slot_load *l, struct bus_tp tp, bool snapshots)
{
    VEC_EACH (&l->journals, j) {
        if (j->tp.part == tp.part && j->snapshots == snapshots) {
            return;
        }
    }
    *VEC_PUSH(&l->journals) =
        (struct slot_journal){.tp = tp, .from = BUS_FROM_START, .end = -1, .snapshots = snapshots};
}

static uint64_t journal_tag(enum slot_tag kind, uint32_t load, uint32_t number, uint32_t journal)
{
    return slot_tag(kind, load << LOAD_SHIFT | journal, number);
}

static void ask_bounds(struct slot *s, struct slot_load *l, struct bus_client *of, struct bus_tp tp,
                       uint64_t tag)
{
    struct err err;
    /* Of what a writer before this one has committed, nothing may be missed, though others, who
     * write to the same partitions, are in the middle of their transactions. */
    bool own = (tag & 0xff) == SLOT_TAG_BOUNDS;
    if ((own ? bus_settled(of, tp, tag, &err) : bus_bounds(of, tp, tag, &err)) != 0) {
        slot_lose(s, "the bounds of a partition cannot be asked for: %s", err.msg);
    }
    l->waits++;
}

static void begin_reading(struct slot *s, uint32_t load)
{
    struct slot_load *l = &s->loads[load];
    l->phase = LOAD_BOUNDS;
    l->number++;
    l->reader = bus_reader_new(s->bus);
    l->waits = 0;
}

static void ask_journals(struct slot *s, uint32_t load)
{
    struct slot_load *l = &s->loads[load];
    for (uint32_t i = 0; i < l->journals.len; i++) {
        ask_bounds(s, l, s->bus, l->journals.ptr[i].tp,
                   journal_tag(SLOT_TAG_BOUNDS, load, l->number, i));
    }
}

static void ask_scans(struct slot *s, uint32_t load)
{
    struct slot_load *l = &s->loads[load];
    VEC_EACH (&s->scans, at) {
        const struct slot_scan *c = *at;
        if (c != NULL && c->load == load) {
            uint64_t tag =
                journal_tag(SLOT_TAG_SCAN_BOUNDS, load, l->number, (uint32_t)l->asked.len);
            *VEC_PUSH(&l->asked) =
                (struct slot_asked){slot_tag(SLOT_TAG_SCAN, c->index, c->id), c->tp, c->aligned};
            ask_bounds(s, l, slot_client_of(s, c->aligned), c->tp, tag);
        }
    }
}

void slot_load_begin(struct slot *s)
{
    uint32_t load = 0;
    bool any = false;
    while (load < SLOT_CATCH_UPS && s->loads[load].phase != LOAD_FREE) {
        load++;
    }
    VEC_EACH (&s->tasks, at) {
        struct slot_one *o = *at;
        if (o->state != SLOT_OPENING || load == SLOT_CATCH_UPS) {
            continue;
        }
        if (!any) {
            begin_reading(s, load);
        }
        any = true;
        o->state = SLOT_JOURNAL;
        o->load = load;
        add_journal(&s->loads[load], slot_journal_of(s, o), false);
        add_journal(&s->loads[load], slot_state_of(s, o->conf.plan->lineage), true);
        if (!o->conf.ends) {
            slot_inputs_make(s, o);
        }
    }
    if (any) {
        ask_journals(s, load);
        ask_scans(s, load);
    }
}

void slot_load_end(struct slot *s, uint32_t load)
{
    struct slot_load *l = &s->loads[load];
    if (l->reader != NULL) {
        bus_reader_free(l->reader);
    }
    l->reader = NULL;
    l->phase = LOAD_FREE;
    VEC_DONE(&l->journals);
    VEC_DONE(&l->asked);
}

/* For the records of the transaction of which nobody knows whether it happened. */
static void slot_look(struct slot *s)
{
    slot_load_end(s, SLOT_LOOK);
    begin_reading(s, SLOT_LOOK);
    VEC_EACH (&s->tasks, o) {
        if ((*o)->in_cut) {
            add_journal(&s->loads[SLOT_LOOK], slot_journal_of(s, *o), false);
        }
    }
    ask_journals(s, SLOT_LOOK);
    if (s->loads[SLOT_LOOK].waits == 0) {
        slot_load_end(s, SLOT_LOOK);
        slot_commit_looked(s);
    }
}

/* ---- replay ---- */

/* True: there is more to do without waiting. */
static bool replay_on(struct slot *s, struct slot_one *o)
{
    struct err err;
    uint32_t n = 0, most = s->conf.takes > 0 ? s->conf.takes : SLOT_TAKES;
    if (slot_amid_waits(s, o) || !slot_amid_take(s, o, most, &n)) {
        return true;
    }
    if (task_replaying(o->task)) {
        if (n == 0 && slot_gap_stops(s, o)) { /* it begins again, and knows */
            slot_lose_one(s, o, "input was removed by retention while it was played again");
        }
        return n > 0;
    }
    if (task_replayed(o->task, &err) != 0) {
        slot_lose_one(s, o, "%s", err.msg);
        return false;
    }
    s->counts.replayed++;
    if (o->at == o->journal.len) {
        slot_forget_journal(o);
        return true;
    }
    return slot_next_record(s, o);
}

bool slot_replay_step(struct slot *s)
{
    bool more = false;
    int64_t until = slot_now(s) + REPLAY_NS;
    for (size_t i = 0, n = s->tasks.len; i < n; i++) {
        struct slot_one *o = s->tasks.ptr[s->replay_next++ % n];
        if (o->state != SLOT_REPLAY) {
            continue;
        }
        if (o->arena != NULL) {
            more |= replay_on(s, o);
        }
        if (o->state == SLOT_REPLAY && o->arena == NULL) {
            o->state = SLOT_LIVE;
            if (o->released) { /* nobody takes that for the word of this slot */
                task_say(o->task, JOURNAL_TAKEN);
            }
            more = true;
        }
        if (slot_now(s) >= until) {
            return true;
        }
    }
    return more;
}

/* ---- reading journals ---- */

/* Another record in the place of its own: somebody has the task by now, and was given it after the
 * lease was read. */
static void look_at(struct slot *s, struct slot_one *o, struct slice bytes, int64_t offset)
{
    struct err err;
    struct arena *a = arena_new(NULL, "look", RECORD_ARENA);
    struct journal_record r;
    uint64_t sum;
    if (journal_read(bytes, a, &r, &sum, &err) == 0 && o->in_cut && r.seq == o->cut.seq) {
        o->seen = slice_eq(bytes, o->cut.journal);
        o->seen_at = offset;
        s->fenced |= !o->seen;
    }
    arena_free(a);
}

static void look_for_end(struct slot_one *o, const struct journal_record *r)
{
    o->took = journal_begins(r) ? 0 : o->took;
    o->released = false;
    for (uint32_t i = 0; i < r->n_decisions; i++) {
        const struct journal_decision *d = &r->decisions[i];
        if (d->kind == JOURNAL_SUCCEEDS) {
            o->took = d->bytes.len == 8 ? endian_be64(d->bytes.ptr) : 0;
            o->ended = o->kept = false;
        } else if (d->kind == JOURNAL_FINAL) {
            o->ended = true;
            o->kept = d->time == 0;
            o->life = d->bytes.len == 8 ? (int64_t)endian_be64(d->bytes.ptr) : 0;
        }
        o->released |= d->kind == JOURNAL_RELEASE;
    }
}

/* Of journals of several rules, one after another, only the last is kept. */
static void keep_record(struct slot *s, struct slot_one *o, const struct bus_record *r)
{
    struct err err;
    struct arena *a = arena_new(NULL, "journal record", RECORD_ARENA);
    struct journal_record rec;
    uint64_t sum;
    if (journal_read(r->value, a, &rec, &sum, &err) != 0) {
        slot_lose_one(s, o, "the journal of '" SLICE_FMT "': %s", SLICE_ARG(o->conf.plan->name),
                      err.msg);
    } else if (!o->snap.there || rec.seq > o->snap.root.seq) {
        if (journal_begins(&rec)) {
            slot_drop_records(o);
            o->snap.found = false; /* of rules that others have come after */
        }
        look_for_end(o, &rec);
        struct slot_record *to = VEC_PUSH(&o->journal);
        *to = (struct slot_record){r->offset, mem_alloc(r->value.len + 1), r->value.len};
        memcpy(to->bytes, r->value.ptr, r->value.len);
        o->last_plan = rec.plan;
    }
    arena_free(a);
}

static void take_records(struct slot *s, uint32_t load, struct slot_journal *j,
                         const struct bus_ev *ev)
{
    for (uint32_t i = 0; i < ev->count; i++) {
        const struct bus_record *r = &ev->records[i];
        j->from = r->offset + 1;
        if (load == SLOT_LOOK && s->asking) {
            bool mine = slice_eq(r->key, s->conf.lease->key);
            s->leased = mine ? s->conf.lease->holds(s->conf.lease->arg, r->value) : s->leased;
            continue;
        }
        if (j->snapshots) {
            slot_trial_record(s, load, r);
            slot_snap_record(s, load, r);
            slot_note_record(s, load, r);
            continue;
        }
        struct slot_one *o = r->key.len == 8 ? slot_one_of(s, endian_be64(r->key.ptr)) : NULL;
        if (o != NULL && load == SLOT_LOOK) {
            look_at(s, o, r->value, r->offset);
        } else if (o != NULL && o->state == SLOT_JOURNAL && o->load == load) {
            keep_record(s, o, r);
        }
    }
}

/* A partition of the journal is needed from the first record that a task of it needs. */
static void needed_from(struct slot *s, uint32_t load, struct slot_journal *j)
{
    int64_t from = INT64_MAX;
    VEC_EACH (&s->tasks, at) {
        const struct slot_one *o = *at;
        if (o->state == SLOT_JOURNAL && o->load == load &&
            slot_journal_of(s, o).part == j->tp.part) {
            from = MIN(from, o->snap.there ? o->snap.root.journal_offset : BUS_FROM_START);
        }
    }
    j->from = from == INT64_MAX ? BUS_FROM_START : from;
}

/* Snapshots first: they tell from where the journals are needed. */
static void read_all(struct slot *s, uint32_t load, enum slot_load_phase phase)
{
    struct err err;
    struct slot_load *l = &s->loads[load];
    l->phase = phase;
    for (uint32_t i = 0; i < l->journals.len; i++) {
        struct slot_journal *j = &l->journals.ptr[i];
        if (j->snapshots != (phase == LOAD_SNAPSHOTS)) {
            continue;
        }
        j->from = j->from >= 0 ? MAX(j->from, j->start) : j->from;
        if (bus_assign(l->reader, j->tp, j->from, journal_tag(SLOT_TAG_JOURNAL, load, l->number, i),
                       &err) != 0) {
            slot_lose(s, "the journal cannot be read: %s", err.msg);
            return;
        }
        l->waits++;
    }
}

static void all_read(struct slot *s, uint32_t load)
{
    struct slot_load *l = &s->loads[load];
    if (s->asking && l->phase == LOAD_JOURNALS && load == SLOT_LOOK) {
        lease_known(s);
    } else if (load == SLOT_LOOK && l->phase == LOAD_JOURNALS) {
        slot_load_end(s, load);
        slot_commit_looked(s);
    } else if (l->phase == LOAD_JOURNALS) {
        slot_begin(s, load);
    } else if (l->phase == LOAD_SNAPSHOTS || load == SLOT_LOOK) {
        VEC_EACH (&l->journals, j) {
            if (!j->snapshots && load != SLOT_LOOK) {
                needed_from(s, load, j);
            }
        }
        read_all(s, load, LOAD_JOURNALS);
    } else {
        read_all(s, load, LOAD_SNAPSHOTS);
    }
}

static void is_known(struct slot *s, uint32_t load)
{
    if (--s->loads[load].waits == 0) {
        all_read(s, load);
    }
}

static void on_bounds(struct slot *s, uint32_t load, struct bus_client *of, struct bus_tp tp,
                      const struct bus_ev *ev)
{
    struct slot_load *l = &s->loads[load];
    if (ev->kind == BUS_EV_DONE) {
        is_known(s, load);
    } else if (ev->err->code == ERR_UNAVAILABLE) {
        l->waits--;
        ask_bounds(s, l, of, tp, ev->tag);
    } else {
        slot_lose(s, "the bounds of a partition are not known: %s", ev->err->msg);
    }
}

static void on_scan_bounds(struct slot *s, uint32_t load, uint32_t index, const struct bus_ev *ev)
{
    const struct slot_asked q = s->loads[load].asked.ptr[index];
    struct slot_scan *c = slot_scan_at(s, q.scan);
    if (c != NULL && ev->kind == BUS_EV_DONE) {
        c->start = ev->offset;
        c->end = ev->end;
        slot_scan_range(s, c);
    }
    if (ev->kind == BUS_EV_ERROR && ev->err->code != ERR_UNAVAILABLE) {
        if (c != NULL) { /* an input is missing: no other task needs to know */
            slot_lose_readers(s, c, ev->err->msg);
        }
        is_known(s, load);
        return;
    }
    on_bounds(s, load, slot_client_of(s, q.aligned), q.tp, ev);
}

/* Retention has removed what was to be read next; whether somebody needs that, is seen later. */
static bool is_removed_now(const struct slot_load *l, const struct slot_journal *j,
                           const struct bus_ev *ev)
{
    struct err err;
    return ev->err->code == ERR_GONE && bus_seek(l->reader, j->tp, BUS_FROM_START, &err) == 0;
}

void slot_journal_event(struct slot *s, const struct bus_ev *ev)
{
    uint32_t load = slot_tag_index(ev->tag) >> LOAD_SHIFT;
    uint32_t index = slot_tag_index(ev->tag) & ((1U << LOAD_SHIFT) - 1);
    struct slot_load *l = &s->loads[load];
    if (l->number != (uint32_t)(ev->tag >> 32) || l->phase == LOAD_FREE) {
        return;
    }
    if ((ev->tag & 0xff) == SLOT_TAG_SCAN_BOUNDS) {
        on_scan_bounds(s, load, index, ev);
        return;
    }
    struct slot_journal *j = &l->journals.ptr[index];
    if ((ev->tag & 0xff) == SLOT_TAG_BOUNDS) {
        j->end = ev->kind == BUS_EV_DONE ? ev->end : j->end;
        j->start = ev->kind == BUS_EV_DONE ? ev->offset : j->start;
        on_bounds(s, load, s->bus, j->tp, ev);
    } else if (ev->kind == BUS_EV_RECORDS) {
        take_records(s, load, j, ev);
    } else if (ev->kind == BUS_EV_END && ev->offset >= j->end) {
        bus_unassign(l->reader, j->tp);
        if (--l->waits == 0) {
            all_read(s, load);
        }
    } else if (ev->kind == BUS_EV_ERROR && !is_removed_now(l, j, ev)) {
        slot_lose(s, "the journal cannot be read: %s", ev->err->msg);
    }
}
