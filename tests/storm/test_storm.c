/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens in a storm, drawn from a seed (storm.h), and the tests. KAIJU_STORM_SEEDS=n runs so
 * many seeds, KAIJU_STORM_SEED=n begins there, KAIJU_STORM_SECONDS=n ends it in time: an hour of
 * fresh ones is
 *
 *     KAIJU_STORM_SEED=1000000 KAIJU_STORM_SEEDS=100000000 KAIJU_STORM_SECONDS=3600 \
 *         build/dev/tests/storm/storm storm_holds
 *
 * and the seed that a failure names, with KAIJU_STORM_SEEDS=1, is its repetition; all calls and
 * events of it go to stderr with KAIJU_STORM_TRACE=1.
 */
#include "core/base/mem.h"
#include "tests/storm/storm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 160, CALLS = 40 };

static struct storm_counts all;

static uint64_t from_env(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t n = otherwise;
    CHECK(text == NULL || slice_to_u64(slice_str(text), &n));
    return n;
}

/* ---- what goes wrong ---- */

static void hurt_process(struct storm *s)
{
    struct storm_proc *p = storm_any(s);
    if (p == NULL) {
        return;
    }
    switch (storm_draw(s, 6)) {
    case 0: storm_kill(s, p); break;
    case 1:
    case 2: bus_sim_die(p->c, 1 + (uint32_t)storm_draw(s, CALLS)); break;
    case 3: /* it sleeps, and may be taken for dead */
        bus_sim_pause(p->c, true);
        p->frozen = true;
        p->thaws = bus_sim_now(s->bus) + (int64_t)storm_draw(s, 4 * CLOCK_NS_PER_S);
        if (storm_chance(s, 2)) {
            p->revoked_at = bus_sim_now(s->bus) + (int64_t)storm_draw(s, 2 * CLOCK_NS_PER_S);
            s->counts.zombies++;
        }
        break;
    case 4: /* it is there, and taken for dead */
        storm_revoke(s, p);
        s->counts.zombies++;
        break;
    default:
        p->ahead += (int64_t)storm_draw(s, 3 * CLOCK_NS_PER_S);
        bus_sim_ahead(p->c, p->ahead, (int64_t)storm_draw(s, 200) * CLOCK_NS_PER_S);
        s->counts.jumps++;
        break;
    }
}

/* The release that a task was begun behind is used up: a later record of it is committed. Before
 * that the coordinator gives it to nobody else, since its slot does not say that it follows. */
static bool has_begun(struct storm_task *t)
{
    struct slot *slot = t->owner->slot;
    uint32_t at = slot_find(slot, t->lineage);
    if (slot_task_state(slot, at) != SLOT_LIVE) {
        return false;
    }
    uint64_t seq = task_seq(slot_task(slot, at));
    t->begun = MIN(t->begun, seq + 1);
    return seq > t->begun;
}

/* From one that lives to another, who may be given it before it is let go. */
static void move_task(struct storm *s)
{
    struct storm_task *t = &s->tasks[storm_draw(s, s->n_tasks)];
    struct storm_proc *p = t->owner;
    bool there = p != NULL && p->life == PROC_RUNS && p->slot != NULL && t->from == NULL;
    if (!there || t->leaving || slot_find(p->slot, t->lineage) == UINT32_MAX) {
        return;
    }
    bool early = has_begun(t) && storm_chance(s, 2);
    slot_remove(p->slot, t->lineage, early || storm_chance(s, 2) ? SLOT_LEAVE_SAVED : SLOT_LEAVE);
    t->leaving = !early;
    if (early) {
        t->owner = NULL;
        t->from = p;
    }
    s->counts.moves++;
}

static void hurt_topic(struct storm *s)
{
    static const char *const topics[] = {"metrics", "journal", "state", "events", "ctl.assign"};
    uint32_t which = (uint32_t)storm_draw(s, ARRAY_LEN(topics));
    uint32_t part = which == 4 ? 0
                    : which == 0 || which == 3
                        ? (uint32_t)storm_draw(s, STORM_PARTS)
                        : (uint32_t)(s->tasks[storm_draw(s, s->n_tasks)].lineage % 64);
    bus_sim_outage(s->bus, slice_str(topics[which]), part,
                   (int64_t)storm_draw(s, 2 * CLOCK_NS_PER_S));
}

static void change_rules(struct storm *s)
{
    if (s->forgetting || !storm_may_change(s)) {
        return;
    }
    storm_changed(s);
    if (s->deleted) {
        s->deleted = false;
        s->past = 0;
        s->version = (uint32_t)storm_draw(s, STORM_VERSIONS);
    } else if ((s->kind & STORM_FORGETS) != 0 && !s->deleting && storm_chance(s, 3)) {
        s->forgetting = true;
        s->counts.forgets++;
    } else if ((s->kind & STORM_DELETES) != 0 && !s->deleting && storm_chance(s, 3)) {
        s->deleting = true;
        s->counts.deletes++;
    } else if ((s->kind & STORM_UPDATES) != 0 && !s->deleting) {
        s->version =
            (s->version + 1 + (uint32_t)storm_draw(s, STORM_VERSIONS - 1)) % STORM_VERSIONS;
        s->past++;
        s->counts.updates++;
    }
}

static void round_of(struct storm *s)
{
    for (uint64_t n = storm_draw(s, 4); n > 0; n--) {
        storm_send(s);
    }
    storm_pass(s, (int64_t)storm_draw(s, 60) * CLOCK_NS_PER_MS);
    if (storm_chance(s, 7)) {
        hurt_process(s);
    }
    if (storm_chance(s, 12)) {
        move_task(s);
    }
    if (storm_chance(s, 20)) {
        hurt_topic(s);
    }
    if (storm_chance(s, 20)) {
        change_rules(s);
    }
    if ((s->kind & STORM_TRIMS) != 0 && storm_chance(s, 12)) {
        storm_trim(s);
    }
    if ((s->kind & STORM_FORGETS) != 0 && storm_chance(s, 6)) {
        storm_put_strange(s);
    }
    if (storm_chance(s, 15)) {
        storm_sweep_hurt(s);
    }
    if (storm_chance(s, 30)) {
        bus_sim_maintain(s->bus); /* the compactor */
    }
    if (storm_live(s) < 2 || (storm_live(s) < 3 && storm_chance(s, 10))) {
        (void)storm_begin_proc(s);
    }
    if (storm_chance(s, 40)) {
        storm_pass(s, 3 * CLOCK_NS_PER_S); /* nothing comes: time ticks */
    }
}

/* From here on nothing more goes wrong. */
static void calm_down(struct storm *s)
{
    struct bus_sim_faults calm = bus_sim_calm();
    bus_sim_set(s->bus, &calm);
    s->calm = true;
    VEC_EACH (&s->procs, p) {
        (*p)->thaws = 0;
        if ((*p)->c != NULL) {
            bus_sim_die((*p)->c, UINT32_MAX);
            bus_sim_slow((*p)->c, 0);
        }
    }
    for (int i = 0; (s->deleting || s->forgetting) && i < 1000; i++) {
        if (storm_live(s) == 0) {
            (void)storm_begin_proc(s);
        }
        storm_pass(s, 100 * CLOCK_NS_PER_MS);
    }
    for (int i = 0; s->deleted && i < 1000; i++) {
        change_rules(s);
        storm_pass(s, 100 * CLOCK_NS_PER_MS);
    }
    while (storm_live(s) < 2) {
        (void)storm_begin_proc(s);
    }
    storm_send(s);
}

static void add_up(const struct storm_counts *c)
{
    const uint64_t *from = (const uint64_t *)c;
    uint64_t *to = (uint64_t *)&all;
    for (size_t i = 0; i < sizeof all / sizeof *to; i++) {
        to[i] += from[i];
    }
}

static struct hash128 run(uint64_t seed)
{
    static const unsigned kinds[] = {STORM_CALM,
                                     STORM_UPDATES,
                                     STORM_UPDATES,
                                     STORM_TRIMS,
                                     STORM_UPDATES | STORM_DELETES,
                                     STORM_UPDATES | STORM_DELETES | STORM_TRIMS,
                                     STORM_UPDATES | STORM_DELETES | STORM_FORGETS};
    struct bus_sim_faults faults = seed % 5 == 0   ? bus_sim_calm()
                                   : seed % 5 <= 2 ? bus_sim_rough()
                                                   : bus_sim_cruel();
    struct storm *s = storm_new(seed, kinds[seed % ARRAY_LEN(kinds)], &faults);
    s->slice_bytes = storm_chance(s, 3) ? 0 : 200 + storm_draw(s, 2000);
    s->beside_bytes = storm_chance(s, 3) ? 1 : 0;
    s->snapshot_ns = (int64_t)(1 + storm_draw(s, 8)) * 100 * CLOCK_NS_PER_MS;
    s->commit_ns = (int64_t)(1 + storm_draw(s, 6)) * 10 * CLOCK_NS_PER_MS;
    for (int i = 0; i < ROUNDS; i++) {
        round_of(s);
    }
    calm_down(s);
    storm_judge(s);
    struct hash128 trace = bus_sim_trace(s->bus);
    for (size_t i = 0; i < s->procs.len; i++) {
        struct storm_proc *p = s->procs.ptr[i];
        if (p->slot != NULL) {
            storm_kill(s, p);
        }
        mem_free(p);
    }
    VEC_DONE(&s->procs);
    add_up(&s->counts);
    storm_free(s);
    return trace;
}

TEST(storm_holds)
{
    uint64_t first = from_env("KAIJU_STORM_SEED", 1),
             n = from_env("KAIJU_STORM_SEEDS", TEST_SEEDS(40));
    int64_t most = (int64_t)from_env("KAIJU_STORM_SECONDS", 15) * CLOCK_NS_PER_S;
    int64_t began = clock_meter_ns();
    uint64_t done = 0;
    while (done < n && clock_meter_ns() - began < most) {
        if (getenv("KAIJU_STORM_SEED") != NULL) {
            fprintf(stderr, "%" PRIu64 "\n", first + done);
        }
        (void)run(first + done);
        done++;
    }
    printf("%" PRIu64 " seeds; %" PRIu64 " times forgotten, %" PRIu64 " leaders, %" PRIu64
           " keys swept\n",
           done, all.forgets, all.leaders, all.swept);
}

TEST(storm_a_seed_is_one_run)
{
    struct hash128 a = run(3), b = run(3);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
}
