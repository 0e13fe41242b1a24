/* SPDX-License-Identifier: Apache-2.0
 *
 * What leaves a task besides derived events (task_plain.c, alert.h): alerts, and letters about what
 * could not be taken or put out. Inputs are random, some of them bad, late or too much; what is put
 * out is read as anybody reads it, and the journal makes the same again.
 */
#include "operators/shard/task.h"
#include "tests/test.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/key.h"
#include "core/event/rec_plain.h"
#include "core/event/schema.h"

enum { PIECES = 200, HOSTS = 3, BOUND_NS = 1000000000 };

static const char rules[] =
    "create schema Metric(host string, value double, text string);"
    "create schema Ask(n long);"
    "@name('high') select host, value from Metric(value > 90);"
    "@name('none') select host from Metric(value > 50);"
    "insert into Double select host, text || text || text as text from Metric(value = 7);"
    "insert into Flood select m.text as text, m.host as host "
    "from Ask unidirectional, Metric(value = 5)#keepall as m;";

enum { TO_ALERTS, TO_HISTORY, TO_DEAD, TO_EVENTS };

static const struct slice key[] = {SLICE("host")};
static const struct doc_alert words = {.severity = SLICE("page"),
                                       .summary = SLICE("{host} has {value} {{{nothing}}}"),
                                       .description = SLICE("at {host}"),
                                       .key = key,
                                       .n_key = 1};
static const struct alert_rule alerts[] = {{SLICE("t"), SLICE("g"), SLICE("high"), &words}};

struct piece {
    struct merge_piece p;
    struct rec event;
    struct val_pair cols[3];
};

struct world {
    uint64_t seed;
    struct intern *keys;
    struct piece pieces[PIECES];
    uint32_t n;
    struct task *task;
    struct task_plan plan;
    VEC(struct buf) journal;
    /* what was read of it */
    struct batch_dec *dec;
    struct arena *arena;
    uint64_t opened[HOSTS], history, last_number;
    VEC(struct id) ids;
    VEC(struct slice) reasons; /* of letters, with the reference behind */
    uint64_t floods;
};

static const struct merge_spec subs[] = {{0, 0, 0, BOUND_NS}};
static const uint16_t ids[] = {1};

static struct task_plan plan_of(uint32_t part, uint32_t parts)
{
    static const struct task_module modules[] = {{SLICE("hl"), {rules, sizeof rules - 1}, NULL}};
    static const struct slice reads[] = {SLICE("Metric"), SLICE("Ask")};
    static const struct emit_to to[] = {{SLICE("alerts"), 4, false},
                                        {SLICE("alerts.history"), 4, false},
                                        {SLICE("dlq"), 2, false},
                                        {SLICE("events"), 1, false}};
    static const struct task_out outs[] = {{SLICE("Double"), TO_EVENTS, NULL, NULL, 0},
                                           {SLICE("Flood"), TO_EVENTS, NULL, NULL, 0}};
    return (struct task_plan){.name = SLICE("t/g/l/0"),
                              .tenant = SLICE("t"),
                              .lineage = 77,
                              .part = part,
                              .parts = parts,
                              .modules = modules,
                              .n_modules = 1,
                              .reads = reads,
                              .n_reads = 2,
                              .subs = subs,
                              .topic_ids = ids,
                              .n_subs = 1,
                              .to = to,
                              .n_to = 4,
                              .outs = outs,
                              .n_outs = 2,
                              .alerts = alerts,
                              .n_alerts = 1,
                              .to_alerts = TO_ALERTS + 1,
                              .to_history = TO_HISTORY + 1,
                              .to_dead = TO_DEAD + 1,
                              .late = TASK_LATE_DLQ};
}

static uint64_t draw(struct world *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (w->seed >> 33) % below;
}

static struct world *make(void)
{
    static const struct merge_conf nobody = {NULL, NULL};
    struct world *w = MEM_NEW(struct world);
    w->seed = 5;
    w->keys = intern_new(1000, 100000);
    w->dec = batch_dec_new(BATCH_LIMITS, w->keys);
    w->arena = arena_new(NULL, "test", 64 << 20);
    w->plan = plan_of(0, 1);
    w->task = task_new(&w->plan, w->keys, &nobody);
    return w;
}

static void unmake(struct world *w)
{
    task_free(w->task);
    VEC_EACH (&w->journal, b) {
        buf_done(b);
    }
    VEC_DONE(&w->journal);
    VEC_DONE(&w->ids);
    VEC_DONE(&w->reasons);
    batch_dec_free(w->dec);
    arena_free(w->arena);
    intern_free(w->keys);
    mem_free(w);
}

static struct val_pair pair(struct world *w, const char *name, struct val v)
{
    struct val_pair p = val_pair(slice_str(name), v);
    p.key_id = intern_id(w->keys, slice_str(name));
    return p;
}

/* bad: an error's code. The piece's offset is its number. */
static void push(struct world *w, const char *type, int64_t ts_ms, double value, struct slice text,
                 int bad)
{
    static const struct rec_context none = {NULL, 0, 0};
    static const char *const hosts[HOSTS] = {"h0", "h1", "h2"};
    CHECK(w->n < PIECES);
    struct piece *p = &w->pieces[w->n];
    p->cols[0] = pair(w, "host", val_string(slice_str(hosts[w->n % HOSTS])));
    p->cols[1] = pair(w, "value", val_double(value));
    p->cols[2] = pair(w, "text", val_string(text));
    p->event = (struct rec){.ts = 1000000000000000000 + ts_ms * 1000000,
                            .context = &none,
                            .type = slice_str(type),
                            .type_id = intern_id(w->keys, slice_str(type)),
                            .payload = p->cols,
                            .payload_len = 3};
    p->p = (struct merge_piece){
        .offset = w->n++, .events = &p->event, .n = bad == 0, .mark = MERGE_NO_MARK, .bad = bad};
    merge_push(task_merge(w->task), 0, &p->p);
}

/* ---- reading what came out ---- */

static void read_fields(struct world *w, enum rec_plain_kind kind, const struct emit_record *r,
                        struct val *f)
{
    struct frame frame;
    struct err err;
    CHECK_OK(frame_read(r->value, &frame, &err), err);
    CHECK_EQ(schema_file_print(kind == REC_PLAIN_ALERT ? SLICE("alert.avsc") : SLICE("dlq.avsc")),
             frame.number);
    CHECK_OK(rec_plain_read(kind, w->dec, w->arena, frame.body, f, &err), err);
}

static void see_alert(struct world *w, const struct emit_record *r)
{
    struct val f[REC_PLAIN_FIELDS_MAX];
    struct head head;
    char want[64];
    read_fields(w, REC_PLAIN_ALERT, r, f);
    CHECK(head_read(r->head, &head));
    CHECK_EQ(1, head.count);
    CHECK(head.first > w->last_number); /* numbered among the events of the task */
    w->last_number = head.first;
    CHECK(slice_eq(r->key, val_slice(f[REC_ALERT_ID])));
    CHECK_EQ(key_partition(r->key, 4), r->part);
    const struct val *host = val_map_get(f[REC_ALERT_KEY], SLICE("host"));
    uint64_t *count = &w->opened[host->str[1] - '0'];
    CHECK_EQ(++*count, f[REC_ALERT_ORDINAL].i);
    CHECK_EQ(0, f[REC_ALERT_REVISION].i);
    CHECK_SLICE("firing", val_slice(f[REC_ALERT_STATE]));
    CHECK_SLICE("page", val_slice(f[REC_ALERT_SEVERITY]));
    double value = val_map_get(f[REC_ALERT_ROW], SLICE("value"))->d;
    snprintf(want, sizeof want, SLICE_FMT " has %.1f {null}", SLICE_ARG(val_slice(*host)), value);
    CHECK_SLICE(want, val_slice(f[REC_ALERT_SUMMARY]));
    CHECK_EQ(1, f[REC_ALERT_CAUSES].len);
    CHECK_EQ(16, f[REC_ALERT_CAUSES].list[0].len);
    CHECK_EQ(f[REC_ALERT_STARTS_AT].i, f[REC_ALERT_UPDATED_AT].i);
    CHECK_EQ(VAL_NULL, f[REC_ALERT_ENDS_AT].tag);
    struct id id;
    memcpy(id.bytes, r->key.ptr, sizeof id.bytes);
    VEC_EACH (&w->ids, x) {
        CHECK(!id_equal(x, &id));
    }
    *VEC_PUSH(&w->ids) = id;
}

/* Of a letter: "reason offset of the input". */
static void see_letter(struct world *w, const struct emit_record *r)
{
    struct val f[REC_PLAIN_FIELDS_MAX];
    read_fields(w, REC_PLAIN_DEAD, r, f);
    CHECK_SLICE("t", val_slice(f[REC_DEAD_TENANT]));
    CHECK_SLICE("t/g/l/0", val_slice(f[REC_DEAD_SOURCE]));
    struct ref ref;
    CHECK_EQ(16, f[REC_DEAD_REFERENCE].len);
    memcpy(ref.bytes, f[REC_DEAD_REFERENCE].str, sizeof ref.bytes);
    *VEC_PUSH(&w->reasons) =
        slice_str(arena_printf(w->arena, SLICE_FMT " %d", SLICE_ARG(val_slice(f[REC_DEAD_REASON])),
                               (int)ref_raw_parts(&ref).offset));
}

static void see(struct world *w, const struct parcel *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        const struct emit_record *r = &p->records[i];
        if (r->to == TO_ALERTS) {
            see_alert(w, r);
            CHECK(slice_eq(r->value, p->records[i + 1].value));
            CHECK_EQ(TO_HISTORY, p->records[i + 1].to);
        } else if (r->to == TO_DEAD) {
            see_letter(w, r);
        }
        w->history += r->to == TO_HISTORY;
        w->floods += r->to == TO_EVENTS ? r->count : 0;
        CHECK(r->value.len <= 1024 * 1024);
    }
}

static void work(struct world *w)
{
    struct task_cut c;
    struct err err;
    merge_may_skip(task_merge(w->task), 0, true);
    for (uint32_t left = 1; left > 0;) {
        left = task_work(w->task, 1000);
        if (!task_is_dirty(w->task)) {
            break;
        }
        CHECK_OK(task_cut(w->task, 1, &c, &err), err);
        struct buf *b = VEC_PUSH(&w->journal);
        buf_init(b, JOURNAL_BYTES_MAX);
        buf_add_slice(b, c.journal);
        see(w, c.parcel);
        task_committed(w->task, (int64_t)w->journal.len, NULL, 0);
    }
}

static void says(struct world *w, const char *const *want, size_t n)
{
    for (size_t i = 0; i < n && i < w->reasons.len; i++) {
        CHECK_SLICE(want[i], w->reasons.ptr[i]);
    }
    CHECK_EQ(n, w->reasons.len);
}

/* Another task plays the journal: sums are compared by the task, states here. */
static void replay(struct world *w)
{
    static const struct merge_conf nobody = {NULL, NULL};
    struct hash128 live = task_state_hash(w->task);
    struct arena *a = arena_new(NULL, "replay", 16 << 20);
    struct task *t = task_new(&w->plan, w->keys, &nobody);
    uint32_t at = 0;
    for (size_t i = 0; i < w->journal.len; i++) {
        struct journal_record r;
        struct err err;
        uint64_t sum;
        CHECK_OK(journal_read(buf_slice(&w->journal.ptr[i]), a, &r, &sum, &err), err);
        CHECK_OK(task_replay(t, &r, (int64_t)i + 1, sum, &err), err);
        while (task_replaying(t)) {
            if (at < w->n) {
                merge_push(task_merge(t), 0, &w->pieces[at++].p);
            }
            task_work(t, 10);
        }
        CHECK_OK(task_replayed(t, &err), err);
    }
    struct hash128 again = task_state_hash(t);
    CHECK(memcmp(&live, &again, sizeof live) == 0);
    task_free(t);
    arena_free(a);
}

TEST(plain_each_row_opens_an_alert_once)
{
    struct world *w = make();
    uint64_t high = 0;
    for (int64_t i = 0; i < PIECES; i++) {
        double value = (double)draw(w, 100);
        high += value > 90;
        push(w, "Metric", i * 50, value, SLICE(""), 0);
        if (draw(w, 10) == 0) {
            work(w);
        }
    }
    work(w);
    CHECK(high > 10);
    CHECK_EQ(high, w->ids.len);
    CHECK_EQ(high, w->history);
    CHECK_EQ(high, task_counts(w->task).alerts);
    says(w, NULL, 0);
    replay(w);
    unmake(w);
}

TEST(plain_what_cannot_be_taken_is_told_and_the_task_runs_on)
{
    struct world *w = make();
    push(w, "Metric", 0, 0, SLICE(""), ERR_CORRUPT); /* the very first: there is no time yet */
    work(w);
    push(w, "Metric", 0, 99, SLICE(""), 0);
    push(w, "Metric", 0, 0, SLICE(""), ERR_LIMIT);
    push(w, "Metric", 60000, 1, SLICE(""), 0);
    push(w, "Metric", 1000, 99, SLICE(""), 0); /* a minute late */
    push(w, "Metric", 60001, 99, SLICE(""), 0);
    work(w);
    const char *const want[] = {"undecodable 0", "undecodable 2", "late 4"};
    says(w, want, 3);
    CHECK_EQ(2, w->ids.len);
    struct task_counts c = task_counts(w->task);
    CHECK(c.poison == 2 && c.late == 1 && c.dropped == 1 && c.dead == 3);
    replay(w);
    unmake(w);
}

TEST(plain_what_is_too_large_is_told)
{
    struct world *w = make();
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 400000; i++) {
        buf_add_byte(&text, 'x');
    }
    push(w, "Metric", 0, 7, buf_slice(&text), 0); /* three times that is no record */
    push(w, "Metric", 1, 99, SLICE(""), 0);
    work(w);
    CHECK_EQ(1, w->ids.len);
    CHECK_EQ(0, w->floods);
    for (int i = 0; i < 120; i++) {
        push(w, "Metric", 2, 5, buf_slice(&text), 0);
    }
    push(w, "Ask", 3, 0, SLICE(""), 0); /* 48 MB at once */
    push(w, "Metric", 4, 99, SLICE(""), 0);
    work(w);
    CHECK_EQ(2, w->ids.len);
    const char *const want[] = {"too_big 0", "too_much 122"};
    says(w, want, 2);
    CHECK(w->floods > 70 && w->floods < 90); /* 32 MiB of them */
    CHECK_EQ(120 - w->floods, task_counts(w->task).over);
    replay(w);
    buf_done(&text);
    unmake(w);
}

static uint64_t ordinal(struct alert_book *b, struct arena *a, struct batch_enc *enc,
                        const struct evt *row)
{
    struct buf out;
    struct err err;
    struct id id;
    buf_init(&out, 100000);
    CHECK_OK(alert_write(b, &alerts[0], row, 0, enc, a, &out, &id, &err), err);
    struct intern *keys = intern_new(100, 1000);
    struct batch_dec *dec = batch_dec_new(BATCH_LIMITS, keys);
    struct val f[REC_PLAIN_FIELDS_MAX];
    struct slice body = slice_sub(buf_slice(&out), FRAME_SINGLE_BYTES, out.len);
    CHECK_OK(rec_plain_read(REC_PLAIN_ALERT, dec, a, body, f, &err), err);
    uint64_t n = (uint64_t)f[REC_ALERT_ORDINAL].i;
    batch_dec_free(dec);
    intern_free(keys);
    buf_done(&out);
    return n;
}

TEST(plain_openings_are_counted_on_by_who_loads_them)
{
    const struct etype type = {.name = SLICE("R")};
    struct vheap *h = vheap_new();
    struct evt *row = evt_keep(evt_new(h, &type));
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    struct alert_book *b = alert_book_new(alerts, 1, 2, 8), *c = alert_book_new(alerts, 1, 2, 8);
    struct buf saved;
    struct err err;
    buf_init(&saved, 100000);
    alert_count_from(b, 1000);
    CHECK_EQ(8003, ordinal(b, a, enc, row)); /* the third of eight tasks */
    CHECK_EQ(8011, ordinal(b, a, enc, row));
    CHECK(alert_save(b, &saved));
    CHECK_OK(alert_load(c, buf_slice(&saved), &err), err);
    CHECK_EQ(8019, ordinal(c, a, enc, row));
    for (size_t cut = 0; cut < saved.len; cut++) {
        struct alert_book *d = alert_book_new(alerts, 1, 0, 1);
        CHECK_EQ(-ERR_CORRUPT, alert_load(d, slice_of(saved.ptr, cut), &err));
        alert_book_free(d);
    }
    CHECK(alert_rule_of(b, SLICE("high")) == &alerts[0] && alert_rule_of(b, SLICE("x")) == NULL);
    buf_done(&saved);
    alert_book_free(b);
    alert_book_free(c);
    batch_enc_free(enc);
    arena_free(a);
    evt_drop(h, row);
    vheap_free(h);
}
