/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/shard/slot_room.c: what waits in memory has a bound, however far authors are apart, and
 * nothing that comes out depends on it. Everything is there before the slot begins; it is read once
 * with hardly any room and once with more than enough.
 */
#include "operators/shard/slot.h"
#include "tests/test.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "operators/shard/head.h"

enum { ROOM = 16 << 10, RECORD = 8 << 10 }; /* bytes; RECORD: decoded, at most */
enum { RECORDS = 600, EACH = 10, AUTHORS = 3, PARTS = 2, TASKS = 2, STEP = 1000000 };

typedef VEC(int64_t) seqs;

struct world {
    struct bus *bus;
    struct bus_client *sender, *worker;
    struct bus_writer *out;
    struct slot *slot;
    uint64_t sent_bytes, most; /* most: bytes of a task that waited */
    bool past;
    seqs got[TASKS];
};

static const struct slice topics[] = {SLICE("x.in")};
static const bool aligned[] = {true};

static struct slot_task task_of(uint32_t i, const struct merge_spec *subs, uint32_t n)
{
    static const char rules[] = "create schema Metric(seq long, text string);"
                                "insert into Seen select seq from Metric;";
    static const struct task_module module = {SLICE("hl"), {rules, sizeof rules - 1}, NULL};
    static const struct slice reads[] = {SLICE("Metric")};
    static const struct emit_to to[TASKS] = {{SLICE("x.0"), 1, true}, {SLICE("x.1"), 1, true}};
    static const struct task_out outs[] = {{SLICE("Seen"), 0, NULL, NULL, 0}};
    static const struct slice names[TASKS] = {SLICE("t/g/l/0"), SLICE("t/g/l/1")};
    static uint16_t ids[PARTS * AUTHORS];
    static struct task_plan plans[TASKS];
    plans[i] = (struct task_plan){.name = names[i],
                                  .lineage = 100 + i,
                                  .parts = 1,
                                  .modules = &module,
                                  .n_modules = 1,
                                  .reads = reads,
                                  .n_reads = 1,
                                  .subs = subs,
                                  .topic_ids = ids,
                                  .n_subs = n,
                                  .to = &to[i],
                                  .n_to = 1,
                                  .outs = outs,
                                  .n_outs = 1};
    return (struct slot_task){
        .plan = &plans[i], .topics = topics, .aligned = aligned, .from_start = true};
}

static struct world *make_world(uint64_t seed)
{
    const struct bus_topic_spec specs[] = {{SLICE("x.in"), PARTS, BUS_DELETE, -1, -1},
                                           {SLICE("x.0"), 1, BUS_DELETE, -1, -1},
                                           {SLICE("x.1"), 1, BUS_DELETE, -1, -1},
                                           {SLICE("journal"), 64, BUS_DELETE, -1, -1},
                                           {SLICE("state"), 64, BUS_COMPACT, -1, -1}};
    const struct bus_sim_faults calm = bus_sim_calm();
    const struct bus_conf conf = {.kind = BUS_SIM, .prefix = "kaiju.", .sim = {seed, &calm}};
    struct world *w = MEM_NEW(struct world);
    struct bus_ev ev[4];
    struct err err;
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->sender = bus_client_new(w->bus, "sender");
    CHECK_OK(bus_ensure(w->sender, specs, ARRAY_LEN(specs), 1, &err), err);
    CHECK_OK(bus_open(w->sender, SLICE(""), 2, &w->out, &err), err);
    for (int ended = 0; ended < 2;) {
        bus_wait(w->sender, 1000000000);
        ended += bus_poll(w->sender, ev, 4);
    }
    return w;
}

/* A record of an author: events at `from`, `from` + 1, ...; their number says whose they are. */
static void put(struct world *w, uint32_t part, uint64_t author, int64_t from)
{
    static const struct rec_context none = {NULL, 0, 0};
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    struct buf b, h;
    struct err err;
    struct bus_ev ev[8];
    char text[200];
    memset(text, 'x', sizeof text);
    buf_init(&b, 200000);
    buf_init(&h, HEAD_BYTES_MAX);
    batch_enc_begin(enc, SLICE("test"), 0);
    for (int64_t i = from; i < from + EACH; i++) {
        struct val_pair p[] = {val_pair(SLICE("seq"), val_int(i * 10 + (int64_t)author)),
                               val_pair(SLICE("text"), val_string(slice_of(text, sizeof text)))};
        struct rec r = {.ts = 1000000000000000000 + i * STEP,
                        .context = &none,
                        .type = SLICE("Metric"),
                        .payload = p,
                        .payload_len = 2};
        CHECK_OK(batch_enc_add(enc, &r, &err), err);
    }
    CHECK(frame_put(&b, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
    CHECK_OK(batch_enc_end(enc, &b, &err), err);
    const struct head head = {.lineage = author, .first = (uint64_t)from, .mark = MERGE_NO_MARK};
    CHECK(head_write(&h, &head));
    const struct bus_header header = {SLICE(HEAD_NAME), buf_slice(&h)};
    const struct bus_put put = {.to = {bus_topic(w->sender, SLICE("x.in")), part},
                                .value = buf_slice(&b),
                                .headers = &header,
                                .header_count = 1};
    CHECK_OK(bus_put(w->out, &put, &err), err);
    w->sent_bytes += buf_slice(&b).len;
    for (bool there = false; !there;) {
        bus_wait(w->sender, 1000000000);
        for (int n = bus_poll(w->sender, ev, 8), i = 0; i < n; i++) {
            there |= ev[i].kind == BUS_EV_DELIVERED;
        }
    }
    buf_done(&h);
    buf_done(&b);
    batch_enc_free(enc);
}

static void look(struct world *w)
{
    for (uint32_t i = 0; i < slot_tasks(w->slot); i++) {
        struct slot_lag lag = slot_lag(w->slot, i);
        w->most = MAX(w->most, lag.waiting_bytes);
        CHECK(lag.waiting_bytes <= lag.waiting_most + AUTHORS * PARTS * RECORD);
        w->past |= lag.past;
        CHECK(slot_task_state(w->slot, i) != SLOT_LOST);
    }
}

static void work(struct world *w, const struct slot_task *tasks, uint32_t n, size_t room)
{
    const struct slot_conf conf = {.name = SLICE("worker.0"),
                                   .commit_ns = 20000000,
                                   .align_ns = 40000000,
                                   .takes = 64,
                                   .buffer_bytes = room};
    struct bus_ev ev[16];
    struct err err;
    w->worker = bus_client_new(w->bus, "worker");
    CHECK_OK(slot_new(w->worker, &conf, tasks, n, &w->slot, &err), err);
    int64_t until = bus_sim_now(w->bus) + 60000000000;
    while (bus_sim_now(w->bus) < until) {
        (void)bus_sim_step(w->bus, until - bus_sim_now(w->bus));
        for (int k = bus_poll(w->worker, ev, 16), i = 0; i < k; i++) {
            slot_on_event(w->slot, &ev[i]);
        }
        look(w);
        for (int i = 0; i < 50 && slot_step(w->slot); i++) {
            look(w);
        }
    }
    slot_free(w->slot);
    bus_client_free(w->worker);
}

static void add_record(const struct bus_record *r, seqs *to)
{
    struct intern *keys = intern_new(100, 10000);
    struct batch_dec *d = batch_dec_new(BATCH_LIMITS, keys);
    struct arena *a = arena_new(NULL, "outputs", 1 << 24);
    struct rec_batch b = {0};
    struct err err;
    if (r->value.len > 0) {
        struct slice body = slice_sub(r->value, FRAME_SINGLE_BYTES, r->value.len);
        CHECK_OK(batch_dec_read(d, a, body, &b, &err), err);
    }
    for (uint32_t i = 0; i < b.events_len; i++) {
        const struct rec *e = &b.events[i];
        *VEC_PUSH(to) = rec_find_text(e->payload, e->payload_len, SLICE("seq"))->i;
    }
    arena_free(a);
    batch_dec_free(d);
    intern_free(keys);
}

static void read_all(struct world *w, struct slice topic, seqs *to)
{
    struct bus_client *c = bus_client_new(w->bus, "judge");
    struct bus_reader *r = bus_reader_new(c);
    struct bus_ev ev[16];
    struct err err;
    CHECK_OK(bus_assign(r, (struct bus_tp){bus_topic(c, topic), 0}, BUS_FROM_START, 1, &err), err);
    for (bool over = false; !over;) {
        bus_wait(c, 1000000000);
        for (int n = bus_poll(c, ev, 16), i = 0; i < n; i++) {
            over |= ev[i].kind == BUS_EV_END;
            for (uint32_t k = 0; ev[i].kind == BUS_EV_RECORDS && k < ev[i].count; k++) {
                add_record(&ev[i].records[k], to);
            }
        }
    }
    bus_reader_free(r);
    bus_client_free(c);
}

static void unmake(struct world *w)
{
    for (uint32_t i = 0; i < TASKS; i++) {
        VEC_DONE(&w->got[i]);
    }
    bus_writer_close(w->out);
    bus_client_free(w->sender);
    bus_free(w->bus);
    mem_free(w);
}

/* Twice over the same records: with ROOM and with more than enough. */
static void run_both(void (*fill)(struct world *w), const struct slot_task *tasks, uint32_t n,
                     size_t want)
{
    struct world *w[2];
    for (int i = 0; i < 2; i++) {
        w[i] = make_world(7);
        fill(w[i]);
        work(w[i], tasks, n, i == 0 ? ROOM : SIZE_MAX / 64);
        read_all(w[i], SLICE("x.0"), &w[i]->got[0]);
        read_all(w[i], SLICE("x.1"), &w[i]->got[1]);
    }
    for (uint32_t t = 0; t < n; t++) {
        CHECK_EQ(want, w[0]->got[t].len);
        CHECK_EQ(want, w[1]->got[t].len);
        for (size_t i = 0; i < want; i++) {
            CHECK_EQ(w[1]->got[t].ptr[i], w[0]->got[t].ptr[i]);
        }
    }
    CHECK(w[1]->most > 100 * ROOM); /* else nothing was asked of it */
    CHECK(w[0]->most < 8 * ROOM);
    unmake(w[0]);
    unmake(w[1]);
}

/* ---- one author far ahead of another in one partition ---- */

static void fill_one_ahead(struct world *w)
{
    for (int64_t i = 0; i < RECORDS; i++) {
        put(w, 0, 1, i * EACH);
    }
    for (int64_t i = 0; i < RECORDS; i++) {
        put(w, 0, 2, i * EACH);
    }
}

TEST(room_an_author_far_ahead_waits_on_the_bus)
{
    static const struct merge_spec subs[] = {{0, 0, 1, 0}, {0, 0, 2, 0}};
    const struct slot_task task = task_of(0, subs, ARRAY_LEN(subs));
    run_both(fill_one_ahead, &task, 1, 2 * RECORDS * EACH);
}

/* ---- three, with long silences ---- */

static void fill_in_turns(struct world *w)
{
    for (int64_t i = 0; i < RECORDS; i++) {
        put(w, 0, 1, i * EACH);
        if (i % 50 == 0) {
            put(w, 0, 3, i * EACH);
        }
    }
    for (int64_t i = RECORDS / 2; i < RECORDS; i++) {
        put(w, 0, 2, (i - RECORDS / 2) * EACH);
        put(w, 1, 1, i * EACH);
    }
}

TEST(room_authors_with_long_silences_stand_in_their_places)
{
    static const struct merge_spec subs[] = {
        {0, 0, 1, 0}, {0, 0, 2, 0}, {0, 0, 3, 0}, {0, 1, 1, 0}};
    const struct slot_task task = task_of(0, subs, ARRAY_LEN(subs));
    run_both(fill_in_turns, &task, 1, (2 * RECORDS + RECORDS / 50) * EACH);
}

/* ---- one says nothing at all ---- */

static void fill_alone(struct world *w)
{
    for (int64_t i = 0; i < RECORDS; i++) {
        put(w, 0, 1, i * EACH);
    }
}

TEST(room_a_silent_author_is_waited_for_until_the_end_of_the_topic)
{
    static const struct merge_spec subs[] = {{0, 0, 1, 0}, {0, 0, 2, 0}, {0, 1, 2, 0}};
    const struct slot_task task = task_of(0, subs, ARRAY_LEN(subs));
    run_both(fill_alone, &task, 1, RECORDS * EACH);
}

/* ---- each of two tasks waits for what lies behind that of the other ---- */

static void fill_crosswise(struct world *w)
{
    for (uint32_t half = 0; half < 2; half++) {
        for (int64_t i = 0; i < RECORDS; i++) {
            put(w, 0, 1 + half, i * EACH);
            put(w, 1, 2 - half, i * EACH);
        }
    }
}

TEST(room_tasks_that_wait_for_each_others_partitions_go_on)
{
    static const struct merge_spec one[] = {{0, 0, 1, 0}, {0, 1, 1, 0}};
    static const struct merge_spec two[] = {{0, 0, 2, 0}, {0, 1, 2, 0}};
    const struct slot_task tasks[] = {task_of(0, one, 2), task_of(1, two, 2)};
    run_both(fill_crosswise, tasks, 2, 2 * RECORDS * EACH);
}
