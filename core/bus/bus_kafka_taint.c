/* SPDX-License-Identifier: Apache-2.0
 *
 * The taint rule. librdkafka speaks the first version of Kafka's transaction protocol, in which an
 * EndTxn that is delayed on its way may be applied to a later transaction of the same epoch; and it
 * repeats requests by itself without saying so. So we look over its shoulder: an EndTxn that was
 * sent more than once, or a request that changes a transaction and ended without an answer (time
 * out, connection lost), taints the producer. What was asked is finished; then the producer is
 * given up, because a new one of the same id has a new epoch, under which no late request counts.
 * An error code in an answer is a known fate and does not taint. Requests are counted, not
 * answers: the hook for those may run twice for one request.
 */
#include "core/bus/bus_kafka_write.h"

#include <assert.h>

enum api {
    API_PRODUCE = 0,
    API_ADD_PARTITIONS_TO_TXN = 24,
    API_ADD_OFFSETS_TO_TXN = 25,
    API_END_TXN = 26,
    API_TXN_OFFSET_COMMIT = 28,
};

static bool changes_transaction(int api)
{
    return api == API_PRODUCE || api == API_ADD_PARTITIONS_TO_TXN ||
           api == API_ADD_OFFSETS_TO_TXN || api == API_END_TXN || api == API_TXN_OFFSET_COMMIT;
}

static rd_kafka_resp_err_t on_sent(rd_kafka_t *rk, int fd, const char *broker, int32_t id,
                                   int16_t api, int16_t version, int32_t corr, size_t size,
                                   void *opaque)
{
    (void)rk, (void)fd, (void)broker, (void)id, (void)version, (void)corr, (void)size;
    struct kafka_taint *t = opaque;
    if (api == API_END_TXN) {
        atomic_fetch_add(&t->ends_sent, 1);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_response(rd_kafka_t *rk, int fd, const char *broker, int32_t id,
                                       int16_t api, int16_t version, int32_t corr, size_t size,
                                       int64_t rtt, rd_kafka_resp_err_t err, void *opaque)
{
    (void)rk, (void)fd, (void)broker, (void)id, (void)version, (void)corr, (void)size, (void)rtt;
    struct kafka_taint *t = opaque;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR__DESTROY &&
        changes_transaction(api)) {
        atomic_fetch_add(&t->unanswered, 1);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque,
                                  char *why, size_t why_size)
{
    (void)conf, (void)why, (void)why_size;
    (void)rd_kafka_interceptor_add_on_request_sent(rk, "kaiju", on_sent, opaque);
    return rd_kafka_interceptor_add_on_response_received(rk, "kaiju", on_response, opaque);
}

void kafka_taint_watch(rd_kafka_conf_t *conf, struct kafka_taint *t)
{
    assert(conf != NULL && t != NULL);
    (void)rd_kafka_conf_interceptor_add_on_new(conf, "kaiju", on_new, t);
}

void kafka_taint_begin(struct kafka_taint *t)
{
    atomic_store(&t->ends_sent, 0);
}

bool kafka_taint_found(const struct kafka_taint *t)
{
    return atomic_load(&t->ends_sent) > 1 || atomic_load(&t->unanswered) > 0;
}

bool kafka_taint_ended(const struct kafka_taint *t)
{
    return atomic_load(&t->ends_sent) > 0;
}
