/* SPDX-License-Identifier: Apache-2.0
 *
 * Records that concern nothing of most tasks. A task that has passed over one of them *rides* from
 * there: it is not looked at again before a record concerns it, the scan is at the end of what is
 * there, or somebody wants to know where the task is: a cut, say. Then it passes over all that it
 * rode at once (task_ride). What is asked of a record on the way is asked once, for all riders:
 * that it makes no timer of theirs due, comes before all else that they have, and is late for none.
 * Else they all get off, and are asked one by one.
 */
#include "operators/shard/slot_impl.h"

static void leave(struct slot_scan *c, struct slot_input *in)
{
    const struct slot_ride *r = &c->ride;
    slot_input_swap(c, in, slot_others(c));
    c->ride.riders--;
    probe_unwatch(in->ride_party, in);
    in->rides = false;
    in->one->riding = NULL;
    if (r->events == in->ride_from) {
        return;
    }
    task_ride(in->one->task, in->ride_sub, r->next, r->peak, r->events - in->ride_from);
    in->one->ridden += r->events - in->ride_from;
    in->lanes[in->ride_sub - in->first].next = r->next;
    in->next = MAX(in->next, r->next);
    in->taken_ms = r->time_ms;
}

void slot_ride_off(struct slot_one *o)
{
    if (o->riding != NULL) {
        leave(o->riding->scan, o->riding);
    }
}

void slot_ride_end(struct slot_scan *c)
{
    while (c->ride.riders > 0) {
        leave(c, c->inputs.ptr[slot_others(c)]);
    }
}

static void is_wanted(void *scan, void *input)
{
    struct slot_input *in = input;
    if (in->scan == scan) {
        leave(scan, in);
    }
}

void slot_ride_wanted(const struct slot *s, struct slot_scan *c)
{
    probe_tell(s->probe, is_wanted, c);
}

/* Where the clock of a rider is at most. */
static int64_t clock_at(const struct slot_ride *r, int64_t peak)
{
    return MAX(r->clock, peak < INT64_MIN + r->bound ? INT64_MIN : peak - r->bound);
}

bool slot_ride_may(struct slot_scan *c, const struct merge_hint *h, uint32_t n)
{
    struct slot_ride *r = &c->ride;
    bool may = false;
    if (r->riders > 0 && h != NULL) {
        int64_t peak = MAX(r->peak, h->peaks[n - 1]);
        may = peak < r->limit &&
              (h->least >= clock_at(r, peak) || (h->ascending && h->ts[0] >= clock_at(r, r->peak)));
    }
    if (!may) {
        slot_ride_end(c);
    }
    return may;
}

void slot_ride_on(struct slot_scan *c, const struct merge_piece *p)
{
    struct slot_ride *r = &c->ride;
    r->peak = MAX(r->peak, p->hint->peaks[p->n - 1]);
    r->events += p->n;
    r->next = p->offset + 1;
    r->time_ms = c->time_ms;
}

void slot_ride_join(struct slot_scan *c, struct slot_input *in, uint32_t sub, uint64_t from)
{
    struct slot_ride *r = &c->ride;
    struct merge_ride mine;
    if (in->n > 1 || !task_may_ride(in->one->task, sub, &mine)) {
        return;
    }
    if (r->riders == 0) {
        *r = (struct slot_ride){.peak = INT64_MIN,
                                .clock = INT64_MIN,
                                .limit = INT64_MAX,
                                .bound = INT64_MAX,
                                .events = r->events};
    }
    if (r->peak > merge_largest(task_merge(in->one->task), sub)) { /* it has not had all of them */
        return;
    }
    in->rides = true;
    in->ride_from = from;
    in->ride_sub = sub;
    in->ride_party = in->one->party;
    in->one->riding = in;
    probe_watch(in->ride_party, in);
    r->limit = MIN(r->limit, mine.limit);
    r->clock = MAX(r->clock, mine.clock);
    r->bound = MIN(r->bound, mine.bound);
    r->asleep |= task_is_asleep(in->one->task);
    slot_input_swap(c, in, slot_others(c) - 1);
    r->riders++;
}
