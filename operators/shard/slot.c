/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a slot. See slot.h.
 */
#include "core/base/mem.h"
#include "operators/shard/slot_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { PIECES_MAX = 1 << 24, KEYS_MAX = 1 << 20, KEYS_BYTES = 64 << 20 };

int slot_new(struct bus_client *bus, const struct slot_conf *conf, const struct slot_task *tasks,
             uint32_t n, struct slot **ret, struct err *reterr)
{
    assert(n > 0 && conf->commit_ns > 0);
    struct slot *s = MEM_NEW(struct slot);
    s->bus = bus;
    s->clock = bus_clock(bus);
    s->conf = *conf;
    s->n_tasks = n;
    s->timer_at = INT64_MAX;
    s->tasks = mem_calloc(n, sizeof *s->tasks);
    s->keys = intern_new(KEYS_MAX, KEYS_BYTES);
    s->reg = schema_reg_new((struct schema_source){NULL, NULL});
    s->decoder = batch_in_new(BATCH_LIMITS, s->keys, s->reg);
    s->pieces = pool_new("pieces", sizeof(struct slot_piece), PIECES_MAX);
    s->reader = bus_reader_new(bus);
    if (conf->range != NULL && conf->range->source != NULL) {
        s->source = bus_reader_new(conf->range->source);
    }
    const struct merge_conf mconf = {slot_piece_done, s};
    for (uint32_t i = 0; i < n; i++) {
        s->tasks[i].conf = &tasks[i];
        s->tasks[i].task = task_new(tasks[i].plan, s->keys, &mconf);
    }
    slot_scans_make(s);
    slot_open(s);
    if (s->state == SLOT_LOST) {
        int rc = err_set(reterr, ERR_UNAVAILABLE, "%s", s->why);
        slot_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void slot_free(struct slot *s)
{
    if (s == NULL) {
        return;
    }
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        task_free(s->tasks[i].task);
        VEC_EACH (&s->tasks[i].journal, r) {
            mem_free(r->bytes);
        }
        VEC_DONE(&s->tasks[i].journal);
        slot_snap_done(&s->tasks[i].snap);
        arena_free(s->tasks[i].arena);
    }
    slot_scans_free(s);
    if (s->writer != NULL) {
        bus_writer_close(s->writer);
    }
    if (s->reader != NULL) {
        bus_reader_free(s->reader);
    }
    if (s->source != NULL) {
        bus_reader_free(s->source);
    }
    VEC_DONE(&s->journals);
    batch_in_free(s->decoder);
    schema_reg_free(s->reg);
    pool_free(s->pieces, 0);
    intern_free(s->keys);
    mem_free(s->tasks);
    mem_free(s);
}

void slot_abandon(struct slot *s)
{
    s->writer = NULL;
    s->reader = s->source = NULL;
    s->state = SLOT_LOST;
    slot_free(s);
}

void slot_lose(struct slot *s, const char *fmt, ...)
{
    if (s->state == SLOT_LOST) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(s->why, sizeof s->why, fmt, ap);
    va_end(ap);
    s->state = SLOT_LOST;
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
    uint32_t scan = (uint32_t)(ev->tag >> 8);
    switch (ev->kind) {
    case BUS_EV_RECORDS: slot_scan_records(s, scan, ev); break;
    case BUS_EV_END: slot_scan_end(s, scan, ev->offset); break;
    case BUS_EV_ERROR: slot_scan_error(s, scan, ev); break;
    default: break;
    }
}

void slot_on_event(struct slot *s, const struct bus_ev *ev)
{
    if (s->state == SLOT_LOST) {
        return;
    }
    switch ((enum slot_tag)(ev->tag & 0xff)) {
    case SLOT_TAG_OPEN:
    case SLOT_TAG_COMMIT: of_writer(s, ev); break;
    case SLOT_TAG_BOUNDS:
    case SLOT_TAG_JOURNAL: slot_journal_event(s, ev); break;
    case SLOT_TAG_SCAN: of_scan(s, ev); break;
    case SLOT_TAG_TIMER: s->timer_at = INT64_MAX; break;
    case SLOT_TAG_PUT: slot_put_event(s, ev); break;
    }
}

/* ---- work ---- */

/* When nothing comes, time goes on all the same: from due timer to due timer. The time at which the
 * task wants to be looked at again. */
static int64_t tick(struct slot *s, uint32_t i)
{
    struct slot_one *o = &s->tasks[i];
    int64_t now = slot_now(s), since = slot_idle_since(s, i), due = task_due(o->task);
    if (s->conf.idle_ns == 0 || since == INT64_MAX || due == TASK_NOT_DUE ||
        !merge_is_empty(task_merge(o->task))) {
        return INT64_MAX;
    }
    if (now - since < s->conf.idle_ns) {
        return since + s->conf.idle_ns;
    }
    int64_t clock = merge_clock(task_merge(o->task));
    if (o->probe_from == 0) {
        o->probe_from = now;
        o->probe_clock = clock;
    }
    if (due <= o->probe_clock + (now - o->probe_from)) {
        task_tick(o->task, MAX(due, clock));
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
    for (uint32_t i = 0; i < s->n_tasks && !busy; i++) {
        if (task_is_dirty(s->tasks[i].task) || slot_snap_sends(&s->tasks[i])) {
            at = s->last_commit + s->conf.commit_ns;
        }
    }
    VEC_EACH (&s->scans, c) {
        if (c->aligned && c->end_since != INT64_MAX) {
            int64_t ready = c->end_since + s->conf.align_ns;
            at = ready > slot_now(s) ? MIN(at, ready) : at;
        }
    }
    return at;
}

/* Of a run over a range, when a task could take nothing. */
static void run_out(struct slot *s, uint32_t i)
{
    struct task *t = s->tasks[i].task;
    if (task_has_ended(t)) {
        return;
    }
    if (merge_is_over(task_merge(t))) {
        task_end(t, s->conf.range->to);
    } else {
        slot_make_room(s, i);
    }
}

static bool live_step(struct slot *s)
{
    uint32_t most = s->conf.takes > 0 ? s->conf.takes : SLOT_TAKES;
    bool more = false;
    slot_align(s);
    for (uint32_t i = 0; i < s->n_tasks && !s->draining; i++) {
        uint32_t n = 0;
        if (task_put_bytes(s->tasks[i].task) < SLOT_PARCEL_MAX) {
            n = task_work(s->tasks[i].task, most);
        }
        more |= n == most;
        if (s->conf.range == NULL) {
            wake_at(s, tick(s, i));
        } else if (n == 0) {
            run_out(s, i);
        }
    }
    slot_commit_step(s);
    wake_at(s, next_wake(s));
    return more;
}

bool slot_step(struct slot *s)
{
    switch (s->state) {
    case SLOT_REPLAY: return slot_replay_step(s);
    case SLOT_LIVE: return live_step(s);
    default: return false;
    }
}

void slot_drain(struct slot *s)
{
    s->draining = true;
    s->last_commit = INT64_MIN / 2;
}

bool slot_is_drained(const struct slot *s)
{
    bool left = s->sending || s->committing || s->looking;
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        left |= s->tasks[i].in_cut || (s->state == SLOT_LIVE && task_is_dirty(s->tasks[i].task));
    }
    return s->state == SLOT_LOST || !left;
}

enum slot_state slot_state(const struct slot *s)
{
    return s->state;
}

bool slot_is_finished(const struct slot *s)
{
    bool ended = s->state == SLOT_LIVE;
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        ended &= task_has_ended(s->tasks[i].task);
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

struct slot_counts slot_counts(const struct slot *s)
{
    return s->counts;
}

struct task *slot_task(struct slot *s, uint32_t i)
{
    assert(i < s->n_tasks);
    return s->tasks[i].task;
}
