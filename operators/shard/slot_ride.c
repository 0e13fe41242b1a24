/* SPDX-License-Identifier: Apache-2.0
 *
 * Records that concern nothing of most tasks, of one event of the bus. A task that has passed over
 * one of them *rides* from there: it is not looked at again before a record concerns it, or the
 * event ends; then it passes over all that it rode at once (task_ride). What is asked of a record
 * on the way is asked once, for all riders: that it makes no timer of theirs due, comes before all
 * else that they have, and is late for none. Else they all get off, and are asked one by one.
 */
#include "operators/shard/slot_impl.h"

void slot_ride_begin(struct slot_scan *c)
{
    c->ride = (struct slot_ride){.peak = INT64_MIN, .clock = INT64_MIN, .limit = INT64_MAX};
}

void slot_ride_leave(struct slot_scan *c, struct slot_input *in)
{
    const struct slot_ride *r = &c->ride;
    in->rides = false;
    c->ride.riders--;
    if (r->events == in->ride_from) {
        return;
    }
    task_ride(in->one->task, in->ride_sub, r->next, r->peak, r->events - in->ride_from);
    in->one->ridden += r->events - in->ride_from;
    in->lanes[in->ride_sub - in->first].next = r->next;
    in->next = MAX(in->next, r->next);
    in->taken_ms = r->time_ms;
}

void slot_ride_end(struct slot_scan *c)
{
    for (size_t i = 0; i < c->inputs.len && c->ride.riders > 0; i++) {
        if (c->inputs.ptr[i]->rides) {
            slot_ride_leave(c, c->inputs.ptr[i]);
        }
    }
    slot_ride_begin(c);
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
    if (!task_may_ride(in->one->task, sub, &mine) ||
        r->peak > merge_largest(task_merge(in->one->task), sub)) { /* it has not had all of them */
        return;
    }
    in->rides = true;
    in->ride_from = from;
    in->ride_sub = sub;
    in->ride_party = in->one->party;
    r->limit = MIN(r->limit, mine.limit);
    r->clock = MAX(r->clock, mine.clock);
    r->bound = r->riders > 0 ? MIN(r->bound, mine.bound) : mine.bound;
    r->riders++;
}
