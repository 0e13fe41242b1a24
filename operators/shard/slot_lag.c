/* SPDX-License-Identifier: Apache-2.0
 *
 * What a slot knows of itself, for people: how long its commits took, how far its tasks are behind,
 * and whom they wait for. Nothing here is decided by; the only place where the wall clock is asked,
 * to say how old an input is.
 */
#include "core/base/mem.h"
#include "operators/shard/slot_floor.h"
#include "operators/shard/slot_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define ASK_NS   (5 * CLOCK_NS_PER_S)
#define FLOOR_NS CLOCK_NS_PER_S

enum { FLOOR_TURNS = 10 };

/* ---- commits ---- */

void slot_took(struct slot *s, int64_t ns, uint32_t partitions)
{
    s->took[s->n_took++ % SLOT_TOOK] = ns;
    s->counts.partitions_worst = MAX(s->counts.partitions_worst, partitions);
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

struct slot_counts slot_counts(const struct slot *s)
{
    struct slot_counts c = s->counts;
    int64_t took[SLOT_TOOK];
    uint32_t n = MIN(s->n_took, (uint32_t)SLOT_TOOK);
    memcpy(took, s->took, n * sizeof took[0]);
    qsort(took, n, sizeof took[0], by_size);
    if (n > 0) {
        c.commit_p50_ns = took[n / 2];
        c.commit_p99_ns = took[n - 1 - n / 100];
    }
    return c;
}

/* ---- lag ---- */

static void ask_journals(struct slot *s)
{
    struct err err;
    bool asked[SLOT_JOURNAL_PARTS] = {false};
    VEC_EACH (&s->tasks, o) {
        struct bus_tp tp = slot_journal_of(s, *o);
        bool due = tp.part < SLOT_JOURNAL_PARTS && tp.part % FLOOR_TURNS == s->floor_turn &&
                   !asked[tp.part];
        if (due) {
            asked[tp.part] = true;
        }
        if (due && bus_bounds(s->bus, tp, slot_tag(SLOT_TAG_LOW, tp.part, 0), &err) != 0) {
            return; /* the next time, perhaps */
        }
    }
}

/* Who is behind does not hear of the end. And all have a floor: of these some are asked for each
 * second, for a question keeps a thread of the bus for a while, and others wait for it, too. */
void slot_ask_ends(struct slot *s)
{
    struct err err;
    int64_t now = slot_now(s);
    bool ends = now - s->asked_ends >= ASK_NS, floors = now - s->asked_floors >= FLOOR_NS;
    if ((!ends && !floors) || s->conf.range != NULL) {
        return;
    }
    s->asked_ends = ends ? now : s->asked_ends;
    s->asked_floors = floors ? now : s->asked_floors;
    s->floor_turn = floors ? (s->floor_turn + 1) % FLOOR_TURNS : s->floor_turn;
    for (uint32_t i = 0; i < s->scans.len; i++) {
        const struct slot_scan *c = s->scans.ptr[i];
        bool due = c != NULL && ((ends && c->end_since == INT64_MAX) ||
                                 (floors && i % FLOOR_TURNS == s->floor_turn));
        if (due && c->assigned &&
            bus_bounds(s->bus, c->tp, slot_tag(SLOT_TAG_LAG, i, c->id), &err) != 0) {
            return; /* the next time, perhaps */
        }
    }
    if (floors) {
        ask_journals(s);
    }
}

void slot_end_told(struct slot *s, const struct bus_ev *ev)
{
    struct slot_scan *c = slot_scan_at(s, ev->tag);
    if ((ev->tag & 0xff) == SLOT_TAG_LOW) {
        if (ev->kind == BUS_EV_DONE) {
            slot_floor_journal(s, ev->tp.part, ev->offset, ev->end);
        }
        return;
    }
    if (c != NULL && ev->kind == BUS_EV_DONE) {
        c->known_end = MAX(c->known_end, ev->end);
        slot_floor_told(s, c, ev->offset);
    }
}

static void add_input(const struct slot *s, const struct slot_input *in, struct slot_lag *lag)
{
    const struct slot_scan *c = in->scan;
    const struct merge *m = task_merge(in->one->task);
    int64_t at = 0;
    bool waits =
        false; /* not all that is buffered: the last record that was taken may be among it */
    for (uint32_t k = 0; k < in->n; k++) {
        struct merge_pos p = merge_pos(m, in->first + k);
        at = MAX(at, p.offset + (p.index > 0));
        waits |= merge_has(m, in->first + k);
    }
    if (c == NULL || (!waits && c->end_since != INT64_MAX)) {
        return;
    }
    at = in->rides ? MAX(at, c->ride.next) : at;
    lag->records += MAX(c->known_end - at, 0);
    int64_t taken_ms = in->rides ? MAX(in->taken_ms, c->ride.time_ms) : in->taken_ms;
    if (taken_ms > 0) {
        lag->ns = MAX(lag->ns, clock_wall(s->clock) - taken_ms * CLOCK_NS_PER_MS);
    }
}

struct slot_lag slot_lag(const struct slot *s, uint32_t i)
{
    assert(i < s->tasks.len);
    const struct slot_one *o = s->tasks.ptr[i];
    struct slot_lag lag = {.busy_ns = o->busy_ns, .state_bytes = o->snap.root.bytes};
    if (o->beside) {
        return lag;
    }
    lag.amid_ns = slot_is_amid(o) ? slot_now(s) - o->amid.since : 0;
    VEC_EACH (&o->inputs, in) {
        add_input(s, *in, &lag);
        lag.waiting_bytes += (*in)->buffered;
        lag.waiting_most += slot_room_of(s, *in);
        lag.past |= (*in)->scan != NULL && (*in)->scan->past;
    }
    uint32_t holder = merge_holder(task_merge(o->task));
    if (o->held_since > 0 && holder != UINT32_MAX) {
        const struct merge_spec *sub = &o->conf.plan->subs[holder];
        struct slice topic = o->conf.topics[sub->topic];
        (void)snprintf(lag.holder, sizeof lag.holder, "%.*s/%u", (int)MIN(topic.len, 80u),
                       topic.ptr, sub->part);
        lag.held_ns = slot_now(s) - o->held_since;
    }
    return lag;
}
