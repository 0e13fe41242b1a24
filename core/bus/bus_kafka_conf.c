/* SPDX-License-Identifier: Apache-2.0
 *
 * From struct bus_kafka_conf to librdkafka's configuration. The order is: the table in
 * bus_kafka.def, the named settings (brokers, TLS, SASL), then what the user passes on by its
 * librdkafka name. A property is refused, with a reason, when the bus's contract rests on it, and
 * with the nearest name when nobody knows it; values of secrets are never in a message.
 * "create.NAME" is not for librdkafka: it is a setting of the topics that bus_ensure creates.
 */
#include "core/bus/bus_kafka_impl.h"

#include "core/base/log.h"
#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>

struct kafka_conf {
    VEC(struct kafka_topic_setting) common, passed, created;
    int16_t replication;
    int64_t transaction_ms;
    uint64_t reader_bytes, writer_bytes;
};

struct row {
    const char *roles, *name, *value;
    bool try_only;
};

static const struct row rows[] = {
#define KAFKA_SET(roles, name, value, doc) {roles, name, value, false},
#define KAFKA_TRY(roles, name, value, doc) {roles, name, value, true},
#include "core/bus/bus_kafka.def"
};

static const struct {
    const char *name, *doc;
} ours[] = {
#define KAFKA_OURS(name, doc) {name, doc},
#include "core/bus/bus_kafka.def"
};

static void put_pair(struct kafka_topic_setting *to, const char *name, const char *value)
{
    to->name = mem_dup(name, strlen(name));
    to->value = mem_dup(value, strlen(value));
}

static void common(struct kafka_conf *k, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        put_pair(VEC_PUSH(&k->common), name, value);
    }
}

static bool sasl(const char *protocol)
{
    return protocol != NULL && slice_starts(slice_str(protocol), SLICE("sasl"));
}

struct kafka_conf *kafka_conf_new(const struct bus_conf *conf)
{
    const struct bus_kafka_conf *f = &conf->kafka;
    struct kafka_conf *k = MEM_NEW(struct kafka_conf);
    k->replication = f->replication > 0 ? f->replication : -1;
    k->transaction_ms = f->transaction_timeout_ms > 0 ? f->transaction_timeout_ms : 10000;
    k->reader_bytes = conf->reader_queue_bytes > 0 ? conf->reader_queue_bytes : BUS_READER_QUEUE;
    k->writer_bytes = conf->writer_queue_bytes > 0 ? conf->writer_queue_bytes : 64u << 20;
    common(k, "bootstrap.servers", f->brokers);
    common(k, "security.protocol", f->security_protocol);
    common(k, "ssl.ca.location", f->ca_file);
    common(k, "ssl.certificate.location", f->cert_file);
    common(k, "ssl.key.location", f->key_file);
    common(k, "ssl.key.password", f->key_password);
    if (sasl(f->security_protocol)) { /* else librdkafka warns of what it will not use */
        common(k, "sasl.mechanism", f->sasl_mechanism);
        common(k, "sasl.username", f->username);
        common(k, "sasl.password", f->password);
    }
    for (uint32_t i = 0; i < f->property_count; i++) {
        struct slice name = slice_str(f->properties[i].name);
        bool create = slice_starts(name, SLICE("create."));
        put_pair(create ? VEC_PUSH(&k->created) : VEC_PUSH(&k->passed),
                 name.ptr + (create ? strlen("create.") : 0), f->properties[i].value);
    }
    return k;
}

void kafka_conf_free(struct kafka_conf *k)
{
    if (k == NULL) {
        return;
    }
    for (size_t i = 0; i < k->common.len; i++) {
        mem_free(k->common.ptr[i].name);
        mem_free(k->common.ptr[i].value);
    }
    for (size_t i = 0; i < k->passed.len; i++) {
        mem_free(k->passed.ptr[i].name);
        mem_free(k->passed.ptr[i].value);
    }
    for (size_t i = 0; i < k->created.len; i++) {
        mem_free(k->created.ptr[i].name);
        mem_free(k->created.ptr[i].value);
    }
    VEC_DONE(&k->common);
    VEC_DONE(&k->passed);
    VEC_DONE(&k->created);
    mem_free(k);
}

int16_t kafka_conf_replication(const struct kafka_conf *k)
{
    return k->replication;
}

int64_t kafka_conf_transaction_ms(const struct kafka_conf *k)
{
    return k->transaction_ms;
}

const struct kafka_topic_setting *kafka_conf_settings(const struct kafka_conf *k, size_t *ret_n)
{
    *ret_n = k->created.len;
    return k->created.ptr;
}

/* The property whose name is nearest, "" if none is near. The name is copied: the list goes. */
static void nearest(const char *name, char ret[96])
{
    size_t n = 0;
    unsigned best = 5;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char **all = rd_kafka_conf_dump(conf, &n);
    ret[0] = '\0';
    for (size_t i = 0; i + 1 < n; i += 2) {
        unsigned d = slice_distance(slice_str(name), slice_str(all[i]), best);
        if (d < best) {
            best = d;
            (void)snprintf(ret, 96, "%s", all[i]);
        }
    }
    rd_kafka_conf_dump_free(all, n);
    rd_kafka_conf_destroy(conf);
}

static bool secret(const char *name)
{
    static const char *const parts[] = {"password", "secret", "pem", "sasl.oauthbearer.config"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (slice_find_slice(slice_str(name), slice_str(parts[i])) < strlen(name)) {
            return true;
        }
    }
    return false;
}

int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *reterr)
{
    char why[256] = "";
    char near[96];
    switch (rd_kafka_conf_set(conf, name, value, why, sizeof why)) {
    case RD_KAFKA_CONF_OK: return 0;
    case RD_KAFKA_CONF_UNKNOWN:
        nearest(name, near);
        return err_set(reterr, ERR_UNKNOWN_KEY, "kafka: no property '%s'%s%s%s", name,
                       near[0] != '\0' ? "; did you mean '" : "", near,
                       near[0] != '\0' ? "'?" : "");
    case RD_KAFKA_CONF_INVALID:
    default:
        return secret(name)
                   ? err_set(reterr, ERR_USAGE, "kafka: the value of '%s' is not accepted", name)
                   : err_set(reterr, ERR_USAGE, "kafka: %s", why);
    }
}

static int set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct err *reterr)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    return kafka_conf_set(conf, name, text, reterr);
}

static int64_t reader_bytes(const struct kafka_conf *k)
{
    return (int64_t)MIN(MAX(k->reader_bytes, 2u << 20), 1u << 30);
}

/* librdkafka has one fetch under way with a broker. One that asks only for partitions at their end
 * waits fetch.wait.max.ms, and those that were full until then stand still: what they have queued
 * is all they give meanwhile. A quarter of this makes a busy partition beside idle ones nine times
 * as slow to catch up. */
int64_t kafka_conf_part_bytes(const struct kafka_conf *k)
{
    enum { PARTS = 8 }; /* that fill it; with more of them there is more */
    return reader_bytes(k) / PARTS;
}

/* What depends on the sizes and times of the configuration. */
static int set_limits(const struct kafka_conf *k, enum kafka_role role, rd_kafka_conf_t *conf,
                      struct err *reterr)
{
    int rc = 0;
    if (role == KAFKA_READER) {
        int64_t bytes = reader_bytes(k);
        rc =
            set_number(conf, "queued.max.messages.kbytes", kafka_conf_part_bytes(k) / 1024, reterr);
        rc = rc != 0 ? rc
                     : set_number(conf, "fetch.max.bytes", MIN(bytes, INT64_C(52428800)), reterr);
        /* Of each partition, and packed: it comes on top of what a queue may have. */
        rc = rc != 0 ? rc
                     : set_number(conf, "max.partition.fetch.bytes",
                                  MIN(MAX(bytes / 128, INT64_C(16384)), INT64_C(1048576)), reterr);
    } else if (role == KAFKA_PLAIN || role == KAFKA_SLOT) {
        /* Ours refuses first: it counts headers as well. */
        int64_t bytes = (int64_t)MIN(k->writer_bytes, 1u << 30) * 2 + (8 << 20);
        rc = set_number(conf, "queue.buffering.max.kbytes", bytes / 1024, reterr);
    }
    if (rc == 0 && role == KAFKA_PLAIN) {
        rc = set_number(conf, "message.timeout.ms", 30000, reterr);
    } else if (rc == 0 &&
               role == KAFKA_SLOT) { /* a lost request is noticed within its transaction */
        rc = set_number(conf, "socket.timeout.ms", MIN(5000, MAX(k->transaction_ms / 2, 500)),
                        reterr);
    }
    return rc;
}

static int set_passed(const struct kafka_conf *k, rd_kafka_conf_t *conf, struct err *reterr)
{
    for (size_t i = 0; i < k->passed.len; i++) {
        const char *name = k->passed.ptr[i].name;
        for (size_t j = 0; j < ARRAY_LEN(ours); j++) {
            if (strcmp(name, ours[j].name) == 0) {
                return err_set(reterr, ERR_USAGE, "kafka: property '%s' cannot be set: %s", name,
                               ours[j].doc);
            }
        }
        int rc = kafka_conf_set(conf, name, k->passed.ptr[i].value, reterr);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static void on_log(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
    (void)rk;
    LOG_DEBUG("librdkafka", LOG_INT("level", level), LOG_STR("fac", fac), LOG_STR("text", text));
}

static int set_all(const struct kafka_conf *k, enum kafka_role role, rd_kafka_conf_t *conf,
                   struct err *reterr)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strchr(rows[i].roles, (int)role) != NULL) {
            char why[8];
            int rc = 0;
            if (rows[i].try_only) {
                (void)rd_kafka_conf_set(conf, rows[i].name, rows[i].value, why, sizeof why);
            } else {
                rc = kafka_conf_set(conf, rows[i].name, rows[i].value, reterr);
            }
            if (rc != 0) {
                return rc;
            }
        }
    }
    for (size_t i = 0; i < k->common.len; i++) {
        int rc = kafka_conf_set(conf, k->common.ptr[i].name, k->common.ptr[i].value, reterr);
        if (rc != 0) {
            return rc;
        }
    }
    int rc = set_limits(k, role, conf, reterr);
    rc = rc != 0 ? rc : set_passed(k, conf, reterr);
    if (rc == 0 && role == KAFKA_SLOT) {
        /* Last: a record must fail before its transaction does. */
        rc = set_number(conf, "transaction.timeout.ms", k->transaction_ms, reterr);
        rc = rc != 0 ? rc
                     : set_number(conf, "message.timeout.ms", k->transaction_ms * 4 / 5, reterr);
    }
    return rc;
}

int kafka_conf_make(const struct kafka_conf *k, enum kafka_role role, rd_kafka_conf_t **ret_conf,
                    struct err *reterr)
{
    assert(k != NULL && ret_conf != NULL);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, on_log);
    int rc = set_all(k, role, conf, reterr);
    if (rc != 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *ret_conf = conf;
    return 0;
}

rd_kafka_t *kafka_client_make(rd_kafka_conf_t *take_conf, rd_kafka_type_t type, bool intercepted,
                              struct err *reterr)
{
    char why[256] = "";
    rd_kafka_t *rk = rd_kafka_new(type, take_conf, why, sizeof why);
    if (rk == NULL) {
        if (!intercepted) { /* else it leaks: freeing it is a double free before 2.13 */
            rd_kafka_conf_destroy(take_conf);
        }
        (void)err_set(reterr, ERR_USAGE, "kafka: %s", why);
    }
    return rk;
}

static void on_error(rd_kafka_t *rk, int code, const char *why, void *opaque)
{
    (void)rk;
    struct kafka_health *h = opaque;
    struct kafka_health now = {.code = (rd_kafka_resp_err_t)code};
    /* "All brokers are down" says less than what took them down, "disconnected" less than why; and
     * what is repeated is not told again. */
    bool less = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
                (kafka_health_hopeless(h) && !kafka_health_hopeless(&now));
    if (code == RD_KAFKA_RESP_ERR__FATAL || !less || h->code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        h->code = (rd_kafka_resp_err_t)code;
        (void)snprintf(h->text, sizeof h->text, "%s", why);
    }
}

void kafka_health_watch(rd_kafka_conf_t *conf, struct kafka_health *h)
{
    rd_kafka_conf_set_opaque(conf, h);
    rd_kafka_conf_set_error_cb(conf, on_error);
}
