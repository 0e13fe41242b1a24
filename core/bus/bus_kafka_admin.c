/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics: ensure, describe, list. Runs on workers; the clients' side is at the end. Everything has
 * a deadline, counted from the call, so that a queue of operations against brokers that are down
 * ends as soon as the first of them.
 */
#include "core/bus/bus_kafka_ops.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>

enum {
    SLICE_MS = 1000 /* between looks at what error_cb said */,
    ASK_AGAIN_MS = 10,
    LIST_AGAIN_MS = 10000 /* for topics that come and go */,
    ERR_TEXT = 200
};

/* Whoever was asked does not know a topic that there is: brokers hear of a new one in turn. */
static bool unheard(struct kafka_bus *b, const struct rd_kafka_metadata *md, const char *full_name)
{
    for (int i = 0; i < md->topic_cnt && full_name != NULL; i++) {
        if (strcmp(md->topics[i].topic, full_name) == 0 &&
            md->topics[i].err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
            return false;
        }
    }
    return full_name != NULL && kafka_topic_fresh(b, full_name);
}

int kafka_metadata(struct kafka_bus *b, const char *full_name, int timeout_ms,
                   const struct rd_kafka_metadata **ret_md, struct err *reterr)
{
    assert(ret_md != NULL);
    int rc = 0;
    rd_kafka_topic_t *only = full_name != NULL ? rd_kafka_topic_new(b->rk, full_name, NULL) : NULL;
    for (;;) {
        int ms = MIN(timeout_ms, SLICE_MS);
        rd_kafka_resp_err_t code = rd_kafka_metadata(b->rk, only == NULL, only, ret_md, ms);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            kafka_bus_healthy(b);
            if (timeout_ms < ASK_AGAIN_MS || !unheard(b, *ret_md, full_name)) {
                break;
            }
            rd_kafka_metadata_destroy(*ret_md);
            clock_sleep_ns(ASK_AGAIN_MS * CLOCK_NS_PER_MS);
            timeout_ms -= ASK_AGAIN_MS;
            continue;
        }
        timeout_ms -= ms;
        struct kafka_health h = kafka_bus_health(b);
        if (timeout_ms <= 0 || kafka_health_hopeless(&h) || atomic_load(&b->stopping)) {
            rc = kafka_err_wait(reterr, code, "metadata", &h);
            break;
        }
    }
    if (only != NULL) {
        rd_kafka_topic_destroy(only);
    }
    return rc;
}

int kafka_topic_meta(const struct rd_kafka_metadata *md, const char *full_name,
                     const struct rd_kafka_metadata_topic **ret_topic, struct err *reterr)
{
    for (int i = 0; i < md->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *t = &md->topics[i];
        if (strcmp(t->topic, full_name) != 0) {
            continue;
        }
        if (t->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
            t->err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
            *ret_topic = t;
            return 0;
        }
        return kafka_err(reterr, t->err, full_name, NULL);
    }
    return err_set(reterr, ERR_NOT_FOUND, "kafka: no topic %s", full_name);
}

static int topic_specs_cmp(const char *value, enum bus_cleanup *ret)
{
    bool compact = strstr(value, "compact") != NULL, delete = strstr(value, "delete") != NULL;
    *ret = compact ? (delete ? BUS_COMPACT_DELETE : BUS_COMPACT) : BUS_DELETE;
    return 0;
}

static void entry_to_spec(const rd_kafka_ConfigEntry_t *e, struct bus_topic_spec *spec)
{
    const char *name = rd_kafka_ConfigEntry_name(e), *value = rd_kafka_ConfigEntry_value(e);
    if (name == NULL || value == NULL) {
        return;
    }
    if (strcmp(name, "cleanup.policy") == 0) {
        (void)topic_specs_cmp(value, &spec->cleanup);
    } else if (strcmp(name, "retention.ms") == 0) {
        (void)slice_to_i64(slice_str(value), &spec->retention_ms);
    } else if (strcmp(name, "retention.bytes") == 0) {
        (void)slice_to_i64(slice_str(value), &spec->retention_bytes);
    }
}

/* Waits for the answer of an administrative request on its own queue. */
static int await(struct kafka_bus *b, rd_kafka_queue_t *q, int ms, const char *what,
                 rd_kafka_event_t **ret_ev, struct err *reterr)
{
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, ms + 1000);
    struct kafka_health h = kafka_bus_health(b);
    if (ev == NULL) {
        return kafka_err_wait(reterr, RD_KAFKA_RESP_ERR__TIMED_OUT, what, &h);
    }
    if (rd_kafka_event_error(ev) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        int rc = kafka_err(reterr, rd_kafka_event_error(ev), what, rd_kafka_event_error_string(ev));
        rd_kafka_event_destroy(ev);
        return rc;
    }
    *ret_ev = ev;
    return 0;
}

static rd_kafka_AdminOptions_t *options(struct kafka_bus *b, rd_kafka_admin_op_t op, int ms)
{
    char why[ERR_TEXT];
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(b->rk, op);
    (void)rd_kafka_AdminOptions_set_request_timeout(o, MAX(ms, 1), why, sizeof why);
    if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS || op == RD_KAFKA_ADMIN_OP_DELETERECORDS) {
        (void)rd_kafka_AdminOptions_set_operation_timeout(o, MAX(ms, 1), why, sizeof why);
    }
    return o;
}

/* Fills cleanup and retention of specs, whose names are full[i]. */
static int describe(struct kafka_bus *b, char *const *full, struct bus_topic_spec *specs,
                    uint32_t n, int ms, struct err *reterr)
{
    assert(n > 0);
    rd_kafka_ConfigResource_t **res = mem_calloc(n, sizeof *res);
    for (uint32_t i = 0; i < n; i++) {
        res[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, full[i]);
    }
    rd_kafka_AdminOptions_t *o = options(b, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, ms);
    rd_kafka_queue_t *q = rd_kafka_queue_new(b->rk);
    rd_kafka_DescribeConfigs(b->rk, res, n, o, q);
    rd_kafka_event_t *ev = NULL;
    int rc = await(b, q, ms, "describe topics", &ev, reterr);
    size_t got = 0;
    const rd_kafka_ConfigResource_t **out =
        rc == 0 ? rd_kafka_DescribeConfigs_result_resources(
                      rd_kafka_event_DescribeConfigs_result(ev), &got)
                : NULL;
    for (size_t r = 0; r < got && rc == 0; r++) {
        const char *name = rd_kafka_ConfigResource_name(out[r]);
        rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(out[r]);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rc = kafka_err(reterr, code, name, rd_kafka_ConfigResource_error_string(out[r]));
            break;
        }
        size_t entries = 0;
        const rd_kafka_ConfigEntry_t **e = rd_kafka_ConfigResource_configs(out[r], &entries);
        for (uint32_t i = 0; i < n; i++) {
            for (size_t j = 0; j < entries && strcmp(name, full[i]) == 0; j++) {
                entry_to_spec(e[j], &specs[i]);
            }
        }
    }
    if (ev != NULL) {
        rd_kafka_event_destroy(ev);
    }
    rd_kafka_queue_destroy(q);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_ConfigResource_destroy_array(res, n);
    mem_free(res);
    return rc;
}

static void setting(rd_kafka_NewTopic_t *t, const char *name, int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    (void)rd_kafka_NewTopic_set_config(t, name, text);
}

static rd_kafka_NewTopic_t *new_topic(struct kafka_bus *b, const char *full,
                                      const struct bus_topic_spec *s)
{
    static const char *const policies[] = {
        [BUS_DELETE] = "delete",
        [BUS_COMPACT] = "compact",
        [BUS_COMPACT_DELETE] = "compact,delete",
    };
    char why[ERR_TEXT];
    int replicas = kafka_conf_replication(b->conf);
    rd_kafka_NewTopic_t *t =
        rd_kafka_NewTopic_new(full, (int)s->partitions, replicas, why, sizeof why);
    if (t == NULL) {
        return NULL;
    }
    (void)rd_kafka_NewTopic_set_config(t, "message.timestamp.type", "LogAppendTime");
    (void)rd_kafka_NewTopic_set_config(t, "cleanup.policy", policies[s->cleanup]);
    setting(t, "max.message.bytes", BUS_RECORD_MAX + 128 * 1024);
    setting(t, "retention.ms", s->retention_ms);
    setting(t, "retention.bytes", s->retention_bytes);
    if (replicas > 0) {
        setting(t, "min.insync.replicas", replicas > 2 ? 2 : 1);
    }
    size_t n = 0;
    const struct kafka_topic_setting *more = kafka_conf_settings(b->conf, &n);
    for (size_t i = 0; i < n; i++) {
        (void)rd_kafka_NewTopic_set_config(t, more[i].name, more[i].value);
    }
    return t;
}

/* Creates one topic; that it exists by now is no error. */
static int create(struct kafka_bus *b, const char *full, const struct bus_topic_spec *s, int ms,
                  struct err *reterr)
{
    rd_kafka_NewTopic_t *t = new_topic(b, full, s);
    if (t == NULL) {
        return err_set(reterr, ERR_USAGE, "kafka: topic %s: not accepted", full);
    }
    rd_kafka_AdminOptions_t *o = options(b, RD_KAFKA_ADMIN_OP_CREATETOPICS, ms);
    rd_kafka_queue_t *q = rd_kafka_queue_new(b->rk);
    rd_kafka_CreateTopics(b->rk, &t, 1, o, q);
    rd_kafka_event_t *ev = NULL;
    int rc = await(b, q, ms, "create topic", &ev, reterr);
    if (rc == 0) {
        size_t n = 0;
        const rd_kafka_topic_result_t **r =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(ev), &n);
        rd_kafka_resp_err_t code = n > 0 ? rd_kafka_topic_result_error(r[0]) : 0;
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            rc = kafka_err(reterr, code, full, rd_kafka_topic_result_error_string(r[0]));
        }
        rd_kafka_event_destroy(ev);
    }
    rd_kafka_queue_destroy(q);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_NewTopic_destroy(t);
    return rc;
}

/* 1 = there and led, 0 = not (yet). */
static int check_topic(struct kafka_bus *b, const char *full, const struct bus_topic_spec *want,
                       int ms, bool *ret_there, struct err *reterr)
{
    const struct rd_kafka_metadata *md = NULL;
    const struct rd_kafka_metadata_topic *t = NULL;
    struct err missing = {0};
    *ret_there = false;
    int rc = kafka_metadata(b, full, ms, &md, reterr);
    if (rc != 0) {
        return rc;
    }
    rc = kafka_topic_meta(md, full, &t, &missing);
    if (rc == 0 && (uint32_t)t->partition_cnt != want->partitions) {
        rc = err_set(reterr, ERR_MISMATCH, "topic %s has %d partitions, not %u", full,
                     t->partition_cnt, want->partitions);
    } else if (rc == 0) {
        *ret_there = true;
        for (int i = 0; i < t->partition_cnt; i++) {
            *ret_there = *ret_there && t->partitions[i].leader >= 0;
        }
    } else if (missing.code == ERR_NOT_FOUND || (missing.flags & ERR_FLAG_RETRY) != 0) {
        rc = 0;
    } else {
        *reterr = missing;
    }
    rd_kafka_metadata_destroy(md);
    return rc;
}

/* describe() of topics that were there just now: the broker asked may be one that has not heard of
 * them yet. */
static int describe_known(struct kafka_bus *b, char *const *full, struct bus_topic_spec *specs,
                          uint32_t n, int ms, struct err *reterr)
{
    for (int left = MIN(ms, LIST_AGAIN_MS);; left -= ASK_AGAIN_MS) {
        struct err e = {0};
        int rc = describe(b, full, specs, n, ms, &e);
        if (rc != -ERR_NOT_FOUND || left <= 0) {
            *reterr = rc != 0 ? e : *reterr;
            return rc;
        }
        clock_sleep_ns(ASK_AGAIN_MS * CLOCK_NS_PER_MS);
    }
}

static int ensure_one(struct kafka_bus *b, const struct bus_topic_spec *s,
                      const struct kafka_job *job, struct err *reterr)
{
    char *full = kafka_name(b, s->name);
    struct bus_topic_spec have = {.partitions = s->partitions};
    bool there = false, created = false;
    int rc = 0;
    for (;;) {
        int ms = kafka_job_left_ms(b, job);
        rc = check_topic(b, full, s, ms, &there, reterr);
        if (rc != 0 || there) {
            break;
        }
        if (ms == 0) {
            rc = err_set(reterr, ERR_TIMEOUT, "topic %s: still without a leader", full);
            err_flags(reterr, ERR_FLAG_RETRY);
            break;
        }
        if (!created) {
            created = true;
            rc = create(b, full, s, ms, reterr);
            if (rc != 0) {
                break;
            }
        } else {
            clock_sleep_ns(ASK_AGAIN_MS * CLOCK_NS_PER_MS);
        }
    }
    if (rc == 0) {
        rc = describe_known(b, &full, &have, 1, MAX(kafka_job_left_ms(b, job), 1000), reterr);
    }
    if (rc == 0 && have.cleanup != s->cleanup) {
        rc = err_set(reterr, ERR_MISMATCH, "topic %s has another cleanup policy than asked for",
                     full);
    }
    if (rc == 0) {
        kafka_topic_made(b, full);
    }
    mem_free(full);
    return rc;
}

int kafka_ensure_topics(struct kafka_bus *b, const struct bus_topic_spec *specs, uint32_t n,
                        const struct kafka_job *job, struct err *reterr)
{
    int rc = 0;
    for (uint32_t i = 0; i < n; i++) { /* one that is refused does not keep the others */
        struct err e = {0};
        int one = ensure_one(b, &specs[i], job, &e);
        if (one != 0 && rc == 0) {
            rc = one;
            *reterr = e;
        }
    }
    return rc;
}

int kafka_claims_ensure(struct kafka_bus *b, const struct kafka_job *job, struct err *reterr)
{
    const struct bus_topic_spec s = {.name = SLICE(KAFKA_CLAIMS),
                                     .partitions = 1,
                                     .cleanup = BUS_COMPACT,
                                     .retention_ms = -1,
                                     .retention_bytes = -1};
    int rc = atomic_load(&b->claims_ready) ? 0 : ensure_one(b, &s, job, reterr);
    if (rc == 0) {
        atomic_store(&b->claims_ready, true);
    }
    return rc;
}

/* The clients' side: jobs. */

struct topics_job {
    struct kafka_job job;
    struct bus_topic_spec *specs; /* owned, with their names */
    uint32_t n;
};

static void run_ensure(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct topics_job *j = (struct topics_job *)take_job;
    struct err e = {0};
    int rc = kafka_ensure_topics(b, j->specs, j->n, take_job, &e);
    kafka_job_done(take_job, kafka_post_new(BUS_EV_DONE, 0), rc != 0 ? &e : NULL);
    for (uint32_t i = 0; i < j->n; i++) {
        mem_free((char *)(uintptr_t)j->specs[i].name.ptr);
    }
    mem_free(j->specs);
    kafka_job_free(take_job);
}

int kafka_ensure(struct bus_client *c, const struct bus_topic_spec *specs, uint32_t n, uint64_t tag,
                 struct err *reterr)
{
    (void)reterr;
    struct topics_job *j = kafka_job_new((struct kafka_client *)c, sizeof *j, tag,
                                         KAFKA_ADMIN_MS + (int64_t)n * 50, run_ensure);
    j->specs = mem_calloc(n, sizeof *j->specs);
    j->n = n;
    for (uint32_t i = 0; i < n; i++) {
        j->specs[i] = specs[i];
        j->specs[i].name =
            slice_of(mem_dup(specs[i].name.ptr, specs[i].name.len), specs[i].name.len);
    }
    kafka_worker_add(kafka_of(c)->admin, &j->job);
    return 0;
}

/* The brokers' own topics, and ours. */
static bool hidden(const char *full, size_t skip)
{
    return strncmp(full, "__", 2) == 0 || strcmp(full + skip, KAFKA_CLAIMS) == 0;
}

/* Every topic under the prefix, or the one of this full name. */
static int gather(struct kafka_bus *b, const char *one, int ms, struct kafka_post *p,
                  struct err *reterr)
{
    const struct rd_kafka_metadata *md = NULL;
    const struct rd_kafka_metadata_topic *t = NULL;
    int rc = kafka_metadata(b, one, ms, &md, reterr);
    if (rc != 0) {
        return rc;
    }
    if (one != NULL) {
        rc = kafka_topic_meta(md, one, &t, reterr);
    }
    size_t skip = strlen(b->b.prefix);
    uint32_t n = 0;
    size_t max = (size_t)md->topic_cnt + 1;
    p->arena = arena_new(NULL, "kafka topics", max * (sizeof(struct bus_topic_spec) + 512) + 65536);
    struct bus_topic_spec *specs = arena_array(p->arena, max, sizeof *specs);
    char **full = arena_array(p->arena, max, sizeof *full);
    for (int i = 0; i < md->topic_cnt && rc == 0; i++) {
        const char *name = md->topics[i].topic;
        if (strncmp(name, b->b.prefix, skip) == 0 && !hidden(name, skip) &&
            md->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            full[n] = arena_str(p->arena, slice_str(name));
            specs[n].name = slice_str(full[n] + skip);
            specs[n].cleanup = BUS_DELETE;
            specs[n].partitions = (uint32_t)md->topics[i].partition_cnt;
            n++;
        }
    }
    rd_kafka_metadata_destroy(md);
    if (rc == 0 && n > 0) {
        rc = describe_known(b, full, specs, n, ms, reterr);
    }
    p->ev.topics = specs;
    p->ev.count = n;
    return rc;
}

struct describe_job {
    struct kafka_job job;
    char *full; /* NULL = list */
    uint32_t topic;
};

static void run_describe(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct describe_job *j = (struct describe_job *)take_job;
    struct err e = {0};
    struct kafka_post *p = kafka_post_new(BUS_EV_DONE, 0);
    p->ev.tp.topic = j->topic;
    int rc = gather(b, j->full, kafka_job_left_ms(b, take_job), p, &e);
    if (rc != 0) {
        p->ev.topics = NULL;
        p->ev.count = 0;
    }
    kafka_job_done(take_job, p, rc != 0 ? &e : NULL);
    mem_free(j->full);
    kafka_job_free(take_job);
}

int kafka_describe(struct bus_client *c, uint32_t topic, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    struct describe_job *j =
        kafka_job_new((struct kafka_client *)c, sizeof *j, tag, KAFKA_ADMIN_MS, run_describe);
    j->topic = topic;
    j->full = topic != 0 ? kafka_name(kafka_of(c), bus_topic_name(c, topic)) : NULL;
    kafka_worker_add(kafka_of(c)->admin, &j->job);
    return 0;
}

int kafka_list(struct bus_client *c, uint64_t tag, struct err *reterr)
{
    return kafka_describe(c, 0, tag, reterr);
}
