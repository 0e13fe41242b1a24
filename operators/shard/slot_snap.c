/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots of a slot's tasks. When one is due, the next cut says so; once that cut is committed,
 * what there was at the cut is written in slices between inputs, and its chunks go out in portions,
 * some with each of the task's further transactions, and the root with the last. What the new root
 * does not name is removed in the same way. When the slot begins, snapshots are read before the
 * journals.
 *
 * The first snapshot of each period of the task's clock (slot_task.archive_ns) also goes to
 * `state.archive`, all of it, and before its own root: if the root is there, so is the archive.
 */
#include "operators/shard/slot_floor.h"
#include "operators/shard/slot_impl.h"

#include <assert.h>

#define NO_PERIOD INT64_MIN

bool slot_snap_sends(const struct slot_one *o)
{
    const struct slot_snap *p = &o->snap;
    return p->state == SNAP_SENDING ||
           (p->state != SNAP_CUT && p->set != NULL && snap_set_has_puts(p->set));
}

struct snap_set *slot_snap_set(struct slot_one *o)
{
    if (o->snap.set == NULL) {
        o->snap.set = snap_set_new(o->conf.plan->lineage);
        o->snap.archived = NO_PERIOD;
    }
    return o->snap.set;
}

bool slot_snap_wants(const struct slot_one *o)
{
    return o->leaving && (o->final || (o->how == SLOT_LEAVE_DELETED && !o->said));
}

/* All that is there goes, with the last record and those behind it. */
static bool removes(struct slot_one *o)
{
    if (o->snap.state != SNAP_NONE || snap_set_has_puts(slot_snap_set(o))) {
        return false;
    }
    snap_set_drop(o->snap.set);
    task_final(o->task, true);
    o->said = true;
    (void)snap_set_take(o->snap.set, SLOT_SNAP_PORTION);
    return true;
}

static int64_t period_of(const struct slot_one *o, int64_t clock)
{
    return o->conf.archive_ns > 0 && clock != MERGE_NO_CLOCK ? clock / o->conf.archive_ns
                                                             : NO_PERIOD;
}

static bool archive_waits(const struct slot_one *o)
{
    return o->snap.archive != NULL && snap_archive_has_puts(o->snap.archive);
}

/* A snapshot begins: whether it is one for the archive. */
static void begin_archive(struct slot_one *o)
{
    struct slot_snap *p = &o->snap;
    int64_t period = period_of(o, merge_clock(task_merge(o->task)));
    p->archives = period != NO_PERIOD && period != p->archived;
    if (p->archives && p->archive == NULL) {
        p->archive = snap_archive_new(o->conf.plan->lineage);
    }
    if (p->archives) {
        snap_archive_begin(p->archive);
    }
    snap_set_watch(p->set, p->archives ? snap_archive_watch(p->archive) : NULL);
}

void slot_snap_cut(struct slot_one *o)
{
    if (o->snap.state == SNAP_CUT) {
        o->snap.clock = merge_clock(task_merge(o->task));
        slot_floor_cut(o);
    }
}

int64_t slot_snap_due(const struct slot *s, const struct slot_one *o)
{
    const struct slot_snap *p = &o->snap;
    bool saves = s->conf.snapshot_ns > 0 && s->conf.range == NULL && !s->draining &&
                 o->state == SLOT_LIVE && !o->leaving && p->state == SNAP_NONE && p->behind > 0;
    int64_t due = p->urgent ? p->due : MAX(p->due, p->behind + s->conf.snapshot_ns);
    return saves ? due : INT64_MAX;
}

static bool is_due(const struct slot *s, const struct slot_one *o)
{
    int64_t now = slot_now(s);
    bool due = s->conf.snapshot_ns > 0 && now >= o->snap.due && !o->leaving;
    return o->final || (due && task_is_dirty(o->task)) || /* so the cut is taken now */
           now >= slot_snap_due(s, o);
}

/* The root goes with that record, which may be the last. */
static void with_root(struct slot_one *o)
{
    task_manifest(o->task, &o->snap.root.state);
    if (o->leaving && o->how == SLOT_LEAVE_FINAL && !o->final) {
        task_final(o->task, false);
        o->said = true;
    }
}

bool slot_snap_before_cut(struct slot *s, struct slot_one *o)
{
    struct slot_snap *p = &o->snap;
    if (o->leaving && o->how == SLOT_LEAVE_DELETED && !o->said && removes(o)) {
        return true;
    }
    bool silent = !task_is_dirty(o->task);
    p->behind = task_has_news(o->task) ? slot_now(s) : p->behind;
    if (p->state == SNAP_NONE && is_due(s, o) && !snap_set_has_puts(slot_snap_set(o))) {
        slot_ride_off(o);
        bool final = o->final, cut = task_snapshot(o->task, p->set);
        p->state = cut ? SNAP_CUT : SNAP_NONE;
        if (cut) {
            p->saved = false;
            p->urgent = false;
            p->behind = 0;
            p->sliced = 0;
            task_slices(o->task, s->conf.slice_bytes);
            begin_archive(o);
        }
        o->final = final && !cut;        /* its first record comes before */
        return (final || silent) && cut; /* also if nothing happened */
    }
    if (!slot_snap_sends(o)) {
        return false;
    }
    if (archive_waits(o)) {
        (void)snap_archive_take(p->archive, SLOT_SNAP_PORTION);
        return true;
    }
    (void)snap_set_take(p->set, SLOT_SNAP_PORTION);
    if (snap_set_takes_root(p->set)) {
        with_root(o);
    }
    return true;
}

uint32_t slot_snap_puts(const struct slot_one *o)
{
    if (archive_waits(o)) {
        return snap_archive_taken(o->snap.archive);
    }
    return o->snap.set != NULL ? snap_set_taken(o->snap.set) : 0;
}

int slot_snap_put(struct slot *s, struct slot_one *o, uint32_t i, struct err *reterr)
{
    bool archive = archive_waits(o);
    const struct snap_put *p =
        archive ? snap_archive_put(o->snap.archive, i) : snap_set_put(o->snap.set, i);
    const uint64_t lineage = o->conf.plan->lineage;
    const struct bus_put put = {.to = archive ? slot_archive_of(s, lineage)
                                              : slot_state_of(s, lineage),
                                .key = slice_of(p->key, p->key_len),
                                .value = p->removes ? SLICE_NONE : p->value,
                                .token = slot_tag(SLOT_TAG_PUT, 0, 0)};
    return bus_put(s->writer, &put, reterr);
}

/* All of it is written, and where its cut lies is known. */
static void seal(struct slot *s, struct slot_one *o)
{
    struct slot_snap *p = &o->snap;
    snap_set_seal(p->set, &p->root);
    p->state = SNAP_SENDING;
    if (p->archives && !snap_archive_seal(p->archive, &p->root, p->clock)) {
        s->counts.unarchived++;
    }
}

/* A slice is small, for inputs wait meanwhile; and what was written must go out before more is. */
bool slot_snap_slice(struct slot *s, struct slot_one *o, int64_t *wake)
{
    enum { SUITS = 512 << 10, PER_INTERVAL = SLOT_SNAP_PORTION / SUITS, WAITING = 4 };
    enum { PARTS = 16, LEAST = 64, LONG_NS = 4000000 }; /* a slow machine writes less at once */
    struct slot_snap *p = &o->snap;
    size_t slice = s->conf.slice_bytes > 0 ? s->conf.slice_bytes : SUITS;
    size_t part = MAX(slice / PARTS, MIN(slice, (size_t)LEAST));
    int64_t now = slot_now(s);
    if (p->state != SNAP_SLICES || p->saved || o->state != SLOT_LIVE || slot_is_amid(o)) {
        return false;
    }
    if (now - p->slices_began >= s->conf.commit_ns) {
        p->slices_began = now;
        p->sliced = 0;
    }
    bool due = p->sliced < PER_INTERVAL * slice;
    if (due && snap_set_waiting(p->set) < WAITING * SLOT_SNAP_PORTION) {
        for (size_t n = 0; n < slice && !p->saved && slot_now(s) - now < LONG_NS; n += part) {
            p->sliced += part;
            p->saved = task_save_step(o->task, part);
        }
        due = !p->saved;
    } else if (due) { /* commits go on: an event will come */
        return false;
    }
    if (p->saved) {
        seal(s, o);
    }
    s->spent[SLOT_PART_SLICES] += slot_now(s) - now;
    *wake = due || p->saved ? *wake : MIN(*wake, p->slices_began + s->conf.commit_ns);
    return due;
}

void slot_snap_committed(struct slot *s, struct slot_one *o, int64_t journal_offset)
{
    struct slot_snap *p = &o->snap;
    if (p->state == SNAP_CUT) {
        p->root = (struct snap_root){.plan = o->conf.plan->hash,
                                     .seq = o->cut.seq,
                                     .journal_offset = journal_offset,
                                     .journal_part =
                                         (uint32_t)(o->conf.plan->lineage % SLOT_JOURNAL_PARTS),
                                     .engine = JOURNAL_ENGINE_NUMBER};
        p->state = SNAP_SLICES;
        p->slices_began = slot_now(s);
    } else if (archive_waits(o)) {
        if (snap_archive_committed(p->archive)) {
            p->archived = period_of(o, p->clock);
            s->counts.archived++;
        }
    } else if (p->set != NULL && snap_set_committed(p->set)) {
        p->state = SNAP_NONE;
        p->due = slot_now(s) + s->conf.snapshot_ns;
        s->counts.snapshots++;
        slot_floor_saved(o);
        s->counts.snapshot_bytes = p->root.bytes;
        s->counts.snapshot_written = snap_set_counts(p->set).written;
    }
}

/* ---- reading ---- */

void slot_snap_record(struct slot *s, uint32_t load, const struct bus_record *r)
{
    struct snap_key k;
    struct err err;
    struct slot_one *o = snap_key_read(r->key, &k) ? slot_one_of(s, k.lineage) : NULL;
    if (o == NULL || o->state != SLOT_JOURNAL || o->load != load) {
        return;
    }
    if (snap_set_record(slot_snap_set(o), &k, r->value, &err) != 0) {
        slot_lose_one(s, o, "%s", err.msg);
    }
    const struct snap_root *root = snap_set_root(o->snap.set);
    o->snap.there = root != NULL && root->engine == JOURNAL_ENGINE_NUMBER;
    o->snap.found = o->snap.there && root->plan == o->conf.plan->hash;
    o->snap.root = root != NULL ? *root : o->snap.root;
}

void slot_snap_done(struct slot_snap *p)
{
    snap_set_free(p->set);
    snap_archive_free(p->archive);
    p->set = NULL;
    p->archive = NULL;
}

void slot_snap_began(struct slot *s, struct slot_one *o, bool own)
{
    s->counts.restored_bytes += o->snap.root.bytes;
    o->snap.archived = own ? period_of(o, merge_clock(task_merge(o->task))) : NO_PERIOD;
}

bool slot_snap_is_gone(const struct slot_one *o)
{
    return o->snap.set == NULL || snap_set_is_empty(o->snap.set);
}
