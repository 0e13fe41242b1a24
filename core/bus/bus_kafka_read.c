/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers: one librdkafka consumer each, whose partitions are assigned at explicit offsets without
 * a group. One mechanism moves positions: taking a partition out of librdkafka's assignment and
 * putting it in again at the wanted offset. That is what seek does, so librdkafka's own seek with
 * its traps (a batch call may skip) is not needed, and its version barrier keeps what was fetched
 * for the old position away from the new one. Changes are collected and carried out together at the
 * next poll.
 *
 * Each partition has a queue of its own, which librdkafka fills to a limit. So a partition is
 * paused by not being asked (librdkafka's own pause and resume rewind at times), and the others go
 * on; and those that are asked give in turn, a little each, so that who merges them has little to
 * keep.
 *
 * Old versions (before 2.2) look at a full queue again only after up to a second. When we find a
 * queue empty that was full, a seek to the very position where the partition stands wakes the
 * fetcher at once (`kick`).
 *
 * The position is tracked here: the offset after the last record or end that came. Records are
 * lent, not copied: they live in the fetch response until the next poll.
 */
#include "core/bus/bus_kafka_ops.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    RUN_MAX = 4096,       /* records per event */
    TURN_BYTES = 32 << 10 /* of a partition, before it is the next one's turn */
};

struct part {
    struct bus_tp tp;
    uint64_t tag, version; /* version: raised by every change of position */
    struct rtopic *topic;
    int64_t next;            /* the offset wanted next; BUS_FROM_* until that is resolved */
    uint64_t asked;          /* the version for which that is under way */
    int64_t ended_at;        /* END was given at this position; -1 = not */
    rd_kafka_queue_t *queue; /* NULL: it was never put in */
    bool paused;
    bool failed;               /* told; waits for a seek */
    bool active;               /* in librdkafka's assignment */
    bool moved;                /* must be taken out and put in again */
    int64_t given;             /* bytes, since its queue was last found empty */
    rd_kafka_message_t *stash; /* taken, but there was no room for its event */
};

struct rtopic {
    rd_kafka_topic_t *rkt;
    uint32_t topic;
    VEC(struct part *) parts; /* by partition number; NULL = not assigned */
    uint32_t asked;           /* partitions below this exist, or we shall hear of it */
};

struct gone {
    struct rtopic *topic;
    uint32_t part;
    rd_kafka_queue_t *queue;
};

struct kafka_reader {
    struct bus_reader r;
    struct kafka_health health;
    uint64_t id;
    rd_kafka_t *rk;          /* made at the first assign */
    rd_kafka_queue_t *queue; /* of what concerns no partition */
    VEC(struct rtopic *) topics;
    VEC(struct part *) parts;
    VEC(struct gone) gone; /* to be taken out of librdkafka's assignment */
    size_t turn;           /* the partition that is asked next */
    bool dirty;            /* some part is new, moved or resumed */
    bool kick;             /* this librdkafka needs it */
};

struct poll { /* one call of kafka_reader_poll */
    struct kafka_client *c;
    struct kafka_reader *r;
    struct bus_ev *evs;
    int max, n;
    struct part *run; /* of evs[n - 1], when that is RECORDS */
    int64_t bytes;    /* held in memory */
    uint64_t read;    /* as bus_put_bytes counts */
};

struct bus_reader *kafka_reader_new(struct bus_client *c)
{
    struct kafka_client *k = (struct kafka_client *)c;
    struct kafka_reader *r = MEM_NEW(struct kafka_reader);
    r->r.client = c;
    r->id = ++k->ids;
    r->kick = rd_kafka_version() < 0x02020000;
    *VEC_PUSH(&k->readers) = r;
    return &r->r;
}

static int make_consumer(struct kafka_reader *r, struct err *reterr)
{
    struct bus_client *c = r->r.client;
    rd_kafka_conf_t *conf = NULL;
    int rc = kafka_conf_make(kafka_of(c)->conf, KAFKA_READER, &conf, reterr);
    if (rc != 0) {
        return rc;
    }
    kafka_health_watch(conf, &r->health);
    r->rk = kafka_client_make(conf, RD_KAFKA_CONSUMER, false, reterr);
    if (r->rk == NULL) {
        return -ERR_USAGE;
    }
    (void)rd_kafka_poll_set_consumer(r->rk);
    r->queue = rd_kafka_queue_get_consumer(r->rk);
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(r->queue, c->wake.signal_fd, &one, sizeof one);
    return 0;
}

/* Before it is put in: so nothing of it ever goes to the queue that all would share. */
static void queue_open(struct kafka_reader *r, struct part *p)
{
    static const uint64_t one = 1;
    if (p->queue != NULL) {
        rd_kafka_queue_destroy(p->queue);
    }
    p->queue = rd_kafka_queue_get_partition(r->rk, rd_kafka_topic_name(p->topic->rkt),
                                            (int32_t)p->tp.part);
    assert(p->queue != NULL); /* NULL: of producers */
    rd_kafka_queue_forward(p->queue, NULL);
    rd_kafka_queue_io_event_enable(p->queue, r->r.client->wake.signal_fd, &one, sizeof one);
}

/* What it still has would stay with the partition. */
static void queue_close(rd_kafka_queue_t *take_queue)
{
    rd_kafka_message_t *m;
    rd_kafka_queue_io_event_enable(take_queue, -1, NULL, 0);
    while ((m = rd_kafka_consume_queue(take_queue, 0)) != NULL) {
        rd_kafka_message_destroy(m);
    }
    rd_kafka_queue_destroy(take_queue);
}

static struct rtopic *topic_of(struct kafka_reader *r, uint32_t topic, bool make)
{
    VEC_EACH (&r->topics, t) {
        if ((*t)->topic == topic) {
            return *t;
        }
    }
    if (!make) {
        return NULL;
    }
    struct rtopic *t = MEM_NEW(struct rtopic);
    struct bus_client *c = r->r.client;
    char *full = kafka_name(kafka_of(c), bus_topic_name(c, topic));
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(r->rk);
    rd_kafka_topic_conf_set_opaque(conf, t);
    t->topic = topic;
    t->rkt = rd_kafka_topic_new(r->rk, full, conf);
    mem_free(full);
    *VEC_PUSH(&r->topics) = t;
    return t;
}

static struct part *part_of(struct kafka_reader *r, struct bus_tp tp)
{
    struct rtopic *t = topic_of(r, tp.topic, false);
    return t != NULL && tp.part < t->parts.len ? t->parts.ptr[tp.part] : NULL;
}

static void drop_stash(struct part *p)
{
    if (p->stash != NULL) {
        rd_kafka_message_destroy(p->stash);
        p->stash = NULL;
    }
}

static void change(struct kafka_reader *r)
{
    r->dirty = true;
    bus_wake_signal(&r->r.client->wake);
}

int kafka_assign(struct bus_reader *reader, struct bus_tp tp, int64_t from, uint64_t tag,
                 struct err *reterr)
{
    struct kafka_reader *r = (struct kafka_reader *)reader;
    if (from < BUS_FROM_START) {
        return err_set(reterr, ERR_RANGE, "assign: offset %lld", (long long)from);
    }
    int rc = r->rk == NULL ? make_consumer(r, reterr) : 0;
    if (rc != 0) {
        return rc;
    }
    struct rtopic *t = topic_of(r, tp.topic, true);
    while (t->parts.len <= tp.part) {
        *VEC_PUSH(&t->parts) = NULL;
    }
    if (t->parts.ptr[tp.part] != NULL) {
        return err_set(reterr, ERR_EXISTS, "partition %u of topic %u is assigned already", tp.part,
                       tp.topic);
    }
    struct part *p = MEM_NEW(struct part);
    *p = (struct part){.tp = tp,
                       .tag = tag,
                       .version = ++((struct kafka_client *)reader->client)->ids,
                       .topic = t,
                       .next = from,
                       .ended_at = -1};
    t->parts.ptr[tp.part] = p;
    *VEC_PUSH(&r->parts) = p;
    change(r);
    return 0;
}

static void part_free(struct part *p)
{
    drop_stash(p);
    if (p->queue != NULL) {
        queue_close(p->queue);
    }
    mem_free(p);
}

void kafka_unassign(struct bus_reader *reader, struct bus_tp tp)
{
    struct kafka_reader *r = (struct kafka_reader *)reader;
    struct part *p = part_of(r, tp);
    if (p == NULL) {
        return;
    }
    if (p->active) {
        *VEC_PUSH(&r->gone) = (struct gone){p->topic, tp.part, p->queue};
        p->queue = NULL;
        change(r);
    }
    p->topic->parts.ptr[tp.part] = NULL;
    for (size_t i = 0; i < r->parts.len; i++) {
        if (r->parts.ptr[i] == p) {
            VEC_REMOVE(&r->parts, i);
            break;
        }
    }
    part_free(p);
}

static int not_assigned(struct bus_tp tp, struct err *reterr)
{
    return err_set(reterr, ERR_NOT_FOUND, "partition %u of topic %u is not assigned", tp.part,
                   tp.topic);
}

int kafka_seek(struct bus_reader *reader, struct bus_tp tp, int64_t to, struct err *reterr)
{
    struct kafka_reader *r = (struct kafka_reader *)reader;
    struct part *p = part_of(r, tp);
    if (p == NULL) {
        return not_assigned(tp, reterr);
    }
    if (to < BUS_FROM_START) {
        return err_set(reterr, ERR_RANGE, "seek: offset %lld", (long long)to);
    }
    drop_stash(p);
    p->version = ++((struct kafka_client *)reader->client)->ids;
    p->next = to;
    p->ended_at = -1;
    p->failed = false;
    p->moved = true;
    change(r);
    return 0;
}

int kafka_pause(struct bus_reader *reader, struct bus_tp tp, bool paused, struct err *reterr)
{
    struct kafka_reader *r = (struct kafka_reader *)reader;
    struct part *p = part_of(r, tp);
    if (p == NULL) {
        return not_assigned(tp, reterr);
    }
    if (p->paused != paused) {
        p->paused = paused;
        bus_wake_signal(&reader->client->wake);
    }
    return 0;
}

static void add(rd_kafka_topic_partition_list_t **list, const struct rtopic *t, uint32_t part,
                int64_t offset)
{
    if (*list == NULL) {
        *list = rd_kafka_topic_partition_list_new(16);
    }
    rd_kafka_topic_partition_list_add(*list, rd_kafka_topic_name(t->rkt), (int32_t)part)->offset =
        offset;
}

static void carry_out(struct kafka_reader *r, rd_kafka_topic_partition_list_t *list,
                      rd_kafka_error_t *(*call)(rd_kafka_t *,
                                                const rd_kafka_topic_partition_list_t *))
{
    if (list == NULL) {
        return;
    }
    rd_kafka_error_t *e = call(r->rk, list);
    /* Fails only for what we never ask: duplicates, partitions not in the assignment, illegal
     * offsets. Going on would read from a place nobody asked for. */
    if (e != NULL) {
        fprintf(stderr, "kaiju: kafka assignment: %s\n", rd_kafka_error_string(e));
        abort();
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static struct kafka_reader *reader_of(struct kafka_client *c, uint64_t id)
{
    VEC_EACH (&c->readers, r) {
        if ((*r)->id == id) {
            return *r;
        }
    }
    return NULL;
}

static bool still_assigned(struct kafka_client *c, struct kafka_post *post)
{
    struct kafka_reader *r = reader_of(c, post->id);
    struct part *p = r != NULL ? part_of(r, post->ev.tp) : NULL;
    return p != NULL && p->version == (uint64_t)post->number;
}

/* ERROR for the partition, unless it moves before that is polled. */
static void tell_error(struct kafka_reader *r, const struct part *p, const struct err *e)
{
    struct kafka_post *post = kafka_post_new(BUS_EV_ERROR, p->tag);
    post->err = *e;
    post->ev.tp = p->tp;
    post->ev.reader = &r->r;
    post->apply = still_assigned;
    post->id = r->id;
    post->number = (int64_t)p->version;
    kafka_post(((struct kafka_client *)r->r.client)->box, post);
}

/* The partition gives nothing more until a seek. */
static void fail_part(struct kafka_reader *r, struct part *p, const struct err *e)
{
    p->failed = true;
    r->dirty = true;
    tell_error(r, p, e);
}

/* A partition that does not exist is told by librdkafka late or never. */
static bool count_known(struct kafka_client *c, struct kafka_post *post)
{
    struct kafka_reader *r = reader_of(c, post->id);
    struct rtopic *t = r != NULL ? topic_of(r, post->ev.tp.topic, false) : NULL;
    bool unsure = post->ev.kind == BUS_EV_ERROR && post->err.code != ERR_NOT_FOUND;
    if (t == NULL || unsure) { /* then librdkafka complains as well */
        return false;
    }
    uint32_t count = post->ev.kind == BUS_EV_ERROR ? 0 : (uint32_t)post->ev.end;
    for (uint32_t i = count; i < t->parts.len; i++) {
        struct part *p = t->parts.ptr[i];
        if (p != NULL && !p->failed) {
            struct err e = {0};
            (void)err_set(&e, ERR_NOT_FOUND, "kafka: %s: no partition %u",
                          rd_kafka_topic_name(t->rkt), i);
            fail_part(r, p, &e);
        }
    }
    t->asked = 0; /* it may be made until the next assign */
    return false;
}

/* What BUS_FROM_START or BUS_FROM_END is. */
static bool start_known(struct kafka_client *c, struct kafka_post *post)
{
    if (!still_assigned(c, post)) {
        return false;
    }
    struct kafka_reader *r = reader_of(c, post->id);
    struct part *p = part_of(r, post->ev.tp);
    p->asked = 0;
    if (post->ev.kind == BUS_EV_DONE) {
        p->next = p->next == BUS_FROM_END ? post->ev.end : post->ev.offset;
        change(r);
        return false;
    }
    if ((post->err.flags & ERR_FLAG_RETRY) == 0) {
        bool told = p->failed;
        p->failed = true;
        if (told) {
            return false;
        }
    } else {
        change(r); /* asks again */
    }
    post->ev.tag = p->tag;
    post->ev.reader = &r->r;
    return true;
}

/* A position that is known can be put in. librdkafka could resolve the others by itself, but waits
 * half a second first when it does not know the partition's leader yet, as a new reader never
 * does. */
static bool has_place(struct kafka_reader *r, struct part *p)
{
    if (p->next < 0 && p->asked != p->version) {
        p->asked = p->version;
        kafka_bounds_ask((struct kafka_client *)r->r.client, p->tp, r->id, (int64_t)p->version,
                         start_known);
    }
    return p->next >= 0;
}

static void take_out(struct kafka_reader *r)
{
    rd_kafka_topic_partition_list_t *out = NULL;
    VEC_EACH (&r->gone, g) {
        add(&out, g->topic, g->part, RD_KAFKA_OFFSET_INVALID);
    }
    VEC_EACH (&r->parts, it) {
        struct part *p = *it;
        if (p->active && (p->moved || p->failed)) {
            add(&out, p->topic, p->tp.part, RD_KAFKA_OFFSET_INVALID);
            p->active = false;
        }
        p->moved = false;
    }
    carry_out(r, out, rd_kafka_incremental_unassign);
    VEC_EACH (&r->gone, g) { /* it may be put in again, with a queue of its own */
        queue_close(g->queue);
    }
    VEC_CLEAR(&r->gone);
}

/* Brings librdkafka's assignment to what is wanted. */
static void settle(struct kafka_reader *r)
{
    rd_kafka_topic_partition_list_t *in = NULL;
    take_out(r);
    VEC_EACH (&r->parts, it) {
        struct part *p = *it;
        if (!p->failed && p->topic->asked <= p->tp.part) {
            p->topic->asked = (uint32_t)p->topic->parts.len;
            kafka_count_ask((struct kafka_client *)r->r.client, p->tp, r->id, count_known);
        }
        if (!p->failed && !p->active && has_place(r, p)) {
            queue_open(r, p);
            add(&in, p->topic, p->tp.part, p->next);
            p->active = true;
        }
    }
    carry_out(r, in, rd_kafka_incremental_assign);
    r->dirty = false;
}

static bool bounds_known(struct kafka_client *c, struct kafka_post *post)
{
    struct kafka_reader *r = reader_of(c, post->id);
    struct part *p = r != NULL ? part_of(r, post->ev.tp) : NULL;
    if (p == NULL || p->version != (uint64_t)post->number) {
        return false;
    }
    post->ev.reader = &r->r;
    post->ev.tag = p->tag;
    int64_t first = post->ev.offset, end = post->ev.end;
    if (post->ev.kind == BUS_EV_DONE && (p->next < 0 || (p->next >= first && p->next <= end))) {
        p->failed = false; /* it was out of range for a replica that lagged */
        p->moved = true;
        change(r);
        return false;
    }
    if (post->ev.kind == BUS_EV_DONE && p->next < first) {
        (void)err_set(&post->err, ERR_GONE, "offset %lld is gone: the first left is %lld",
                      (long long)p->next, (long long)first);
    } else if (post->ev.kind == BUS_EV_DONE) {
        (void)err_set(&post->err, ERR_RANGE, "offset %lld is beyond the end %lld",
                      (long long)p->next, (long long)end);
    }
    post->ev.kind = BUS_EV_ERROR;
    return true;
}

static void partition_error(struct poll *poll, struct part *p, const rd_kafka_message_t *m)
{
    struct kafka_reader *r = poll->r;
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        if (!p->failed) {
            p->failed = true;
            r->dirty = true;
            kafka_bounds_ask(poll->c, p->tp, r->id, (int64_t)p->version, bounds_known);
        }
        return;
    }
    struct err e = {0};
    (void)kafka_err(&e, m->err, rd_kafka_topic_name(p->topic->rkt), rd_kafka_message_errstr(m));
    if (e.code == ERR_NOT_FOUND) {
        fail_part(r, p, &e);
    } else { /* librdkafka goes on trying */
        err_flags(&e, ERR_FLAG_RETRY);
        tell_error(r, p, &e);
    }
}

/* The headers of a message, into the client's array; the record notes where they begin. Returns
 * their bytes. */
static size_t take_headers(struct kafka_client *c, const rd_kafka_message_t *m,
                           struct bus_record *rec)
{
    rd_kafka_headers_t *hdrs = NULL;
    if (rd_kafka_message_headers(m, &hdrs) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    size_t bytes = 0;
    const char *name;
    const void *value;
    size_t size;
    rec->headers = (const void *)c->headers.len; /* an index until kafka_reader_fix */
    for (size_t i = 0;
         rd_kafka_header_get_all(hdrs, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         i++) {
        *VEC_PUSH(&c->headers) =
            (struct bus_header){slice_str(name), slice_of(value, value != NULL ? size : 0)};
        rec->header_count++;
        bytes += strlen(name) + (value != NULL ? size : 0);
    }
    return bytes;
}

static void add_record(struct poll *poll, struct part *p, rd_kafka_message_t *take_m)
{
    struct kafka_client *c = poll->c;
    if (poll->run != p || poll->evs[poll->n - 1].count >= RUN_MAX) {
        assert(poll->n < poll->max);
        poll->evs[poll->n++] = (struct bus_ev){.kind = BUS_EV_RECORDS,
                                               .tag = p->tag,
                                               .tp = p->tp,
                                               .reader = &poll->r->r,
                                               .records = (const void *)c->records.len};
        poll->run = p;
    }
    poll->evs[poll->n - 1].count++;
    struct bus_record *rec = VEC_PUSH(&c->records);
    rec->offset = take_m->offset;
    rec->time_ms = rd_kafka_message_timestamp(take_m, NULL);
    rec->key = slice_of(take_m->key, take_m->key != NULL ? take_m->key_len : 0);
    rec->value = slice_of(take_m->payload, take_m->payload != NULL ? take_m->len : 0);
    poll->read += rec->key.len + rec->value.len + take_headers(c, take_m, rec);
    *VEC_PUSH(&c->lent) = take_m;
    poll->bytes += (int64_t)(take_m->len + take_m->key_len) + 64;
    p->given += (int64_t)(take_m->len + take_m->key_len);
    p->ended_at = -1;
}

/* One message of a partition that is not paused; there is room for an event. */
static void give(struct poll *poll, struct part *p, rd_kafka_message_t *take_m)
{
    if (take_m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        add_record(poll, p, take_m);
        return;
    }
    if (take_m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (p->ended_at != take_m->offset) {
            poll->evs[poll->n++] = (struct bus_ev){.kind = BUS_EV_END,
                                                   .tag = p->tag,
                                                   .tp = p->tp,
                                                   .reader = &poll->r->r,
                                                   .offset = take_m->offset};
            p->ended_at = take_m->offset;
            poll->run = NULL;
        }
    } else {
        partition_error(poll, p, take_m);
    }
    rd_kafka_message_destroy(take_m);
}

/* It is of where the partition stands now. */
static bool is_wanted(const struct part *p, const rd_kafka_message_t *m)
{
    bool data = m->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    bool eof = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    return !p->failed && p->active && !((data || eof) && m->offset < p->next);
}

static void advance(struct part *p, const rd_kafka_message_t *m)
{
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        p->next = m->offset + 1;
    } else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        p->next = m->offset;
    }
}

/* Records may join those before them; whatever else comes needs an event of its own. */
static bool room_for(const struct poll *poll, const struct part *p, const rd_kafka_message_t *m)
{
    return poll->n < poll->max || (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && poll->run == p &&
                                   poll->evs[poll->n - 1].count < RUN_MAX);
}

/* What a partition has, but no more than its turn allows. True: it may have more. */
static bool ask(struct poll *poll, struct part *p, int64_t budget)
{
    int64_t until = MIN(poll->bytes + TURN_BYTES, budget);
    while (poll->bytes < until) {
        rd_kafka_message_t *m = p->stash;
        if (m == NULL && rd_kafka_queue_length(p->queue) > 0) { /* else to ask costs more */
            m = rd_kafka_consume_queue(p->queue, 0);
        }
        p->stash = NULL;
        if (m == NULL) {
            return false;
        }
        if (!is_wanted(p, m)) {
            rd_kafka_message_destroy(m);
        } else if (!room_for(poll, p, m)) {
            p->stash = m;
            return true;
        } else {
            advance(p, m);
            give(poll, p, m);
        }
    }
    return true;
}

/* Its queue is empty: if it was full, the fetcher of an old version may sleep. */
static void is_empty(struct kafka_reader *r, struct part *p)
{
    int64_t full = kafka_conf_part_bytes(kafka_of(r->r.client)->conf);
    if (r->kick && p->given >= full - full / 8 && !p->moved && p->ended_at < 0) {
        (void)rd_kafka_seek(p->topic->rkt, (int32_t)p->tp.part, p->next, 0);
    }
    p->given = 0;
}

/* What concerns no partition. Records would be of one that had no queue of its own in time: they
 * are read again. */
static void others(struct poll *poll)
{
    struct kafka_reader *r = poll->r;
    rd_kafka_message_t *m;
    while (rd_kafka_queue_length(r->queue) > 0 && (m = rd_kafka_consumer_poll(r->rk, 0)) != NULL) {
        struct rtopic *t = m->rkt != NULL ? rd_kafka_topic_opaque(m->rkt) : NULL;
        size_t n = t != NULL ? t->parts.len : 0, at = (size_t)(uint32_t)m->partition;
        struct part *p = at < n ? t->parts.ptr[at] : NULL;
        if (p != NULL && is_wanted(p, m)) {
            bool record =
                m->err == RD_KAFKA_RESP_ERR_NO_ERROR || m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            if (record) {
                p->moved = r->dirty = true;
            } else {
                partition_error(poll, p, m);
            }
        }
        rd_kafka_message_destroy(m);
    }
}

/* Of each partition in turn; true: there may be more. */
static bool ask_all(struct poll *poll, int64_t budget)
{
    struct kafka_reader *r = poll->r;
    bool more = false;
    size_t n = r->parts.len, first = n > 0 ? r->turn % n : 0;
    r->turn = first + 1;
    for (size_t i = 0; i < n; i++) {
        struct part *p = r->parts.ptr[(first + i) % n];
        if (p->paused || !p->active) {
            continue;
        }
        if (poll->n >= poll->max || poll->bytes >= budget) { /* it is the first of the next call */
            r->turn = first + i;
            return true;
        }
        if (ask(poll, p, budget)) {
            more = true;
        } else {
            is_empty(r, p);
        }
    }
    return more;
}

bool kafka_reader_poll(struct kafka_reader *r, struct bus_ev *evs, int max, int *ret_n,
                       int64_t *budget)
{
    assert(max >= 0);
    struct poll poll = {.c = (struct kafka_client *)r->r.client, .r = r, .evs = evs, .max = max};
    *ret_n = 0;
    if (r->rk == NULL) {
        return false;
    }
    if (r->dirty) {
        settle(r);
    }
    others(&poll);
    bool more = ask_all(&poll, *budget);
    if (r->dirty) {
        settle(r);
    }
    kafka_add(kafka_of(r->r.client), KAFKA_READ_BYTES, poll.read);
    *budget -= poll.bytes;
    *ret_n = poll.n;
    return more;
}

void kafka_reader_fix(struct kafka_client *c, struct bus_ev *evs, int n)
{
    for (int i = 0; i < n; i++) {
        if (evs[i].kind == BUS_EV_RECORDS) {
            evs[i].records = c->records.ptr + (uintptr_t)evs[i].records;
        }
    }
    VEC_EACH (&c->records, rec) {
        if (rec->header_count > 0) {
            rec->headers = c->headers.ptr + (uintptr_t)rec->headers;
        }
    }
    kafka_add(kafka_of(&c->c), KAFKA_READS, c->records.len);
}

static void run_destroy(struct kafka_bus *b, struct kafka_job *take_job);

struct destroy_job {
    struct kafka_job job;
    rd_kafka_t *rk;
};

static void run_destroy(struct kafka_bus *b, struct kafka_job *take_job)
{
    (void)b;
    rd_kafka_destroy_flags(((struct destroy_job *)take_job)->rk,
                           RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    kafka_job_free(take_job);
}

void kafka_reader_destroy(struct kafka_bus *b, rd_kafka_t *take_rk)
{
    struct destroy_job *j = MEM_NEW(struct destroy_job);
    j->job.run = run_destroy;
    j->rk = take_rk;
    kafka_worker_add(b->reaper, &j->job);
}

void kafka_reader_free(struct bus_reader *reader)
{
    struct kafka_reader *r = (struct kafka_reader *)reader;
    struct kafka_client *c = (struct kafka_client *)reader->client;
    for (size_t i = 0; i < c->readers.len; i++) {
        if (c->readers.ptr[i] == r) {
            VEC_REMOVE(&c->readers, i);
            break;
        }
    }
    VEC_EACH (&r->parts, p) {
        part_free(*p);
    }
    VEC_EACH (&r->gone, g) {
        queue_close(g->queue);
    }
    if (r->rk != NULL) {
        rd_kafka_queue_io_event_enable(r->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(r->queue);
        VEC_EACH (&r->topics, t) {
            rd_kafka_topic_destroy((*t)->rkt);
        }
        /* Its messages may still be lent: see give_back in bus_kafka.c. */
        *VEC_PUSH(&c->dying) = r->rk;
    }
    VEC_EACH (&r->topics, t) {
        VEC_DONE(&(*t)->parts);
        mem_free(*t);
    }
    VEC_DONE(&r->topics);
    VEC_DONE(&r->parts);
    VEC_DONE(&r->gone);
    mem_free(r);
}
