/* SPDX-License-Identifier: Apache-2.0
 *
 * The clients of the behaviour suite: their inboxes and waiting. Events are copied whole, because
 * what the bus lends ends at the next poll. The number of events asked for at a poll differs from
 * poll to poll, so that every test also tests that.
 */
#include "tests/bus/suite.h"

#include "core/base/buf.h"
#include "core/base/mem.h"

#include <inttypes.h>

#define ARENA_BYTES ((size_t)4 << 30)

void suite_begin(struct suite *s, const struct suite_opts *opts)
{
    *s = (struct suite){.mem = arena_new(NULL, "suite", ARENA_BYTES)};
    struct bus_conf conf = {.kind = suite_hooks.kind, .prefix = "kaiju."};
    struct err err;
    if (opts != NULL) {
        s->opts = *opts;
    }
    conf.writer_queue_bytes = s->opts.writer_queue_bytes;
    suite_hooks.conf(&s->opts, false, &conf);
    CHECK_OK(bus_new(&conf, &s->bus, &err), err);
}

void suite_client_free(struct suite_client *c)
{
    bus_client_free(c->c);
    c->c = NULL;
}

static void free_all(struct suite *s)
{
    for (uint32_t i = 0; i < s->client_count; i++) {
        suite_client_free(s->clients[i]);
    }
    bus_free(s->bus);
    s->bus = NULL;
}

void suite_end(struct suite *s)
{
    free_all(s);
    for (uint32_t i = 0; i < s->client_count; i++) {
        VEC_DONE(&s->clients[i]->inbox);
        arena_free(s->clients[i]->mem);
    }
    arena_free(s->mem);
}

void suite_crash(struct suite *s)
{
    if (suite_hooks.crash != NULL) {
        suite_hooks.crash(s);
    } else {
        free_all(s);
    }
    if (s->bus == NULL) {
        struct bus_conf conf = {.kind = suite_hooks.kind, .prefix = "kaiju."};
        struct err err;
        conf.writer_queue_bytes = s->opts.writer_queue_bytes;
        suite_hooks.conf(&s->opts, true, &conf);
        CHECK_OK(bus_new(&conf, &s->bus, &err), err);
    }
}

struct suite_client *suite_client(struct suite *s, const char *name)
{
    CHECK(s->client_count < SUITE_CLIENTS_MAX);
    struct suite_client *c = ARENA_NEW(s->mem, struct suite_client);
    c->suite = s;
    c->c = bus_client_new(s->bus, name);
    c->name = name;
    c->mem = arena_new(NULL, "suite client", ARENA_BYTES);
    s->clients[s->client_count++] = c;
    return c;
}

uint64_t suite_tag(struct suite_client *c)
{
    return ++c->next_tag;
}

int64_t suite_now(struct suite_client *c)
{
    return clock_mono(bus_clock(c->c));
}

static struct bus_header *copy_headers(struct arena *a, const struct bus_record *r)
{
    struct bus_header *to = arena_array(a, r->header_count, sizeof *to);
    for (uint32_t i = 0; i < r->header_count; i++) {
        to[i].name = arena_copy(a, r->headers[i].name);
        to[i].value = arena_copy(a, r->headers[i].value);
        if (r->headers[i].value.ptr != NULL && to[i].value.ptr == NULL) {
            to[i].value.ptr = "";
        }
    }
    return to;
}

static struct slice copy_slice(struct arena *a, struct slice s)
{
    struct slice to = s.len > 0 ? arena_copy(a, s) : SLICE("");
    return s.ptr == NULL ? SLICE_NONE : to;
}

static void copy_arrays(struct arena *a, struct bus_ev *ev)
{
    if (ev->records != NULL) {
        struct bus_record *to = arena_array(a, ev->count, sizeof *to);
        for (uint32_t i = 0; i < ev->count; i++) {
            to[i] = ev->records[i];
            to[i].key = copy_slice(a, to[i].key);
            to[i].value = copy_slice(a, to[i].value);
            to[i].headers = copy_headers(a, &ev->records[i]);
        }
        ev->records = to;
    }
    if (ev->spans != NULL) {
        struct bus_span *to = arena_array(a, ev->count, sizeof *to);
        memcpy(to, ev->spans, ev->count * sizeof *to);
        ev->spans = to;
    }
    if (ev->topics != NULL) {
        struct bus_topic_spec *to = arena_array(a, ev->count, sizeof *to);
        for (uint32_t i = 0; i < ev->count; i++) {
            to[i] = ev->topics[i];
            to[i].name = copy_slice(a, to[i].name);
        }
        ev->topics = to;
    }
}

/* What every event must be. */
static void check_ev(const struct suite_client *c, const struct bus_ev *ev)
{
    const uint32_t failures = SUITE_BIT(BUS_EV_ABORTED) | SUITE_BIT(BUS_EV_UNKNOWN) |
                              SUITE_BIT(BUS_EV_REFUSED) | SUITE_BIT(BUS_EV_FULL) |
                              SUITE_BIT(BUS_EV_ERROR);
    const uint32_t ends = SUITE_BIT(BUS_EV_UNKNOWN) | SUITE_BIT(BUS_EV_FENCED);
    bool failed = (failures & SUITE_BIT(ev->kind)) != 0;
    bool of_reader = ev->kind == BUS_EV_RECORDS || ev->kind == BUS_EV_END;
    if ((failed && (ev->err == NULL || ev->err->code == ERR_OK || ev->err->msg[0] == '\0')) ||
        (!failed && ev->err != NULL) ||
        ((ends & SUITE_BIT(ev->kind)) != 0 && (!ev->reopen || ev->writer == NULL)) ||
        (of_reader && ev->reader == NULL) || (ev->kind == BUS_EV_RECORDS && ev->count == 0)) {
        test_fail(__FILE__, __LINE__, "%s, client %s: %s breaks the form of its kind",
                  suite_hooks.name, c->name, bus_ev_name(ev->kind));
    }
}

static void take_in(struct suite_client *c, const struct bus_ev *ev)
{
    check_ev(c, ev);
    struct suite_ev *to = ARENA_NEW(c->mem, struct suite_ev);
    to->ev = *ev;
    copy_arrays(c->mem, &to->ev);
    if (ev->err != NULL) {
        to->err = *ev->err;
        to->ev.err = &to->err;
    }
    *VEC_PUSH(&c->inbox) = to;
}

int suite_pump(struct suite_client *c, int64_t timeout_ns)
{
    static const int sizes[] = {64, 1, 7, 2, 128};
    struct bus_ev evs[128];
    int n = bus_poll(c->c, evs, sizes[c->polls++ % ARRAY_LEN(sizes)]);
    if (n == 0 && timeout_ns > 0) {
        bus_wait(c->c, timeout_ns);
        n = bus_poll(c->c, evs, sizes[c->polls++ % ARRAY_LEN(sizes)]);
    }
    for (int i = 0; i < n; i++) {
        take_in(c, &evs[i]);
    }
    return n;
}

struct suite_ev *suite_next(struct suite_client *c, uint32_t kinds, uint64_t tag,
                            int64_t timeout_ns)
{
    int64_t until = suite_now(c) + timeout_ns;
    size_t seen = 0;
    for (;;) {
        for (; seen < c->inbox.len; seen++) {
            struct suite_ev *e = c->inbox.ptr[seen];
            if ((kinds & SUITE_BIT(e->ev.kind)) != 0 &&
                (tag == SUITE_ANY_TAG || tag == e->ev.tag)) {
                VEC_REMOVE(&c->inbox, seen);
                return e;
            }
        }
        int64_t left = until - suite_now(c);
        if (suite_pump(c, left) == 0 && left <= 0) {
            return NULL;
        }
    }
}

static const char *ev_text(struct suite_client *c, const struct suite_ev *e)
{
    return arena_printf(c->mem, "%s tag %" PRIu64 " offset %" PRId64 " count %u%s%s%s",
                        bus_ev_name(e->ev.kind), e->ev.tag, e->ev.offset, e->ev.count,
                        e->ev.reopen ? " reopen" : "", e->ev.err != NULL ? ": " : "",
                        e->ev.err != NULL ? e->err.msg : "");
}

static const char *inbox_text(struct suite_client *c)
{
    struct buf b;
    buf_init(&b, 4096);
    VEC_EACH (&c->inbox, e) {
        (void)buf_addf(&b, "\n    %s", ev_text(c, *e));
    }
    char *text = arena_str(c->mem, slice_str(buf_cstr(&b)));
    buf_done(&b);
    return text;
}

/* An end of the same operation, but another one. */
static struct suite_ev *other_end(struct suite_client *c, enum bus_ev_kind kind, uint64_t tag)
{
    const uint32_t reading = SUITE_BIT(BUS_EV_RECORDS) | SUITE_BIT(BUS_EV_END);
    VEC_EACH (&c->inbox, e) {
        if ((*e)->ev.tag == tag && (*e)->ev.kind != kind &&
            (SUITE_BIT((*e)->ev.kind) & reading) == 0) {
            return *e;
        }
    }
    return NULL;
}

struct suite_ev *suite_await_at(const char *file, int line, struct suite_client *c,
                                enum bus_ev_kind kind, uint64_t tag)
{
    int64_t until = suite_now(c) + suite_hooks.patience_ns;
    do {
        struct suite_ev *e = suite_next(c, SUITE_BIT(kind), tag, 0);
        if (e != NULL) {
            return e;
        }
        e = tag != SUITE_ANY_TAG ? other_end(c, kind, tag) : NULL;
        if (e != NULL) {
            test_fail(file, line, "%s, client %s: waiting for %s tag %" PRIu64 ", got %s",
                      suite_hooks.name, c->name, bus_ev_name(kind), tag, ev_text(c, e));
        }
        (void)suite_pump(c, until - suite_now(c));
    } while (suite_now(c) < until);
    test_fail(file, line,
              "%s, client %s: waited %" PRId64 " ms for %s tag %" PRId64 ", in the inbox:%s",
              suite_hooks.name, c->name, suite_hooks.patience_ns / CLOCK_NS_PER_MS,
              bus_ev_name(kind), (int64_t)tag, inbox_text(c));
}

void suite_quiet_at(const char *file, int line, struct suite_client *c, uint32_t kinds,
                    uint64_t tag)
{
    struct suite_ev *e = suite_next(c, kinds, tag, suite_hooks.quiet_ns);
    if (e != NULL) {
        test_fail(file, line, "%s, client %s: nothing should have come, but %s", suite_hooks.name,
                  c->name, ev_text(c, e));
    }
}

void suite_sleep(struct suite_client *c, int64_t ns)
{
    int64_t until = suite_now(c) + ns;
    while (suite_now(c) < until) {
        (void)suite_pump(c, until - suite_now(c));
    }
}

void suite_pass(struct suite *s, int64_t ns)
{
    if (suite_hooks.pass != NULL) {
        suite_hooks.pass(s, ns);
    } else {
        clock_sleep_ns(ns);
    }
}
