/* SPDX-License-Identifier: Apache-2.0
 *
 * What brokers answer in rare moments, from librdkafka's mock cluster: it fails the next requests
 * of a kind with the codes it is given. How the bus works over real brokers is tested in tests/bus.
 */
#include "core/base/clock.h"
#include "core/bus/bus.h"
#include "core/bus/bus_conf.h"
#include "tests/test.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

enum { API_LIST_OFFSETS = 2, PATIENCE_MS = 60000 };

struct world {
    rd_kafka_t *rk; /* the mock cluster lives in it */
    rd_kafka_mock_cluster_t *mock;
    struct bus *bus;
    struct bus_client *c;
    struct bus_tp tp;
};

static void world_init(struct world *w)
{
    char why[256];
    struct err err;
    rd_kafka_conf_t *own = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(own, NULL); /* it would say that it has no brokers */
    w->rk = rd_kafka_new(RD_KAFKA_PRODUCER, own, why, sizeof why);
    CHECK(w->rk != NULL);
    w->mock = rd_kafka_mock_cluster_new(w->rk, 3);
    CHECK_EQ(RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_mock_topic_create(w->mock, "t", 2, 1));
    struct bus_conf conf = {.kind = BUS_KAFKA, .prefix = ""};
    conf.kafka.brokers = rd_kafka_mock_cluster_bootstraps(w->mock);
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->c = bus_client_new(w->bus, "a");
    w->tp = (struct bus_tp){bus_topic(w->c, SLICE("t")), 0};
}

static void world_done(struct world *w)
{
    bus_client_free(w->c);
    bus_free(w->bus);
    rd_kafka_mock_cluster_destroy(w->mock);
    rd_kafka_destroy(w->rk);
}

/* The event that ends the operation `tag`; what it points at is copied to ret_err. */
static struct bus_ev await(struct world *w, uint64_t tag, struct err *ret_err)
{
    const struct clock clock = clock_system();
    int64_t until = clock_mono(&clock) + PATIENCE_MS * CLOCK_NS_PER_MS;
    struct bus_ev ev;
    while (clock_mono(&clock) < until) {
        if (bus_poll(w->c, &ev, 1) == 0) {
            bus_wait(w->c, until - clock_mono(&clock));
            continue;
        }
        if (ev.tag == tag) {
            *ret_err = ev.err != NULL ? *ev.err : (struct err){0};
            return ev;
        }
    }
    test_fail(__FILE__, __LINE__, "operation %d does not end", (int)tag);
}

static void check_asks_again(rd_kafka_resp_err_t code)
{
    struct world w;
    struct err err;
    world_init(&w);
    rd_kafka_mock_push_request_errors(w.mock, API_LIST_OFFSETS, 4, code, code, code, code);
    CHECK_OK(bus_bounds(w.c, w.tp, 1, &err), err);
    struct bus_ev ev = await(&w, 1, &err);
    if (ev.kind != BUS_EV_DONE) {
        test_fail(__FILE__, __LINE__, "after %s: %s: %s", rd_kafka_err2name(code),
                  bus_ev_name(ev.kind), err.msg);
    }
    CHECK_EQ(0, ev.offset);
    CHECK_EQ(0, ev.end);
    world_done(&w);
}

TEST(bus_kafka_bounds_asks_a_leader_again_that_has_not_heard_of_its_partition)
{
    check_asks_again(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

TEST(bus_kafka_bounds_asks_again_while_a_partition_moves)
{
    check_asks_again(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    check_asks_again(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
}

TEST(bus_kafka_bounds_of_what_is_not_there)
{
    struct world w;
    struct err err;
    world_init(&w);
    CHECK_OK(bus_bounds(w.c, (struct bus_tp){w.tp.topic, 2}, 1, &err), err);
    CHECK_EQ(BUS_EV_ERROR, await(&w, 1, &err).kind);
    CHECK_EQ(ERR_NOT_FOUND, err.code);
    world_done(&w);
}

/* An error of either request is one of the whole: half an answer would look like an empty log. */
TEST(bus_kafka_bounds_never_has_half_an_answer)
{
    for (int good = 0; good < 2; good++) {
        struct world w;
        struct err err;
        world_init(&w);
        rd_kafka_resp_err_t first =
            good == 0 ? RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED : RD_KAFKA_RESP_ERR_NO_ERROR;
        rd_kafka_mock_push_request_errors(w.mock, API_LIST_OFFSETS, 2, first,
                                          RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
        CHECK_OK(bus_bounds(w.c, w.tp, 1, &err), err);
        CHECK_EQ(BUS_EV_ERROR, await(&w, 1, &err).kind);
        CHECK_EQ(ERR_DENIED, err.code);
        world_done(&w);
    }
}

TEST(bus_kafka_bounds_is_refused_at_once_where_asking_again_is_no_use)
{
    struct world w;
    struct err err;
    world_init(&w);
    rd_kafka_mock_push_request_errors(w.mock, API_LIST_OFFSETS, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK_OK(bus_bounds(w.c, w.tp, 1, &err), err);
    CHECK_EQ(BUS_EV_ERROR, await(&w, 1, &err).kind);
    CHECK_EQ(ERR_DENIED, err.code);
    CHECK((err.flags & ERR_FLAG_RETRY) == 0);
    world_done(&w);
}
