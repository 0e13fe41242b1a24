/* SPDX-License-Identifier: Apache-2.0
 *
 * Input that is gone: retention has removed it before it was read. A task goes on behind it, and
 * says so: the journal has what was passed over (so does a replay), a letter goes to `dlq`, the
 * task counts it. What the rules had in memory may now be wrong; nothing is guessed. A record that
 * the process dies of is passed over in the same way.
 */
#include "operators/shard/task_gap.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/codec/varint.h"
#include "operators/shard/task_impl.h"

#include <assert.h>

enum { NOTE_MAX = 4 * VARINT_MAX };

/* sub, from (offset, index), to */
static struct slice write_note(struct arena *a, uint32_t sub, struct merge_pos from, int64_t to)
{
    char bytes[NOTE_MAX], *p = bytes;
    p = varint_write(p, sub);
    p = varint_write_zz(p, from.offset);
    p = varint_write(p, from.index);
    p = varint_write_zz(p, to);
    struct slice s = arena_copy(a, slice_of(bytes, (size_t)(p - bytes)));
    assert(s.ptr != NULL);
    return s;
}

bool task_gap_read(struct slice bytes, uint32_t *ret_sub, struct merge_pos *ret_from,
                   int64_t *ret_to)
{
    const char *p = bytes.ptr, *end = bytes.ptr + bytes.len;
    uint64_t sub = 0, index = 0;
    p = varint_read(p, end, &sub);
    p = p != NULL ? varint_read_zz(p, end, &ret_from->offset) : NULL;
    p = p != NULL ? varint_read(p, end, &index) : NULL;
    p = p != NULL ? varint_read_zz(p, end, ret_to) : NULL;
    *ret_sub = (uint32_t)sub;
    ret_from->index = (uint32_t)index;
    return p == end && sub <= UINT32_MAX && index <= UINT32_MAX;
}

static void decide(struct task *t, enum journal_kind kind, uint32_t sub, struct merge_pos from,
                   int64_t to)
{
    *VEC_PUSH(&t->decisions) =
        (struct journal_decision){.kind = kind,
                                  .take = merge_takes(t->merge),
                                  .time = to,
                                  .bytes = write_note(t->notes, sub, from, to)};
}

static struct slice topic_of(const struct task *t, uint32_t sub)
{
    return t->plan->topics != NULL ? t->plan->topics[t->plan->subs[sub].topic] : SLICE("");
}

static void note(struct task *t, uint32_t sub, struct merge_pos from, int64_t to)
{
    const struct merge_spec *s = &t->plan->subs[sub];
    struct slice topic = topic_of(t, sub);
    decide(t, JOURNAL_GAP, sub, from, to);
    t->counts.gaps++;
    t->lacks = true;
    t->lacked = merge_clock(t->merge);
    task_dead(t, TASK_DEAD_GAP, SLICE_NONE,
              SLICE_FMT " partition %u: what lay from offset %lld to %lld is lost",
              SLICE_ARG(topic), s->part, (long long)from.offset, (long long)to);
}

size_t task_lacks(const struct task *t, struct eng_back *ret, size_t max)
{
    int64_t now = merge_clock(t->merge), ago = 0;
    size_t n = 0, all = t->lacks && t->started && !t->asleep ? eng_backs(t->eng, NULL, 0) : 0;
    struct eng_back *v = mem_calloc(all + 1, sizeof *v);
    if (now != MERGE_NO_CLOCK && t->lacked != MERGE_NO_CLOCK) {
        ago = now - t->lacked;
    }
    all = all > 0 ? eng_backs(t->eng, v, all) : 0;
    for (size_t i = 0; i < all; i++) {
        bool over = v[i].ms != ENG_BACK_EVER && ago / CLOCK_NS_PER_MS > v[i].ms;
        if (!over && n++ < max) {
            ret[n - 1] = v[i];
        }
    }
    mem_free(v);
    return n;
}

static void note_forgot(struct task *t)
{
    *VEC_PUSH(&t->decisions) =
        (struct journal_decision){.kind = JOURNAL_FORGOT, .take = merge_takes(t->merge)};
    t->counts.forgot++;
    t->lacks = true;
    t->lacked = merge_clock(t->merge);
    task_input_begin(t, (struct eref){0, 0});
    task_dead(t, TASK_DEAD_STATE, SLICE_NONE,
              "what the rules before these held cannot be read: they begin with nothing in memory");
    task_input_end(t);
}

/* Nobody knows from where on. Where nothing can have been, nothing is lost. */
static void lose_inputs(struct task *t)
{
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        int64_t to = merge_pos(t->merge, i).offset;
        if (to > 0) {
            task_input_begin(t, (struct eref){0, 0});
            note(t, i, (struct merge_pos){-1, 0}, to);
            task_input_end(t);
        }
    }
}

void task_lose(struct task *t, bool known)
{
    assert(t->fresh && t->replay == NULL);
    note_forgot(t);
    if (!known) {
        lose_inputs(t);
    }
}

void task_forgot_again(struct task *t)
{
    note_forgot(t);
}

/* Events were numbered on behind that: nobody knows how far, but no task makes so many before it is
 * saved. */
static void note_lost(struct task *t, uint64_t number)
{
    *VEC_PUSH(&t->decisions) = (struct journal_decision){
        .kind = JOURNAL_LOST, .take = merge_takes(t->merge), .time = (int64_t)number};
    t->counts.gaps++;
    t->counts.journals++;
    t->lacks = true;
    t->lacked = merge_clock(t->merge);
    task_input_begin(t, (struct eref){0, 0});
    task_dead(
        t, TASK_DEAD_GAP, SLICE_NONE,
        "the journal behind record %llu is lost, with what it says was taken and put out: what "
        "timers put out since then may come again",
        (unsigned long long)t->seq);
    task_input_end(t);
    eng_number_from(t->eng, MAX(number, eng_numbered(t->eng)));
    alert_count_from(t->book, number);
}

void task_lose_journal(struct task *t, const struct merge_pos *to)
{
    enum { NUMBERS_BITS = 40 };
    assert(t->replay == NULL);
    note_lost(t, ((eng_numbered(t->eng) >> NUMBERS_BITS) + 1) << NUMBERS_BITS);
    if (t->fresh) {
        lose_inputs(t);
        return;
    }
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        if (merge_pos(t->merge, i).offset < to[i].offset) {
            task_gap(t, i, to[i].offset);
        }
    }
}

void task_lost_again(struct task *t, const struct journal_decision *d)
{
    if (d->time > 0) {
        note_lost(t, (uint64_t)d->time);
    }
}

void task_gap(struct task *t, uint32_t sub, int64_t to)
{
    struct merge_pos from = merge_pos(t->merge, sub);
    assert(from.offset < to);
    task_catch_up(t);
    task_input_begin(t, (struct eref){0, 0});
    note(t, sub, from, to);
    task_input_end(t);
    merge_jump(t->merge, sub, to);
}

static void note_deadly(struct task *t, uint32_t sub, struct merge_pos from, int64_t to)
{
    const struct merge_take in = {.sub = sub, .index = from.index, .offset = to - 1};
    bool raw = t->plan->subs[sub].author == 0;
    task_input_begin(t, raw ? task_ref(t, &in) : (struct eref){0, 0});
    decide(t, JOURNAL_POISON, sub, from, to);
    t->counts.poison++;
    task_dead(t, TASK_DEAD_DEADLY, SLICE_NONE, SLICE_FMT " partition %u, offset %lld",
              SLICE_ARG(topic_of(t, sub)), t->plan->subs[sub].part, (long long)to - 1);
    task_input_end(t);
}

void task_skip(struct task *t, uint32_t sub, int64_t offset)
{
    assert(t->replay == NULL);
    if (sub >= t->plan->n_subs || offset == INT64_MAX) {
        return; /* a note that nobody of us has written */
    }
    struct merge_pos from = merge_pos(t->merge, sub);
    if (from.offset <= offset) {
        task_catch_up(t);
        note_deadly(t, sub, from, offset + 1);
        merge_jump(t->merge, sub, offset + 1);
    }
}

void task_gap_again(struct task *t, const struct journal_decision *d)
{
    uint32_t sub = 0;
    struct merge_pos from;
    int64_t to = 0;
    bool fine = task_gap_read(d->bytes, &sub, &from, &to) && sub < t->plan->n_subs;
    if (!fine || from.offset < -1 || to < from.offset) {
        return; /* the sums will differ */
    }
    task_catch_up(t);
    if (d->kind == JOURNAL_POISON) {
        note_deadly(t, sub, from, to);
    } else {
        task_input_begin(t, (struct eref){0, 0});
        note(t, sub, from, to);
        task_input_end(t);
    }
    if (merge_pos(t->merge, sub).offset < to) {
        merge_jump(t->merge, sub, to);
    }
}

void task_pass_over(struct task *t, const struct journal_record *last, int64_t offset, uint64_t sum,
                    const struct merge_pos *to)
{
    assert(t->replay == NULL && !t->cutting);
    t->seq = last->seq;
    t->prev_offset = offset;
    t->prev_sum = sum;
    if (last->clock != MERGE_NO_CLOCK) { /* what timers put out meanwhile has been put out */
        merge_set_clock(t->merge, last->clock);
        task_hop(t, last->clock);
        emit_give_back(t->emit, emit_cut(t->emit, last->epoch, last->seq, MERGE_NO_MARK));
        VEC_CLEAR(&t->decisions);
        t->put_from = emit_total(t->emit);
    }
    t->clock_marked = last->clock;
    eng_number_from(t->eng, MAX(last->outputs, eng_numbered(t->eng)));
    alert_count_from(t->book, last->outputs);
    t->fresh = false;
    t->has_cut_state = false;
    t->cut_in = t->rooted = 0;
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        struct merge_pos from = merge_pos(t->merge, i);
        bool behind =
            from.offset < to[i].offset || (from.offset == to[i].offset && from.index < to[i].index);
        if (behind) {
            note(t, i, from, to[i].offset);
            merge_seek(t->merge, i, to[i], merge_largest(t->merge, i));
        }
        t->last[i] = merge_pos(t->merge, i);
        t->read_in[i] = t->seq;
    }
}
