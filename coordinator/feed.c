/* SPDX-License-Identifier: Apache-2.0
 *
 * See feed.h. The topic's partitions are asked for when the first listener comes, read from their
 * end, and left when the last one goes.
 */
#include "coordinator/feed.h"

#include "coordinator/alert_json.h"
#include "core/base/arena.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/bus/bus_topics.h"
#include "core/codec/text.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_in.h"
#include "core/event/frame.h"
#include "core/event/rec_json.h"
#include "core/event/schema_reg.h"
#include "core/net/http_req.h"
#include "core/role/role.h"

#include <assert.h>
#include <inttypes.h>

enum {
    TAG_DESCRIBE = 1,
    TAG_BEAT,
    TAG_RETRY,
    TAG_READ,
    KEYS_MAX = 100000,
    KEYS_BYTES = 16 << 20,
    BATCH_BYTES = 256 << 20,
    LINE_BYTES = 16 << 20,
    TYPE_MAX = 256,
};
#define BEAT_NS  (15 * CLOCK_NS_PER_S)
#define RETRY_NS CLOCK_NS_PER_S

static const char *const topic_names[FEED_TOPICS] = {"events", "alerts.history"};

struct listener {
    struct feed *feed;
    struct http_req *req;
    char type[TYPE_MAX];
    struct slice want; /* in type; absent: all */
    struct buf behind;
    uint64_t lost;
    bool full;
};

struct feed {
    enum feed_topic topic;
    struct role_client *client;
    struct bus_client *bus;
    struct bus_reader *reader;
    uint32_t topic_id, partitions, at_end;
    bool *ended; /* of each partition */
    bool asking, live, over;
    VEC(struct listener *) listeners;
    struct intern *keys;
    struct schema_reg *schemas;
    struct batch_in *in;
    struct batch_dec *dec;
    struct arena *arena;
    struct buf line;
    struct feed_stats stats;
};

/* ---- listeners ---- */

/* What is full keeps `behind` until it has drained. */
static void send(struct listener *l, struct slice text)
{
    if (!l->full) {
        l->full = !http_reply_write(l->req, text);
    } else if (!buf_add_slice(&l->behind, text)) {
        l->lost++;
        l->feed->stats.lost++;
    }
}

static void on_drained(struct http_req *r, void *arg)
{
    struct listener *l = arg;
    struct buf text = l->behind;
    (void)r;
    if (l->feed == NULL) {
        return;
    }
    l->full = false;
    buf_init(&l->behind, FEED_BEHIND_MAX);
    if (l->lost > 0) {
        char lost[64];
        int n =
            snprintf(lost, sizeof lost, "event: lost\ndata: {\"lost\":%" PRIu64 "}\n\n", l->lost);
        l->lost = 0;
        send(l, buf_slice(&text));
        send(l, slice_of(lost, (size_t)n));
    } else if (text.len > 0) {
        send(l, buf_slice(&text));
    }
    buf_done(&text);
}

static void stop_reading(struct feed *f)
{
    if (f->reader != NULL) {
        bus_reader_free(f->reader);
        f->reader = NULL;
    }
    mem_free(f->ended);
    f->ended = NULL;
    f->live = false;
    f->at_end = 0;
}

static void on_freed(void *arg)
{
    struct listener *l = arg;
    struct feed *f = l->feed;
    for (size_t i = 0; f != NULL && i < f->listeners.len; i++) {
        if (f->listeners.ptr[i] == l) {
            VEC_REMOVE(&f->listeners, i);
            break;
        }
    }
    buf_done(&l->behind);
    mem_free(l);
    if (f != NULL && f->listeners.len == 0) {
        stop_reading(f);
    }
}

static void send_all(struct feed *f, struct slice text)
{
    VEC_EACH (&f->listeners, l) {
        send(*l, text);
    }
}

static void go_live(struct feed *f)
{
    f->live = true;
    send_all(f, SLICE(": live\n\n"));
}

/* ---- events ---- */

/* Type names come from users' rules: a line is a line. */
static void begin_line(struct feed *f, uint32_t part, int64_t offset, uint32_t index,
                       struct slice type)
{
    buf_clear(&f->line);
    (void)buf_addf(&f->line, "id: %" PRIu32 "-%" PRId64 "-%" PRIu32 "\nevent: ", part, offset,
                   index);
    for (size_t i = 0; i < type.len; i++) {
        unsigned char c = (unsigned char)type.ptr[i];
        (void)buf_add_byte(&f->line, c < 0x20 || c == 0x7f ? '?' : c);
    }
    (void)buf_add_str(&f->line, "\ndata: ");
}

static void end_line(struct feed *f, struct slice type)
{
    f->stats.events++;
    if (!buf_add_str(&f->line, "\n\n") || buf_failed(&f->line)) {
        return;
    }
    VEC_EACH (&f->listeners, l) {
        if ((*l)->want.ptr == NULL || slice_eq((*l)->want, type)) {
            send(*l, buf_slice(&f->line));
        }
    }
}

/* A record that is nothing we know: its bytes. */
static void on_odd(struct feed *f, uint32_t part, const struct bus_record *r)
{
    struct slice type = SLICE("unknown");
    begin_line(f, part, r->offset, 0, type);
    (void)buf_add_str(&f->line, "{\"value\":\"");
    (void)text_put_base64(&f->line, r->value);
    (void)buf_add_str(&f->line, "\"}");
    end_line(f, type);
}

static void on_batch(struct feed *f, uint32_t part, const struct bus_record *r)
{
    struct rec_batch batch;
    if (batch_in_read(f->in, f->arena, r->value, &batch, NULL) != 0) {
        on_odd(f, part, r);
        return;
    }
    for (uint32_t i = 0; i < batch.events_len; i++) {
        const struct rec *event = &batch.events[i];
        begin_line(f, part, r->offset, i, event->type);
        (void)rec_json_event(&f->line, event, NULL);
        end_line(f, event->type);
    }
}

static void on_alert(struct feed *f, uint32_t part, const struct bus_record *r)
{
    const struct schema_entry *entry = NULL;
    struct frame frame;
    struct err e;
    struct slice type = SLICE("alert");
    bool known = frame_read(r->value, &frame, &e) == 0 &&
                 schema_reg_find(f->schemas, frame.kind, frame.number, &entry, &e) == 0 &&
                 entry->subject != NULL && strcmp(entry->subject, "alert") == 0 && entry->current;
    begin_line(f, part, r->offset, 0, type);
    if (known && alert_json(f->dec, f->arena, frame.body, &f->line)) {
        end_line(f, type);
    } else {
        on_odd(f, part, r);
    }
}

static void on_records(struct feed *f, const struct bus_ev *ev)
{
    for (uint32_t i = 0; i < ev->count; i++) {
        arena_reset(f->arena);
        (f->topic == FEED_EVENTS ? on_batch : on_alert)(f, ev->tp.part, &ev->records[i]);
    }
}

/* ---- the topic ---- */

static void ask(struct feed *f)
{
    struct err e;
    if (f->asking || f->reader != NULL) {
        return;
    }
    f->asking = true;
    if (bus_describe(f->bus, f->topic_id, TAG_DESCRIBE, &e) != 0) {
        f->asking = false;
        bus_at(f->bus, clock_mono(bus_clock(f->bus)) + RETRY_NS, TAG_RETRY);
    }
}

static void on_described(struct feed *f, const struct bus_ev *ev)
{
    struct err e;
    f->asking = false;
    if (ev->kind != BUS_EV_DONE) {
        LOG_WARN("a stream waits for its topic", LOG_STR("topic", topic_names[f->topic]),
                 LOG_STR("error", ev->err->msg));
        bus_at(f->bus, clock_mono(bus_clock(f->bus)) + RETRY_NS, TAG_RETRY);
        return;
    }
    if (f->listeners.len == 0) {
        return;
    }
    f->partitions = ev->topics[0].partitions;
    f->ended = mem_calloc(f->partitions, sizeof *f->ended);
    f->reader = bus_reader_new(f->bus);
    for (uint32_t p = 0; p < f->partitions; p++) {
        struct bus_tp tp = {f->topic_id, p};
        if (bus_assign(f->reader, tp, BUS_FROM_END, TAG_READ, &e) != 0) {
            LOG_WARN("a stream misses a partition", LOG_INT("partition", p),
                     LOG_STR("error", e.msg));
        }
    }
}

static void on_read(struct feed *f, const struct bus_ev *ev)
{
    struct err e;
    if (ev->kind == BUS_EV_RECORDS) {
        on_records(f, ev);
    } else if (ev->kind == BUS_EV_END && f->ended != NULL && !f->ended[ev->tp.part]) {
        f->ended[ev->tp.part] = true;
        if (++f->at_end == f->partitions) {
            go_live(f);
        }
    } else if (ev->kind == BUS_EV_ERROR && bus_seek(f->reader, ev->tp, BUS_FROM_END, &e) != 0) {
        LOG_WARN("a stream misses a partition", LOG_STR("error", e.msg));
    }
}

static void on_event(void *arg, const struct bus_ev *ev)
{
    struct feed *f = arg;
    if (ev->kind == BUS_EV_TIMER && ev->tag == TAG_BEAT) {
        send_all(f, SLICE(": beat\n\n"));
        bus_at(f->bus, clock_mono(bus_clock(f->bus)) + BEAT_NS, TAG_BEAT);
    } else if (ev->kind == BUS_EV_TIMER) {
        if (f->listeners.len > 0) {
            ask(f);
        }
    } else if (ev->tag == TAG_DESCRIBE) {
        on_described(f, ev);
    } else if (ev->reader != NULL && ev->reader == f->reader) {
        on_read(f, ev);
    }
}

bool feed_listen(struct feed *f, struct http_req *req, struct slice type)
{
    static const struct http_req_ops ops = {.drained = on_drained, .freed = on_freed};
    if (f->over || f->listeners.len >= FEED_LISTENERS_MAX || type.len > TYPE_MAX) {
        return false;
    }
    struct listener *l = MEM_NEW(struct listener);
    l->feed = f;
    l->req = req;
    buf_init(&l->behind, FEED_BEHIND_MAX);
    if (type.len > 0) {
        memcpy(l->type, type.ptr, type.len);
        l->want = slice_of(l->type, type.len);
    }
    *VEC_PUSH(&f->listeners) = l;
    http_req_take(req, &ops, l);
    http_reply_field(req, "Cache-Control", SLICE("no-store"));
    http_reply_begin(req, 200, "text/event-stream", -1);
    l->full = !http_reply_write(req, f->live ? SLICE(": live\n\n") : SLICE(": hello\n\n"));
    ask(f);
    return true;
}

void feed_end(struct feed *f)
{
    f->over = true;
    while (f->listeners.len > 0) {
        struct listener *l = f->listeners.ptr[f->listeners.len - 1];
        f->listeners.len--;
        l->feed = NULL; /* the request may outlive the feed */
        http_reply_end(l->req);
    }
    stop_reading(f);
}

struct feed *feed_new(const struct role_env *env, enum feed_topic topic)
{
    assert(topic < FEED_TOPICS);
    struct feed *f = MEM_NEW(struct feed);
    f->topic = topic;
    f->client = role_client_new(env, topic_names[topic], on_event, f);
    f->bus = role_client_bus(f->client);
    f->topic_id = bus_topic(f->bus, slice_str(topic_names[topic]));
    f->keys = intern_new(KEYS_MAX, KEYS_BYTES);
    f->schemas = schema_reg_new((struct schema_source){NULL, NULL});
    f->in = batch_in_new(BATCH_LIMITS, f->keys, f->schemas);
    f->dec = batch_dec_new(BATCH_LIMITS, f->keys);
    f->arena = arena_new(NULL, "feed", BATCH_BYTES);
    buf_init(&f->line, LINE_BYTES);
    bus_at(f->bus, clock_mono(bus_clock(f->bus)) + BEAT_NS, TAG_BEAT);
    return f;
}

void feed_free(struct feed *f)
{
    if (f == NULL) {
        return;
    }
    feed_end(f);
    role_client_free(f->client);
    VEC_DONE(&f->listeners);
    buf_done(&f->line);
    arena_free(f->arena);
    batch_dec_free(f->dec);
    batch_in_free(f->in);
    schema_reg_free(f->schemas);
    intern_free(f->keys);
    mem_free(f);
}

struct feed_stats feed_stats(const struct feed *f)
{
    struct feed_stats st = f->stats;
    st.listeners = f->listeners.len;
    return st;
}
