/* SPDX-License-Identifier: Apache-2.0
 *
 * See suite_do.h.
 */
#include "tests/bus/suite.h"

#include "core/base/buf.h"

#include <inttypes.h>

/* The end of an operation; NULL = it failed for want of time, as its deadline is the bus's own, and
 * is to be asked for again. */
static struct suite_ev *end_of(struct suite_client *c, enum bus_ev_kind kind, uint64_t tag,
                               int64_t until)
{
    struct suite_ev *e =
        suite_next(c, SUITE_BIT(kind) | SUITE_BIT(BUS_EV_ERROR), tag, MAX(until - suite_now(c), 0));
    bool again = e != NULL && e->ev.kind == BUS_EV_ERROR && (e->err.flags & ERR_FLAG_RETRY) != 0;
    if (again && suite_now(c) < until) {
        return NULL;
    }
    if (e == NULL || e->ev.kind != kind) {
        test_fail(__FILE__, __LINE__, "%s, client %s: waiting for %s, got %s", suite_hooks.name,
                  c->name, bus_ev_name(kind), e == NULL ? "nothing" : e->err.msg);
    }
    return e;
}

static int64_t patient(struct suite_client *c)
{
    return suite_now(c) + suite_hooks.patience_ns;
}

struct bus_tp suite_topic_with(struct suite_client *c, const char *name, uint32_t partitions,
                               enum bus_cleanup cleanup, int64_t retention_ms,
                               int64_t retention_bytes)
{
    struct bus_topic_spec spec = {.name = slice_str(name),
                                  .partitions = partitions,
                                  .cleanup = cleanup,
                                  .retention_ms = retention_ms,
                                  .retention_bytes = retention_bytes};
    struct err err;
    uint64_t tag;
    int64_t until = patient(c);
    do {
        tag = suite_tag(c);
        CHECK_OK(bus_ensure(c->c, &spec, 1, tag, &err), err);
    } while (end_of(c, BUS_EV_DONE, tag, until) == NULL);
    uint32_t topic = bus_topic(c->c, slice_str(name));
    CHECK(topic != 0);
    return (struct bus_tp){topic, 0};
}

struct bus_tp suite_topic(struct suite_client *c, const char *name, uint32_t partitions,
                          enum bus_cleanup cleanup)
{
    return suite_topic_with(c, name, partitions, cleanup, -1, -1);
}

struct bus_tp suite_same(struct suite_client *to, const struct suite_client *from, struct bus_tp tp)
{
    uint32_t topic = bus_topic(to->c, bus_topic_name(from->c, tp.topic));
    CHECK(topic != 0);
    return (struct bus_tp){topic, tp.part};
}

struct bus_tp suite_part(struct bus_tp tp, uint32_t part)
{
    return (struct bus_tp){tp.topic, part};
}

struct bus_writer *suite_open(struct suite_client *c, const char *slot)
{
    struct err err;
    int64_t until = patient(c);
    for (;;) {
        struct bus_writer *w = NULL;
        uint64_t tag = suite_tag(c);
        CHECK_OK(bus_open(c->c, slice_str(slot), tag, &w, &err), err);
        CHECK(w != NULL);
        struct suite_ev *e = end_of(c, BUS_EV_OPENED, tag, until);
        if (e != NULL) {
            CHECK(e->ev.writer == w);
            return w;
        }
        bus_writer_close(w);
    }
}

void suite_put_it(struct suite_client *c, struct bus_writer *w, const struct bus_put *put)
{
    struct err err;
    int64_t until = suite_now(c) + suite_hooks.patience_ns;
    int rc = bus_put(w, put, &err);
    while (rc == -ERR_AGAIN && suite_now(c) < until) {
        (void)suite_pump(c, 10 * CLOCK_NS_PER_MS);
        rc = bus_put(w, put, &err);
    }
    CHECK_OK(rc, err);
}

void suite_put(struct suite_client *c, struct bus_writer *w, struct bus_tp tp, const char *key,
               const char *value)
{
    struct bus_put put = {.to = tp, .key = slice_str(key), .value = slice_str(value)};
    suite_put_it(c, w, &put);
}

int64_t suite_deliver(struct suite_client *c, struct bus_writer *w, struct bus_tp tp,
                      const char *key, const char *value)
{
    struct bus_put put = {
        .to = tp, .key = slice_str(key), .value = slice_str(value), .token = suite_tag(c)};
    suite_put_it(c, w, &put);
    return suite_await(c, BUS_EV_DELIVERED, put.token)->ev.offset;
}

uint64_t suite_commit_start(struct suite_client *c, struct bus_writer *w)
{
    struct err err;
    uint64_t tag = suite_tag(c);
    CHECK_OK(bus_commit(w, tag, &err), err);
    return tag;
}

struct suite_ev *suite_commit(struct suite_client *c, struct bus_writer *w)
{
    struct suite_ev *e = suite_await(c, BUS_EV_COMMITTED, suite_commit_start(c, w));
    CHECK(e->ev.writer == w);
    CHECK(e->ev.err == NULL && !e->ev.reopen);
    return e;
}

void suite_write(struct suite_client *c, struct bus_tp tp, const char *key, const char *value)
{
    struct bus_writer *w = suite_open(c, "suite.write");
    suite_put(c, w, tp, key, value);
    (void)suite_commit(c, w);
    bus_writer_close(w);
}

static void take_records(const char *file, int line, struct suite_client *c, struct suite_log *log,
                         const struct bus_ev *ev, int64_t from)
{
    struct suite_rec *recs = log->recs;
    if (log->count + ev->count > log->room) {
        log->room = 2 * (log->count + ev->count);
        recs = arena_array(c->mem, log->room, sizeof *recs);
        CHECK(recs != NULL);
        if (log->count > 0) {
            memcpy(recs, log->recs, log->count * sizeof *recs);
        }
        log->recs = recs;
    }
    for (uint32_t i = 0; i < ev->count; i++) {
        const struct bus_record *r = &ev->records[i];
        int64_t last = log->count > 0 ? recs[log->count - 1].offset : -1;
        if (r->offset <= last || r->offset < from) {
            test_fail(file, line, "%s: offset %" PRId64 " after %" PRId64 ", reading from %" PRId64,
                      suite_hooks.name, r->offset, last, from);
        }
        recs[log->count++] = (struct suite_rec){r->offset, r->time_ms, r->key,
                                                r->value,  r->headers, r->header_count};
    }
}

/* Retention took what the reader stood before: it begins again where the log begins now. */
static bool begin_again(struct bus_reader *r, const struct suite_ev *e, struct suite_log *log)
{
    if (e == NULL || e->ev.kind != BUS_EV_ERROR || e->err.code != ERR_GONE) {
        return false;
    }
    struct err err;
    CHECK_OK(bus_seek(r, e->ev.tp, e->ev.offset, &err), err);
    log->count = 0;
    log->end = -1;
    return true;
}

/* Reads until END stands at or above `end` with at least n records; max bounds their number. */
static struct suite_log *read_until(const char *file, int line, struct suite_client *c,
                                    struct bus_tp tp, int64_t from, size_t n, size_t max,
                                    int64_t end)
{
    struct suite_log *log = ARENA_NEW(c->mem, struct suite_log);
    struct bus_reader *r = bus_reader_new(c->c);
    struct err err;
    uint64_t tag = suite_tag(c);
    int64_t until = suite_now(c) + suite_hooks.patience_ns;
    uint32_t kinds = SUITE_BIT(BUS_EV_RECORDS) | SUITE_BIT(BUS_EV_END) | SUITE_BIT(BUS_EV_ERROR);
    CHECK_OK(bus_assign(r, tp, from, tag, &err), err);
    log->end = -1;
    while (log->end < end || log->count < n) {
        struct suite_ev *e = suite_next(c, kinds, tag, until - suite_now(c));
        if (max == SIZE_MAX && begin_again(r, e, log)) {
            continue;
        }
        if (e == NULL || e->ev.kind == BUS_EV_ERROR || log->count > max) {
            test_fail(file, line, "%s: reading %zu records, got %zu (%s) and then %s",
                      suite_hooks.name, n, log->count, suite_values(c, log),
                      e == NULL ? "nothing" : e->err.msg);
        }
        CHECK(e->ev.reader == r);
        CHECK(e->ev.tp.topic == tp.topic && e->ev.tp.part == tp.part);
        if (e->ev.kind == BUS_EV_RECORDS) {
            CHECK(e->ev.count > 0);
            take_records(file, line, c, log, &e->ev, from);
            log->end = -1;
        } else {
            CHECK(log->count == 0 || e->ev.offset > log->recs[log->count - 1].offset);
            log->end = e->ev.offset;
        }
    }
    if (log->count > max) {
        test_fail(file, line, "%s: %zu records instead of %zu: %s", suite_hooks.name, log->count, n,
                  suite_values(c, log));
    }
    bus_reader_free(r);
    return log;
}

struct suite_log *suite_read_at(const char *file, int line, struct suite_client *c,
                                struct bus_tp tp, int64_t from, size_t n)
{
    return read_until(file, line, c, tp, from, n, n, 0);
}

struct suite_log *suite_read_all(struct suite_client *c, struct bus_tp tp, int64_t from)
{
    return read_until(__FILE__, __LINE__, c, tp, from, 0, SIZE_MAX, suite_bounds(c, tp).end);
}

static void add_printable(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.ptr[i];
        (void)buf_add_byte(b, c < ' ' || c > '~' ? '?' : c);
    }
}

const char *suite_values(struct suite_client *c, const struct suite_log *log)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    for (size_t i = 0; i < log->count; i++) {
        struct slice v = log->recs[i].value;
        (void)buf_add_str(&b, i > 0 ? "," : "");
        add_printable(&b, v.ptr == NULL ? SLICE("-") : slice_sub(v, 0, 24));
    }
    char *text = arena_str(c->mem, slice_str(buf_cstr(&b)));
    buf_done(&b);
    return text;
}

struct suite_bounds suite_bounds(struct suite_client *c, struct bus_tp tp)
{
    struct err err;
    struct suite_ev *e;
    int64_t until = patient(c);
    do {
        uint64_t tag = suite_tag(c);
        CHECK_OK(bus_bounds(c->c, tp, tag, &err), err);
        e = end_of(c, BUS_EV_DONE, tag, until);
    } while (e == NULL);
    return (struct suite_bounds){e->ev.offset, e->ev.end};
}

int64_t suite_settled(struct suite_client *c, struct bus_tp tp)
{
    struct err err;
    struct suite_ev *e;
    int64_t until = patient(c);
    do {
        uint64_t tag = suite_tag(c);
        CHECK_OK(bus_settled(c->c, tp, tag, &err), err);
        e = end_of(c, BUS_EV_DONE, tag, until);
    } while (e == NULL);
    return e->ev.end;
}

int64_t suite_by_time(struct suite_client *c, struct bus_tp tp, int64_t time_ms)
{
    struct err err;
    struct suite_ev *e;
    int64_t until = patient(c);
    do {
        uint64_t tag = suite_tag(c);
        CHECK_OK(bus_by_time(c->c, tp, time_ms, tag, &err), err);
        e = end_of(c, BUS_EV_DONE, tag, until);
    } while (e == NULL);
    return e->ev.offset;
}

void suite_trim(struct suite_client *c, struct bus_tp tp, int64_t before)
{
    struct err err;
    uint64_t tag;
    int64_t until = patient(c);
    do {
        tag = suite_tag(c);
        CHECK_OK(bus_trim(c->c, tp, before, tag, &err), err);
    } while (end_of(c, BUS_EV_DONE, tag, until) == NULL);
}

void suite_maintain(struct suite_client *c)
{
    struct err err;
    uint64_t tag = suite_tag(c);
    CHECK_OK(bus_maintain(c->c, tag, &err), err);
    (void)suite_await(c, BUS_EV_DONE, tag);
}

void suite_fence(struct suite_client *c, const char *slot)
{
    struct err err;
    uint64_t tag;
    int64_t until = patient(c);
    do {
        tag = suite_tag(c);
        CHECK_OK(bus_fence(c->c, slice_str(slot), tag, &err), err);
    } while (end_of(c, BUS_EV_DONE, tag, until) == NULL);
}

enum err_code suite_refusal(struct suite_client *c, int rc, uint64_t tag)
{
    if (rc != 0) {
        return (enum err_code)(-rc);
    }
    struct suite_ev *e = suite_await(c, BUS_EV_ERROR, tag);
    CHECK(e->ev.err != NULL && e->err.msg[0] != '\0');
    return e->err.code;
}

struct slice suite_bytes(struct suite_client *c, size_t n, uint64_t seed)
{
    char *to = arena_alloc(c->mem, n + 1);
    CHECK(to != NULL);
    uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        to[i] = (char)(x >> 32);
    }
    return slice_of(to, n);
}
