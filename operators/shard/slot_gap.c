/* SPDX-License-Identifier: Apache-2.0
 *
 * Input that retention has removed before it was read. A scan that finds this waits until each of
 * its tasks has taken what it still has of it; then the task moves behind the gap (task_gap), which
 * is journaled, and the scan goes on. A task whose journal cannot be played, because what it read
 * is gone, begins with its last snapshot behind the end of its journal (task_pass_over); one whose
 * journal is gone as a whole, at the ends of its inputs (task_lose_journal). Either way
 * a snapshot follows at once, so that nobody needs what is gone again.
 */
#include "core/base/mem.h"
#include "operators/shard/slot_impl.h"
#include "operators/shard/task_gap.h"

#include <assert.h>

enum { GAP_ARENA = 64 << 20 };

/* ---- while it runs ---- */

void slot_gap_found(struct slot_scan *c, int64_t left)
{
    slot_ride_end(c);
    c->gap = left;
    c->next = left;
    c->end_since = INT64_MAX;
    VEC_EACH (&c->inputs, in) {
        for (uint32_t k = 0; k < (*in)->n; k++) {
            (*in)->lanes[k].quiet = INT64_MAX;
            (*in)->lanes[k].withheld = false; /* it is gone */
        }
    }
}

/* True: the task is behind the gap with all of the input's sub-streams. */
static bool pass(struct slot *s, const struct slot_scan *c, struct slot_input *in)
{
    struct slot_one *o = in->one;
    bool behind = true;
    slot_ride_off(o);
    for (uint32_t k = 0; k < in->n && o->state != SLOT_LOST; k++) {
        uint32_t sub = in->first + k;
        struct merge *m = task_merge(o->task);
        bool before = merge_pos(m, sub).offset < c->gap;
        if (before && o->state == SLOT_LIVE && !slot_is_amid(o) && !merge_has(m, sub)) {
            task_gap(o->task, sub, c->gap);
            o->snap.due = slot_now(s);
            before = false;
        }
        behind &= !before;
    }
    in->next = behind ? MAX(in->next, c->gap) : in->next;
    return behind;
}

void slot_gaps(struct slot *s)
{
    struct err err;
    VEC_EACH (&s->scans, at) {
        struct slot_scan *c = *at;
        bool all = c != NULL && c->gap > 0 && !s->draining;
        if (!all) {
            continue;
        }
        VEC_EACH (&c->inputs, in) {
            all &= pass(s, c, *in);
        }
        if (all && bus_seek(slot_reader_of(s, c), c->tp, c->gap, &err) != 0) {
            slot_lose_readers(s, c, err.msg);
        }
        c->gap = all ? 0 : c->gap;
    }
}

/* ---- when it begins ---- */

static const struct slot_scan *scan_of(const struct slot_one *o, uint32_t sub)
{
    VEC_EACH (&o->inputs, in) {
        if (sub >= (*in)->first && sub < (*in)->first + (*in)->n) {
            return (*in)->scan;
        }
    }
    return NULL;
}

static bool is_before(struct merge_pos a, struct merge_pos b)
{
    return a.offset != b.offset ? a.offset < b.offset : a.index < b.index;
}

/* Where it goes on behind what the record says itself that it passed over there. */
static struct merge_pos behind_gap(const struct journal_record *r, uint32_t sub,
                                   struct merge_pos at)
{
    for (uint32_t i = 0; i < r->n_decisions; i++) {
        uint32_t of;
        struct merge_pos from;
        int64_t to;
        if (r->decisions[i].kind == JOURNAL_GAP &&
            task_gap_read(r->decisions[i].bytes, &of, &from, &to) && of == sub &&
            from.offset == at.offset && from.index == at.index) {
            at = (struct merge_pos){to, 0};
        }
    }
    return at;
}

/* Walks the journal: `at` are positions, per sub-stream; the last record into *ret, if wanted. */
static bool walk(const struct slot_one *o, struct arena *a, struct merge_pos *at,
                 struct journal_record *ret_last, uint64_t *ret_sum)
{
    bool gone = false;
    bool fresh = !o->snap.found;
    uint64_t next = o->snap.found ? o->snap.root.seq + 1 : 0; /* 0: one that begins */
    for (size_t i = 0; i < o->journal.len; i++) {
        const struct slot_record *r = &o->journal.ptr[i];
        struct journal_record rec;
        struct err err;
        uint64_t sum;
        arena_reset(a);
        if (journal_read(slice_of(r->bytes, r->len), a, &rec, &sum, &err) != 0) {
            return false; /* who plays it says so */
        }
        gone |= i == 0 && !journal_begins(&rec) && rec.seq != next;
        for (uint32_t k = 0; k < rec.n_reads; k++) {
            const struct journal_read *x = &rec.reads[k];
            const struct slot_scan *c = scan_of(o, x->sub);
            if (c == NULL || x->sub >= o->conf.plan->n_subs) {
                return false;
            }
            at[x->sub] = fresh ? x->from : at[x->sub];
            struct merge_pos on = behind_gap(&rec, x->sub, at[x->sub]);
            gone |= is_before(on, x->to) && on.offset < c->start;
            at[x->sub] = x->to;
        }
        fresh = false;
        if (ret_last != NULL) {
            *ret_last = rec;
            *ret_sum = sum;
        }
    }
    return gone;
}

static struct merge_pos *positions(const struct slot_one *o)
{
    struct merge_pos *at = mem_calloc(o->conf.plan->n_subs + 1, sizeof *at);
    for (uint32_t i = 0; i < o->conf.plan->n_subs; i++) {
        at[i] = merge_pos(task_merge(o->task), i);
    }
    return at;
}

bool slot_gap_in_journal(const struct slot *s, const struct slot_one *o)
{
    if (s->conf.range != NULL || o->journal.len == 0) {
        return false;
    }
    struct arena *a = arena_new(NULL, "journal record", GAP_ARENA);
    struct merge_pos *at = positions(o);
    bool gone = walk(o, a, at, NULL, NULL);
    mem_free(at);
    arena_free(a);
    return gone;
}

void slot_gap_begin(struct slot *s, struct slot_one *o)
{
    struct arena *a = arena_new(NULL, "journal record", GAP_ARENA);
    struct merge_pos *at = positions(o);
    struct journal_record last = {0};
    uint64_t sum = 0;
    (void)walk(o, a, at, &last, &sum);
    task_pass_over(o->task, &last, VEC_LAST(&o->journal)->offset, sum, at);
    o->snap.due = slot_now(s);
    mem_free(at);
    arena_free(a);
    slot_forget_journal(o);
}

/* Where the lost journal ended nobody knows: behind all that it can have taken. */
void slot_gap_lost(struct slot *s, struct slot_one *o)
{
    struct merge_pos *to = positions(o);
    VEC_EACH (&o->inputs, at) {
        const struct slot_input *in = *at;
        for (uint32_t k = 0; k < in->n; k++) {
            to[in->first + k] = (struct merge_pos){in->scan->end, 0};
        }
    }
    task_lose_journal(o->task, to);
    o->snap.due = slot_now(s);
    mem_free(to);
}

bool slot_gap_stops(const struct slot *s, const struct slot_one *o)
{
    (void)s;
    uint32_t holder = merge_holder(task_merge(o->task));
    const struct slot_scan *c = holder != UINT32_MAX ? scan_of(o, holder) : NULL;
    return c != NULL && c->gap > 0 && merge_pos(task_merge(o->task), holder).offset < c->gap;
}
