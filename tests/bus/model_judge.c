/* SPDX-License-Identifier: Apache-2.0
 *
 * The last judgement: everything is read once more and held against what must be there.
 */
#include "tests/bus/model.h"

#include "core/base/mem.h"

#include <inttypes.h>
#include <stdio.h>

/* The next record of a lineage that belongs into the partition. */
struct cursor {
    int64_t n;
    uint32_t i;
};

static bool expect(const struct model *m, uint32_t lineage, const char *topic, uint32_t part,
                   struct cursor *c, struct model_record *ret)
{
    for (; c->n < m->conf->txns; c->n++, c->i = 0) {
        for (; c->i < model_txn_count(lineage, c->n); c->i++) {
            *ret = model_txn_record(m, lineage, c->n, c->i);
            if (ret->part == part && slice_eq(slice_str(ret->topic), slice_str(topic))) {
                c->i++;
                return true;
            }
        }
    }
    return false;
}

struct reading {
    struct model *m;
    const char *topic;
    uint32_t part;
    struct cursor cursors[MODEL_LINEAGES_MAX];
    int64_t *last_puts; /* of each plain writer */
    uint64_t found;
};

static void judge_txn_record(struct reading *rd, const struct bus_record *r)
{
    struct model_record want;
    int64_t lineage = -1;
    if (!slice_to_i64(r->key, &lineage) || lineage < 0 || lineage >= rd->m->conf->lineages) {
        model_fail(rd->m, "%s/%u: a record of nobody", rd->topic, rd->part);
    }
    bool more = expect(rd->m, (uint32_t)lineage, rd->topic, rd->part, &rd->cursors[lineage], &want);
    if (!more || !slice_eq(r->value, slice_str(want.value))) {
        model_fail(rd->m, "%s/%u offset %" PRId64 ": '" SLICE_FMT "' where '%s' should be",
                   rd->topic, rd->part, r->offset, SLICE_ARG(r->value),
                   more ? want.value : "nothing more");
    }
    if (r->header_count != 1 || !slice_eq(r->headers[0].value, r->key)) {
        model_fail(rd->m, "%s/%u: the header is lost", rd->topic, rd->part);
    }
}

static void judge_plain_record(struct reading *rd, const struct bus_record *r)
{
    int64_t n = -1;
    if (!slice_to_i64(r->value, &n) || n < 0 || n >= (int64_t)rd->m->puts.len) {
        model_fail(rd->m, "raw/%u: a record nobody put", rd->part);
    }
    const struct model_put *p = &rd->m->puts.ptr[n];
    int64_t *last = &rd->last_puts[p->writer];
    if (p->part != rd->part || n <= *last) {
        model_fail(rd->m, "raw/%u: put %" PRId64 " after %" PRId64, rd->part, n, *last);
    }
    if ((p->rc == ERR_OK && p->offset != r->offset) ||
        (p->rc != ERR_OK && p->rc != ERR_UNKNOWN && p->rc != ERR_AGAIN)) {
        model_fail(rd->m, "raw/%u: put %" PRId64 " at %" PRId64 " ended %s at %" PRId64, rd->part,
                   n, r->offset, err_name((int)p->rc), p->offset);
    }
    *last = n;
    rd->found += p->rc == ERR_OK;
}

static void judge_compacted_record(struct reading *rd, const struct bus_record *r)
{
    unsigned lineage = 0, i = 0;
    int64_t n = -1;
    char text[64];
    snprintf(text, sizeof text, SLICE_FMT, SLICE_ARG(r->value));
    if (sscanf(text, "%u %" SCNd64 " %u", &lineage, &n, &i) != 3 ||
        lineage >= rd->m->conf->lineages || n < rd->cursors[lineage].n) {
        model_fail(rd->m, "ctl: '%s' after %" PRId64, text, rd->cursors[lineage].n);
    }
    rd->cursors[lineage].n = n;
}

/* Runs the client until the event; the bus may fail administrative calls now and then. */
static struct bus_ev await(struct model *m, uint32_t kinds)
{
    int64_t until = model_now(m) + m->conf->patience_ns;
    struct bus_ev ev;
    do {
        while (bus_poll(m->watcher, &ev, 1) == 0) {
            bus_wait(m->watcher, CLOCK_NS_PER_S);
            if (model_now(m) > until) {
                model_fail(m, "nothing comes while reading back");
            }
        }
    } while ((kinds & (1u << ev.kind)) == 0 || (ev.reader != NULL && ev.reader != m->reader));
    return ev;
}

static struct bus_ev ask_bounds(struct model *m, struct bus_tp tp)
{
    struct bus_ev ev;
    struct err err;
    do {
        CHECK_OK(bus_bounds(m->watcher, tp, 2, &err), err);
        do {
            ev = await(m, 1u << BUS_EV_DONE | 1u << BUS_EV_ERROR);
        } while (ev.tag != 2);
    } while (ev.kind == BUS_EV_ERROR);
    return ev;
}

/* When all that was ever committed lies before the stable end: the slot is opened once more. */
static void settle(struct model *m, uint32_t lineage)
{
    char slot[16];
    struct bus_ev ev;
    struct err err;
    snprintf(slot, sizeof slot, "slot.%u", lineage);
    do {
        CHECK_OK(bus_fence(m->watcher, slice_str(slot), 3, &err), err);
        do {
            ev = await(m, 1u << BUS_EV_DONE | 1u << BUS_EV_ERROR);
        } while (ev.tag != 3);
    } while (ev.kind == BUS_EV_ERROR);
}

static void read_back(struct reading *rd,
                      void (*judge)(struct reading *, const struct bus_record *))
{
    struct model *m = rd->m;
    struct bus_tp tp = {bus_topic(m->watcher, slice_str(rd->topic)), rd->part};
    int64_t end = ask_bounds(m, tp).end;
    struct err err;
    m->reader = bus_reader_new(m->watcher);
    CHECK_OK(bus_assign(m->reader, tp, BUS_FROM_START, 4, &err), err);
    for (;;) {
        struct bus_ev ev = await(m, 1u << BUS_EV_RECORDS | 1u << BUS_EV_END);
        if (ev.kind == BUS_EV_END && ev.offset >= end) {
            break;
        }
        for (uint32_t i = 0; ev.kind == BUS_EV_RECORDS && i < ev.count; i++) {
            judge(rd, &ev.records[i]);
        }
    }
    bus_reader_free(m->reader);
}

static void judge_txns(struct model *m, const char *topic, uint32_t parts)
{
    for (uint32_t p = 0; p < parts; p++) {
        struct reading rd = {.m = m, .topic = topic, .part = p};
        struct model_record missing;
        read_back(&rd, judge_txn_record);
        for (uint32_t l = 0; l < m->conf->lineages; l++) {
            if (expect(m, l, topic, p, &rd.cursors[l], &missing)) {
                model_fail(m, "%s/%u: '%s' is missing", topic, p, missing.value);
            }
        }
    }
}

static void judge_plain(struct model *m, uint32_t part)
{
    struct reading rd = {.m = m, .topic = "raw", .part = part};
    rd.last_puts = mem_alloc(m->writers * sizeof *rd.last_puts);
    memset(rd.last_puts, 0xff, m->writers * sizeof *rd.last_puts); /* -1 */
    struct bus_tp tp = {bus_topic(m->watcher, SLICE("raw")), part};
    read_back(&rd, judge_plain_record);
    mem_free(rd.last_puts);
    int64_t start = ask_bounds(m, tp).offset;
    uint64_t want = 0;
    VEC_EACH (&m->puts, p) {
        want += p->part == part && p->rc == ERR_OK && p->offset >= start;
    }
    if (want != rd.found) {
        model_fail(m, "raw/%u: %" PRIu64 " were delivered, %" PRIu64 " are there", part, want,
                   rd.found);
    }
}

static void judge_compacted(struct model *m)
{
    struct reading rd = {.m = m, .topic = "ctl"};
    read_back(&rd, judge_compacted_record);
    for (uint32_t l = 0; l < m->conf->lineages; l++) {
        if (rd.cursors[l].n != m->conf->txns - 1) {
            model_fail(m, "ctl: the last value of key %u is lost", l);
        }
    }
}

/* The feeder's puts that are still under way end first. */
static void drain_feeder(struct model *m)
{
    int64_t until = model_now(m) + m->conf->patience_ns;
    while (m->waiting > 0) {
        struct bus_ev ev;
        if (bus_poll(m->feeder, &ev, 1) == 1) {
            model_feed_event(m, &ev);
        } else {
            bus_wait(m->feeder, CLOCK_NS_PER_S);
        }
        if (model_now(m) > until) {
            model_fail(m, "%zu plain puts never ended", m->waiting);
        }
    }
}

void model_judge(struct model *m)
{
    drain_feeder(m);
    bus_reader_free(m->reader);
    m->reader = NULL;
    for (uint32_t l = 0; l < m->conf->lineages; l++) {
        settle(m, l);
    }
    judge_txns(m, "journal", m->conf->lineages);
    judge_txns(m, "out", m->conf->parts);
    judge_compacted(m);
    for (uint32_t p = 0; p < m->conf->parts; p++) {
        judge_plain(m, p);
    }
}
