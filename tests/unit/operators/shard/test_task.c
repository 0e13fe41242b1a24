/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/shard/task.h: tasks over random topics of four partitions. Whatever arrives when, the
 * journal of a task played over the topics makes the same events and the same state; and a run
 * whose inputs are all there does not depend on how they came, nor on where it was cut.
 */
#include "operators/shard/task.h"
#include "operators/shard/task_gap.h"
#include "tests/test.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/event/batch_dec.h"
#include "core/event/frame.h"

enum { PARTS = 4, PIECES = 30, EVENTS_MAX = 6, COLS = 3 };

struct piece {
    struct merge_piece p;
    struct rec events[EVENTS_MAX];
    struct val_pair cols[EVENTS_MAX][COLS];
};
struct world {
    uint64_t seed;
    struct intern *keys;
    struct piece pieces[PARTS][PIECES];
    struct merge_spec specs[PARTS];
    uint16_t ids[PARTS];
};
struct record_copy {
    struct buf bytes;
};
enum { LANES = 12 };
struct history {
    VEC(struct record_copy) records;
    struct hash_state *lanes[LANES]; /* event by event, without how it was cut */
    struct hash128 state;
    uint64_t puts;
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (w->seed >> 33) % below;
}

static struct val_pair pair(struct world *w, const char *key, struct val v)
{
    struct val_pair p = val_pair(slice_str(key), v);
    p.key_id = intern_id(w->keys, slice_str(key));
    return p;
}

static struct world *make(uint64_t seed)
{
    static const char *hosts[] = {"a", "b", "c", "d", "e"};
    static const struct rec_context none = {NULL, 0, 0};
    struct world *w = MEM_NEW(struct world);
    w->seed = seed;
    w->keys = intern_new(1000, 100000);
    for (uint32_t s = 0; s < PARTS; s++) {
        w->specs[s] = (struct merge_spec){0, s, 0, 2000000000};
        w->ids[s] = 1;
        int64_t offset = 0, ts = 1000000000000000000;
        for (uint32_t i = 0; i < PIECES; i++) {
            struct piece *p = &w->pieces[s][i];
            offset += 1 + (int64_t)draw(w, 2);
            uint32_t n = 1 + (uint32_t)draw(w, EVENTS_MAX);
            for (uint32_t k = 0; k < n; k++) {
                ts += (int64_t)draw(w, 3000000000);
                p->cols[k][0] = pair(w, "host", val_string(slice_str(hosts[draw(w, 5)])));
                p->cols[k][1] = pair(w, "value", val_double((double)draw(w, 100)));
                p->cols[k][2] =
                    pair(w, "kind", val_string(draw(w, 2) == 0 ? SLICE("s") : SLICE("e")));
                p->events[k] = (struct rec){.ts = ts - (int64_t)draw(w, 4000000000),
                                            .context = &none,
                                            .type = SLICE("Metric"),
                                            .type_id = intern_id(w->keys, SLICE("Metric")),
                                            .payload = p->cols[k],
                                            .payload_len = COLS};
            }
            p->p = (struct merge_piece){
                .offset = offset, .events = p->events, .n = n, .mark = MERGE_NO_MARK};
        }
    }
    return w;
}

static void unmake(struct world *w)
{
    intern_free(w->keys);
    mem_free(w);
}

static const char rules[] =
    "@public @buseventtype create schema Metric(host string, value double, kind string);"
    "insert into Mean select host, avg(value) as mean, count(*) as n from Metric#time(10 sec) "
    "group by host output last every 5 sec;"
    "insert into High select host, value from Metric(value > 90);"
    "insert into Pair select a.host as host, b.value as value from "
    "pattern [every a=Metric(kind='s') -> b=Metric(kind='e' and host=a.host) "
    "where timer:within(20 sec)];"
    "insert into Silent select host, count(*) as n from Metric#time_batch(7 sec) group by host;";

static struct task_plan plan_of(const struct world *w)
{
    static const struct task_module modules[] = {{SLICE("hl"), {rules, sizeof rules - 1}, NULL}};
    static const struct slice reads[] = {SLICE("Metric")}, host[] = {SLICE("host")};
    static const bool as_double[] = {false};
    static const struct emit_to to[] = {{SLICE("x.means"), 8, true}, {SLICE("events"), 4, false}};
    static const struct task_out outs[] = {{SLICE("Mean"), 0, host, as_double, 1},
                                           {SLICE("Pair"), 0, host, as_double, 1},
                                           {SLICE("High"), 1, NULL, NULL, 0},
                                           {SLICE("Silent"), 1, NULL, NULL, 0}};
    return (struct task_plan){.name = SLICE("test/graph/level/0"),
                              .lineage = 77,
                              .parts = 1,
                              .modules = modules,
                              .n_modules = 1,
                              .reads = reads,
                              .n_reads = 1,
                              .subs = w->specs,
                              .topic_ids = w->ids,
                              .n_subs = PARTS,
                              .to = to,
                              .n_to = 2,
                              .outs = outs,
                              .n_outs = 4};
}

static void begin_history(struct history *h)
{
    for (size_t i = 0; i < LANES; i++) {
        h->lanes[i] = hash_new();
    }
}

/* Reads as anybody would, by header and batch. */
static void keep_record(struct history *h, const struct emit_record *r)
{
    struct intern *keys = intern_new(100, 10000);
    struct batch_dec *d = batch_dec_new(BATCH_LIMITS, keys);
    struct arena *a = arena_new(NULL, "outputs", 1 << 22);
    struct rec_batch b = {0};
    struct head head;
    struct err err;
    CHECK(head_read(r->head, &head));
    CHECK_EQ(r->first, head.first);
    if (r->count > 0) {
        struct slice body = slice_sub(r->value, FRAME_SINGLE_BYTES, r->value.len);
        CHECK_OK(batch_dec_read(d, a, body, &b, &err), err);
        CHECK_EQ(r->count, b.events_len);
    }
    struct hash_state *lane = h->lanes[r->to * 8 + r->part];
    for (uint32_t i = 0; i < b.events_len; i++) {
        const struct rec *e = &b.events[i];
        uint64_t number = head.first + e->n;
        struct id id = id_of_derived(77, number);
        CHECK(id_equal(&id, &e->id));
        hash_add(lane, &number, sizeof number);
        hash_add(lane, &e->ts, sizeof e->ts);
        hash_add(lane, e->type.ptr, e->type.len);
        for (uint32_t k = 0; k < e->payload_len; k++) {
            hash_add(lane, e->payload[k].key, e->payload[k].key_len);
            const struct val *v = &e->payload[k].value;
            if (v->tag == VAL_STRING) {
                hash_add(lane, v->str, v->len);
            } else {
                hash_add(lane, &v->bits, sizeof v->bits);
            }
        }
        hash_add(lane, e->causes, e->causes_len * sizeof *e->causes);
        bool of_group = slice_eq(e->type, SLICE("Mean")) || slice_eq(e->type, SLICE("Silent"));
        CHECK(e->causes_len > 0 || of_group); /* a group may be empty by now */
    }
    arena_free(a);
    batch_dec_free(d);
    intern_free(keys);
}

static void keep(struct history *h, const struct task_cut *c)
{
    struct record_copy *r = VEC_PUSH(&h->records);
    buf_init(&r->bytes, JOURNAL_BYTES_MAX);
    buf_add_slice(&r->bytes, c->journal);
    h->puts += c->parcel->events;
    for (uint32_t i = 0; i < c->parcel->n; i++) {
        keep_record(h, &c->parcel->records[i]);
    }
}

static void cut(struct task *t, struct history *h)
{
    struct task_cut c;
    struct err err;
    CHECK_OK(task_cut(t, 1, &c, &err), err);
    keep(h, &c);
    task_committed(t, (int64_t)h->records.len, NULL, 0);
}

/* Bursts; some sub-streams are passed over; timers fire when nothing comes. */
static void run_live(struct world *w, struct task *t, uint32_t *at, struct history *h, int rounds)
{
    for (int r = 0; r < rounds; r++) {
        uint32_t s = (uint32_t)draw(w, PARTS);
        for (uint64_t n = draw(w, 3); n > 0 && at[s] < PIECES; n--) {
            merge_push(task_merge(t), s, &w->pieces[s][at[s]++].p);
        }
        merge_may_skip(task_merge(t), s, draw(w, 2) == 0);
        task_work(t, (uint32_t)draw(w, 20));
        int64_t due = task_due(t);
        if (draw(w, 5) == 0 && due != TASK_NOT_DUE && due > merge_clock(task_merge(t)) &&
            due < 1000000500000000000) {
            task_tick(t, due);
        }
        if (draw(w, 7) == 0 && task_is_dirty(t)) {
            cut(t, h);
        }
    }
    if (task_is_dirty(t)) {
        cut(t, h);
    }
    h->state = task_state_hash(t);
}

static int replay_one(struct world *w, struct task *t, uint32_t *at, struct slice bytes,
                      int64_t offset, struct err *err)
{
    struct arena *a = arena_new(NULL, "replay", 1 << 22);
    struct journal_record rec;
    uint64_t sum = 0;
    int rc = journal_read(bytes, a, &rec, &sum, err);
    rc = rc == 0 ? task_replay(t, &rec, offset, sum, err) : rc;
    while (rc == 0 && task_replaying(t)) {
        uint32_t s = (uint32_t)draw(w, PARTS);
        if (at[s] < PIECES) {
            merge_push(task_merge(t), s, &w->pieces[s][at[s]++].p);
        }
        task_work(t, 1 + (uint32_t)draw(w, 50));
    }
    rc = rc == 0 ? task_replayed(t, err) : rc;
    arena_free(a);
    return rc;
}

static struct task *begin(struct world *w, const struct task_plan *p)
{
    static const struct merge_conf nobody = {NULL, NULL};
    return task_new(p, w->keys, &nobody);
}

static void forget(struct history *h)
{
    VEC_EACH (&h->records, r) {
        buf_done(&r->bytes);
    }
    VEC_DONE(&h->records);
    for (size_t i = 0; i < LANES; i++) {
        hash_free(h->lanes[i]);
    }
}

TEST(the_journal_makes_the_same_events_and_state)
{
    uint64_t puts = 0, ticks = 0;
    for (uint64_t seed = 1; seed <= TEST_SEEDS(25); seed++) {
        struct world *w = make(seed);
        struct task_plan plan = plan_of(w);
        struct history h = {0};
        struct err err;
        uint32_t at[PARTS] = {0}, again[PARTS] = {0};
        begin_history(&h);
        struct task *t = begin(w, &plan);
        run_live(w, t, at, &h, 120);
        CHECK_EQ(0, task_counts(t).refused);
        ticks += task_counts(t).ticks;
        task_free(t);
        t = begin(w, &plan);
        for (size_t i = 0; i < h.records.len; i++) {
            CHECK_OK(
                replay_one(w, t, again, buf_slice(&h.records.ptr[i].bytes), (int64_t)i + 1, &err),
                err);
        }
        struct hash128 state = task_state_hash(t);
        CHECK(memcmp(&state, &h.state, sizeof state) == 0);
        task_free(t);
        puts += h.puts;
        forget(&h);
        unmake(w);
    }
    CHECK(puts > 2000);
    CHECK(ticks > 50);
}

/* With the decision before all that the record has; its arrays are in the arena. */
static int replay_with(struct world *w, struct task *t, struct slice bytes,
                       struct journal_decision d, struct err *err)
{
    struct arena *a = arena_new(NULL, "replay", 1 << 22);
    struct journal_record rec;
    uint32_t at[PARTS] = {0};
    uint64_t sum = 0;
    CHECK_OK(journal_read(bytes, a, &rec, &sum, err), *err);
    struct journal_decision *all = arena_array(a, rec.n_decisions + 2, sizeof *all);
    all[0] = all[1] = d;
    all[1].time = d.time - 1;
    for (uint32_t i = 0; i < rec.n_decisions; i++) {
        all[i + 2] = rec.decisions[i];
    }
    rec.decisions = all;
    rec.n_decisions += 2;
    int rc = task_replay(t, &rec, 1, sum, err);
    for (uint32_t s = 0; rc == 0 && task_replaying(t); s++) {
        if (at[s % PARTS] < PIECES) {
            merge_push(task_merge(t), s % PARTS, &w->pieces[s % PARTS][at[s % PARTS]++].p);
        }
        task_work(t, 7);
    }
    rc = rc == 0 ? task_replayed(t, err) : rc;
    arena_free(a);
    return rc;
}

TEST(decisions_that_nobody_can_have_made_end_no_process)
{
    static const struct journal_decision odd[] = {
        {.kind = JOURNAL_TICK, .time = 5},                                    /* before it began */
        {.kind = JOURNAL_SUCCEEDS, .time = 0},                                /* back behind -1 */
        {.kind = JOURNAL_GAP, .time = 0, .bytes = SLICE("\x09\x00\x00\x00")}, /* of no input */
        {.kind = JOURNAL_POISON, .bytes = SLICE("\x00\x07\x00\x00")},         /* before all */
    };
    static const int rc[ARRAY_LEN(odd)] = {0, -ERR_MISMATCH, 0, 0};
    struct world *w = make(5);
    struct task_plan plan = plan_of(w);
    struct history h = {0};
    struct err err = {0};
    uint32_t at[PARTS] = {0};
    begin_history(&h);
    struct task *t = begin(w, &plan);
    run_live(w, t, at, &h, 120);
    task_skip(t, PARTS, 3);
    CHECK(!task_is_dirty(t));
    task_free(t);
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        t = begin(w, &plan);
        CHECK_EQ(rc[i], replay_with(w, t, buf_slice(&h.records.ptr[0].bytes), odd[i], &err));
        CHECK_EQ(0, task_counts(t).ticks + task_counts(t).poison + task_counts(t).gaps);
        task_free(t);
    }
    forget(&h);
    unmake(w);
}

TEST(what_was_done_otherwise_is_noticed)
{
    struct world *w = make(5);
    struct task_plan plan = plan_of(w);
    struct history h = {0};
    struct err err = {0};
    uint32_t at[PARTS] = {0}, again[PARTS] = {0};
    begin_history(&h);
    struct task *t = begin(w, &plan);
    run_live(w, t, at, &h, 120);
    task_free(t);
    for (uint32_t i = 0; i < EVENTS_MAX; i++) { /* history is changed */
        w->pieces[0][3].cols[i][1].value = val_double(95.5);
    }
    t = begin(w, &plan);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < h.records.len; i++) {
        rc = replay_one(w, t, again, buf_slice(&h.records.ptr[i].bytes), (int64_t)i + 1, &err);
    }
    CHECK_EQ(-ERR_MISMATCH, rc);
    CHECK_HAS("differs from what was done", err.msg);
    task_free(t);
    t = begin(w, &plan);
    rc = replay_one(w, t, again, buf_slice(&h.records.ptr[1].bytes), 1, &err); /* not the first */
    CHECK_EQ(-ERR_CORRUPT, rc);
    CHECK_HAS("torn", err.msg);
    task_free(t);
    forget(&h);
    unmake(w);
}

static void run_free(struct world *w, const struct task_plan *plan, struct history *h)
{
    struct task *t = begin(w, plan);
    uint32_t at[PARTS] = {0}, left = PARTS * PIECES;
    begin_history(h);
    while (left > 0) {
        uint32_t s = (uint32_t)draw(w, PARTS);
        if (at[s] < PIECES) {
            merge_push(task_merge(t), s, &w->pieces[s][at[s]++].p);
            left--;
            if (at[s] == PIECES) {
                merge_end(task_merge(t), s);
            }
        }
        task_work(t, (uint32_t)draw(w, 30));
        if (draw(w, 9) == 0 && task_is_dirty(t)) {
            cut(t, h);
        }
    }
    while (task_work(t, 100) > 0) {
    }
    task_finish(t, 1000000900000000000);
    cut(t, h);
    h->state = task_state_hash(t);
    task_free(t);
}

TEST(a_run_over_a_fixed_range_depends_on_the_range_alone)
{
    for (uint64_t seed = 1; seed <= TEST_SEEDS(20); seed++) {
        struct world *w = make(seed);
        struct task_plan plan = plan_of(w);
        struct history a = {0}, b = {0};
        run_free(w, &plan, &a);
        run_free(w, &plan, &b);
        CHECK(memcmp(&a.state, &b.state, sizeof a.state) == 0);
        for (size_t i = 0; i < LANES; i++) {
            struct hash128 x = hash_end(a.lanes[i]), y = hash_end(b.lanes[i]);
            CHECK(memcmp(&x, &y, sizeof x) == 0);
        }
        CHECK_EQ(a.puts, b.puts);
        CHECK(a.puts > 100);
        forget(&a);
        forget(&b);
        unmake(w);
    }
}
