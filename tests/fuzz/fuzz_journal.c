/* SPDX-License-Identifier: Apache-2.0
 *
 * Journals from any bytes. Half of the inputs are the bytes of a record, with the sum that belongs
 * to them: what is read can be written, and reads the same. The other half says what a record has
 * (reads, skips, decisions that nobody may have made), so that it is well-formed: a task to which
 * its inputs come plays it. It may find that this is not what was done; it goes on or says no.
 */
#include "core/base/intern.h"
#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "operators/shard/task.h"
#include "tests/fuzz/fuzz_script.h"
#include "tests/unit/operators/shard/one_task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SUM_BYTES = 8, SUBS = 2, PIECES = 6, EVENTS = 2, COLS = 2, LIST_MAX = 6, LINEAGE = 77 };
#define EPOCH_NS    INT64_C(1000000000000000000)
#define TICK_MAX_NS (INT64_C(7200) * 1000000000)

static void hold_at(bool condition, int line)
{
    if (!condition) {
        fprintf(stderr, "fuzz_journal.c:%d does not hold\n", line);
        abort();
    }
}
#define hold(condition) hold_at((condition), __LINE__)

/* ---- bytes ---- */

static void bytes_of_record(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(NULL, "journal", 1 << 24);
    struct journal_record r, again;
    struct buf in, out;
    struct err err;
    uint64_t sum, same;
    buf_init(&in, size + SUM_BYTES + 1);
    buf_init(&out, 16 << 20);
    buf_add(&in, data, size);
    struct hash128 h = hash_xxh128(buf_slice(&in));
    buf_add(&in, h.bytes, SUM_BYTES);
    if (journal_read(buf_slice(&in), a, &r, &sum, &err) == 0) {
        (void)journal_begins(&r);
        hold(journal_write(&r, &out, &sum, &err) == 0);
        hold(journal_read(buf_slice(&out), a, &again, &same, &err) == 0 && sum == same);
        hold(again.n_reads == r.n_reads && again.n_decisions == r.n_decisions &&
             again.clock == r.clock && again.takes == r.takes && again.n_spans == r.n_spans);
    }
    buf_done(&in);
    buf_done(&out);
    arena_free(a);
}

/* ---- a task ---- */

/* Mostly near what is sensible. */
static int64_t draw_time(struct script *s)
{
    switch (draw(s, 1) & 7) {
    case 0: return (int64_t)draw(s, 8);
    case 1: return INT64_MIN;
    case 2: return INT64_MAX;
    default: return EPOCH_NS + (int64_t)draw(s, 2) * 100000000;
    }
}

static struct merge_pos draw_pos(struct script *s)
{
    uint64_t how = draw(s, 1);
    struct merge_pos p = {(int64_t)(how >> 4), (uint32_t)how & 3};
    if ((how & 0xc) == 0xc) {
        p.offset = (int64_t)draw(s, 8);
        p.index = (uint32_t)draw(s, 4);
    }
    return p;
}

static const enum journal_kind kinds[] = {
#define JOURNAL_DECISION(name, number, doc) JOURNAL_##name,
#include "operators/shard/journal.def"
};

static void draw_record(struct script *s, struct journal_record *r)
{
    r->n_reads = (uint32_t)draw(s, 1) % LIST_MAX;
    for (uint32_t i = 0; i < r->n_reads; i++) {
        r->reads[i] = (struct journal_read){.sub = (uint32_t)draw(s, 1) % (SUBS + 1)};
        r->reads[i].from = draw_pos(s);
        r->reads[i].to = draw_pos(s);
    }
    r->n_skips = (uint32_t)draw(s, 1) % LIST_MAX;
    for (uint32_t i = 0; i < r->n_skips; i++) {
        uint64_t from = draw(s, 1), n = draw(s, 1);
        r->skips[i] = (struct merge_skip){.sub = (uint32_t)draw(s, 1) % (SUBS + 1),
                                          .from = from,
                                          .to = n > 200 ? MERGE_NEVER : from + n};
    }
    r->n_decisions = (uint32_t)draw(s, 1) % LIST_MAX;
    for (uint32_t i = 0; i < r->n_decisions; i++) {
        struct journal_decision *d = &r->decisions[i];
        d->kind = kinds[draw(s, 1) % ARRAY_LEN(kinds)];
        d->take = draw(s, 1) % 20;
        d->time = draw_time(s);
        if (d->kind == JOURNAL_TICK && d->time > EPOCH_NS + TICK_MAX_NS) {
            d->time = EPOCH_NS; /* else all timers of years fire, one by one */
        }
        size_t n = draw(s, 1) % 20;
        n = n < s->left ? n : s->left;
        d->bytes = slice_of((const char *)s->p, n);
        s->p += n;
        s->left -= n;
    }
    r->takes = draw(s, 1) % 30;
    r->clock = draw_time(s);
    r->outputs = draw(s, 1);
    r->has_state = (draw(s, 1) & 1) != 0;
}

struct topic {
    struct rec events[SUBS][PIECES][EVENTS];
    struct val_pair cols[SUBS][PIECES][EVENTS][COLS];
    struct merge_piece pieces[SUBS][PIECES];
};

static struct val_pair pair(struct intern *keys, const char *key, struct val v)
{
    struct val_pair p = val_pair(slice_str(key), v);
    p.key_id = intern_id(keys, slice_str(key));
    return p;
}

static void fill(struct topic *t, struct intern *keys)
{
    static const struct rec_context none = {NULL, 0, 0};
    for (uint32_t s = 0; s < SUBS; s++) {
        for (uint32_t i = 0; i < PIECES; i++) {
            for (uint32_t k = 0; k < EVENTS; k++) {
                struct val_pair *c = t->cols[s][i][k];
                c[0] = pair(keys, "host", val_string(k == 0 ? SLICE("a") : SLICE("b")));
                c[1] = pair(keys, "value", val_double(i + k));
                t->events[s][i][k] = (struct rec){.ts = EPOCH_NS + INT64_C(1000000000) * (i + s),
                                                  .context = &none,
                                                  .type = SLICE("Metric"),
                                                  .type_id = intern_id(keys, SLICE("Metric")),
                                                  .payload = c,
                                                  .payload_len = COLS};
            }
            t->pieces[s][i] = (struct merge_piece){
                .offset = 2 * i + 1, .events = t->events[s][i], .n = EVENTS, .mark = MERGE_NO_MARK};
        }
    }
}

static const char rules[] =
    "@public @buseventtype create schema Metric(host string, value double);"
    "insert into Mean select host, avg(value) as mean from Metric#time(3 sec) group by host "
    "output last every 2 sec;"
    "insert into Pair select a.host as host from pattern [every a=Metric -> "
    "timer:interval(1 sec)];";

static const struct task_plan *plan(void)
{
    static const struct emit_to to[] = {{SLICE("events"), 4, false}};
    static const struct task_out outs[] = {{SLICE("Mean"), 0, NULL, NULL, 0},
                                           {SLICE("Pair"), 0, NULL, NULL, 0}};
    static struct one_task one;
    one.plan = (struct task_plan){.name = SLICE("t/g/l/0"),
                                  .lineage = LINEAGE,
                                  .to = to,
                                  .n_to = 1,
                                  .outs = outs,
                                  .n_outs = ARRAY_LEN(outs)};
    return one_task(&one, SLICE("m"), slice_of(rules, sizeof rules - 1), SUBS);
}

/* All that there is comes; who waits for more is stuck, as a task whose topics end too early. */
static bool play(struct task *t, const struct journal_record *r, const struct topic *topic,
                 uint32_t *at)
{
    enum { ROUNDS = 40 };
    struct err err;
    if (task_replay(t, r, (int64_t)r->seq, r->seq, &err) != 0) {
        return false;
    }
    for (int i = 0; i < ROUNDS && task_replaying(t); i++) {
        uint32_t s = (uint32_t)i % SUBS;
        if (at[s] < PIECES) {
            merge_push(task_merge(t), s, &topic->pieces[s][at[s]++]);
        }
        (void)task_work(t, 3);
    }
    return !task_replaying(t) && task_replayed(t, &err) == 0;
}

static void record_of_script(const uint8_t *data, size_t size)
{
    enum { RECORDS = 3 };
    static const struct merge_conf nobody = {NULL, NULL};
    struct journal_read reads[LIST_MAX];
    struct merge_skip skips[LIST_MAX];
    struct journal_decision decisions[LIST_MAX];
    struct script s = {data, size};
    struct intern *keys = intern_new(100, 10000);
    struct topic *topic = MEM_NEW(struct topic);
    uint32_t at[SUBS] = {0};
    fill(topic, keys);
    struct task *t = task_new(plan(), keys, &nobody);
    for (uint32_t i = 1; i <= RECORDS; i++) {
        struct journal_record r = {.lineage = LINEAGE,
                                   .seq = i,
                                   .prev_sum = i - 1,
                                   .reads = reads,
                                   .skips = skips,
                                   .decisions = decisions};
        draw_record(&s, &r);
        if (!play(t, &r, topic, at)) {
            break;
        }
    }
    task_free(t);
    mem_free(topic);
    intern_free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && (data[0] & 1) != 0) {
        bytes_of_record(data, size); /* 1 is the format */
    } else if (size > 0) {
        record_of_script(data + 1, size - 1);
    }
    return 0;
}
