/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes and their tasks. What is done here is what `coordinator` (who has which task, and in
 * which order a slot is taken from who has it) and operators/shard/worker.c (how a task leaves and
 * another comes) do in threads and over sockets; here it is one thread, and the seed says when.
 */
#include "core/base/mem.h"
#include "tests/storm/storm.h"
#include "tests/unit/operators/shard/slot_abandon.h"

#include <dirent.h>
#include <stdio.h>

enum { MADE_UP_MAX = 3, STEPS = 50, EVENTS = 16, TAG_FENCE = 5 };

/* ---- leases ---- */

static bool holds(void *arg, struct slice value)
{
    (void)arg;
    return slice_eq(value, SLICE("yes"));
}

static struct storm_proc *proc_of(struct storm *s, uint32_t id)
{
    return id < s->procs.len ? s->procs.ptr[id] : NULL;
}

struct storm_proc *storm_begin_proc(struct storm *s)
{
    struct storm_proc *p = MEM_NEW(struct storm_proc);
    p->id = (uint32_t)s->procs.len;
    p->thaws = p->revoked_at = INT64_MAX;
    (void)snprintf(p->name, sizeof p->name, "w.%u", p->id);
    (void)snprintf(p->key, sizeof p->key, "w/%u", p->id);
    *VEC_PUSH(&s->procs) = p;
    storm_put_lease(s, p, true);
    return p;
}

static void begin_slot(struct storm *s, struct storm_proc *p)
{
    struct err err;
    p->lease = (struct slot_lease){SLICE("ctl.assign"), slice_str(p->key), holds, NULL};
    const struct slot_conf conf = {.name = slice_str(p->name),
                                   .commit_ns = s->commit_ns,
                                   .align_ns = 2 * s->commit_ns,
                                   .snapshot_ns = s->snapshot_ns,
                                   .slice_bytes = s->slice_bytes,
                                   .beside_bytes = s->beside_bytes,
                                   .takes = 64,
                                   .lease = &p->lease,
                                   .trial = &p->trial};
    p->c = bus_client_new(s->bus, p->name);
    p->ahead = (int64_t)storm_draw(s, 1000) * CLOCK_NS_PER_S;
    bus_sim_ahead(p->c, p->ahead, (int64_t)storm_draw(s, 100) * CLOCK_NS_PER_S);
    if (!s->calm && storm_chance(s, 3)) {
        bus_sim_slow(p->c, (int64_t)storm_draw(s, 100) * CLOCK_NS_PER_MS);
    }
    p->life = PROC_RUNS;
    CHECK_OK(slot_new(p->c, &conf, NULL, 0, &p->slot, &err), err);
    if (s->looks) {
        slot_drain(p->slot);
    }
}

static void fence(struct storm *s, struct storm_proc *p)
{
    struct err err;
    p->life = PROC_FENCES;
    CHECK_OK(bus_fence(s->god, slice_str(p->name), (uint64_t)TAG_FENCE << 56 | p->id, &err), err);
}

void storm_lease_told(struct storm *s, uint32_t id, bool delivered)
{
    struct storm_proc *p = proc_of(s, id);
    if (!delivered) {
        storm_put_lease(s, p, p->life == PROC_ASKS);
    } else if (p->life == PROC_ASKS) {
        begin_slot(s, p);
    } else {
        fence(s, p);
    }
}

void storm_revoke(struct storm *s, struct storm_proc *p)
{
    if (p->life == PROC_RUNS) {
        p->life = PROC_REVOKES;
        p->revoked_at = INT64_MAX;
        storm_put_lease(s, p, false);
    }
}

/* Nothing more of it is committed from here on: others may have its tasks. */
void storm_fence_told(struct storm *s, uint32_t id, bool done)
{
    struct storm_proc *p = proc_of(s, id);
    if (!done) {
        fence(s, p);
        return;
    }
    p->life = PROC_OVER;
    storm_changed(s);
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        struct storm_task *t = &s->tasks[i];
        if (t->from == p) {
            t->from = NULL;
            t->unreleased = 0;
        }
        if (t->owner == p) {
            t->owner = NULL;
            t->died = true;
            t->leaving = t->makes_up = t->ends = false;
            t->awaits = 0;
            t->made_up = 0;
        }
    }
}

/* ---- ends ---- */

static void count(struct storm *s, const struct storm_proc *p)
{
    struct slot_counts c = slot_counts(p->slot);
    s->counts.commits += c.commits;
    s->counts.aborts += c.aborts;
    s->counts.unknowns += c.unknowns;
    s->counts.snapshots += c.snapshots;
    s->counts.replayed += c.replayed;
    s->counts.restored += c.restored_bytes;
    s->counts.succeeded += c.succeeded.kept;
}

/* The coordinator notices after a while. */
static void is_gone(struct storm *s, struct storm_proc *p)
{
    p->c = NULL;
    p->slot = NULL;
    if (p->life == PROC_RUNS) {
        p->revoked_at = bus_sim_now(s->bus) + (int64_t)storm_draw(s, CLOCK_NS_PER_S);
    }
}

void storm_kill(struct storm *s, struct storm_proc *p)
{
    count(s, p);
    bus_sim_crash(p->c);
    slot_abandon(p->slot);
    is_gone(s, p);
    s->counts.kills++;
}

static void end_proc(struct storm *s, struct storm_proc *p)
{
    count(s, p);
    slot_free(p->slot);
    bus_client_free(p->c);
    is_gone(s, p);
}

/* True: it is not there any more. */
static bool look_at(struct storm *s, struct storm_proc *p)
{
    if (bus_sim_is_dead(p->c)) {
        s->counts.dead_in_call++;
        storm_kill(s, p);
        return true;
    }
    if (slot_state(p->slot) == SLOT_LOST) {
        if (!slot_is_fenced(p->slot)) {
            STORM_FAIL(s, "slot %s is lost: %s", p->name, slot_why(p->slot));
        }
        s->counts.fenced++;
        end_proc(s, p);
        return true;
    }
    return false;
}

/* ---- which tasks ---- */

uint32_t storm_live(const struct storm *s)
{
    uint32_t n = 0;
    VEC_EACH (&s->procs, p) {
        n += (*p)->life == PROC_ASKS || ((*p)->life == PROC_RUNS && (*p)->slot != NULL);
    }
    return n;
}

struct storm_proc *storm_any(struct storm *s)
{
    uint32_t n = 0;
    struct storm_proc *found = NULL;
    VEC_EACH (&s->procs, p) {
        if ((*p)->life == PROC_RUNS && (*p)->slot != NULL && storm_draw(s, ++n) == 0) {
            found = *p;
        }
    }
    return found;
}

uint32_t storm_version_of(const struct storm *s, uint32_t task, uint64_t hash)
{
    for (uint32_t v = 0; v < STORM_VERSIONS; v++) {
        if (storm_task_of(s, v, task)->plan->hash == hash) {
            return v;
        }
    }
    return UINT32_MAX;
}

static void add(struct storm *s, uint32_t i, struct storm_proc *p)
{
    struct storm_task *t = &s->tasks[i];
    uint32_t before =
        t->awaits != 0 && t->made_up < MADE_UP_MAX ? storm_version_of(s, i, t->awaits) : UINT32_MAX;
    t->makes_up = before != UINT32_MAX;
    t->version = t->makes_up ? before : s->version;
    struct slot_task x = *storm_task_of(s, t->version, i);
    x.from_start = (s->kind & STORM_DELETES) == 0;
    x.idle_ns = 300 * CLOCK_NS_PER_MS;
    x.archive_ns = s->versions[t->version]->archive_every;
    x.ends = s->deleting;
    x.after_death = t->died && !x.ends;
    x.moved = t->from != NULL;
    x.asks = !t->makes_up && s->past > 0 && t->awaits == 0 && !x.ends;
    slot_add(p->slot, &x);
    storm_changed(s);
    t->owner = p;
    t->begun = UINT64_MAX;
    t->died = false;
    t->ends = x.ends;
    t->awaits = t->makes_up ? 0 : t->awaits;
    t->made_up += t->makes_up;
    s->counts.made_up += t->makes_up;
    t->leaving = t->makes_up || x.ends;
    if (t->leaving) {
        slot_remove(p->slot, t->lineage, x.ends ? SLOT_LEAVE_DELETED : SLOT_LEAVE_FINAL);
    }
}

/* Whoever had it lives, and has not let it go yet: who does not in time is fenced. */
static void wait_for_release(struct storm *s, struct storm_task *t)
{
    int64_t now = bus_sim_now(s->bus);
    t->unreleased = t->unreleased > 0 ? t->unreleased : now;
    t->not_before = now + 200 * CLOCK_NS_PER_MS;
    t->leaving = true;
    slot_remove(t->owner->slot, t->lineage, SLOT_LEAVE);
    if (t->from != NULL && now - t->unreleased > 3 * CLOCK_NS_PER_S) {
        storm_revoke(s, t->from);
    }
}

/* The task alone is lost. */
static void lose(struct storm *s, struct storm_task *t, uint32_t at)
{
    struct slot *slot = t->owner->slot;
    const char *why = slot_task_why(slot, at);
    t->failed = t->ends && !slot_task_is_gone(slot, at);
    if (t->leaving && !slot_task_is_unreleased(slot, at)) {
        return;
    }
    t->awaits = slot_task_awaits(slot, at);
    t->from = t->awaits != 0 ? NULL : t->from; /* it was let go, else that would be waited for */
    if (slot_task_is_unreleased(slot, at)) {
        wait_for_release(s, t);
        return;
    }
    bool removed = (s->kind & STORM_TRIMS) != 0 && strstr(why, "retention") != NULL;
    if (t->awaits == 0 && !removed) {
        STORM_FAIL(s, "a task is lost: %s", why);
    }
    s->counts.lost += t->awaits == 0;
    t->not_before = t->awaits != 0 ? 0 : bus_sim_now(s->bus) + CLOCK_NS_PER_S;
    t->leaving = true;
    slot_remove(slot, t->lineage, SLOT_LEAVE);
}

static void has_gone(struct storm *s, struct storm_task *t)
{
    CHECK(t->leaving);
    t->over = t->ends && !t->failed;
    t->from = t->over ? NULL : t->from;
    t->not_before = t->failed ? bus_sim_now(s->bus) + CLOCK_NS_PER_S : t->not_before;
    t->failed = false;
    t->owner = NULL;
    t->leaving = t->makes_up = t->ends = false;
}

static void settle_one(struct storm *s, uint32_t i)
{
    struct storm_task *t = &s->tasks[i];
    struct storm_proc *any;
    if (t->owner == NULL) {
        bool due = bus_sim_now(s->bus) >= t->not_before && !s->deleted && !t->over &&
                   !s->forgetting && storm_may_change(s);
        if (due && (any = storm_any(s)) != NULL && slot_find(any->slot, t->lineage) == UINT32_MAX) {
            add(s, i, any);
        }
        return;
    }
    bool there = t->owner->life == PROC_RUNS && t->owner->slot != NULL && !t->owner->frozen;
    if (!there || slot_state(t->owner->slot) == SLOT_LOST) {
        return;
    }
    uint32_t at = slot_find(t->owner->slot, t->lineage);
    if (at == UINT32_MAX) {
        has_gone(s, t);
        return;
    }
    if (slot_task_state(t->owner->slot, at) == SLOT_LIVE) {
        t->from = NULL;
        t->unreleased = 0;
    }
    if (slot_task_state(t->owner->slot, at) == SLOT_LOST) {
        lose(s, t, at);
    } else if (!t->leaving && (s->deleting || t->version != s->version)) {
        t->leaving = true;
        t->awaits = 0;
        t->made_up = 0;
        slot_remove(t->owner->slot, t->lineage,
                    s->deleting ? SLOT_LEAVE_DELETED : SLOT_LEAVE_FINAL);
    }
}

/* Whoever had tasks of it is fenced: nobody will end them. */
static void forget(struct storm *s)
{
    bool over = true;
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        struct storm_task *t = &s->tasks[i];
        struct storm_proc *of[] = {t->owner, t->from};
        for (size_t k = 0; k < ARRAY_LEN(of); k++) {
            over &= of[k] == NULL;
            if (of[k] != NULL) {
                storm_revoke(s, of[k]);
            }
        }
    }
    if (over && storm_may_change(s)) {
        s->forgetting = false;
        s->deleted = true;
        storm_changed(s);
    }
}

static void settle(struct storm *s)
{
    bool over = s->deleting;
    if (s->forgetting) {
        forget(s);
    }
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        settle_one(s, i);
        over &= s->tasks[i].over && s->tasks[i].owner == NULL;
    }
    if (over) {
        s->deleting = false;
        s->deleted = true;
        for (uint32_t i = 0; i < s->n_tasks; i++) {
            s->tasks[i].over = false;
        }
    }
}

/* ---- time ---- */

static bool has_beside(const struct storm_proc *p)
{
    for (uint32_t i = 0; i < slot_tasks(p->slot); i++) {
        if (slot_task(p->slot, i) == NULL) {
            return true;
        }
    }
    return false;
}

static uint32_t threads(void)
{
    uint32_t n = 0;
    DIR *d = opendir("/proc/self/task");
    CHECK(d != NULL);
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d);
    return n;
}

/* A thread beside has ended before anybody looks for its end, so that the run does not depend on
 * how fast it is. */
static void wait_beside(struct storm *s, const struct storm_proc *p)
{
    while (has_beside(p) && threads() > s->threads) {
        clock_sleep_ns(10000);
    }
}

static void step_proc(struct storm *s, struct storm_proc *p)
{
    struct bus_ev ev[EVENTS];
    for (int n = bus_poll(p->c, ev, EVENTS), i = 0; i < n; i++) {
        slot_on_event(p->slot, &ev[i]);
    }
    bool more = true;
    for (int i = 0; i < STEPS && more && !bus_sim_is_dead(p->c); i++) {
        settle(s);
        wait_beside(s, p);
        more = slot_step(p->slot);
    }
    (void)look_at(s, p);
}

static void step_procs(struct storm *s)
{
    s->threads = s->threads == 0 ? threads() : s->threads; /* none is beside yet */
    int64_t now = bus_sim_now(s->bus);
    for (size_t i = 0; i < s->procs.len; i++) {
        struct storm_proc *p = s->procs.ptr[i];
        if (p->frozen && now >= p->thaws) {
            p->frozen = false;
            if (p->c != NULL) {
                bus_sim_pause(p->c, false);
            }
        }
        if (p->slot != NULL && !p->frozen) {
            step_proc(s, p);
        }
        if (p->life == PROC_RUNS && now >= p->revoked_at) {
            storm_revoke(s, p);
        }
        if (p->life == PROC_RUNS && p->slot == NULL && p->revoked_at == INT64_MAX) {
            p->revoked_at = now;
        }
    }
}

/* While a thread makes a state, or there is something to do at once, time goes in small steps. */
void storm_pass(struct storm *s, int64_t ns)
{
    int64_t until = bus_sim_now(s->bus) + ns;
    while (bus_sim_now(s->bus) < until) {
        int64_t left = until - bus_sim_now(s->bus);
        (void)bus_sim_step(s->bus, MIN(left, CLOCK_NS_PER_MS * 5));
        storm_god(s);
        step_procs(s);
        settle(s);
        storm_sweep_step(s);
    }
}

bool storm_is_settled(struct storm *s)
{
    bool all = storm_all_sent(s) && !s->deleting && !s->deleted;
    for (uint32_t i = 0; i < s->n_tasks && all; i++) {
        struct storm_task *t = &s->tasks[i];
        all = t->owner != NULL && t->owner->life == PROC_RUNS && t->owner->slot != NULL &&
              !t->leaving && t->version == s->version;
        uint32_t at = all ? slot_find(t->owner->slot, t->lineage) : 0;
        all = all && slot_task_state(t->owner->slot, at) == SLOT_LIVE &&
              slot_lag(t->owner->slot, at).records == 0;
    }
    return all;
}

void storm_tell(struct storm *s)
{
    static const char *const states[] = {"OPENING", "JOURNAL", "REPLAY", "LIVE", "LOST"};
    VEC_EACH (&s->procs, at) {
        const struct storm_proc *p = *at;
        if (p->slot != NULL) {
            fprintf(stderr, "%s: life %d, frozen %d, slot %s %s\n", p->name, p->life, p->frozen,
                    states[slot_state(p->slot)], slot_why(p->slot));
        }
    }
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        const struct storm_task *t = &s->tasks[i];
        bool has = t->owner != NULL && t->owner->slot != NULL;
        uint32_t at = has ? slot_find(t->owner->slot, t->lineage) : UINT32_MAX;
        struct task *task = at != UINT32_MAX ? slot_task(t->owner->slot, at) : NULL;
        struct slot_lag lag = {0};
        if (task != NULL) {
            lag = slot_lag(t->owner->slot, at);
        }
        fprintf(stderr,
                "task %u: %s v%u leaving %d died %d over %d ups %u; %s seq %llu lag %lld %s\n", i,
                t->owner != NULL ? t->owner->name : "-", t->version, t->leaving, t->died, t->over,
                t->made_up, at != UINT32_MAX ? states[slot_task_state(t->owner->slot, at)] : "-",
                task != NULL ? (unsigned long long)task_seq(task) : 0ULL, (long long)lag.records,
                lag.holder);
    }
}
