/* SPDX-License-Identifier: Apache-2.0
 *
 * See crash_work.h: what must hold after a crash. Reads the `log` from where the last check ended,
 * `churn` and `state` whole.
 */
#include "core/base/mem.h"
#include "tests/crash/crash_record.h"

#include <stdarg.h>
#include <stdio.h>

enum { EVENTS = 16, AHEAD_MAX = 1 << 20, TAG_READ = 10 };

/* What is new in the log. */
struct seen {
    VEC(uint32_t) masks[CRASH_SLOTS]; /* by number - last - 1: partitions it was found in */
    VEC(uint64_t) plain;
};

struct check {
    const char *dir;
    struct bus *bus;
    struct bus_client *client;
    struct crash_model *model;
    struct seen seen;
    uint64_t in_part[CRASH_SLOTS + 1]; /* the last number of each writer in this partition */
    uint64_t churn_last[CRASH_SLOTS], state_last[CRASH_SLOTS][CRASH_KEYS];
    char wrong[400];
};

typedef void on_record(struct check *c, uint32_t part, const struct bus_record *r,
                       const struct crash_record *w);

static PRINTF_LIKE(2, 3) void wrong(struct check *c, const char *fmt, ...)
{
    if (c->wrong[0] == '\0') {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(c->wrong, sizeof c->wrong, fmt, ap);
        va_end(ap);
    }
}

static void on_log(struct check *c, uint32_t part, const struct bus_record *r,
                   const struct crash_record *w)
{
    size_t who = w->who == 'p' ? CRASH_SLOTS : (size_t)(w->who - '0');
    if (who > CRASH_SLOTS) {
        wrong(c, "a record of %c", w->who);
    } else if (w->number <= c->in_part[who]) {
        wrong(c, "partition %u offset %lld: %c %llu after %llu", part, (long long)r->offset, w->who,
              (unsigned long long)w->number, (unsigned long long)c->in_part[who]);
    } else if (who == CRASH_SLOTS) {
        *VEC_PUSH(&c->seen.plain) = w->number;
        c->in_part[who] = w->number;
    } else {
        uint64_t last = c->model->last[who], at = w->number - last - 1;
        if (w->number <= last || at > AHEAD_MAX) {
            wrong(c, "slot %zu: %llu appears after all up to %llu were seen", who,
                  (unsigned long long)w->number, (unsigned long long)last);
            return;
        }
        while (c->seen.masks[who].len <= at) {
            *VEC_PUSH(&c->seen.masks[who]) = 0;
        }
        c->seen.masks[who].ptr[at] |= 1u << part;
        c->in_part[who] = w->number;
    }
}

static void on_churn(struct check *c, uint32_t part, const struct bus_record *r,
                     const struct crash_record *w)
{
    size_t who = (size_t)(w->who - '0');
    (void)part;
    (void)r;
    if (who >= CRASH_SLOTS || (c->churn_last[who] != 0 && w->number != c->churn_last[who] + 1)) {
        wrong(c, "churn: %c %llu after %llu", w->who, (unsigned long long)w->number,
              (unsigned long long)(who < CRASH_SLOTS ? c->churn_last[who] : 0));
        return;
    }
    c->churn_last[who] = w->number;
}

static void on_state(struct check *c, uint32_t part, const struct bus_record *r,
                     const struct crash_record *w)
{
    size_t who = (size_t)(w->who - '0'), key = (size_t)(w->number % CRASH_KEYS);
    char want[8];
    (void)part;
    int n = snprintf(want, sizeof want, "%c%zu", w->who, key);
    if (who >= CRASH_SLOTS || !slice_eq(r->key, slice_of(want, (size_t)n)) ||
        w->number <= c->state_last[who][key]) {
        wrong(c, "state: %c %llu under key " SLICE_FMT, w->who, (unsigned long long)w->number,
              SLICE_ARG(r->key));
        return;
    }
    c->state_last[who][key] = w->number;
}

/* Reads a partition to its end; returns the end. */
static int64_t read_part(struct check *c, const char *topic, uint32_t part, int64_t from,
                         on_record *fn)
{
    struct bus_reader *reader = bus_reader_new(c->client);
    struct bus_tp tp = {bus_topic(c->client, slice_str(topic)), part};
    struct bus_ev evs[EVENTS];
    struct err err;
    int64_t end = -1, offset = -1;
    if (bus_assign(reader, tp, from, TAG_READ, &err) != 0) {
        crash_die("assign", &err);
    }
    while (end < 0) {
        int n = bus_poll(c->client, evs, EVENTS);
        for (int i = 0; i < n; i++) {
            if (evs[i].kind == BUS_EV_ERROR) {
                wrong(c, "%s/%u: %s", topic, part, evs[i].err->msg);
                end = 0;
            } else if (evs[i].kind == BUS_EV_END) {
                end = evs[i].offset;
            }
            for (uint32_t j = 0; evs[i].kind == BUS_EV_RECORDS && j < evs[i].count; j++) {
                const struct bus_record *r = &evs[i].records[j];
                struct crash_record w;
                if (r->offset <= offset) {
                    wrong(c, "%s/%u: offset %lld again", topic, part, (long long)r->offset);
                }
                offset = r->offset;
                if (!crash_record_read(r->value, &w) || r->header_count != 1) {
                    wrong(c, "%s/%u offset %lld: a damaged record", topic, part,
                          (long long)r->offset);
                } else {
                    fn(c, part, r, &w);
                }
            }
        }
        if (n == 0) {
            bus_wait(c->client, CLOCK_NS_PER_S);
        }
    }
    bus_reader_free(reader);
    return end;
}

static void check_slot(struct check *c, size_t slot, uint64_t acked)
{
    struct crash_model *m = c->model;
    uint64_t first = m->last[slot] + 1;
    for (size_t i = 0; i < c->seen.masks[slot].len; i++) {
        uint32_t want = crash_mask((char)('0' + slot), first + i);
        if (c->seen.masks[slot].ptr[i] != want) {
            wrong(c, "slot %zu transaction %llu: in partitions %x of %x", slot,
                  (unsigned long long)(first + i), c->seen.masks[slot].ptr[i], want);
        }
    }
    m->last[slot] += c->seen.masks[slot].len;
    if (acked > m->last[slot]) {
        wrong(c, "slot %zu: %llu was acknowledged, the last that is there is %llu", slot,
              (unsigned long long)acked, (unsigned long long)m->last[slot]);
    }
    if (c->churn_last[slot] != m->last[slot]) {
        wrong(c, "churn ends with %llu of slot %zu, log with %llu",
              (unsigned long long)c->churn_last[slot], slot, (unsigned long long)m->last[slot]);
    }
    for (uint64_t k = 0; k < CRASH_KEYS && k < m->last[slot]; k++) {
        uint64_t n = m->last[slot] - k;
        if (c->state_last[slot][n % CRASH_KEYS] != n) {
            wrong(c, "state has %llu of slot %zu under key %llu, the last was %llu",
                  (unsigned long long)c->state_last[slot][n % CRASH_KEYS], slot,
                  (unsigned long long)(n % CRASH_KEYS), (unsigned long long)n);
        }
    }
}

static void check_plain(struct check *c, const struct crash_acks *acks)
{
    for (size_t i = 0; i < acks->plain.len; i++) {
        bool found = false;
        for (size_t j = 0; j < c->seen.plain.len && !found; j++) {
            found = c->seen.plain.ptr[j] == acks->plain.ptr[i];
        }
        if (!found) {
            wrong(c, "plain record %llu was acknowledged and is not there",
                  (unsigned long long)acks->plain.ptr[i]);
        }
    }
    for (size_t j = 0; j < c->seen.plain.len; j++) {
        c->model->plain = MAX(c->model->plain, c->seen.plain.ptr[j]);
    }
}

const char *crash_check(const char *dir, struct crash_model *m, const struct crash_acks *acks)
{
    struct check c = {.dir = dir, .model = m};
    static char text[sizeof c.wrong];
    c.bus = crash_open(dir, false);
    c.client = bus_client_new(c.bus, "check");
    crash_make_topics(c.client); /* the crash may have been before that */
    for (uint32_t p = 0; p < CRASH_PARTS; p++) {
        memset(c.in_part, 0, sizeof c.in_part);
        m->at[p] = read_part(&c, "log", p, m->at[p] > 0 ? m->at[p] : BUS_FROM_START, on_log);
    }
    (void)read_part(&c, "churn", 0, BUS_FROM_START, on_churn);
    (void)read_part(&c, "state", 0, BUS_FROM_START, on_state);
    for (size_t i = 0; i < CRASH_SLOTS; i++) {
        check_slot(&c, i, acks->last[i]);
        VEC_DONE(&c.seen.masks[i]);
    }
    check_plain(&c, acks);
    VEC_DONE(&c.seen.plain);
    bus_client_free(c.client);
    bus_free(c.bus);
    memcpy(text, c.wrong, sizeof text);
    return text[0] != '\0' ? text : NULL;
}
