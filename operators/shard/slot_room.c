/* SPDX-License-Identifier: Apache-2.0
 *
 * How much of what was read may wait in memory. A task that waits for one input holds all that its
 * other inputs bring; so each of its partitions has a budget, of equal size, and a partition that
 * is over it is paused until half of that is taken.
 *
 * Who is waited for is read all the same. If he writes to a partition that is paused, that is read
 * *past* what waits: records of lanes (authors) that have their share are not handed out, nor
 * decoded if nobody else wants them; they are *withheld*. The scan goes back for them when there is
 * room, and ahead again to whom is waited for then. So a task takes the same inputs in the same
 * order as if all of it lay in memory, and waits for nobody longer than until the end of his topic.
 *
 * Never a deadlock: a scan is paused only if one of those that have too much can go on by himself,
 * or nobody waits for what comes next there.
 */
#include "core/base/mem.h"
#include "operators/shard/slot_impl.h"

#include <assert.h>

enum { SEEK_AFTER = 256 << 10 }; /* bytes read from one place before another one has its turn */

/* ---- budgets ---- */

/* One author and one reader, who has something of it while it is paused. */
static bool is_of_one(const struct slot_scan *c)
{
    return c != NULL && c->inputs.len == 1 && c->inputs.ptr[0]->n == 1;
}

static size_t budget(const struct slot *s, const struct slot_input *in)
{
    size_t one = SLOT_BUFFER_TASK / MAX(in->one->inputs.len, (size_t)1);
    one = MAX(MIN(one, (size_t)SLOT_BUFFER_MAX), (size_t)SLOT_BUFFER_MIN);
    one = is_of_one(in->scan) ? MIN(one, (size_t)SLOT_BUFFER_ONE) : one;
    return s->conf.buffer_bytes > 0 ? s->conf.buffer_bytes : one;
}

static size_t share(const struct slot *s, const struct slot_input *in)
{
    return budget(s, in) / in->n;
}

/* What one fetch may bring beyond it, before the partition is paused. */
static size_t slack(const struct slot *s)
{
    return s->conf.buffer_bytes > 0 ? s->conf.buffer_bytes : SLOT_BUFFER_FETCH;
}

/* Over its budget, each lane may still have its share. */
size_t slot_room_of(const struct slot *s, const struct slot_input *in)
{
    return budget(s, in) * (in->n > 1 ? 2 : 1) + slack(s);
}

bool slot_has_room(const struct slot *s, const struct slot_input *in)
{
    return in->buffered <= budget(s, in) / 2;
}

bool slot_withholds(const struct slot *s, const struct slot_input *in, struct slot_lane *lane,
                    int64_t offset)
{
    size_t most = budget(s, in) + (in->scan->past ? 0 : slack(s));
    bool enough = in->buffered > most && lane->bytes > 0 && lane->bytes >= share(s, in);
    if (enough) {
        lane->next = offset;
        lane->withheld = in->scan->apart = true;
        lane->quiet = INT64_MAX;
    }
    return enough;
}

/* ---- where a scan stands ---- */

static int64_t place_of(const struct slot_scan *c, const struct slot_lane *lane)
{
    return lane->withheld ? lane->next : MAX(lane->next, c->next);
}

void slot_input_stands(struct slot_input *in, int64_t at)
{
    for (uint32_t k = 0; k < in->n; k++) {
        struct slot_lane *lane = &in->lanes[k];
        lane->next = MAX(lane->next, at);
        lane->withheld = lane->next < in->scan->next;
    }
}

void slot_scan_seek(struct slot *s, struct slot_scan *c, int64_t to)
{
    struct err err;
    slot_ride_end(c);
    VEC_EACH (&c->inputs, at) {
        struct slot_input *in = *at;
        for (uint32_t k = 0; k < in->n; k++) {
            struct slot_lane *lane = &in->lanes[k];
            lane->next = place_of(c, lane);
            lane->withheld = lane->next < to;
            lane->quiet = lane->withheld ? INT64_MAX : lane->quiet;
        }
    }
    if (bus_seek(slot_reader_of(s, c), c->tp, to, &err) != 0) {
        slot_lose_readers(s, c, err.msg);
        return;
    }
    c->next = to;
    c->end_since = INT64_MAX;
    c->since_seek = 0;
    c->apart = true;
    c->over = false;
}

/* What was read last has been of some use, or cannot be of more. */
static bool may_turn(const struct slot *s, const struct slot_scan *c)
{
    size_t most = s->conf.buffer_bytes > 0 ? MIN(s->conf.buffer_bytes, (size_t)SEEK_AFTER)
                                           : (size_t)SEEK_AFTER;
    return c->paused || c->over || c->end_since != INT64_MAX || c->since_seek >= most;
}

/* To the first of those that are waited for, else of those that have little left. */
static void turn(struct slot *s, struct slot_scan *c)
{
    int64_t dry = INT64_MAX, low = INT64_MAX;
    bool apart = false;
    VEC_EACH (&c->inputs, at) {
        const struct slot_input *in = *at;
        for (uint32_t k = 0; k < in->n; k++) {
            const struct slot_lane *lane = &in->lanes[k];
            int64_t place = place_of(c, lane);
            apart |= place != c->next;
            if (merge_is_waited(task_merge(in->one->task), in->first + k)) {
                dry = MIN(dry, place);
            } else if (lane->withheld && lane->bytes <= share(s, in) / 2 && slot_has_room(s, in)) {
                low = MIN(low, place);
            }
        }
    }
    int64_t to = dry != INT64_MAX ? dry : low;
    c->apart = apart;
    if (apart && to != INT64_MAX && to != c->next && may_turn(s, c)) {
        slot_scan_seek(s, c, to);
    }
}

/* ---- pauses ---- */

/* Who has too much goes on with a reader of his own, if one is free: he does not stop the others.
 */
static bool lag(struct slot *s, struct slot_input *in)
{
    struct slot_scan *from = in->scan;
    for (uint32_t i = 0; i < SLOT_CATCH_UPS; i++) {
        struct slot_load *l = &s->loads[i];
        if (l->phase == LOAD_FREE) {
            l->phase = LOAD_CATCH_UP;
            l->number++;
            l->reader = bus_reader_new(s->bus);
        } else if (l->phase != LOAD_CATCH_UP || slot_scan_find(s, i, from) != NULL) {
            continue;
        }
        struct slot_scan *c = slot_scan_new(s, i, from);
        in->next = INT64_MAX;
        for (uint32_t k = 0; k < in->n; k++) {
            struct slot_lane *lane = &in->lanes[k];
            lane->next = place_of(from, lane);
            lane->withheld = false;
            in->next = MIN(in->next, lane->next);
        }
        slot_input_detach(in);
        slot_input_attach(c, in);
        slot_scan_assign(s, c, in->next);
        struct err err;
        c->apart = true; /* its lanes may stand at different places */
        c->paused = c->assigned && bus_pause(l->reader, c->tp, true, &err) == 0;
        s->counts.lags++;
        return true;
    }
    return false;
}

static bool somebody_waits(const struct slot *s, const struct slot_scan *c)
{
    bool room = c->ride.riders > 0; /* who rides has nothing that waits */
    for (size_t i = 0; i < slot_others(c) && !room; i++) {
        room = slot_has_room(s, c->inputs.ptr[i]);
    }
    return room && c->load == SLOT_LOADS;
}

/* A task can go on only with what comes here. */
static bool is_waited_for(const struct slot_scan *c)
{
    VEC_EACH (&c->inputs, at) {
        const struct slot_input *in = *at;
        const struct merge *m = task_merge(in->one->task);
        for (uint32_t k = 0; k < in->n && merge_is_held(m); k++) {
            if (merge_is_waited(m, in->first + k)) {
                return true;
            }
        }
    }
    return false;
}

void slot_hold(struct slot *s, struct slot_scan *c, bool may_lag)
{
    struct err err;
    bool full = false, drains = false;
    for (size_t i = slot_others(c); i > 0; i--) {
        struct slot_input *in = c->inputs.ptr[i - 1];
        size_t most = c->paused ? budget(s, in) / 2 : budget(s, in);
        if (in->buffered > most && !(may_lag && somebody_waits(s, c) && lag(s, in))) {
            full = true;
            drains |= !merge_is_held(task_merge(in->one->task));
        }
    }
    c->past = full && !drains && is_waited_for(c);
    bool pause = c->over || (full && !c->past);
    if (c->assigned && pause != c->paused &&
        bus_pause(slot_reader_of(s, c), c->tp, pause, &err) == 0) {
        c->paused = pause;
    }
}

void slot_room(struct slot *s)
{
    for (size_t i = 0; i < s->scans.len; i++) {
        struct slot_scan *c = s->scans.ptr[i];
        if (c == NULL || !c->assigned || c->gap > 0) {
            continue;
        }
        if (c->apart) {
            turn(s, c);
        }
        if (c->paused || c->past || c->over) {
            slot_hold(s, c, false);
        }
    }
}

void slot_piece_done(void *arg, void *owner)
{
    struct slot *s = arg;
    struct slot_piece *p = owner;
    struct slot_scan *c = p->input->scan;
    assert(p->input->buffered >= p->bytes && p->lane->bytes >= p->bytes);
    p->input->buffered -= p->bytes;
    p->lane->bytes -= p->bytes;
    p->input->taken_ms = p->time_ms;
    if (s->reader != NULL && c != NULL && c->paused) {
        slot_hold(s, c, false);
    }
    slot_batch_drop(p->batch);
    pool_put(s->pieces, p);
}
