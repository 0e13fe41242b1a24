/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots: the transactional producer, its commits and aborts, and fencing. What waits runs on the
 * writer's worker, to which the producer is handed over: init_transactions, then always
 * begin - puts - commit or abort - begin.
 *
 * Errors are looked at in this order. Fatal or fenced: the producer is dead; FENCED if somebody
 * else has the slot, else ABORTED or UNKNOWN by the rule below, with reopen. Abort required: abort,
 * ABORTED. Retriable: the same call again, until the deadline. Anything else is like fatal.
 * The rule: as long as no EndTxn has left for a commit, its transaction cannot become visible
 * (opening the slot again ends it), so its end is ABORTED; after that an end that is not a clean
 * answer is UNKNOWN. A producer with a tainted request (bus_kafka_taint.c) is given up as well.
 *
 * The epoch of OPENED is the offset of a record that the new holder commits to the topic of
 * claims: a number that brokers hand out, which only grows, whatever producer ids do.
 */
#include "core/bus/bus_kafka_write.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum {
    CALL_MS = 2000, /* one call; then error_cb is served and the deadline looked at */
    SETTLE_MS = 1000,
};

enum fate { FATE_COMMITTED, FATE_ABORTED, FATE_UNKNOWN, FATE_FENCED };

struct end {
    enum fate fate;
    bool reopen;
    struct err err;
};

static bool is_fenced(rd_kafka_resp_err_t code)
{
    return kafka_err_code(code) == ERR_FENCED;
}

/* The code behind RD_KAFKA_RESP_ERR__FATAL. */
static rd_kafka_resp_err_t real_code(rd_kafka_t *rk, const rd_kafka_error_t *e)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(e);
    rd_kafka_resp_err_t fatal =
        rd_kafka_error_is_fatal(e) ? rd_kafka_fatal_error(rk, NULL, 0) : RD_KAFKA_RESP_ERR_NO_ERROR;
    return fatal != RD_KAFKA_RESP_ERR_NO_ERROR ? fatal : code;
}

enum verdict { AGAIN, MUST_ABORT, DEAD_FENCED, DEAD };

/* What to do about an error, in the order of the header comment; destroys it. */
static enum verdict judge(struct kafka_writer *w, rd_kafka_error_t *take_e, const char *what,
                          struct err *ret_err)
{
    rd_kafka_resp_err_t code = real_code(w->rk, take_e);
    enum verdict v = DEAD;
    (void)kafka_err(ret_err, code, what, rd_kafka_error_string(take_e));
    if (is_fenced(code) && (rd_kafka_error_is_fatal(take_e) || code == RD_KAFKA_RESP_ERR__FENCED)) {
        v = DEAD_FENCED;
    } else if (rd_kafka_error_is_fatal(take_e)) {
        v = DEAD;
    } else if (rd_kafka_error_txn_requires_abort(take_e)) {
        v = MUST_ABORT;
    } else if (rd_kafka_error_is_retriable(take_e)) {
        v = AGAIN;
    }
    rd_kafka_error_destroy(take_e);
    return v;
}

static bool late(struct kafka_writer *w, int64_t deadline_ns)
{
    return atomic_load(&w->bus->stopping) || clock_mono(&w->bus->clock) > deadline_ns;
}

/* Before an abort of a transaction that has not failed: lets its partitions be registered. While
 * the markers of the transaction before are still being written, brokers put that off; an EndTxn
 * that overtakes it is an invalid state, fatal to the producer. */
static void settle(struct kafka_writer *w)
{
    if (w->put_failed.code == ERR_OK && w->failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)rd_kafka_flush(w->rk, SETTLE_MS);
    }
}

/* Aborts; nothing of the transaction will be visible, however this ends. */
static void abort_txn(struct kafka_writer *w, int64_t deadline_ns, struct end *end)
{
    struct err e = {0};
    end->fate = FATE_ABORTED;
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(w->rk, CALL_MS);
        if (error == NULL) {
            return;
        }
        enum verdict v = judge(w, error, "abort", &e);
        if (v == DEAD_FENCED) {
            end->fate = FATE_FENCED;
            end->err = e;
        }
        if (v != AGAIN || late(w, deadline_ns)) {
            end->reopen = true;
            return;
        }
        clock_sleep_ns(10 * CLOCK_NS_PER_MS);
    }
}

static void commit_txn(struct kafka_writer *w, int64_t deadline_ns, struct end *end)
{
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_commit_transaction(w->rk, CALL_MS);
        if (error == NULL) {
            end->fate = FATE_COMMITTED;
            return;
        }
        enum verdict v = judge(w, error, "commit", &end->err);
        bool asked = kafka_taint_ended(&w->taint);
        if (v == AGAIN && !late(w, deadline_ns)) {
            clock_sleep_ns(10 * CLOCK_NS_PER_MS);
            continue;
        }
        end->reopen = true;
        if (v == DEAD_FENCED) {
            end->fate = FATE_FENCED;
        } else if (asked) {
            end->fate = FATE_UNKNOWN;
        } else if (v == MUST_ABORT) {
            end->reopen = false;
            abort_txn(w, deadline_ns, end);
        } else {
            end->fate = FATE_ABORTED;
        }
        return;
    }
}

static int by_partition(const void *a, const void *b)
{
    const struct bus_span *x = a, *y = b;
    if (x->tp.topic != y->tp.topic) {
        return x->tp.topic < y->tp.topic ? -1 : 1;
    }
    return x->tp.part < y->tp.part ? -1 : x->tp.part > y->tp.part;
}

static void make_spans(struct kafka_writer *w, struct kafka_post *p)
{
    size_t n = w->touched.len;
    if (n == 0) {
        return;
    }
    p->arena = arena_new(NULL, "kafka spans", n * sizeof(struct bus_span) + 4096);
    struct bus_span *spans = arena_array(p->arena, n, sizeof *spans);
    for (size_t i = 0; i < n; i++) {
        const struct kafka_wpart *t = w->touched.ptr[i];
        spans[i] = (struct bus_span){t->tp, t->first, t->count};
    }
    qsort(spans, n, sizeof *spans, by_partition);
    p->ev.spans = spans;
    p->ev.count = (uint32_t)n;
}

static void forget_txn(struct kafka_writer *w)
{
    VEC_EACH (&w->touched, p) {
        (*p)->count = 0;
        (*p)->first = -1;
    }
    VEC_CLEAR(&w->touched);
    w->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
    w->put_failed = (struct err){0};
}

/* The next transaction, or the producer is given up. */
static void begin(struct kafka_writer *w, struct end *end)
{
    if (end->reopen || (end->fate != FATE_COMMITTED && end->fate != FATE_ABORTED)) {
        return;
    }
    if (kafka_taint_found(&w->taint)) {
        kafka_add(w->bus, KAFKA_TAINTS, 1);
        end->reopen = true;
        return;
    }
    rd_kafka_error_t *error = rd_kafka_begin_transaction(w->rk);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
        end->reopen = true;
    }
}

static void count_end(struct kafka_bus *b, enum fate fate)
{
    static const enum kafka_count of[] = {
        [FATE_COMMITTED] = KAFKA_COMMITS,
        [FATE_ABORTED] = KAFKA_ABORTS,
        [FATE_UNKNOWN] = KAFKA_UNKNOWNS,
        [FATE_FENCED] = KAFKA_FENCES,
    };
    kafka_add(b, of[fate], 1);
}

/* On the client's thread: the writer goes on, or is dead. */
static bool txn_ended(struct kafka_client *c, struct kafka_post *p)
{
    struct kafka_writer *w = kafka_writer_find(c, p->id);
    if (w == NULL) {
        return false;
    }
    p->ev.writer = &w->w;
    w->busy_bytes = 0;
    if (p->ev.kind != BUS_EV_COMMITTED || p->ev.reopen) {
        buf_clear(&w->later);
        w->later_bytes = 0;
    }
    if (p->ev.reopen) {
        w->state = KAFKA_DEAD;
        return true;
    }
    w->state = KAFKA_READY;
    kafka_writer_send_later(w);
    if (w->abort_asked) { /* what it was about is gone already */
        w->abort_asked = false;
        struct kafka_post *also = kafka_post_new(BUS_EV_ABORTED, w->abort_tag);
        also->id = w->id;
        also->apply = txn_ended;
        w->state = KAFKA_ABORTING;
        (void)err_set(&also->err, ERR_ABORTED, "as asked");
        kafka_post(c->box, also);
    }
    return true;
}

static void tell_end(const struct kafka_job *job, struct kafka_writer *w, struct kafka_post *p,
                     struct end *end)
{
    static const enum bus_ev_kind kinds[] = {
        [FATE_COMMITTED] = BUS_EV_COMMITTED,
        [FATE_ABORTED] = BUS_EV_ABORTED,
        [FATE_UNKNOWN] = BUS_EV_UNKNOWN,
        [FATE_FENCED] = BUS_EV_FENCED,
    };
    p->ev.kind = kinds[end->fate];
    p->ev.tag = job->tag;
    p->ev.reopen = end->reopen;
    if (end->fate == FATE_ABORTED || end->fate == FATE_UNKNOWN) {
        p->err = end->err;
    }
    p->id = w->id;
    p->apply = txn_ended;
    count_end(w->bus, end->fate);
    forget_txn(w);
    kafka_post(job->box, p);
}

static int64_t txn_deadline(const struct kafka_writer *w)
{
    int64_t ms = kafka_conf_transaction_ms(w->bus->conf) * 2 + 5000;
    return clock_mono(&w->bus->clock) + ms * CLOCK_NS_PER_MS;
}

static void run_commit(struct kafka_bus *b, struct kafka_job *take_job)
{
    (void)b;
    struct kafka_writer *w = ((struct kafka_writer_job *)take_job)->w;
    struct kafka_post *p = kafka_post_new(BUS_EV_COMMITTED, 0);
    struct end end = {.fate = FATE_UNKNOWN};
    kafka_taint_begin(&w->taint);
    if (w->put_failed.code != ERR_OK) {
        end.err = w->put_failed;
        abort_txn(w, txn_deadline(w), &end);
    } else {
        commit_txn(w, txn_deadline(w), &end);
    }
    if (end.fate == FATE_COMMITTED) {
        make_spans(w, p);
    } else if (end.fate == FATE_ABORTED && w->failed != RD_KAFKA_RESP_ERR_NO_ERROR &&
               w->failed != RD_KAFKA_RESP_ERR__STATE) {
        (void)kafka_err_wait(&end.err, w->failed, "put",
                             &w->health); /* says more than the commit */
    }
    begin(w, &end);
    tell_end(take_job, w, p, &end);
    kafka_job_free(take_job);
}

static void run_abort(struct kafka_bus *b, struct kafka_job *take_job)
{
    (void)b;
    struct kafka_writer *w = ((struct kafka_writer_job *)take_job)->w;
    struct end end = {.fate = FATE_ABORTED};
    (void)err_set(&end.err, ERR_ABORTED, "as asked");
    kafka_taint_begin(&w->taint);
    settle(w);
    abort_txn(w, txn_deadline(w), &end);
    begin(w, &end);
    tell_end(take_job, w, kafka_post_new(BUS_EV_ABORTED, 0), &end);
    kafka_job_free(take_job);
}

static void hand_over(struct kafka_writer *w, uint64_t tag, enum kafka_writer_state state,
                      void (*run)(struct kafka_bus *, struct kafka_job *))
{
    struct kafka_writer_job *j =
        kafka_job_new((struct kafka_client *)w->w.client, sizeof *j, tag, 0, run);
    j->w = w;
    w->state = state;
    w->busy_bytes = w->txn_bytes;
    w->txn_bytes = 0;
    kafka_worker_add(w->worker, &j->job);
}

int kafka_commit(struct bus_writer *writer, uint64_t tag, struct err *reterr)
{
    struct kafka_writer *w = (struct kafka_writer *)writer;
    if (w->state == KAFKA_COMMITTING || w->state == KAFKA_ABORTING) {
        return err_set(reterr, ERR_AGAIN, "a commit or abort is under way");
    }
    if (w->state != KAFKA_READY) {
        return err_set(reterr, ERR_CLOSED, "the writer is not open");
    }
    hand_over(w, tag, KAFKA_COMMITTING, run_commit);
    return 0;
}

int kafka_abort(struct bus_writer *writer, uint64_t tag, struct err *reterr)
{
    struct kafka_writer *w = (struct kafka_writer *)writer;
    if (w->state == KAFKA_ABORTING || w->abort_asked) {
        return err_set(reterr, ERR_AGAIN, "an abort is under way");
    }
    if (w->state != KAFKA_READY && w->state != KAFKA_COMMITTING) {
        return err_set(reterr, ERR_CLOSED, "the writer is not open");
    }
    if (w->state == KAFKA_COMMITTING) {
        buf_clear(&w->later);
        w->later_bytes = 0;
        w->abort_asked = true;
        w->abort_tag = tag;
    } else {
        hand_over(w, tag, KAFKA_ABORTING, run_abort);
    }
    return 0;
}

bool kafka_slot_fenced(struct kafka_writer *w, struct bus_ev *ev)
{
    if (w->health.code != RD_KAFKA_RESP_ERR__FATAL ||
        !is_fenced(rd_kafka_fatal_error(w->rk, NULL, 0))) {
        return false;
    }
    w->state = KAFKA_DEAD;
    kafka_add(w->bus, KAFKA_FENCES, 1);
    *ev = (struct bus_ev){.kind = BUS_EV_FENCED, .reopen = true, .tag = w->tag, .writer = &w->w};
    return true;
}

/* init_transactions: whoever held the id before is fenced, what he left open is decided. */
static int init(struct kafka_bus *b, rd_kafka_t *rk, const struct kafka_health *health,
                const struct kafka_job *job, struct err *reterr)
{
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(rk, CALL_MS);
        if (error == NULL) {
            return 0;
        }
        (void)rd_kafka_poll(rk, 0);
        bool again = rd_kafka_error_is_retriable(error) && !rd_kafka_error_is_fatal(error) &&
                     kafka_job_left_ms(b, job) > 0 && !kafka_health_hopeless(health);
        int rc = 0;
        if (!again) {
            rc = kafka_err_wait(reterr, rd_kafka_error_code(error), "init_transactions", health);
        }
        rd_kafka_error_destroy(error);
        if (!again) {
            return rc;
        }
    }
}

static int make_producer(struct kafka_bus *b, const char *slot, struct kafka_health *health,
                         struct kafka_taint *taint, bool reports, rd_kafka_t **ret_rk,
                         struct err *reterr)
{
    rd_kafka_conf_t *conf = NULL;
    int rc = kafka_conf_make(b->conf, slot != NULL ? KAFKA_SLOT : KAFKA_PLAIN, &conf, reterr);
    if (rc != 0) {
        return rc;
    }
    kafka_health_watch(conf, health);
    if (reports) {
        rd_kafka_conf_set_dr_msg_cb(conf, kafka_on_delivery);
    }
    if (slot != NULL) {
        rc = kafka_conf_set(conf, "transactional.id", slot, reterr);
        if (rc != 0) {
            rd_kafka_conf_destroy(conf);
            return rc;
        }
    }
    if (taint != NULL) {
        kafka_taint_watch(conf, taint);
    }
    *ret_rk = kafka_client_make(conf, RD_KAFKA_PRODUCER, taint != NULL, reterr);
    return *ret_rk != NULL ? 0 : -ERR_USAGE;
}

/* Commits a record of the slot's name; its offset is the epoch. *ret_again: that record alone was
 * refused, and another one may go through. */
static int claim_once(struct kafka_bus *b, struct kafka_writer *w, const struct kafka_job *job,
                      int64_t *ret_epoch, bool *ret_again, struct err *reterr)
{
    int rc = 0;
    struct kafka_wpart mine = {.w = w, .first = -1};
    char *full = kafka_name(b, SLICE(KAFKA_CLAIMS));
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(w->rk, full, NULL);
    mem_free(full);
    rd_kafka_error_t *error = rd_kafka_begin_transaction(w->rk);
    struct end end = {.fate = FATE_ABORTED};
    bool begun = error == NULL;
    if (!begun) {
        (void)judge(w, error, "begin", &end.err);
    } else if (rd_kafka_produce(rkt, 0, RD_KAFKA_MSG_F_COPY, w->slot, strlen(w->slot), w->slot,
                                strlen(w->slot), &mine) != 0) {
        rc = kafka_err(reterr, rd_kafka_last_error(), "claim", NULL);
        abort_txn(w, job->deadline_ns, &end);
    } else {
        commit_txn(w, job->deadline_ns, &end);
    }
    if (rc == 0 && end.fate != FATE_COMMITTED) {
        *reterr = end.err;
        rc = end.err.code != ERR_OK ? -(int)end.err.code
                                    : err_set(reterr, ERR_UNKNOWN, "the slot could not be claimed");
    }
    *ret_again = begun && end.fate == FATE_ABORTED && !end.reopen;
    if (*ret_again && w->failed != RD_KAFKA_RESP_ERR_NO_ERROR &&
        w->failed != RD_KAFKA_RESP_ERR__STATE) {
        rc = kafka_err_wait(reterr, w->failed, "claim", &w->health); /* more than the commit says */
    }
    *ret_epoch = mine.first + 1;
    forget_txn(w);
    rd_kafka_topic_destroy(rkt);
    return rc;
}

/* A producer that was told once that a topic is unknown refuses all that is put there, until it
 * happens to ask again: so it is made to. */
static void ask_for_claims(struct kafka_bus *b, struct kafka_writer *w, int ms)
{
    const struct rd_kafka_metadata *md = NULL;
    char *full = kafka_name(b, SLICE(KAFKA_CLAIMS));
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(w->rk, full, NULL);
    mem_free(full);
    if (rd_kafka_metadata(w->rk, 0, rkt, &md, ms) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(md);
    }
    rd_kafka_topic_destroy(rkt);
}

static int claim(struct kafka_bus *b, struct kafka_writer *w, const struct kafka_job *job,
                 int64_t *ret_epoch, struct err *reterr)
{
    enum { PAUSE_MS = 100 };
    int rc = kafka_claims_ensure(b, job, reterr);
    bool again = rc == 0;
    while (again) {
        struct err e = {0};
        rc = claim_once(b, w, job, ret_epoch, &again, &e);
        bool may = (e.flags & ERR_FLAG_RETRY) != 0 || e.code == ERR_NOT_FOUND; /* it was made */
        again = again && may && kafka_job_left_ms(b, job) > PAUSE_MS;
        if (again) {
            clock_sleep_ns(PAUSE_MS * CLOCK_NS_PER_MS);
            ask_for_claims(b, w, MIN(kafka_job_left_ms(b, job), 1000));
        } else if (rc != 0) {
            *reterr = e;
        }
    }
    return rc;
}

void kafka_slot_open(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct kafka_writer *w = ((struct kafka_writer_job *)take_job)->w;
    struct err e = {0};
    int64_t epoch = 0;
    struct end end = {.fate = FATE_COMMITTED};
    int rc = make_producer(b, w->slot, &w->health, &w->taint, true, &w->rk, &e);
    rc = rc != 0 ? rc : init(b, w->rk, &w->health, take_job, &e);
    rc = rc != 0 ? rc : claim(b, w, take_job, &epoch, &e);
    if (rc == 0) {
        kafka_warm(w, 2000);
        begin(w, &end);
    }
    if (rc == 0 && end.reopen) {
        rc = err_set(&e, ERR_UNAVAILABLE, "the slot was opened over a failing connection");
        err_flags(&e, ERR_FLAG_RETRY);
    }
    kafka_writer_opened(take_job, w->id, epoch, rc != 0 ? &e : NULL);
    kafka_job_free(take_job);
}

void kafka_plain_open(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct kafka_writer *w = ((struct kafka_writer_job *)take_job)->w;
    struct err e = {0};
    const struct rd_kafka_metadata *md = NULL;
    int rc = make_producer(b, NULL, &w->health, NULL, true, &w->rk, &e);
    if (rc == 0) { /* brokers answer and let us in, or the open fails */
        char *full = kafka_name(b, SLICE(KAFKA_CLAIMS));
        rc = kafka_metadata(b, full, kafka_job_left_ms(b, take_job), &md, &e);
        mem_free(full);
    }
    if (rc == 0) {
        rd_kafka_metadata_destroy(md);
        kafka_warm(w, 2000);
    }
    kafka_writer_opened(take_job, w->id, 0, rc != 0 ? &e : NULL);
    kafka_job_free(take_job);
}

static void writer_free(struct kafka_writer *w)
{
    VEC_EACH (&w->topics, it) {
        struct kafka_wtopic *t = *it;
        if (t != NULL) {
            rd_kafka_topic_destroy(t->rkt);
            VEC_EACH (&t->parts, p) {
                mem_free(*p);
            }
            VEC_DONE(&t->parts);
            mem_free(t);
        }
    }
    VEC_EACH (&w->warm, rkt) {
        rd_kafka_topic_destroy(*rkt);
    }
    VEC_DONE(&w->warm);
    if (w->rk != NULL) {
        rd_kafka_destroy(w->rk);
    }
    VEC_DONE(&w->topics);
    VEC_DONE(&w->touched);
    buf_done(&w->later);
    pool_free(w->tokens, 1);
    mem_free(w->slot);
    mem_free(w);
}

/* job.id = 1: the writer is dead, nothing is to be aborted. */
void kafka_slot_close(struct kafka_bus *b, struct kafka_job *take_job)
{
    (void)b;
    struct kafka_writer *w = ((struct kafka_writer_job *)take_job)->w;
    if (w->rk != NULL) {
        if (w->slot != NULL && take_job->id == 0) {
            /* Readers wait for what is undecided: say so rather than let it time out. */
            settle(w);
            rd_kafka_error_t *error = rd_kafka_abort_transaction(w->rk, CALL_MS);
            if (error != NULL) {
                rd_kafka_error_destroy(error);
            }
        }
        (void)rd_kafka_purge(w->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                        RD_KAFKA_PURGE_F_NON_BLOCKING);
    }
    writer_free(w);
    kafka_job_free(take_job);
}

struct fence_job {
    struct kafka_job job;
    char *slot;
};

static void run_fence(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct fence_job *j = (struct fence_job *)take_job;
    struct err e = {0};
    struct kafka_health health = {0};
    rd_kafka_t *rk = NULL;
    int rc = make_producer(b, j->slot, &health, NULL, false, &rk, &e);
    rc = rc != 0 ? rc : init(b, rk, &health, take_job, &e);
    if (rk != NULL) {
        rd_kafka_destroy(rk);
    }
    kafka_job_done(take_job, kafka_post_new(BUS_EV_DONE, 0), rc != 0 ? &e : NULL);
    mem_free(j->slot);
    kafka_job_free(take_job);
}

int kafka_fence(struct bus_client *c, struct slice slot, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    struct fence_job *j =
        kafka_job_new((struct kafka_client *)c, sizeof *j, tag, KAFKA_OPEN_MS, run_fence);
    j->slot = kafka_name(kafka_of(c), slot);
    kafka_worker_once(kafka_of(c), &j->job);
    return 0;
}
