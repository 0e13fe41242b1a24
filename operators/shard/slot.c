/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a slot. See slot.h.
 */
#include "core/base/mem.h"
#include "operators/shard/slot_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define BESIDE_NS (5 * CLOCK_NS_PER_MS)
#define LONG_NS   (4 * CLOCK_NS_PER_MS)  /* of a task's inputs in one step, while others wait */
#define HEAVY_NS  (20 * CLOCK_NS_PER_MS) /* those of who took so long cost much */

enum { PIECES_MAX = 1 << 24, KEYS_MAX = 1 << 20, KEYS_BYTES = 64 << 20 };

int slot_new(struct bus_client *bus, const struct slot_conf *conf, const struct slot_task *tasks,
             uint32_t n, struct slot **ret, struct err *reterr)
{
    assert(conf->commit_ns > 0);
    struct slot *s = MEM_NEW(struct slot);
    s->bus = bus;
    s->clock = bus_clock(bus);
    s->conf = *conf;
    s->timer_at = INT64_MAX;
    s->keys = intern_new(KEYS_MAX, KEYS_BYTES);
    s->reg = schema_reg_new();
    s->decoder = batch_in_new(BATCH_LIMITS, s->keys, s->reg);
    s->probe = probe_new(s->keys);
    slot_own_topics(s);
    s->pieces = pool_new("pieces", sizeof(struct slot_piece), PIECES_MAX);
    s->reader = bus_reader_new(bus);
    if (conf->range != NULL && conf->range->source != NULL) {
        s->source = bus_reader_new(conf->range->source);
    }
    for (uint32_t i = 0; i < n; i++) {
        slot_add(s, &tasks[i]);
    }
    slot_open(s);
    if (s->lost) {
        int rc = err_set(reterr, ERR_UNAVAILABLE, "%s", s->why);
        slot_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

static void one_free(struct slot *s, struct slot_one *o)
{
    slot_amid_end(s, o);
    slot_ride_off(o);
    slot_trial_end(s, o);
    slot_party_leave(s, o);
    task_free(o->task);
    slot_inputs_free(s, o);
    slot_forget_journal(o);
    slot_snap_done(&o->snap);
    mem_free(o);
}

void slot_free(struct slot *s)
{
    if (s == NULL) {
        return;
    }
    slot_begin_end(s);
    VEC_EACH (&s->tasks, o) {
        one_free(s, *o);
    }
    VEC_DONE(&s->tasks);
    VEC_DONE(&s->spans);
    for (uint32_t i = 0; i < SLOT_LOADS; i++) {
        slot_load_end(s, i);
    }
    slot_scans_free(s);
    slot_amids_free(s);
    slot_trials_close(s);
    if (s->writer != NULL) {
        bus_writer_close(s->writer);
    }
    if (s->reader != NULL) {
        bus_reader_free(s->reader);
    }
    if (s->source != NULL) {
        bus_reader_free(s->source);
    }
    batch_in_free(s->decoder);
    probe_free(s->probe);
    schema_reg_free(s->reg);
    pool_free(s->pieces, 0);
    intern_free(s->keys);
    mem_free(s);
}

void slot_lose(struct slot *s, const char *fmt, ...)
{
    if (s->lost) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(s->why, sizeof s->why, fmt, ap);
    va_end(ap);
    s->lost = true;
}

void slot_lose_one(struct slot *s, struct slot_one *o, const char *fmt, ...)
{
    (void)s;
    if (o->state == SLOT_LOST) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(o->why, sizeof o->why, fmt, ap);
    va_end(ap);
    o->state = SLOT_LOST;
}

/* ---- tasks ---- */

void slot_add(struct slot *s, const struct slot_task *task)
{
    const struct merge_conf mconf = {slot_piece_done, s};
    struct slot_one *o = MEM_NEW(struct slot_one);
    assert(slot_one_of(s, task->plan->lineage) == NULL);
    o->conf = *task;
    o->id = ++s->one_ids;
    o->written = -1;
    o->trial.step = task->after_death ? TRIAL_WAITS : TRIAL_NONE;
    o->state = SLOT_OPENING;
    o->task = task_new(task->plan, s->keys, &mconf);
    task_probe(o->task, s->probe);
    slot_party(s, o);
    *VEC_PUSH(&s->tasks) = o;
}

void slot_remove(struct slot *s, uint64_t lineage, enum slot_leave how)
{
    struct slot_one *o = slot_one_of(s, lineage);
    if (o != NULL && !o->leaving) {
        slot_ride_off(o);
        o->leaving = true;
        o->how = how;
        o->final = how == SLOT_LEAVE_FINAL ||
                   (how == SLOT_LEAVE_SAVED && s->conf.snapshot_ns > 0 && o->state == SLOT_LIVE);
    }
}

/* All that it did is committed, and all that had to be said. */
static bool is_done(const struct slot *s, const struct slot_one *o)
{
    if (o->state != SLOT_LIVE) {
        return o->state == SLOT_LOST || o->how == SLOT_LEAVE;
    }
    return !o->final && o->snap.state == SNAP_NONE && !slot_snap_sends(o) &&
           !task_is_dirty(o->task) && !slot_releases(s, o) &&
           (o->how < SLOT_LEAVE_FINAL || o->said);
}

/* What is committed may become readable a little later. Who takes the task over reads its journal
 * to the stable end, and must find the last record there. */
static bool is_readable(struct slot *s, struct slot_one *o)
{
    struct err err;
    if (o->written >= 0 && !o->readable && !o->asked) {
        o->asked = bus_bounds(s->bus, slot_journal_of(s, o), slot_tag(SLOT_TAG_LEAVE, 0, o->id),
                              &err) == 0;
    }
    return o->written < 0 || o->readable;
}

static void of_leaving(struct slot *s, const struct bus_ev *ev)
{
    VEC_EACH (&s->tasks, at) {
        struct slot_one *o = *at;
        if (o->id == (uint32_t)(ev->tag >> 32)) {
            o->asked = false;
            o->readable = ev->kind == BUS_EV_DONE && ev->end > o->written;
        }
    }
}

/* Those that are lost read no more; those that leave are gone when all they did is committed. */
static void let_go(struct slot *s)
{
    bool busy = s->sending || s->committing; /* tasks keep their numbers */
    for (size_t i = s->tasks.len; i > 0; i--) {
        struct slot_one *o = s->tasks.ptr[i - 1];
        if (o->beside) {
            continue;
        }
        if (o->state == SLOT_LOST) {
            slot_trial_end(s, o);
            slot_inputs_leave(s, o);
        }
        if (o->leaving && is_done(s, o) && !o->in_cut && !busy && is_readable(s, o)) {
            VEC_REMOVE(&s->tasks, i - 1);
            one_free(s, o);
        }
    }
}

/* ---- events ---- */

static void of_writer(struct slot *s, const struct bus_ev *ev)
{
    if (ev->kind == BUS_EV_OPENED) {
        slot_opened(s, ev);
    } else if (ev->kind == BUS_EV_ERROR) {
        bus_writer_close(s->writer);
        s->writer = NULL;
        slot_open(s);
    } else {
        slot_commit_event(s, ev);
    }
}

static void of_scan(struct slot *s, const struct bus_ev *ev)
{
    struct slot_scan *c = slot_scan_at(s, ev->tag);
    switch (c != NULL ? ev->kind : BUS_EV_TIMER) {
    case BUS_EV_RECORDS: slot_scan_records(s, c, ev); break;
    case BUS_EV_END: slot_scan_end(s, c, ev); break;
    case BUS_EV_ERROR: slot_scan_error(s, c, ev); break;
    default: break;
    }
}

void slot_on_event(struct slot *s, const struct bus_ev *ev)
{
    if (s->lost) {
        return;
    }
    switch ((enum slot_tag)(ev->tag & 0xff)) {
    case SLOT_TAG_OPEN:
    case SLOT_TAG_COMMIT: of_writer(s, ev); break;
    case SLOT_TAG_BOUNDS:
    case SLOT_TAG_SCAN_BOUNDS:
    case SLOT_TAG_JOURNAL: slot_journal_event(s, ev); break;
    case SLOT_TAG_SCAN: of_scan(s, ev); break;
    case SLOT_TAG_TIMER: s->timer_at = INT64_MAX; break;
    case SLOT_TAG_LEAVE: of_leaving(s, ev); break;
    case SLOT_TAG_PUT: slot_put_event(s, ev); break;
    case SLOT_TAG_LOW:
    case SLOT_TAG_LAG: slot_end_told(s, ev); break;
    case SLOT_TAG_TRIAL_OPEN:
    case SLOT_TAG_TRIAL_PUT: slot_trial_event(s, ev); break;
    }
}

/* ---- work ---- */

/* When nothing comes, time goes on all the same: from due timer to due timer. The time at which the
 * task wants to be looked at again. */
static int64_t tick(struct slot *s, struct slot_one *o)
{
    int64_t due = o->conf.idle_ns > 0 && !slot_is_amid(o) ? task_due(o->task) : TASK_NOT_DUE;
    if (due == TASK_NOT_DUE) {
        return INT64_MAX;
    }
    int64_t now = slot_now(s), since = slot_idle_since(o);
    if (since == INT64_MAX || task_plan(o->task)->led || !merge_is_empty(task_merge(o->task))) {
        return INT64_MAX;
    }
    if (now - since < o->conf.idle_ns) {
        return since + o->conf.idle_ns;
    }
    slot_ride_off(o);
    int64_t clock = merge_clock(task_merge(o->task));
    if (o->probe_from == 0) {
        o->probe_from = now;
        o->probe_clock = clock;
    }
    if (due <= o->probe_clock + (now - o->probe_from)) {
        o->heavy = !slot_amid_tick(s, o, MAX(due, clock));
        return now;
    }
    return o->probe_from + (due - o->probe_clock);
}

static void wake_at(struct slot *s, int64_t at)
{
    if (at < s->timer_at) {
        bus_at_cancel(s->bus, SLOT_TAG_TIMER);
        bus_at(s->bus, at, SLOT_TAG_TIMER);
        s->timer_at = at;
    }
}

static int64_t next_wake(const struct slot *s)
{
    int64_t at = s->sending ? s->not_before : INT64_MAX;
    bool busy = s->sending || s->committing || s->looking; /* an event will come */
    for (size_t i = 0; i < s->tasks.len && !busy; i++) {
        const struct slot_one *o = s->tasks.ptr[i];
        bool pages = o->state == SLOT_LIVE &&
                     (slot_snap_wants(o) || slot_snap_sends(o) || slot_releases(s, o));
        int64_t due = pages ? 0 : MIN(slot_cut_due(s, o), slot_snap_due(s, o));
        at = MIN(at, due == INT64_MAX ? due : MAX(due, s->last_commit + slot_interval(s)));
    }
    return MIN(at, slot_align_next(s));
}

static uint32_t most_of(const struct slot *s)
{
    return s->conf.takes > 0 ? s->conf.takes : SLOT_TAKES;
}

/* Of a run over a range, when a task could take nothing. */
static void run_out(struct slot *s, struct slot_one *o)
{
    if (task_has_ended(o->task)) {
        return;
    }
    if (!merge_is_over(task_merge(o->task))) {
        return;
    }
    if (task_approach(o->task, s->conf.range->to, most_of(s)) > 0) {
        s->at_hand = true;
    } else if (!task_is_full(o->task)) {
        task_end(o->task, s->conf.range->to);
    }
}

/* While a transaction is under way, the next one is not filled without bound: what it has would
 * wait in the memory of all who read it. */
static size_t put_of(const struct slot_one *o)
{
    size_t put = o->state == SLOT_LIVE && !slot_is_amid(o) ? task_put_bytes(o->task) : 0;
    return put <= TASK_PUT_MAX ? put : 0; /* a burst waits for its turn (slot_commit.c) */
}

static bool is_full(const struct slot *s)
{
    return s->put_bytes >= SLOT_PUT_ENOUGH && (s->sending || s->committing || s->looking);
}

bool slot_has_enough(const struct slot *s)
{
    return s->plenty || is_full(s);
}

/* Until others have waited long enough. What inputs cost is known when they are taken: from few to
 * many at a time while they cost little, one at a time when they cost much. True: more are at hand.
 */
static bool take_inputs(struct slot *s, struct slot_one *o, uint32_t most, uint32_t *ret_n)
{
    enum { PORTION = 256 };
    int64_t began = slot_now(s), before = began, now;
    uint32_t n = 0, got = 0, want;
    bool done;
    do {
        want = slot_is_amid(o) ? o->amid.want : MIN(most - n, MAX(o->portion, 1u));
        done = slot_amid_take(s, o, want, &got);
        n += got;
        now = slot_now(s);
        o->portion = !done || now - before >= LONG_NS / 2 ? 1 : MIN(2 * want, (uint32_t)PORTION);
        before = now;
    } while (done && got == want && n < most && now - began < LONG_NS - o->early_ns);
    o->heavy = !done || (n > 0 && now - began >= HEAVY_NS);
    o->busy_ns += n > 0 || !done ? now - began : 0;
    s->spent[SLOT_PART_INPUTS] += now - began;
    *ret_n = n;
    return !done || (n > 0 && got == want);
}

/* True: there is more at hand. Who has nothing rests until something is handed out to him. */
static bool take(struct slot *s, struct slot_one *o, uint32_t most, uint32_t *n)
{
    const struct merge *m = task_merge(o->task);
    slot_ride_off(o);
    if (!slot_is_amid(o)) {
        slot_party(s, o);
    }
    bool left = take_inputs(s, o, most, n);
    bool empty = !left && merge_is_empty(m);
    bool held = *n == 0 && !left && !empty && merge_holder(m) != UINT32_MAX;
    o->held_since = !held ? 0 : o->held_since > 0 ? o->held_since : slot_now(s);
    o->rests = empty;
    return left;
}

void slot_take_early(struct slot *s, struct slot_one *o)
{
    uint32_t sub, n = 0;
    int64_t offset, before = s->spent[SLOT_PART_INPUTS];
    if (o->heavy || o->early_ns >= LONG_NS || is_full(s) || slot_amid_waits(s, o) ||
        !merge_peek(task_merge(o->task), &sub, &offset)) {
        return;
    }
    size_t put = put_of(o);
    (void)take(s, o, most_of(s), &n);
    if (!slot_is_amid(o)) {
        slot_party(s, o); /* its rules may be there only now */
    }
    s->put_bytes += put_of(o) - put;
    o->early_ns += s->spent[SLOT_PART_INPUTS] - before;
}

/* Of tasks whose inputs cost much one has a turn in each step, so that the others wait for one such
 * input, and not for all. NULL: there is none. */
static const struct slot_one *whose_turn(struct slot *s)
{
    const struct slot_one *first = NULL, *next = NULL;
    VEC_EACH (&s->tasks, at) {
        const struct slot_one *o = *at;
        if (o->heavy && !o->rests && (first == NULL || o->id < first->id)) {
            first = o;
        }
        if (o->heavy && !o->rests && o->id > s->heavy_last && (next == NULL || o->id < next->id)) {
            next = o;
        }
    }
    next = next != NULL ? next : first;
    s->heavy_last = next != NULL ? next->id : 0;
    return next;
}

static bool live_step(struct slot *s)
{
    uint32_t most = most_of(s);
    bool more = false;
    bool full = is_full(s);
    slot_align(s);
    slot_gaps(s);
    slot_room(s);
    const struct slot_one *turn = whose_turn(s);
    s->put_bytes = 0;
    s->at_hand = s->plenty = false;
    s->amids.begun_ns = 0;
    slot_trials_write(s);
    VEC_EACH (&s->tasks, at) {
        struct slot_one *o = *at;
        int64_t wake = INT64_MAX;
        more |= slot_snap_slice(s, o, &wake);
        wake_at(s, wake);
        bool amid = slot_is_amid(o), heavy = o->heavy;
        size_t put = put_of(o);
        s->put_bytes += put;
        bool stands = s->draining || o->leaving || (full && put > 0);
        if (o->state != SLOT_LIVE || (stands && !amid)) {
            continue;
        }
        uint32_t n = 0;
        bool waits = (heavy && o != turn) || slot_amid_waits(s, o);
        if (waits && !o->rests) { /* who rests has nothing to take, but time passes */
            s->at_hand = true;
            continue;
        }
        if (!o->rests || o->trial.step != TRIAL_NONE) {
            bool left = take(s, o, most, &n);
            s->at_hand |= left;
            s->plenty |= left && !heavy && !o->heavy;
            s->put_bytes += put_of(o) - put;
        }
        o->early_ns = 0;
        wake_at(s, slot_trial_wake(s, o));
        if (s->conf.range == NULL) {
            wake_at(s, tick(s, o));
        } else if (n == 0) {
            run_out(s, o);
        }
    }
    int64_t began = slot_now(s);
    slot_commit_step(s);
    s->spent[SLOT_PART_COMMIT] += slot_now(s) - began;
    slot_ask_ends(s);
    wake_at(s, next_wake(s));
    return more || s->at_hand;
}

bool slot_step(struct slot *s)
{
    bool more = false;
    if (!s->lost && slot_begin_step(s)) {
        wake_at(s, slot_now(s) + BESIDE_NS);
    }
    if (!s->lost && s->open) {
        let_go(s);
        slot_load_begin(s);
        slot_scans_join(s);
        more = slot_replay_step(s);
    }
    return !s->lost && (live_step(s) || more);
}

void slot_drain(struct slot *s)
{
    VEC_EACH (&s->tasks, o) {
        slot_ride_off(*o);
    }
    s->draining = true;
    s->last_commit = INT64_MIN / 2;
}

bool slot_is_drained(const struct slot *s)
{
    bool left = s->sending || s->committing || s->looking;
    VEC_EACH (&s->tasks, at) {
        const struct slot_one *o = *at;
        left |=
            o->in_cut || (o->state == SLOT_LIVE && task_is_dirty(o->task)) || slot_releases(s, o);
    }
    return s->lost || !left;
}

enum slot_state slot_state(const struct slot *s)
{
    enum slot_state state = s->open ? SLOT_LIVE : SLOT_OPENING;
    VEC_EACH (&s->tasks, o) {
        state = MIN(state, (*o)->state);
    }
    return s->lost ? SLOT_LOST : state;
}

struct slot_one *slot_one_of(const struct slot *s, uint64_t lineage)
{
    uint32_t i = slot_find(s, lineage);
    return i != UINT32_MAX ? s->tasks.ptr[i] : NULL;
}

uint32_t slot_find(const struct slot *s, uint64_t lineage)
{
    for (size_t i = 0; i < s->tasks.len; i++) {
        if (s->tasks.ptr[i]->conf.plan->lineage == lineage) {
            return (uint32_t)i;
        }
    }
    return UINT32_MAX;
}

uint32_t slot_find_near(const struct slot *s, uint64_t lineage, uint32_t at)
{
    bool there = at < s->tasks.len && s->tasks.ptr[at]->conf.plan->lineage == lineage;
    return there ? at : slot_find(s, lineage);
}

uint32_t slot_tasks(const struct slot *s)
{
    return (uint32_t)s->tasks.len;
}

enum slot_state slot_task_state(const struct slot *s, uint32_t i)
{
    assert(i < s->tasks.len);
    return s->lost ? SLOT_LOST : s->tasks.ptr[i]->state;
}

bool slot_task_is_gone(const struct slot *s, uint32_t i)
{
    assert(i < s->tasks.len);
    return s->tasks.ptr[i]->how == SLOT_LEAVE_DELETED && s->tasks.ptr[i]->said;
}

uint64_t slot_task_awaits(const struct slot *s, uint32_t i)
{
    assert(i < s->tasks.len);
    return s->tasks.ptr[i]->state == SLOT_LOST ? s->tasks.ptr[i]->awaits : 0;
}

bool slot_task_is_unreleased(const struct slot *s, uint32_t i)
{
    assert(i < s->tasks.len);
    return s->tasks.ptr[i]->state == SLOT_LOST && s->tasks.ptr[i]->unreleased;
}

const char *slot_task_why(const struct slot *s, uint32_t i)
{
    const struct slot_one *o = s->tasks.ptr[i];
    const struct err *failed = o->beside ? NULL : task_failed(o->task);
    return s->lost ? s->why : failed != NULL ? failed->msg : o->why;
}

bool slot_is_finished(const struct slot *s)
{
    bool ended = s->open && s->tasks.len > 0;
    VEC_EACH (&s->tasks, o) {
        ended &= (*o)->state == SLOT_LIVE && task_has_ended((*o)->task);
    }
    return ended && slot_is_drained(s);
}

bool slot_is_fenced(const struct slot *s)
{
    return s->fenced;
}

const char *slot_why(const struct slot *s)
{
    return s->why;
}

struct task *slot_task(struct slot *s, uint32_t i)
{
    assert(i < s->tasks.len);
    slot_ride_off(s->tasks.ptr[i]);
    return s->tasks.ptr[i]->beside ? NULL : s->tasks.ptr[i]->task;
}
