/* SPDX-License-Identifier: Apache-2.0
 *
 * The world of the simulated bus: its generator, its heap of actions, its clock, and the controls
 * of bus_sim.h. Time moves only in world_run, from action to action and timer to timer, so nothing
 * that a machine does slowly can change a run.
 */
#include "core/bus/bus_sim_ops.h"

#include "core/base/mem.h"

#include <assert.h>

/* 2026-01-01T00:00:00Z: the virtual wall clock starts there. */
#define SIM_WALL_START_NS (INT64_C(1767225600) * CLOCK_NS_PER_S)

#define US(min, max) ((struct bus_sim_range){INT64_C(1000) * (min), INT64_C(1000) * (max)})

struct bus_sim_faults bus_sim_calm(void)
{
    return (struct bus_sim_faults){
        .call = US(1000, 1000),
        .commit = US(2000, 2000),
        .ack = US(500, 500),
        .read = US(500, 500),
        .late = US(100000, 100000),
        .outage = US(50000, 50000),
        .elect = US(1000, 1000),
        .batch_max = 500,
        .txn_timeout_ns = 10 * CLOCK_NS_PER_S,
        .session_ns = 3 * CLOCK_NS_PER_S,
        .tombstone_ns = 60 * CLOCK_NS_PER_S,
    };
}

struct bus_sim_faults bus_sim_rough(void)
{
    struct bus_sim_faults f = bus_sim_calm();
    f.call = US(100, 40000);
    f.commit = US(100, 30000);
    f.marker = US(0, 300000);
    f.ack = US(0, 20000);
    f.read = US(0, 20000);
    f.end = US(0, 20000);
    f.late = US(1000, 4000000);
    f.outage = US(1000, 500000);
    f.elect = US(100, 200000);
    f.fenced_notice = 0.5;
    f.again = 0.02;
    f.lazy = 0.5;
    f.gap = 0.1;
    f.leader_change = 0.01;
    f.gap_max = 50;
    f.batch_max = 100;
    f.batch_random = true;
    return f;
}

struct bus_sim_faults bus_sim_cruel(void)
{
    struct bus_sim_faults f = bus_sim_rough();
    f.aborted = 0.05;
    f.aborted_reopen = 0.3;
    f.unknown_done = 0.02;
    f.unknown_lost = 0.02;
    f.unknown_late = 0.02;
    f.fenced = 0.005;
    f.full = 0.01;
    f.refused = 0.02;
    f.refused_done = 0.01;
    f.failed = 0.02;
    f.depose = 0.005;
    f.skew_ms = 20;
    return f;
}

uint64_t sim_random(struct sim_bus *b)
{
    /* splitmix64: a counter and a mixer, so any seed is a good one. */
    uint64_t z = (b->rng += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_below(struct sim_bus *b, uint64_t n)
{
    assert(n > 0);
    return sim_random(b) % n;
}

bool sim_chance(struct sim_bus *b, double p)
{
    return p > 0 && (double)(sim_random(b) >> 11) * 0x1p-53 < p;
}

int64_t sim_draw(struct sim_bus *b, struct bus_sim_range r)
{
    assert(r.min_ns >= 0 && r.max_ns >= r.min_ns);
    uint64_t span = (uint64_t)(r.max_ns - r.min_ns);
    return r.min_ns + (span > 0 ? (int64_t)sim_below(b, span + 1) : 0);
}

static bool before(const struct sim_action *x, const struct sim_action *y)
{
    return x->at_ns != y->at_ns ? x->at_ns < y->at_ns : x->order < y->order;
}

static void heap_swap(struct sim_bus *b, size_t i, size_t j)
{
    struct sim_action x = b->heap.ptr[i];
    b->heap.ptr[i] = b->heap.ptr[j];
    b->heap.ptr[j] = x;
}

void sim_again_at(struct sim_bus *b, int64_t at_ns, const struct sim_action *a)
{
    struct sim_action copy = *a;
    copy.at_ns = MAX(at_ns, b->time.mono_ns);
    size_t i = b->heap.len;
    *VEC_PUSH(&b->heap) = copy;
    while (i > 0 && before(&b->heap.ptr[i], &b->heap.ptr[(i - 1) / 2])) {
        heap_swap(b, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

void sim_at(struct sim_bus *b, int64_t at_ns, struct sim_action a)
{
    assert(a.run != NULL);
    a.order = b->orders++;
    sim_again_at(b, at_ns, &a);
}

static struct sim_action heap_take(struct sim_bus *b)
{
    assert(b->heap.len > 0);
    struct sim_action first = b->heap.ptr[0];
    b->heap.ptr[0] = b->heap.ptr[--b->heap.len];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < b->heap.len; child++) {
            least = before(&b->heap.ptr[child], &b->heap.ptr[least]) ? child : least;
        }
        if (least == i) {
            return first;
        }
        heap_swap(b, i, least);
        i = least;
    }
}

/* The next one that is not due already: who has such a one knows it. */
static int64_t next_timer(const struct sim_bus *b)
{
    int64_t first = INT64_MAX;
    VEC_EACH (&b->clients, c) {
        int64_t at = sim_client_timer(*c);
        if (!(*c)->paused && !(*c)->crashed && at > b->time.mono_ns) {
            first = MIN(first, at);
        }
    }
    return first;
}

static void set_time(struct sim_bus *b, int64_t at_ns)
{
    assert(at_ns >= b->time.mono_ns);
    clock_advance(&b->time, at_ns - b->time.mono_ns);
    VEC_EACH (&b->clients, c) {
        if (sim_client_timer(*c) <= at_ns) {
            bus_wake_signal(&(*c)->c.wake);
        }
    }
}

/* One action, or time alone up to the next timer or the deadline: false = that was reached. */
static bool world_run(struct sim_bus *b, int64_t deadline_ns)
{
    int64_t action = b->heap.len > 0 ? b->heap.ptr[0].at_ns : INT64_MAX;
    int64_t timer = next_timer(b);
    int64_t next = MIN(MIN(action, timer), deadline_ns);
    if (next > b->time.mono_ns) {
        set_time(b, next);
    }
    if (action <= b->time.mono_ns) {
        struct sim_action a = heap_take(b);
        a.run(b, &a);
        return true;
    }
    return next < deadline_ns;
}

static int64_t deadline(const struct sim_bus *b, int64_t timeout_ns)
{
    int64_t t = timeout_ns < 0 ? 0 : timeout_ns;
    return t > INT64_MAX - b->time.mono_ns ? INT64_MAX - 1 : b->time.mono_ns + t;
}

static void sim_wait(struct bus_client *c, int64_t timeout_ns)
{
    struct sim_bus *b = sim_of(c);
    int64_t until = deadline(b, timeout_ns);
    while (!sim_client_ready((struct sim_client *)c) && world_run(b, until)) {
    }
}

static bool any_ready(const struct sim_bus *b)
{
    VEC_EACH (&b->clients, c) {
        if (sim_client_ready(*c)) {
            return true;
        }
    }
    return false;
}

bool bus_sim_step(struct bus *bus, int64_t max_ns)
{
    struct sim_bus *b = (struct sim_bus *)bus;
    int64_t until = deadline(b, max_ns);
    while (!any_ready(b)) {
        if (!world_run(b, until)) {
            return any_ready(b);
        }
    }
    return true;
}

void bus_sim_advance(struct bus *bus, int64_t ns)
{
    struct sim_bus *b = (struct sim_bus *)bus;
    int64_t until = deadline(b, ns);
    while (world_run(b, until)) {
    }
}

bool bus_sim_ready(const struct bus_client *c)
{
    return sim_client_ready((const struct sim_client *)c);
}

int64_t bus_sim_now(const struct bus *bus)
{
    return ((const struct sim_bus *)bus)->time.mono_ns;
}

uint64_t bus_sim_random(struct bus *bus)
{
    return sim_random((struct sim_bus *)bus);
}

void bus_sim_set(struct bus *bus, const struct bus_sim_faults *faults)
{
    assert(faults != NULL && faults->batch_max > 0);
    ((struct sim_bus *)bus)->faults = *faults;
}

static void maintain_by_itself(struct sim_bus *b, const struct sim_action *a)
{
    sim_log_maintain(b);
    if (b->faults.maintain_ns > 0) {
        sim_again_at(b, b->time.mono_ns + b->faults.maintain_ns, a);
    }
}

void bus_sim_maintain(struct bus *bus)
{
    sim_log_maintain((struct sim_bus *)bus);
}

static int sim_new(const struct bus_conf *conf, struct bus **ret_bus, struct err *reterr)
{
    (void)reterr;
    struct sim_bus *b = MEM_NEW(struct sim_bus);
    b->faults = conf->sim.faults != NULL ? *conf->sim.faults : bus_sim_calm();
    assert(b->faults.batch_max > 0 && b->faults.txn_timeout_ns > 0);
    b->rng = conf->sim.seed;
    b->time = (struct clock_manual){.mono_ns = 1, .wall_ns = SIM_WALL_START_NS};
    map_init(&b->topics, SIM_NAMES_MAX);
    map_init(&b->slots, SIM_NAMES_MAX);
    map_init(&b->elections, SIM_NAMES_MAX);
    b->trace = hash_new();
    b->stats.quota_bytes = b->faults.quota_bytes;
    if (b->faults.maintain_ns > 0) {
        sim_at(b, b->faults.maintain_ns, (struct sim_action){.run = maintain_by_itself});
    }
    *ret_bus = &b->bus;
    return 0;
}

static void sim_free(struct bus *bus)
{
    struct sim_bus *b = (struct sim_bus *)bus;
    assert(b->clients.len == 0);
    VEC_EACH (&b->heap, a) {
        if (a->drop != NULL) {
            a->drop(a->obj);
        }
    }
    MAP_EACH (&b->slots, e) {
        sim_slot_free(e->value);
    }
    MAP_EACH (&b->topics, e) {
        sim_topic_free(e->value);
    }
    MAP_EACH (&b->elections, e) {
        sim_election_free(e->value);
    }
    map_done(&b->slots);
    map_done(&b->topics);
    map_done(&b->elections);
    VEC_DONE(&b->heap);
    VEC_DONE(&b->clients);
    hash_free(b->trace);
    mem_free(b);
}

static struct bus_stats sim_stats(const struct bus *bus)
{
    return ((const struct sim_bus *)bus)->stats;
}

const struct bus_ops bus_sim_ops = {
    .bus_new = sim_new,
    .bus_free = sim_free,
    .stats = sim_stats,
    .client_bytes = sizeof(struct sim_client),
    .client_init = sim_client_init,
    .client_done = sim_client_done,
    .poll = sim_client_poll,
    .wait = sim_wait,
    .ensure = sim_ensure,
    .describe = sim_describe,
    .list = sim_list,
    .bounds = sim_bounds,
    .settled = sim_settled,
    .by_time = sim_by_time,
    .trim = sim_trim,
    .maintain = sim_maintain,
    .fence = sim_fence,
    .elect = sim_elect,
    .resign = sim_resign,
    .reader_new = sim_reader_new,
    .reader_free = sim_reader_free,
    .assign = sim_assign,
    .unassign = sim_unassign,
    .seek = sim_seek,
    .pause = sim_pause,
    .open = sim_open,
    .writer_close = sim_writer_close,
    .put = sim_put,
    .commit = sim_commit,
    .abort = sim_abort,
};
