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

enum { RECORD_ARENA = 64 << 20 };

void slot_open(struct slot *s)
{
    struct err err;
    assert(s->writer == NULL);
    struct slice name = s->conf.plain ? SLICE_NONE : s->conf.name;
    if (bus_open(s->bus, name, slot_tag(SLOT_TAG_OPEN, 0), &s->writer, &err) != 0) {
        slot_lose(s, "the slot cannot be opened: %s", err.msg);
    }
}

static struct bus_tp own_topic(struct slot *s, struct slice name, uint64_t lineage)
{
    uint32_t parts = s->conf.journal_parts > 0 ? s->conf.journal_parts : SLOT_JOURNAL_PARTS;
    char text[BUS_NAME_MAX + 1];
    (void)snprintf(text, sizeof text, SLICE_FMT SLICE_FMT, SLICE_ARG(s->conf.prefix),
                   SLICE_ARG(name));
    return (struct bus_tp){bus_topic(s->bus, slice_str(text)), (uint32_t)(lineage % parts)};
}

struct bus_tp slot_journal_of(struct slot *s, uint32_t task)
{
    return own_topic(s, SLICE("journal"), s->tasks[task].conf->plan->lineage);
}

struct bus_tp slot_state_of(struct slot *s, uint64_t lineage)
{
    return own_topic(s, SLICE("state"), lineage);
}

static void add_journal(struct slot *s, struct bus_tp tp, bool snapshots)
{
    VEC_EACH (&s->journals, j) {
        if (j->tp.part == tp.part && j->snapshots == snapshots) {
            return;
        }
    }
    *VEC_PUSH(&s->journals) =
        (struct slot_journal){.tp = tp, .from = BUS_FROM_START, .end = -1, .snapshots = snapshots};
}

/* Journals first, then scans. */
static void ask_bounds(struct slot *s, uint32_t index)
{
    struct err err;
    bool scan = index >= s->journals.len;
    const struct slot_scan *c = scan ? &s->scans.ptr[index - s->journals.len] : NULL;
    struct bus_client *client = scan ? slot_client_of(s, c) : s->bus;
    struct bus_tp tp = scan ? c->tp : s->journals.ptr[index].tp;
    if (bus_bounds(client, tp, slot_tag(SLOT_TAG_BOUNDS, index), &err) != 0) {
        slot_lose(s, "the bounds of a partition cannot be asked for: %s", err.msg);
    }
    s->waits++;
}

void slot_opened(struct slot *s, const struct bus_ev *ev)
{
    s->epoch = (uint64_t)ev->offset;
    s->state = s->state == SLOT_OPENING ? SLOT_JOURNAL : s->state;
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        struct bus_tp tp = slot_journal_of(s, i);
        add_journal(s, tp, false);
        add_journal(s, slot_state_of(s, s->tasks[i].conf->plan->lineage), true);
    }
    s->waits = 0;
    for (uint32_t i = 0; i < s->journals.len; i++) {
        ask_bounds(s, i);
    }
    for (uint32_t i = 0; i < s->scans.len && s->state == SLOT_JOURNAL; i++) {
        ask_bounds(s, (uint32_t)s->journals.len + i);
    }
}

/* ---- replay ---- */

static bool next_record(struct slot *s, struct slot_one *o)
{
    struct err err;
    const struct slot_record *r = &o->journal.ptr[o->at++];
    uint64_t sum;
    arena_reset(o->arena);
    int rc = journal_read(slice_of(r->bytes, r->len), o->arena, &o->record, &sum, &err);
    rc = rc == 0 ? task_replay(o->task, &o->record, r->offset, sum, &err) : rc;
    if (rc != 0) {
        slot_lose(s, "%s", err.msg);
    }
    return rc == 0;
}

static void drop_records(struct slot_one *o)
{
    VEC_EACH (&o->journal, r) {
        mem_free(r->bytes);
    }
    VEC_DONE(&o->journal);
}

static void forget_journal(struct slot_one *o)
{
    drop_records(o);
    arena_free(o->arena);
    o->arena = NULL;
}

static void seek_fresh(struct slot *s, uint32_t task)
{
    bool from_start = s->tasks[task].conf->from_start || s->conf.range != NULL;
    VEC_EACH (&s->inputs, i) {
        const struct slot_input *in = *i;
        const struct slot_scan *c = &s->scans.ptr[in->scan];
        for (uint32_t k = 0; k < in->n && in->task == task; k++) {
            task_seek(s->tasks[task].task, in->first + k,
                      (struct merge_pos){from_start ? c->start : c->end, 0});
        }
    }
}

/* The rules have changed: they begin where their predecessors ended, with nothing in memory. */
static void succeed(struct slot *s, struct slot_one *o)
{
    struct err err;
    struct arena *a = arena_new(NULL, "journal record", RECORD_ARENA);
    const struct slot_record *r = VEC_LAST(&o->journal);
    struct journal_record rec;
    uint64_t sum;
    if (journal_read(slice_of(r->bytes, r->len), a, &rec, &sum, &err) == 0) {
        task_succeed(o->task, &rec, r->offset, sum);
    } else {
        slot_lose(s, "%s", err.msg);
    }
    arena_free(a);
    drop_records(o);
}

static void begin_replay(struct slot *s)
{
    s->state = SLOT_REPLAY;
    for (uint32_t i = 0; i < s->n_tasks && s->state == SLOT_REPLAY; i++) {
        struct slot_one *o = &s->tasks[i];
        slot_snap_restore(s, o);
        if (o->journal.len > 0 && o->last_plan != o->conf->plan->hash) {
            succeed(s, o);
        }
        if (o->journal.len == 0 && !o->snap.found) {
            seek_fresh(s, i);
        } else if (o->journal.len > 0) {
            o->arena = arena_new(NULL, "journal record", RECORD_ARENA);
            (void)next_record(s, o);
        }
    }
    if (s->state == SLOT_REPLAY) {
        slot_scans_begin(s);
    }
}

/* True: there is more to do without waiting. */
static bool replay_on(struct slot *s, struct slot_one *o)
{
    struct err err;
    uint32_t n = task_work(o->task, SLOT_TAKES);
    if (task_replaying(o->task)) {
        return n > 0;
    }
    if (task_replayed(o->task, &err) != 0) {
        slot_lose(s, "%s", err.msg);
        return false;
    }
    s->counts.replayed++;
    if (o->at == o->journal.len) {
        forget_journal(o);
        return false;
    }
    return next_record(s, o);
}

bool slot_replay_step(struct slot *s)
{
    bool more = false, left = false;
    for (uint32_t i = 0; i < s->n_tasks && s->state == SLOT_REPLAY; i++) {
        if (s->tasks[i].arena != NULL) {
            more |= replay_on(s, &s->tasks[i]);
            left |= s->tasks[i].arena != NULL;
        }
    }
    if (!left && s->state == SLOT_REPLAY) {
        s->state = SLOT_LIVE;
        s->last_commit = slot_now(s);
        more = true;
    }
    return more;
}

/* ---- reading journals ---- */

uint32_t slot_task_of(const struct slot *s, uint64_t lineage)
{
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        if (s->tasks[i].conf->plan->lineage == lineage) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void look_at(struct slot_one *o, struct slice bytes, int64_t offset)
{
    struct err err;
    struct arena *a = arena_new(NULL, "look", RECORD_ARENA);
    struct journal_record r;
    uint64_t sum;
    if (journal_read(bytes, a, &r, &sum, &err) == 0 && o->in_cut && r.seq == o->cut.seq) {
        o->seen = true;
        o->seen_at = offset;
    }
    arena_free(a);
}

/* Of journals of several rules, one after another, only the last is kept. */
static void keep_record(struct slot *s, struct slot_one *o, const struct bus_record *r)
{
    struct err err;
    struct arena *a = arena_new(NULL, "journal record", RECORD_ARENA);
    struct journal_record rec;
    uint64_t sum;
    if (journal_read(r->value, a, &rec, &sum, &err) != 0) {
        slot_lose(s, "the journal of '" SLICE_FMT "': %s", SLICE_ARG(o->conf->plan->name), err.msg);
    } else if (!o->snap.found || rec.seq > o->snap.root.seq) {
        if (journal_begins(&rec)) {
            drop_records(o);
            o->snap.found = false; /* of rules that others have come after */
        }
        struct slot_record *to = VEC_PUSH(&o->journal);
        *to = (struct slot_record){r->offset, mem_alloc(r->value.len + 1), r->value.len};
        memcpy(to->bytes, r->value.ptr, r->value.len);
        o->last_plan = rec.plan;
    }
    arena_free(a);
}

static void take_records(struct slot *s, struct slot_journal *j, const struct bus_ev *ev)
{
    for (uint32_t i = 0; i < ev->count; i++) {
        const struct bus_record *r = &ev->records[i];
        uint32_t t = r->key.len == 8 ? slot_task_of(s, endian_be64(r->key.ptr)) : UINT32_MAX;
        j->from = r->offset + 1;
        if (j->snapshots) {
            slot_snap_record(s, r);
            continue;
        }
        if (t == UINT32_MAX) {
            continue;
        }
        if (s->looking) {
            look_at(&s->tasks[t], r->value, r->offset);
            continue;
        }
        keep_record(s, &s->tasks[t], r);
    }
}

/* A partition of the journal is needed from the first record that a task of it needs. */
static void needed_from(struct slot *s, struct slot_journal *j)
{
    int64_t from = INT64_MAX;
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        const struct slot_snap *p = &s->tasks[i].snap;
        if (slot_journal_of(s, i).part == j->tp.part) {
            from = MIN(from, p->found ? p->root.journal_offset : BUS_FROM_START);
        }
    }
    j->from = from;
}

static void read_all(struct slot *s, bool snapshots);

static void all_read(struct slot *s)
{
    if (s->reading_snapshots) {
        VEC_EACH (&s->journals, j) {
            if (!j->snapshots) {
                needed_from(s, j);
            }
        }
        read_all(s, false);
    } else if (s->looking) {
        slot_commit_looked(s);
    } else {
        begin_replay(s);
    }
}

static void bounds_known(struct slot *s, uint32_t index, const struct bus_ev *ev)
{
    if (index >= s->journals.len) {
        struct slot_scan *c = &s->scans.ptr[index - s->journals.len];
        c->start = ev->offset;
        c->end = ev->end;
        slot_scan_range(s, c);
    } else {
        s->journals.ptr[index].end = ev->end;
    }
    if (--s->waits > 0) {
        return;
    }
    read_all(s, s->state == SLOT_JOURNAL);
}

/* Snapshots first: they tell from where the journals are needed. */
static void read_all(struct slot *s, bool snapshots)
{
    struct err err;
    s->reading_snapshots = snapshots;
    for (uint32_t i = 0; i < s->journals.len; i++) {
        struct slot_journal *j = &s->journals.ptr[i];
        if (j->snapshots != snapshots) {
            continue;
        }
        if (bus_assign(s->reader, j->tp, j->from, slot_tag(SLOT_TAG_JOURNAL, i), &err) != 0) {
            slot_lose(s, "the journal cannot be read: %s", err.msg);
            return;
        }
        s->waits++;
    }
}

void slot_journal_event(struct slot *s, const struct bus_ev *ev)
{
    uint32_t index = (uint32_t)(ev->tag >> 8);
    if ((ev->tag & 0xff) == SLOT_TAG_BOUNDS) {
        if (ev->kind == BUS_EV_DONE) {
            bounds_known(s, index, ev);
        } else if (ev->err->code == ERR_UNAVAILABLE) {
            s->waits--;
            ask_bounds(s, index);
        } else {
            slot_lose(s, "the bounds of a partition are not known: %s", ev->err->msg);
        }
        return;
    }
    struct slot_journal *j = &s->journals.ptr[index];
    if (ev->kind == BUS_EV_RECORDS) {
        take_records(s, j, ev);
    } else if (ev->kind == BUS_EV_END && ev->offset >= j->end) {
        bus_unassign(s->reader, j->tp);
        j->from = MAX(j->from, ev->offset);
        if (--s->waits == 0) {
            all_read(s);
        }
    } else if (ev->kind == BUS_EV_ERROR) {
        slot_lose(s, "the journal cannot be read: %s", ev->err->msg);
    }
}
