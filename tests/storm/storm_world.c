/* SPDX-License-Identifier: Apache-2.0
 *
 * See storm.h. God's client is polled by itself; tags say of what an event tells.
 */
#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "operators/sig/builtin.h"
#include "tests/storm/storm.h"

#include <stdio.h>
#include <stdlib.h>

enum { JOURNAL_PARTS = 64 };
enum tag {
    TAG_OPEN = 1,
    TAG_TOPICS,
    TAG_RAW,
    TAG_LEASE,
    TAG_FENCE,
    TAG_TRIM,
    TAG_TAP,
    TAG_CUTS,
    TAG_STRANGE
};

static uint64_t tag_of(enum tag kind, uint64_t number)
{
    return (uint64_t)kind << 56 | number;
}

uint64_t storm_draw(struct storm *s, uint64_t below)
{
    s->rng = s->rng * 6364136223846793005ULL + 1442695040888963407ULL;
    return (s->rng >> 33) % below;
}

bool storm_chance(struct storm *s, uint32_t one_in)
{
    return one_in > 0 && storm_draw(s, one_in) == 0;
}

/* ---- topics ---- */

static void open_writer(struct storm *s)
{
    struct err err;
    s->open = false;
    CHECK_OK(bus_open(s->god, SLICE(""), tag_of(TAG_OPEN, 0), &s->out, &err), err);
}

static void make_topics(struct storm *s)
{
    struct bus_topic_spec specs[BUS_TOPICS_COUNT + 8];
    const struct layout *l = s->versions[0];
    struct err err;
    uint32_t n = BUS_TOPICS_COUNT;
    bus_topic_specs(STORM_PARTS, -1, specs);
    for (uint32_t i = 0; i < l->n_topics; i++) {
        specs[n++] =
            (struct bus_topic_spec){l->topics[i].name, l->topics[i].parts, BUS_DELETE, -1, -1};
    }
    CHECK_OK(bus_ensure(s->god, specs, n, tag_of(TAG_TOPICS, 0), &err), err);
}

static void tap_all(struct storm *s)
{
    struct err err;
    s->tap = bus_reader_new(s->god);
    for (uint32_t i = 0; i < STORM_PARTS; i++) {
        struct bus_tp tp = {bus_topic(s->god, SLICE("metrics")), i};
        CHECK_OK(bus_assign(s->tap, tp, BUS_FROM_START, tag_of(TAG_TAP, i), &err), err);
    }
    for (uint32_t i = 0; i < JOURNAL_PARTS; i++) {
        struct bus_tp tp = {bus_topic(s->god, SLICE("journal")), i};
        CHECK_OK(bus_assign(s->tap, tp, BUS_FROM_START, tag_of(TAG_CUTS, i), &err), err);
    }
}

struct storm *storm_new(uint64_t seed, unsigned kind, const struct bus_sim_faults *faults)
{
    struct storm *s = MEM_NEW(struct storm);
    struct bus_conf conf = {.kind = BUS_SIM, .prefix = "kaiju.", .sim = {seed, faults}};
    struct err err;
    s->seed = s->rng = seed;
    (void)storm_draw(s, 2);
    s->kind = kind;
    s->clock = INT64_C(1700000000000000000);
    CHECK_OK(bus_new(&conf, &s->bus, &err), err);
    if (getenv("KAIJU_STORM_TRACE") != NULL) {
        bus_sim_trace_to(s->bus, stderr);
    }
    s->keys = intern_new(10000, 1000000);
    s->reg = schema_reg_new();
    s->in = batch_in_new(BATCH_LIMITS, s->keys, s->reg);
    s->enc = batch_enc_new(BATCH_LIMITS, 100000);
    s->arena = arena_new(NULL, "tap", 16 << 20);
    s->god = bus_client_new(s->bus, "god");
    storm_lay_out(s);
    make_topics(s);
    while (!s->topics_made) {
        bus_wait(s->god, CLOCK_NS_PER_S);
        storm_god(s);
    }
    open_writer(s);
    tap_all(s);
    storm_sweep_begin(s);
    return s;
}

void storm_free(struct storm *s)
{
    VEC_EACH (&s->puts, p) {
        buf_done(&(*p)->value);
        mem_free(*p);
    }
    VEC_DONE(&s->puts);
    VEC_DONE(&s->facts);
    VEC_EACH (&s->cuts, c) {
        mem_free(c->bytes);
    }
    VEC_DONE(&s->cuts);
    storm_sweep_end(s);
    bus_reader_free(s->tap);
    bus_writer_close(s->out);
    bus_client_free(s->god);
    batch_in_free(s->in);
    batch_enc_free(s->enc);
    schema_reg_free(s->reg);
    intern_free(s->keys);
    arena_free(s->arena);
    bus_free(s->bus);
    arena_free(s->graph_arena);
    mem_free(s);
}

/* ---- puts ---- */

static void put(struct storm *s, const struct bus_put *x)
{
    struct err err;
    int rc = 0;
    while (!s->open || (rc = bus_put(s->out, x, &err)) == -ERR_AGAIN || rc == -ERR_CLOSED) {
        bus_wait(s->god, CLOCK_NS_PER_MS);
        storm_god(s);
    }
    CHECK_OK(rc, err);
    s->flies++;
}

static void put_raw(struct storm *s, uint64_t number)
{
    const struct storm_put *p = s->puts.ptr[number];
    const struct bus_put x = {.to = {bus_topic(s->god, SLICE("metrics")), p->part},
                              .value = buf_slice(&p->value),
                              .token = tag_of(TAG_RAW, number)};
    put(s, &x);
}

void storm_put_lease(struct storm *s, struct storm_proc *p, bool held)
{
    const struct bus_put x = {.to = {bus_topic(s->god, SLICE("ctl.assign")), 0},
                              .key = slice_str(p->key),
                              .value = held ? SLICE("yes") : SLICE("no"),
                              .token = tag_of(TAG_LEASE, (uint64_t)p->id << 1 | held)};
    p->lease_flies = true;
    put(s, &x);
}

void storm_put_strange(struct storm *s)
{
    char key[8 + 15] = "........nodenodegg....";
    uint64_t lineage = storm_draw(s, 64) + 64 * (1000000 + storm_draw(s, 4));
    endian_put_be64(key, lineage);
    bool root = storm_chance(s, 3);
    key[sizeof key - 1] = (char)storm_draw(s, 8);
    const struct bus_put x = {.to = {bus_topic(s->god, SLICE("state")), (uint32_t)(lineage % 64)},
                              .key = slice_of(key, root ? 8 : sizeof key),
                              .value = SLICE("of nobody"),
                              .token = tag_of(TAG_STRANGE, 0)};
    put(s, &x);
}

/* ---- what is sent ---- */

/* Under which the context has what rules call node. */
static struct slice node_key(void)
{
    const struct builtin_type *t = builtin_find(BUILTIN_KAIJU, SLICE("Metric"));
    return slice_str(builtin_column(t, SLICE("node"))->key);
}

/* Late, early, out of order, now and then an hour away. */
static int64_t next_ts(struct storm *s)
{
    s->clock += (int64_t)storm_draw(s, 60) * CLOCK_NS_PER_MS;
    if (storm_chance(s, 60)) {
        s->clock += (int64_t)storm_draw(s, 30) * CLOCK_NS_PER_S;
    }
    int64_t behind = storm_chance(s, 10) ? 8 * CLOCK_NS_PER_S : 300 * CLOCK_NS_PER_MS;
    return s->clock - (int64_t)storm_draw(s, (uint64_t)behind);
}

static void add_event(struct storm *s)
{
    static char names[STORM_NODES][4];
    static struct val_pair where[STORM_NODES];
    static struct rec_context contexts[STORM_NODES]; /* are known by their addresses */
    uint32_t node = (uint32_t)storm_draw(s, STORM_NODES);
    struct err err;
    (void)snprintf(names[node], sizeof names[node], "n%u", node);
    where[node] = val_pair(node_key(), val_string(slice_str(names[node])));
    contexts[node] = (struct rec_context){&where[node], 1, 0};
    struct slice name = storm_chance(s, 10) ? SLICE("idle") : SLICE("load");
    struct val_pair p[] = {val_pair(SLICE("name"), val_string(name)),
                           val_pair(SLICE("value"), val_double(s->seqs++))};
    struct rec r = {.ts = next_ts(s),
                    .kind = REC_METRIC,
                    .context = &contexts[node],
                    .type = SLICE("Metric"),
                    .payload = p,
                    .payload_len = 2};
    CHECK_OK(batch_enc_add(s->enc, &r, &err), err);
}

/* A record that cannot be read, a whole one, or one of before once more. */
void storm_send(struct storm *s)
{
    struct storm_put *p = MEM_NEW(struct storm_put);
    struct err err;
    uint64_t number = s->puts.len;
    p->part = (uint32_t)storm_draw(s, STORM_PARTS);
    buf_init(&p->value, 200000);
    if (storm_chance(s, 60)) {
        (void)buf_addf(&p->value, "this is no batch %u", (unsigned)storm_draw(s, 1000));
        s->counts.poison++;
    } else if (number > 0 && storm_chance(s, 25)) {
        const struct storm_put *again = s->puts.ptr[storm_draw(s, number)];
        (void)buf_add_slice(&p->value, buf_slice(&again->value));
    } else {
        batch_enc_begin(s->enc, SLICE("test"), 0);
        for (uint64_t n = 1 + storm_draw(s, 6); n > 0 && s->seqs < STORM_SEQS; n--) {
            add_event(s);
        }
        CHECK(frame_put(&p->value, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
        CHECK_OK(batch_enc_end(s->enc, &p->value, &err), err);
    }
    *VEC_PUSH(&s->puts) = p;
    put_raw(s, number);
}

bool storm_all_sent(const struct storm *s)
{
    return s->flies == 0;
}

/* ---- what is there ---- */

static void tap_record(struct storm *s, uint32_t part, const struct bus_record *r)
{
    struct rec_batch b = {0};
    struct err err;
    s->seen_to[part] = r->offset + 1;
    arena_reset(s->arena);
    if (batch_in_read(s->in, s->arena, r->value, &b, &err) != 0) {
        return; /* poison */
    }
    for (uint32_t i = 0; i < b.events_len; i++) {
        const struct rec *e = &b.events[i];
        const struct val *name = rec_find_text(e->payload, e->payload_len, SLICE("name"));
        const struct val *value = rec_find_text(e->payload, e->payload_len, SLICE("value"));
        const struct val *node = rec_find_text(e->context->pairs, e->context->len, node_key());
        *VEC_PUSH(&s->facts) =
            (struct storm_fact){.part = part,
                                .node = (uint32_t)(val_slice(*node).ptr[1] - '0'),
                                .seq = (uint32_t)value->d,
                                .offset = r->offset,
                                .load = slice_eq(val_slice(*name), SLICE("load"))};
    }
}

/* Of a journal, the last record of each task stays: with nothing left at all, nobody knows that
 * there was anything. */
static int64_t journal_floor(const struct storm *s, uint32_t part)
{
    int64_t last[STORM_TASKS], floor = INT64_MAX;
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        last[i] = INT64_MAX;
    }
    VEC_EACH (&s->cuts, c) {
        last[c->task] = c->offset;
    }
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        floor = s->tasks[i].lineage % JOURNAL_PARTS == part ? MIN(floor, last[i]) : floor;
    }
    return floor == INT64_MAX ? 0 : floor;
}

void storm_trim(struct storm *s)
{
    struct err err;
    uint32_t part = (uint32_t)storm_draw(s, STORM_PARTS);
    struct bus_tp tp = {bus_topic(s->god, SLICE("metrics")), part};
    int64_t most = s->seen_to[part];
    if (storm_chance(s, 3)) {
        tp.topic = bus_topic(s->god, SLICE("journal"));
        tp.part = (uint32_t)(s->tasks[storm_draw(s, s->n_tasks)].lineage % JOURNAL_PARTS);
        most = journal_floor(s, tp.part);
    }
    int64_t before = (int64_t)storm_draw(s, (uint64_t)most + 1);
    CHECK_OK(bus_trim(s->god, tp, before, tag_of(TAG_TRIM, 0), &err), err);
    s->counts.trims++;
}

/* ---- events ---- */

static void of_put(struct storm *s, const struct bus_ev *ev)
{
    uint64_t number = ev->tag & (UINT64_MAX >> 8);
    bool delivered = ev->kind == BUS_EV_DELIVERED;
    CHECK(s->flies > 0);
    s->flies--;
    if (ev->tag >> 56 == TAG_LEASE) {
        storm_lease_told(s, (uint32_t)(number >> 1), delivered);
    } else if (!delivered && ev->tag >> 56 == TAG_RAW) {
        put_raw(s, number); /* and perhaps it is there twice */
    }
}

static void tap_cut(struct storm *s, const struct bus_record *r)
{
    for (uint32_t i = 0; r->key.len == 8 && i < s->n_tasks; i++) {
        if (s->tasks[i].lineage == endian_be64(r->key.ptr)) {
            *VEC_PUSH(&s->cuts) =
                (struct storm_cut){r->offset, i, mem_dup(r->value.ptr, r->value.len), r->value.len};
        }
    }
}

static void of_tap(struct storm *s, const struct bus_ev *ev)
{
    struct err err;
    uint32_t part = (uint32_t)ev->tag;
    for (uint32_t k = 0; ev->kind == BUS_EV_RECORDS && k < ev->count; k++) {
        if (ev->tag >> 56 == TAG_CUTS) {
            tap_cut(s, &ev->records[k]);
        } else {
            tap_record(s, part, &ev->records[k]);
        }
    }
    if (ev->kind == BUS_EV_ERROR && ev->err->code == ERR_GONE) {
        CHECK_OK(bus_seek(s->tap, ev->tp, BUS_FROM_START, &err), err);
    }
}

static void on_event(struct storm *s, const struct bus_ev *ev)
{
    bool failed = ev->kind == BUS_EV_ERROR;
    switch ((enum tag)(ev->tag >> 56)) {
    case TAG_OPEN:
        s->open = ev->kind == BUS_EV_OPENED;
        if (ev->reopen) {
            bus_writer_close(s->out);
            open_writer(s);
        }
        break;
    case TAG_TOPICS:
        s->topics_made = ev->kind == BUS_EV_DONE;
        if (failed) {
            make_topics(s);
        }
        break;
    case TAG_RAW:
    case TAG_STRANGE:
    case TAG_LEASE: of_put(s, ev); break;
    case TAG_FENCE: storm_fence_told(s, (uint32_t)ev->tag, !failed); break;
    case TAG_CUTS:
    case TAG_TAP: of_tap(s, ev); break;
    case TAG_TRIM: break; /* it failed, or it did not */
    }
}

/* One at a time: what an event makes to be done may poll again. */
void storm_god(struct storm *s)
{
    struct bus_ev ev;
    while (bus_poll(s->god, &ev, 1) > 0) {
        on_event(s, &ev);
    }
}
