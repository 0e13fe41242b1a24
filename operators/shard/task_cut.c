/* SPDX-License-Identifier: Apache-2.0
 *
 * Cuts of a task, and their replay. See task.h.
 */
#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "operators/shard/task_impl.h"

#include <assert.h>
#include <inttypes.h>

enum { SKIPS_MAX = 4096 }; /* of a record that may wait: it has to fit */

/* ---- cutting ---- */

static bool moved(const struct task *t, uint32_t sub)
{
    struct merge_pos p = merge_pos(t->merge, sub);
    return p.offset != t->last[sub].offset || p.index != t->last[sub].index;
}

bool task_is_dirty(const struct task *t)
{
    bool begins = t->fresh && t->replay == NULL; /* its first record says where it begins */
    return begins || merge_takes(t->merge) > 0 || t->decisions.len > 0 || !emit_is_empty(t->emit);
}

bool task_has_news(const struct task *t)
{
    size_t said = 0;
    VEC_EACH (&t->decisions, d) {
        said += d->kind == JOURNAL_RELEASE || d->kind == JOURNAL_TAKEN;
    }
    return t->fresh || merge_takes(t->merge) > 0 || t->decisions.len > said ||
           !emit_is_empty(t->emit);
}

void task_say(struct task *t, enum journal_kind kind)
{
    *VEC_PUSH(&t->decisions) =
        (struct journal_decision){.kind = kind, .take = merge_takes(t->merge)};
}

bool task_is_urgent(const struct task *t)
{
    bool urgent = t->fresh || t->final || t->decisions.len > 0 || !emit_is_empty(t->emit) ||
                  merge_skips(t->merge) > SKIPS_MAX;
    for (uint32_t i = 0; i < t->plan->n_to && !urgent; i++) {
        urgent = t->plan->to[i].marked;
    }
    return urgent && task_is_dirty(t);
}

/* Each record says where everything stands that was read since the snapshot of the last root: so
 * who has that and one record, be it that retention has removed those between, knows all positions.
 */
static uint32_t list_reads(struct task *t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        t->read_in[i] = t->fresh || moved(t, i) ? t->seq + 1 : t->read_in[i];
        if (t->read_in[i] > t->rooted) {
            t->reads[n++] = (struct journal_read){i, t->last[i], merge_pos(t->merge, i)};
            t->last[i] = merge_pos(t->merge, i);
        }
    }
    return n;
}

/* The record is a cut; it has the root of the one before. */
static void note_cut(struct task *t, uint64_t seq, bool root, bool cut)
{
    t->rooted = root ? t->cut_in : t->rooted;
    t->cut_in = cut ? seq : t->cut_in;
}

static void list_puts(struct task *t)
{
    VEC_CLEAR(&t->puts);
    for (uint32_t i = 0; i < t->parcel->n; i++) {
        const struct emit_record *r = &t->parcel->records[i];
        if (r->count > 0) {
            *VEC_PUSH(&t->puts) =
                (struct journal_put){t->plan->to[r->to].topic, r->part, r->first, r->count};
        }
    }
}

/* What the cut itself decides. */
static void decide_own(struct task *t)
{
    if (t->snapshot != NULL) {
        *VEC_PUSH(&t->decisions) =
            (struct journal_decision){.kind = JOURNAL_SNAPSHOT, .take = merge_takes(t->merge)};
    }
    if (t->final) {
        endian_put_be64(t->life_bytes, (uint64_t)t->plan->life);
        *VEC_PUSH(&t->decisions) =
            (struct journal_decision){.kind = JOURNAL_FINAL,
                                      .take = merge_takes(t->merge),
                                      .time = t->deleted,
                                      .bytes = slice_of(t->life_bytes, t->plan->life > 0 ? 8 : 0)};
        t->final = false;
    }
    if (t->other_engine != 0) {
        *VEC_PUSH(&t->decisions) = (struct journal_decision){
            .kind = JOURNAL_ENGINE, .take = merge_takes(t->merge), .time = t->other_engine};
        t->other_engine = 0;
    }
}

int task_cut(struct task *t, uint64_t epoch, struct task_cut *ret, struct err *reterr)
{
    assert(!t->cutting && t->replay == NULL);
    task_catch_up(t);
    int64_t clock = merge_clock(t->merge);
    t->parcel =
        emit_cut(t->emit, epoch, t->seq + 1, clock != t->clock_marked ? clock : MERGE_NO_MARK);
    t->clock_marked = clock;
    t->put_from = emit_total(t->emit);
    list_puts(t);
    decide_own(t);
    struct journal_record r = {.lineage = t->plan->lineage,
                               .epoch = epoch,
                               .seq = t->seq + 1,
                               .plan = t->plan->hash,
                               .engine = JOURNAL_ENGINE_NUMBER,
                               .prev_offset = t->prev_offset,
                               .prev_sum = t->prev_sum,
                               .clock = clock,
                               .takes = merge_takes(t->merge),
                               .outputs = eng_numbered(t->eng),
                               .reads = t->reads,
                               .n_reads = list_reads(t),
                               .decisions = t->decisions.ptr,
                               .n_decisions = (uint32_t)t->decisions.len,
                               .puts = t->puts.ptr,
                               .n_puts = (uint32_t)t->puts.len,
                               .spans = t->spans.ptr,
                               .n_spans = (uint32_t)t->spans.len,
                               .out_sum = t->parcel->sum};
    r.has_state = t->manifest;
    r.state = t->manifest ? t->cut_state : r.state;
    t->manifest = false;
    note_cut(t, r.seq, r.has_state, t->snapshot != NULL);
    r.skips = (struct merge_skip *)merge_cut(t->merge, &r.n_skips);
    buf_clear(&t->journal);
    int rc = journal_write(&r, &t->journal, &t->prev_sum, reterr);
    VEC_CLEAR(&t->decisions);
    arena_reset(t->notes);
    VEC_CLEAR(&t->spans);
    t->seq++;
    t->fresh = false;
    t->cutting = true;
    if (t->snapshot != NULL) {
        task_save(t, t->snapshot);
        t->snapshot = NULL;
    }
    t->counts.records++;
    *ret = (struct task_cut){buf_slice(&t->journal), t->parcel, t->seq};
    return rc;
}

/* The last cut did. */
static bool has_put(const struct task *t, const struct journal_span *s)
{
    VEC_EACH (&t->puts, p) {
        if (p->part == s->part && slice_eq(p->topic, s->topic)) {
            return true;
        }
    }
    return false;
}

void task_committed(struct task *t, int64_t journal_offset, const struct journal_span *spans,
                    uint32_t n_spans)
{
    assert(t->cutting);
    t->cutting = false;
    t->prev_offset = journal_offset;
    emit_give_back(t->emit, t->parcel);
    t->parcel = NULL;
    VEC_CLEAR(&t->spans);
    for (uint32_t i = 0; i < n_spans && t->puts.len > 0; i++) {
        if (has_put(t, &spans[i])) {
            *VEC_PUSH(&t->spans) = spans[i];
        }
    }
}

/* ---- replay ---- */

/* A successor's first record says in its decision from where events are numbered. */
/* Numbers never go back, whatever the journal says. */
static void number_from(struct task *t, uint64_t n)
{
    eng_number_from(t->eng, MAX(n, eng_numbered(t->eng)));
}

static void task_number_from(struct task *t, const struct journal_record *r)
{
    for (uint32_t i = 0; i < r->n_decisions; i++) {
        if (r->decisions[i].kind == JOURNAL_SUCCEEDS) {
            number_from(t, (uint64_t)r->decisions[i].time);
            if (r->decisions[i].bytes.len == 0) { /* else their numbers were taken over */
                alert_count_from(t->book, (uint64_t)r->decisions[i].time);
            }
        }
    }
}

void task_succeed(struct task *t, const struct journal_record *last, int64_t offset, uint64_t sum)
{
    assert(t->fresh && t->seq == 0);
    t->seq = last->seq;
    t->prev_offset = offset;
    t->prev_sum = sum;
    number_from(t, last->outputs);
    if (t->took == 0) {
        alert_count_from(t->book, last->outputs);
    }
    endian_put_be64(t->took_bytes, t->took);
    *VEC_PUSH(&t->decisions) =
        (struct journal_decision){.kind = JOURNAL_SUCCEEDS,
                                  .time = (int64_t)last->outputs,
                                  .bytes = slice_of(t->took_bytes, t->took > 0 ? 8 : 0)};
}

static bool is_elsewhere(const struct task *t, const struct journal_read *x)
{
    struct merge_pos p = merge_pos(t->merge, x->sub);
    return p.offset != x->from.offset || p.index != x->from.index;
}

/* How far each input goes. */
static int replay_reads(struct task *t, const struct journal_record *r, struct err *reterr)
{
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        t->replay_to[i] = merge_pos(t->merge, i);
    }
    for (uint32_t i = 0; i < r->n_reads; i++) {
        const struct journal_read *x = &r->reads[i];
        if (t->fresh && x->sub < t->plan->n_subs && is_elsewhere(t, x)) {
            task_seek(t, x->sub, x->from);
            t->replay_to[x->sub] = x->from;
        }
        struct merge_pos now = x->sub < t->plan->n_subs ? t->replay_to[x->sub] : x->to;
        if (x->sub >= t->plan->n_subs || now.offset != x->from.offset ||
            now.index != x->from.index) {
            return err_set(reterr, ERR_CORRUPT,
                           "the journal of '" SLICE_FMT "' is torn: record %" PRIu64
                           " begins elsewhere than the record before it ended",
                           SLICE_ARG(t->plan->name), r->seq);
        }
        t->replay_to[x->sub] = x->to;
    }
    return 0;
}

int task_replay(struct task *t, const struct journal_record *r, int64_t offset, uint64_t sum,
                struct err *reterr)
{
    assert(t->replay == NULL && (t->fresh || !task_is_dirty(t)));
    if (t->fresh && t->seq == 0 && journal_begins(r)) { /* what came before it is gone */
        t->seq = r->seq - 1;
        t->prev_sum = r->prev_sum;
        task_number_from(t, r);
    }
    if (r->lineage != t->plan->lineage || r->seq != t->seq + 1 ||
        (r->seq > 1 && r->prev_sum != t->prev_sum)) {
        return err_set(reterr, ERR_CORRUPT,
                       "the journal of '" SLICE_FMT "' is torn: record %" PRIu64
                       " does not follow record %" PRIu64,
                       SLICE_ARG(t->plan->name), r->seq, t->seq);
    }
    int rc = replay_reads(t, r, reterr);
    if (rc != 0) {
        return rc;
    }
    for (uint32_t i = 0; i < r->n_skips; i++) {
        if (r->skips[i].sub >= t->plan->n_subs) {
            return err_set(reterr, ERR_CORRUPT, "the journal skips an input that is none");
        }
    }
    t->replay = r;
    t->at_decision = 0;
    t->replay_offset = offset;
    t->replay_sum = sum;
    merge_replay(t->merge, t->replay_to, r->skips, r->n_skips);
    return 0;
}

static bool has_decision(const struct journal_record *r, enum journal_kind kind)
{
    for (uint32_t i = 0; i < r->n_decisions; i++) {
        if (r->decisions[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* What it says of the state: at a cut it is hashed, with the manifest of that cut compared. */
static bool state_fits(struct task *t, const struct journal_record *r)
{
    bool fits = !r->has_state || !t->has_cut_state ||
                memcmp(&t->cut_state, &r->state, sizeof r->state) == 0;
    if (has_decision(r, JOURNAL_SNAPSHOT)) {
        t->cut_state = task_state_hash(t);
        t->has_cut_state = true;
    }
    return fits;
}

bool task_replaying(const struct task *t)
{
    return t->replay != NULL &&
           (merge_takes(t->merge) < t->replay->takes || t->at_decision < t->replay->n_decisions);
}

void task_watch_replay(struct task *t, struct task_watch w)
{
    t->watch = w;
}

static unsigned differs(struct task *t, const struct journal_record *r, const struct parcel *p)
{
    unsigned bits = 0;
    bits |= memcmp(&p->sum, &r->out_sum, sizeof p->sum) != 0 ? TASK_DIFFERS_EVENTS : 0;
    bits |= merge_clock(t->merge) != r->clock ? TASK_DIFFERS_CLOCK : 0;
    bits |= eng_numbered(t->eng) != r->outputs ? TASK_DIFFERS_NUMBERS : 0;
    bits |= state_fits(t, r) ? 0 : TASK_DIFFERS_STATE;
    return bits;
}

int task_replayed(struct task *t, struct err *reterr)
{
    const struct journal_record *r = t->replay;
    assert(r != NULL && !task_replaying(t));
    int64_t clock = merge_clock(t->merge);
    struct parcel *p = emit_cut(t->emit, r->epoch, r->seq, MERGE_NO_MARK);
    unsigned bits = differs(t, r, p);
    if (t->watch.on_record != NULL) {
        t->watch.on_record(t->watch.arg, r, p, bits);
    }
    emit_give_back(t->emit, p);
    t->put_from = emit_total(t->emit);
    merge_replay_end(t->merge);
    VEC_CLEAR(&t->decisions);
    arena_reset(t->notes);
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        t->read_in[i] = t->fresh || moved(t, i) ? r->seq : t->read_in[i];
        t->last[i] = merge_pos(t->merge, i);
    }
    note_cut(t, r->seq, r->has_state, has_decision(r, JOURNAL_SNAPSHOT));
    t->clock_marked = clock;
    t->seq = r->seq;
    t->fresh = false;
    t->prev_offset = t->replay_offset;
    t->prev_sum = t->replay_sum;
    t->replay = NULL;
    t->other_engine = r->engine != JOURNAL_ENGINE_NUMBER ? r->engine : 0;
    if (bits != 0 && r->engine == JOURNAL_ENGINE_NUMBER) {
        return err_set(reterr, ERR_MISMATCH,
                       "replay of '" SLICE_FMT "' differs from what was done in record %" PRIu64,
                       SLICE_ARG(t->plan->name), r->seq);
    }
    return 0;
}
