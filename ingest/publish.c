/* SPDX-License-Identifier: Apache-2.0
 *
 * See publish.h. A *lane* is a partition of a topic: it has an encoder, which holds events of one
 * request between publish_begin and publish_end and is empty otherwise. A *put* is a record on its
 * way; its number is the token of the bus.
 */
#include "ingest/publish.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/pool.h"
#include "core/base/vec.h"
#include "core/codec/varint.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/key.h"
#include "core/event/schema.h"

#include <assert.h>

enum {
    RECORD_BYTES = BUS_RECORD_MAX - 64 * 1024, /* leaves room for key and headers */
    REQUESTS_MAX = 65536,
    PUTS_MAX = 1 << 20,
    DEAD_WAITING_MAX = 64,
    DEAD_BODY_MAX = 64 * 1024,
};
#define TAG_OPEN    (UINT64_C(1) << 62)
#define TAG_REOPEN  (TAG_OPEN + 1)
#define TAG_SWEEP   (TAG_OPEN + 2)
#define SWEEP_NS    (100 * CLOCK_NS_PER_MS)
#define REOPEN_NS   CLOCK_NS_PER_S
#define SAY_NS      (10 * CLOCK_NS_PER_S)
#define RATE_NS     (500 * CLOCK_NS_PER_MS)
#define RETRY_LEAST CLOCK_NS_PER_S
#define RETRY_MOST  (30 * CLOCK_NS_PER_S)

struct lane {
    struct batch_enc *enc;
    int64_t seq;
};

struct put {
    struct publish_req *req; /* NULL: nobody waits (any more) */
    uint32_t bytes;
    bool dead, busy;
    uint32_t next_free;
};

struct publish_req {
    struct publish *p;
    struct publish_req *prev, *next; /* by age */
    publish_done_fn *fn;
    void *arg;
    struct slice source;
    int64_t due_ns;
    uint32_t waiting; /* puts not yet ended */
    bool ended, failed;
    struct err err;
    VEC(uint32_t) touched; /* lanes that hold events of it */
};

struct publish {
    struct bus_client *bus;
    struct publish_conf conf;
    struct bus_writer *writer;
    bool open, opening;
    uint32_t topics[BUS_TOPICS_COUNT + 1]; /* the client's numbers */
    struct lane *lanes[BUS_TOPICS_COUNT + 1];
    VEC(struct put) puts;
    uint32_t free_put; /* + 1; 0 = none */
    struct pool *requests;
    struct publish_req *oldest, *newest, *adding;
    size_t open_requests;
    struct buf out;
    uint64_t batch_print, dead_print;
    uint32_t dead_waiting;
    struct publish_stats stats;
    uint64_t taken_bytes; /* since rate_at_ns */
    int64_t rate_at_ns;
    int64_t said_ns; /* in the log, that the bus refuses */
    uint64_t dice;
};

static int64_t now_ns(const struct publish *p)
{
    return clock_mono(bus_clock(p->bus));
}

struct publish *publish_new(struct bus_client *c, const struct publish_conf *conf)
{
    assert(c != NULL && conf->partitions > 0 && conf->ack_ns > 0);
    struct publish *p = MEM_NEW(struct publish);
    p->bus = c;
    p->conf = *conf;
    p->requests = pool_new("publish requests", sizeof(struct publish_req), REQUESTS_MAX);
    p->batch_print = schema_file_print(SLICE("event_batch.avsc"));
    p->dead_print = schema_file_print(SLICE("dlq.avsc"));
    p->dice = (uint64_t)now_ns(p) | 1;
    buf_init(&p->out, BUS_RECORD_MAX);
    for (size_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        const struct bus_topic_row *row = &bus_topic_rows[i];
        p->topics[row->id] = bus_topic(c, slice_str(row->name));
    }
    bus_at(c, now_ns(p) + SWEEP_NS, TAG_SWEEP);
    return p;
}

/* --- requests --- */

static void unlink_req(struct publish_req *r)
{
    struct publish *p = r->p;
    *(r->prev != NULL ? &r->prev->next : &p->oldest) = r->next;
    *(r->next != NULL ? &r->next->prev : &p->newest) = r->prev;
    p->open_requests--;
}

static void forget(struct publish_req *r)
{
    struct publish *p = r->p;
    for (size_t i = 0; r->waiting > 0 && i < p->puts.len; i++) {
        if (p->puts.ptr[i].req == r) {
            p->puts.ptr[i].req = NULL;
            r->waiting--;
        }
    }
    assert(p->adding != r);
    unlink_req(r);
    VEC_DONE(&r->touched);
    pool_put(p->requests, r);
}

static void finish(struct publish_req *r, const struct err *err)
{
    struct publish *p = r->p;
    publish_done_fn *fn = r->fn;
    void *arg = r->arg;
    p->stats.requests++;
    p->stats.failed += err != NULL;
    struct err copy = err != NULL ? *err : (struct err){0};
    forget(r);
    fn(arg, err != NULL ? &copy : NULL);
}

/* The first failure is the one that is told. */
static void fail(struct publish_req *r, const struct err *err)
{
    if (!r->failed) {
        r->failed = true;
        r->err = *err;
    }
    if (r->ended) {
        finish(r, &r->err);
    }
}

struct publish_req *publish_begin(struct publish *p, struct slice source, publish_done_fn *fn,
                                  void *arg)
{
    assert(p->adding == NULL && fn != NULL);
    struct publish_req *r = p->open ? pool_get(p->requests) : NULL;
    if (r == NULL) {
        return NULL;
    }
    r->p = p;
    r->source = source;
    r->fn = fn;
    r->arg = arg;
    r->due_ns = now_ns(p) + p->conf.ack_ns;
    r->prev = p->newest;
    *(p->newest != NULL ? &p->newest->next : &p->oldest) = r;
    p->newest = r;
    p->open_requests++;
    p->adding = r;
    return r;
}

/* --- records --- */

static uint32_t put_new(struct publish *p)
{
    if (p->free_put > 0) {
        uint32_t i = p->free_put - 1;
        p->free_put = p->puts.ptr[i].next_free;
        return i;
    }
    if (p->puts.len >= PUTS_MAX) {
        return UINT32_MAX;
    }
    (void)VEC_PUSH(&p->puts);
    return (uint32_t)p->puts.len - 1;
}

static void put_free(struct publish *p, uint32_t i)
{
    p->puts.ptr[i] = (struct put){.next_free = p->free_put};
    p->free_put = i + 1;
}

/* p->out goes to the bus. */
static int put_record(struct publish *p, enum bus_topic_id topic, uint32_t part,
                      struct publish_req *r, struct err *reterr)
{
    uint32_t i = put_new(p);
    if (i == UINT32_MAX || !p->open) {
        return err_set(reterr, ERR_AGAIN, "the bus takes nothing now");
    }
    struct bus_put put = {.to = {p->topics[topic], part}, .value = buf_slice(&p->out), .token = i};
    int rc = bus_put(p->writer, &put, reterr);
    if (rc != 0) {
        put_free(p, i);
        return rc;
    }
    p->puts.ptr[i] =
        (struct put){.req = r, .bytes = (uint32_t)p->out.len, .busy = true, .dead = r == NULL};
    p->stats.records++;
    p->stats.bytes += p->out.len;
    p->stats.waiting_bytes += p->out.len;
    p->stats.waiting_records++;
    if (r != NULL) {
        r->waiting++;
    }
    return 0;
}

static int flush(struct publish_req *r, enum bus_topic_id topic, uint32_t part, struct err *reterr)
{
    struct publish *p = r->p;
    struct lane *lane = &p->lanes[topic][part];
    uint32_t count = batch_enc_count(lane->enc);
    buf_clear(&p->out);
    frame_put(&p->out, FRAME_SINGLE, p->batch_print);
    int rc = batch_enc_end(lane->enc, &p->out, reterr);
    rc = rc == 0 ? put_record(p, topic, part, r, reterr) : rc;
    if (rc == 0) {
        lane->seq++;
        p->stats.events[topic] += count;
    }
    return rc == 0 ? 0 : err_set(reterr, ERR_AGAIN, "the queue to the bus is full");
}

static struct lane *lane_of(struct publish_req *r, enum bus_topic_id topic, uint32_t part)
{
    struct publish *p = r->p;
    if (p->lanes[topic] == NULL) {
        p->lanes[topic] = mem_calloc(p->conf.partitions, sizeof(struct lane));
    }
    struct lane *lane = &p->lanes[topic][part];
    if (lane->enc == NULL) {
        lane->enc = batch_enc_new(BATCH_LIMITS, RECORD_BYTES);
        batch_enc_begin(lane->enc, r->source, lane->seq);
    }
    if (batch_enc_count(lane->enc) == 0) {
        batch_enc_begin(lane->enc, r->source, lane->seq);
        *VEC_PUSH(&r->touched) = (uint32_t)topic << 16 | part;
    }
    return lane;
}

int publish_add(struct publish_req *r, enum bus_topic_id topic, struct slice key,
                const struct rec *rec, struct err *reterr)
{
    struct publish *p = r->p;
    assert(p->adding == r && !r->ended);
    uint32_t part = key_partition(key, p->conf.partitions);
    if (r->failed) {
        *reterr = r->err;
        return -ERR_AGAIN;
    }
    struct lane *lane = lane_of(r, topic, part);
    int rc = batch_enc_add(lane->enc, rec, reterr);
    if (rc == -ERR_TOO_BIG && batch_enc_count(lane->enc) > 0) {
        rc = flush(r, topic, part, reterr);
        if (rc != 0) {
            fail(r, reterr);
            return rc;
        }
        rc = batch_enc_add(lane_of(r, topic, part)->enc, rec, reterr);
    }
    return rc;
}

static void clear_lanes(struct publish_req *r)
{
    struct publish *p = r->p;
    VEC_EACH (&r->touched, at) {
        batch_enc_begin(p->lanes[*at >> 16][*at & 0xffff].enc, r->source, 0);
    }
    VEC_CLEAR(&r->touched);
    p->adding = NULL;
}

void publish_end(struct publish_req *r)
{
    struct err err = {0};
    assert(r->p->adding == r && !r->ended);
    for (size_t i = 0; !r->failed && i < r->touched.len; i++) {
        uint32_t at = r->touched.ptr[i], part = at & 0xffff;
        enum bus_topic_id topic = (enum bus_topic_id)(at >> 16);
        if (batch_enc_count(r->p->lanes[topic][part].enc) > 0 && flush(r, topic, part, &err) != 0) {
            fail(r, &err);
        }
    }
    clear_lanes(r);
    r->ended = true;
    if (r->failed || r->waiting == 0) {
        finish(r, r->failed ? &r->err : NULL);
    }
}

void publish_drop(struct publish_req *r)
{
    if (r != NULL) {
        if (r->p->adding == r) {
            clear_lanes(r);
        }
        forget(r);
    }
}

/* --- the bus's side --- */

static void measure(struct publish *p, uint32_t bytes)
{
    int64_t now = now_ns(p), age = now - p->rate_at_ns;
    p->taken_bytes += bytes;
    if (age > RATE_NS) {
        double rate = (double)p->taken_bytes * 1e9 / (double)age;
        bool fresh = p->stats.bytes_per_s > 0 && age < 4 * RATE_NS;
        p->stats.bytes_per_s = fresh ? p->stats.bytes_per_s * 0.7 + rate * 0.3 : rate;
        p->taken_bytes = 0;
        p->rate_at_ns = now;
    }
}

int64_t publish_retry_ns(struct publish *p)
{
    double s =
        p->stats.bytes_per_s > 0 ? (double)p->stats.waiting_bytes / p->stats.bytes_per_s : 1.0;
    int64_t ns = s < 30.0 ? (int64_t)(s * 1e9) : RETRY_MOST;
    ns = MIN(MAX(ns, RETRY_LEAST), RETRY_MOST);
    /* Senders that were refused together should not come back together. */
    p->dice ^= p->dice << 13;
    p->dice ^= p->dice >> 7;
    p->dice ^= p->dice << 17;
    int64_t spread = ns / 5;
    ns += (int64_t)(p->dice % (uint64_t)(2 * spread + 1)) - spread;
    return MIN(MAX(ns, RETRY_LEAST), RETRY_MOST);
}

static void say_refused(struct publish *p, const struct err *err)
{
    int64_t now = now_ns(p);
    if (p->said_ns == 0 || now - p->said_ns >= SAY_NS) {
        p->said_ns = now;
        LOG_WARN("the bus refuses telemetry: senders are told to come again",
                 LOG_STR("error", err->msg));
    }
}

static void on_end_of_put(struct publish *p, const struct bus_ev *ev)
{
    assert(ev->tag < p->puts.len && p->puts.ptr[ev->tag].busy);
    struct put put = p->puts.ptr[ev->tag];
    put_free(p, (uint32_t)ev->tag);
    p->stats.waiting_bytes -= put.bytes;
    p->stats.waiting_records--;
    p->dead_waiting -= put.dead;
    if (ev->kind == BUS_EV_DELIVERED) {
        measure(p, put.bytes);
    } else {
        p->stats.dead_lost += put.dead;
    }
    if (put.req == NULL) {
        return;
    }
    put.req->waiting--;
    if (ev->kind == BUS_EV_REFUSED) {
        say_refused(p, ev->err);
        fail(put.req, ev->err);
    } else if (put.req->waiting == 0 && put.req->ended) {
        finish(put.req, NULL);
    }
}

static void try_open(struct publish *p)
{
    struct err err;
    assert(!p->open && !p->opening && p->writer == NULL);
    if (bus_open(p->bus, SLICE_NONE, TAG_OPEN, &p->writer, &err) == 0) {
        p->opening = true;
    } else {
        bus_at(p->bus, now_ns(p) + REOPEN_NS, TAG_REOPEN);
    }
}

/* All puts of a dead writer are lost or of unknown fate: their requests come again. */
static void lose_writer(struct publish *p, const struct err *err)
{
    struct err lost = {0};
    err_set(&lost, ERR_UNAVAILABLE, "the bus was lost");
    LOG_WARN("writing to the bus has ended, opening it again",
             LOG_STR("error", err != NULL ? err->msg : "-"));
    p->open = p->opening = false;
    bus_writer_close(p->writer);
    p->writer = NULL;
    p->stats.reopened++;
    for (uint32_t i = 0; i < p->puts.len; i++) {
        if (p->puts.ptr[i].busy) {
            struct bus_ev ev = {.kind = BUS_EV_REFUSED, .tag = i, .err = &lost};
            on_end_of_put(p, &ev);
        }
    }
    bus_at(p->bus, now_ns(p) + REOPEN_NS, TAG_REOPEN);
}

static void sweep(struct publish *p)
{
    struct err late = {0};
    int64_t now = now_ns(p);
    err_set(&late, ERR_TIMEOUT, "the bus did not confirm in time");
    while (p->oldest != NULL && p->oldest->ended && p->oldest->due_ns <= now) {
        fail(p->oldest, &late);
    }
    bus_at(p->bus, now + SWEEP_NS, TAG_SWEEP);
}

static bool on_timer(struct publish *p, uint64_t tag)
{
    if (tag == TAG_SWEEP) {
        sweep(p);
    } else if (tag == TAG_REOPEN) {
        try_open(p);
    }
    return tag == TAG_SWEEP || tag == TAG_REOPEN;
}

bool publish_on_event(struct publish *p, const struct bus_ev *ev)
{
    if (ev->kind == BUS_EV_TIMER) {
        return on_timer(p, ev->tag);
    }
    if (p->writer == NULL || ev->writer != p->writer) {
        return false;
    }
    if (ev->kind == BUS_EV_OPENED) {
        p->open = true;
        p->opening = false;
    } else if (ev->kind == BUS_EV_DELIVERED || ev->kind == BUS_EV_REFUSED) {
        on_end_of_put(p, ev);
    }
    if (ev->reopen || (ev->kind == BUS_EV_ERROR && p->opening)) {
        lose_writer(p, ev->err);
    }
    return true;
}

void publish_start(struct publish *p)
{
    if (p->writer == NULL) {
        try_open(p);
    }
}

bool publish_ready(const struct publish *p)
{
    return p->open;
}

struct publish_stats publish_stats(const struct publish *p)
{
    return p->stats;
}

size_t publish_open_requests(const struct publish *p)
{
    return p->open_requests;
}

/* --- dead letters --- */

static void add_long(struct buf *b, int64_t n)
{
    char *to = buf_room(b, VARINT_MAX);
    if (to != NULL) {
        buf_commit(b, (size_t)(varint_write(to, varint_zigzag(n)) - to));
    }
}

static void add_bytes(struct buf *b, struct slice s)
{
    add_long(b, (int64_t)s.len);
    buf_add_slice(b, s);
}

/* The fields of dlq.avsc in their order. */
static void encode_dead(struct publish *p, const struct publish_dead *d)
{
    struct buf *b = &p->out;
    buf_clear(b);
    frame_put(b, FRAME_SINGLE, p->dead_print);
    add_bytes(b, slice_str(d->reason));
    add_bytes(b, slice_str(d->detail));
    add_bytes(b, SLICE("")); /* tenant */
    add_bytes(b, d->source);
    add_long(b, 0); /* statement: null */
    add_long(b, 0); /* reference: null */
    add_long(b, clock_wall(bus_clock(p->bus)));
    add_bytes(b, slice_str(d->content_type));
    add_long(b, (int64_t)d->body.len);
    add_bytes(b, slice_sub(d->body, 0, MIN(d->body.len, (size_t)DEAD_BODY_MAX)));
}

void publish_dead(struct publish *p, const struct publish_dead *d)
{
    struct err err;
    struct buf key;
    p->stats.dead++;
    if (!p->open || p->dead_waiting >= DEAD_WAITING_MAX) {
        p->stats.dead_lost++;
        return;
    }
    encode_dead(p, d);
    buf_init(&key, 1024);
    key_add(&key, val_string(d->source));
    uint32_t part = key_partition(buf_slice(&key), p->conf.partitions);
    buf_done(&key);
    if (put_record(p, BUS_TOPIC_DLQ, part, NULL, &err) == 0) {
        p->dead_waiting++;
    } else {
        p->stats.dead_lost++;
    }
}

void publish_free(struct publish *p)
{
    struct err closed = {0};
    if (p == NULL) {
        return;
    }
    err_set(&closed, ERR_CLOSED, "shutting down");
    p->adding = NULL;
    while (p->oldest != NULL) {
        p->oldest->ended = true;
        fail(p->oldest, &closed);
    }
    if (p->writer != NULL) {
        bus_writer_close(p->writer);
    }
    bus_at_cancel(p->bus, TAG_SWEEP);
    bus_at_cancel(p->bus, TAG_REOPEN);
    for (size_t t = 0; t <= BUS_TOPICS_COUNT; t++) {
        for (uint32_t i = 0; p->lanes[t] != NULL && i < p->conf.partitions; i++) {
            batch_enc_free(p->lanes[t][i].enc);
        }
        mem_free(p->lanes[t]);
    }
    VEC_DONE(&p->puts);
    pool_free(p->requests, 0);
    buf_done(&p->out);
    mem_free(p);
}
