/* SPDX-License-Identifier: Apache-2.0
 *
 * Elections: all who take part in one join a consumer group that is named after it and subscribed
 * to a topic of one partition; who is given the partition has won. Brokers notice a member that
 * dies (session) or that does not poll (max.poll.interval): liveness is theirs, safety is the
 * slot's, see the design's section on the coordinator. Before LEADER is told the winner writes a
 * record of the election's name to that topic; its offset is the epoch.
 *
 * Everything but that write and the leaving of the group runs on the client's thread.
 */
#include "core/bus/bus_kafka_ops.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>

struct kafka_election {
    struct kafka_health health;
    struct kafka_client *client; /* NULL = the reaper has it */
    uint64_t id, tag;
    char *name;
    rd_kafka_t *rk; /* NULL = the topic is still being made */
    rd_kafka_queue_t *queue;
    bool assigned;
    int told;         /* -1 nothing yet, 0 not leading, 1 leading */
    uint64_t version; /* raised by each assignment: a claim for an older one is void */
};

struct elect_job {
    struct kafka_job job;
    char *name;
    uint64_t version;
};

static struct kafka_election *find(struct kafka_client *c, uint64_t id)
{
    VEC_EACH (&c->elections, e) {
        if ((*e)->id == id) {
            return *e;
        }
    }
    return NULL;
}

static bool still_there(struct kafka_client *c, struct kafka_post *p)
{
    return find(c, p->id) != NULL;
}

static void tell(struct kafka_election *e, bool leading, int64_t epoch)
{
    if (e->told == (int)leading) {
        return;
    }
    e->told = (int)leading;
    struct kafka_post *p = kafka_post_new(BUS_EV_LEADER, e->tag);
    p->ev.leading = leading;
    p->ev.offset = epoch;
    p->id = e->id;
    p->apply = still_there;
    kafka_post(e->client->box, p);
}

/* The delivery report of a claim: its opaque is where the offset goes. */
static void on_claimed(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk, (void)opaque;
    int64_t *ret_offset = m->_private;
    if (ret_offset != NULL && m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        *ret_offset = m->offset;
    }
}

static int claims_producer(struct kafka_bus *b, struct err *reterr)
{
    rd_kafka_conf_t *conf = NULL;
    int rc = b->claims == NULL ? kafka_conf_make(b->conf, KAFKA_PLAIN, &conf, reterr) : 0;
    if (conf != NULL) {
        kafka_health_watch(conf, &b->claims_health);
        rd_kafka_conf_set_dr_msg_cb(conf, on_claimed);
        b->claims = kafka_client_make(conf, RD_KAFKA_PRODUCER, false, reterr);
        rc = b->claims != NULL ? 0 : -ERR_USAGE;
    }
    return rc;
}

static int write_claim(struct kafka_bus *b, const char *name, const struct kafka_job *job,
                       int64_t *ret_epoch, struct err *reterr)
{
    int64_t offset = -1;
    int rc = claims_producer(b, reterr);
    if (rc != 0) {
        return rc;
    }
    char *full = kafka_name(b, SLICE(KAFKA_CLAIMS));
    rd_kafka_resp_err_t code = rd_kafka_producev(
        b->claims, RD_KAFKA_V_TOPIC(full), RD_KAFKA_V_PARTITION(0),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(name, strlen(name)),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)name, strlen(name)), RD_KAFKA_V_OPAQUE(&offset),
        RD_KAFKA_V_END);
    mem_free(full);
    code = code != RD_KAFKA_RESP_ERR_NO_ERROR
               ? code
               : rd_kafka_flush(b->claims, kafka_job_left_ms(b, job));
    if (code !=
        RD_KAFKA_RESP_ERR_NO_ERROR) { /* `offset` goes out of scope: nothing may point at it */
        (void)rd_kafka_purge(b->claims, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(b->claims, -1);
    }
    if (offset < 0) {
        code = code != RD_KAFKA_RESP_ERR_NO_ERROR ? code : RD_KAFKA_RESP_ERR__TIMED_OUT;
        return kafka_err_wait(reterr, code, "claim the leadership", &b->claims_health);
    }
    *ret_epoch = offset + 1;
    return 0;
}

static void ask_claim(struct kafka_election *e);

static bool claimed(struct kafka_client *c, struct kafka_post *p)
{
    struct kafka_election *e = find(c, p->id);
    if (e != NULL && e->assigned && e->version == (uint64_t)p->number) {
        if (p->ev.kind == BUS_EV_ERROR) {
            ask_claim(e); /* brokers that do not answer; it took its time */
        } else {
            tell(e, true, p->ev.offset);
        }
    }
    return false;
}

static void run_claim(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct elect_job *j = (struct elect_job *)take_job;
    struct err e = {0};
    struct kafka_post *p = kafka_post_new(BUS_EV_DONE, 0);
    int rc = write_claim(b, j->name, take_job, &p->ev.offset, &e);
    p->id = take_job->id;
    p->number = (int64_t)j->version;
    p->apply = claimed;
    if (rc != 0) {
        clock_sleep_ns(100 * CLOCK_NS_PER_MS);
    }
    kafka_job_done(take_job, p, rc != 0 ? &e : NULL);
    mem_free(j->name);
    kafka_job_free(take_job);
}

static void ask_claim(struct kafka_election *e)
{
    struct elect_job *j = kafka_job_new(e->client, sizeof *j, e->tag, KAFKA_ADMIN_MS, run_claim);
    j->job.id = e->id;
    j->name = mem_dup(e->name, strlen(e->name));
    j->version = e->version;
    kafka_worker_add(kafka_of(&e->client->c)->admin, &j->job);
}

/* On the client's thread, from rd_kafka_consumer_poll; at the end in the reaper. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *parts, void *opaque)
{
    struct kafka_election *e = CONTAINER_OF(opaque, struct kafka_election, health);
    bool decided = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    bool won = decided && parts->cnt > 0;
    for (int i = 0; won && i < parts->cnt; i++) {
        parts->elems[i].offset = RD_KAFKA_OFFSET_END;
    }
    /* An empty assignment is answered by an empty one: NULL would be a revocation that nobody asked
     * for, after which a member does not take part in the next round. */
    (void)rd_kafka_assign(rk, decided ? parts : NULL);
    if (e->client == NULL) {
        return;
    }
    e->assigned = won;
    e->version++;
    if (won) {
        ask_claim(e);
    } else if (decided || e->told == 1) {
        tell(e, false, 0);
    }
}

static int join(struct kafka_election *e, struct err *reterr)
{
    struct kafka_bus *b = kafka_of(&e->client->c);
    rd_kafka_conf_t *conf = NULL;
    int rc = kafka_conf_make(b->conf, KAFKA_ELECT, &conf, reterr);
    if (rc != 0) {
        return rc;
    }
    char group[2 * BUS_NAME_MAX + 16];
    (void)snprintf(group, sizeof group, "%select.%s", b->b.prefix, e->name);
    kafka_health_watch(conf, &e->health);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rc = kafka_conf_set(conf, "group.id", group, reterr);
    if (rc != 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    e->rk = kafka_client_make(conf, RD_KAFKA_CONSUMER, false, reterr);
    if (e->rk == NULL) {
        return -ERR_USAGE;
    }
    (void)rd_kafka_poll_set_consumer(e->rk);
    e->queue = rd_kafka_queue_get_consumer(e->rk);
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(e->queue, e->client->c.wake.signal_fd, &one, sizeof one);
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    char *full = kafka_name(b, SLICE(KAFKA_CLAIMS));
    rd_kafka_topic_partition_list_add(l, full, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(e->rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    mem_free(full);
    return code != RD_KAFKA_RESP_ERR_NO_ERROR ? kafka_err(reterr, code, "subscribe", NULL) : 0;
}

static bool topic_made(struct kafka_client *c, struct kafka_post *p)
{
    struct kafka_election *e = find(c, p->id);
    if (e == NULL) {
        return false;
    }
    if (p->ev.kind != BUS_EV_ERROR && join(e, &p->err) == 0) {
        return false;
    }
    p->ev.kind = BUS_EV_ERROR;
    kafka_election_free(e);
    return true;
}

static void run_elect(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct elect_job *j = (struct elect_job *)take_job;
    struct err e = {0};
    struct kafka_post *p = kafka_post_new(BUS_EV_DONE, 0);
    int rc = kafka_claims_ensure(b, take_job, &e);
    p->id = take_job->id;
    p->apply = topic_made;
    kafka_job_done(take_job, p, rc != 0 ? &e : NULL);
    mem_free(j->name);
    kafka_job_free(take_job);
}

int kafka_elect(struct bus_client *c, struct slice name, uint64_t tag, struct err *reterr)
{
    struct kafka_client *k = (struct kafka_client *)c;
    VEC_EACH (&k->elections, it) {
        if (slice_eq(slice_str((*it)->name), name)) {
            return err_set(reterr, ERR_EXISTS, "election " SLICE_FMT " is taken part in already",
                           SLICE_ARG(name));
        }
    }
    struct kafka_election *e = MEM_NEW(struct kafka_election);
    e->client = k;
    e->id = ++k->ids;
    e->tag = tag;
    e->told = -1;
    e->name = mem_dup(name.ptr, name.len);
    *VEC_PUSH(&k->elections) = e;
    struct elect_job *j = kafka_job_new(k, sizeof *j, tag, KAFKA_ADMIN_MS, run_elect);
    j->job.id = e->id;
    kafka_worker_add(kafka_of(c)->admin, &j->job);
    return 0;
}

void kafka_election_poll(struct kafka_election *e)
{
    rd_kafka_message_t *m;
    while (e->rk != NULL && (m = rd_kafka_consumer_poll(e->rk, 0)) != NULL) {
        rd_kafka_message_destroy(m);
    }
}

struct leave_job {
    struct kafka_job job;
    struct kafka_election *e;
};

static void run_leave(struct kafka_bus *b, struct kafka_job *take_job)
{
    (void)b;
    struct kafka_election *e = ((struct leave_job *)take_job)->e;
    if (e->rk != NULL) {
        (void)rd_kafka_consumer_close(e->rk);
        rd_kafka_destroy(e->rk);
    }
    mem_free(e->name);
    mem_free(e);
    kafka_job_free(take_job);
}

void kafka_election_free(struct kafka_election *e)
{
    struct kafka_client *c = e->client;
    for (size_t i = 0; i < c->elections.len; i++) {
        if (c->elections.ptr[i] == e) {
            VEC_REMOVE(&c->elections, i);
            break;
        }
    }
    if (e->queue != NULL) {
        rd_kafka_queue_io_event_enable(e->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(e->queue);
    }
    e->client = NULL;
    struct leave_job *j = MEM_NEW(struct leave_job);
    j->job.run = run_leave;
    j->e = e;
    kafka_worker_add(kafka_of(&c->c)->reaper, &j->job);
}

void kafka_resign(struct bus_client *c, struct slice name)
{
    struct kafka_client *k = (struct kafka_client *)c;
    VEC_EACH (&k->elections, it) {
        if (slice_eq(slice_str((*it)->name), name)) {
            kafka_election_free(*it);
            return;
        }
    }
}
