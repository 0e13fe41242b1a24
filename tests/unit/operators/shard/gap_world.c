/* SPDX-License-Identifier: Apache-2.0
 *
 * See gap_world.h.
 */
#include "tests/unit/operators/shard/gap_world.h"

#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_in.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/slot_abandon.h"

static const char rules[] = "create schema Metric(seq long);"
                            "@name('all') insert into Seen select seq, count(*) as n from Metric;"
                            "@name('each') select seq from Metric;"
                            "@name('recent') select count(*) as n from Metric#time(2 sec);";

static const char beat[] =
    "create schema Metric(seq long);"
    "insert into Seen select seq, count(*) as n from Metric;"
    "insert into Beat select count(*) as n from Metric output snapshot every 1 sec;";

void gap_begin(struct gap_world *w, bool after_death)
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

void gap_kill_worker(struct gap_world *w)
{
    bus_sim_crash(w->worker);
    slot_abandon(w->slot);
    w->slot = NULL;
}

/* It has taken the deadly event, and has not passed it over. */
static bool dies(struct gap_world *w)
{
    struct task *t = w->slot != NULL && slot_tasks(w->slot) > 0 ? slot_task(w->slot, 0) : NULL;
    bool old = w->young > 0 && bus_sim_now(w->bus) - w->begun >= w->young;
    return w->deadly > 0 && !old && t != NULL && w->offsets[w->deadly] > 0 &&
           task_counts(t).poison == 0 &&
           merge_pos(task_merge(t), w->deadly % PARTS).offset > w->offsets[w->deadly];
}

static void step(struct gap_world *w)
{
    for (int i = 0; w->slot != NULL && i < 50 && slot_step(w->slot); i++) {
    }
    if (dies(w)) {
        gap_kill_worker(w);
        w->deaths++;
        gap_begin(w, true);
    }
}

void gap_pass(struct gap_world *w, int64_t ns)
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

void gap_send(struct gap_world *w, uint32_t n)
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
    gap_pass(w, 1000000000);
}

void gap_trim_to(struct gap_world *w, struct slice topic, uint32_t part, int64_t offset)
{
    struct err err;
    w->trimmed = false;
    CHECK_OK(bus_trim(w->sender, (struct bus_tp){bus_topic(w->sender, topic), part}, offset,
                      TAG_TRIM, &err),
             err);
    while (!w->trimmed) {
        gap_pass(w, 1000000);
    }
}

/* Everything before that event is gone. */
void gap_trim(struct gap_world *w, uint32_t event)
{
    for (uint32_t i = event; i < event + PARTS; i++) {
        gap_trim_to(w, SLICE("metrics"), i % PARTS, w->offsets[i]);
    }
}

/* Where the task's journal ends. */
int64_t gap_journal_end(struct gap_world *w)
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

struct gap_world *gap_make(int64_t snapshot_ns)
{
    const struct bus_topic_spec specs[] = {{SLICE("metrics"), PARTS, BUS_DELETE, -1, -1},
                                           {SLICE("events"), 1, BUS_DELETE, -1, -1},
                                           {SLICE("dlq"), 1, BUS_DELETE, -1, -1},
                                           {SLICE("journal"), 64, BUS_DELETE, -1, -1},
                                           {SLICE("state"), 64, BUS_COMPACT, -1, -1}};
    struct gap_world *w = MEM_NEW(struct gap_world);
    struct bus_sim_faults faults = bus_sim_calm();
    struct bus_conf conf = {.kind = BUS_SIM, .prefix = "kaiju.", .sim = {1, &faults}};
    struct err err;
    w->snapshot_ns = snapshot_ns;
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->sender = bus_client_new(w->bus, "sender");
    CHECK_OK(bus_ensure(w->sender, specs, ARRAY_LEN(specs), 1, &err), err);
    gap_pass(w, 1000000000);
    CHECK_OK(bus_open(w->sender, SLICE(""), 2, &w->out, &err), err);
    while (!w->open) {
        gap_pass(w, 1000000);
    }
    gap_begin(w, false);
    gap_pass(w, 1000000000);
    return w;
}

void gap_unmake(struct gap_world *w)
{
    slot_free(w->slot);
    bus_client_free(w->worker);
    bus_writer_close(w->out);
    bus_client_free(w->sender);
    bus_free(w->bus);
    mem_free(w);
}

/* ---- what came out ---- */

static void see(struct gap_found *f, const struct rec *e)
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
    f->states += slice_eq(val_slice(*v), SLICE("state"));
    f->others += !slice_eq(val_slice(*v), SLICE("gap")) && !slice_eq(val_slice(*v), SLICE("state"));
}

struct gap_found *gap_read_all(struct gap_world *w)
{
    struct gap_found *f = MEM_NEW(struct gap_found);
    struct bus_client *c = bus_client_new(w->bus, "judge");
    struct bus_reader *r = bus_reader_new(c);
    struct intern *keys = intern_new(1000, 100000);
    struct schema_reg *reg = schema_reg_new();
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
void gap_check(struct gap_world *w, uint32_t lost_from, uint32_t lost_to, uint32_t gaps, int64_t n)
{
    struct gap_found *f = gap_read_all(w);
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
void gap_check_state(struct gap_world *w)
{
    struct hash128 live = task_state_hash(slot_task(w->slot, 0));
    gap_kill_worker(w);
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
    struct hash128 again = task_state_hash(slot_task(w->slot, 0));
    CHECK(memcmp(&live, &again, sizeof live) == 0);
}
