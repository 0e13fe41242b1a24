/* SPDX-License-Identifier: Apache-2.0
 *
 * See feed.h. The topic's partitions are asked for when the first listener comes, read from their
 * end, and left when the last one goes. Reading goes line by line: it stops in the middle of a
 * record while a listener who still has patience left to spend is full, and a poll that does not
 * happen is what holds up the bus.
 */
#include "coordinator/feed.h"

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
#include "core/event/rec_plain.h"
#include "core/event/schema_reg.h"
#include "core/net/http_req.h"
#include "core/net/loop.h"
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
    LINES_AT_ONCE = 256, /* then others on the loop get their turn */
};
#define BEAT_NS  (15 * CLOCK_NS_PER_S)
#define RETRY_NS CLOCK_NS_PER_S
#define LOOK_NS  (5 * CLOCK_NS_PER_MS) /* while waiting for a listener */
/* How long a listener may hold up the others at once; a tenth of all time comes back to it. */
#define PATIENCE_NS (CLOCK_NS_PER_S / 4)

static const char *const topic_names[FEED_TOPICS] = {"events", "alerts.history"};

struct listener {
    struct feed *feed;
    struct http_req *req;
    char type[TYPE_MAX];
    struct slice want; /* in type; absent: all */
    struct buf behind;
    uint64_t lost;
    bool gap; /* told when there is room: lost, and how many is not known */
    int64_t patience_ns;
    bool full;
};

struct feed_part {
    bool ended;  /* its end was reached once */
    bool broken; /* reading it failed, and nothing came of it since */
    bool waits;  /* to be read again, later */
};

struct feed {
    enum feed_topic topic;
    struct loop *loop;
    struct bus_client *bus;
    struct loop_fd *fd;
    struct loop_timer *timer; /* goes on reading */
    struct bus_reader *reader;
    /* What is being given out: record `at` of `now`, event `index` of its batch. */
    struct bus_ev now;
    struct rec_batch batch;
    uint32_t at, index;
    bool has, decoded;
    int64_t seen_ns; /* when patience was last counted */
    uint32_t topic_id, partitions, at_end;
    struct feed_part *parts;
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

/* There is room behind it: what was full has been drained. */
static void tell_lost(struct listener *l)
{
    char lost[64];
    int n = l->gap ? snprintf(lost, sizeof lost, "event: lost\ndata: {\"lost\":null}\n\n")
                   : snprintf(lost, sizeof lost, "event: lost\ndata: {\"lost\":%" PRIu64 "}\n\n",
                              l->lost);
    l->lost = 0;
    l->gap = false;
    send(l, slice_of(lost, (size_t)n));
}

static void on_drained(struct http_req *r, void *arg)
{
    struct listener *l = arg;
    struct buf text = l->behind;
    (void)r;
    if (l->feed == NULL) {
        return;
    }
    loop_timer_set(l->feed->timer, 0);
    l->full = false;
    buf_init(&l->behind, FEED_BEHIND_MAX);
    if (text.len > 0) {
        send(l, buf_slice(&text));
    }
    if (l->lost > 0 || l->gap) {
        tell_lost(l);
    }
    buf_done(&text);
}

static void stop_reading(struct feed *f)
{
    if (f->reader != NULL) {
        bus_reader_free(f->reader);
        f->reader = NULL;
    }
    mem_free(f->parts);
    f->parts = NULL;
    f->live = f->has = false;
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
        loop_timer_set(f->timer, 0); /* not from within a line */
    }
}

static void send_all(struct feed *f, struct slice text)
{
    VEC_EACH (&f->listeners, l) {
        send(*l, text);
    }
}

/* Nobody knows how many events that were, nor of what types. */
static void tell_gap(struct feed *f)
{
    f->stats.gaps++;
    VEC_EACH (&f->listeners, it) {
        struct listener *l = *it;
        l->gap = true;
        if (!l->full) {
            tell_lost(l);
        }
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

static void on_alert(struct feed *f, uint32_t part, const struct bus_record *r)
{
    const struct schema_entry *entry = NULL;
    struct frame frame;
    struct err e;
    struct slice type = SLICE("alert");
    bool known = frame_read(r->value, &frame, &e) == 0 &&
                 schema_reg_find(f->schemas, frame.kind, frame.number, &entry, &e) == 0 &&
                 entry->subject != NULL && strcmp(entry->subject, "alert") == 0 && entry->current;
    struct val fields[REC_PLAIN_FIELDS_MAX];
    begin_line(f, part, r->offset, 0, type);
    if (known && rec_plain_read(REC_PLAIN_ALERT, f->dec, f->arena, frame.body, fields, &e) == 0 &&
        rec_plain_json(REC_PLAIN_ALERT, fields, &f->line)) {
        end_line(f, type);
    } else {
        on_odd(f, part, r);
    }
}

/* One line of what is being given out. */
static void give_one(struct feed *f)
{
    const struct bus_record *r = &f->now.records[f->at];
    uint32_t part = f->now.tp.part;
    bool over = true;
    if (!f->decoded) {
        arena_reset(f->arena);
    }
    if (f->topic == FEED_ALERTS) {
        on_alert(f, part, r);
    } else if (!f->decoded && batch_in_read(f->in, f->arena, r->value, &f->batch, NULL) != 0) {
        on_odd(f, part, r);
    } else {
        f->index = f->decoded ? f->index + 1 : 0;
        f->decoded = f->index < f->batch.events_len;
        over = !f->decoded;
        if (f->decoded) {
            const struct rec *event = &f->batch.events[f->index];
            begin_line(f, part, r->offset, f->index, event->type);
            (void)rec_json_event(&f->line, event, NULL);
            end_line(f, event->type);
        }
    }
    if (over) {
        f->has = ++f->at < f->now.count;
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
    f->parts = mem_calloc(f->partitions, sizeof *f->parts);
    f->reader = bus_reader_new(f->bus);
    for (uint32_t p = 0; p < f->partitions; p++) {
        struct bus_tp tp = {f->topic_id, p};
        if (bus_assign(f->reader, tp, BUS_FROM_END, TAG_READ, &e) != 0) {
            LOG_WARN("a stream cannot read its topic", LOG_INT("partition", p),
                     LOG_STR("error", e.msg));
            stop_reading(f);
            bus_at(f->bus, clock_mono(bus_clock(f->bus)) + RETRY_NS, TAG_RETRY);
            return;
        }
    }
}

/* From the end that the partition has now: a live stream does not catch up. */
static void read_on(struct feed *f, uint32_t part)
{
    struct err e;
    f->parts[part].waits = false;
    if (bus_seek(f->reader, (struct bus_tp){f->topic_id, part}, BUS_FROM_END, &e) != 0) {
        LOG_WARN("a stream misses a partition", LOG_INT("partition", part),
                 LOG_STR("error", e.msg));
    }
}

/* What stood there is gone, or the partition is: whoever listens is told, once for each time. The
 * bus goes on by itself after an error that may pass, and misses nothing. */
static void on_broken(struct feed *f, const struct bus_ev *ev)
{
    struct feed_part *p = &f->parts[ev->tp.part];
    bool again = p->broken;
    if ((ev->err->flags & ERR_FLAG_RETRY) != 0) {
        return;
    }
    p->broken = true;
    if (!again) {
        LOG_WARN("a stream has lost events", LOG_STR("topic", topic_names[f->topic]),
                 LOG_INT("partition", ev->tp.part), LOG_STR("error", ev->err->msg));
        tell_gap(f);
        read_on(f, ev->tp.part);
    } else {
        p->waits = true;
        bus_at(f->bus, clock_mono(bus_clock(f->bus)) + RETRY_NS, TAG_RETRY);
    }
}

static void on_read(struct feed *f, const struct bus_ev *ev)
{
    struct feed_part *p = &f->parts[ev->tp.part];
    if (ev->kind == BUS_EV_ERROR) {
        on_broken(f, ev);
        return;
    }
    p->broken = false;
    if (ev->kind == BUS_EV_RECORDS) {
        f->now = *ev;
        f->has = ev->count > 0;
        f->decoded = false;
        f->at = 0;
    } else if (ev->kind == BUS_EV_END && !p->ended) {
        p->ended = true;
        if (++f->at_end == f->partitions) {
            go_live(f);
        }
    }
}

static void on_retry(struct feed *f)
{
    for (uint32_t p = 0; f->reader != NULL && p < f->partitions; p++) {
        if (f->parts[p].waits) {
            read_on(f, p);
        }
    }
    if (f->listeners.len > 0) {
        ask(f);
    }
}

static void on_event(struct feed *f, const struct bus_ev *ev)
{
    if (ev->kind == BUS_EV_TIMER && ev->tag == TAG_BEAT) {
        send_all(f, SLICE(": beat\n\n"));
        bus_at(f->bus, clock_mono(bus_clock(f->bus)) + BEAT_NS, TAG_BEAT);
    } else if (ev->kind == BUS_EV_TIMER) {
        on_retry(f);
    } else if (ev->tag == TAG_DESCRIBE) {
        on_described(f, ev);
    } else if (ev->reader != NULL && ev->reader == f->reader) {
        on_read(f, ev);
    }
}

/* Is somebody waited for? */
static bool holds(struct feed *f)
{
    int64_t now = loop_now_ns(f->loop), passed = now - f->seen_ns;
    bool held = false;
    f->seen_ns = now;
    VEC_EACH (&f->listeners, it) {
        struct listener *l = *it;
        l->patience_ns = l->full ? MAX(l->patience_ns - passed, -PATIENCE_NS)
                                 : MIN(l->patience_ns + passed / 10, PATIENCE_NS);
        held |= l->full && l->patience_ns > 0;
    }
    return held;
}

static void go_on(void *arg)
{
    struct feed *f = arg;
    struct bus_ev ev;
    if (f->listeners.len == 0) {
        stop_reading(f);
    }
    for (int i = 0; i < LINES_AT_ONCE; i++) {
        if (holds(f)) {
            loop_fd_want(f->fd, 0);
            loop_timer_set(f->timer, LOOK_NS);
            return;
        }
        if (f->has) {
            give_one(f);
        } else if (bus_poll(f->bus, &ev, 1) == 1) {
            on_event(f, &ev);
        } else {
            loop_fd_want(f->fd, LOOP_READ);
            return;
        }
    }
    loop_timer_set(f->timer, 0);
}

static void on_readable(void *arg, unsigned what)
{
    (void)what;
    go_on(arg);
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
    l->patience_ns = PATIENCE_NS;
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
    f->loop = env->loop;
    f->bus = bus_client_new(env->bus, topic_names[topic]);
    f->fd = loop_fd_new(f->loop, bus_fd(f->bus), LOOP_READ, on_readable, f);
    f->timer = loop_timer_new(f->loop, go_on, f);
    f->seen_ns = loop_now_ns(f->loop);
    f->topic_id = bus_topic(f->bus, slice_str(topic_names[topic]));
    f->keys = intern_new(KEYS_MAX, KEYS_BYTES);
    f->schemas = schema_reg_new();
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
    loop_timer_free(f->timer);
    loop_fd_free(f->fd);
    bus_client_free(f->bus);
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
