/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the bus that is the same for all implementations: arguments are checked, topics get
 * their numbers, timers fire, names are printed. See bus.h for the contract, bus_impl.h for what
 * an implementation adds.
 */
#include "core/bus/bus_impl.h"

#include "core/base/mem.h"

#include <assert.h>

enum { TOPICS_MAX = 16384, PARTITIONS_MAX = 65536 };

static const struct bus_ops *const all_ops[] = {
    [BUS_LOCAL] = &bus_local_ops,
    [BUS_KAFKA] = &bus_kafka_ops,
    [BUS_SIM] = &bus_sim_ops,
};

static const char *const kind_names[] = {
#define BUS_KIND(name, number, doc) [number] = #name,
#include "core/bus/bus.def"
};

static const char *const ev_names[] = {
#define BUS_EV(name, number, doc) [number] = #name,
#include "core/bus/bus.def"
};

const char *bus_kind_name(enum bus_kind kind)
{
    return (size_t)kind < ARRAY_LEN(kind_names) ? kind_names[kind] : "?";
}

const char *bus_ev_name(enum bus_ev_kind kind)
{
    return (size_t)kind < ARRAY_LEN(ev_names) ? ev_names[kind] : "?";
}

static bool legal_name(struct slice name)
{
    if (name.len == 0 || name.len > BUS_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    return !slice_eq(name, SLICE(".")) && !slice_eq(name, SLICE(".."));
}

int bus_new(const struct bus_conf *conf, struct bus **ret_bus, struct err *reterr)
{
    assert(conf != NULL && ret_bus != NULL);
    struct slice prefix = slice_str(conf->prefix);
    if ((size_t)conf->kind >= ARRAY_LEN(all_ops) || all_ops[conf->kind] == NULL) {
        return err_set(reterr, ERR_USAGE, "there is no bus of kind %d", (int)conf->kind);
    }
    if (prefix.len > 0 && !legal_name(prefix)) {
        return err_set(reterr, ERR_USAGE,
                       "topic prefix '" SLICE_FMT "': letters, digits, '.', '_' and '-' only",
                       SLICE_ARG(prefix));
    }
    struct bus *b = NULL;
    int rc = all_ops[conf->kind]->bus_new(conf, &b, reterr);
    if (rc != 0) {
        return rc;
    }
    b->ops = all_ops[conf->kind];
    b->kind = conf->kind;
    b->prefix = mem_dup(prefix.ptr, prefix.len);
    b->writer_queue_bytes = conf->writer_queue_bytes > 0 ? conf->writer_queue_bytes : 64u << 20;
    b->reader_queue_bytes =
        conf->reader_queue_bytes > 0 ? conf->reader_queue_bytes : BUS_READER_QUEUE;
    *ret_bus = b;
    return 0;
}

void bus_free(struct bus *b)
{
    if (b != NULL) {
        char *prefix = b->prefix;
        b->ops->bus_free(b);
        mem_free(prefix);
    }
}

enum bus_kind bus_kind(const struct bus *b)
{
    return b->kind;
}

struct bus_stats bus_stats(const struct bus *b)
{
    return b->ops->stats(b);
}

struct bus_client *bus_client_new(struct bus *b, const char *name)
{
    assert(b != NULL && name != NULL);
    assert(b->ops->client_bytes >= sizeof(struct bus_client));
    struct bus_client *c = mem_zalloc(b->ops->client_bytes);
    c->bus = b;
    c->name = mem_dup(name, strlen(name));
    c->clock = clock_system();
    c->topics = intern_new(TOPICS_MAX, (size_t)TOPICS_MAX * BUS_NAME_MAX);
    bus_wake_init(&c->wake);
    b->ops->client_init(c);
    return c;
}

void bus_client_free(struct bus_client *c)
{
    if (c == NULL) {
        return;
    }
    c->bus->ops->client_done(c);
    bus_wake_done(&c->wake);
    bus_timers_done(&c->timers);
    intern_free(c->topics);
    mem_free(c->name);
    mem_free(c);
}

int bus_poll(struct bus_client *c, struct bus_ev *ret_evs, int max)
{
    assert(c != NULL && ret_evs != NULL);
    assert(max > 0);
    bus_wake_clear(&c->wake);
    int n = 0;
    uint64_t tag;
    int64_t now = clock_mono(&c->clock);
    while (n < max && bus_timers_take(&c->timers, now, &tag)) {
        ret_evs[n++] = (struct bus_ev){.kind = BUS_EV_TIMER, .tag = tag};
    }
    /* Called even when timers filled the array: what the last poll lent is given back there. */
    n += c->bus->ops->poll(c, ret_evs + n, max - n);
    assert(n <= max);
    if (n == max) {
        bus_wake_signal(&c->wake);
    }
    if (c->bus->ops->wait == NULL) {
        bus_wake_arm(&c->wake, bus_timers_next(&c->timers));
    }
    return n;
}

int bus_fd(const struct bus_client *c)
{
    return c->wake.epoll_fd;
}

void bus_hold(struct bus_client *c, bool held)
{
    if (c->held && !held) { /* what came meanwhile has waked already */
        bus_wake_signal(&c->wake);
    }
    c->held = held;
}

void bus_wait(struct bus_client *c, int64_t timeout_ns)
{
    if (c->bus->ops->wait != NULL) {
        c->bus->ops->wait(c, timeout_ns);
    } else {
        bus_wake_sleep(&c->wake, timeout_ns);
    }
}

const struct clock *bus_clock(const struct bus_client *c)
{
    return &c->clock;
}

void bus_at(struct bus_client *c, int64_t at_ns, uint64_t tag)
{
    bus_timers_set(&c->timers, at_ns, tag);
    if (c->bus->ops->wait == NULL) {
        bus_wake_arm(&c->wake, bus_timers_next(&c->timers));
    } else if (at_ns <= clock_mono(&c->clock)) {
        bus_wake_signal(&c->wake);
    }
}

void bus_at_cancel(struct bus_client *c, uint64_t tag)
{
    bus_timers_cancel(&c->timers, tag);
}

uint32_t bus_topic(struct bus_client *c, struct slice name)
{
    return legal_name(name) ? intern_id(c->topics, name) : 0;
}

struct slice bus_topic_name(const struct bus_client *c, uint32_t topic)
{
    return intern_text(c->topics, topic);
}

static int check_topic(const struct bus_client *c, uint32_t topic, struct err *reterr)
{
    if (topic == 0 || topic > intern_count(c->topics)) {
        return err_set(reterr, ERR_USAGE, "topic number %u is not one of this client's", topic);
    }
    return 0;
}

static int check_tp(const struct bus_client *c, struct bus_tp tp, struct err *reterr)
{
    int rc = check_topic(c, tp.topic, reterr);
    if (rc == 0 && tp.part >= PARTITIONS_MAX) {
        rc = err_set(reterr, ERR_RANGE, "partition %u: at most %d", tp.part, PARTITIONS_MAX - 1);
    }
    return rc;
}

static int check_name(const char *what, struct slice name, struct err *reterr)
{
    if (!legal_name(name)) {
        return err_set(reterr, ERR_USAGE,
                       "%s '" SLICE_FMT "': 1 to %d letters, digits, '.', '_' and '-'", what,
                       SLICE_ARG(name), BUS_NAME_MAX);
    }
    return 0;
}

static int check_spec(const struct bus_topic_spec *spec, struct err *reterr)
{
    int rc = check_name("topic", spec->name, reterr);
    if (rc != 0) {
        return rc;
    }
    if (spec->partitions == 0 || spec->partitions > PARTITIONS_MAX) {
        return err_set(reterr, ERR_RANGE, "topic " SLICE_FMT ": %u partitions: 1 to %d",
                       SLICE_ARG(spec->name), spec->partitions, PARTITIONS_MAX);
    }
    if (spec->cleanup < BUS_DELETE || spec->cleanup > BUS_COMPACT_DELETE) {
        return err_set(reterr, ERR_RANGE, "topic " SLICE_FMT ": there is no cleanup %d",
                       SLICE_ARG(spec->name), (int)spec->cleanup);
    }
    if (spec->retention_ms < -1 || spec->retention_bytes < -1) {
        return err_set(reterr, ERR_RANGE, "topic " SLICE_FMT ": retention below -1 (unlimited)",
                       SLICE_ARG(spec->name));
    }
    return 0;
}

int bus_ensure(struct bus_client *c, const struct bus_topic_spec *specs, uint32_t n, uint64_t tag,
               struct err *reterr)
{
    assert(specs != NULL && n > 0);
    for (uint32_t i = 0; i < n; i++) {
        int rc = check_spec(&specs[i], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    return c->bus->ops->ensure(c, specs, n, tag, reterr);
}

int bus_describe(struct bus_client *c, uint32_t topic, uint64_t tag, struct err *reterr)
{
    int rc = check_topic(c, topic, reterr);
    return rc != 0 ? rc : c->bus->ops->describe(c, topic, tag, reterr);
}

int bus_list(struct bus_client *c, uint64_t tag, struct err *reterr)
{
    return c->bus->ops->list(c, tag, reterr);
}

int bus_bounds(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr)
{
    int rc = check_tp(c, tp, reterr);
    return rc != 0 ? rc : c->bus->ops->bounds(c, tp, tag, reterr);
}

int bus_settled(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr)
{
    int rc = check_tp(c, tp, reterr);
    return rc != 0 ? rc : c->bus->ops->settled(c, tp, tag, reterr);
}

int bus_by_time(struct bus_client *c, struct bus_tp tp, int64_t time_ms, uint64_t tag,
                struct err *reterr)
{
    int rc = check_tp(c, tp, reterr);
    return rc != 0 ? rc : c->bus->ops->by_time(c, tp, time_ms, tag, reterr);
}

int bus_trim(struct bus_client *c, struct bus_tp tp, int64_t before, uint64_t tag,
             struct err *reterr)
{
    int rc = check_tp(c, tp, reterr);
    return rc != 0 ? rc : c->bus->ops->trim(c, tp, before, tag, reterr);
}

int bus_maintain(struct bus_client *c, uint64_t tag, struct err *reterr)
{
    return c->bus->ops->maintain(c, tag, reterr);
}

int bus_fence(struct bus_client *c, struct slice slot, uint64_t tag, struct err *reterr)
{
    int rc = check_name("slot", slot, reterr);
    return rc != 0 ? rc : c->bus->ops->fence(c, slot, tag, reterr);
}

int bus_elect(struct bus_client *c, struct slice name, uint64_t tag, struct err *reterr)
{
    int rc = check_name("election", name, reterr);
    return rc != 0 ? rc : c->bus->ops->elect(c, name, tag, reterr);
}

void bus_resign(struct bus_client *c, struct slice name)
{
    c->bus->ops->resign(c, name);
}

struct bus_reader *bus_reader_new(struct bus_client *c)
{
    struct bus_reader *r = c->bus->ops->reader_new(c);
    r->client = c;
    return r;
}

void bus_reader_free(struct bus_reader *r)
{
    if (r != NULL) {
        r->client->bus->ops->reader_free(r);
    }
}

int bus_assign(struct bus_reader *r, struct bus_tp tp, int64_t from, uint64_t tag,
               struct err *reterr)
{
    int rc = check_tp(r->client, tp, reterr);
    return rc != 0 ? rc : r->client->bus->ops->assign(r, tp, from, tag, reterr);
}

void bus_unassign(struct bus_reader *r, struct bus_tp tp)
{
    r->client->bus->ops->unassign(r, tp);
}

int bus_seek(struct bus_reader *r, struct bus_tp tp, int64_t to, struct err *reterr)
{
    return r->client->bus->ops->seek(r, tp, to, reterr);
}

int bus_pause(struct bus_reader *r, struct bus_tp tp, bool paused, struct err *reterr)
{
    return r->client->bus->ops->pause(r, tp, paused, reterr);
}

int bus_open(struct bus_client *c, struct slice slot, uint64_t tag, struct bus_writer **ret_writer,
             struct err *reterr)
{
    assert(ret_writer != NULL);
    struct bus_writer *w = NULL;
    int rc = slot.len > 0 ? check_name("slot", slot, reterr) : 0;
    rc = rc != 0 ? rc : c->bus->ops->open(c, slot, tag, &w, reterr);
    if (rc == 0) {
        w->client = c;
        w->plain = slot.len == 0;
        *ret_writer = w;
    }
    return rc;
}

void bus_writer_close(struct bus_writer *w)
{
    if (w != NULL) {
        w->client->bus->ops->writer_close(w);
    }
}

size_t bus_put_bytes(const struct bus_put *put)
{
    size_t n = put->key.len + put->value.len;
    for (uint32_t i = 0; i < put->header_count; i++) {
        n += put->headers[i].name.len + put->headers[i].value.len;
    }
    return n;
}

size_t bus_put_charge(const struct bus_put *put)
{
    return MAX(bus_put_bytes(put), (size_t)BUS_CHARGE_LEAST);
}

int bus_put(struct bus_writer *w, const struct bus_put *put, struct err *reterr)
{
    assert(w != NULL && put != NULL);
    int rc = check_tp(w->client, put->to, reterr);
    if (rc != 0) {
        return rc;
    }
    if (put->header_count > BUS_HEADERS_MAX) {
        return err_set(reterr, ERR_TOO_BIG, "%u record headers: at most %d", put->header_count,
                       BUS_HEADERS_MAX);
    }
    size_t bytes = bus_put_bytes(put);
    if (bytes > BUS_RECORD_MAX) {
        return err_set(reterr, ERR_TOO_BIG, "record of %zu bytes: at most %d", bytes,
                       BUS_RECORD_MAX);
    }
    return w->client->bus->ops->put(w, put, reterr);
}

int bus_commit(struct bus_writer *w, uint64_t tag, struct err *reterr)
{
    if (w->plain) {
        return err_set(reterr, ERR_USAGE, "a plain writer has no transactions to commit");
    }
    return w->client->bus->ops->commit(w, tag, reterr);
}

int bus_abort(struct bus_writer *w, uint64_t tag, struct err *reterr)
{
    if (w->plain) {
        return err_set(reterr, ERR_USAGE, "a plain writer has no transactions to abort");
    }
    return w->client->bus->ops->abort(w, tag, reterr);
}
