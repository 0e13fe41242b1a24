/* SPDX-License-Identifier: Apache-2.0
 *
 * The number of the engine (JOURNAL_ENGINE_NUMBER): whoever changes what rules put out or keep has
 * to raise it, because journals that are written already would not make the same again. Here lies a
 * journal with its input (engine.journal) that a task wrote under the present number, with rules of
 * many kinds; it must still come out as it was, outputs and states.
 *
 *     KAIJU_RECORD_JOURNAL=tests/claims/engine.journal build/dev/tests/claims/engine_number
 *
 * writes it anew, after the number was raised.
 *
 * The file: "KJNL1\n", engine number, number of inputs; for each its partition and bytes; number of
 * records of the journal, and the bytes of each. Numbers are 32 bits, big-endian.
 */
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/codec/endian.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_in.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "operators/shard/task_state.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/one_task.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARTS = 4, PIECES = 40, EVENTS_MAX = 5, FILE_MAX = 4 << 20 };

#define MAGIC "KJNL1\n"

static const char rules[] =
    "@public @buseventtype create schema Metric(host string, value double, kind string, n int);"
    "create variable int limit_n = 3;"
    "create window Newest#unique(host) as Metric;"
    "insert into Newest select * from Metric;"
    "create table Seen(host string primary key, n count(*), top maxever(double));"
    "into table Seen select count(*) as n, maxever(value) as top from Metric group by host;"
    "create context PerHost partition by host from Metric;"
    "insert into Mean select host, avg(value) as v, count(*) as n from Metric#time(10 sec) "
    "group by host output last every 5 sec;"
    "insert into High select host, value as v from Metric(value > 90);"
    "insert into Pair select a.host as host, b.value as v from "
    "pattern [every a=Metric(kind='s') -> b=Metric(kind='e' and host=a.host) "
    "where timer:within(20 sec)];"
    "insert into Quiet select a.host as host from pattern [every a=Metric(value > 80) -> "
    "(timer:interval(3 sec) and not Metric(host = a.host))];"
    "insert into Batch select host, count(*) as n, stddev(value) as v from "
    "Metric#time_batch(7 sec) group by host order by host;"
    "insert into Joined select x.host as host, x.value + y.value as v from Metric#length(5) as x, "
    "Newest as y where x.host = y.host and x.kind != y.kind;"
    "insert into Outer_ select x.host as host, y.value as v from High#lastevent as x left outer "
    "join Newest as y on x.host = y.host;"
    "insert into Sub select host, (select max(value) from Metric#length(20) as z "
    "where z.host = m.host) as v from Metric(kind='s') as m;"
    "insert into Tabled select host, Seen[host].top as v, Seen[host].n as n from Metric(n = 3);"
    "context PerHost insert into Own select host, sum(value) as v, prev(1, value) as p "
    "from Metric#length(4);"
    "insert into Row select * from Metric match_recognize (partition by host measures A.host as "
    "host, B[0].value as v pattern (A B+ C) define A as A.value < 40, B as B.value > A.value, "
    "C as C.value < B[0].value);"
    "insert into Sorted select host, value as v from Metric#sort(3, value desc) output snapshot "
    "every 11 sec;"
    "insert into Rolled select host, kind, sum(n) as n from Metric#time(15 sec) "
    "group by rollup(host, kind) output last every 9 sec;"
    "insert into Distinct_ select distinct kind as host from Metric#length_batch(8);"
    "insert into Limited select host, value as v from Metric#length_batch(10) "
    "order by value desc limit 2;"
    "on Metric(kind = 'x') delete from Newest where Newest.value < 20;"
    "on Metric(kind = 'x') set limit_n = limit_n + 1;"
    "insert into Many select host, n as v from Metric(n > limit_n);"
    "insert into Windowed select host, sum(value) as v from Metric#ext_timed(n, 4) "
    "group by host having count(*) > 1;";

static const char *const types[] = {"Mean",   "High",      "Pair",    "Quiet", "Batch",   "Joined",
                                    "Outer_", "Sub",       "Tabled",  "Own",   "Row",     "Sorted",
                                    "Rolled", "Distinct_", "Limited", "Many",  "Windowed"};

struct input {
    uint32_t part;
    struct slice bytes;
};

struct recording {
    struct buf file;
    VEC(struct input) inputs;
    VEC(struct slice) journal;
    uint32_t engine;
};

/* ---- the task ---- */

static struct task_out outs[ARRAY_LEN(types)];

static const struct task_plan *plan(void)
{
    static struct one_task one;
    static const struct slice host[] = {SLICE("host")};
    static const bool as_double[] = {false};
    static const struct emit_to to[] = {{SLICE("x.some"), 4, true}, {SLICE("events"), 2, false}};
    for (uint32_t i = 0; i < ARRAY_LEN(types); i++) {
        outs[i] =
            (struct task_out){slice_str(types[i]), i % 2, host, as_double, i % 2 == 0 ? 1 : 0};
    }
    one.plan = (struct task_plan){.name = SLICE("test/graph/all/0"),
                                  .lineage = 99,
                                  .to = to,
                                  .n_to = 2,
                                  .outs = outs,
                                  .n_outs = ARRAY_LEN(types)};
    return one_task(&one, SLICE("all"), slice_of(rules, sizeof rules - 1), PARTS);
}

struct reader { /* of input, as a slot reads it */
    struct intern *keys;
    struct schema_reg *reg;
    struct batch_in *decoder;
    struct arena *arena;
    int64_t offsets[PARTS];
    size_t next;
};

static void reader_init(struct reader *r)
{
    *r = (struct reader){.keys = intern_new(1000, 100000),
                         .reg = schema_reg_new(),
                         .arena = arena_new(NULL, "input", 64 << 20)};
    r->decoder = batch_in_new(BATCH_LIMITS, r->keys, r->reg);
}

static void reader_done(struct reader *r)
{
    batch_in_free(r->decoder);
    schema_reg_free(r->reg);
    intern_free(r->keys);
    arena_free(r->arena);
}

static void push_next(struct reader *r, const struct recording *rec, struct task *t)
{
    const struct input *in = &rec->inputs.ptr[r->next++];
    struct rec_batch b;
    struct err err;
    CHECK_OK(batch_in_read(r->decoder, r->arena, in->bytes, &b, &err), err);
    const struct merge_piece p = {.offset = r->offsets[in->part]++,
                                  .events = b.events,
                                  .n = b.events_len,
                                  .mark = MERGE_NO_MARK};
    merge_push(task_merge(t), in->part, &p);
}

/* ---- recording ---- */

static uint64_t seed = 20;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (seed >> 33) % below;
}

static void put_number(struct buf *b, uint32_t n)
{
    char bytes[4];
    endian_put_be32(bytes, n);
    CHECK(buf_add(b, bytes, sizeof bytes));
}

static void put_bytes(struct buf *b, struct slice bytes)
{
    put_number(b, (uint32_t)bytes.len);
    CHECK(buf_add_slice(b, bytes));
}

static void make_inputs(struct recording *rec, struct arena *a)
{
    static const char *hosts[] = {"a", "b", "c", "d", "e"}, *kinds[] = {"s", "e", "x"};
    static const struct rec_context none = {NULL, 0, 0};
    int64_t ts[PARTS];
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    struct err err;
    for (uint32_t i = 0; i < PARTS; i++) {
        ts[i] = 1700000000000000000 + (int64_t)i * 1000000000;
    }
    for (uint32_t i = 0; i < PARTS * PIECES; i++) {
        uint32_t p = (uint32_t)draw(PARTS);
        struct buf b;
        buf_init(&b, 200000);
        batch_enc_begin(enc, SLICE("test"), 0);
        for (uint64_t n = 1 + draw(EVENTS_MAX); n > 0; n--) {
            ts[p] += (int64_t)draw(700000000);
            struct val_pair pairs[] = {
                val_pair(SLICE("host"), val_string(slice_str(hosts[draw(5)]))),
                val_pair(SLICE("value"), val_double((double)draw(100))),
                val_pair(SLICE("kind"), val_string(slice_str(kinds[draw(3)]))),
                val_pair(SLICE("n"), val_int((int64_t)draw(7)))};
            struct rec r = {.ts = ts[p] - (int64_t)draw(1500000000),
                            .kind = REC_METRIC,
                            .context = &none,
                            .type = SLICE("Metric"),
                            .payload = pairs,
                            .payload_len = ARRAY_LEN(pairs)};
            CHECK_OK(batch_enc_add(enc, &r, &err), err);
        }
        CHECK(frame_put(&b, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
        CHECK_OK(batch_enc_end(enc, &b, &err), err);
        *VEC_PUSH(&rec->inputs) = (struct input){p, arena_copy(a, buf_slice(&b))};
        buf_done(&b);
    }
    batch_enc_free(enc);
}

static void cut(struct task *t, struct recording *rec, struct arena *a)
{
    struct task_cut c;
    struct err err;
    CHECK_OK(task_cut(t, 1, &c, &err), err);
    *VEC_PUSH(&rec->journal) = arena_copy(a, c.journal);
    task_committed(t, (int64_t)rec->journal.len, NULL, 0);
}

/* A snapshot, and with the next record its manifest, which has the hash of the state. */
static void cut_with_state(struct task *t, struct recording *rec, struct arena *a)
{
    struct snap_set *set = snap_set_new(99);
    struct snap_root root = {.engine = JOURNAL_ENGINE_NUMBER};
    CHECK(task_snapshot(t, set));
    cut(t, rec, a);
    while (!task_save_step(t, 1 << 20)) {
    }
    snap_set_seal(set, &root);
    task_manifest(t, &root.state);
    cut(t, rec, a);
    snap_set_free(set);
}

static void record(struct recording *rec, struct arena *a)
{
    struct reader r;
    const struct merge_conf nobody = {NULL, NULL};
    reader_init(&r);
    make_inputs(rec, a);
    struct task *t = task_new(plan(), r.keys, &nobody);
    for (int round = 0; r.next < rec->inputs.len; round++) {
        push_next(&r, rec, t);
        merge_may_skip(task_merge(t), (uint32_t)draw(PARTS), draw(2) == 0);
        (void)task_work(t, (uint32_t)draw(20));
        int64_t due = task_due(t);
        if (round % 13 == 12 && due != TASK_NOT_DUE && due > merge_clock(task_merge(t)) &&
            due < merge_clock(task_merge(t)) + 2000000000) {
            task_tick(t, due);
        }
        if (round % 40 == 39) {
            cut_with_state(t, rec, a);
        } else if (round % 9 == 8 && task_is_dirty(t)) {
            cut(t, rec, a);
        }
    }
    cut_with_state(t, rec, a);
    CHECK(task_failed(t) == NULL);
    CHECK_EQ(0, task_counts(t).refused + task_counts(t).poison);
    task_free(t);
    reader_done(&r);
    CHECK(buf_add_str(&rec->file, MAGIC));
    put_number(&rec->file, JOURNAL_ENGINE_NUMBER);
    put_number(&rec->file, (uint32_t)rec->inputs.len);
    VEC_EACH (&rec->inputs, in) {
        put_number(&rec->file, in->part);
        put_bytes(&rec->file, in->bytes);
    }
    put_number(&rec->file, (uint32_t)rec->journal.len);
    VEC_EACH (&rec->journal, j) {
        put_bytes(&rec->file, *j);
    }
}

/* ---- the file ---- */

static uint32_t get_number(struct slice *rest)
{
    CHECK(rest->len >= 4);
    uint32_t n = endian_be32(rest->ptr);
    *rest = slice_sub(*rest, 4, rest->len);
    return n;
}

static struct slice get_bytes(struct slice *rest)
{
    uint32_t n = get_number(rest);
    CHECK(n <= rest->len);
    struct slice bytes = slice_sub(*rest, 0, n);
    *rest = slice_sub(*rest, n, rest->len);
    return bytes;
}

static void load(struct recording *rec, const char *path)
{
    FILE *f = fopen(path, "rb");
    CHECK(f != NULL);
    char *to = buf_room(&rec->file, FILE_MAX - 1);
    buf_commit(&rec->file, fread(to, 1, FILE_MAX - 1, f));
    fclose(f);
    struct slice rest = buf_slice(&rec->file);
    CHECK(slice_starts(rest, SLICE(MAGIC)));
    rest = slice_sub(rest, sizeof MAGIC - 1, rest.len);
    rec->engine = get_number(&rest);
    for (uint32_t n = get_number(&rest); n > 0; n--) {
        uint32_t part = get_number(&rest);
        CHECK(part < PARTS);
        *VEC_PUSH(&rec->inputs) = (struct input){part, get_bytes(&rest)};
    }
    for (uint32_t n = get_number(&rest); n > 0; n--) {
        *VEC_PUSH(&rec->journal) = get_bytes(&rest);
    }
    CHECK_EQ(0, rest.len);
}

/* ---- the test ---- */

static unsigned found; /* differences */

static void on_record(void *arg, const struct journal_record *r, const struct parcel *p,
                      unsigned differs)
{
    uint64_t *events = arg;
    (void)r;
    *events += p->events;
    found |= differs;
}

/* Who goes on from another engine's journal says so in his first record. */
static void check_says(struct task *t, uint32_t engine)
{
    struct arena *a = arena_new(NULL, "record", 1 << 22);
    struct journal_record j;
    struct task_cut c;
    struct err err;
    uint64_t sum;
    bool says = false;
    CHECK_OK(task_cut(t, 1, &c, &err), err);
    CHECK_OK(journal_read(c.journal, a, &j, &sum, &err), err);
    for (uint32_t i = 0; i < j.n_decisions; i++) {
        says |= j.decisions[i].kind == JOURNAL_ENGINE && j.decisions[i].time == engine;
    }
    CHECK(says && j.engine == JOURNAL_ENGINE_NUMBER);
    arena_free(a);
}

/* How many events came out. */
static uint64_t replay(const struct recording *rec, uint32_t engine, struct err *reterr,
                       int *ret_rc)
{
    struct reader r;
    const struct merge_conf nobody = {NULL, NULL};
    uint64_t events = 0;
    int rc = 0;
    reader_init(&r);
    found = 0;
    struct task *t = task_new(plan(), r.keys, &nobody);
    task_watch_replay(t, (struct task_watch){on_record, &events});
    for (size_t i = 0; i < rec->journal.len && rc == 0; i++) {
        struct arena *a = arena_new(NULL, "record", 1 << 22);
        struct journal_record j;
        uint64_t sum;
        rc = journal_read(rec->journal.ptr[i], a, &j, &sum, reterr);
        if (engine != JOURNAL_ENGINE_NUMBER) { /* as if it had been another, which did otherwise */
            j.engine = engine;
            j.out_sum.bytes[0] ^= 1;
        }
        rc = rc == 0 ? task_replay(t, &j, (int64_t)i + 1, sum, reterr) : rc;
        while (rc == 0 && task_replaying(t)) {
            if (task_work(t, 1000) > 0) {
                continue;
            }
            if (r.next < rec->inputs.len) {
                push_next(&r, rec, t);
            } else {
                rc = err_set(reterr, ERR_MISMATCH, "more is taken than there is");
            }
        }
        rc = rc == 0 ? task_replayed(t, reterr) : rc;
        arena_free(a);
    }
    if (rc == 0 && engine != JOURNAL_ENGINE_NUMBER) {
        check_says(t, engine);
    }
    task_free(t);
    reader_done(&r);
    *ret_rc = rc;
    return events;
}

static void forget(struct recording *rec)
{
    VEC_DONE(&rec->inputs);
    VEC_DONE(&rec->journal);
    buf_done(&rec->file);
}

TEST(an_engine_of_the_same_number_does_the_same)
{
    const char *to = getenv("KAIJU_RECORD_JOURNAL");
    struct arena *a = arena_new(NULL, "recording", 64 << 20);
    struct recording rec = {.engine = JOURNAL_ENGINE_NUMBER};
    struct err err = {0};
    char path[512];
    int rc;
    buf_init(&rec.file, FILE_MAX);
    snprintf(path, sizeof path, "%s/tests/claims/engine.journal", test_source_dir());
    if (to != NULL) {
        record(&rec, a);
        FILE *f = fopen(to, "wb");
        CHECK(f != NULL);
        CHECK_EQ(rec.file.len, fwrite(rec.file.ptr, 1, rec.file.len, f));
        fclose(f);
    } else {
        load(&rec, path);
    }
    if (rec.engine != JOURNAL_ENGINE_NUMBER) {
        test_fail(__FILE__, __LINE__,
                  "engine.journal is of engine %u, this is %d: record it anew, as engine.c says",
                  rec.engine, JOURNAL_ENGINE_NUMBER);
    }
    uint64_t events = replay(&rec, JOURNAL_ENGINE_NUMBER, &err, &rc);
    if (rc != 0) {
        test_fail(__FILE__, __LINE__,
                  "%s (%s%s%s): what rules put out or keep has changed; if that is meant, raise "
                  "JOURNAL_ENGINE_NUMBER (operators/shard/journal.h) and record anew (engine.c)",
                  err.msg, (found & TASK_DIFFERS_EVENTS) != 0 ? "events " : "",
                  (found & TASK_DIFFERS_CLOCK) != 0 ? "clock " : "",
                  (found & TASK_DIFFERS_STATE) != 0 ? "state" : "");
    }
    CHECK(events > 300 && rec.journal.len > 15);

    /* What another number has made is not checked. */
    (void)replay(&rec, JOURNAL_ENGINE_NUMBER + 1, &err, &rc);
    CHECK_EQ(0, rc);

    /* That it can fail: another input is noticed. */
    rec.inputs.ptr[20] = (struct input){rec.inputs.ptr[20].part, rec.inputs.ptr[21].bytes};
    (void)replay(&rec, JOURNAL_ENGINE_NUMBER, &err, &rc);
    CHECK(rc != 0);
    forget(&rec);
    arena_free(a);
}
