/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks whose rules nothing concerns sleep (operators/shard/task_pass.c): what they put out, and
 * the state they have in the end, is that of a task that had its rules from the first input on; a
 * journal written asleep can be played, a snapshot made asleep be restored.
 */
#include "operators/shard/layout.h"
#include "operators/shard/probe.h"
#include "operators/shard/task_state.h"
#include "tests/test.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"

#include <stdio.h>

enum { RAW_PARTS = 4, RECORDS = 80, PER_RECORD = 5, CUTS = 20, RARE_FROM = 50, NO_ROOT = 99 };
#define BEGIN INT64_C(1700000000000000000)

static const char document[] =
    "apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\nlevels:\n"
    "- name: metrics\n  bound: 0s\n  epl: |\n"
    "    @name('n') insert into N select count(*) as n, sum(value) as v\n"
    "    from Metric(name = 'rare', value > 3)#time(1 sec);\n"
    "    @name('p') insert into P select b.value as v from pattern [every a=Metric(name = 'rare')\n"
    "    -> b=Metric(name = 'm1', value > a.value)];\n";

struct world {
    struct arena *a;
    struct intern *keys;
    struct layout *l;
    struct task_plan asleep, awake;
    struct rec_batch records[RECORDS];
};

static void make_records(struct world *w, uint64_t seed)
{
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    struct batch_dec *dec = batch_dec_new(BATCH_LIMITS, w->keys);
    struct buf b;
    struct err err;
    int64_t ts = BEGIN;
    buf_init(&b, 100000);
    for (uint32_t i = 0; i < RECORDS; i++) {
        batch_enc_begin(enc, SLICE("test"), 0);
        for (uint32_t k = 0; k < PER_RECORD; k++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            bool rare = i >= RARE_FROM && (seed >> 33) % 4 == 0;
            const struct rec_context none = {NULL, 0, 0};
            const struct val_pair p[] = {
                val_pair(SLICE("name"), val_string(rare ? SLICE("rare") : SLICE("m1"))),
                val_pair(SLICE("value"), val_double((double)((seed >> 40) % 9)))};
            const struct rec r = {.ts = ts += (int64_t)((seed >> 45) % 100000000),
                                  .kind = REC_METRIC,
                                  .context = &none,
                                  .type = SLICE("Metric"),
                                  .payload = p,
                                  .payload_len = 2};
            CHECK_OK(batch_enc_add(enc, &r, &err), err);
        }
        CHECK_OK(batch_enc_end(enc, &b, &err), err);
        struct slice bytes = arena_copy(w->a, buf_slice(&b));
        CHECK_OK(batch_dec_read(dec, w->a, bytes, &w->records[i], &err), err);
        buf_clear(&b);
    }
    buf_done(&b);
    batch_dec_free(dec);
    batch_enc_free(enc);
}

static void begin(struct world *w, uint64_t seed)
{
    const struct layout_conf conf = {.raw_parts = RAW_PARTS};
    struct err err;
    *w = (struct world){.a = arena_new(NULL, "test", 64 << 20), .keys = intern_new(10000, 1000000)};
    CHECK_OK(layout_make(w->a, slice_str(document), &conf, &w->l, &err), err);
    const struct layout_group *g = &w->l->groups[w->l->n_groups - 1];
    w->asleep = w->awake = *g->tasks[0].plan;
    CHECK(w->asleep.wants != NULL && w->asleep.wants->may_sleep);
    CHECK_EQ(RAW_PARTS, w->asleep.n_subs);
    w->awake.wants = NULL;
    make_records(w, seed);
}

static void end(struct world *w)
{
    intern_free(w->keys);
    arena_free(w->a);
}

/* With all its input at hand. */
static struct task *task_with_input(struct world *w, const struct task_plan *plan)
{
    static const struct merge_conf nobody = {NULL, NULL};
    struct task *t = task_new(plan, w->keys, &nobody);
    for (uint32_t i = 0; i < RECORDS; i++) {
        merge_push(task_merge(t), i % RAW_PARTS,
                   &(struct merge_piece){.offset = i + 1,
                                         .events = w->records[i].events,
                                         .n = w->records[i].events_len,
                                         .mark = MERGE_NO_MARK});
    }
    for (uint32_t s = 0; s < RAW_PARTS; s++) {
        merge_end(task_merge(t), s);
    }
    return t;
}

struct story { /* what a task wrote, cut by cut */
    struct slice journal[CUTS + 1];
    struct hash128 sum[CUTS + 1], state[CUTS + 1];
    int64_t clock[CUTS + 1];
    uint64_t put;
};

static void step(struct world *w, struct task *t, uint32_t i, struct story *to)
{
    struct task_cut c;
    struct err err;
    CHECK(task_work(t, RECORDS * PER_RECORD / CUTS) > 0);
    to->state[i] = task_state_hash(t);
    CHECK_OK(task_cut(t, 1, &c, &err), err);
    to->journal[i] = arena_copy(w->a, c.journal);
    to->sum[i] = c.parcel->sum;
    to->clock[i] = merge_clock(task_merge(t));
    to->put = task_counts(t).put;
    task_committed(t, (int64_t)i + 1, NULL, 0);
}

static bool same(const struct hash128 *a, const struct hash128 *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Goes through a snapshot into another task, whose inputs are pushed again. */
static struct task *restored(struct world *w, struct task *t)
{
    struct snap_set *from = snap_set_new(1), *to = snap_set_new(1);
    struct snap_root root = {.engine = JOURNAL_ENGINE_NUMBER};
    struct task_cut c;
    struct err err;
    size_t n = 0;
    CHECK(task_snapshot(t, from));
    CHECK_OK(task_cut(t, 1, &c, &err), err);
    while (!task_save_step(t, 1000)) {
    }
    task_committed(t, NO_ROOT, NULL, 0);
    snap_set_seal(from, &root);
    for (bool over = false; !over; over = snap_set_committed(from)) {
        for (uint32_t i = 0, puts = snap_set_take(from, 1 << 20); i < puts; i++) {
            const struct snap_put *p = snap_set_put(from, i);
            struct snap_key k;
            CHECK(snap_key_read(slice_of(p->key, p->key_len), &k));
            CHECK_OK(snap_set_record(to, &k, p->value, &err), err);
        }
    }
    CHECK_OK(snap_set_open(to, &err), err);
    const struct save_chunk *chunks = snap_set_chunks(to, &n);
    static const struct merge_conf nobody = {NULL, NULL};
    struct task *fresh = task_new(task_plan(t), w->keys, &nobody);
    CHECK_OK(task_restore(fresh, chunks, n, &root.state, &err), err);
    for (uint32_t i = 0; i < RECORDS; i++) {
        merge_push(task_merge(fresh), i % RAW_PARTS,
                   &(struct merge_piece){.offset = i + 1,
                                         .events = w->records[i].events,
                                         .n = w->records[i].events_len,
                                         .mark = MERGE_NO_MARK});
    }
    for (uint32_t s = 0; s < RAW_PARTS; s++) {
        merge_end(task_merge(fresh), s);
    }
    snap_set_free(from);
    snap_set_free(to);
    return fresh;
}

TEST(who_slept_is_as_if_he_had_not)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w;
        struct story a = {0}, b = {0};
        begin(&w, seed);
        struct task *x = task_with_input(&w, &w.asleep), *y = task_with_input(&w, &w.awake);
        uint32_t slept = 0;
        for (uint32_t i = 0; i < CUTS; i++) {
            step(&w, x, i, &a);
            step(&w, y, i, &b);
            slept += task_is_asleep(x);
            CHECK(!task_is_asleep(y) && same(&a.sum[i], &b.sum[i]) && a.clock[i] == b.clock[i]);
            CHECK(task_is_asleep(x) || same(&a.state[i], &b.state[i]));
            CHECK(i > 3 || task_counts(x).late == task_counts(y).late);
            CHECK(i > 3 || task_counts(x).events == task_counts(y).events);
            if (i == 3 || i == CUTS - 3) {
                struct task *z = restored(&w, x);
                CHECK_EQ(task_is_asleep(x), task_is_asleep(z));
                task_free(x);
                x = z;
                struct task_cut c;
                struct err err;
                CHECK_OK(task_cut(y, 1, &c, &err), err);
                task_committed(y, NO_ROOT, NULL, 0);
            }
        }
        CHECK(slept >= CUTS / 2 && !task_is_asleep(x) && b.put > 5);
        task_free(x);
        task_free(y);
        end(&w);
    }
}

TEST(a_journal_that_was_written_asleep_is_played)
{
    struct world w;
    struct story a = {0};
    struct err err;
    begin(&w, 7);
    struct task *x = task_with_input(&w, &w.asleep);
    for (uint32_t i = 0; i < CUTS; i++) {
        step(&w, x, i, &a);
    }
    task_free(x);
    x = task_with_input(&w, &w.asleep);
    for (uint32_t i = 0; i < CUTS; i++) {
        struct journal_record r;
        uint64_t sum = 0;
        CHECK_OK(journal_read(a.journal[i], w.a, &r, &sum, &err), err);
        CHECK_OK(task_replay(x, &r, i + 1, sum, &err), err);
        while (task_replaying(x)) {
            CHECK(task_work(x, 7) > 0);
        }
        CHECK_OK(task_replayed(x, &err), err);
        struct hash128 state = task_state_hash(x);
        CHECK(same(&a.state[i], &state));
    }
    CHECK(!task_is_asleep(x));
    task_free(x);
    end(&w);
}

/* Rules that came after others go on with their numbers, also if they slept when they were saved:
 * the id of an event is made of its number. */
TEST(who_sleeps_keeps_the_numbers_of_rules_before)
{
    struct world w;
    struct journal_record last = {.seq = 3, .outputs = 93};
    struct task_cut c;
    struct err err;
    begin(&w, 7);
    struct task *x = task_with_input(&w, &w.asleep);
    task_succeed(x, &last, 1, 1);
    CHECK(task_work(x, 20) == 20 && task_is_asleep(x));
    CHECK_OK(task_cut(x, 1, &c, &err), err);
    task_committed(x, 2, NULL, 0);
    struct task *z = restored(&w, x);
    CHECK(task_is_asleep(z));
    CHECK_EQ(93, eng_numbered(task_eng(z)));
    task_free(x);
    task_free(z);
    end(&w);
}

/* A probe says what the index of an engine would, or more. */
TEST(a_probe_knows_whom_an_event_concerns)
{
    struct world w;
    begin(&w, 3);
    struct probe *p = probe_new(w.keys);
    const struct task_wants *wants = w.asleep.wants;
    struct probe_party *who = probe_join(p, wants->v, wants->n, wants);
    CHECK(who == probe_join(p, wants->v, wants->n, wants));
    uint32_t rare = 0;
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint32_t n = 0, at = 0;
        probe_record(p, w.a, w.records[i].events, w.records[i].events_len);
        const uint32_t *wanted = probe_wanted(p, who, &n);
        for (uint32_t k = 0; k < w.records[i].events_len; k++) {
            const struct rec *r = &w.records[i].events[k];
            bool is = slice_eq(val_slice(r->payload[0].value), SLICE("rare"));
            CHECK_EQ(is, at < n && wanted[at] == k);
            at += is;
            rare += is;
        }
        CHECK_EQ(n, at);
    }
    CHECK(rare > 10);
    probe_leave(p, who);
    probe_leave(p, who);
    probe_free(p);
    end(&w);
}
