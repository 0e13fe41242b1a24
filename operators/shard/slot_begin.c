/* SPDX-License-Identifier: Apache-2.0
 *
 * How tasks begin when their snapshots and journals have been read: with the state of a snapshot,
 * their own or that of the rules before them, or with none; then behind what their journal says.
 *
 * States may be large, or of many rules: those of a load that are, together, are made by a thread
 * beside, while the slot serves its other tasks. Nobody looks at such a task meanwhile
 * (slot_one.beside), and what it shares with the slot is not touched there: the thread has its
 * engine and what was read of its snapshot.
 */
#include "core/base/mem.h"
#include "operators/shard/slot_floor.h"
#include "operators/shard/slot_impl.h"
#include "operators/shard/task_gap.h"

#include <assert.h>
#include <pthread.h>

/* A byte of rules takes about as long to deploy as so many of state to load. */
enum { RECORD_ARENA = 64 << 20, RULES_AS_STATE = 256 };

struct slot_beside {
    pthread_t thread;
    atomic_bool ended;
    VEC(struct slot_one *) tasks;
};

/* A snapshot before it lacks something. */
static bool has_news(const struct journal_record *r)
{
    bool any = r->takes > 0;
    for (uint32_t i = 0; i < r->n_decisions; i++) {
        const enum journal_kind kind = r->decisions[i].kind;
        any |= kind != JOURNAL_RELEASE && kind != JOURNAL_TAKEN;
    }
    return any;
}

bool slot_next_record(struct slot *s, struct slot_one *o)
{
    struct err err;
    const struct slot_record *r = &o->journal.ptr[o->at++];
    uint64_t sum;
    arena_reset(o->arena);
    int rc = journal_read(slice_of(r->bytes, r->len), o->arena, &o->record, &sum, &err);
    rc = rc == 0 ? task_replay(o->task, &o->record, r->offset, sum, &err) : rc;
    if (rc != 0) {
        slot_lose_one(s, o, "%s", err.msg);
    } else if (has_news(&o->record)) {
        o->snap.behind = slot_now(s);
    }
    return rc == 0;
}

void slot_drop_records(struct slot_one *o)
{
    VEC_EACH (&o->journal, r) {
        mem_free(r->bytes);
    }
    VEC_DONE(&o->journal);
}

void slot_forget_journal(struct slot_one *o)
{
    slot_drop_records(o);
    arena_free(o->arena);
    o->arena = NULL;
}

static void seek_fresh(const struct slot *s, struct slot_one *o)
{
    VEC_EACH (&o->inputs, at) {
        const struct slot_input *in = *at;
        for (uint32_t k = 0; k < in->n; k++) {
            bool first = (o->conf.from_start || s->conf.range != NULL) && !o->start.lost;
            int64_t from = first ? in->scan->start : in->scan->end;
            task_seek(o->task, in->first + k, (struct merge_pos){from, 0});
        }
    }
}

/* ---- what it begins with ---- */

/* The rules have changed: they begin where their predecessors ended; what is the same goes on, if
 * those left their state. */
static bool succeeds(const struct slot_one *o)
{
    return o->journal.len > 0 && (o->ended || o->last_plan != o->conf.plan->hash);
}

static void prepare_own(struct slot *s, struct slot_one *o)
{
    bool took = o->took > 0 && o->snap.there && o->took == o->snap.root.seq;
    if (o->snap.found) {
        o->start.with = SLOT_WITH_OWN;
    } else if (o->journal.len == 0) {
        seek_fresh(s, o);
    } else if (took) {
        o->start.with = SLOT_WITH_FORMER;
    } else if (o->took > 0) {
        slot_lose_one(s, o, "'" SLICE_FMT "': the state it began with is gone",
                      SLICE_ARG(o->conf.plan->name));
    }
}

/* Whoever had it lives, and may be writing to its journal; not if its graph was deleted and nothing
 * of it is left. */
static bool is_unreleased(struct slot *s, struct slot_one *o)
{
    bool gone = o->ended && !o->kept && slot_snap_is_gone(o) && !slot_note_is_swept(o);
    o->unreleased = o->conf.moved && !o->released && !gone;
    if (o->unreleased) {
        slot_lose_one(s, o, "the slot that had it has not let it go yet");
    }
    return o->unreleased;
}

/* What a newer program has saved is not passed over. */
static bool is_newer(struct slot *s, struct slot_one *o)
{
    unsigned format = snap_set_newer(slot_snap_set(o));
    if (format > 0) {
        slot_lose_one(s, o,
                      "'" SLICE_FMT "' has a snapshot of format %u, of a newer program; this one "
                      "reads %d",
                      SLICE_ARG(o->conf.plan->name), format, SNAP_FORMAT);
    }
    return format > 0;
}

/* Nobody carried it on, and its state was removed: as if those who had it had said that they ended.
 */
static void take_sweep(struct slot_one *o)
{
    if (slot_note_is_swept(o)) {
        o->ended = true;
        o->kept = false;
    }
}

static void prepare(struct slot *s, struct slot_one *o)
{
    o->start = (struct slot_start){.with = SLOT_WITH_NOTHING};
    take_sweep(o);
    if (is_unreleased(s, o) || is_newer(s, o)) {
        return;
    }
    if (o->conf.asks && succeeds(o) && !o->ended) {
        o->awaits = o->last_plan;
        slot_lose_one(s, o, "the rules before these have not ended");
        return;
    }
    slot_trial_count(o);
    o->start.lost = s->conf.range == NULL && slot_note_says_lost(o);
    if (succeeds(o)) {
        bool left = o->kept && o->life == o->conf.plan->life;
        left = left && o->snap.there && o->snap.root.plan == o->last_plan;
        seek_fresh(s, o);
        o->start.with = left ? SLOT_WITH_FORMER : SLOT_WITH_NOTHING;
    } else {
        prepare_own(s, o);
    }
}

/* ---- its state ---- */

/* Any thread. */
static void make_state(struct slot_one *o)
{
    struct slot_start *x = &o->start;
    struct snap_set *set = slot_snap_set(o);
    size_t n = 0;
    x->rc = snap_set_root(set) != NULL ? snap_set_open(set, &x->err) : 0;
    const struct save_chunk *chunks = snap_set_chunks(set, &n);
    if (x->rc == 0 && x->with == SLOT_WITH_OWN) {
        x->rc = task_load(o->task, chunks, n, &x->err);
    } else if (x->rc == 0 && x->with == SLOT_WITH_FORMER) {
        x->rc = task_succeed_load(o->task, chunks, n, &x->got, &x->err);
    }
}

/* What it takes, in bytes of state. */
static uint64_t size_of(struct slot_one *o)
{
    const struct task_plan *p = o->conf.plan;
    uint64_t text = 0;
    if (o->start.with == SLOT_WITH_NOTHING || snap_set_root(slot_snap_set(o)) == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < p->n_modules; i++) {
        text += p->modules[i].text.len;
    }
    return o->snap.root.bytes + RULES_AS_STATE * text;
}

static void take_state(struct slot *s, struct slot_one *o)
{
    struct slot_start *x = &o->start;
    const struct snap_root *root = &o->snap.root;
    size_t n = 0;
    const struct save_chunk *chunks = snap_set_chunks(o->snap.set, &n);
    if (x->rc == 0 && x->with == SLOT_WITH_OWN) {
        x->rc = task_loaded(o->task, chunks, n, &root->state, &x->err);
    } else if (x->rc == 0 && x->with == SLOT_WITH_FORMER) {
        x->rc = task_succeed_loaded(o->task, chunks, n, root->seq, &x->err);
        s->counts.succeeded.kept += x->got.kept;
        s->counts.succeeded.begun += x->got.begun;
        s->counts.succeeded.dropped += x->got.dropped;
    } else if (x->rc == 0 && succeeds(o) && !o->ended && !x->lost) {
        x->known = slot_former_seek(o);
    }
    if (x->rc != 0) {
        slot_lose_one(s, o, "'" SLICE_FMT "': %s", SLICE_ARG(o->conf.plan->name), x->err.msg);
    } else if (x->with != SLOT_WITH_NOTHING) {
        slot_snap_began(s, o, x->with == SLOT_WITH_OWN);
    }
    snap_set_close(o->snap.set);
}

/* ---- its journal ---- */

static void go_behind(struct slot *s, struct slot_one *o)
{
    struct err err;
    struct arena *a = arena_new(NULL, "journal record", RECORD_ARENA);
    const struct slot_record *r = VEC_LAST(&o->journal);
    struct journal_record rec;
    uint64_t sum;
    if (journal_read(slice_of(r->bytes, r->len), a, &rec, &sum, &err) == 0) {
        task_succeed(o->task, &rec, r->offset, sum);
        slot_former_lost(o);
    } else {
        slot_lose_one(s, o, "%s", err.msg);
    }
    arena_free(a);
    slot_drop_records(o);
}

/* Of a graph that is deleted: what was is not played again, for its last record says that nothing
 * of it goes on. Where that is said already, or nothing ever was, there is nothing to be done. */
static void end_task(struct slot *s, struct slot_one *o)
{
    take_sweep(o);
    bool never = o->journal.len == 0 && !o->conf.moved; /* else its first record may come yet */
    bool gone = never || (o->ended && !o->kept);
    if (gone && slot_snap_is_gone(o)) {
        o->said = true;
        slot_lose_one(s, o, "it has ended");
        return;
    }
    if (is_unreleased(s, o)) {
        return;
    }
    o->state = SLOT_REPLAY;
    seek_fresh(s, o);
    if (o->journal.len > 0) {
        go_behind(s, o);
    }
}

static void begin_task(struct slot *s, struct slot_one *o)
{
    o->state = SLOT_REPLAY;
    take_state(s, o);
    if (o->state == SLOT_REPLAY && succeeds(o)) {
        go_behind(s, o);
    }
    if (o->state == SLOT_REPLAY && o->start.lost) {
        slot_gap_lost(s, o);
    }
    if (o->state == SLOT_REPLAY && slot_gap_in_journal(s, o)) {
        slot_gap_begin(s, o);
    } else if (o->state == SLOT_REPLAY && o->journal.len > 0) {
        o->arena = arena_new(NULL, "journal record", RECORD_ARENA);
        (void)slot_next_record(s, o);
    }
    slot_floor_begins(o);
}

/* ---- beside ---- */

static void *run(void *arg)
{
    struct slot_beside *b = arg;
    VEC_EACH (&b->tasks, o) {
        make_state(*o);
    }
    atomic_store(&b->ended, true);
    return NULL;
}

/* Tasks that were lost meanwhile, because an input is missing, stay so. */
static void begin_all(struct slot *s, struct slot_beside *b)
{
    VEC_EACH (&b->tasks, at) {
        (*at)->beside = false;
        if ((*at)->state == SLOT_JOURNAL) {
            begin_task(s, *at);
        }
    }
    VEC_DONE(&b->tasks);
    mem_free(b);
}

void slot_begin(struct slot *s, uint32_t load)
{
    struct slot_load *l = &s->loads[load];
    struct slot_beside *b = MEM_NEW(struct slot_beside);
    uint64_t bytes = 0;
    VEC_EACH (&s->tasks, at) {
        struct slot_one *o = *at;
        if (o->state == SLOT_JOURNAL && o->load == load) {
            (o->conf.ends ? end_task : prepare)(s, o);
        }
        if (o->state == SLOT_JOURNAL && o->load == load) {
            *VEC_PUSH(&b->tasks) = o;
            bytes += size_of(o);
        }
    }
    bool large = s->conf.beside_bytes > 0 && bytes >= s->conf.beside_bytes;
    VEC_EACH (&b->tasks, at) {
        (*at)->beside = large;
    }
    if (large && pthread_create(&b->thread, NULL, run, b) == 0) {
        l->phase = LOAD_BESIDE;
        l->beside = b;
        return;
    }
    (void)run(b);
    l->phase = LOAD_CATCH_UP;
    begin_all(s, b);
    slot_scans_begin(s, load);
}

static void join(struct slot_load *l, struct slot_beside **ret)
{
    pthread_join(l->beside->thread, NULL);
    *ret = l->beside;
    l->beside = NULL;
}

bool slot_begin_step(struct slot *s)
{
    bool waits = false;
    for (uint32_t i = 0; i < SLOT_CATCH_UPS; i++) {
        struct slot_load *l = &s->loads[i];
        struct slot_beside *b;
        if (l->phase == LOAD_BESIDE && atomic_load(&l->beside->ended)) {
            join(l, &b);
            l->phase = LOAD_CATCH_UP;
            begin_all(s, b);
            slot_scans_begin(s, i);
        }
        waits |= l->phase == LOAD_BESIDE;
    }
    return waits;
}

void slot_begin_end(struct slot *s)
{
    for (uint32_t i = 0; i < SLOT_CATCH_UPS; i++) {
        struct slot_beside *b;
        if (s->loads[i].beside != NULL) {
            join(&s->loads[i], &b);
            VEC_DONE(&b->tasks);
            mem_free(b);
        }
    }
}
