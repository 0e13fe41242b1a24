/* SPDX-License-Identifier: Apache-2.0
 *
 * See model.h. The loop: poll every client, let it act, disturb somebody, let time pass.
 */
#include "tests/bus/model.h"

#include "core/base/hash.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

_Noreturn void model_fail(const struct model *m, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    test_fail(__FILE__, __LINE__, "%s, seed %" PRIu64 ", step %" PRIu64 ": %s",
              bus_kind_name(bus_kind(m->bus)), m->conf->seed, m->steps, text);
}

uint64_t model_random(struct model *m, uint64_t below)
{
    uint64_t x = ++m->rng ^ (m->conf->seed << 32);
    return hash_fast(slice_of(&x, sizeof x)) % below;
}

bool model_chance(struct model *m, double p)
{
    return p > 0 && (double)model_random(m, UINT64_C(1) << 52) * 0x1p-52 < p;
}

int64_t model_now(const struct model *m)
{
    return clock_mono(bus_clock(m->watcher));
}

static uint64_t mix(uint32_t lineage, int64_t n, uint32_t i)
{
    uint64_t x[3] = {lineage, (uint64_t)n, i};
    return hash_fast(slice_of(x, sizeof x));
}

uint32_t model_txn_count(uint32_t lineage, int64_t n)
{
    return 2 + (uint32_t)(mix(lineage, n, UINT32_MAX) % 5);
}

struct model_record model_txn_record(const struct model *m, uint32_t lineage, int64_t n, uint32_t i)
{
    struct model_record r = {.topic = "out"};
    uint32_t count = model_txn_count(lineage, n);
    r.part = (uint32_t)(mix(lineage, n, i) % m->conf->parts);
    snprintf(r.key, sizeof r.key, "%u", lineage);
    snprintf(r.value, sizeof r.value, "%u %" PRId64 " %u", lineage, n, i);
    if (i == count - 1) {
        r.topic = "journal";
        r.part = lineage;
    } else if (i == count - 2) {
        r.topic = "ctl";
        r.part = 0;
    }
    return r;
}

static void ensure(struct model *m)
{
    const struct bus_topic_spec specs[] = {
        {SLICE("out"), m->conf->parts, BUS_DELETE, -1, -1},
        {SLICE("journal"), m->conf->lineages, BUS_DELETE, -1, -1},
        {SLICE("ctl"), 1, BUS_COMPACT, -1, -1},
        {SLICE("raw"), m->conf->parts, BUS_DELETE, -1, -1},
    };
    int64_t until = model_now(m) + m->conf->patience_ns;
    struct bus_ev ev = {.kind = BUS_EV_ERROR};
    while (ev.kind != BUS_EV_DONE) { /* a bus with faults may need a few attempts */
        struct err err;
        CHECK_OK(bus_ensure(m->watcher, specs, ARRAY_LEN(specs), 1, &err), err);
        while (bus_poll(m->watcher, &ev, 1) == 0) {
            bus_wait(m->watcher, CLOCK_NS_PER_S);
            CHECK(model_now(m) < until);
        }
    }
}

static bool finished(const struct model *m)
{
    for (uint32_t l = 0; l < m->conf->lineages; l++) {
        if (m->committed[l] < m->conf->txns) {
            return false;
        }
    }
    return true;
}

static int64_t committed(const struct model *m)
{
    int64_t n = 0;
    for (uint32_t l = 0; l < m->conf->lineages; l++) {
        n += m->committed[l];
    }
    return n;
}

static int poll_one(struct model *m, struct bus_client *c, struct model_agent *a)
{
    struct bus_ev evs[8];
    int n = bus_poll(c, evs, 1 + (int)model_random(m, ARRAY_LEN(evs)));
    for (int i = 0; i < n; i++) {
        if (m->conf->counts != NULL) {
            m->conf->counts[evs[i].kind]++;
        }
        if (a != NULL) {
            model_agent_event(a, &evs[i]);
        } else if (c == m->watcher) {
            model_watch_event(m, &evs[i]);
        } else {
            model_feed_event(m, &evs[i]);
        }
    }
    return n;
}

static int run_agent(struct model *m, struct model_agent *a)
{
    if (a->asleep_until_ns > 0) {
        if (model_now(m) < a->asleep_until_ns) {
            return 0;
        }
        a->asleep_until_ns = 0;
        if (m->conf->pause != NULL) {
            m->conf->pause(a->c, false);
        }
    }
    int n = poll_one(m, a->c, a);
    model_agent_step(a);
    return n;
}

uint64_t model_patience(const struct model *m, uint32_t lineage)
{
    return UINT64_C(1) << MIN(m->vain[lineage], 8u);
}

static void disturb(struct model *m)
{
    const struct model_conf *conf = m->conf;
    struct model_agent *a = &m->agents[model_random(m, m->agent_count)];
    double steal = conf->steal / (double)model_patience(m, a->lineage);
    if (a->asleep_until_ns > 0) {
        return;
    }
    if (model_chance(m, conf->crash / (double)model_patience(m, a->lineage))) {
        conf->kill != NULL ? conf->kill(a->c) : bus_client_free(a->c);
        model_agent_start(a);
    } else if (model_chance(m, conf->sleep)) {
        a->asleep_until_ns = model_now(m) + (int64_t)model_random(m, 100) * conf->nap_ns;
        if (conf->pause != NULL) {
            conf->pause(a->c, true);
        }
    } else if (model_chance(m, steal)) {
        model_agent_open(a);
    } else if (model_chance(m, steal)) {
        model_agent_stand(a);
    }
}

static void let_pass(struct model *m)
{
    struct pollfd fds[MODEL_LINEAGES_MAX * MODEL_AGENTS_MAX + 2];
    nfds_t n = 0;
    if (m->conf->step != NULL) {
        m->conf->step(m->bus, m->conf->nap_ns);
        return;
    }
    for (uint32_t i = 0; i < m->agent_count; i++) {
        if (m->agents[i].asleep_until_ns == 0) {
            fds[n++] = (struct pollfd){.fd = bus_fd(m->agents[i].c), .events = POLLIN};
        }
    }
    fds[n++] = (struct pollfd){.fd = bus_fd(m->watcher), .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = bus_fd(m->feeder), .events = POLLIN};
    int64_t ms = m->conf->nap_ns / CLOCK_NS_PER_MS;
    (void)poll(fds, n, ms > 0 ? (int)ms : 1);
}

static void start(struct model *m)
{
    m->watcher = bus_client_new(m->bus, "watcher");
    ensure(m);
    for (uint32_t i = 0; i < m->conf->lineages * m->conf->agents; i++) {
        struct model_agent *a = &m->agents[m->agent_count++];
        a->m = m;
        a->number = i;
        a->lineage = i % m->conf->lineages;
        model_agent_start(a);
    }
    m->feeder = bus_client_new(m->bus, "feeder");
    model_feed_start(m);
    model_watch_start(m);
}

void model_run(struct bus *b, const struct model_conf *conf)
{
    struct model m = {.conf = conf, .bus = b};
    CHECK(conf->lineages <= MODEL_LINEAGES_MAX && conf->agents <= MODEL_AGENTS_MAX);
    CHECK(conf->parts <= MODEL_PARTS_MAX);
    start(&m);
    int64_t until = 0, best = -1;
    while (!finished(&m)) {
        int n = 0;
        if (committed(&m) > best) {
            best = committed(&m);
            until = model_now(&m) + conf->patience_ns;
        }
        m.steps++;
        for (uint32_t i = 0; i < m.agent_count; i++) {
            n += run_agent(&m, &m.agents[i]);
        }
        n += poll_one(&m, m.watcher, NULL);
        n += poll_one(&m, m.feeder, NULL);
        model_watch_step(&m);
        model_feed_step(&m);
        disturb(&m);
        if (n == 0) {
            let_pass(&m);
        }
        if (model_now(&m) > until) {
            model_fail(&m, "no progress: %" PRId64 " %" PRId64 " of %" PRId64, m.committed[0],
                       m.committed[1], conf->txns);
        }
    }
    for (uint32_t i = 0; i < m.agent_count; i++) {
        bus_client_free(m.agents[i].c);
    }
    model_judge(&m);
    bus_client_free(m.feeder);
    bus_client_free(m.watcher);
    VEC_EACH (&m.parts, p) {
        VEC_DONE(&p->seen);
    }
    for (uint32_t l = 0; l < conf->lineages; l++) {
        VEC_DONE(&m.lineages[l].reigns);
        VEC_DONE(&m.lineages[l].leads);
    }
    VEC_DONE(&m.parts);
    VEC_DONE(&m.puts);
}
