/* SPDX-License-Identifier: Apache-2.0
 *
 * The Kafka bus over connections that break: each test loses or delays one request of a commit by
 * the proxy (proxy.h) and then asks three things: how did the commit end, must the writer be opened
 * again, and what is readable. The suite's own tests of aborted and unknown commits run here too,
 * because here they can be arranged.
 */
#include "core/base/clock.h"
#include "tests/bus/suite.h"
#include "tests/kafka/proxy.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    TRANSACTION_MS = 5000,
    PATIENT_MS = 30000,                     /* no test waits for its end */
    OUTAGE_MS = 2 * TRANSACTION_MS + 12000, /* longer than a commit tries: see txn_deadline */
    CODE_INVALID_PRODUCER_EPOCH = 47,
    CODE_PRODUCER_FENCED = 90,
};

PROCESS_WIDE /* the hooks have no argument to keep it in; made by the first test */
static struct proxy *proxy;
PROCESS_WIDE /* likewise: the bus keeps the pointer */
static char prefix[64];

static void conf(const struct suite_opts *opts, bool again, struct bus_conf *ret)
{
    /* A request that is held for longer is given up and sent again. Brokers that are busy must not
     * take as long for an honest one. */
    static const struct bus_property properties[] = {
        {"socket.timeout.ms", "4000"},
        {"reconnect.backoff.max.ms", "100"},
    };
    static uint32_t runs;
    const struct clock clock = clock_system();
    int64_t ms = opts->transaction_ms > 0 ? opts->transaction_ms : TRANSACTION_MS;
    const char *listen = getenv("KAIJU_KAFKA_PROXIED"), *to = getenv("KAIJU_KAFKA_BEHIND");
    if (listen == NULL || to == NULL) {
        test_skip("KAIJU_KAFKA_PROXIED is not set: see tests/kafka/kafka.sh run");
    }
    if (proxy == NULL) {
        proxy = proxy_new(listen, to);
    }
    proxy_reset(proxy);
    if (!again) {
        snprintf(prefix, sizeof prefix, "f%d.%" PRIx64 ".%u.", (int)getpid(),
                 (uint64_t)clock_wall(&clock) / CLOCK_NS_PER_S, ++runs);
    }
    ret->prefix = prefix;
    ret->kafka = (struct bus_kafka_conf){.brokers = listen,
                                         .replication = 1,
                                         .transaction_timeout_ms = ms,
                                         .properties = properties,
                                         .property_count = ARRAY_LEN(properties)};
}

static bool fate(struct suite *s, const char *slot, enum suite_fate fate)
{
    (void)s, (void)slot;
    if (fate == SUITE_ABORT) { /* until a record is older than it may get */
        proxy_rule(proxy, PROXY_PRODUCE, PROXY_LOSE_REQUEST, TRANSACTION_MS * 4 / 5 + 100);
    } else {
        proxy_rule(proxy, PROXY_END_TXN,
                   fate == SUITE_UNKNOWN_DONE ? PROXY_LOSE_ANSWER : PROXY_LOSE_REQUEST, OUTAGE_MS);
    }
    return true;
}

const struct suite_hooks suite_hooks = {
    .name = "kafka behind a proxy",
    .kind = BUS_KAFKA,
    .conf = conf,
    .fate = fate,
    .patience_ns = 90 * CLOCK_NS_PER_S,
    .quiet_ns = 200 * CLOCK_NS_PER_MS,
    .takeover_ns = 15 * CLOCK_NS_PER_S,
    .threads = true,
    .scale = 10,
};

struct scene {
    struct suite s;
    struct suite_client *a;
    struct bus_tp tp;
    struct bus_writer *w;
    uint64_t taints; /* so far: a broker that is slow to open a slot makes some */
};

/* An open writer with one commit behind it. */
static void begin(struct scene *t, int64_t transaction_ms)
{
    const struct suite_opts opts = {.transaction_ms = transaction_ms};
    suite_begin(&t->s, &opts);
    t->a = suite_client(&t->s, "a");
    t->tp = suite_topic(t->a, "t", 1, BUS_DELETE);
    t->w = suite_open(t->a, "slot");
    suite_put(t->a, t->w, t->tp, "k", "1");
    (void)suite_commit(t->a, t->w);
    t->taints = bus_stats(t->s.bus).taints;
}

static void reopen(struct scene *t)
{
    bus_writer_close(t->w);
    t->w = suite_open(t->a, "slot");
    t->taints = bus_stats(t->s.bus).taints;
}

/* Ends COMMITTED, and the writer is given up. */
static void commit_tainted(struct scene *t)
{
    struct suite_ev *e = suite_await(t->a, BUS_EV_COMMITTED, suite_commit_start(t->a, t->w));
    CHECK(e->ev.reopen && e->ev.count == 1);
    CHECK_EQ(t->taints + 1, bus_stats(t->s.bus).taints);
}

/* The commit of "2" meets the mishap, ends well all the same, and taints the producer; a new one
 * goes on. */
static void survives(enum proxy_api api, enum proxy_act act, int64_t ms)
{
    struct scene t;
    begin(&t, PATIENT_MS);
    uint32_t before = proxy_sent(proxy, api);
    proxy_rule(proxy, api, act, ms);
    suite_put(t.a, t.w, t.tp, "k", "2");
    commit_tainted(&t);
    CHECK(proxy_sent(proxy, api) >= before + 2); /* it was said twice */
    reopen(&t);
    suite_put(t.a, t.w, t.tp, "k", "3");
    (void)suite_commit(t.a, t.w);
    CHECK_STR("1,2,3", suite_values(t.a, suite_read(t.a, t.tp, BUS_FROM_START, 3)));
    CHECK_EQ(t.taints, bus_stats(t.s.bus).taints);
    suite_end(&t.s);
}

TEST(faults_commit_whose_end_was_not_answered)
{
    survives(PROXY_END_TXN, PROXY_LOSE_ANSWER, 0);
}

TEST(faults_commit_whose_end_did_not_arrive)
{
    survives(PROXY_END_TXN, PROXY_LOSE_REQUEST, 0);
}

TEST(faults_records_that_were_not_answered)
{
    survives(PROXY_PRODUCE, PROXY_LOSE_ANSWER, 0);
}

TEST(faults_records_that_did_not_arrive)
{
    survives(PROXY_PRODUCE, PROXY_LOSE_REQUEST, 0);
}

TEST(faults_partitions_that_were_not_answered)
{
    survives(PROXY_ADD_PARTITIONS, PROXY_LOSE_ANSWER, 0);
}

TEST(faults_abort_whose_end_was_not_answered)
{
    struct scene t;
    struct err err;
    begin(&t, PATIENT_MS);
    proxy_rule(proxy, PROXY_END_TXN, PROXY_LOSE_ANSWER, 0);
    suite_put(t.a, t.w, t.tp, "k", "never");
    uint64_t tag = suite_tag(t.a);
    CHECK_OK(bus_abort(t.w, tag, &err), err);
    CHECK(suite_await(t.a, BUS_EV_ABORTED, tag)->ev.reopen);
    CHECK_EQ(t.taints + 1, bus_stats(t.s.bus).taints);
    reopen(&t);
    suite_put(t.a, t.w, t.tp, "k", "2");
    (void)suite_commit(t.a, t.w);
    CHECK_STR("1,2", suite_values(t.a, suite_read(t.a, t.tp, BUS_FROM_START, 2)));
    suite_end(&t.s);
}

/* The hole itself: an EndTxn on its way for so long that its sender has asked again, was answered,
 * and has begun his next transaction. Under one epoch it would commit that one half done. */
TEST(faults_an_end_that_comes_late_ends_nothing)
{
    struct scene t;
    struct err err;
    int code = 0;
    begin(&t, PATIENT_MS);
    proxy_rule(proxy, PROXY_END_TXN, PROXY_HOLD, 9000);
    suite_put(t.a, t.w, t.tp, "k", "2");
    commit_tainted(&t);
    CHECK_EQ(0, proxy_late(proxy, &code)); /* not yet there */
    reopen(&t);
    suite_put(t.a, t.w, t.tp, "k", "half");
    int64_t until = suite_now(t.a) + suite_hooks.patience_ns;
    while (proxy_late(proxy, &code) == 0) {
        CHECK(suite_now(t.a) < until);
        suite_sleep(t.a, 50 * CLOCK_NS_PER_MS);
    }
    CHECK(code == CODE_INVALID_PRODUCER_EPOCH || code == CODE_PRODUCER_FENCED);
    uint64_t tag = suite_tag(t.a);
    CHECK_OK(bus_abort(t.w, tag, &err), err);
    struct suite_ev *e = suite_await(t.a, BUS_EV_ABORTED, tag);
    if (e->ev.reopen) { /* it was open for too long */
        reopen(&t);
    }
    suite_put(t.a, t.w, t.tp, "k", "3");
    (void)suite_commit(t.a, t.w);
    CHECK_STR("1,2,3", suite_values(t.a, suite_read(t.a, t.tp, BUS_FROM_START, 3)));
    suite_end(&t.s);
}

/* A plain writer says each record again until it is answered; none is there twice. */
TEST(faults_plain_puts_arrive_once)
{
    struct scene t;
    begin(&t, PATIENT_MS);
    struct bus_writer *plain = suite_open(t.a, "");
    proxy_rule(proxy, PROXY_PRODUCE, PROXY_LOSE_ANSWER, 200);
    proxy_rule(proxy, PROXY_PRODUCE, PROXY_LOSE_REQUEST, 200);
    (void)suite_deliver(t.a, plain, t.tp, "k", "2");
    (void)suite_deliver(t.a, plain, t.tp, "k", "3");
    CHECK_STR("1,2,3", suite_values(t.a, suite_read(t.a, t.tp, BUS_FROM_START, 3)));
    suite_end(&t.s);
}

/* A transaction that is left open is ended by the brokers; its holder hears of it when he asks. */
TEST(faults_a_transaction_left_open_ends)
{
    struct scene t;
    struct err err;
    begin(&t, TRANSACTION_MS);
    suite_put(t.a, t.w, t.tp, "k", "never");
    suite_sleep(t.a, (TRANSACTION_MS + 2000) * CLOCK_NS_PER_MS);
    (void)suite_settled(t.a, t.tp);
    uint64_t tag = suite_tag(t.a);
    int rc = bus_commit(t.w, tag, &err);
    CHECK(rc == 0 || rc == -ERR_CLOSED); /* FENCED may have come already */
    const uint32_t ends = SUITE_BIT(BUS_EV_ABORTED) | SUITE_BIT(BUS_EV_FENCED);
    CHECK(suite_next(t.a, ends, SUITE_ANY_TAG, suite_hooks.patience_ns) != NULL);
    reopen(&t);
    suite_put(t.a, t.w, t.tp, "k", "2");
    (void)suite_commit(t.a, t.w);
    CHECK_STR("1,2", suite_values(t.a, suite_read(t.a, t.tp, BUS_FROM_START, 2)));
    suite_end(&t.s);
}

/* Makes the topic of claims, or removes it, behind the bus's back. */
static void change_claims(bool make)
{
    char text[512], name[128];
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    snprintf(name, sizeof name, "%sctl.election", prefix);
    CHECK(rd_kafka_conf_set(c, "bootstrap.servers", getenv("KAIJU_KAFKA_PROXIED"), text,
                            sizeof text) == RD_KAFKA_CONF_OK);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, c, text, sizeof text);
    CHECK(rk != NULL);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    if (make) {
        rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(name, 1, 1, text, sizeof text);
        (void)rd_kafka_NewTopic_set_config(t, "cleanup.policy", "compact");
        rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
        rd_kafka_NewTopic_destroy(t);
    } else {
        rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(name);
        rd_kafka_DeleteTopics(rk, &t, 1, NULL, q);
        rd_kafka_DeleteTopic_destroy(t);
    }
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, 60000);
    CHECK(ev != NULL && rd_kafka_event_error(ev) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(ev);
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy(rk);
}

/* Brokers that are busy hear late of the topic of claims. A slot is opened all the same, also when
 * its producer has been told more than once that there is no such topic. */
TEST(faults_claims_that_no_broker_has_heard_of_yet)
{
    struct scene t;
    struct bus_writer *w = NULL;
    struct err err;
    begin(&t, PATIENT_MS);
    change_claims(false);
    uint64_t tag = suite_tag(t.a);
    CHECK_OK(bus_open(t.a->c, SLICE("late"), tag, &w, &err), err);
    suite_sleep(t.a, 8 * CLOCK_NS_PER_S);
    CHECK_EQ(0, t.a->inbox.len);
    change_claims(true);
    CHECK(suite_await(t.a, BUS_EV_OPENED, tag)->ev.writer == w);
    suite_put(t.a, w, t.tp, "k", "2");
    (void)suite_commit(t.a, w);
    CHECK_STR("1,2", suite_values(t.a, suite_read(t.a, t.tp, BUS_FROM_START, 2)));
    suite_end(&t.s);
}
