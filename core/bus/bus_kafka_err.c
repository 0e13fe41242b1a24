/* SPDX-License-Identifier: Apache-2.0
 *
 * What librdkafka's error codes mean in ours: one table. A code that is not in it is an I/O error.
 * To add one: a row.
 */
#include "core/bus/bus_kafka_work.h"

#include <assert.h>
#include <stdio.h>

struct row {
    rd_kafka_resp_err_t from;
    enum err_code to;
    uint8_t flags;
};

#define UNAVAILABLE(name)                                                                          \
    {                                                                                              \
        RD_KAFKA_RESP_ERR_##name, ERR_UNAVAILABLE, ERR_FLAG_RETRY                                  \
    }
#define ROW(name, code)                                                                            \
    {                                                                                              \
        RD_KAFKA_RESP_ERR_##name, ERR_##code, 0                                                    \
    }

static const struct row rows[] = {
    UNAVAILABLE(_TIMED_OUT),
    UNAVAILABLE(_TIMED_OUT_QUEUE),
    UNAVAILABLE(_MSG_TIMED_OUT),
    UNAVAILABLE(_TRANSPORT),
    UNAVAILABLE(_ALL_BROKERS_DOWN),
    UNAVAILABLE(_RESOLVE),
    UNAVAILABLE(_WAIT_COORD),
    UNAVAILABLE(LEADER_NOT_AVAILABLE),
    UNAVAILABLE(NOT_LEADER_FOR_PARTITION),
    UNAVAILABLE(REQUEST_TIMED_OUT),
    UNAVAILABLE(BROKER_NOT_AVAILABLE),
    UNAVAILABLE(REPLICA_NOT_AVAILABLE),
    UNAVAILABLE(NETWORK_EXCEPTION),
    UNAVAILABLE(COORDINATOR_LOAD_IN_PROGRESS),
    UNAVAILABLE(COORDINATOR_NOT_AVAILABLE),
    UNAVAILABLE(NOT_COORDINATOR),
    UNAVAILABLE(NOT_CONTROLLER),
    UNAVAILABLE(NOT_ENOUGH_REPLICAS),
    UNAVAILABLE(NOT_ENOUGH_REPLICAS_AFTER_APPEND),
    UNAVAILABLE(CONCURRENT_TRANSACTIONS),
    UNAVAILABLE(INVALID_REPLICATION_FACTOR), /* so few brokers are up */
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, ERR_IO, ERR_FLAG_RETRY},
    ROW(_AUTHENTICATION, DENIED),
    ROW(_SSL, DENIED),
    ROW(SASL_AUTHENTICATION_FAILED, DENIED),
    ROW(UNSUPPORTED_SASL_MECHANISM, DENIED),
    ROW(TOPIC_AUTHORIZATION_FAILED, DENIED),
    ROW(GROUP_AUTHORIZATION_FAILED, DENIED),
    ROW(CLUSTER_AUTHORIZATION_FAILED, DENIED),
    ROW(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, DENIED),
    ROW(UNKNOWN_TOPIC_OR_PART, NOT_FOUND),
    ROW(_UNKNOWN_TOPIC, NOT_FOUND),
    ROW(_UNKNOWN_PARTITION, NOT_FOUND),
    ROW(TOPIC_ALREADY_EXISTS, EXISTS),
    ROW(MSG_SIZE_TOO_LARGE, TOO_BIG),
    ROW(INVALID_MSG_SIZE, TOO_BIG),
    ROW(RECORD_LIST_TOO_LARGE, TOO_BIG),
    ROW(_FENCED, FENCED),
    ROW(PRODUCER_FENCED, FENCED),
    ROW(INVALID_PRODUCER_EPOCH, FENCED),
    ROW(OFFSET_OUT_OF_RANGE, RANGE),
    ROW(POLICY_VIOLATION, UNSUPPORTED),
    ROW(UNSUPPORTED_VERSION, UNSUPPORTED),
    ROW(_UNSUPPORTED_FEATURE, UNSUPPORTED),
    ROW(INVALID_RECORD, USAGE),
    ROW(INVALID_CONFIG, USAGE),
    ROW(INVALID_REQUEST, USAGE),
    ROW(INVALID_PARTITIONS, RANGE),
    ROW(TOPIC_EXCEPTION, USAGE),
    ROW(_QUEUE_FULL, AGAIN),
    ROW(_BAD_MSG, CORRUPT),
    ROW(INVALID_MSG, CORRUPT),
};

static struct row find(rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].from == code) {
            return rows[i];
        }
    }
    return (struct row){code, ERR_IO, 0};
}

enum err_code kafka_err_code(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? ERR_OK : find(code).to;
}

int kafka_err(struct err *reterr, rd_kafka_resp_err_t code, const char *what, const char *why)
{
    assert(code != RD_KAFKA_RESP_ERR_NO_ERROR && what != NULL);
    struct row r = find(code);
    int rc = err_set(reterr, r.to, "kafka: %s: %s (%s)", what,
                     why != NULL && why[0] != '\0' ? why : rd_kafka_err2str(code),
                     rd_kafka_err2name(code));
    err_flags(reterr, r.flags);
    return rc;
}

bool kafka_health_hopeless(const struct kafka_health *h)
{
    return h->code == RD_KAFKA_RESP_ERR__AUTHENTICATION || h->code == RD_KAFKA_RESP_ERR__SSL;
}

int kafka_err_wait(struct err *reterr, rd_kafka_resp_err_t code, const char *what,
                   const struct kafka_health *h)
{
    if (h->code == RD_KAFKA_RESP_ERR_NO_ERROR || find(code).to != ERR_UNAVAILABLE) {
        return kafka_err(reterr, code, what, NULL);
    }
    if (kafka_health_hopeless(h)) {
        return kafka_err(reterr, h->code, what, h->text);
    }
    char why[sizeof h->text + 80];
    (void)snprintf(why, sizeof why, "%s; %s", rd_kafka_err2str(code), h->text);
    return kafka_err(reterr, code, what, why);
}
