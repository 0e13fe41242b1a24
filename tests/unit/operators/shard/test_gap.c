/* SPDX-License-Identifier: Apache-2.0
 *
 * Input that a task has to do without, over the simulated bus: what retention has removed before it
 * was read (slot_gap.c), and what the process dies of (slot_trial.c). The task goes on behind it
 * with what it knew, says what is lost, and nobody needs it again.
 */
#include "operators/shard/slot.h"
#include "operators/shard/slot_floor.h"
#include "operators/shard/task_gap.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/slot_abandon.h"

#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_in.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "core/event/swept.h"

enum { PARTS = 2, EVENTS_MAX = 2000, TAG_TRIM = 77, TAG_BOUNDS, TAG_SWEEP, LINEAGE = 4711 };

struct world {
    struct bus *bus;
    struct bus_client *sender, *worker;
    struct bus_writer *out;
    bool open, trimmed;
    uint32_t sent;
    int64_t ahead;               /* of the time of events */
    uint64_t rules;              /* their number */
    bool beats;                  /* with a timer each second */
    bool at_end;                 /* who has no journal reads nothing of before */
    int64_t offsets[EVENTS_MAX]; /* of each event; event n lies in partition n % PARTS */
    struct slot *slot;
    struct slot_task task;
    int64_t snapshot_ns;
    uint32_t deadly, deaths; /* who takes that event dies; 0: none. How often */
    int64_t begun, young;    /* who is older than that does not die; 0: he does, too */
    atomic_bool trial;
};

static const char rules[] = "create schema Metric(seq long);"
                            "@name('all') insert into Seen select seq, count(*) as n from Metric;"
                            "@name('each') select seq from Metric;"
                            "@name('recent') select count(*) as n from Metric#time(2 sec);";

static const char beat[] =
    "create schema Metric(seq long);"
    "insert into Seen select seq, count(*) as n from Metric;"
    "insert into Beat select count(*) as n from Metric output snapshot every 1 sec;";

static void begin(struct world *w, bool after_death)
{
    static const struct task_module still[] = {{SLICE("hl"), {rules, sizeof rules - 1}, NULL}},
                                    beats[] = {{SLICE("hl"), {beat, sizeof beat - 1}, NULL}};
    static const struct slice reads[] = {SLICE("Metric")}, topics[] = {SLICE("metrics")};
    static const struct merge_spec subs[PARTS] = {{0, 0, 0, 0}, {0, 1, 0, 0}};
    static const uint16_t ids[PARTS] = {1, 1};
    static const struct emit_to to[] = {{SLICE("events"), 1, false}, {SLICE("dlq"), 1, false}};
    static const struct task_out outs[] = {{SLICE("Seen"), 0, NULL, NULL, 0},
                                           {SLICE("Beat"), 0, NULL, NULL, 0}};
    static const bool aligned[] = {false};
    static struct task_plan plan = {.name = SLICE("t/g/l/0"),
                                    .tenant = SLICE("t"),
                                    .lineage = LINEAGE,
                                    .parts = 1,
                                    .n_modules = 1,
                                    .reads = reads,
                                    .n_reads = 1,
                                    .subs = subs,
                                    .topics = topics,
                                    .topic_ids = ids,
                                    .n_subs = PARTS,
                                    .to = to,
                                    .n_to = 2,
                                    .outs = outs,
                                    .n_outs = 2,
                                    .to_dead = 2};
    struct err err;
    plan.hash = w->rules;
    plan.modules = w->beats ? beats : still;
    w->task = (struct slot_task){.plan = &plan,
                                 .topics = topics,
                                 .aligned = aligned,
                                 .from_start = w->rules == 0 && !w->at_end,
                                 .after_death = after_death};
    const struct slot_conf conf = {.name = SLICE("worker.0"),
                                   .commit_ns = 20000000,
                                   .snapshot_ns = w->snapshot_ns,
                                   .trial = &w->trial,
                                   .takes = w->beats ? 4 : 64};
    w->begun = bus_sim_now(w->bus);
    w->worker = bus_client_new(w->bus, "worker");
    CHECK_OK(slot_new(w->worker, &conf, &w->task, 1, &w->slot, &err), err);
}

static void kill_worker(struct world *w)
{
    bus_sim_crash(w->worker);
    slot_abandon(w->slot);
    w->slot = NULL;
}

/* It has taken the deadly event, and has not passed it over. */
static bool dies(struct world *w)
{
    struct task *t = w->slot != NULL && slot_tasks(w->slot) > 0 ? slot_task(w->slot, 0) : NULL;
    bool old = w->young > 0 && bus_sim_now(w->bus) - w->begun >= w->young;
    return w->deadly > 0 && !old && t != NULL && w->offsets[w->deadly] > 0 &&
           task_counts(t).poison == 0 &&
           merge_pos(task_merge(t), w->deadly % PARTS).offset > w->offsets[w->deadly];
}

static void step(struct world *w)
{
    for (int i = 0; w->slot != NULL && i < 50 && slot_step(w->slot); i++) {
    }
    if (dies(w)) {
        kill_worker(w);
        w->deaths++;
        begin(w, true);
    }
}

static void pass(struct world *w, int64_t ns)
{
    struct bus_ev ev[16];
    int64_t until = bus_sim_now(w->bus) + ns;
    while (bus_sim_now(w->bus) < until) {
        (void)bus_sim_step(w->bus, until - bus_sim_now(w->bus));
        for (int n = bus_poll(w->sender, ev, 16), i = 0; i < n; i++) {
            w->open |= ev[i].kind == BUS_EV_OPENED;
            w->trimmed |= ev[i].tag == TAG_TRIM && ev[i].kind == BUS_EV_DONE;
            if (ev[i].kind == BUS_EV_DELIVERED) {
                w->offsets[ev[i].tag] = ev[i].offset;
            }
        }
        for (int n = w->slot != NULL ? bus_poll(w->worker, ev, 16) : 0, i = 0; i < n; i++) {
            slot_on_event(w->slot, &ev[i]);
        }
        step(w);
    }
}

static void send(struct world *w, uint32_t n)
{
    static const struct rec_context none = {NULL, 0, 0};
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    struct err err;
    for (; n > 0; n--, w->sent++) {
        struct buf b;
        struct val_pair p[] = {val_pair(SLICE("seq"), val_int(w->sent))};
        struct rec r = {.ts = 1000000000000000000 + w->ahead + w->sent,
                        .context = &none,
                        .type = SLICE("Metric"),
                        .payload = p,
                        .payload_len = 1};
        buf_init(&b, 200000);
        batch_enc_begin(enc, SLICE("test"), 0);
        CHECK_OK(batch_enc_add(enc, &r, &err), err);
        CHECK(frame_put(&b, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
        CHECK_OK(batch_enc_end(enc, &b, &err), err);
        struct bus_put put = {.to = {bus_topic(w->sender, SLICE("metrics")), w->sent % PARTS},
                              .value = buf_slice(&b),
                              .token = w->sent};
        CHECK_OK(bus_put(w->out, &put, &err), err);
        buf_done(&b);
    }
    batch_enc_free(enc);
    pass(w, 1000000000);
}

static void trim_to(struct world *w, struct slice topic, uint32_t part, int64_t offset)
{
    struct err err;
    w->trimmed = false;
    CHECK_OK(bus_trim(w->sender, (struct bus_tp){bus_topic(w->sender, topic), part}, offset,
                      TAG_TRIM, &err),
             err);
    while (!w->trimmed) {
        pass(w, 1000000);
    }
}

/* Everything before that event is gone. */
static void trim(struct world *w, uint32_t event)
{
    for (uint32_t i = event; i < event + PARTS; i++) {
        trim_to(w, SLICE("metrics"), i % PARTS, w->offsets[i]);
    }
}

/* Where the task's journal ends. */
static int64_t journal_end(struct world *w)
{
    struct bus_tp tp = {bus_topic(w->sender, SLICE("journal")), LINEAGE % 64};
    struct bus_ev ev[16];
    struct err err;
    int64_t end = -1;
    CHECK_OK(bus_bounds(w->sender, tp, TAG_BOUNDS, &err), err);
    while (end < 0) {
        bus_wait(w->sender, 1000000);
        for (int n = bus_poll(w->sender, ev, 16), i = 0; i < n; i++) {
            end = ev[i].tag == TAG_BOUNDS ? ev[i].end : end;
        }
    }
    return end;
}

static struct world *make(int64_t snapshot_ns)
{
    const struct bus_topic_spec specs[] = {{SLICE("metrics"), PARTS, BUS_DELETE, -1, -1},
                                           {SLICE("events"), 1, BUS_DELETE, -1, -1},
                                           {SLICE("dlq"), 1, BUS_DELETE, -1, -1},
                                           {SLICE("journal"), 64, BUS_DELETE, -1, -1},
                                           {SLICE("state"), 64, BUS_COMPACT, -1, -1}};
    struct world *w = MEM_NEW(struct world);
    struct bus_sim_faults faults = bus_sim_calm();
    struct bus_conf conf = {.kind = BUS_SIM, .prefix = "kaiju.", .sim = {1, &faults}};
    struct err err;
    w->snapshot_ns = snapshot_ns;
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->sender = bus_client_new(w->bus, "sender");
    CHECK_OK(bus_ensure(w->sender, specs, ARRAY_LEN(specs), 1, &err), err);
    pass(w, 1000000000);
    CHECK_OK(bus_open(w->sender, SLICE(""), 2, &w->out, &err), err);
    while (!w->open) {
        pass(w, 1000000);
    }
    begin(w, false);
    pass(w, 1000000000);
    return w;
}

static void unmake(struct world *w)
{
    slot_free(w->slot);
    bus_client_free(w->worker);
    bus_writer_close(w->out);
    bus_client_free(w->sender);
    bus_free(w->bus);
    mem_free(w);
}

/* ---- what came out ---- */

struct found {
    uint32_t seen[EVENTS_MAX];
    int64_t n[EVENTS_MAX]; /* what the rule had counted */
    uint32_t gaps, others, beats;
    int64_t beat; /* the time of the last one */
};

static void see(struct found *f, const struct rec *e)
{
    const struct val *v = rec_find_text(e->payload, e->payload_len, SLICE("seq"));
    if (slice_eq(e->type, SLICE("Seen"))) {
        const struct val *n = rec_find_text(e->payload, e->payload_len, SLICE("n"));
        f->seen[v->i]++;
        f->n[v->i] = n->i;
        return;
    }
    if (slice_eq(e->type, SLICE("Beat"))) {
        CHECK(f->beats++ == 0 || e->ts == f->beat + 1000000000); /* each second once */
        f->beat = e->ts;
        return;
    }
    v = rec_find_text(e->payload, e->payload_len, SLICE("reason"));
    CHECK_SLICE("DeadLetter", e->type);
    f->gaps += slice_eq(val_slice(*v), SLICE("gap"));
    f->others += !slice_eq(val_slice(*v), SLICE("gap"));
}

static struct found *read_all(struct world *w)
{
    struct found *f = MEM_NEW(struct found);
    struct bus_client *c = bus_client_new(w->bus, "judge");
    struct bus_reader *r = bus_reader_new(c);
    struct intern *keys = intern_new(1000, 100000);
    struct schema_reg *reg = schema_reg_new((struct schema_source){NULL, NULL});
    struct batch_in *in = batch_in_new(BATCH_LIMITS, keys, reg);
    struct arena *a = arena_new(NULL, "outputs", 16 << 20);
    const struct bus_tp of[] = {{bus_topic(c, SLICE("events")), 0},
                                {bus_topic(c, SLICE("dlq")), 0}};
    struct bus_ev ev[16];
    struct err err;
    uint32_t ends = 0;
    for (size_t i = 0; i < ARRAY_LEN(of); i++) {
        CHECK_OK(bus_assign(r, of[i], BUS_FROM_START, i, &err), err);
    }
    while (ends < ARRAY_LEN(of)) {
        bus_wait(c, 1000000000);
        for (int n = bus_poll(c, ev, 16), i = 0; i < n; i++) {
            ends += ev[i].kind == BUS_EV_END;
            for (uint32_t k = 0; ev[i].kind == BUS_EV_RECORDS && k < ev[i].count; k++) {
                struct rec_batch b;
                CHECK_OK(batch_in_read(in, a, ev[i].records[k].value, &b, &err), err);
                for (uint32_t e = 0; e < b.events_len; e++) {
                    see(f, &b.events[e]);
                }
            }
        }
    }
    arena_free(a);
    batch_in_free(in);
    schema_reg_free(reg);
    intern_free(keys);
    bus_reader_free(r);
    bus_client_free(c);
    return f;
}

/* Those of [from, to) came out once, those before only once at most. */
static void check(struct world *w, uint32_t lost_from, uint32_t lost_to, uint32_t gaps, int64_t n)
{
    struct found *f = read_all(w);
    for (uint32_t i = 0; i < w->sent; i++) {
        uint32_t want = i < lost_from || i >= lost_to;
        if (f->seen[i] != want) {
            test_fail(__FILE__, __LINE__, "event %u was seen %u times", i, f->seen[i]);
        }
    }
    CHECK_EQ(gaps, f->gaps);
    CHECK_EQ(w->deadly > 0, f->others);
    CHECK_EQ(n, f->n[w->sent - 1]);
    mem_free(f);
}

/* Who begins again needs nothing that is gone, and has the same state. */
static void check_state(struct world *w)
{
    struct hash128 live = task_state_hash(slot_task(w->slot, 0));
    kill_worker(w);
    begin(w, false);
    pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
    struct hash128 again = task_state_hash(slot_task(w->slot, 0));
    CHECK(memcmp(&live, &again, sizeof live) == 0);
}

TEST(gap_a_task_with_a_snapshot_goes_on_with_what_it_knew)
{
    struct world *w = make(100000000);
    send(w, 100);
    pass(w, 2000000000); /* a snapshot behind all of it */
    check(w, 0, 0, 0, 100);
    kill_worker(w);
    send(w, 100);
    trim(w, 150);
    begin(w, false);
    pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    check(w, 100, 150, PARTS, 150);
    send(w, 10);
    check(w, 100, 150, PARTS, 160);
    check_state(w);
    send(w, 10);
    check(w, 100, 150, PARTS, 170);
    unmake(w);
}

/* As text: those that something may be missing of. */
static void check_lacks(struct world *w, const char *want)
{
    struct eng_back v[4];
    char text[100] = "";
    size_t n = task_lacks(slot_task(w->slot, 0), v, ARRAY_LEN(v));
    for (size_t i = 0, at = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, SLICE_FMT "/" SLICE_FMT " ",
                               SLICE_ARG(v[i].module), SLICE_ARG(v[i].name));
    }
    CHECK_STR(want, text);
}

/* Those that hold what comes: windows of time until they have turned over, also if it begins again
 * meanwhile; all else for good. */
TEST(gap_statements_that_may_lack_it_are_named)
{
    struct world *w = make(100000000);
    send(w, 100);
    pass(w, 2000000000);
    check_lacks(w, "");
    kill_worker(w);
    send(w, 100);
    trim(w, 150);
    begin(w, false);
    pass(w, 2000000000);
    check_lacks(w, "hl/all hl/recent ");
    kill_worker(w);
    begin(w, false);
    pass(w, 2000000000);
    check_lacks(w, "hl/all hl/recent ");
    w->ahead = 1900000000;
    send(w, 2);
    check_lacks(w, "hl/all hl/recent ");
    w->ahead = 2200000000;
    send(w, 2);
    check_lacks(w, "hl/all ");
    unmake(w);
}

/* Rules that others have left without a last record, and nobody knows which: what they knew is
 * lost, and what they had not read yet. That is said, and again when it is played. */
TEST(gap_behind_rules_that_nobody_knows_any_more)
{
    struct world *w = make(0);
    send(w, 100);
    check(w, 0, 0, 0, 100);
    kill_worker(w);
    w->rules = 7;
    begin(w, false);
    pass(w, 2000000000);
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    check_lacks(w, ""); /* it has no rules yet */
    send(w, 10);
    check_lacks(w, "hl/all hl/recent ");
    check(w, 0, 0, PARTS, 10);
    kill_worker(w);
    begin(w, false);
    pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    send(w, 10);
    check(w, 0, 0, PARTS, 20);
    unmake(w);
}

TEST(gap_a_journal_that_cannot_be_played_is_passed_over)
{
    struct world *w = make(0); /* no snapshot: the journal is all there is */
    send(w, 100);
    check(w, 0, 0, 0, 100);
    kill_worker(w);
    send(w, 100);
    trim(w, 50);
    w->snapshot_ns = 100000000;
    begin(w, false);
    pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    check(w, 0, 0, PARTS, 100); /* nothing was put out twice; what was counted is lost */
    check_state(w);
    unmake(w);
}

TEST(gap_both_at_once)
{
    struct world *w = make(0);
    send(w, 100);
    kill_worker(w);
    send(w, 100);
    trim(w, 150);
    w->snapshot_ns = 100000000;
    begin(w, false);
    pass(w, 2000000000);
    check(w, 100, 150, 2 * PARTS, 50);
    check_state(w);
    unmake(w);
}

/* Retention removes records of the journal, too: those of a task that did nothing for long. */
TEST(gap_a_task_whose_journal_is_gone_has_its_snapshot)
{
    struct world *w = make(100000000);
    send(w, 100);
    pass(w, 2000000000); /* a snapshot behind all of it */
    kill_worker(w);
    trim_to(w, SLICE("journal"), LINEAGE % 64, journal_end(w));
    begin(w, false);
    pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    check(w, 0, 0, 0, 100);
    send(w, 10);
    check(w, 0, 0, 0, 110);
    check_state(w);
    unmake(w);
}

/* Nor does one that did something after its last snapshot and was silent for long after that. */
TEST(gap_who_falls_silent_is_saved_before_the_journal_is_gone)
{
    struct world *w = make(5000000000);
    send(w, 50);
    pass(w, 7000000000);
    send(w, 10); /* it is due with these */
    pass(w, 2000000000);
    send(w, 40); /* committed, and none is due yet */
    pass(w, 20000000000);
    int64_t end = journal_end(w);
    pass(w, 20000000000);
    CHECK_EQ(end, journal_end(w)); /* once */
    kill_worker(w);
    trim_to(w, SLICE("journal"), LINEAGE % 64, end);
    begin(w, false);
    pass(w, 20000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
    CHECK_EQ(end, journal_end(w)); /* who begins with all of it saves nothing */
    check(w, 0, 0, 0, 100);        /* nothing was put out twice */
    send(w, 10);
    check(w, 0, 0, 0, 110);
    check_state(w);
    unmake(w);
}

/* The first event of partition 0 that lies at the offset or behind. */
static uint32_t event_at(const struct world *w, int64_t offset)
{
    uint32_t e = 0;
    while (e < w->sent && w->offsets[e] < offset) {
        e += PARTS;
    }
    return e;
}

/* Until the slot has asked what is there, and done what follows. */
static void ask(struct world *w)
{
    for (int i = 0; i < 13; i++) {
        pass(w, 1000000000);
    }
}

/* Retention comes near to what its last snapshot needs: another one is made, though none is due,
 * and nothing is lost when that is gone. */
TEST(floor_a_task_is_saved_before_retention_takes_what_it_needs)
{
    struct world *w = make(10000000000000);
    struct slot_floor f;
    send(w, 100);
    ask(w);
    send(w, 100);
    ask(w);
    f = slot_floor(w->slot, 0);
    CHECK_EQ(1, slot_counts(w->slot).snapshots); /* the first, with the first inputs */
    CHECK(f.of[0] != '\0' && !f.near && f.nears == 0 && f.offset < f.end);
    uint32_t needs = event_at(w, f.offset);
    CHECK(needs < 150);
    trim(w, needs + 20); /* it has come there already */
    ask(w);
    f = slot_floor(w->slot, 0);
    CHECK_EQ(2, slot_counts(w->slot).snapshots);
    CHECK(f.nears == 1 && !f.near && f.offset == f.end); /* that of one input is enough */
    trim(w, 190);
    ask(w);
    CHECK_EQ(2, slot_counts(w->slot).snapshots); /* nothing is needed of what is there */
    send(w, 2);
    trim(w, 198);
    send(w, 20);
    ask(w);
    CHECK_EQ(3, slot_counts(w->slot).snapshots); /* near: it was removed up to 2 before */
    kill_worker(w);
    trim(w, 220);
    begin(w, false);
    pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
    check(w, 0, 0, 0, 222);
    check_state(w);
    unmake(w);
}

/* A journal that is gone as a whole with what it had behind the snapshot: nobody knows how far it
 * went, so the task goes on where nothing can have been taken, and says so. Nothing is put out
 * twice. */
TEST(gap_a_journal_that_is_lost_behind_its_snapshot_is_told)
{
    struct world *w = make(20000000000);
    send(w, 50);
    pass(w, 21000000000);
    send(w, 10); /* a snapshot is due with these */
    pass(w, 2000000000);
    send(w, 40); /* committed, and none is */
    check(w, 0, 0, 0, 100);
    kill_worker(w);
    send(w, 20);
    trim_to(w, SLICE("journal"), LINEAGE % 64, journal_end(w));
    for (int i = 0; i < 2; i++) { /* the first is killed behind its first commit */
        begin(w, false);
        pass(w, 1000000000);
        CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
        CHECK(task_counts(slot_task(w->slot, 0)).gaps == 1 + PARTS || i > 0);
        check(w, 100, 120, 1 + PARTS, 0);
        if (i == 0) {
            kill_worker(w);
        }
    }
    check_lacks(w, "hl/all hl/recent ");
    send(w, 10);
    check(w, 100, 120, 1 + PARTS, 70); /* with 60 of the snapshot */
    pass(w, 25000000000);
    check_state(w);
    unmake(w);
}

/* One that was never saved, and has nothing but the word that there was a journal. */
TEST(gap_a_journal_that_is_lost_without_a_snapshot_is_told)
{
    struct world *w = make(0);
    send(w, 100);
    check(w, 0, 0, 0, 100);
    kill_worker(w);
    send(w, 10);
    trim_to(w, SLICE("journal"), LINEAGE % 64, journal_end(w));
    begin(w, false);
    pass(w, 1000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(1 + PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    send(w, 10);
    check(w, 100, 110, 1 + PARTS, 10);
    w->snapshot_ns = 100000000;
    kill_worker(w);
    begin(w, false);
    pass(w, 1000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    send(w, 10);
    check(w, 100, 110, 1 + PARTS, 20);
    pass(w, 3000000000);
    check_state(w);
    unmake(w);
}

/* A journal without its beginning says what was put out, not what was known. */
TEST(gap_a_journal_without_its_beginning_is_passed_over)
{
    struct world *w = make(0);
    send(w, 50);
    int64_t before = journal_end(w);
    send(w, 50);
    check(w, 0, 0, 0, 100);
    kill_worker(w);
    trim_to(w, SLICE("journal"), LINEAGE % 64, before);
    w->snapshot_ns = 100000000;
    begin(w, false);
    pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    check(w, 0, 0, PARTS, 100); /* nothing was put out twice */
    send(w, 10);
    check(w, 0, 0, PARTS, 10);
    check_state(w);
    unmake(w);
}

/* What is left of a journal behind a snapshot is one record, which read one partition of several.
 */
TEST(gap_one_record_says_where_everything_stands)
{
    struct world *w = make(5000000000);
    send(w, 50);
    pass(w, 7000000000);
    send(w, 10); /* it is due with these */
    pass(w, 2000000000);
    send(w, 40);
    int64_t before = journal_end(w);
    send(w, 1);
    kill_worker(w);
    trim_to(w, SLICE("journal"), LINEAGE % 64, before);
    begin(w, false);
    pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    check(w, 0, 0, PARTS, 101); /* nothing was put out twice */
    send(w, 10);
    check(w, 0, 0, PARTS, 70); /* 60 were in the snapshot */
    check_state(w);
    unmake(w);
}

/* The first input is old, and every timer up to the next fires: some at a time, committed on the
 * way, so that who is killed in the middle of it goes on there, and those beside do all the while.
 */
/* As the coordinator's sweep does: all records of the task are removed, and the mark is put. */
static void sweep(struct world *w)
{
    char key[SWEPT_KEY_BYTES], value[SWEPT_VALUE_BYTES];
    struct bus_tp tp = {bus_topic(w->sender, SLICE("state")), LINEAGE % 64};
    struct bus_reader *r = bus_reader_new(w->sender);
    struct bus_ev ev;
    struct err err;
    uint32_t n = 0;
    struct bus_put put = {.to = tp,
                          .key = swept_mark(LINEAGE, key),
                          .value = swept_write(journal_end(w), value),
                          .token = EVENTS_MAX - 1};
    CHECK_OK(bus_put(w->out, &put, &err), err);
    CHECK_OK(bus_assign(r, tp, BUS_FROM_START, TAG_SWEEP, &err), err);
    for (bool end = false; !end;) {
        bus_wait(w->sender, 1000000);
        while (bus_poll(w->sender, &ev, 1) > 0) {
            end |= ev.tag == TAG_SWEEP && ev.kind == BUS_EV_END;
            for (uint32_t k = 0; ev.kind == BUS_EV_RECORDS && k < ev.count; k++) {
                put.key = ev.records[k].key;
                put.value = SLICE_NONE;
                if (!swept_is_mark(put.key)) {
                    CHECK_OK(bus_put(w->out, &put, &err), err);
                    n++;
                }
            }
        }
    }
    bus_reader_free(r);
    CHECK(n > 4);
    pass(w, 1000000000);
}

/* Nobody carried the task on, and its state was swept; then it is there again, by the same rules.
 * What its journal says is over: nothing is taken or put out twice, and it knows nothing. */
TEST(sweep_a_task_that_is_back_begins_with_nothing)
{
    for (int round = 0; round < 2; round++) {
        struct world *w = make(5000000000);
        send(w, 50);
        pass(w, 7000000000);
        int64_t before = journal_end(w);
        send(w, 10); /* a snapshot is due with these */
        pass(w, 2000000000);
        send(w, 40);
        check(w, 0, 0, 0, 100);
        kill_worker(w);
        w->at_end = true;
        send(w, 20); /* while it was none of anybody's */
        if (round == 1) {
            trim_to(w, SLICE("journal"), LINEAGE % 64, before);
        }
        sweep(w);
        for (int i = 0; i < 2; i++) { /* the first is killed before it has done anything */
            begin(w, false);
            pass(w, 1000000000);
            CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
            CHECK_EQ(SLOT_LIVE, slot_task_state(w->slot, 0));
            CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
            if (i == 0) {
                kill_worker(w);
            }
        }
        send(w, 10);
        check(w, 100, 120, 0, 10);
        check_state(w); /* by its journal, */
        pass(w, 7000000000);
        send(w, 10);
        pass(w, 7000000000);
        check_state(w); /* and by a snapshot */
        check(w, 100, 120, 0, 20);
        unmake(w);
    }
}

TEST(span_timers_between_inputs_are_fired_in_parts)
{
    enum { SPAN = 40000, KILLS = 3, SOME = 1000 };
    struct world *w = make(100000000);
    struct task *t;
    int64_t clock = 0;
    kill_worker(w);
    w->beats = true;
    w->ahead = -(int64_t)SPAN * 1000000000;
    begin(w, false);
    send(w, PARTS);
    t = slot_task(w->slot, 0);
    const int64_t first = merge_clock(task_merge(t));
    kill_worker(w);
    w->ahead = 0;
    send(w, 10);
    for (int i = 0; i < KILLS; i++) {
        begin(w, i % 2 == 1);
        for (int k = 0; k < 1000 && slot_state(w->slot) != SLOT_LIVE; k++) {
            pass(w, 1000000);
        }
        t = slot_task(w->slot, 0);
        CHECK(merge_clock(task_merge(t)) >= clock); /* where the one before was committed */
        for (int k = 0; k < 1000 && task_span(t).fired < SOME; k++) {
            pass(w, 1000000);
        }
        clock = merge_clock(task_merge(t));
        CHECK(clock > first && task_span(t).fired >= SOME && task_span(t).to > clock);
        pass(w, 60000000); /* a commit or two */
        CHECK(task_span(t).to > merge_clock(task_merge(t)));
        kill_worker(w);
    }
    begin(w, false);
    pass(w, 20000000000);
    t = slot_task(w->slot, 0);
    CHECK_EQ(0, task_span(t).fired);
    struct found *f = read_all(w);
    CHECK_EQ(SPAN, f->beats);
    mem_free(f);
    check(w, 0, 0, 0, PARTS + 10);
    check_state(w);
    unmake(w);
}

/* Somebody has removed its input: those beside it go on. */
TEST(gap_a_task_without_its_topic_is_lost_alone)
{
    static const struct slice missing[] = {SLICE("missing")};
    struct world *w = make(100000000);
    send(w, 20);
    struct task_plan plan = *w->task.plan;
    struct slot_task other = w->task;
    plan.name = SLICE("t/other/l/0");
    plan.lineage = LINEAGE + 1;
    plan.topics = other.topics = missing;
    other.plan = &plan;
    slot_add(w->slot, &other);
    pass(w, 1000000);
    pass(w, 1000000000);
    CHECK_EQ(2, slot_tasks(w->slot));
    CHECK_EQ(SLOT_LOST, slot_task_state(w->slot, 1));
    send(w, 20);
    CHECK_EQ(SLOT_LIVE, slot_task_state(w->slot, 0));
    check(w, 0, 0, 0, 40);
    unmake(w);
}

TEST(trial_a_record_that_kills_is_passed_over)
{
    struct world *w = make(0);
    send(w, 20);
    w->deadly = 45;
    send(w, 60);
    pass(w, 2000000000);
    CHECK_EQ(5, w->deaths); /* once, three times at one cut, and once alone */
    check(w, 45, 46, 0, 79);
    CHECK(!atomic_load(&w->trial));
    check_state(w);
    send(w, 10);
    check(w, 45, 46, 0, 89);
    unmake(w);
}

/* Deaths that are none of its doing cost nothing: it goes on, and all is there once. */
TEST(trial_who_is_killed_by_others_loses_nothing)
{
    struct world *w = make(0);
    for (uint32_t i = 0; i < 12; i++) {
        kill_worker(w);
        begin(w, true);
        if (i % 6 == 5) {
            send(w, 10);
        }
        pass(w, 300000000);
        CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    }
    CHECK(!atomic_load(&w->trial));
    check(w, 0, 0, 0, 20);
    check_state(w);
    unmake(w);
}

/* Not even who is killed each time between taking and committing, as long as he is young. */
TEST(trial_who_is_killed_young_loses_nothing)
{
    struct world *w = make(0);
    send(w, 20);
    w->deadly = 20;
    w->young = 800000000;
    kill_worker(w);
    begin(w, true);
    send(w, 20);
    pass(w, 2000000000);
    CHECK_EQ(3, w->deaths); /* who comes then waits before he takes it alone */
    w->deadly = 0;
    check(w, 0, 0, 0, 40);
    CHECK(!atomic_load(&w->trial));
    check_state(w);
    unmake(w);
}
