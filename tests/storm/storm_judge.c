/* SPDX-License-Identifier: Apache-2.0
 *
 * What came out of a storm, as a reader of committed records sees it, held against a straight count
 * of what is in the raw topic; the journals, played over the topics; the state of who begins again.
 */
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/event/swept.h"
#include "operators/replay/replay_exact.h"
#include "operators/shard/task_gap.h"
#include "tests/storm/storm.h"

#include <stdio.h>

enum { JOURNAL_PARTS = 64 };

struct gap {
    uint32_t part;
    int64_t from, to;
};

struct found {
    uint32_t seen[STORM_SEQS];
    int64_t total[STORM_NODES], whole[STORM_NODES]; /* how many came out */
    int64_t n[STORM_NODES], c[STORM_NODES];         /* what they counted last */
    uint64_t fresh;                                 /* times that a count began anew */
    VEC(struct gap) gaps;                           /* of sources */
    uint64_t other_gaps;
    struct merge_pos
        began[STORM_PARTS]; /* where rules first read: what was gone by then is not lost */
    bool has_begun[STORM_PARTS];
};

/* ---- reading ---- */

static void tell_cut(struct storm *s, const struct storm_cut *c)
{
    struct arena *a = arena_new(NULL, "journal", 16 << 20);
    struct journal_record r;
    struct err err;
    uint64_t sum;
    if (journal_read(slice_of(c->bytes, c->len), a, &r, &sum, &err) == 0) {
        fprintf(
            stderr, "task %u at %lld: %llu, rules %u, takes %llu, outputs %llu, state %d:", c->task,
            (long long)c->offset, (unsigned long long)r.seq, storm_version_of(s, c->task, r.plan),
            (unsigned long long)r.takes, (unsigned long long)r.outputs, r.has_state);
        for (uint32_t i = 0; i < r.n_decisions; i++) {
            fprintf(stderr, " %s", journal_kind_name(r.decisions[i].kind));
        }
        fputc('\n', stderr);
    }
    arena_free(a);
}

static void tell_cuts(struct storm *s)
{
    VEC_EACH (&s->cuts, c) {
        tell_cut(s, c);
    }
}

static void next(struct storm *s, struct found *f, int64_t *at, int64_t n, const char *what)
{
    bool allowed = (s->kind & (STORM_DELETES | STORM_TRIMS)) != 0;
    if (n != *at + 1 && !(allowed && n <= *at)) {
        tell_cuts(s);
        STORM_FAIL(s, "%s: %lld comes after %lld", what, (long long)n, (long long)*at);
    }
    f->fresh += n != *at + 1;
    *at = n;
}

static void look_at_event(struct storm *s, struct found *f, const struct rec *e)
{
    const struct val *name = rec_find_text(e->payload, e->payload_len, SLICE("node"));
    const struct val *n = rec_find_text(e->payload, e->payload_len, SLICE("n"));
    const struct val *c = rec_find_text(e->payload, e->payload_len, SLICE("c"));
    const struct val *seq = rec_find_text(e->payload, e->payload_len, SLICE("seq"));
    uint32_t node = name != NULL ? (uint32_t)(val_slice(*name).ptr[1] - '0') : 0;
    CHECK(node < STORM_NODES);
    if (slice_eq(e->type, SLICE("Seen"))) {
        CHECK(seq->d >= 0 && seq->d < STORM_SEQS);
        f->seen[(uint32_t)seq->d]++;
    } else if (slice_eq(e->type, SLICE("Whole"))) {
        f->whole[node]++;
        next(s, f, &f->c[node], c->i, "Whole.c");
        if ((s->kind & STORM_DELETES) != 0 && c->i == 1) { /* who reads may have begun later */
            f->n[node] = n->i - 1;
        }
        next(s, f, &f->n[node], n->i, "Whole.n");
    }
}

static void each_event(struct storm *s, struct found *f, const struct bus_record *r)
{
    struct arena *a = arena_new(NULL, "outputs", 16 << 20);
    struct rec_batch b = {0};
    struct err err;
    if (r->value.len > 0) {
        CHECK_OK(batch_in_read(s->in, a, r->value, &b, &err), err);
    }
    for (uint32_t i = 0; i < b.events_len; i++) {
        look_at_event(s, f, &b.events[i]);
    }
    arena_free(a);
}

static void look_at_cut(struct storm *s, struct found *f, const struct storm_cut *c)
{
    struct arena *a = arena_new(NULL, "journal", 16 << 20);
    struct journal_record rec;
    struct err err;
    uint64_t sum;
    CHECK_OK(journal_read(slice_of(c->bytes, c->len), a, &rec, &sum, &err), err);
    if (c->task < STORM_PARTS && rec.n_reads > 0 && !f->has_begun[c->task]) {
        f->began[c->task] = rec.reads[0].from;
        f->has_begun[c->task] = true;
    }
    for (uint32_t i = 0; i < rec.n_decisions; i++) {
        struct gap g = {0};
        struct merge_pos from = {0};
        uint32_t sub = 0;
        bool gap = rec.decisions[i].kind == JOURNAL_GAP;
        bool skip = rec.decisions[i].kind == JOURNAL_POISON;
        if (!gap && !skip) {
            continue;
        }
        CHECK(task_gap_read(rec.decisions[i].bytes, &sub, &from, &g.to));
        g.from = from.offset;
        s->counts.skipped += skip;
        if (c->task < STORM_PARTS) { /* a source, of the partition of its number */
            g.part = c->task;
            *VEC_PUSH(&f->gaps) = g;
        } else {
            f->other_gaps++;
        }
    }
    arena_free(a);
}

static void read_topic(struct storm *s, struct found *f, struct slice topic, uint32_t parts,
                       void (*each)(struct storm *, struct found *, const struct bus_record *))
{
    struct bus_client *c = bus_client_new(s->bus, "judge");
    struct bus_reader *r = bus_reader_new(c);
    struct bus_ev ev;
    struct err err;
    for (uint32_t i = 0; i < parts; i++) {
        bool end = false;
        struct bus_tp tp = {bus_topic(c, topic), i};
        CHECK_OK(bus_assign(r, tp, BUS_FROM_START, i, &err), err);
        while (!end) {
            bus_wait(c, CLOCK_NS_PER_S);
            for (int n = bus_poll(c, &ev, 1); n > 0; n = 0) {
                end |= ev.kind == BUS_EV_END && ev.tag == i;
                for (uint32_t k = 0; ev.kind == BUS_EV_RECORDS && k < ev.count; k++) {
                    each(s, f, &ev.records[k]);
                }
            }
        }
    }
    bus_reader_free(r);
    bus_client_free(c);
}

/* ---- what should have come out ---- */

static bool is_lost(const struct found *f, const struct storm_fact *x)
{
    if (x->offset < f->began[x->part].offset) { /* 0, if nothing was removed */
        return true;
    }
    VEC_EACH (&f->gaps, g) {
        if (g->part == x->part && x->offset >= g->from && x->offset < g->to) {
            return true;
        }
    }
    return false;
}

/* Each event that is there has its effect once, but for those of which is said that they are lost:
 * these have it once or not at all. */
static void check_effects(struct storm *s, struct found *f)
{
    uint32_t *must = mem_calloc(STORM_SEQS, sizeof *must),
             *may = mem_calloc(STORM_SEQS, sizeof *may);
    bool partial = (s->kind & STORM_DELETES) != 0 || f->other_gaps > 0;
    VEC_EACH (&s->facts, x) {
        must[x->seq] += x->load && !partial && !is_lost(f, x);
        may[x->seq] += x->load;
    }
    for (uint32_t i = 0; i < STORM_SEQS; i++) {
        if (f->seen[i] < must[i] || f->seen[i] > may[i]) {
            STORM_FAIL(s, "event %u was seen %u times, not %u to %u", i, f->seen[i], must[i],
                       may[i]);
        }
    }
    mem_free(must);
    mem_free(may);
}

static void check_counts(struct storm *s, const struct found *f)
{
    int64_t want[STORM_NODES] = {0};
    VEC_EACH (&s->facts, x) {
        want[x->node] += x->load;
    }
    for (uint32_t i = 0; i < STORM_NODES && (s->kind & (STORM_DELETES | STORM_TRIMS)) == 0; i++) {
        if (f->n[i] != want[i] || f->c[i] != want[i]) {
            STORM_FAIL(s, "node %u: %lld and %lld were counted, %lld are there", i,
                       (long long)f->n[i], (long long)f->c[i], (long long)want[i]);
        }
    }
    CHECK(f->fresh == 0 || s->counts.deletes + s->counts.trims + s->counts.forgets > 0);
}

/* ---- replay ---- */

static void tell_output(struct storm *s, struct found *f, const struct bus_record *r)
{
    struct head h;
    uint32_t task = 0;
    (void)f;
    if (head_of(r, &h)) {
        while (task < s->n_tasks && s->tasks[task].lineage != h.lineage) {
            task++;
        }
        fprintf(stderr, "output of task %u at %lld: cut %llu, first %llu, %zu bytes\n", task,
                (long long)r->offset, (unsigned long long)h.seq, (unsigned long long)h.first,
                r->value.len);
    }
}

static bool replay_from(struct storm *s, struct tapes *tapes, uint32_t task, int64_t from)
{
    struct replay_report *r = MEM_NEW(struct replay_report);
    struct err err;
    const struct replay_exact x = {.tapes = tapes,
                                   .task = storm_task_of(s, s->version, task),
                                   .journal = SLICE("journal"),
                                   .archive = SLICE("state.archive"),
                                   .journal_parts = JOURNAL_PARTS,
                                   .from = from,
                                   .to = INT64_MAX,
                                   .topics = true};
    int rc = replay_exact(&x, r, &err);
    if (rc != 0 && rc != -ERR_GONE) {
        tell_cuts(s);
        STORM_FAIL(s, "task %u cannot be replayed: %s", task, err.msg);
    }
    if (rc == 0 && !replay_is_same(r)) {
        tell_cuts(s);
        read_topic(s, NULL, SLICE("events"), STORM_PARTS, tell_output);
        STORM_FAIL(s, "replay of task %u: %.400s", task, r->first_difference);
    }
    s->counts.records_held += rc == 0 ? r->before + r->records : 0;
    mem_free(r);
    return rc == 0;
}

/* From the first record on; where that began with a state, from the last that was archived. */
static void check_replay(struct storm *s)
{
    struct bus_client *c = bus_client_new(s->bus, "replay");
    struct tapes *tapes = tapes_new(c, 60 * CLOCK_NS_PER_S);
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        bool all = replay_from(s, tapes, i, INT64_MIN + 1);
        if (!all && s->kind == STORM_CALM) {
            STORM_FAIL(s, "task %u: its first record is gone", i);
        }
        if (!all) {
            (void)replay_from(s, tapes, i, s->clock);
        }
    }
    tapes_free(tapes);
    bus_client_free(c);
}

/* ---- state ---- */

static struct task *task_at(struct storm *s, uint32_t i)
{
    struct storm_task *t = &s->tasks[i];
    return slot_task(t->owner->slot, slot_find(t->owner->slot, t->lineage));
}

static void until_settled(struct storm *s, const char *when)
{
    enum { SECONDS = 400 };
    for (int i = 0; !storm_is_settled(s); i++) {
        if (i == SECONDS) {
            storm_tell(s);
            STORM_FAIL(s, "tasks are stuck %s", when);
        }
        if (storm_live(s) == 0) {
            (void)storm_begin_proc(s);
        }
        storm_pass(s, CLOCK_NS_PER_S);
    }
}

static void drain(struct storm *s)
{
    for (int i = 0; i < 400; i++) {
        bool all = true;
        VEC_EACH (&s->procs, p) {
            if ((*p)->slot != NULL && (*p)->life == PROC_RUNS) {
                slot_drain((*p)->slot);
                all &= slot_is_drained((*p)->slot);
            }
        }
        if (all) {
            return;
        }
        storm_pass(s, 100 * CLOCK_NS_PER_MS);
    }
    storm_tell(s);
    STORM_FAIL(s, "what was taken is not committed");
}

static bool all_live(struct storm *s)
{
    bool all = true;
    for (uint32_t i = 0; i < s->n_tasks && all; i++) {
        const struct storm_proc *p = s->tasks[i].owner;
        uint32_t at =
            p != NULL && p->slot != NULL ? slot_find(p->slot, s->tasks[i].lineage) : UINT32_MAX;
        all = at != UINT32_MAX && slot_task_state(p->slot, at) == SLOT_LIVE;
    }
    return all;
}

/* What has come meanwhile is not taken. */
static void check_state(struct storm *s)
{
    struct hash128 live[STORM_TASKS];
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        live[i] = task_state_hash(task_at(s, i));
    }
    for (size_t i = 0; i < s->procs.len; i++) {
        if (s->procs.ptr[i]->slot != NULL) {
            storm_kill(s, s->procs.ptr[i]);
        }
    }
    s->looks = true;
    (void)storm_begin_proc(s);
    for (int i = 0; !all_live(s); i++) {
        if (i == 400) {
            storm_tell(s);
            STORM_FAIL(s, "tasks are stuck after all have died");
        }
        storm_pass(s, 100 * CLOCK_NS_PER_MS);
    }
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        struct hash128 again = task_state_hash(task_at(s, i));
        bool gap = task_counts(task_at(s, i)).gaps > 0; /* what it took last is gone */
        if (!gap && memcmp(&again, &live[i], sizeof again) != 0) {
            tell_cuts(s);
            STORM_FAIL(s, "task %u has another state after it began again", i);
        }
    }
}

/* ---- the sweep ---- */

static struct map kept; /* keys of `state` */

static void each_state(struct storm *s, struct found *f, const struct bus_record *r)
{
    (void)s;
    (void)f;
    if (r->value.ptr != NULL) {
        (void)map_put(&kept, r->key);
    } else {
        (void)map_remove(&kept, r->key);
    }
}

/* When all was calm, nothing is left that no task has. */
static void check_sweep(struct storm *s)
{
    storm_changed(s);
    for (int i = 0; !storm_is_swept(s); i++) {
        if (i == 200) {
            storm_tell(s);
            STORM_FAIL(s, "state is never swept");
        }
        storm_pass(s, CLOCK_NS_PER_S);
    }
    map_init(&kept, 1000000);
    read_topic(s, NULL, SLICE("state"), JOURNAL_PARTS, each_state);
    MAP_EACH (&kept, e) {
        uint64_t lineage = 0;
        bool known = swept_is_mark(e->key) || !swept_lineage(e->key, &lineage);
        for (uint32_t i = 0; i < s->n_tasks; i++) {
            known |= s->tasks[i].lineage == lineage;
        }
        if (!known) {
            STORM_FAIL(s, "state of nobody's task %llx is left", (unsigned long long)lineage);
        }
    }
    map_done(&kept);
}

void storm_judge(struct storm *s)
{
    struct found *f = MEM_NEW(struct found);
    until_settled(s, "at the end");
    storm_pass(s, 8 * CLOCK_NS_PER_S); /* timers of rules end */
    until_settled(s, "at the end of time");
    check_sweep(s);
    until_settled(s, "behind a sweep");
    drain(s);
    read_topic(s, f, SLICE("events"), STORM_PARTS, each_event);
    VEC_EACH (&s->cuts, c) {
        look_at_cut(s, f, c);
    }
    s->counts.gaps += f->gaps.len + f->other_gaps;
    if (s->counts.trims + s->counts.forgets == 0 &&
        f->other_gaps + f->gaps.len > s->counts.skipped) {
        tell_cuts(s);
        STORM_FAIL(s, "input is lost that nobody removed");
    }
    check_effects(s, f);
    check_counts(s, f);
    check_replay(s);
    check_state(s);
    VEC_DONE(&f->gaps);
    mem_free(f);
}
