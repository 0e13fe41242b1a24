/* SPDX-License-Identifier: Apache-2.0
 *
 * See tape.h. What arrives is copied, a block of memory for each record, into the tape's queue.
 */
#include "operators/replay/tape.h"

#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>

enum { READERS = 2, EVENTS = 32, QUEUE_MAX = 4 << 20, TAG_ASK = 1, TAG_TAPES = 16 };

#define WAIT_NS (50 * CLOCK_NS_PER_MS)

struct item {
    struct bus_record r;
    size_t bytes;
};

struct tape {
    struct tapes *all;
    struct bus_reader *reader;
    struct bus_tp tp;
    int64_t start, end;
    VEC(struct item *) queue;
    size_t at; /* in it; what lies before was given */
    size_t bytes;
    bool assigned, paused, over, again;
    struct err failed;
};

struct tapes {
    struct bus_client *bus;
    struct bus_reader *readers[READERS]; /* a reader has a partition once */
    int64_t timeout_ns;
    VEC(struct tape *) tapes; /* NULL: closed */
    struct bus_ev answer;     /* of the question under way */
    struct err why;
    bool answered;
    uint32_t partitions;
};

struct tapes *tapes_new(struct bus_client *bus, int64_t timeout_ns)
{
    struct tapes *s = MEM_NEW(struct tapes);
    s->bus = bus;
    s->timeout_ns = timeout_ns;
    for (size_t i = 0; i < READERS; i++) {
        s->readers[i] = bus_reader_new(bus);
    }
    return s;
}

void tapes_free(struct tapes *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->tapes.len; i++) {
        tape_close(s->tapes.ptr[i]);
    }
    VEC_DONE(&s->tapes);
    for (size_t i = 0; i < READERS; i++) {
        bus_reader_free(s->readers[i]);
    }
    mem_free(s);
}

/* ---- what arrives ---- */

static struct slice copy_to(char **to, struct slice s)
{
    char *at = *to;
    if (s.ptr == NULL) {
        return SLICE_NONE;
    }
    memcpy(at, s.ptr, s.len);
    *to = at + s.len;
    return slice_of(at, s.len);
}

static struct item *item_new(const struct bus_record *r)
{
    size_t n = r->key.len + r->value.len;
    for (uint32_t i = 0; i < r->header_count; i++) {
        n += r->headers[i].name.len + r->headers[i].value.len;
    }
    struct item *it = mem_zalloc(sizeof *it + r->header_count * sizeof *r->headers + n + 1);
    struct bus_header *heads = (struct bus_header *)(it + 1);
    char *to = (char *)(heads + r->header_count);
    it->bytes = n + sizeof *it;
    it->r = (struct bus_record){.offset = r->offset,
                                .time_ms = r->time_ms,
                                .key = copy_to(&to, r->key),
                                .value = copy_to(&to, r->value),
                                .headers = heads,
                                .header_count = r->header_count};
    for (uint32_t i = 0; i < r->header_count; i++) {
        heads[i] = (struct bus_header){copy_to(&to, r->headers[i].name),
                                       copy_to(&to, r->headers[i].value)};
    }
    return it;
}

static void hold_back(struct tape *t)
{
    struct err err;
    bool full = t->bytes > QUEUE_MAX;
    if (t->assigned && full != t->paused && bus_pause(t->reader, t->tp, full, &err) == 0) {
        t->paused = full;
    }
}

static void of_tape(struct tape *t, const struct bus_ev *ev)
{
    for (uint32_t i = 0; ev->kind == BUS_EV_RECORDS && i < ev->count; i++) {
        t->over |= ev->records[i].offset + 1 >= t->end;
        if (ev->records[i].offset < t->end) {
            struct item *it = item_new(&ev->records[i]);
            t->bytes += it->bytes;
            *VEC_PUSH(&t->queue) = it;
        }
    }
    t->over |= ev->kind == BUS_EV_END && ev->offset >= t->end;
    if (ev->kind == BUS_EV_ERROR) {
        t->failed = *ev->err;
    }
    if (t->over && t->assigned) {
        bus_unassign(t->reader, t->tp);
        t->assigned = false;
    }
    hold_back(t);
}

static bool poll(struct tapes *s)
{
    struct bus_ev ev[EVENTS];
    int n = bus_poll(s->bus, ev, EVENTS);
    for (int i = 0; i < n; i++) {
        uint64_t at = ev[i].tag - TAG_TAPES;
        if (ev[i].tag == TAG_ASK && (ev[i].kind == BUS_EV_DONE || ev[i].kind == BUS_EV_ERROR)) {
            s->answered = true;
            s->answer = ev[i];
            s->why = ev[i].err != NULL ? *ev[i].err : (struct err){0};
            s->partitions =
                ev[i].topics != NULL && ev[i].count > 0 ? ev[i].topics[0].partitions : 0;
        } else if (ev[i].tag >= TAG_TAPES && at < s->tapes.len && s->tapes.ptr[at] != NULL) {
            of_tape(s->tapes.ptr[at], &ev[i]);
        }
    }
    return n > 0;
}

static int silent(const struct tapes *s, struct err *reterr)
{
    return err_set(reterr, ERR_TIMEOUT, "the bus gave no answer within %lld ms; see --timeout",
                   (long long)(s->timeout_ns / CLOCK_NS_PER_MS));
}

/* rc: of the call that asked. */
static int answer(struct tapes *s, int rc, struct err *reterr)
{
    int64_t until = clock_mono(bus_clock(s->bus)) + s->timeout_ns;
    for (s->answered = false; rc == 0 && !s->answered;) {
        if (!poll(s)) {
            bus_wait(s->bus, WAIT_NS);
        }
        if (clock_mono(bus_clock(s->bus)) > until) {
            return silent(s, reterr);
        }
    }
    if (rc == 0 && s->answer.kind == BUS_EV_ERROR) {
        *reterr = s->why;
        rc = -(int)s->why.code;
    }
    return rc;
}

int tapes_partitions(struct tapes *s, struct slice topic, uint32_t *ret, struct err *reterr)
{
    uint32_t id = bus_topic(s->bus, topic);
    if (id == 0) {
        return err_set(reterr, ERR_USAGE, "'" SLICE_FMT "' is no name of a topic",
                       SLICE_ARG(topic));
    }
    int rc = answer(s, bus_describe(s->bus, id, TAG_ASK, reterr), reterr);
    if (rc == 0) {
        *ret = s->partitions;
    }
    return rc;
}

int tapes_by_time(struct tapes *s, struct slice topic, uint32_t part, int64_t time_ms,
                  int64_t *ret_offset, struct err *reterr)
{
    struct bus_tp tp = {bus_topic(s->bus, topic), part};
    int rc = answer(s, bus_by_time(s->bus, tp, time_ms, TAG_ASK, reterr), reterr);
    if (rc == 0) {
        *ret_offset = s->answer.offset;
    }
    return rc;
}

/* ---- a tape ---- */

/* The first that does not have the partition. */
static struct bus_reader *reader_for(const struct tapes *s, struct bus_tp tp)
{
    size_t at = 0;
    VEC_EACH (&s->tapes, of) {
        const struct tape *t = *of;
        bool has = t != NULL && t->assigned && t->tp.topic == tp.topic && t->tp.part == tp.part;
        at += has && t->reader == s->readers[at] && at + 1 < READERS;
    }
    return s->readers[at];
}

int tape_open(struct tapes *s, struct slice topic, uint32_t part, int64_t from, struct tape **ret,
              struct err *reterr)
{
    struct bus_tp tp = {bus_topic(s->bus, topic), part};
    int rc = answer(s, bus_bounds(s->bus, tp, TAG_ASK, reterr), reterr);
    if (rc != 0) {
        return err_wrap(reterr, SLICE_FMT " partition %u", SLICE_ARG(topic), part);
    }
    struct tape *t = MEM_NEW(struct tape);
    *t = (struct tape){.all = s, .tp = tp, .start = s->answer.offset, .end = s->answer.end};
    from = MAX(from, t->start);
    t->over = from >= t->end;
    *VEC_PUSH(&s->tapes) = t;
    if (!t->over) {
        t->reader = reader_for(s, tp);
        rc = bus_assign(t->reader, tp, from, TAG_TAPES + s->tapes.len - 1, reterr);
        t->assigned = rc == 0;
    }
    if (rc != 0) {
        tape_close(t);
        return err_wrap(reterr, SLICE_FMT " partition %u", SLICE_ARG(topic), part);
    }
    *ret = t;
    return 0;
}

static void drop_given(struct tape *t)
{
    if (t->at == 0) {
        return;
    }
    for (size_t i = 0; i < t->at; i++) {
        mem_free(t->queue.ptr[i]);
    }
    memmove(t->queue.ptr, t->queue.ptr + t->at, (t->queue.len - t->at) * sizeof *t->queue.ptr);
    t->queue.len -= t->at;
    t->at = 0;
}

void tape_close(struct tape *t)
{
    if (t == NULL) {
        return;
    }
    if (t->assigned) {
        bus_unassign(t->reader, t->tp);
    }
    VEC_EACH (&t->all->tapes, at) {
        *at = *at == t ? NULL : *at;
    }
    VEC_EACH (&t->queue, it) {
        mem_free(*it);
    }
    VEC_DONE(&t->queue);
    mem_free(t);
}

int64_t tape_start(const struct tape *t)
{
    return t->start;
}

int tape_next(struct tape *t, const struct bus_record **ret, struct err *reterr)
{
    enum { GIVEN_MAX = 64 };
    if (t->again) {
        assert(t->at > 0);
        t->again = false;
        *ret = &t->queue.ptr[t->at - 1]->r;
        return 1;
    }
    int64_t until = clock_mono(bus_clock(t->all->bus)) + t->all->timeout_ns;
    while (t->at == t->queue.len && !t->over) {
        if (t->failed.code != 0) {
            *reterr = t->failed;
            return -(int)t->failed.code;
        }
        if (!poll(t->all)) {
            bus_wait(t->all->bus, WAIT_NS);
            if (clock_mono(bus_clock(t->all->bus)) > until) {
                return silent(t->all, reterr);
            }
        }
    }
    if (t->at >= GIVEN_MAX || t->at == t->queue.len) {
        drop_given(t);
    }
    if (t->queue.len == 0) {
        return 0;
    }
    struct item *it = t->queue.ptr[t->at++];
    t->bytes -= it->bytes;
    hold_back(t);
    *ret = &it->r;
    return 1;
}

void tape_back(struct tape *t)
{
    assert(t->at > 0 && !t->again);
    t->again = true;
}
