/* SPDX-License-Identifier: Apache-2.0
 *
 * Scans of a slot. A partition is read once for all tasks that are at its head. Who begins, or has
 * more than he can take, is read for by a reader of his own (a slot_load has one), from the least
 * position of those who came with him; who is further ahead passes over what he had. When such a
 * scan is at the stable end, its tasks go over to the scan at the head.
 *
 * The records of one event of the bus are copied and decoded into one arena, which lives until the
 * last of them was taken.
 */
#include "core/base/mem.h"
#include "operators/shard/slot_impl.h"

#include <assert.h>
#include <stdio.h>

enum {
    FETCH_MAX = 256 << 20,
    BATCH_FULL = 128 << 10,
    SPARE_MAX = 4,
    SPARE_KEEP = 256 << 10,
    EARLY_MAX = 16, /* events of a record that are taken early */
};

/* ---- scans ---- */

struct slot_scan *slot_scan_at(const struct slot *s, uint64_t tag)
{
    uint32_t i = slot_tag_index(tag);
    struct slot_scan *c = i < s->scans.len ? s->scans.ptr[i] : NULL;
    return c != NULL && c->id == (uint32_t)(tag >> 32) ? c : NULL;
}

struct bus_client *slot_client_of(const struct slot *s, bool aligned)
{
    return s->source != NULL && !aligned ? s->conf.range->source : s->bus;
}

struct slot_scan *slot_scan_find(const struct slot *s, uint32_t load, const struct slot_scan *like)
{
    VEC_EACH (&s->scans, at) {
        struct slot_scan *c = *at;
        if (c != NULL && c->load == load && c->tp.topic == like->tp.topic &&
            c->tp.part == like->tp.part && c->aligned == like->aligned) {
            return c;
        }
    }
    return NULL;
}

struct slot_scan *slot_scan_new(struct slot *s, uint32_t load, const struct slot_scan *like)
{
    struct slot_scan *c = MEM_NEW(struct slot_scan);
    *c = (struct slot_scan){.tp = like->tp,
                            .topic =
                                bus_topic_name(slot_client_of(s, like->aligned), like->tp.topic),
                            .aligned = like->aligned,
                            .load = load,
                            .id = ++s->scan_ids,
                            .stop = INT64_MAX,
                            .end_since = INT64_MAX};
    while (c->index < s->scans.len && s->scans.ptr[c->index] != NULL) {
        c->index++;
    }
    if (c->index == s->scans.len) {
        (void)VEC_PUSH(&s->scans);
    }
    s->scans.ptr[c->index] = c;
    return c;
}

struct bus_reader *slot_reader_of(const struct slot *s, const struct slot_scan *c)
{
    return s->source != NULL && !c->aligned ? s->source
           : c->load == SLOT_LOADS          ? s->reader
                                            : s->loads[c->load].reader;
}

static void scan_free(struct slot *s, struct slot_scan *c)
{
    if (c->assigned && slot_reader_of(s, c) != NULL) {
        bus_unassign(slot_reader_of(s, c), c->tp);
    }
    s->scans.ptr[c->index] = NULL;
    VEC_DONE(&c->inputs);
    mem_free(c);
}

/* Everybody who reads it loses his state if it cannot be read; the next step takes them out. */
void slot_lose_readers(struct slot *s, struct slot_scan *c, const char *why)
{
    VEC_EACH (&c->inputs, in) {
        slot_lose_one(s, (*in)->one, SLICE_FMT " partition %u: %s", SLICE_ARG(c->topic), c->tp.part,
                      why);
    }
}

void slot_scan_assign(struct slot *s, struct slot_scan *c, int64_t from)
{
    struct err err;
    uint64_t tag = slot_tag(SLOT_TAG_SCAN, c->index, c->id);
    c->next = from;
    c->assigned = bus_assign(slot_reader_of(s, c), c->tp, from, tag, &err) == 0;
    if (!c->assigned) {
        slot_lose_readers(s, c, err.msg);
    }
}

/* ---- inputs ---- */

void slot_input_swap(struct slot_scan *c, struct slot_input *in, size_t at)
{
    struct slot_input *other = c->inputs.ptr[at];
    c->inputs.ptr[in->at] = other;
    c->inputs.ptr[at] = in;
    other->at = in->at;
    in->at = at;
}

void slot_input_attach(struct slot_scan *c, struct slot_input *in)
{
    assert(in->scan == NULL);
    in->scan = c;
    in->at = c->inputs.len;
    *VEC_PUSH(&c->inputs) = in;
    slot_input_swap(c, in, slot_others(c) - 1);
}

void slot_input_detach(struct slot_input *in)
{
    struct slot_scan *c = in->scan;
    if (c == NULL) {
        return;
    }
    slot_ride_off(in->one);
    VEC_REMOVE(&c->inputs, in->at);
    for (size_t i = in->at; i < c->inputs.len; i++) {
        c->inputs.ptr[i]->at = i;
    }
    in->scan = NULL;
}

void slot_inputs_make(struct slot *s, struct slot_one *o)
{
    const struct task_plan *p = o->conf.plan;
    for (uint32_t i = 0; i < p->n_subs;) {
        struct slot_input *in = MEM_NEW(struct slot_input);
        struct slot_scan like = {.aligned = o->conf.aligned[p->subs[i].topic]};
        like.tp = (struct bus_tp){
            bus_topic(slot_client_of(s, like.aligned), o->conf.topics[p->subs[i].topic]),
            p->subs[i].part};
        *in = (struct slot_input){.one = o, .first = i, .n = 1};
        for (i++; i < p->n_subs && p->subs[i].topic == p->subs[i - 1].topic &&
                  p->subs[i].part == p->subs[i - 1].part;
             i++) {
            in->n++;
        }
        in->lanes = mem_calloc(in->n, sizeof *in->lanes);
        for (uint32_t k = 0; k < in->n; k++) {
            in->lanes[k].quiet = INT64_MAX;
        }
        *VEC_PUSH(&o->inputs) = in;
        struct slot_scan *c = slot_scan_find(s, o->load, &like);
        slot_input_attach(c != NULL ? c : slot_scan_new(s, o->load, &like), in);
    }
}

void slot_inputs_leave(struct slot *s, struct slot_one *o)
{
    VEC_EACH (&o->inputs, in) {
        slot_input_detach(*in);
    }
    for (size_t i = 0; i < s->scans.len; i++) { /* those that nobody reads now */
        struct slot_scan *c = s->scans.ptr[i];
        if (c != NULL && c->inputs.len == 0) {
            scan_free(s, c);
        }
    }
}

void slot_inputs_free(struct slot *s, struct slot_one *o)
{
    slot_inputs_leave(s, o);
    VEC_EACH (&o->inputs, in) {
        assert((*in)->buffered == 0);
        mem_free((*in)->lanes);
        mem_free(*in);
    }
    VEC_DONE(&o->inputs);
}

/* ---- the head ---- */

/* The slot's own reader goes on for it, from where it stands; if that is ahead already, it goes
 * back: who had what comes again passes it over. */
static void to_head(struct slot *s, struct slot_input *in, const struct slot_scan *like)
{
    struct slot_scan *c = slot_scan_find(s, SLOT_LOADS, like);
    if (c == NULL) {
        c = slot_scan_new(s, SLOT_LOADS, like);
        slot_input_attach(c, in);
        slot_scan_assign(s, c, in->next);
        slot_input_stands(in, in->next);
        return;
    }
    slot_input_attach(c, in);
    slot_input_stands(in, in->next);
    if (c->next > in->next) {
        slot_scan_seek(s, c, in->next);
    }
}

static void all_to_head(struct slot *s, struct slot_scan *c)
{
    while (c->inputs.len > 0) {
        struct slot_input *in = c->inputs.ptr[c->inputs.len - 1];
        in->next = MAX(in->next, c->next);
        slot_input_detach(in);
        to_head(s, in, c);
    }
    scan_free(s, c);
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

/* Nothing more of it belongs to the range. It stays where something is to be read again. */
static void is_over(struct slot *s, struct slot_scan *c)
{
    bool again = false;
    VEC_EACH (&c->inputs, at) {
        const struct slot_input *in = *at;
        for (uint32_t k = 0; k < in->n; k++) {
            again |= in->lanes[k].withheld;
            if (!in->lanes[k].withheld) {
                merge_end(task_merge(in->one->task), in->first + k);
            }
        }
    }
    c->over = again;
    if (c->assigned && !again) {
        bus_unassign(slot_reader_of(s, c), c->tp);
        c->assigned = false;
    }
    c->stop = again ? c->stop : INT64_MAX;
}

/* A catch-up scan whose tasks all stand at the end that was asked for needs not to be read. */
static void begin(struct slot *s, struct slot_scan *c)
{
    int64_t from = INT64_MAX;
    VEC_EACH (&c->inputs, at) {
        struct slot_input *in = *at;
        struct merge *m = task_merge(in->one->task);
        in->next = INT64_MAX;
        for (uint32_t k = 0; k < in->n; k++) {
            in->next = MIN(in->next, merge_pos(m, in->first + k).offset);
        }
        from = MIN(from, in->next);
    }
    if (from >= c->stop) {
        is_over(s, c);
    } else if (from >= c->end && s->conf.range == NULL) {
        c->next = from;
        all_to_head(s, c);
    } else {
        slot_scan_assign(s, c, from);
    }
}

void slot_scans_begin(struct slot *s, uint32_t load)
{
    for (size_t i = 0; i < s->scans.len; i++) {
        struct slot_scan *c = s->scans.ptr[i];
        if (c != NULL && c->load == load && !c->assigned) {
            begin(s, c);
        }
    }
}

static bool may_join(const struct slot *s, const struct slot_scan *c)
{
    bool may = c->end_since != INT64_MAX && !c->paused && !c->apart;
    VEC_EACH (&c->inputs, in) {
        may &= (*in)->one->state == SLOT_LIVE && slot_has_room(s, *in);
    }
    return may;
}

void slot_scans_join(struct slot *s)
{
    bool used[SLOT_LOADS + 1] = {false};
    if (s->conf.range != NULL) {
        return; /* it has no head */
    }
    for (size_t i = 0; i < s->scans.len; i++) {
        struct slot_scan *c = s->scans.ptr[i];
        if (c != NULL && c->load < SLOT_LOADS && c->assigned && may_join(s, c)) {
            all_to_head(s, c);
            c = NULL;
        }
        used[c != NULL ? c->load : SLOT_LOADS] = true;
    }
    for (uint32_t i = 0; i < SLOT_CATCH_UPS; i++) {
        bool replays = false;
        VEC_EACH (&s->tasks, o) {
            replays |= (*o)->state == SLOT_REPLAY && (*o)->load == i;
        }
        if (s->loads[i].phase == LOAD_CATCH_UP && !used[i] && !replays) {
            slot_load_end(s, i);
        }
    }
}

void slot_scans_free(struct slot *s)
{
    VEC_EACH (&s->scans, at) {
        struct slot_scan *c = *at;
        if (c != NULL) {
            assert(c->inputs.len == 0);
            mem_free(c);
        }
    }
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

void slot_batch_drop(struct slot_batch *b)
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

/* ---- records ---- */

/* The sub-stream of an author; UINT32_MAX: the task does not read him. */
static uint32_t sub_of(const struct slot_input *in, uint64_t author)
{
    const struct merge_spec *subs = in->one->conf.plan->subs;
    for (uint32_t i = in->first; i < in->first + in->n; i++) {
        if (subs[i].author == author || subs[i].author == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* As it is handed out: what of a record concerns nothing, or little, of a task's rules. */
static bool may_take(const struct slot *s, const struct slot_one *o, const struct merge_piece *p)
{
    return p->hint != NULL && o->party != NULL && o->state == SLOT_LIVE && !slot_is_amid(o) &&
           !s->draining && !o->leaving && o->trial.step == TRIAL_NONE && s->conf.range == NULL;
}

/* True: it need not wait for the task. */
static bool is_passed(struct slot *s, struct slot_scan *c, struct slot_input *in, uint32_t sub,
                      const struct merge_piece *p)
{
    if (p->n_wants > 0 || !may_take(s, in->one, p) || !task_pass_record(in->one->task, sub, p)) {
        return false;
    }
    in->taken_ms = c->time_ms;
    return true;
}

static void push(struct slot *s, struct slot_input *in, uint32_t sub, struct slot_batch *b,
                 size_t bytes, struct merge_piece *mine)
{
    struct slot_piece *p = pool_get(s->pieces);
    assert(p != NULL);
    struct slot_lane *lane = &in->lanes[sub - in->first];
    *p = (struct slot_piece){b, in, lane, bytes, in->scan->time_ms};
    b->refs++;
    in->buffered += bytes;
    lane->bytes += bytes;
    mine->owner = p;
    in->one->rests = false;
    merge_push(task_merge(in->one->task), sub, mine);
    if (mine->n_wants <= EARLY_MAX && may_take(s, in->one, mine)) {
        slot_take_early(s, in->one);
    }
}

/* To one who reads it: of how many events he may want something. */
static uint32_t hand_to(struct slot *s, struct slot_scan *c, struct slot_input *in,
                        struct slot_batch *b, const struct merge_piece *piece, uint64_t author,
                        size_t bytes, uint64_t ridden)
{
    uint32_t sub = sub_of(in, author);
    struct slot_lane *lane = sub != UINT32_MAX ? &in->lanes[sub - in->first] : NULL;
    slot_ride_off(in->one); /* of another partition */
    in->next = MAX(in->next, piece->offset + 1);
    if (lane == NULL || lane->withheld || piece->offset < lane->next ||
        slot_withholds(s, in, lane, piece->offset)) {
        return 0;
    }
    lane->next = piece->offset + 1;
    lane->quiet = INT64_MAX;
    struct merge_piece mine = *piece;
    if (piece->hint != NULL) {
        slot_give_hint(s, in->one, piece->hint, &mine);
    }
    if (is_passed(s, c, in, sub, &mine)) {
        slot_ride_join(c, in, sub, ridden);
    } else {
        push(s, in, sub, b, bytes, &mine);
    }
    return in->one->party != NULL ? mine.n_wants : piece->n;
}

static void hand_out(struct slot *s, struct slot_scan *c, struct slot_batch *b,
                     const struct merge_piece *piece, uint64_t author, size_t bytes)
{
    bool rides = slot_ride_may(c, piece->hint, piece->n);
    uint64_t ridden = c->ride.events + (rides ? piece->n : 0), wants = 0;
    if (rides) {
        slot_ride_wanted(s, c);
    }
    for (size_t i = 0; i < slot_others(c);) {
        struct slot_input *in = c->inputs.ptr[i];
        wants += hand_to(s, c, in, b, piece, author, bytes, ridden);
        i += in->rides ? 0 : 1; /* who rides now has changed places with the last of these */
    }
    if (rides) {
        slot_ride_on(c, piece);
    }
    if (piece->hint != NULL) {
        slot_hint_used(c, wants, (uint64_t)piece->n * c->inputs.len);
    }
}

/* The author has said that nothing more comes. */
static void end_author(const struct slot_scan *c, uint64_t author)
{
    VEC_EACH (&c->inputs, at) {
        const struct slot_input *in = *at;
        uint32_t sub = sub_of(in, author);
        if (sub != UINT32_MAX && !in->lanes[sub - in->first].withheld) {
            slot_ride_off(in->one);
            merge_end(task_merge(in->one->task), sub);
        }
    }
}

/* What is read past need not be decoded. */
static bool is_wanted(const struct slot_scan *c, uint64_t author, int64_t offset)
{
    bool wanted = !c->apart;
    for (size_t i = 0; i < c->inputs.len && !wanted; i++) {
        const struct slot_input *in = c->inputs.ptr[i];
        uint32_t sub = sub_of(in, author);
        const struct slot_lane *lane = sub != UINT32_MAX ? &in->lanes[sub - in->first] : NULL;
        wanted = lane != NULL && !lane->withheld && offset >= lane->next;
    }
    return wanted;
}

static void take_record(struct slot *s, struct slot_scan *c, struct slot_batch *b,
                        const struct bus_record *r)
{
    struct err err;
    struct head head = {.mark = MERGE_NO_MARK};
    bool of_task = head_of(r, &head);
    struct rec_batch batch = {0};
    c->since_seek += r->value.len + sizeof head;
    if (!is_wanted(c, of_task ? head.lineage : 0, r->offset)) {
        return;
    }
    size_t before = arena_stats(b->arena).used_bytes;
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
                                .first = head.first,
                                .hint = NULL};
    s->counts.records++;
    c->time_ms = r->time_ms;
    if (head.end) {
        slot_ride_end(c);
        end_author(c, head.lineage);
        return;
    }
    if (!of_task) {
        piece.hint = slot_hint(s, c, b->arena, batch.events, batch.events_len);
    }
    size_t bytes = arena_stats(b->arena).used_bytes - before + sizeof piece;
    hand_out(s, c, b, &piece, of_task ? head.lineage : 0, bytes);
}

void slot_scan_records(struct slot *s, struct slot_scan *c, const struct bus_ev *ev)
{
    struct slot_batch *b = batch_new(s);
    c->end_since = INT64_MAX;
    for (size_t i = 0; i < slot_others(c); i++) { /* who rides is there already */
        const struct slot_input *in = c->inputs.ptr[i];
        in->one->probe_from = 0;
        for (uint32_t k = 0; k < in->n; k++) {
            merge_may_skip(task_merge(in->one->task), in->first + k, false);
        }
    }
    slot_hints_begin(c);
    for (uint32_t i = 0; i < ev->count && ev->records[i].offset < c->stop; i++) {
        if (arena_stats(b->arena).used_bytes >
            BATCH_FULL) { /* it is free when all of it is taken */
            slot_batch_drop(b);
            b = batch_new(s);
        }
        take_record(s, c, b, &ev->records[i]);
        c->next = ev->records[i].offset + 1;
        c->known_end = MAX(c->known_end, c->next);
    }
    slot_batch_drop(b);
    if (ev->count > 0 && ev->records[ev->count - 1].offset + 1 >= c->stop) {
        is_over(s, c);
    }
    slot_hold(s, c, true);
}

/* It is at its end: so are the authors of whom nothing has come since they were there. */
static void now_quiet(struct slot_scan *c)
{
    VEC_EACH (&c->inputs, at) {
        struct slot_input *in = *at;
        for (uint32_t k = 0; k < in->n; k++) {
            bool there = !in->lanes[k].withheld;
            in->lanes[k].quiet = there ? MIN(in->lanes[k].quiet, c->end_since) : INT64_MAX;
        }
    }
}

void slot_scan_end(struct slot *s, struct slot_scan *c, const struct bus_ev *ev)
{
    slot_ride_end(c); /* time may go on without inputs */
    c->next = MAX(c->next, ev->offset);
    c->known_end = MAX(c->known_end, ev->offset);
    if (ev->offset >= c->stop) {
        is_over(s, c);
    }
    if (c->end_since == INT64_MAX) {
        c->end_since = slot_now(s);
    }
    now_quiet(c);
}

void slot_scan_error(struct slot *s, struct slot_scan *c, const struct bus_ev *ev)
{
    if (ev->err->code == ERR_GONE && s->conf.range == NULL) {
        slot_gap_found(c, ev->offset);
    } else {
        slot_lose_readers(s, c, ev->err->msg);
    }
}

/* How long it holds up others once it is at its end. */
static int64_t align_of(const struct slot *s, const struct slot_scan *c, const struct slot_one *o)
{
    return o->conf.align_ns > 0 ? o->conf.align_ns : c->aligned ? s->conf.align_ns : 0;
}

void slot_align(struct slot *s)
{
    int64_t now = slot_now(s);
    if (s->conf.range != NULL) {
        return; /* nobody is passed over */
    }
    VEC_EACH (&s->scans, at) {
        struct slot_scan *c = *at;
        bool stands = c != NULL && c->gap > 0;
        if (c == NULL || (c->end_since == INT64_MAX && !stands)) {
            continue;
        }
        now_quiet(c);              /* also of those that were attached since */
        VEC_EACH (&c->inputs, i) { /* stands: what would come cannot, until others are taken */
            const struct slot_input *in = *i;
            int64_t wait = align_of(s, c, in->one);
            for (uint32_t k = 0; k < in->n; k++) {
                int64_t since = in->lanes[k].quiet;
                if ((stands && in->one->state == SLOT_LIVE) ||
                    (since != INT64_MAX && now - since >= wait)) {
                    merge_may_skip(task_merge(in->one->task), in->first + k, true);
                }
            }
        }
    }
}

int64_t slot_align_next(const struct slot *s)
{
    int64_t at = INT64_MAX, now = slot_now(s);
    VEC_EACH (&s->scans, of) {
        const struct slot_scan *c = *of;
        if (c == NULL || c->end_since == INT64_MAX) {
            continue;
        }
        VEC_EACH (&c->inputs, i) {
            int64_t wait = align_of(s, c, (*i)->one);
            for (uint32_t k = 0; wait > 0 && k < (*i)->n; k++) {
                int64_t since = (*i)->lanes[k].quiet;
                if (since != INT64_MAX && since + wait > now) {
                    at = MIN(at, since + wait);
                }
            }
        }
    }
    return at;
}

int64_t slot_idle_since(const struct slot_one *o)
{
    int64_t since = 0;
    VEC_EACH (&o->inputs, i) {
        since = MAX(since,
                    (*i)->scan != NULL && !(*i)->scan->apart ? (*i)->scan->end_since : INT64_MAX);
    }
    return since;
}
