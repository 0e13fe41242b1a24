/* SPDX-License-Identifier: Apache-2.0
 *
 * Offsets: bounds, settled, by_time, trim. The administrative client reads committed records only,
 * so the end that it is told is the last stable offset: what END means. A second client, made when
 * it is first wanted, is told of what is not decided, too. Runs on the admin worker.
 */
#include "core/bus/bus_kafka_ops.h"

#include "core/base/mem.h"

#include <assert.h>

enum { ASK_AGAIN_MS = 20, DECIDED_MS = 5 };

struct offsets_job {
    struct kafka_job job;
    char *full;
    struct bus_tp tp;
    int64_t arg; /* of settled: the end of what was written; -1: not known yet */
    int64_t number;
    uint64_t id;
    bool (*apply)(struct kafka_client *, struct kafka_post *);
};

/* librdkafka looks for the leader of an unknown partition until its time is up; ask first. */
static int count(struct kafka_bus *b, const char *full, int ms, int64_t *ret_n, struct err *reterr)
{
    const struct rd_kafka_metadata *md = NULL;
    const struct rd_kafka_metadata_topic *t = NULL;
    int rc = kafka_metadata(b, full, ms, &md, reterr);
    if (rc != 0) {
        return rc;
    }
    rc = kafka_topic_meta(md, full, &t, reterr);
    if (rc == 0) {
        *ret_n = t->partition_cnt;
    }
    rd_kafka_metadata_destroy(md);
    return rc;
}

/* The offset of a time, or of RD_KAFKA_OFFSET_BEGINNING or _END, as brokers know it; -1 = there is
 * none. Of librdkafka's two ways to ask for bounds this one: the other one asks for both at once
 * and forgets that one answer was an error if the other comes at the same moment and was none. */
static int offset_by(struct kafka_bus *b, rd_kafka_t *rk, const char *full_name, uint32_t part,
                     int64_t time, int timeout_ms, int64_t *ret_offset, struct err *reterr)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(l, full_name, (int32_t)part);
    at->offset = time;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(rk, l, timeout_ms);
    code = code != RD_KAFKA_RESP_ERR_NO_ERROR ? code : at->err;
    int rc = 0;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        *ret_offset = at->offset;
    } else if (kafka_err_code(code) ==
               ERR_NOT_FOUND) { /* we have just been told that it is there */
        rc = err_set(reterr, ERR_UNAVAILABLE,
                     "kafka: %s: the leader of partition %u has not heard of it yet", full_name,
                     part);
        err_flags(reterr, ERR_FLAG_RETRY);
    } else {
        struct kafka_health h = kafka_bus_health(b);
        rc = kafka_err_wait(reterr, code, full_name, &h);
    }
    rd_kafka_topic_partition_list_destroy(l);
    return rc;
}

static int offset_of(struct kafka_bus *b, const char *full_name, uint32_t part, int64_t time,
                     int timeout_ms, int64_t *ret_offset, struct err *reterr)
{
    return offset_by(b, b->rk, full_name, part, time, timeout_ms, ret_offset, reterr);
}

static int bounds_once(struct kafka_bus *b, const struct kafka_job *job, const char *full_name,
                       uint32_t part, int64_t *ret_start, int64_t *ret_end, struct err *reterr)
{
    int64_t n = 0;
    int rc = count(b, full_name, kafka_job_left_ms(b, job), &n, reterr);
    if (rc == 0 && part >= n) {
        rc = err_set(reterr, ERR_NOT_FOUND, "kafka: topic %s has no partition %u", full_name, part);
    }
    if (rc == 0) {
        rc = offset_of(b, full_name, part, RD_KAFKA_OFFSET_BEGINNING, kafka_job_left_ms(b, job),
                       ret_start, reterr);
    }
    if (rc == 0) { /* after the start, so that it is not before it */
        rc = offset_of(b, full_name, part, RD_KAFKA_OFFSET_END, kafka_job_left_ms(b, job), ret_end,
                       reterr);
    }
    return rc;
}

/* A partition that was made or has moved just now is refused by the broker that leads it: brokers
 * hear of changes each in its own time, and the one that told us of it may have been the first. */
int kafka_bounds_of(struct kafka_bus *b, const struct kafka_job *job, const char *full_name,
                    uint32_t part, int64_t *ret_start, int64_t *ret_end, struct err *reterr)
{
    for (;;) {
        struct err e = {0};
        int rc = bounds_once(b, job, full_name, part, ret_start, ret_end, &e);
        if (rc == 0) {
            return 0;
        }
        if ((e.flags & ERR_FLAG_RETRY) == 0 || kafka_job_left_ms(b, job) < ASK_AGAIN_MS) {
            *reterr = e;
            return rc;
        }
        clock_sleep_ns(ASK_AGAIN_MS * CLOCK_NS_PER_MS);
    }
}

static void offsets_end(struct offsets_job *j, struct kafka_post *p, int rc, const struct err *e)
{
    p->ev.tp = j->tp;
    p->id = j->id;
    p->number = j->number;
    p->apply = j->apply;
    kafka_job_done(&j->job, p, rc != 0 ? e : NULL);
    mem_free(j->full);
    kafka_job_free(&j->job);
}

static void run_bounds(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct offsets_job *j = (struct offsets_job *)take_job;
    struct err e = {0};
    struct kafka_post *p = kafka_post_new(BUS_EV_DONE, 0);
    int rc = kafka_bounds_of(b, take_job, j->full, j->tp.part, &p->ev.offset, &p->ev.end, &e);
    offsets_end(j, p, rc, &e);
}

static rd_kafka_t *who_sees_all(struct kafka_bus *b, struct err *reterr)
{
    rd_kafka_conf_t *conf = NULL;
    if (b->all == NULL && kafka_conf_make(b->conf, KAFKA_ADMIN, &conf, reterr) == 0) {
        if (kafka_conf_set(conf, "isolation.level", "read_uncommitted", reterr) != 0) {
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
        b->all = kafka_client_make(conf, RD_KAFKA_CONSUMER, false, reterr);
    }
    return b->all;
}

/* The end of all that has been written, decided or not. */
static int written_end(struct kafka_bus *b, struct offsets_job *j, struct err *reterr)
{
    rd_kafka_t *rk = who_sees_all(b, reterr);
    return rk == NULL ? -ERR_USAGE
                      : offset_by(b, rk, j->full, j->tp.part, RD_KAFKA_OFFSET_END,
                                  kafka_job_left_ms(b, &j->job), &j->arg, reterr);
}

static void run_settled(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct offsets_job *j = (struct offsets_job *)take_job;
    struct err e = {0};
    int64_t start = 0, end = 0;
    int rc = kafka_bounds_of(b, take_job, j->full, j->tp.part, &start, &end, &e);
    if (rc == 0 && j->arg < 0) { /* after the leader is known to be one */
        rc = written_end(b, j, &e);
    }
    if (rc == 0 && end < j->arg) {
        if (kafka_job_left_ms(b, take_job) > DECIDED_MS) {
            clock_sleep_ns(DECIDED_MS * CLOCK_NS_PER_MS);
            kafka_worker_again(b->admin, take_job);
            return;
        }
        rc =
            err_set(&e, ERR_UNAVAILABLE,
                    "kafka: %s, partition %u: a transaction has been open since before offset %lld",
                    j->full, j->tp.part, (long long)j->arg);
        err_flags(&e, ERR_FLAG_RETRY);
    }
    struct kafka_post *p = kafka_post_new(BUS_EV_DONE, 0);
    p->ev.offset = start;
    p->ev.end = end;
    offsets_end(j, p, rc, &e);
}

static void run_count(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct offsets_job *j = (struct offsets_job *)take_job;
    struct err e = {0};
    struct kafka_post *p = kafka_post_new(BUS_EV_DONE, 0);
    int rc = count(b, j->full, kafka_job_left_ms(b, take_job), &p->ev.end, &e);
    offsets_end(j, p, rc, &e);
}

/* The first record at or after `start` if its time is not before the job's, else the end. */
static int first_young(struct kafka_bus *b, const struct offsets_job *j, int64_t start, int64_t end,
                       int64_t *ret_offset, struct err *reterr)
{
    int32_t part = (int32_t)j->tp.part;
    rd_kafka_topic_t *t = rd_kafka_topic_new(b->rk, j->full, NULL);
    rd_kafka_message_t *m = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (rd_kafka_consume_start(t, part, start) != 0) {
        code = rd_kafka_last_error();
    } else {
        m = rd_kafka_consume(t, part, kafka_job_left_ms(b, &j->job));
        code = m != NULL ? m->err : code;
        (void)rd_kafka_consume_stop(t, part);
    }
    bool record = m != NULL && code == RD_KAFKA_RESP_ERR_NO_ERROR;
    int rc = 0;
    if (record && rd_kafka_message_timestamp(m, NULL) >= j->arg) {
        *ret_offset = m->offset;
    } else if (record || code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        *ret_offset = end;
    } else {
        struct kafka_health h = kafka_bus_health(b);
        rc = kafka_err_wait(reterr, code, j->full, &h);
    }
    if (m != NULL) {
        rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_destroy(t);
    return rc;
}

/* A broker looks only into the first segment whose youngest record is young enough. If all in there
 * that is young enough lies before the start, which is so until a trimmed segment has been deleted,
 * it says that there is none, whatever may follow. As times do not decrease, what follows is then
 * young enough from the start on: so one look at the first record tells what "none" means. */
static int by_time(struct kafka_bus *b, const struct offsets_job *j, int64_t *ret_offset,
                   struct err *reterr)
{
    int64_t start = 0, end = 0;
    int rc = kafka_bounds_of(b, &j->job, j->full, j->tp.part, &start, &end, reterr);
    if (rc != 0) {
        return rc;
    }
    int64_t at = 0;
    rc = offset_of(b, j->full, j->tp.part, MAX(j->arg, 0), kafka_job_left_ms(b, &j->job), &at,
                   reterr);
    if (rc != 0) {
        return rc;
    }
    if (at < 0 && start < end) {
        return first_young(b, j, start, end, ret_offset, reterr);
    }
    *ret_offset = at < 0 || at > end ? end : at;
    return 0;
}

static void run_by_time(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct offsets_job *j = (struct offsets_job *)take_job;
    struct err e = {0};
    struct kafka_post *p = kafka_post_new(BUS_EV_DONE, 0);
    int rc = by_time(b, j, &p->ev.offset, &e);
    offsets_end(j, p, rc, &e);
}

static int delete_before(struct kafka_bus *b, const struct offsets_job *j, int ms,
                         struct err *reterr)
{
    char why[200];
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(l, j->full, (int32_t)j->tp.part)->offset = j->arg;
    rd_kafka_DeleteRecords_t *del = rd_kafka_DeleteRecords_new(l);
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(b->rk, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    (void)rd_kafka_AdminOptions_set_request_timeout(o, MAX(ms, 1), why, sizeof why);
    (void)rd_kafka_AdminOptions_set_operation_timeout(o, MAX(ms, 1), why, sizeof why);
    rd_kafka_queue_t *q = rd_kafka_queue_new(b->rk);
    rd_kafka_DeleteRecords(b->rk, &del, 1, o, q);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, ms + 1000);
    rd_kafka_resp_err_t code = ev != NULL ? rd_kafka_event_error(ev) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_topic_partition_list_t *out =
            rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(ev));
        code = out->cnt > 0 ? out->elems[0].err : RD_KAFKA_RESP_ERR_UNKNOWN;
    }
    int rc = 0;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        struct kafka_health h = kafka_bus_health(b);
        rc = kafka_err_wait(reterr, code, j->full, &h);
    }
    if (ev != NULL) {
        rd_kafka_event_destroy(ev);
    }
    rd_kafka_queue_destroy(q);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_DeleteRecords_destroy(del);
    rd_kafka_topic_partition_list_destroy(l);
    return rc;
}

static void run_trim(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct offsets_job *j = (struct offsets_job *)take_job;
    struct err e = {0};
    int64_t start = 0, end = 0;
    int rc = kafka_bounds_of(b, take_job, j->full, j->tp.part, &start, &end, &e);
    int ms = kafka_job_left_ms(b, take_job);
    if (rc == 0 && j->arg > end) {
        rc = err_set(&e, ERR_RANGE, "topic %s: offset %lld is beyond the stable end %lld", j->full,
                     (long long)j->arg, (long long)end);
    } else if (rc == 0) { /* also when nothing lies before: the broker says if it may be trimmed */
        rc = delete_before(b, j, ms, &e);
    }
    offsets_end(j, kafka_post_new(BUS_EV_DONE, 0), rc, &e);
}

static struct offsets_job *start(struct kafka_client *c, struct bus_tp tp, uint64_t tag,
                                 void (*run)(struct kafka_bus *, struct kafka_job *))
{
    struct offsets_job *j = kafka_job_new(c, sizeof *j, tag, KAFKA_ADMIN_MS, run);
    j->full = kafka_name(kafka_of(&c->c), bus_topic_name(&c->c, tp.topic));
    j->tp = tp;
    return j;
}

int kafka_bounds(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    struct offsets_job *j = start((struct kafka_client *)c, tp, tag, run_bounds);
    kafka_worker_add(kafka_of(c)->admin, &j->job);
    return 0;
}

int kafka_settled(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    struct offsets_job *j = start((struct kafka_client *)c, tp, tag, run_settled);
    j->arg = -1;
    kafka_worker_add(kafka_of(c)->admin, &j->job);
    return 0;
}

void kafka_bounds_ask(struct kafka_client *c, struct bus_tp tp, uint64_t id, int64_t number,
                      bool (*apply)(struct kafka_client *, struct kafka_post *))
{
    assert(apply != NULL);
    struct offsets_job *j = start(c, tp, 0, run_bounds);
    j->id = id;
    j->number = number;
    j->apply = apply;
    kafka_worker_add(kafka_of(&c->c)->admin, &j->job);
}

void kafka_count_ask(struct kafka_client *c, struct bus_tp tp, uint64_t id,
                     bool (*apply)(struct kafka_client *, struct kafka_post *))
{
    assert(apply != NULL);
    struct offsets_job *j = start(c, tp, 0, run_count);
    j->id = id;
    j->apply = apply;
    kafka_worker_add(kafka_of(&c->c)->admin, &j->job);
}

int kafka_by_time(struct bus_client *c, struct bus_tp tp, int64_t time_ms, uint64_t tag,
                  struct err *reterr)
{
    (void)reterr;
    struct offsets_job *j = start((struct kafka_client *)c, tp, tag, run_by_time);
    j->arg = time_ms;
    kafka_worker_add(kafka_of(c)->admin, &j->job);
    return 0;
}

int kafka_trim(struct bus_client *c, struct bus_tp tp, int64_t before, uint64_t tag,
               struct err *reterr)
{
    if (before < 0) {
        return err_set(reterr, ERR_RANGE, "trim: offset %lld", (long long)before);
    }
    struct offsets_job *j = start((struct kafka_client *)c, tp, tag, run_trim);
    j->arg = before;
    kafka_worker_add(kafka_of(c)->admin, &j->job);
    return 0;
}

int kafka_maintain(struct bus_client *c, uint64_t tag, struct err *reterr)
{
    (void)reterr; /* brokers do it by themselves */
    struct kafka_client *k = (struct kafka_client *)c;
    kafka_post(k->box, kafka_post_new(BUS_EV_DONE, tag));
    return 0;
}
