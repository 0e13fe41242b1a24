/* SPDX-License-Identifier: Apache-2.0
 *
 * Writers, the client's side: puts, plain writers' delivery reports, opening and closing. Slot
 * writers' commits are in bus_kafka_slot.c. A put goes to librdkafka at once (which copies it),
 * or, while a commit is under way, into `later`, from where it follows when the commit has ended.
 * Limits count key, value and headers of what has not ended.
 */
#include "core/bus/bus_kafka_write.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>

enum { TOKENS_MAX = 4 * 1024 * 1024, PUT_OVERHEAD = 64 };

struct kafka_writer *kafka_writer_find(struct kafka_client *c, uint64_t id)
{
    VEC_EACH (&c->writers, w) {
        if ((*w)->id == id) {
            return *w;
        }
    }
    return NULL;
}

static struct kafka_wpart *part_of(struct kafka_writer *w, struct bus_tp tp)
{
    while (w->topics.len <= tp.topic) {
        *VEC_PUSH(&w->topics) = NULL;
    }
    struct kafka_wtopic *t = w->topics.ptr[tp.topic];
    if (t == NULL) {
        struct bus_client *c = w->w.client;
        char *full = kafka_name(w->bus, bus_topic_name(c, tp.topic));
        t = MEM_NEW(struct kafka_wtopic);
        t->rkt = rd_kafka_topic_new(w->rk, full, NULL);
        kafka_topic_used(w->bus, full);
        mem_free(full);
        w->topics.ptr[tp.topic] = t;
    }
    while (t->parts.len <= tp.part) {
        *VEC_PUSH(&t->parts) = NULL;
    }
    struct kafka_wpart **p = &t->parts.ptr[tp.part];
    if (*p == NULL) {
        *p = MEM_NEW(struct kafka_wpart);
        **p = (struct kafka_wpart){.w = w, .tp = tp, .first = -1};
    }
    return *p;
}

static rd_kafka_headers_t *make_headers(const struct bus_put *put)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(put->header_count);
    for (uint32_t i = 0; i < put->header_count; i++) {
        const struct bus_header *f = &put->headers[i];
        (void)rd_kafka_header_add(h, f->name.ptr, (ssize_t)f->name.len, f->value.ptr,
                                  (ssize_t)f->value.len);
    }
    return h;
}

static int produce_error(rd_kafka_resp_err_t code, const struct bus_put *put, struct err *reterr)
{
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        return err_set(reterr, ERR_AGAIN, "the writer's queue is full");
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__STATE) {
        return err_set(reterr, ERR_CLOSED, "the writer takes nothing more: %s",
                       rd_kafka_err2str(code));
    }
    char what[48];
    (void)snprintf(what, sizeof what, "put to partition %u", put->to.part);
    return kafka_err(reterr, code, what, NULL);
}

/* The broker that this writer has asked does not know yet what another one has just made. */
static bool unheard(const struct kafka_writer *w, rd_kafka_topic_t *rkt, rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC &&
           kafka_topic_fresh(w->bus, rd_kafka_topic_name(rkt));
}

int kafka_produce(struct kafka_writer *w, const struct bus_put *put, struct err *reterr)
{
    struct kafka_wpart *p = part_of(w, put->to);
    rd_kafka_topic_t *rkt = w->topics.ptr[put->to.topic]->rkt;
    struct kafka_token *token = NULL;
    void *opaque = p;
    if (w->w.plain) {
        opaque = token = pool_get(w->tokens);
        if (token == NULL) {
            return err_set(reterr, ERR_AGAIN, "the writer's queue is full");
        }
        *token = (struct kafka_token){.w = w, .token = put->token, .tp = put->to};
        token->bytes = (uint32_t)bus_put_bytes(put) + PUT_OVERHEAD;
    }
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    void *value = (void *)(uintptr_t)put->value.ptr;
    if (put->header_count == 0) {
        if (rd_kafka_produce(rkt, (int32_t)put->to.part, RD_KAFKA_MSG_F_COPY, value, put->value.len,
                             put->key.ptr, put->key.len, opaque) != 0) {
            code = rd_kafka_last_error();
        }
    } else {
        rd_kafka_headers_t *h = make_headers(put);
        code = rd_kafka_producev(
            w->rk, RD_KAFKA_V_RKT(rkt), RD_KAFKA_V_PARTITION((int32_t)put->to.part),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, put->value.len),
            RD_KAFKA_V_KEY(put->key.ptr, put->key.len), RD_KAFKA_V_HEADERS(h),
            RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_headers_destroy(h);
        }
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (token != NULL) {
            pool_put(w->tokens, token);
        }
        if (unheard(w, rkt, code)) {
            return err_set(reterr, ERR_AGAIN, "not all brokers have heard of the topic yet");
        }
        return produce_error(code, put, reterr);
    }
    return 0;
}

/* `later` holds, for each put: this, headers' lengths, then the bytes in the same order. */
struct packed {
    struct bus_tp to;
    uint32_t headers;
    bool null_key, null_value;
    size_t key, value;
};

static bool keep(struct kafka_writer *w, const struct bus_put *put)
{
    struct packed k = {
        put->to,      put->header_count, put->key.ptr == NULL, put->value.ptr == NULL,
        put->key.len, put->value.len};
    struct buf *b = &w->later;
    buf_add(b, &k, sizeof k);
    for (uint32_t i = 0; i < put->header_count; i++) {
        const struct bus_header *h = &put->headers[i];
        size_t sizes[2] = {h->name.len, h->value.len};
        buf_add(b, sizes, sizeof sizes);
        buf_add_slice(b, h->name);
        buf_add_slice(b, h->value);
    }
    buf_add_slice(b, put->key);
    buf_add_slice(b, put->value);
    return !buf_failed(b);
}

static struct slice take(const char **at, size_t n, bool null)
{
    struct slice s = {null ? NULL : *at, n};
    *at += n;
    return s;
}

void kafka_writer_send_later(struct kafka_writer *w)
{
    const char *at = w->later.ptr, *end = at != NULL ? at + w->later.len : NULL;
    while (at < end) {
        struct packed k;
        struct bus_header headers[BUS_HEADERS_MAX];
        memcpy(&k, at, sizeof k);
        at += sizeof k;
        for (uint32_t i = 0; i < k.headers; i++) {
            size_t sizes[2];
            memcpy(sizes, at, sizeof sizes);
            at += sizeof sizes;
            headers[i].name = take(&at, sizes[0], false);
            headers[i].value = take(&at, sizes[1], false);
        }
        struct bus_put put = {.to = k.to, .headers = headers, .header_count = k.headers};
        put.key = take(&at, k.key, k.null_key);
        put.value = take(&at, k.value, k.null_value);
        assert(at <= end);
        if (w->put_failed.code == ERR_OK) {
            int rc = kafka_produce(w, &put, &w->put_failed);
            (void)rc; /* told by the commit that would have held it */
        }
    }
    w->txn_bytes = w->later_bytes;
    w->later_bytes = 0;
    buf_clear(&w->later);
}

static int put_slot(struct kafka_writer *w, const struct bus_put *put, size_t bytes,
                    struct err *reterr)
{
    if (w->state == KAFKA_ABORTING || w->abort_asked) {
        return err_set(reterr, ERR_AGAIN, "an abort is under way");
    }
    if (w->txn_bytes + w->later_bytes + w->busy_bytes + bytes > w->bus->b.writer_queue_bytes) {
        return err_set(reterr, ERR_AGAIN, "the writer's queue is full");
    }
    if (w->state == KAFKA_COMMITTING) {
        if (!keep(w, put)) {
            return err_set(reterr, ERR_AGAIN, "the writer's queue is full");
        }
        w->later_bytes += bytes;
        return 0;
    }
    int rc = kafka_produce(w, put, reterr);
    if (rc == 0) {
        w->txn_bytes += bytes;
    } else if (rc == -ERR_CLOSED && w->failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
        /* The transaction has failed already; its end, which the caller has yet to ask for, says
         * how. What he puts until then shares its fate. */
        w->failed = RD_KAFKA_RESP_ERR__STATE;
        rc = 0;
    } else if (rc == -ERR_CLOSED) {
        rc = 0;
    }
    return rc;
}

int kafka_put(struct bus_writer *writer, const struct bus_put *put, struct err *reterr)
{
    struct kafka_writer *w = (struct kafka_writer *)writer;
    if (w->state == KAFKA_OPENING || w->state == KAFKA_DEAD) {
        return err_set(reterr, ERR_CLOSED, "the writer is not open");
    }
    size_t bytes = bus_put_bytes(put) + PUT_OVERHEAD;
    int rc = 0;
    if (!writer->plain) {
        rc = put_slot(w, put, bytes, reterr);
    } else if (w->txn_bytes + bytes > w->bus->b.writer_queue_bytes) {
        rc = err_set(reterr, ERR_AGAIN, "the writer's queue is full");
    } else {
        rc = kafka_produce(w, put, reterr);
        w->txn_bytes += rc == 0 ? bytes : 0;
    }
    if (rc == 0) {
        kafka_add(w->bus, KAFKA_PUTS, 1);
        kafka_add(w->bus, KAFKA_PUT_BYTES, bytes - PUT_OVERHEAD);
    }
    return rc;
}

/* A delivery report; on the thread that polls the producer, which is its present owner. */
void kafka_on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct kafka_writer *w = CONTAINER_OF(opaque, struct kafka_writer, health);
    if (w->w.plain) {
        struct kafka_token *t = m->_private;
        t->code = m->err;
        t->offset = m->err == RD_KAFKA_RESP_ERR_NO_ERROR ? m->offset : -1;
        t->maybe = rd_kafka_message_status(m) == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
        t->next = NULL;
        if (w->ended_last != NULL) {
            w->ended_last->next = t;
        } else {
            w->ended = t;
        }
        w->ended_last = t;
        return;
    }
    struct kafka_wpart *p = m->_private;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        bool purged =
            m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
        w->failed = purged || (w->failed != 0 && w->failed != RD_KAFKA_RESP_ERR__STATE) ? w->failed
                                                                                        : m->err;
        return;
    }
    if (p->count++ == 0) {
        *VEC_PUSH(&w->touched) = p;
        p->first = m->offset;
    } else if (p->first < 0 && m->offset >= 0) {
        p->first = m->offset;
    }
}

static void give_ended(struct kafka_writer *w, struct bus_ev *ev)
{
    struct kafka_token *t = w->ended;
    w->ended = t->next;
    w->ended_last = w->ended != NULL ? w->ended_last : NULL;
    *ev = (struct bus_ev){.kind = BUS_EV_DELIVERED,
                          .tag = t->token,
                          .tp = t->tp,
                          .writer = &w->w,
                          .offset = t->offset};
    if (t->code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        struct err *err = kafka_lend_err((struct kafka_client *)w->w.client);
        ev->kind = BUS_EV_REFUSED;
        (void)kafka_err_wait(err, t->code, "put", &w->health);
        if (t->maybe) {
            err->code = ERR_UNKNOWN;
        }
        ev->err = err;
        kafka_add(w->bus, KAFKA_REFUSED, 1);
    }
    assert(w->txn_bytes >= t->bytes);
    w->txn_bytes -= t->bytes;
    pool_put(w->tokens, t);
}

int kafka_writer_poll(struct kafka_writer *w, struct bus_ev *evs, int max)
{
    int n = 0;
    if (w->state != KAFKA_READY) {
        return 0;
    }
    (void)rd_kafka_poll(w->rk, 0);
    if (!w->w.plain) {
        return max > 0 && kafka_slot_fenced(w, evs) ? 1 : 0;
    }
    while (n < max && w->ended != NULL) {
        give_ended(w, &evs[n++]);
    }
    return n;
}

static bool writer_opened(struct kafka_client *c, struct kafka_post *p)
{
    struct kafka_writer *w = kafka_writer_find(c, p->id);
    if (w == NULL) {
        return false;
    }
    p->ev.writer = &w->w;
    if (p->ev.kind != BUS_EV_OPENED) {
        w->state = KAFKA_DEAD;
        p->ev.reopen = true;
        return true;
    }
    w->state = KAFKA_READY;
    w->queue = rd_kafka_queue_get_main(w->rk);
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(w->queue, c->c.wake.signal_fd, &one, sizeof one);
    return true;
}

void kafka_writer_opened(const struct kafka_job *job, uint64_t id, int64_t epoch,
                         const struct err *e)
{
    struct kafka_post *p = kafka_post_new(BUS_EV_OPENED, 0);
    p->id = id;
    p->ev.offset = epoch;
    p->apply = writer_opened;
    kafka_job_done(job, p, e);
}

int kafka_open(struct bus_client *c, struct slice slot, uint64_t tag,
               struct bus_writer **ret_writer, struct err *reterr)
{
    (void)reterr;
    struct kafka_client *k = (struct kafka_client *)c;
    struct kafka_writer *w = MEM_NEW(struct kafka_writer);
    bool plain = slot.len == 0;
    w->bus = kafka_of(c);
    w->w.client = c;
    w->w.plain = plain;
    w->id = ++k->ids;
    w->tag = tag;
    w->slot = plain ? NULL : kafka_name(w->bus, slot);
    w->tokens = plain ? pool_new("kafka puts", sizeof(struct kafka_token), TOKENS_MAX) : NULL;
    buf_init(&w->later, w->bus->b.writer_queue_bytes * 2);
    w->worker = kafka_worker_new(w->bus);
    *VEC_PUSH(&k->writers) = w;
    struct kafka_writer_job *j =
        kafka_job_new(k, sizeof *j, tag, KAFKA_OPEN_MS, plain ? kafka_plain_open : kafka_slot_open);
    j->w = w;
    kafka_worker_add(w->worker, &j->job);
    *ret_writer = &w->w;
    return 0;
}

void kafka_writer_close(struct bus_writer *writer)
{
    struct kafka_writer *w = (struct kafka_writer *)writer;
    struct kafka_client *c = (struct kafka_client *)writer->client;
    for (size_t i = 0; i < c->writers.len; i++) {
        if (c->writers.ptr[i] == w) {
            VEC_REMOVE(&c->writers, i);
            break;
        }
    }
    if (w->queue != NULL) {
        rd_kafka_queue_io_event_enable(w->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(w->queue);
    }
    struct kafka_worker *worker = w->worker;
    struct kafka_writer_job *j = MEM_NEW(struct kafka_writer_job);
    j->job.run = kafka_slot_close;
    j->job.id = w->state == KAFKA_DEAD;
    j->w = w;
    kafka_worker_add(worker, &j->job);
    kafka_worker_end(worker);
}
