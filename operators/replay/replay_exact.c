/* SPDX-License-Identifier: Apache-2.0
 *
 * See replay_exact.h. Input is read only when the merge waits for it, so that no more is held in
 * memory than authors of a partition are apart.
 */
#include "operators/replay/replay_exact.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/codec/endian.h"
#include "operators/replay/replay_floor.h"
#include "operators/shard/task_state.h"
#include "operators/state/snap_archive.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    KEYS_MAX = 1 << 20,
    KEYS_BYTES = 64 << 20,
    RECORD_ARENA = 64 << 20,
    PIECE_ARENA = 64 << 20,
    SPARE_MAX = 64,
    TAKES = 65536,
};

struct input { /* a partition */
    struct slice topic;
    uint32_t part, first, n; /* its sub-streams */
    struct tape *tape;
};

struct player {
    const struct replay_exact *x;
    struct replay_report *report;
    struct intern *keys;
    struct schema_reg *reg;
    struct batch_in *decoder;
    struct task *task; /* NULL: no record of these rules has begun yet */
    struct replay_outputs *outputs;
    VEC(struct input) inputs;
    VEC(struct arena *) spare;
    struct arena *arena;           /* of the record being played */
    int64_t time_ms;               /* of that record, in the journal */
    int64_t clock;                 /* behind the record before */
    struct snap_archive_root root; /* that the task was restored from; seq 0: none */
    struct buf pages;
    bool held, opened; /* that record is in the range; inputs are open */
    bool cut;          /* retention has removed records of the journal that come behind the root */
    struct err err;    /* of what was called back */
};

static void piece_done(void *arg, void *owner)
{
    struct player *p = arg;
    if (p->spare.len < SPARE_MAX) {
        arena_reset(owner);
        *VEC_PUSH(&p->spare) = owner;
    } else {
        arena_free(owner);
    }
}

/* ---- inputs ---- */

static void list_inputs(struct player *p)
{
    const struct task_plan *plan = p->x->task->plan;
    for (uint32_t i = 0; i < plan->n_subs; i++) {
        struct input *last = p->inputs.len > 0 ? VEC_LAST(&p->inputs) : NULL;
        struct slice topic = p->x->task->topics[plan->subs[i].topic];
        if (last != NULL && last->part == plan->subs[i].part && slice_eq(last->topic, topic)) {
            last->n++;
        } else {
            *VEC_PUSH(&p->inputs) =
                (struct input){.topic = topic, .part = plan->subs[i].part, .first = i, .n = 1};
        }
    }
}

/* Where the task stands now. */
static int open_inputs(struct player *p, uint64_t seq, struct err *reterr)
{
    const struct merge *m = task_merge(p->task);
    VEC_EACH (&p->inputs, in) {
        int64_t from = INT64_MAX;
        for (uint32_t k = 0; k < in->n; k++) {
            from = MIN(from, merge_pos(m, in->first + k).offset);
        }
        tape_close(in->tape);
        in->tape = NULL;
        int rc = tape_open(p->x->tapes, in->topic, in->part, from, &in->tape, reterr);
        if (rc != 0) {
            return rc;
        }
        if (tape_start(in->tape) > from) {
            char why[200];
            (void)snprintf(why, sizeof why,
                           "record %" PRIu64 " needs %.*s/%u from offset %" PRId64
                           ", retention has removed what is before %" PRId64,
                           seq, (int)MIN(in->topic.len, 80u), in->topic.ptr, in->part, from,
                           tape_start(in->tape));
            return replay_floor_refuse(p->x, why, reterr);
        }
    }
    p->opened = true;
    return 0;
}

static uint32_t sub_of(const struct player *p, const struct input *in, uint64_t author)
{
    const struct merge_spec *subs = p->x->task->plan->subs;
    for (uint32_t i = in->first; i < in->first + in->n; i++) {
        if (subs[i].author == author || subs[i].author == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void push(struct player *p, const struct input *in, const struct bus_record *r)
{
    struct head head = {.mark = MERGE_NO_MARK};
    struct rec_batch b = {0};
    struct err err;
    bool of_task = head_of(r, &head);
    uint32_t sub = sub_of(p, in, of_task ? head.lineage : 0);
    if (sub == UINT32_MAX || head.end) {
        return;
    }
    struct arena *a =
        p->spare.len > 0 ? p->spare.ptr[--p->spare.len] : arena_new(NULL, "input", PIECE_ARENA);
    int bad = 0;
    if (r->value.len > 0) {
        struct slice bytes = arena_copy(a, r->value);
        bad = bytes.ptr == NULL ? ERR_LIMIT : -batch_in_read(p->decoder, a, bytes, &b, &err);
    }
    const struct merge_piece piece = {.offset = r->offset,
                                      .events = b.events,
                                      .n = b.events_len,
                                      .mark = head.mark,
                                      .bad = bad,
                                      .first = head.first,
                                      .owner = a};
    merge_push(task_merge(p->task), sub, &piece);
}

/* A record of the partition that is waited for. */
static int feed(struct player *p, uint64_t seq, struct err *reterr)
{
    uint32_t holder = merge_holder(task_merge(p->task));
    struct input *in = NULL;
    const struct bus_record *r;
    VEC_EACH (&p->inputs, i) {
        in = holder >= i->first && holder < i->first + i->n ? i : in;
    }
    if (in == NULL) {
        return err_set(reterr, ERR_CORRUPT,
                       "record %" PRIu64 " says that more was taken than the topics have", seq);
    }
    int rc = tape_next(in->tape, &r, reterr);
    if (rc == 0) {
        return err_set(reterr, ERR_CORRUPT,
                       "record %" PRIu64 " took more from " SLICE_FMT " partition %u than is there",
                       seq, SLICE_ARG(in->topic), in->part);
    }
    if (rc == 1) {
        push(p, in, r);
    }
    return MIN(rc, 0);
}

/* ---- records ---- */

static void note(struct player *p, uint64_t seq, unsigned bits)
{
    struct replay_report *r = p->report;
    if (r->first_difference[0] == '\0') {
        (void)snprintf(r->first_difference, sizeof r->first_difference,
                       "record %" PRIu64 " came out otherwise:%s%s%s%s", seq,
                       (bits & TASK_DIFFERS_EVENTS) != 0 ? " the sum of its events" : "",
                       (bits & TASK_DIFFERS_NUMBERS) != 0 ? " their number" : "",
                       (bits & TASK_DIFFERS_CLOCK) != 0 ? " the clock" : "",
                       (bits & TASK_DIFFERS_STATE) != 0 ? " the state" : "");
    }
}

static void on_record(void *arg, const struct journal_record *r, const struct parcel *parcel,
                      unsigned differs)
{
    struct player *p = arg;
    struct replay_report *to = p->report;
    bool other = r->engine != JOURNAL_ENGINE_NUMBER;
    to->unchecked += other;
    to->inputs += r->takes;
    to->before += !p->held;
    if (p->held) {
        to->records++;
        to->states += r->has_state;
        to->clock_from = to->first == 0 ? p->clock : to->clock_from;
        to->first = to->first == 0 ? r->seq : to->first;
        to->last = r->seq;
        to->clock = r->clock;
        if (replay_outputs_hold(p->outputs, r, p->time_ms, parcel, p->x->on_event, p->x->arg,
                                &p->err) != 0) {
            assert(p->err.code != 0);
        }
    }
    if (differs != 0) {
        to->differ++;
        const char *first = replay_outputs_first(p->outputs);
        if (first[0] != '\0' && to->first_difference[0] == '\0') {
            (void)snprintf(to->first_difference, sizeof to->first_difference, "%s", first);
        }
        note(p, r->seq, differs);
    }
}

static void begin_task(struct player *p)
{
    const struct merge_conf conf = {piece_done, p};
    task_free(p->task);
    p->task = task_new(p->x->task->plan, p->keys, &conf);
    task_watch_replay(p->task, (struct task_watch){on_record, p});
    p->opened = false;
}

static int play(struct player *p, const struct journal_record *r, int64_t offset, uint64_t sum,
                struct err *reterr)
{
    int rc = task_replay(p->task, r, offset, sum, reterr);
    if (rc == 0 && !p->opened) {
        rc = open_inputs(p, r->seq, reterr);
    }
    const uint32_t takes = p->x->takes > 0 ? p->x->takes : TAKES;
    uint32_t taken = task_work(p->task, takes);
    while (rc == 0 && task_replaying(p->task)) {
        rc = taken < takes ? feed(p, r->seq, reterr) : 0;
        taken = task_work(p->task, takes);
    }
    rc = rc == 0 ? task_replayed(p->task, reterr) : rc;
    rc = rc == -ERR_MISMATCH ? 0 : rc; /* on_record has seen it */
    if (rc == 0 && p->err.code != 0) {
        *reterr = p->err;
        rc = -(int)p->err.code;
    }
    if (rc == 0 && task_failed(p->task) != NULL) {
        *reterr = *task_failed(p->task);
        rc = -(int)reterr->code;
    }
    return rc;
}

/* Nothing was there to begin with. Behind the beginning of the range that is a refusal. */
static int take_headless(struct player *p, const struct journal_record *r, struct err *reterr)
{
    char why[100];
    p->report->headless++;
    if (r->clock == MERGE_NO_CLOCK || r->clock < p->x->from) {
        return 0;
    }
    (void)snprintf(why, sizeof why, "nothing is left to begin with before record %" PRIu64, r->seq);
    return replay_floor_refuse(p->x, why, reterr);
}

/* 1: it lies behind the range. */
static int take_record(struct player *p, const struct bus_record *b, struct err *reterr)
{
    struct journal_record r;
    uint64_t sum;
    arena_reset(p->arena);
    int rc = journal_read(arena_copy(p->arena, b->value), p->arena, &r, &sum, reterr);
    if (rc != 0) {
        return rc;
    }
    if (r.seq <= p->root.root.seq) {
        return 0; /* the archived state has it */
    }
    if (r.plan != p->x->task->plan->hash) {
        p->report->other_rules++;
        task_free(p->task);
        p->task = NULL;
        return 0;
    }
    if (p->task != NULL && p->cut && !p->opened && r.seq > task_seq(p->task) + 1) {
        task_free(p->task); /* what follows the archived state is gone */
        p->task = NULL;
    }
    if (replay_floor_begins(&r)) {
        begin_task(p);
        p->clock = MERGE_NO_CLOCK;
    } else if (journal_begins(&r)) { /* with a state that is not in the archive */
        task_free(p->task);
        p->task = NULL;
    }
    if (p->task == NULL) {
        return take_headless(p, &r, reterr);
    }
    if (p->clock != MERGE_NO_CLOCK && p->clock >= p->x->to) {
        return 1;
    }
    p->held = r.clock != MERGE_NO_CLOCK && r.clock >= p->x->from;
    p->time_ms = b->time_ms;
    rc = play(p, &r, b->offset, sum, reterr);
    p->clock = r.clock;
    return rc;
}

/* ---- the archive ---- */

/* Each record of the task in the archive. */
static int each_archived(struct player *p,
                         void (*fn)(struct player *, const struct snap_archive_key *, struct slice),
                         struct err *reterr)
{
    const struct task_plan *plan = p->x->task->plan;
    const struct bus_record *r;
    struct tape *t;
    struct snap_archive_key k;
    int rc = tape_open(p->x->tapes, p->x->archive, (uint32_t)(plan->lineage % p->x->journal_parts),
                       BUS_FROM_START, &t, reterr);
    if (rc != 0) {
        return rc;
    }
    while ((rc = tape_next(t, &r, reterr)) == 1) {
        if (snap_archive_key_read(r->key, &k) && k.lineage == plan->lineage) {
            fn(p, &k, r->value);
        }
    }
    tape_close(t);
    return rc;
}

/* The newest before the range, of these rules and this engine. */
static void look_at_root(struct player *p, const struct snap_archive_key *k, struct slice value)
{
    struct snap_archive_root r;
    struct err err;
    if (k->page == SNAP_ARCHIVE_ROOT && snap_archive_root_read(value, &r, &err) == 0 &&
        r.clock < p->x->from && r.root.plan == p->x->task->plan->hash &&
        r.root.engine == JOURNAL_ENGINE_NUMBER && r.root.seq > p->root.root.seq) {
        p->root = r;
    }
}

static void take_page(struct player *p, const struct snap_archive_key *k, struct slice value)
{
    bool next = k->seq == p->root.root.seq && p->pages.len == (size_t)k->page * SNAP_VALUE_MAX;
    if (next && k->page != SNAP_ARCHIVE_ROOT) {
        (void)buf_add_slice(&p->pages, value);
    }
}

/* The task as it was there. Nothing is restored if there is none. */
static int restore(struct player *p, struct err *reterr)
{
    const struct save_chunk *chunks;
    size_t n;
    int rc = each_archived(p, look_at_root, reterr);
    if (rc != 0 || p->root.root.seq == 0) {
        return rc;
    }
    struct arena *a = arena_new(NULL, "archive", RECORD_ARENA);
    buf_init(&p->pages, p->root.bytes + 1);
    rc = each_archived(p, take_page, reterr);
    rc = rc == 0 ? snap_archive_open(&p->root, buf_slice(&p->pages), a, &chunks, &n, reterr) : rc;
    if (rc == 0) {
        begin_task(p);
        rc = task_restore(p->task, chunks, n, &p->root.root.state, reterr);
        p->clock = p->root.clock;
        p->report->archive = p->root.root.seq;
    }
    buf_done(&p->pages);
    arena_free(a);
    return rc;
}

static int run(struct player *p, struct err *reterr)
{
    const struct task_plan *plan = p->x->task->plan;
    const struct bus_record *r;
    struct tape *journal;
    int rc = p->x->archive.len > 0 ? restore(p, reterr) : 0;
    if (rc != 0) {
        return rc;
    }
    int64_t from = p->task != NULL ? p->root.root.journal_offset : BUS_FROM_START;
    rc = tape_open(p->x->tapes, p->x->journal, (uint32_t)(plan->lineage % p->x->journal_parts),
                   from < 0 ? BUS_FROM_START : from, &journal, reterr);
    if (rc != 0) {
        return rc;
    }
    p->cut = p->task != NULL && tape_start(journal) > from;
    while ((rc = tape_next(journal, &r, reterr)) == 1) {
        if (r->key.len == 8 && endian_be64(r->key.ptr) == plan->lineage) {
            rc = take_record(p, r, reterr);
            if (rc != 0) {
                break;
            }
        }
    }
    tape_close(journal);
    return MIN(rc, 0);
}

int replay_exact(const struct replay_exact *x, struct replay_report *ret, struct err *reterr)
{
    struct player p = {.x = x, .report = ret, .clock = MERGE_NO_CLOCK};
    *ret = (struct replay_report){.clock = MERGE_NO_CLOCK, .clock_from = MERGE_NO_CLOCK};
    p.keys = intern_new(KEYS_MAX, KEYS_BYTES);
    p.reg = schema_reg_new();
    p.decoder = batch_in_new(BATCH_LIMITS, p.keys, p.reg);
    p.arena = arena_new(NULL, "record", RECORD_ARENA);
    p.outputs = replay_outputs_new(x->topics ? x->tapes : NULL, x->task->plan, p.decoder);
    list_inputs(&p);
    int rc = run(&p, reterr);
    ret->held = replay_outputs_held(p.outputs);
    const char *first = replay_outputs_first(p.outputs);
    if (first[0] != '\0' && ret->first_difference[0] == '\0') {
        (void)snprintf(ret->first_difference, sizeof ret->first_difference, "%s", first);
    }
    replay_outputs_free(p.outputs);
    task_free(p.task);
    VEC_EACH (&p.inputs, in) {
        tape_close(in->tape);
    }
    VEC_DONE(&p.inputs);
    VEC_EACH (&p.spare, a) {
        arena_free(*a);
    }
    VEC_DONE(&p.spare);
    arena_free(p.arena);
    batch_in_free(p.decoder);
    schema_reg_free(p.reg);
    intern_free(p.keys);
    return rc;
}

bool replay_is_same(const struct replay_report *r)
{
    return r->differ == 0 && r->held.differ == 0 && r->held.missing == 0 && r->held.extra == 0;
}
