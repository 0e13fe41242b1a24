/* SPDX-License-Identifier: Apache-2.0
 *
 * See slot_world.h.
 */
#include "tests/unit/operators/shard/slot_world.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/slot_abandon.h"

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/codec/endian.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/rec_plain.h"
#include "core/event/schema.h"

struct slot_counts counts;
uint32_t fenced, turns;

static void count(const struct slot *s)
{
    struct slot_counts c = slot_counts(s);
    counts.commits += c.commits;
    counts.aborts += c.aborts;
    counts.unknowns += c.unknowns;
    counts.replayed += c.replayed;
    counts.snapshots += c.snapshots;
    counts.restored_bytes += c.restored_bytes;
    counts.succeeded.kept += c.succeeded.kept;
    counts.succeeded.begun += c.succeeded.begun;
}

uint64_t draw(struct world *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (w->seed >> 33) % below;
}

#define KEPT                                                                                       \
    "create schema Metric(host string, seq long);"                                                 \
    "insert into Seen select host, seq from Metric;"                                               \
    "insert into Total select host, count(*) as n from Metric group by host;"                      \
    "create window Held#time(4 sec) (host string, seq long);" /* events that leave anywhere */     \
    "insert into Held select host, seq from Metric;"                                               \
    "on Metric(seq % 5 = 0) as m delete from Held where Held.seq = m.seq - 3;"
#define THIRD "@name('third') select host, seq from Metric(seq % 3 = 0);"
static const char rules[] =
    KEPT "insert into Mean select host, count(*) as n from Metric#time(3 sec) group by host "
         "output last every 2 sec;" THIRD;
static const char other_rules[] =
    KEPT "insert into Mean select host, sum(seq) as n from Metric#time(2 sec) group by host "
         "output last every 2 sec;" THIRD;

static struct merge_spec subs[PARTS];
static uint16_t ids[PARTS];

/* Written once: threads beside may be reading it. */
const struct task_plan *plan(bool changed)
{
    static const struct task_module module = {SLICE("hl"), {rules, sizeof rules - 1}, NULL};
    static const struct task_module other = {
        SLICE("hl"), {other_rules, sizeof other_rules - 1}, NULL};
    static const struct slice reads[] = {SLICE("Metric")}, host[] = {SLICE("host")};
    static const bool as_double[] = {false};
    static const struct emit_to to[] = {{SLICE("x.out"), OUT_PARTS, true},
                                        {SLICE("alerts"), 1, false},
                                        {SLICE("alerts.history"), 1, false}};
    static const struct doc_alert words = {
        .severity = SLICE("page"), .summary = SLICE("{host}"), .key = host, .n_key = 1};
    static const struct alert_rule alerts[] = {{SLICE("t"), SLICE("g"), SLICE("third"), &words}};
    static const struct task_out outs[] = {{SLICE("Seen"), 0, host, as_double, 1},
                                           {SLICE("Total"), 0, host, as_double, 1},
                                           {SLICE("Mean"), 0, host, as_double, 1}};
    static struct task_plan plans[2];
    struct task_plan *p = &plans[changed];
    if (p->parts > 0) {
        return p;
    }
    for (uint32_t i = 0; i < PARTS; i++) {
        subs[i] = (struct merge_spec){0, i, 0, 100000000};
        ids[i] = 1;
    }
    *p = (struct task_plan){.name = SLICE("test/graph/level/0"),
                            .lineage = 4711,
                            .hash = changed,
                            .parts = 1,
                            .modules = changed ? &other : &module,
                            .n_modules = 1,
                            .reads = reads,
                            .n_reads = 1,
                            .subs = subs,
                            .topic_ids = ids,
                            .n_subs = PARTS,
                            .to = to,
                            .n_to = 3,
                            .outs = outs,
                            .n_outs = 3,
                            .alerts = alerts,
                            .n_alerts = 1,
                            .to_alerts = 2,
                            .to_history = 3};
    return p;
}

/* The same rules for another task, which comes and goes. */
static const struct task_plan *guest(void)
{
    static const struct emit_to to[] = {{SLICE("x.two"), OUT_PARTS, true}};
    static struct task_plan p;
    if (p.parts > 0) {
        return &p;
    }
    p = *plan(false);
    p.name = SLICE("test/guest/level/0");
    p.lineage = GUEST;
    p.to = to;
    p.n_to = 1;
    p.n_alerts = p.to_alerts = p.to_history = 0; /* the other one's */
    return &p;
}

/* ---- the sender ---- */

void send_some(struct world *w)
{
    static const struct rec_context none = {NULL, 0, 0};
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    struct buf b;
    struct err err;
    char host[8];
    buf_init(&b, 200000);
    batch_enc_begin(enc, SLICE("test"), 0);
    for (uint64_t n = 1 + draw(w, 20); n > 0 && w->sent < EVENTS; n--) {
        snprintf(host, sizeof host, "h%d", (int)draw(w, HOSTS));
        w->clock += (int64_t)draw(w, 60000000);
        struct val_pair p[] = {val_pair(SLICE("host"), val_string(slice_str(host))),
                               val_pair(SLICE("seq"), val_int(w->sent++))};
        struct rec r = {.ts = 1000000000000000000 + w->clock - (int64_t)draw(w, 200000000),
                        .context = &none,
                        .type = SLICE("Metric"),
                        .payload = p,
                        .payload_len = 2};
        CHECK_OK(batch_enc_add(enc, &r, &err), err);
    }
    CHECK(frame_put(&b, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
    CHECK_OK(batch_enc_end(enc, &b, &err), err);
    struct bus_put put = {.to = {bus_topic(w->sender, SLICE("metrics")), (uint32_t)draw(w, PARTS)},
                          .value = buf_slice(&b)};
    int rc = 0;
    while ((rc = bus_put(w->out, &put, &err)) == -ERR_AGAIN) {
        pass(w, 1000000);
    }
    CHECK_OK(rc, err);
    buf_done(&b);
    batch_enc_free(enc);
}

/* ---- the worker ---- */

struct slot_task task_of(const struct task_plan *p)
{
    static const struct slice topics[] = {SLICE("metrics")};
    static const bool aligned[] = {false};
    return (struct slot_task){
        .plan = p, .topics = topics, .aligned = aligned, .from_start = true, .idle_ns = 300000000};
}

/* The guest comes, or goes. */
static void turn(struct world *w)
{
    bool there = slot_find(w->slot, GUEST) != UINT32_MAX;
    if (there && !w->leaves) {
        slot_remove(w->slot, GUEST, draw(w, 2) == 0);
        w->leaves = true;
    } else if (!there) {
        struct slot_task task = task_of(guest());
        slot_add(w->slot, &task);
        w->leaves = false;
        w->turns++;
    }
}

void begin(struct world *w)
{
    struct slot_task task = task_of(plan(w->changed));
    struct err err;
    w->leaves = false;
    task.moved = w->moved;
    task.align_ns = w->align_ns;
    const struct slot_conf conf = {.name = w->moved ? SLICE("worker.9") : SLICE("worker.0"),
                                   .commit_ns = 20000000,
                                   .snapshot_ns = 700000000,
                                   .slice_bytes = w->slice_bytes,
                                   .beside_bytes = w->slice_bytes == 300 ? 1 : 0,
                                   .takes = 64,
                                   .rests = w->seed % 2 == 1,
                                   .plain = w->plain};
    w->worker = bus_client_new(w->bus, "worker");
    CHECK_OK(slot_new(w->worker, &conf, &task, 1, &w->slot, &err), err);
}

void kill_worker(struct world *w)
{
    bus_sim_crash(w->worker);
    count(w->slot);
    slot_abandon(w->slot);
    w->slot = NULL;
    w->kills++;
}

static void poll_both(struct world *w)
{
    struct bus_ev ev[16];
    for (int n = bus_poll(w->sender, ev, 16), i = 0; i < n; i++) {
        w->sender_open |= ev[i].kind == BUS_EV_OPENED;
        CHECK(ev[i].kind != BUS_EV_REFUSED);
        if (ev[i].kind == BUS_EV_ERROR && ev[i].reopen) {
            struct err err;
            bus_writer_close(w->out);
            CHECK_OK(bus_open(w->sender, SLICE(""), 2, &w->out, &err), err);
        }
    }
    for (int n = bus_poll(w->worker, ev, 16), i = 0; i < n; i++) {
        slot_on_event(w->slot, &ev[i]);
    }
    if (slot_state(w->slot) == SLOT_LOST && strstr(slot_why(w->slot), "taken") != NULL) {
        count(w->slot);
        slot_free(w->slot); /* fenced: somebody begins anew, without a crash */
        bus_client_free(w->worker);
        begin(w);
        fenced++;
    } else if (slot_state(w->slot) == SLOT_LOST) {
        test_fail(__FILE__, __LINE__, "lost: %s", slot_why(w->slot));
    }
    for (uint32_t i = 0; i < slot_tasks(w->slot); i++) {
        if (slot_task_state(w->slot, i) == SLOT_LOST && !slot_task_is_unreleased(w->slot, i)) {
            test_fail(__FILE__, __LINE__, "a task is lost: %s", slot_task_why(w->slot, i));
        }
    }
}

static void open_neighbour(struct neighbour *n)
{
    struct err err;
    n->open = n->put = n->commits = false;
    CHECK_OK(bus_open(n->c, SLICE("worker.1"), 1, &n->out, &err), err);
}

/* Its transactions are open for long, with a record in the journal of the task at their begin. */
static void step_neighbour(struct world *w)
{
    struct neighbour *n = w->neighbour;
    struct bus_ev ev[16];
    struct err err;
    for (int k = bus_poll(n->c, ev, 16), i = 0; i < k; i++) {
        n->open |= ev[i].kind == BUS_EV_OPENED;
        if (ev[i].reopen) {
            bus_writer_close(n->out);
            open_neighbour(n);
        } else if (ev[i].kind == BUS_EV_COMMITTED || ev[i].kind == BUS_EV_ABORTED) {
            n->put = n->commits = false;
        }
    }
    if (n->open && !n->put) {
        uint8_t key[8];
        uint32_t part = plan(false)->lineage % JOURNAL_PARTS;
        endian_put_be64(key, 1);
        struct bus_put put = {.to = {bus_topic(n->c, SLICE("journal")), part},
                              .key = slice_of((const char *)key, sizeof key),
                              .value = SLICE("of another task")};
        n->put = bus_put(n->out, &put, &err) == 0;
        n->until = bus_sim_now(w->bus) + 100000000 + (int64_t)draw(w, 900000000);
    } else if (n->put && !n->commits && bus_sim_now(w->bus) >= n->until) {
        bus_sim_inject(w->bus, SLICE("worker.1"), BUS_SIM_COMMIT);
        n->commits = bus_commit(n->out, 2, &err) == 0;
    }
}

static bool has_beside(const struct world *w)
{
    bool any = false;
    for (uint32_t i = 0; i < slot_tasks(w->slot); i++) {
        any |= slot_task(w->slot, i) == NULL;
    }
    return any;
}

/* The time of the bus does not run away from a thread that makes a state: where nothing else is to
 * come, one step may be a minute. */
static int64_t longest_step(const struct world *w)
{
    return has_beside(w) ? 1000000 : INT64_MAX;
}

static void wait_beside(struct world *w)
{
    enum { STEPS = 8 };
    w->beside = has_beside(w) ? w->beside + 1 : 0;
    while (w->beside > STEPS && has_beside(w) && slot_state(w->slot) != SLOT_LOST) {
        clock_sleep_ns(10000);
        (void)slot_step(w->slot);
    }
}

static void step_old(struct world *w)
{
    struct bus_ev ev[16];
    for (int n = bus_poll(w->old_client, ev, 16), i = 0; i < n; i++) {
        slot_on_event(w->old, &ev[i]);
    }
    for (int i = 0; i < 500 && slot_step(w->old); i++) {
    }
}

void pass(struct world *w, int64_t ns)
{
    int64_t until = bus_sim_now(w->bus) + ns;
    while (bus_sim_now(w->bus) < until) {
        (void)bus_sim_step(w->bus, MIN(until - bus_sim_now(w->bus), longest_step(w)));
        poll_both(w);
        if (w->neighbour != NULL) {
            step_neighbour(w);
        }
        for (int i = 0; i < 500 && slot_step(w->slot); i++) {
        }
        if (w->old != NULL) {
            step_old(w);
        }
        wait_beside(w);
    }
}

/* ---- reading what came out ---- */

struct found {
    uint32_t seen[EVENTS], alerted[EVENTS];
    int64_t total[HOSTS], opened[HOSTS];
    uint64_t means, marks;
};

/* Openings of a key are counted without a gap, in order. */
static void look_at_alert(struct found *f, const struct bus_record *r)
{
    struct intern *keys = intern_new(100, 10000);
    struct batch_dec *d = batch_dec_new(BATCH_LIMITS, keys);
    struct arena *a = arena_new(NULL, "alert", 1 << 20);
    struct val v[REC_PLAIN_FIELDS_MAX];
    struct err err;
    struct slice body = slice_sub(r->value, FRAME_SINGLE_BYTES, r->value.len);
    CHECK_OK(rec_plain_read(REC_PLAIN_ALERT, d, a, body, v, &err), err);
    int64_t seq = val_map_get(v[REC_ALERT_ROW], SLICE("seq"))->i;
    int64_t *at = &f->opened[val_slice(v[REC_ALERT_SUMMARY]).ptr[1] - '0'];
    CHECK(seq >= 0 && seq < EVENTS);
    f->alerted[seq]++;
    CHECK_EQ(*at + 1, v[REC_ALERT_ORDINAL].i);
    *at = v[REC_ALERT_ORDINAL].i;
    arena_free(a);
    batch_dec_free(d);
    intern_free(keys);
}

static void look_at(struct found *f, const struct bus_record *r)
{
    struct intern *keys = intern_new(100, 10000);
    struct batch_dec *d = batch_dec_new(BATCH_LIMITS, keys);
    struct arena *a = arena_new(NULL, "outputs", 1 << 22);
    struct rec_batch b = {0};
    struct head head;
    struct err err;
    CHECK(head_of(r, &head));
    f->marks += head.mark != MERGE_NO_MARK;
    if (r->value.len > 0) {
        struct slice body = slice_sub(r->value, FRAME_SINGLE_BYTES, r->value.len);
        CHECK_OK(batch_dec_read(d, a, body, &b, &err), err);
    }
    for (uint32_t i = 0; i < b.events_len; i++) {
        const struct rec *e = &b.events[i];
        const struct val *host = rec_find_text(e->payload, e->payload_len, SLICE("host"));
        const struct val *n = rec_find_text(e->payload, e->payload_len, SLICE("n"));
        const struct val *seq = rec_find_text(e->payload, e->payload_len, SLICE("seq"));
        if (slice_eq(e->type, SLICE("Seen"))) {
            CHECK(seq->i >= 0 && seq->i < EVENTS);
            f->seen[seq->i]++;
        } else if (slice_eq(e->type, SLICE("Total"))) {
            int64_t *at = &f->total[host->str[1] - '0'];
            CHECK_EQ(*at + 1, n->i); /* one more each time, in order */
            *at = n->i;
        } else {
            f->means++;
        }
    }
    arena_free(a);
    batch_dec_free(d);
    intern_free(keys);
}

static void read_all(struct world *w, struct slice topic, struct found *f)
{
    struct bus_client *c = bus_client_new(w->bus, "judge");
    struct bus_reader *r = bus_reader_new(c);
    struct bus_ev ev[16];
    struct err err;
    uint32_t ends = 0;
    for (uint32_t i = 0; i < OUT_PARTS; i++) {
        CHECK_OK(bus_assign(r, (struct bus_tp){bus_topic(c, topic), i}, BUS_FROM_START, i, &err),
                 err);
    }
    struct bus_tp alerts = {bus_topic(c, SLICE("alerts.history")), 0};
    CHECK_OK(bus_assign(r, alerts, BUS_FROM_START, OUT_PARTS, &err), err);
    while (ends != (1U << (OUT_PARTS + 1)) - 1) {
        bus_wait(c, 1000000000);
        for (int n = bus_poll(c, ev, 16), i = 0; i < n; i++) {
            ends |= ev[i].kind == BUS_EV_END ? 1U << ev[i].tag : 0; /* some say so twice */
            for (uint32_t k = 0; ev[i].kind == BUS_EV_RECORDS && k < ev[i].count; k++) {
                (ev[i].tag == OUT_PARTS ? look_at_alert : look_at)(f, &ev[i].records[k]);
            }
        }
    }
    bus_reader_free(r);
    bus_client_free(c);
}

/* ---- a run ---- */

static void make_topics(struct world *w)
{
    const struct bus_topic_spec specs[] = {{SLICE("metrics"), PARTS, BUS_DELETE, -1, -1},
                                           {SLICE("x.out"), OUT_PARTS, BUS_DELETE, -1, -1},
                                           {SLICE("x.two"), OUT_PARTS, BUS_DELETE, -1, -1},
                                           {SLICE("alerts"), 1, BUS_COMPACT, -1, -1},
                                           {SLICE("alerts.history"), 1, BUS_DELETE, -1, -1},
                                           {SLICE("journal"), JOURNAL_PARTS, BUS_DELETE, -1, -1},
                                           {SLICE("state"), JOURNAL_PARTS, BUS_COMPACT, -1, -1}};
    struct bus_ev ev[4];
    struct err err;
    bool done = false;
    while (!done) {
        CHECK_OK(bus_ensure(w->sender, specs, ARRAY_LEN(specs), 1, &err), err);
        for (bool ended = false; !ended;) {
            bus_wait(w->sender, 1000000000);
            for (int n = bus_poll(w->sender, ev, 4), i = 0; i < n; i++) {
                ended |= ev[i].tag == 1;
                done |= ev[i].kind == BUS_EV_DONE;
            }
        }
    }
    CHECK_OK(bus_open(w->sender, SLICE(""), 2, &w->out, &err), err);
}

static void check_outputs(struct world *w, struct slice topic, int seed)
{
    struct found *f = MEM_NEW(struct found);
    int64_t total = 0;
    read_all(w, topic, f);
    for (uint32_t i = 0; i < EVENTS; i++) {
        if (f->seen[i] != 1) {
            test_fail(__FILE__, __LINE__, "seed %d: input %u had %u effects", seed, i, f->seen[i]);
        }
        CHECK_EQ(i % 3 == 0, f->alerted[i]);
    }
    for (uint32_t i = 0; i < HOSTS; i++) {
        total += f->total[i];
    }
    CHECK_EQ(EVENTS, total);
    CHECK(f->means > 10 && f->marks > 10);
    mem_free(f);
}

/* Who begins again has the state that his predecessor had. */
static void check_state(struct world *w)
{
    while (slot_state(w->slot) != SLOT_LIVE) { /* who was fenced has just begun again */
        pass(w, 1000000);
    }
    struct hash128 live = task_state_hash(slot_task(w->slot, 0));
    kill_worker(w);
    begin(w);
    while (slot_state(w->slot) != SLOT_LIVE) {
        pass(w, 1000000);
    }
    struct hash128 again = task_state_hash(slot_task(w->slot, 0));
    CHECK(memcmp(&live, &again, sizeof live) == 0);
}

/* Until it has gone, whoever dies meanwhile. */
void remove_task(struct world *w, enum slot_leave how, uint64_t kill_in)
{
    do {
        slot_remove(w->slot, plan(false)->lineage, how);
        pass(w, 20000000);
        if (kill_in > 0 && draw(w, kill_in) == 0) {
            kill_worker(w);
            begin(w);
        }
    } while (slot_tasks(w->slot) > 0);
    count(w->slot);
    slot_free(w->slot);
    bus_client_free(w->worker);
}

/* Rules are changed, and perhaps changed back: what is the same in both goes on. */
static void change_rules(struct world *w, uint64_t kill_in)
{
    remove_task(w, SLOT_LEAVE_FINAL, kill_in);
    w->changed = !w->changed;
    begin(w);
}

struct world *make_world(uint64_t seed, struct bus_sim_faults faults)
{
    struct world *w = MEM_NEW(struct world);
    struct err err;
    w->seed = seed;
    w->slice_bytes = seed % 3 == 0 ? 0 : seed % 3 == 1 ? 300 : 2000;
    faults.refused = faults.refused_done = 0; /* the sender of this test does not send again */
    faults.quota_bytes = 0;
    struct bus_conf conf = {.kind = BUS_SIM, .prefix = "kaiju.", .sim = {seed, &faults}};
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->sender = bus_client_new(w->bus, "sender");
    make_topics(w);
    return w;
}

void unmake_world(struct world *w)
{
    if (w->neighbour != NULL) {
        bus_writer_close(w->neighbour->out);
        bus_client_free(w->neighbour->c);
        mem_free(w->neighbour);
    }
    bus_writer_close(w->out);
    bus_client_free(w->sender);
    bus_free(w->bus);
    mem_free(w);
}

static bool has_taken_all(struct world *w)
{
    struct task *t = slot_task(w->slot, 0);
    return t != NULL && task_counts(t).events >= EVENTS;
}

void run_in(struct world *w, uint64_t kill_in)
{
    int seed = (int)w->seed; /* for people */
    begin(w);
    while (!w->sender_open) {
        pass(w, 10000000);
    }
    while (w->sent < EVENTS) {
        send_some(w);
        pass(w, (int64_t)draw(w, 30000000));
        if (kill_in > 0 && draw(w, kill_in) == 0) {
            kill_worker(w);
            begin(w);
        }
        if (w->has_guest && draw(w, 6) == 0) {
            turn(w);
        }
        if (w->change_in > 0 && draw(w, w->change_in) == 0) {
            change_rules(w, kill_in);
        }
    }
    finish(w, seed);
}

void finish(struct world *w, int seed)
{
    while (w->has_guest && (w->leaves || slot_find(w->slot, GUEST) == UINT32_MAX)) {
        turn(w);
        pass(w, 100000000);
        bool there = !w->leaves && slot_find(w->slot, GUEST) != UINT32_MAX;
        pass(w, there ? 60000000000 : 0); /* who is fenced meanwhile begins without it */
    }
    for (int i = 0; i < 400 && !has_taken_all(w); i++) {
        pass(w, 500000000);
    }
    pass(w, 8000000000); /* timers of rules end */
    slot_drain(w->slot);
    for (int i = 0; i < 200 && !slot_is_drained(w->slot); i++) {
        pass(w, 100000000);
    }
    CHECK(slot_is_drained(w->slot));
    check_outputs(w, SLICE("x.out"), seed);
    if (w->has_guest) {
        check_outputs(w, SLICE("x.two"), seed);
        turns += w->turns;
    }
    check_state(w);
    count(w->slot);
    slot_free(w->slot);
    bus_client_free(w->worker);
    unmake_world(w);
}

void run_as(uint64_t seed, struct bus_sim_faults faults, uint64_t kill_in, enum how how)
{
    struct world *w = make_world(seed, faults);
    w->plain = how == PLAIN;
    w->has_guest = how == WITH_GUEST;
    if (how == WITH_NEIGHBOUR) {
        w->neighbour = MEM_NEW(struct neighbour);
        w->neighbour->c = bus_client_new(w->bus, "neighbour");
        open_neighbour(w->neighbour);
    }
    run_in(w, kill_in);
}

void run(uint64_t seed, struct bus_sim_faults faults, uint64_t kill_in)
{
    run_as(seed, faults, kill_in, AS_IT_IS);
}

/* What a compactor would leave of the topic `state`. */
uint32_t state_left(struct world *w)
{
    struct bus_client *c = bus_client_new(w->bus, "judge");
    struct bus_reader *r = bus_reader_new(c);
    struct map keys;
    struct bus_ev ev[16];
    struct err err;
    uint32_t left = 0;
    int64_t until = bus_sim_now(w->bus) + 5000000000;
    struct bus_tp tp = {bus_topic(c, SLICE("state")), 4711 % 64};
    map_init(&keys, 100000);
    CHECK_OK(bus_assign(r, tp, BUS_FROM_START, 0, &err), err);
    while (bus_sim_now(w->bus) < until) {
        bus_wait(c, 1000000000);
        for (int n = bus_poll(c, ev, 16), i = 0; i < n; i++) {
            for (uint32_t k = 0; ev[i].kind == BUS_EV_RECORDS && k < ev[i].count; k++) {
                bool there = ev[i].records[k].value.len > 0;
                *map_put(&keys, ev[i].records[k].key) = there ? w : NULL;
            }
        }
    }
    MAP_EACH (&keys, e) {
        left += e->value != NULL;
    }
    map_done(&keys);
    bus_reader_free(r);
    bus_client_free(c);
    return left;
}

void send_until(struct world *w, uint32_t n)
{
    while (w->sent < n) {
        send_some(w);
        pass(w, (int64_t)draw(w, 30000000));
    }
}
