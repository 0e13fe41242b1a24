/* SPDX-License-Identifier: Apache-2.0
 *
 * The watcher reads every partition all the time, seeks back and forth, pauses, and holds the bus
 * to what it has shown once: the same records at the same offsets, nothing new before an END. The
 * feeder puts plainly and remembers how each put ended.
 */
#include "tests/bus/model.h"

#include "core/base/hash.h"

#include <inttypes.h>
#include <stdio.h>

enum { TAG_PARTS = 1000, TAG_TRIM = 1, TAG_MAINTAIN = 2 };

static struct bus_tp tp_of(struct model *m, const struct model_part *p)
{
    return (struct bus_tp){bus_topic(m->watcher, slice_str(p->topic)), p->part};
}

static void watch(struct model *m, const char *topic, uint32_t parts)
{
    for (uint32_t i = 0; i < parts; i++) {
        struct model_part *p = VEC_PUSH(&m->parts);
        struct err err;
        p->topic = topic;
        p->part = i;
        p->end = p->from = p->start = -1;
        CHECK_OK(
            bus_assign(m->reader, tp_of(m, p), BUS_FROM_START, TAG_PARTS + m->parts.len - 1, &err),
            err);
    }
}

void model_watch_start(struct model *m)
{
    m->reader = bus_reader_new(m->watcher);
    watch(m, "out", m->conf->parts);
    watch(m, "journal", m->conf->lineages);
    watch(m, "raw", m->conf->parts);
}

static uint64_t hash_of(const struct bus_record *r)
{
    return hash_fast(r->value) ^ hash_fast(r->key) * 3;
}

/* The first one known at or after the offset. */
static size_t find(const struct model_part *p, int64_t offset)
{
    size_t i = p->seen.len;
    while (i > 0 && p->seen.ptr[i - 1].offset >= offset) {
        i--;
    }
    return i;
}

static void saw(struct model *m, struct model_part *p, const struct bus_record *r)
{
    struct model_seen now = {r->offset, hash_of(r)};
    while (p->at < p->seen.len && p->seen.ptr[p->at].offset < MIN(p->start, now.offset)) {
        p->at++; /* trimmed since */
    }
    if (p->at < p->seen.len) {
        const struct model_seen *was = &p->seen.ptr[p->at];
        if (was->offset != now.offset || was->hash != now.hash) {
            model_fail(m, "%s/%u: offset %" PRId64 " is read where %" PRId64 " was read before",
                       p->topic, p->part, now.offset, was->offset);
        }
    } else {
        if (now.offset < p->end || now.offset < p->from ||
            (p->seen.len > 0 && now.offset <= VEC_LAST(&p->seen)->offset)) {
            model_fail(m, "%s/%u: offset %" PRId64 " appeared before the end %" PRId64, p->topic,
                       p->part, now.offset, p->end);
        }
        *VEC_PUSH(&p->seen) = now;
    }
    p->at++;
}

void model_watch_event(struct model *m, const struct bus_ev *ev)
{
    if (ev->tag < TAG_PARTS || ev->tag - TAG_PARTS >= m->parts.len) {
        m->trimming = m->trimming && ev->tag != TAG_TRIM;
        return;
    }
    struct model_part *p = &m->parts.ptr[ev->tag - TAG_PARTS];
    if (ev->kind == BUS_EV_RECORDS) {
        for (uint32_t i = 0; i < ev->count; i++) {
            saw(m, p, &ev->records[i]);
        }
    } else if (ev->kind == BUS_EV_END) {
        while (p->at < p->seen.len && p->seen.ptr[p->at].offset < p->start) {
            p->at++;
        }
        if (p->at < p->seen.len && p->seen.ptr[p->at].offset < ev->offset) {
            model_fail(m, "%s/%u: END %" PRId64 ", but offset %" PRId64 " was not given", p->topic,
                       p->part, ev->offset, p->seen.ptr[p->at].offset);
        }
        p->end = MAX(p->end, ev->offset);
    } else if (ev->err != NULL && ev->err->code == ERR_GONE) {
        struct err err;
        if (p->start < 0 || ev->offset > p->start) {
            model_fail(m, "%s/%u: gone up to %" PRId64 ", nobody trimmed that", p->topic, p->part,
                       ev->offset);
        }
        CHECK_OK(bus_seek(m->reader, tp_of(m, p), ev->offset, &err), err);
        p->at = find(p, ev->offset);
    } else {
        model_fail(m, "%s/%u: %s %s", p->topic, p->part, bus_ev_name(ev->kind),
                   ev->err != NULL ? ev->err->msg : "");
    }
}

void model_watch_step(struct model *m)
{
    struct err err;
    size_t i = model_random(m, m->parts.len);
    struct model_part *p = &m->parts.ptr[i];
    if (model_chance(m, 0.05) && p->seen.len > 0) {
        p->at = p->seen.len - 1 - model_random(m, MIN(p->seen.len, 100));
        p->from = p->seen.ptr[p->at].offset;
        CHECK_OK(bus_seek(m->reader, tp_of(m, p), p->from, &err), err);
    } else if (model_chance(m, 0.1)) {
        CHECK_OK(bus_pause(m->reader, tp_of(m, p), model_chance(m, 0.3), &err), err);
    } else if (model_chance(m, m->conf->trim) && p->topic[0] == 'r' && p->seen.len > 20 &&
               !m->trimming) { /* one at a time: a trim may wait for replicas */
        m->trimming = true;
        p->start = MAX(p->start, p->seen.ptr[p->seen.len / 4].offset);
        CHECK_OK(bus_trim(m->watcher, tp_of(m, p), p->start, TAG_TRIM, &err), err);
    }
    if (model_chance(m, 0.02)) {
        CHECK_OK(bus_maintain(m->watcher, TAG_MAINTAIN, &err), err);
    }
}

void model_feed_start(struct model *m)
{
    struct err err;
    m->plain_open = false;
    m->fed_from = m->puts.len;
    m->writers++;
    CHECK_OK(bus_open(m->feeder, SLICE(""), 1, &m->plain, &err), err);
}

void model_feed_event(struct model *m, const struct bus_ev *ev)
{
    if (ev->kind == BUS_EV_OPENED) {
        m->plain_open = true;
    } else if (ev->kind == BUS_EV_ERROR) {
        bus_writer_close(m->plain);
        model_feed_start(m);
    } else {
        bool delivered = ev->kind == BUS_EV_DELIVERED;
        if ((!delivered && ev->kind != BUS_EV_REFUSED) || ev->tag >= m->puts.len ||
            m->puts.ptr[ev->tag].rc != ERR_AGAIN) {
            model_fail(m, "%s of put %" PRIu64, bus_ev_name(ev->kind), ev->tag);
        }
        m->puts.ptr[ev->tag].offset = ev->offset;
        m->puts.ptr[ev->tag].rc = delivered ? ERR_OK : ev->err->code;
        m->waiting--;
    }
}

void model_feed_step(struct model *m)
{
    if (!m->plain_open || m->waiting > 100 || m->puts.len >= 20 * (uint64_t)m->conf->txns ||
        !model_chance(m, 0.2)) {
        return;
    }
    if (model_chance(m, m->conf->crash)) { /* what is in flight may arrive or not */
        m->conf->kill != NULL ? m->conf->kill(m->feeder) : bus_client_free(m->feeder);
        m->feeder = bus_client_new(m->bus, "feeder");
        m->waiting = 0;
        for (size_t i = m->fed_from; i < m->puts.len; i++) {
            struct model_put *p = &m->puts.ptr[i];
            p->rc = p->rc == ERR_AGAIN ? ERR_UNKNOWN : p->rc;
        }
        model_feed_start(m);
        return;
    }
    uint32_t part = (uint32_t)model_random(m, m->conf->parts);
    char value[24];
    struct bus_put put = {
        .to = {bus_topic(m->feeder, SLICE("raw")), part}, .key = SLICE("k"), .token = m->puts.len};
    put.value = slice_of(value, (size_t)snprintf(value, sizeof value, "%zu", m->puts.len));
    struct err err;
    int rc = bus_put(m->plain, &put, &err);
    if (rc != -ERR_AGAIN) {
        CHECK_OK(rc, err);
        *VEC_PUSH(&m->puts) = (struct model_put){part, m->writers - 1, -1, ERR_AGAIN};
        m->waiting++;
    }
}
