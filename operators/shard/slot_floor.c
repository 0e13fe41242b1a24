/* SPDX-License-Identifier: Apache-2.0
 *
 * Replay floors, held against what retention has removed: the slot asks for the bounds of what it
 * reads now and then (slot_lag.c). Only where something is removed while it reads can anything be
 * lost; where less than a fifth of what is there lies before the floor, a snapshot moves the floor
 * to where the task stands, so it is made at once: a decision of the journal like any other. It is
 * not where that would gain less than is left, as of a task that is as far behind as its snapshot.
 */
#include "operators/shard/slot_floor.h"

#include "operators/shard/slot_impl.h"

#include <assert.h>
#include <stdio.h>

enum { PARTS_OF_IT = 5 };

/* Where the input stands: what lies before is taken. */
static int64_t stands(const struct slot_input *in)
{
    const struct merge *m = task_merge(in->one->task);
    int64_t at = INT64_MAX;
    for (uint32_t k = 0; k < in->n; k++) {
        at = MIN(at, merge_pos(m, in->first + k).offset);
    }
    return at;
}

/* Of a task that has no snapshot, all of its journal is needed. */
void slot_floor_begins(struct slot_one *o)
{
    bool has = o->start.with == SLOT_WITH_OWN && o->snap.there;
    o->snap.journal = has                  ? o->snap.root.journal_offset
                      : o->journal.len > 0 ? o->journal.ptr[0].offset
                                           : -1;
    VEC_EACH (&o->inputs, in) {
        (*in)->floor = stands(*in);
    }
}

void slot_floor_cut(struct slot_one *o)
{
    VEC_EACH (&o->inputs, in) {
        (*in)->floor_cut = stands(*in);
    }
}

void slot_floor_written(struct slot_one *o, int64_t offset)
{
    o->snap.journal = o->snap.journal < 0 ? offset : o->snap.journal;
}

void slot_floor_saved(struct slot_one *o)
{
    o->snap.journal = o->snap.root.journal_offset;
    VEC_EACH (&o->inputs, in) {
        (*in)->floor = (*in)->floor_cut;
    }
}

static bool is_near(const struct slot_scan *c, const struct slot_input *in)
{
    bool removes = c->low > c->low_first && in->floor < c->known_end;
    return removes && in->floor - c->low < (c->known_end - c->low) / PARTS_OF_IT;
}

void slot_floor_told(struct slot *s, struct slot_scan *c, int64_t low)
{
    slot_ride_end(c);
    c->low_first = c->told ? c->low_first : low;
    c->low = MAX(c->low, low);
    c->told = true;
    VEC_EACH (&c->inputs, at) {
        struct slot_input *in = *at;
        struct slot_one *o = in->one;
        if (o->state != SLOT_LIVE) {
            continue;
        }
        bool near = is_near(c, in), was = in->near;
        int64_t gains = stands(in) - in->floor;
        in->near = near;
        o->snap.nears += near && !was;
        if (near && gains > 0 && gains >= in->floor - c->low && o->snap.state == SNAP_NONE) {
            o->snap.urgent = true;
            o->snap.due = slot_now(s);
        }
    }
}

/* What the snapshot lacks is in the journal alone. */
static bool is_journal_near(const struct slot_low *l, const struct slot_one *o)
{
    int64_t floor = o->snap.journal;
    bool needs = floor >= 0 && floor < l->end && o->snap.behind > 0;
    return needs && l->low > l->low_first && floor - l->low < (l->end - l->low) / PARTS_OF_IT;
}

void slot_floor_journal(struct slot *s, uint32_t part, int64_t low, int64_t end)
{
    struct slot_low *l = &s->lows[part];
    l->low_first = l->told ? l->low_first : low;
    l->low = MAX(l->low, low);
    l->end = MAX(l->end, end);
    l->told = true;
    VEC_EACH (&s->tasks, at) {
        struct slot_one *o = *at;
        if (o->state != SLOT_LIVE || slot_journal_of(s, o).part != part) {
            continue;
        }
        bool near = is_journal_near(l, o);
        o->snap.nears += near && !o->snap.journal_near;
        o->snap.journal_near = near;
        if (near && o->snap.state == SNAP_NONE) {
            o->snap.urgent = true;
            o->snap.due = slot_now(s);
        }
    }
}

/* The journal, if retention is near it, and no nearer to an input. */
static void add_journal(const struct slot *s, const struct slot_one *o, double least,
                        struct slot_floor *f)
{
    uint32_t part = (uint32_t)(o->conf.plan->lineage % SLOT_JOURNAL_PARTS);
    const struct slot_low *l = &s->lows[part];
    double all = (double)MAX(l->end - l->low, 1);
    bool near = is_journal_near(l, o);
    if (near && (!f->near || (double)(o->snap.journal - l->low) / all < least)) {
        (void)snprintf(f->of, sizeof f->of, "journal/%u", part);
        f->offset = o->snap.journal;
        f->low = l->low;
        f->end = l->end;
        f->near = true;
    }
}

struct slot_floor slot_floor(const struct slot *s, uint32_t i)
{
    assert(i < s->tasks.len);
    const struct slot_one *o = s->tasks.ptr[i];
    struct slot_floor f = {.nears = o->snap.nears};
    const struct slot_input *nearest = NULL;
    double least = 0;
    for (size_t k = 0; k < o->inputs.len && o->state == SLOT_LIVE; k++) {
        const struct slot_input *in = o->inputs.ptr[k];
        const struct slot_scan *c = in->scan;
        if (c == NULL || !c->told) {
            continue;
        }
        double all = (double)MAX(c->known_end - c->low, 1);
        double part = (double)(in->floor - c->low) / all;
        if (nearest == NULL || part < least) {
            nearest = in;
            least = part;
        }
    }
    if (nearest != NULL) {
        const struct slot_scan *c = nearest->scan;
        (void)snprintf(f.of, sizeof f.of, "%.*s/%u", (int)MIN(c->topic.len, 80u), c->topic.ptr,
                       c->tp.part);
        f.offset = nearest->floor;
        f.low = c->low;
        f.end = c->known_end;
        f.near = is_near(c, nearest);
    }
    if (o->state == SLOT_LIVE) {
        add_journal(s, o, least, &f);
    }
    return f;
}
