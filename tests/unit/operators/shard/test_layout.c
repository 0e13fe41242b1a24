/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/shard/layout.h: how levels are cut, and the promise behind it. Graphs run over random
 * signals, task by task with topics in memory, in one task and in many: what comes out is, key by
 * key, the same: rows, times and causes.
 */
#include "operators/shard/layout_diff.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/fates.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/key.h"
#include "core/event/schema.h"
#include "operators/sig/builtin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { RAW_PARTS = 4, TOPICS_MAX = 16, PARTS_MAX = 16, BATCHES = 40, PER_BATCH = 6, PODS = 12 };

#define BEGIN   INT64_C(1700000000000000000)
#define SECONDS INT64_C(1000000000)

/* ---- plans ---- */

static struct layout *lay_out(struct arena *a, const char *levels, uint32_t parts)
{
    const struct layout_conf conf = {.raw_parts = RAW_PARTS};
    struct layout *l = NULL;
    struct buf b;
    struct err err;
    buf_init(&b, 1 << 20);
    (void)buf_add_str(&b, "apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\nlevels:\n");
    for (const char *p = levels; *p != '\0'; p++) { /* %: how many partitions */
        if (*p == '%') {
            (void)buf_addf(&b, "%u", parts);
        } else {
            (void)buf_add_slice(&b, slice_of(p, 1));
        }
    }
    CHECK_OK(layout_make(a, buf_slice(&b), &conf, &l, &err), err);
    buf_done(&b);
    return l;
}

static const char by_service[] =
    "- name: logs\n  partitions: %\n  bound: 2s\n  epl: |\n"
    "    @name('n') insert into N select service as k, count(*) as n, last(body) as b\n"
    "    from LogRecord(severity_number >= 9, body is not null)#time(20 sec) group by service;\n";

TEST(signals_are_moved_by_the_key_of_who_reads_them)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l = lay_out(a, by_service, 16);
    CHECK_EQ(2, l->n_groups);
    const struct layout_group *source = &l->groups[0], *g = &l->groups[1];
    CHECK(source->source && !g->source);
    CHECK_SLICE("logs.source", source->name);
    CHECK_EQ(RAW_PARTS, source->parts);
    CHECK_EQ(16, g->parts);
    CHECK_EQ(1, source->n_filters);
    CHECK_SLICE("select `service` as k0 from `LogRecord`((severity_number >= 9) and (body is not "
                "null))",
                source->filters[0]);
    CHECK(!source->keeps_all);
    CHECK_EQ(2, source->n_keeps); /* trace, service and the like are not in the payload */
    CHECK_SLICE("body", source->keeps[0]);
    CHECK_SLICE("severity_number", source->keeps[1]);
    CHECK_SLICE("x.default.g.logs.LogRecord", l->topics[0].name);
    CHECK_EQ(16, l->topics[0].parts);
    const struct task_plan *p = g->tasks[5].plan;
    CHECK_EQ(RAW_PARTS, p->n_subs);
    for (uint32_t i = 0; i < RAW_PARTS; i++) {
        bool found = false;
        for (uint32_t k = 0; k < RAW_PARTS; k++) {
            found |= source->tasks[k].plan->lineage == p->subs[i].author;
        }
        CHECK(found && p->subs[i].part == 5 && p->subs[i].bound_ns == 0);
    }
    CHECK_EQ(2 * SECONDS, source->tasks[3].plan->subs[0].bound_ns);
    CHECK_EQ(3, source->tasks[3].plan->subs[0].part);
    CHECK_SLICE("events", p->to[0].topic);
    /* The limits of a level are those of its tasks together. */
    CHECK_EQ(lim_rows[LIM_ROWS].max / 16, p->limits->max[LIM_ROWS]);
    CHECK_EQ(0, p->limits->max[LIM_CASCADE]);
    arena_free(a);
}

static uint64_t lineage(const char *levels, uint32_t parts)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l = lay_out(a, levels, parts);
    uint64_t r = l->groups[l->n_groups - 1].tasks[0].plan->lineage;
    arena_free(a);
    return r;
}

/* State is taken over by lineage: that of tasks which were cut otherwise is nobody's. */
TEST(who_is_cut_otherwise_is_another)
{
    static const char by_host[] =
        "- name: logs\n  partitions: %\n  epl: |\n"
        "    insert into N select node, count(*) as n from LogRecord group by node;\n";
    static const char two[] =
        "- name: logs\n  partitions: %\n  epl: |\n"
        "    @name('n') insert into N select service as k, count(*) as n, last(body) as b\n"
        "    from LogRecord(severity_number >= 9, body is not null)#time(20 sec) group by "
        "service;\n"
        "    insert into M select service, count(*) as n from Metric group by service;\n";
    CHECK_EQ(lineage(by_service, 16), lineage(by_service, 16));
    CHECK_EQ(lineage(by_service, 16), lineage(two, 16)); /* another stream by the same key */
    CHECK(lineage(by_service, 16) != lineage(by_service, 8));
    CHECK(lineage(by_service, 16) != lineage(by_service, 1));
    CHECK(lineage(by_service, 16) != lineage(by_host, 16));
}

#define GRAPH "apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\nlevels:\n- name: logs\n"
#define ERRORS                                                                                     \
    "    @name('errors') insert into E select service, count(*) as n from LogRecord#time(60) "     \
    "group by service;\n"
#define ALL "    @name('all') insert into A select count(*) as n from LogRecord#time(60);\n"

TEST(what_becomes_of_state_when_a_document_changes)
{
    check_fates("kept/errors ", RAW_PARTS, GRAPH "  epl: |\n" ERRORS,
                GRAPH "  bound: 1s\n  epl: |\n" ERRORS);
    check_fates("kept/errors begun/#2 dropped/all ", RAW_PARTS, GRAPH "  epl: |\n" ERRORS ALL,
                GRAPH "  epl: |\n" ERRORS
                      "    insert into B select service, count(*) as n from Metric group by "
                      "service;\n");
    check_fates("begun/errors begun/#2 dropped/errors ", RAW_PARTS, GRAPH "  epl: |\n" ERRORS,
                GRAPH "  epl: |\n" ERRORS /* the tasks are cut by two keys then */
                      "    insert into B select node, count(*) as n from Metric group by node;\n");
    check_fates("begun/errors dropped/errors ", RAW_PARTS, GRAPH "  epl: |\n" ERRORS,
                GRAPH "  partitions: 2\n  epl: |\n" ERRORS);
    check_fates("begun/errors dropped/errors ", RAW_PARTS, GRAPH "  epl: |\n" ERRORS,
                GRAPH "  epl: |\n    @name('errors') insert into E select service, count(*) as n "
                      "from LogRecord#time(61) group by service;\n");
}

TEST(each_task_is_told_how_long_it_waits_for_inputs)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l =
        lay_out(a,
                "- name: a\n  align: 3s\n  epl: insert into A select service, count(*) "
                "as n from LogRecord group by service\n"
                "- name: b\n  align: 0s\n  epl: insert into B select service from A\n"
                "- name: c\n  epl: insert into C select service from B\n# %\n",
                1);
    CHECK_EQ(4, l->n_groups); /* its source waits, too; levels that wait otherwise part */
    CHECK_EQ(3000000000, l->groups[0].tasks[0].align_ns);
    CHECK_EQ(3000000000, l->groups[1].tasks[0].align_ns);
    CHECK_EQ(1, l->groups[2].tasks[0].align_ns);
    CHECK_EQ(0, l->groups[3].tasks[0].align_ns);
    arena_free(a);
}

/* Of statements that look at an event as a whole, all of it is passed on. */
TEST(events_are_kept_whole_where_they_are_looked_at_whole)
{
    static const struct {
        const char *epl;
        bool all;
    } rows[] = {
        {"insert into N select service, count(*) * 2 as n from LogRecord group by service", false},
        {"insert into N select * from LogRecord#groupwin(service)#length(2)", true},
        {"insert into N select service, last(*) as n from LogRecord group by service", true},
        {"insert into N select attributes('x') as x, count(*) as n from LogRecord group by service",
         true},
        {"insert into N select a.body as x from pattern [every a=LogRecord -> "
         "b=LogRecord(service = a.service)]",
         false},
        {"insert into N select a as x, b.body as y from pattern [every a=LogRecord -> "
         "b=LogRecord(service = a.service)]",
         true},
        {"insert into N select l.body as x from LogRecord#time(9) as l, Metric#time(9) as m where "
         "l.service = m.service",
         false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(NULL, "test", 64 << 20);
        char level[400];
        snprintf(level, sizeof level, "- name: logs\n  epl: |\n    %s;\n", rows[i].epl);
        struct layout *l = lay_out(a, level, 0);
        CHECK(l->groups[0].source);
        CHECK_EQ(rows[i].all, l->groups[0].keeps_all);
        arena_free(a);
    }
}

TEST(one_partition_needs_no_source)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l = lay_out(a, by_service, 1);
    CHECK_EQ(1, l->n_groups);
    CHECK_EQ(RAW_PARTS, l->groups[0].tasks[0].plan->n_subs);
    arena_free(a);
}

static const char by_pod[] =
    "- name: logs\n  epl: |\n"
    "    insert into A select pod, count(*) as n from LogRecord(pod is not null)\n"
    "    group by tenant, cluster, namespace, pod;\n"
    "- name: more\n  epl: |\n"
    "    insert into B select pod, count(*) as n from LogRecord\n"
    "    group by tenant, cluster, namespace, pod;\n"
    "- name: few\n  partitions: 2\n  epl: |\n"
    "    insert into C select pod, count(*) as n from LogRecord(pod = 'p')\n"
    "    group by tenant, cluster, namespace, pod;\n";

TEST(signals_stay_where_they_lie_if_their_key_is_in_that_of_the_rules)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l = lay_out(a, by_pod, 0);
    CHECK_EQ(4, l->n_groups);
    CHECK_EQ(LAYOUT_AS_IT_LIES, l->groups[0].reads[0].way);
    CHECK_EQ(RAW_PARTS, l->groups[0].parts);
    CHECK_EQ(1, l->groups[0].tasks[2].plan->n_subs);
    CHECK_EQ(2, l->groups[0].tasks[2].plan->subs[0].part);
    CHECK(l->groups[1].source); /* events without a pod lie by something else */
    CHECK_EQ(LAYOUT_SHUFFLED, l->groups[2].reads[0].way);
    CHECK_EQ(4, l->groups[2].reads[0].n_key);
    CHECK_EQ(LAYOUT_AS_IT_LIES, l->groups[3].reads[0].way);
    CHECK_EQ(2, l->groups[3].tasks[1].plan->n_subs);
    CHECK_EQ(2, l->groups[3].tasks[1].plan->subs[0].part);
    arena_free(a);
}

static const char mixed[] =
    "- name: logs\n  epl: |\n"
    "    create constant variable int least = 17;\n"
    "    @name('one') insert into A select count(*) as n from LogRecord(severity_number >= "
    "least);\n"
    "    @name('by') insert into B select service, node, count(*) as n from LogRecord\n"
    "      group by service, node;\n"
    "    @name('other') insert into C select service, count(*) as n from LogRecord group by "
    "service;\n"
    "    @name('third') insert into D select pod, count(*) as n from LogRecord group by pod;\n"
    "- name: hl\n  epl: |\n"
    "    @name('above') insert into E select service, sum(n) as s from C group by service;\n"
    "    @name('all') insert into F select sum(n) as s from A;\n";

TEST(units_of_a_level_that_cannot_be_cut_alike_run_apart)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l = lay_out(a, mixed, 0);
    const char *names[] = {"logs", "logs.2.source", "logs.2", "logs.3.source", "logs.3"};
    const uint32_t parts[] = {1, 4, 4, 4, 4};
    CHECK_EQ(5, l->n_groups);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_SLICE(names[i], l->groups[i].name);
        CHECK_EQ(parts[i], l->groups[i].parts);
    }
    CHECK_EQ(1, l->groups[2].reads[0].n_key); /* what the two have in common */
    CHECK_SLICE("service", l->groups[2].reads[0].key[0]);
    CHECK_EQ(2, l->groups[0].n); /* with what counts its rows */
    CHECK_EQ(2, l->groups[2].n);
    arena_free(a);
}

static const char family[] = "- name: logs\n  epl: |\n"
                             "    create schema Base(k string);\n"
                             "    create schema Kid(v int) inherits Base;\n"
                             "    insert into Kid select service as k, 1 as v from LogRecord;\n"
                             "- name: hl\n  scale: own\n  epl: |\n"
                             "    insert into X select k, count(*) as n from Base group by k;\n"
                             "    insert into Y select k, count(*) as n from Kid group by k;\n";

TEST(an_event_of_two_types_comes_once)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l = lay_out(a, family, 0);
    CHECK_EQ(2, l->n_groups);
    CHECK_EQ(1, l->n_topics);
    CHECK_EQ(1, l->groups[0].tasks[0].plan->n_outs);
    CHECK_EQ(2, l->groups[1].n_reads);
    arena_free(a);
}

/* ---- signals ---- */

struct record {
    struct buf value, head;
};
struct topic {
    struct slice name;
    VEC(struct record) parts[PARTS_MAX];
};
struct world {
    uint64_t seed;
    bool ordered;
    struct topic topics[TOPICS_MAX];
    uint32_t n_topics;
    VEC(char *) rows; /* "type key | row" */
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (w->seed >> 33) % below;
}

static struct topic *topic_of(struct world *w, struct slice name)
{
    for (uint32_t i = 0; i < w->n_topics; i++) {
        if (slice_eq(w->topics[i].name, name)) {
            return &w->topics[i];
        }
    }
    CHECK(w->n_topics < TOPICS_MAX);
    w->topics[w->n_topics].name = name;
    return &w->topics[w->n_topics++];
}

static void append(struct topic *t, uint32_t part, struct slice value, struct slice head)
{
    struct record *r = VEC_PUSH(&t->parts[part]);
    buf_init(&r->value, 1 << 22);
    buf_init(&r->head, 1 << 10);
    (void)buf_add_slice(&r->value, value);
    (void)buf_add_slice(&r->head, head);
}

static struct slice key_of(const char *column)
{
    const struct builtin_type *t = builtin_find(BUILTIN_KAIJU, SLICE("Metric"));
    return slice_str(builtin_column(t, slice_str(column))->key);
}

/* Pods without a name are services, or nobody; each lies where its subject says. */
static uint32_t context_of(struct world *w, uint64_t pod, struct val_pair to[6], char text[2][16])
{
    uint32_t n = 0;
    to[n++] = val_pair(key_of("tenant"), val_string(SLICE("t")));
    to[n++] = val_pair(key_of("cluster"), val_string(SLICE("c")));
    to[n++] = val_pair(key_of("namespace"), val_string(SLICE("ns")));
    snprintf(text[0], 16, "pod%u", (unsigned)pod);
    snprintf(text[1], 16, "svc%u", (unsigned)pod / 3);
    if (pod > 1) {
        to[n++] = val_pair(key_of("pod"), val_string(slice_str(text[0])));
    }
    if (pod != 4 && pod != 0) {
        to[n++] = val_pair(key_of("service"), val_string(slice_str(text[1])));
    }
    (void)w;
    return n;
}

static void add_event(struct world *w, struct batch_enc *enc, bool log, uint64_t pod, int64_t ts,
                      uint32_t *ret_part)
{
    struct val_pair where[6], p[3];
    char text[2][16], body[32];
    struct rec_context *c = MEM_NEW(struct rec_context); /* known by its address */
    struct buf key;
    struct err err;
    *c = (struct rec_context){.pairs = where, .len = context_of(w, pod, where, text)};
    snprintf(body, sizeof body, "b%" PRIu64, draw(w, 1000));
    uint32_t n = 0;
    if (log) {
        p[n++] = val_pair(SLICE("severity_number"), val_int((int64_t)draw(w, 24)));
        if (draw(w, 5) > 0) {
            p[n++] = val_pair(SLICE("body"), val_string(slice_str(body)));
        }
    } else {
        p[n++] = val_pair(SLICE("name"), val_string(draw(w, 2) == 0 ? SLICE("m") : SLICE("q")));
        p[n++] = val_pair(SLICE("value"), val_double((double)draw(w, 24)));
    }
    const struct rec r = {.ts = ts,
                          .ingest_ts = ts + 5,
                          .kind = log ? REC_LOG : REC_METRIC,
                          .context = c,
                          .type = log ? SLICE("LogRecord") : SLICE("Metric"),
                          .payload = p,
                          .payload_len = n};
    buf_init(&key, 1000);
    CHECK(key_add_subject(&key, &r, NULL));
    *ret_part = key_partition(buf_slice(&key), RAW_PARTS);
    CHECK_OK(batch_enc_add(enc, &r, &err), err);
    batch_enc_contexts_moved(enc);
    buf_done(&key);
    mem_free(c);
}

/* Each partition lags in its own way, and is out of order by more than the bound. */
static void fill(struct world *w)
{
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    struct buf b;
    struct err err;
    int64_t ts[PODS];
    buf_init(&b, 200000);
    for (uint64_t p = 0; p < PODS; p++) {
        ts[p] = BEGIN + (int64_t)draw(w, 40) * SECONDS;
    }
    for (uint32_t i = 0; i < BATCHES * PODS; i++) {
        bool log = draw(w, 3) > 0;
        uint64_t pod = draw(w, PODS);
        uint32_t part = 0;
        batch_enc_begin(enc, SLICE("test"), 0);
        for (uint64_t n = 1 + draw(w, PER_BATCH); n > 0; n--) {
            ts[w->ordered ? 0 : pod] += (int64_t)draw(w, 2000000000);
            ts[pod] = w->ordered ? ts[0] : ts[pod];
            add_event(w, enc, log, pod, ts[pod] - (w->ordered ? 0 : (int64_t)draw(w, 2500000000)),
                      &part);
        }
        CHECK(frame_put(&b, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
        CHECK_OK(batch_enc_end(enc, &b, &err), err);
        append(topic_of(w, log ? SLICE("logs") : SLICE("metrics")), part, buf_slice(&b),
               SLICE_NONE);
        buf_clear(&b);
    }
    buf_done(&b);
    batch_enc_free(enc);
}

enum { SPAN_RECORDS = 20, SPANS_EACH = 6 };

/* Records of spans of two senders in turn. */
static void fill_spans(struct world *w)
{
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    struct buf b;
    struct err err;
    const struct val_pair one[] = {val_pair(key_of("service"), val_string(SLICE("one")))};
    const struct val_pair two[] = {val_pair(key_of("service"), val_string(SLICE("two")))};
    const struct rec_context contexts[] = {{one, 1, 0}, {two, 1, 1}};
    const struct val_pair p[] = {val_pair(SLICE("name"), val_string(SLICE("get")))};
    buf_init(&b, 200000);
    for (uint32_t i = 0; i < SPAN_RECORDS; i++) {
        batch_enc_begin(enc, SLICE("test"), 0);
        for (uint32_t k = 0; k < SPANS_EACH; k++) {
            const struct rec r = {.ts = BEGIN + (int64_t)(i * SPANS_EACH + k) * SECONDS,
                                  .kind = REC_SPAN,
                                  .context = &contexts[k % 2],
                                  .type = SLICE("Span"),
                                  .trace_id = {1, (uint8_t)i},
                                  .span_id = {1, (uint8_t)k},
                                  .payload = p,
                                  .payload_len = 1};
            CHECK_OK(batch_enc_add(enc, &r, &err), err);
        }
        CHECK(frame_put(&b, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
        CHECK_OK(batch_enc_end(enc, &b, &err), err);
        append(topic_of(w, SLICE("spans")), i % RAW_PARTS, buf_slice(&b), SLICE_NONE);
        buf_clear(&b);
    }
    buf_done(&b);
    batch_enc_free(enc);
}

/* ---- running ---- */

struct run {
    struct intern *keys;
    struct batch_dec *dec;
    struct arena *a;
};

static void decode(struct run *r, const struct record *x, struct rec_batch *ret)
{
    struct err err;
    *ret = (struct rec_batch){.events = NULL};
    if (x->value.len > 0) {
        struct slice v = buf_slice(&x->value);
        CHECK_OK(batch_dec_read(r->dec, r->a, slice_sub(v, FRAME_SINGLE_BYTES, v.len), ret, &err),
                 err);
    }
}

static void feed(struct world *w, struct run *r, struct task *t, const struct slot_task *st)
{
    for (uint32_t s = 0; s < st->plan->n_subs; s++) {
        const struct merge_spec *spec = &st->plan->subs[s];
        struct topic *topic = topic_of(w, st->topics[spec->topic]);
        for (size_t i = 0; i < topic->parts[spec->part].len; i++) {
            const struct record *x = &topic->parts[spec->part].ptr[i];
            struct head head = {.mark = MERGE_NO_MARK};
            struct rec_batch b;
            if (x->head.len > 0) {
                CHECK(head_read(buf_slice(&x->head), &head));
            }
            if (head.lineage != spec->author) {
                continue;
            }
            decode(r, x, &b);
            merge_push(task_merge(t), s,
                       &(struct merge_piece){.offset = (int64_t)i * 3,
                                             .events = b.events,
                                             .n = b.events_len,
                                             .mark = head.mark,
                                             .first = head.first});
        }
        merge_end(task_merge(t), s);
    }
}

static void text_of(const struct val *v, struct buf *b)
{
    switch (v->tag) {
    case VAL_NULL: (void)buf_add_str(b, "null"); break;
    case VAL_STRING: (void)buf_add_slice(b, val_slice(*v)); break;
    case VAL_DOUBLE: (void)buf_addf(b, "%a", v->d); break;
    default: (void)buf_addf(b, "%" PRId64, v->i); break;
    }
}

/* Of derived causes the reference names the task: only those of signals can be compared. */
static void add_row(struct world *w, const struct rec *e)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    (void)buf_addf(&b, SLICE_FMT " ", SLICE_ARG(e->type));
    for (uint32_t i = 0; i < e->payload_len; i++) {
        if (slice_starts(val_key(&e->payload[i]), SLICE("k"))) {
            text_of(&e->payload[i].value, &b);
            (void)buf_add_str(&b, " ");
        }
    }
    (void)buf_add_str(&b, "|");
    for (uint32_t i = 0; i < e->payload_len; i++) {
        (void)buf_addf(&b, " " SLICE_FMT "=", SLICE_ARG(val_key(&e->payload[i])));
        text_of(&e->payload[i].value, &b);
    }
    (void)buf_addf(&b, " at %" PRId64 " of", e->ts - BEGIN);
    for (uint32_t i = 0; i < e->causes_len; i++) {
        for (int k2 = 0; k2 < 16 && (e->causes[i].bytes[0] & 0x80) == 0; k2++) {
            (void)buf_addf(&b, "%02x", e->causes[i].bytes[k2]);
        }
    }
    *VEC_PUSH(&w->rows) = mem_dup(buf_cstr(&b), b.len + 1);
    buf_done(&b);
}

static void cut(struct world *w, struct run *r, struct task *t)
{
    struct task_cut c;
    struct err err;
    CHECK_OK(task_cut(t, 1, &c, &err), err);
    for (uint32_t i = 0; i < c.parcel->n; i++) {
        const struct emit_record *x = &c.parcel->records[i];
        const struct emit_to *to = &task_plan(t)->to[x->to];
        append(topic_of(w, to->topic), x->part, x->value, x->head);
        if (slice_eq(to->topic, SLICE("events"))) {
            struct rec_batch b;
            decode(r, VEC_LAST(&topic_of(w, to->topic)->parts[x->part]), &b);
            for (uint32_t e = 0; e < b.events_len; e++) {
                add_row(w, &b.events[e]);
            }
        }
    }
    task_committed(t, 1, NULL, 0);
}

static uint64_t late, moved;

static void run_task(struct world *w, const struct slot_task *st)
{
    static const struct merge_conf nobody = {NULL, NULL};
    struct run r = {.keys = intern_new(10000, 1000000), .a = arena_new(NULL, "run", 256 << 20)};
    r.dec = batch_dec_new(BATCH_LIMITS, r.keys);
    struct task *t = task_new(st->plan, r.keys, &nobody);
    feed(w, &r, t, st);
    while (task_work(t, 1 + (uint32_t)draw(w, 300)) > 0) {
        if (draw(w, 3) == 0) {
            cut(w, &r, t);
        }
    }
    task_finish(t, BEGIN + 10000 * SECONDS);
    cut(w, &r, t);
    CHECK(task_failed(t) == NULL);
    CHECK_EQ(0, task_counts(t).refused + task_counts(t).poison);
    late += task_counts(t).late;
    moved += st->plan->n_forwards > 0 ? task_counts(t).put : 0;
    task_free(t);
    batch_dec_free(r.dec);
    arena_free(r.a);
    intern_free(r.keys);
}

static int by_key(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    size_t n = strcspn(x, "|"), m = strcspn(y, "|");
    int c = strncmp(x, y, MAX(n, m));
    return c;
}

/* Stable: rows of a key stay in the order in which their task made them. */
static void sort_rows(struct world *w)
{
    for (size_t i = 1; i < w->rows.len; i++) {
        char *x = w->rows.ptr[i];
        size_t k = i;
        for (; k > 0 && by_key(&w->rows.ptr[k - 1], &x) > 0; k--) {
            w->rows.ptr[k] = w->rows.ptr[k - 1];
        }
        w->rows.ptr[k] = x;
    }
}

static struct world *run_graph(const char *levels, uint32_t parts, uint64_t seed, bool ordered,
                               uint32_t *ret_tasks)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l = lay_out(a, levels, parts);
    struct world *w = MEM_NEW(struct world);
    w->seed = seed;
    w->ordered = ordered;
    fill(w);
    fill_spans(w);
    for (uint32_t g = 0; g < l->n_groups; g++) {
        for (uint32_t i = 0; i < l->groups[g].parts; i++) {
            run_task(w, &l->groups[g].tasks[i]);
        }
    }
    *ret_tasks = l->n_tasks;
    sort_rows(w);
    for (uint32_t i = 0; i < w->n_topics; i++) {
        for (uint32_t p = 0; p < PARTS_MAX; p++) {
            VEC_EACH (&w->topics[i].parts[p], r) {
                buf_done(&r->value);
                buf_done(&r->head);
            }
            VEC_DONE(&w->topics[i].parts[p]);
        }
    }
    arena_free(a);
    return w;
}

static void unmake(struct world *w)
{
    VEC_EACH (&w->rows, r) {
        mem_free(*r);
    }
    VEC_DONE(&w->rows);
    mem_free(w);
}

static void compare(const char *levels, uint32_t seeds, bool ordered, uint32_t least_tasks)
{
    for (uint64_t seed = 1; seed <= TEST_SEEDS(seeds); seed++) {
        uint32_t tasks = 0;
        struct world *one = run_graph(levels, 1, seed, ordered, &tasks);
        CHECK(one->rows.len > 50);
        for (uint32_t parts = 4; parts <= 16; parts *= 4) {
            struct world *many = run_graph(levels, parts, seed, ordered, &tasks);
            CHECK(tasks > least_tasks);
            CHECK_EQ(one->rows.len, many->rows.len);
            for (size_t i = 0; i < MIN(one->rows.len, many->rows.len); i++) {
                if (strcmp(one->rows.ptr[i], many->rows.ptr[i]) != 0) {
                    test_fail(__FILE__, __LINE__, "seed %d, %u parts:\n%s\n%s", (int)seed, parts,
                              one->rows.ptr[i], many->rows.ptr[i]);
                    break;
                }
            }
            unmake(many);
        }
        unmake(one);
    }
}

TEST(groups_by_service_are_the_same_in_many_tasks)
{
    compare(by_service, 3, false, RAW_PARTS);
    CHECK(late > 100 && moved > 1000);
}

TEST(keys_of_several_columns_some_of_them_null)
{
    compare(
        "- name: logs\n  partitions: %\n  epl: |\n"
        "    insert into N select service as k, severity_number as k2, pod as k3, count(*) as n\n"
        "    from LogRecord group by service, severity_number, pod;\n",
        3, false, RAW_PARTS);
}

TEST(whole_numbers_meet_fractions)
{
    compare("- name: logs\n  partitions: %\n  epl: |\n"
            "    insert into N select l.severity_number as k, m.value as v, l.body as b\n"
            "    from LogRecord(severity_number > 15)#time(5 sec) as l,\n"
            "    Metric(name = 'm')#time(5 sec) as m where l.severity_number = m.value;\n",
            3, false, RAW_PARTS);
}

TEST(patterns_over_two_signals)
{
    compare("- name: logs\n  partitions: %\n  epl: |\n"
            "    insert into N select a.service as k, a.body as b, b.value as v from pattern [\n"
            "    every a=LogRecord(severity_number >= 12) -> b=Metric(service = a.service and\n"
            "    value > 10) where timer:within(30 sec)];\n",
            3, false, RAW_PARTS);
}

TEST(output_first_of_each_group)
{
    compare("- name: logs\n  partitions: %\n  late: drop\n  epl: |\n"
            "    insert into N select pod as k, count(*) as n, max(severity_number) as m\n"
            "    from LogRecord#time(30 sec) group by pod output first every 3 sec;\n",
            3, false, RAW_PARTS);
}

TEST(signals_that_stay_where_they_lie)
{
    compare("- name: logs\n  partitions: %\n  epl: |\n"
            "    insert into N select pod as k, count(*) as n from LogRecord(pod is not null)\n"
            "    group by tenant, cluster, namespace, pod;\n",
            3, false, 0);
}

/* Events of one partition that have the same place in time, since one is late, come to the second
 * level from several tasks: their order is that of the tasks. */
TEST(levels_of_unlike_keys)
{
    compare("- name: logs\n  partitions: %\n  epl: |\n"
            "    insert into E select service, pod, severity_number as s, count(*) as n\n"
            "    from LogRecord(severity_number > 4) group by service;\n"
            "- name: hl\n  partitions: %\n  epl: |\n"
            "    insert into N select s as k, count(*) as n, sum(n) as total from E group by s;\n",
            3, true, RAW_PARTS);
}

static const char batches[] =
    "- name: traces\n  types: original\n  partitions: %\n  epl: |\n"
    "    insert into N select process.serviceName as k, spans.countOf() as n from Batch;\n"
    "- name: spans\n  types: original\n  scale: own\n  partitions: %\n  epl: |\n"
    "    insert into M select operationName as k, count(*) as n from Span;\n";

/* The spans of a record that one sent are a Batch, before them: in any number of tasks. */
TEST(a_batch_comes_before_its_spans)
{
    uint32_t tasks = 0;
    struct world *w = run_graph(batches, 4, 7, false, &tasks);
    CHECK_EQ(5, tasks); /* the sum over all spans is one */
    CHECK_EQ(SPAN_RECORDS * (2 + SPANS_EACH), w->rows.len);
    uint32_t whole = 0;
    VEC_EACH (&w->rows, r) {
        whole += strstr(*r, "N one | k=one n=3 ") == *r || strstr(*r, "N two | k=two n=3 ") == *r;
    }
    CHECK_EQ(2 * SPAN_RECORDS, whole);
    unmake(w);
}

static const char sums[] =
    "- name: logs\n  partitions: %\n  epl: |\n"
    "    insert into N select 1 as k, count(*) as n, sum(severity_number) as s, min(body) as b,\n"
    "    max(severity_number) as m, avg(severity_number) as a, count(body, severity_number > 9) as "
    "c\n"
    "    from LogRecord(severity_number > 3) output snapshot every 7 sec;\n"
    "    insert into M select service as k, sum(severity_number) * 2 as s, max(body) as m\n"
    "    from LogRecord group by service having count(*) > 3 output last every 10 sec;\n"
    "    insert into L select pod as k, service as k2, min(value) as s from Metric\n"
    "    where value < 20 group by pod, service output all every 20 sec;\n";

static const char batches_of_sums[] =
    "- name: logs\n  partitions: %\n  epl: |\n"
    "    insert into N select pod as k, count(*) as n, avg(severity_number) as s\n"
    "    from LogRecord#time_batch(30 sec) group by pod;\n"
    "    insert into M select 1 as k, count(*), max(value) as s from Metric#time_batch(30);\n";

/* Parts of sums are made in any number of tasks, and added up in one or many: rows are those of one
 * task, with their times and causes. */
TEST(sums_are_the_same_in_parts)
{
    compare(sums, 1, false, RAW_PARTS);
}

/* Of events of the same millisecond, which was first is another question in a batch. */
TEST(sums_of_batches_are_the_same_in_parts)
{
    compare(batches_of_sums, 1, true, RAW_PARTS);
}
