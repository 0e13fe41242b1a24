/* SPDX-License-Identifier: Apache-2.0
 *
 * Scans of a slot. A partition is read once, from the least position of the tasks that want it; who
 * is further ahead passes over what he had. The records of one event of the bus are copied and
 * decoded into one arena, which lives until the last of them was taken.
 */
#include "core/base/mem.h"
#include "operators/shard/slot_impl.h"

#include <assert.h>

enum { FETCH_MAX = 256 << 20, SPARE_MAX = 16, SPARE_KEEP = 1 << 20 };

/* ---- making ---- */

struct bus_client *slot_client_of(const struct slot *s, const struct slot_scan *c)
{
    return s->source != NULL && !c->aligned ? s->conf.range->source : s->bus;
}

static struct bus_reader *reader_of(const struct slot *s, const struct slot_scan *c)
{
    return s->source != NULL && !c->aligned ? s->source : s->reader;
}

static uint32_t scan_of(struct slot *s, const struct slot_task *conf, const struct merge_spec *sub)
{
    struct slice topic = conf->topics[sub->topic];
    for (uint32_t i = 0; i < s->scans.len; i++) {
        if (slice_eq(s->scans.ptr[i].topic, topic) && s->scans.ptr[i].tp.part == sub->part) {
            return i;
        }
    }
    struct slot_scan *n = VEC_PUSH(&s->scans);
    n->topic = topic;
    n->aligned = conf->aligned[sub->topic];
    n->stop = INT64_MAX;
    n->tp = (struct bus_tp){bus_topic(slot_client_of(s, n), topic), sub->part};
    n->end_since = INT64_MAX;
    return (uint32_t)s->scans.len - 1;
}

void slot_scans_make(struct slot *s)
{
    for (uint32_t t = 0; t < s->n_tasks; t++) {
        const struct task_plan *p = s->tasks[t].conf->plan;
        for (uint32_t i = 0; i < p->n_subs;) {
            struct slot_input *in = MEM_NEW(struct slot_input);
            *in = (struct slot_input){.task = t, .first = i, .n = 1};
            in->scan = scan_of(s, s->tasks[t].conf, &p->subs[i]);
            for (i++; i < p->n_subs && p->subs[i].topic == p->subs[i - 1].topic &&
                      p->subs[i].part == p->subs[i - 1].part;
                 i++) {
                in->n++;
            }
            in->lanes = mem_calloc(in->n, sizeof *in->lanes);
            *VEC_PUSH(&s->inputs) = in;
            *VEC_PUSH(&s->scans.ptr[in->scan].inputs) = (uint32_t)s->inputs.len - 1;
        }
    }
}

void slot_scan_range(const struct slot *s, struct slot_scan *c)
{
    const struct slot_range *r = s->conf.range;
    int64_t from = c->start, end = c->end;
    if (r == NULL || c->aligned) {
        return; /* between tasks: to the end that the author writes */
    }
    if (r->part != NULL) {
        r->part(r->arg, c->topic, c->tp.part, &from, &end);
    }
    c->start = MAX(c->start, from);
    c->stop = MIN(c->end, end);
}

/* Nothing more of it belongs to the range. */
static void is_over(struct slot *s, struct slot_scan *c)
{
    if (c->assigned) {
        bus_unassign(reader_of(s, c), c->tp);
    }
    c->assigned = false;
    c->stop = INT64_MAX;
    VEC_EACH (&c->inputs, i) {
        const struct slot_input *in = s->inputs.ptr[*i];
        for (uint32_t k = 0; k < in->n; k++) {
            merge_end(task_merge(s->tasks[in->task].task), in->first + k);
        }
    }
}

static void begin(struct slot *s, struct slot_scan *c, uint32_t index)
{
    struct err err;
    c->from = INT64_MAX;
    VEC_EACH (&c->inputs, i) {
        const struct slot_input *in = s->inputs.ptr[*i];
        struct merge *m = task_merge(s->tasks[in->task].task);
        for (uint32_t k = 0; k < in->n; k++) {
            c->from = MIN(c->from, merge_pos(m, in->first + k).offset);
        }
    }
    if (c->from >= c->stop) {
        is_over(s, c);
        return;
    }
    if (bus_assign(reader_of(s, c), c->tp, c->from, slot_tag(SLOT_TAG_SCAN, index), &err) != 0) {
        slot_lose(s, "partition %u of " SLICE_FMT " cannot be read: %s", c->tp.part,
                  SLICE_ARG(c->topic), err.msg);
        return;
    }
    c->assigned = true;
}

void slot_scans_begin(struct slot *s)
{
    for (uint32_t i = 0; i < s->scans.len; i++) {
        begin(s, &s->scans.ptr[i], i);
    }
}

void slot_scans_free(struct slot *s)
{
    VEC_EACH (&s->scans, c) {
        VEC_DONE(&c->inputs);
    }
    VEC_EACH (&s->inputs, i) {
        mem_free((*i)->lanes);
        mem_free(*i);
    }
    VEC_DONE(&s->inputs);
    VEC_DONE(&s->scans);
    VEC_EACH (&s->spare, b) {
        arena_free((*b)->arena);
        mem_free(*b);
    }
    VEC_DONE(&s->spare);
}

/* ---- batches and pieces ---- */

static struct slot_batch *batch_new(struct slot *s)
{
    struct slot_batch *b = s->spare.len > 0 ? s->spare.ptr[--s->spare.len] : NULL;
    if (b == NULL) {
        b = MEM_NEW(struct slot_batch);
        b->arena = arena_new(NULL, "fetch", FETCH_MAX);
        arena_keep(b->arena, SPARE_KEEP);
        b->slot = s;
    }
    b->refs = 1;
    return b;
}

static void batch_drop(struct slot_batch *b)
{
    struct slot *s = b->slot;
    assert(b->refs > 0);
    if (--b->refs > 0) {
        return;
    }
    if (s->spare.len < SPARE_MAX) {
        arena_reset(b->arena);
        *VEC_PUSH(&s->spare) = b;
    } else {
        arena_free(b->arena);
        mem_free(b);
    }
}

static void hold_back(struct slot *s, struct slot_scan *c)
{
    struct err err;
    bool full = false;
    VEC_EACH (&c->inputs, i) {
        size_t most = c->paused ? SLOT_BUFFER_MAX / 2 : SLOT_BUFFER_MAX;
        full |= s->inputs.ptr[*i]->buffered > most;
    }
    if (c->assigned && full != c->paused && bus_pause(reader_of(s, c), c->tp, full, &err) == 0) {
        c->paused = full;
    }
}

void slot_piece_done(void *arg, void *owner)
{
    struct slot *s = arg;
    struct slot_piece *p = owner;
    p->input->buffered -= p->bytes;
    if (s->reader != NULL && s->scans.ptr[p->input->scan].paused) {
        hold_back(s, &s->scans.ptr[p->input->scan]);
    }
    batch_drop(p->batch);
    pool_put(s->pieces, p);
}

/* ---- records ---- */

/* The sub-stream of an author; UINT32_MAX: the task does not read him. */
static uint32_t sub_of(const struct slot *s, const struct slot_input *in, uint64_t author)
{
    const struct merge_spec *subs = s->tasks[in->task].conf->plan->subs;
    for (uint32_t i = in->first; i < in->first + in->n; i++) {
        if (subs[i].author == author || subs[i].author == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void hand_out(struct slot *s, struct slot_scan *c, struct slot_batch *b,
                     const struct merge_piece *piece, uint64_t author, size_t bytes)
{
    VEC_EACH (&c->inputs, i) {
        struct slot_input *in = s->inputs.ptr[*i];
        uint32_t sub = sub_of(s, in, author);
        struct slot_lane *lane = sub != UINT32_MAX ? &in->lanes[sub - in->first] : NULL;
        if (lane == NULL || lane->dropped || piece->offset < lane->next) {
            continue;
        }
        lane->next = piece->offset + 1;
        struct slot_piece *p = pool_get(s->pieces);
        assert(p != NULL);
        *p = (struct slot_piece){b, in, bytes};
        b->refs++;
        in->buffered += bytes;
        struct merge_piece mine = *piece;
        mine.owner = p;
        merge_push(task_merge(s->tasks[in->task].task), sub, &mine);
    }
}

/* The author has said that nothing more comes. */
static void end_author(struct slot *s, const struct slot_scan *c, uint64_t author)
{
    VEC_EACH (&c->inputs, i) {
        const struct slot_input *in = s->inputs.ptr[*i];
        uint32_t sub = sub_of(s, in, author);
        if (sub != UINT32_MAX && !in->lanes[sub - in->first].dropped) {
            merge_end(task_merge(s->tasks[in->task].task), sub);
        }
    }
}

static void take_record(struct slot *s, struct slot_scan *c, struct slot_batch *b,
                        const struct bus_record *r)
{
    struct err err;
    struct head head = {.mark = MERGE_NO_MARK};
    bool of_task = head_of(r, &head);
    struct rec_batch batch = {0};
    int bad = 0;
    if (r->value.len > 0) {
        struct slice bytes = arena_copy(b->arena, r->value);
        bad = bytes.ptr == NULL ? ERR_LIMIT
                                : -batch_in_read(s->decoder, b->arena, bytes, &batch, &err);
        s->counts.bad_records += bad != 0; /* an input all the same: each task reports it */
    }
    struct merge_piece piece = {.offset = r->offset,
                                .events = batch.events,
                                .n = batch.events_len,
                                .mark = head.mark,
                                .bad = bad,
                                .first = head.first};
    s->counts.records++;
    if (head.end) {
        end_author(s, c, head.lineage);
        return;
    }
    hand_out(s, c, b, &piece, of_task ? head.lineage : 0, r->value.len + sizeof piece);
}

void slot_scan_records(struct slot *s, uint32_t scan, const struct bus_ev *ev)
{
    assert(scan < s->scans.len);
    struct slot_scan *c = &s->scans.ptr[scan];
    struct slot_batch *b = batch_new(s);
    c->end_since = INT64_MAX;
    VEC_EACH (&c->inputs, i) {
        const struct slot_input *in = s->inputs.ptr[*i];
        s->tasks[in->task].probe_from = 0;
        for (uint32_t k = 0; k < in->n; k++) {
            merge_may_skip(task_merge(s->tasks[in->task].task), in->first + k, false);
        }
    }
    for (uint32_t i = 0; i < ev->count && ev->records[i].offset < c->stop; i++) {
        take_record(s, c, b, &ev->records[i]);
    }
    batch_drop(b);
    if (ev->count > 0 && ev->records[ev->count - 1].offset + 1 >= c->stop) {
        is_over(s, c);
    }
    hold_back(s, c);
}

void slot_scan_end(struct slot *s, uint32_t scan, int64_t offset)
{
    struct slot_scan *c = &s->scans.ptr[scan];
    if (offset >= c->stop) {
        is_over(s, c);
    }
    if (c->end_since == INT64_MAX) {
        c->end_since = slot_now(s);
    }
}

void slot_scan_error(struct slot *s, uint32_t scan, const struct bus_ev *ev)
{
    const struct slot_scan *c = &s->scans.ptr[scan];
    if (ev->err->code == ERR_GONE) {
        slot_lose(s,
                  "input was removed by retention before it was read: " SLICE_FMT
                  " partition %u begins at %lld now",
                  SLICE_ARG(c->topic), c->tp.part, (long long)ev->offset);
    } else {
        slot_lose(s, SLICE_FMT " partition %u: %s", SLICE_ARG(c->topic), c->tp.part, ev->err->msg);
    }
}

/* The partition is full while one of its authors is waited for: what others have brought since
 * their first record is dropped, so that his can be reached. */
static void drop_newest(struct slot *s, struct slot_input *in, struct merge *m)
{
    struct err err;
    for (uint32_t k = 0; k < in->n; k++) {
        if (merge_has(m, in->first + k)) {
            in->lanes[k].next = merge_drop_rest(m, in->first + k).offset;
            in->lanes[k].dropped = true;
        }
    }
    struct slot_scan *c = &s->scans.ptr[in->scan];
    if (c->paused && bus_pause(reader_of(s, c), c->tp, false, &err) == 0) {
        c->paused = false; /* also if others fill it: it goes on record by record */
    }
}

/* What was dropped and is wanted now is read again. */
static void read_again(struct slot *s, struct slot_input *in, struct merge *m)
{
    struct slot_scan *c = &s->scans.ptr[in->scan];
    struct err err;
    int64_t from = INT64_MAX;
    bool wanted = false;
    for (uint32_t k = 0; k < in->n; k++) {
        if (in->lanes[k].dropped) {
            from = MIN(from, in->lanes[k].next);
            wanted |= !merge_has(m, in->first + k);
        }
    }
    if (!wanted) {
        return;
    }
    for (uint32_t k = 0; k < in->n; k++) {
        in->lanes[k].dropped = false;
    }
    if (bus_seek(reader_of(s, c), c->tp, from, &err) != 0) {
        slot_lose(s, SLICE_FMT " partition %u: %s", SLICE_ARG(c->topic), c->tp.part, err.msg);
    }
}

void slot_make_room(struct slot *s, uint32_t task)
{
    struct merge *m = task_merge(s->tasks[task].task);
    uint32_t holder = merge_holder(m);
    VEC_EACH (&s->inputs, i) {
        struct slot_input *in = *i;
        if (in->task != task || holder < in->first || holder >= in->first + in->n) {
            continue;
        }
        if (s->scans.ptr[in->scan].paused && !in->lanes[holder - in->first].dropped) {
            drop_newest(s, in, m);
        } else {
            read_again(s, in, m);
        }
    }
}

void slot_align(struct slot *s)
{
    int64_t now = slot_now(s);
    if (s->conf.range != NULL) {
        return; /* nobody is passed over */
    }
    VEC_EACH (&s->scans, c) {
        int64_t wait = c->aligned ? s->conf.align_ns : 0;
        bool may = c->end_since != INT64_MAX && now - c->end_since >= wait;
        if (!may && !c->paused) {
            continue;
        }
        VEC_EACH (&c->inputs, i) { /* paused: what would come cannot, until others are taken */
            const struct slot_input *in = s->inputs.ptr[*i];
            for (uint32_t k = 0; k < in->n; k++) {
                merge_may_skip(task_merge(s->tasks[in->task].task), in->first + k, true);
            }
        }
    }
}

int64_t slot_idle_since(const struct slot *s, uint32_t task)
{
    int64_t since = 0;
    VEC_EACH (&s->inputs, i) {
        if ((*i)->task == task) {
            since = MAX(since, s->scans.ptr[(*i)->scan].end_since);
        }
    }
    return since;
}
