/* SPDX-License-Identifier: Apache-2.0
 *
 * See task.h. The modules are deployed when the first input has set the clock: timers of rules
 * count from there, and the same first input gives the same timers. That may rest after each rule.
 */
#include "operators/shard/task_impl.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "core/event/batch_enc.h"
#include "core/event/key.h"
#include "operators/graph/eng_state.h"
#include "operators/sig/breath.h"
#include "operators/sig/cause.h"
#include "operators/sig/dat_outgo.h"

#include <assert.h>

enum { SCRATCH_MAX = 64 << 20, KEY_MAX = 1 << 20, VALUES_MAX = 2 << 20, NOTES_MAX = 16 << 20 };

static int64_t ms_of(int64_t ns)
{
    return ns / CLOCK_NS_PER_MS - (ns % CLOCK_NS_PER_MS < 0);
}

/* ---- outputs ---- */

/* The first rule of the type, or NULL. */
static const struct task_out *out_of(struct task *t, const struct etype *type)
{
    while (t->outs.len <= type->id) {
        *VEC_PUSH(&t->outs) = UINT32_MAX;
    }
    uint32_t *at = &t->outs.ptr[type->id];
    for (uint32_t i = 0; *at == UINT32_MAX && i < t->plan->n_outs; i++) {
        if (slice_eq(t->plan->outs[i].type, type->name)) {
            *at = i + 1;
        }
    }
    *at = *at == UINT32_MAX ? 0 : *at;
    return *at > 0 ? &t->plan->outs[*at - 1] : NULL;
}

static struct val column_of(const struct val_pair *payload, uint32_t n, struct slice name)
{
    const struct val *v = rec_find_text(payload, n, name);
    return v != NULL ? *v : val_null();
}

static uint32_t part_of(struct task *t, const struct task_out *o, const struct rec *r)
{
    uint32_t parts = t->plan->to[o->to].parts;
    if (o->n_key == 0) {
        return (uint32_t)((uint64_t)t->plan->part * parts / t->plan->parts);
    }
    buf_clear(&t->key);
    for (uint32_t i = 0; i < o->n_key; i++) {
        struct val v = column_of(r->payload, r->payload_len, o->key[i]);
        (void)key_add(&t->key, o->as_double[i] ? key_coerce(v, VAL_DOUBLE) : v);
    }
    return key_partition(buf_slice(&t->key), parts);
}

static uint32_t causes_of(struct task *t, const struct evt *e, const struct ref **ret)
{
    uint32_t n = e->causes != NULL ? e->causes->len : 0;
    struct ref *to = arena_array(t->scratch, n + 1, sizeof *to);
    for (uint32_t i = 0; to != NULL && i < n; i++) {
        endian_put_be64(to[i].bytes, e->causes->r[i].hi);
        endian_put_be64(to[i].bytes + 8, e->causes->r[i].lo);
    }
    *ret = to;
    return to != NULL ? n : 0;
}

static void on_derived(void *arg, const struct evt *e)
{
    struct task *t = arg;
    const struct task_out *o = out_of(t, e->type);
    if (o == NULL || task_input_is_full(t, e->type->name)) {
        return;
    }
    static const struct rec_context none = {NULL, 0, 0};
    struct val_pair *payload = NULL;
    struct rec r = {.kind = REC_DERIVED, .context = &none, .type = e->type->name};
    struct err err;
    arena_reset(t->scratch);
    r.ts = r.ingest_ts = task_now(t) - (t->plan->makes_parts ? 1 : 0);
    r.id = id_of_derived(t->plan->lineage, e->ref.lo);
    bool fits = dat_outgo_event(e, t->scratch, &payload, &r.payload_len);
    r.payload = payload;
    r.causes_len = causes_of(t, e, &r.causes);
    /* To each topic that wants it, under one number. */
    for (const struct task_out *end = t->plan->outs + t->plan->n_outs; o < end; o++) {
        if (!slice_eq(o->type, e->type->name)) {
            continue;
        }
        if (!fits) {
            (void)err_set(&err, ERR_TOO_BIG, "it has no end");
        }
        if (!fits || emit_event(t->emit, o->to, part_of(t, o, &r), &r, e->ref.lo, &err) != 0) {
            t->counts.refused++;
            task_dead(t, TASK_DEAD_TOO_BIG, SLICE_NONE, "an event of '" SLICE_FMT "': %s",
                      SLICE_ARG(e->type->name), err.msg);
        } else {
            t->counts.put++;
        }
    }
}

/* ---- making, and the clock ---- */

struct task *task_new(const struct task_plan *plan, struct intern *keys,
                      const struct merge_conf *conf)
{
    assert(plan->n_subs > 0 && plan->parts > 0);
    struct task *t = MEM_NEW(struct task);
    *t = (struct task){
        .plan = plan, .keys = keys, .prev_offset = -1, .fresh = true, .ms_end = INT64_MIN};
    const struct eng_conf econf = {.on_derived = on_derived,
                                   .on_rows = plan->n_forwards > 0 ? task_forward
                                              : plan->n_alerts > 0 ? task_rows
                                                                   : NULL,
                                   .arg = t,
                                   .causes = true,
                                   .prioritized = true,
                                   .lineage = plan->lineage,
                                   .limits = plan->limits,
                                   .meter = clock_meter_ns};
    t->eng = eng_new(&econf);
    t->merge = merge_new(conf, plan->subs, plan->n_subs);
    t->emit = emit_new(plan->lineage, plan->name, plan->to, plan->n_to);
    t->intake = dat_intake_new(eng_heap(t->eng), keys);
    t->scratch = arena_new(NULL, "task", SCRATCH_MAX);
    t->notes = arena_new(NULL, "decisions", NOTES_MAX);
    t->book = alert_book_new(plan->alerts, plan->n_alerts, plan->part, plan->parts);
    t->values = batch_enc_new(BATCH_LIMITS, VALUES_MAX);
    buf_init(&t->plain, VALUES_MAX);
    t->last = mem_calloc(plan->n_subs, sizeof *t->last);
    t->read_in = mem_calloc(plan->n_subs, sizeof *t->read_in);
    t->reads = mem_calloc(plan->n_subs, sizeof *t->reads);
    t->replay_to = mem_calloc(plan->n_subs, sizeof *t->replay_to);
    buf_init(&t->key, KEY_MAX);
    buf_init(&t->journal, JOURNAL_BYTES_MAX + 4096);
    t->clock_marked = MERGE_NO_CLOCK;
    return t;
}

const struct err *task_failed(const struct task *t)
{
    return t->has_failed ? &t->failed : NULL;
}

void task_seek(struct task *t, uint32_t sub, struct merge_pos pos)
{
    assert(t->fresh && merge_takes(t->merge) == 0);
    merge_seek(t->merge, sub, pos, INT64_MIN);
    t->last[sub] = pos;
}

void task_free(struct task *t)
{
    if (t == NULL) {
        return;
    }
    emit_give_back(t->emit, t->parcel);
    task_probe_done(t);
    emit_free(t->emit);
    merge_free(t->merge);
    dat_intake_free(t->intake);
    task_save_end(t);
    eng_free(t->eng);
    arena_free(t->scratch);
    arena_free(t->notes);
    alert_book_free(t->book);
    batch_enc_free(t->values);
    buf_done(&t->key);
    buf_done(&t->plain);
    buf_done(&t->journal);
    VEC_DONE(&t->outs);
    VEC_DONE(&t->decisions);
    VEC_DONE(&t->spans);
    VEC_DONE(&t->puts);
    mem_free(t->last);
    mem_free(t->read_in);
    mem_free(t->reads);
    mem_free(t->replay_to);
    mem_free(t);
}

const struct task_plan *task_plan(const struct task *t)
{
    return t->plan;
}

struct merge *task_merge(struct task *t)
{
    return t->merge;
}

/* Rules begin at the clock of the first input. */
void task_start(struct task *t, int64_t clock)
{
    struct err err;
    t->deploys = true;
    eng_advance(t->eng, ms_of(clock));
    for (uint32_t i = 0; i < t->plan->n_modules; i++) {
        const struct task_module *m = &t->plan->modules[i];
        if (eng_deploy_parsed(t->eng, m->id, m->text, m->parsed, &err) != 0) {
            t->failed = err;
            t->has_failed = true;
        }
    }
    task_take_types(t);
    t->started = true;
    t->deploys = false;
}

enum task_rules task_rules(const struct task *t)
{
    return t->deploys                 ? TASK_RULES_COMING
           : t->started && !t->asleep ? TASK_RULES_THERE
                                      : TASK_RULES_LATER;
}

void task_take_types(struct task *t)
{
    for (uint32_t i = 0; i < t->plan->n_reads; i++) {
        const struct etype *type = eng_type(t->eng, t->plan->reads[i]);
        const bool *looks = t->plan->looks != NULL ? t->plan->looks[i] : NULL;
        if (type != NULL && !dat_intake_builtin(t->intake, type, t->plan->world)) {
            dat_intake_type(t->intake, type);
        }
        for (uint32_t k = 0; type != NULL && looks != NULL && k < type->n_cols; k++) {
            if (!looks[k]) {
                dat_intake_skip(t->intake, type, k);
            }
        }
    }
}

/* Timer by timer; events that timers make have the time of their timer, or at least that of the
 * input before. */
void task_hop(struct task *t, int64_t clock)
{
    if (t->behind) { /* timers that are due by now have the time of the input before */
        t->floor = t->passed;
        t->behind = false;
    }
    if (UNLIKELY(!t->started)) {
        task_begin(t, clock);
    } else if (clock >= t->ms_end && !t->asleep) {
        int64_t ms = ms_of(clock);
        if (ms > eng_now(t->eng)) {
            eng_advance_span(t->eng, ms);
        }
        t->ms_end = ms < ms_of(INT64_MAX) ? (ms + 1) * CLOCK_NS_PER_MS : INT64_MAX;
    }
    t->floor = clock;
}

/* ---- inputs ---- */

struct eref task_ref(const struct task *t, const struct merge_take *in)
{
    const struct merge_spec *s = &t->plan->subs[in->sub];
    if (s->author != 0) {
        uint64_t n = in->event != NULL ? in->event->n : 0;
        return (struct eref){1ULL << 63 | s->author, in->first + n};
    }
    uint64_t place = (uint64_t)t->plan->topic_ids[in->sub] << 48 | (uint64_t)(uint16_t)s->part
                                                                       << 32;
    return (struct eref){place | in->index, (uint64_t)in->offset}; /* as ref_of_raw has it */
}

/* It stands for the events that it was made of. */
static void take_sample(struct task *t, struct evt *e)
{
    const struct rec *r = t->current;
    e->ref = (struct eref){0, 0};
    if (e->causes != NULL) {
        return;
    }
    e->causes = causes_new(eng_heap(t->eng), r->causes_len);
    obj_keep(&e->causes->o);
    for (uint32_t i = 0; i < r->causes_len; i++) {
        e->causes->r[i] =
            (struct eref){endian_be64(r->causes[i].bytes), endian_be64(r->causes[i].bytes + 8)};
    }
}

/* e: NULL if no rule has that type. */
static void send(struct task *t, struct evt *e)
{
    struct err err;
    if (e == NULL) {
        return;
    }
    e->ref = t->input;
    if (t->plan->led && cause_is_sample(e->type)) {
        take_sample(t, e);
    }
    if (eng_send(t->eng, e, &err) != 0) {
        t->counts.poison++;
        task_dead(t, TASK_DEAD_REFUSED, SLICE_NONE, "%s", err.msg);
    }
}

/* Its own outputs aside: those of timers that were due before it. */
static void take_event(struct task *t, const struct merge_take *in)
{
    bool late = in->late;
    t->current = in->event;
    if (t->plan->subs[in->sub].author != 0 && in->event->kind != REC_DERIVED) {
        t->unwrapped = task_unwrap(in->event, &t->input);
        t->current = &t->unwrapped;
        late = t->unwrapped.ts < merge_clock(t->merge);
    }
    t->counts.events++;
    t->counts.late += late;
    if (late && t->plan->late != TASK_LATE_ADMIT) {
        t->counts.dropped++;
        if (t->plan->late == TASK_LATE_DLQ) {
            task_dead(t, TASK_DEAD_LATE, SLICE_NONE, "its time is %lld", (long long)in->event->ts);
        }
        return;
    }
    if (UNLIKELY(t->asleep)) {
        if (!task_is_concerned(t, in)) {
            return;
        }
        task_wake(t);
    }
    if (in->sub != t->last_sub || in->offset != t->last_offset) {
        dat_intake_begin(t->intake);
        emit_contexts_moved(t->emit);
        t->last_sub = in->sub;
        t->last_offset = in->offset;
    }
    t->forwarded = 0;
    const struct rec_batch whole = {.events = in->event - in->index, .events_len = in->n};
    send(t, dat_intake_before(t->intake, &whole, in->index));
    send(t, dat_intake_event(t->intake, t->current));
}

static void take(struct task *t, const struct merge_take *in)
{
    bool mark = in->event == NULL && in->bad == 0;
    int64_t clock = merge_clock(t->merge);
    t->counts.taken++;
    task_input_begin(t, mark ? (struct eref){0, 0} : task_ref(t, in));
    if (clock != MERGE_NO_CLOCK) { /* what does not decode tells no time */
        task_hop(t, clock);
    }
    if (mark) {
        t->counts.marks++;
    } else if (in->bad != 0) {
        t->counts.poison++;
        task_dead(t, TASK_DEAD_UNDECODABLE, SLICE_NONE, "%s", err_name(in->bad));
    } else {
        take_event(t, in);
    }
    task_input_end(t);
}

static bool replay_done(const struct task *t)
{
    return merge_takes(t->merge) == t->replay->takes && t->at_decision == t->replay->n_decisions;
}

/* What nobody can have decided is left out: the clock will differ. */
static bool may_tick(const struct task *t, int64_t clock)
{
    return t->started && clock >= merge_clock(t->merge);
}

/* What was decided before the take that comes. True: a tick was fired, and there may be more. */
static bool decide_again(struct task *t)
{
    const struct journal_record *r = t->replay;
    while (t->at_decision < r->n_decisions &&
           r->decisions[t->at_decision].take == merge_takes(t->merge)) {
        const struct journal_decision *d = &r->decisions[t->at_decision++];
        if (d->kind == JOURNAL_TICK && may_tick(t, d->time)) {
            task_tick(t, d->time);
            return true;
        }
        if (d->kind == JOURNAL_GAP || d->kind == JOURNAL_POISON) {
            task_gap_again(t, d);
        } else if (d->kind == JOURNAL_LOST) {
            task_lost_again(t, d);
        } else if (d->kind == JOURNAL_FORGOT) {
            task_forgot_again(t);
        }
        t->ended |= d->kind == JOURNAL_ENDS;
    }
    return false;
}

uint32_t task_work(struct task *t, uint32_t max)
{
    struct merge_take in;
    uint32_t n = 0;
    while (n < max) {
        if (t->replay != NULL && decide_again(t)) {
            n++;
            continue;
        }
        if ((t->replay != NULL ? replay_done(t) : task_is_full(t)) || eng_breath(t->eng)->over) {
            break;
        }
        uint32_t fired = t->replay == NULL ? task_approach_next(t, max - n) : 0;
        n += fired;
        if (fired > 0) {
            continue;
        }
        uint32_t passed = task_pass(t, max - n);
        n += passed;
        if (passed > 0) {
            continue;
        }
        if (!merge_next(t->merge, &in)) {
            break;
        }
        take(t, &in);
        n++;
    }
    task_catch_up(t);
    return n;
}

int64_t task_due(const struct task *t)
{
    int64_t due = t->started ? eng_due(t->eng) : TASK_NOT_DUE;
    return due >= TASK_NOT_DUE / CLOCK_NS_PER_MS ? TASK_NOT_DUE : due * CLOCK_NS_PER_MS;
}

void task_tick(struct task *t, int64_t clock)
{
    assert(t->started);
    *VEC_PUSH(&t->decisions) = (struct journal_decision){
        .kind = JOURNAL_TICK, .take = merge_takes(t->merge), .time = clock};
    t->counts.ticks++;
    merge_hop(t->merge, clock);
    task_input_begin(t, (struct eref){0, 0});
    task_hop(t, clock);
    task_input_end(t);
}

void task_finish(struct task *t, int64_t clock)
{
    if (t->started && clock > merge_clock(t->merge)) {
        task_tick(t, clock);
    }
}

void task_end(struct task *t, int64_t clock)
{
    assert(merge_is_over(t->merge) && !t->ended && t->replay == NULL);
    task_finish(t, clock);
    *VEC_PUSH(&t->decisions) =
        (struct journal_decision){.kind = JOURNAL_ENDS, .take = merge_takes(t->merge)};
    emit_end(t->emit);
    t->ended = true;
}

bool task_has_ended(const struct task *t)
{
    return t->ended;
}

bool task_snapshot(struct task *t, struct snap_set *to)
{
    t->snapshot = !t->fresh ? to : NULL;
    return t->snapshot != NULL;
}

void task_final(struct task *t, bool deleted)
{
    t->final = true;
    t->deleted = deleted;
}

void task_manifest(struct task *t, const struct hash128 *state)
{
    t->manifest = t->has_cut_state = true;
    t->cut_state = *state;
}

size_t task_put_bytes(const struct task *t)
{
    return emit_bytes(t->emit);
}

struct task_counts task_counts(const struct task *t)
{
    return t->counts;
}

uint64_t task_seq(const struct task *t)
{
    return t->seq;
}

struct eng *task_eng(struct task *t)
{
    return t->eng;
}
