/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers of the local bus, on the client's thread. Nothing is fetched ahead: a poll looks at the
 * assigned partitions in turn and copies chunks out of one snapshot. In the process that writes,
 * the committed end of a partition is an atomic, so that an assignment at the end costs one load;
 * in a read-only store it is the number of the last transaction.
 */
#include "core/base/mem.h"
#include "core/bus/bus_local_impl.h"
#include "core/bus/bus_local_value.h"

#include <assert.h>

enum {
    EVENT_BYTES = 256 * 1024, /* one RECORDS event takes no further chunk beyond this */
    EVENT_CHUNKS = 64,
    POLL_BYTES = 8 << 20,
};

struct chunk {
    struct slice value;
    int64_t base;
    struct bus_local_head head;
};

static struct local_reader *reader_of(struct bus_reader *r)
{
    return (struct local_reader *)r;
}

struct bus_reader *bus_local_reader_new(struct bus_client *bc)
{
    struct local_client *c = local_client_of(bc);
    struct local_reader *r = MEM_NEW(struct local_reader);
    *VEC_PUSH(&c->readers) = r;
    return &r->reader;
}

static void subscribe(struct local_client *c, struct local_part *p)
{
    pthread_mutex_lock(&c->store->mutex);
    *VEC_PUSH(&p->subs) = c->inbox;
    pthread_mutex_unlock(&c->store->mutex);
}

static void unsubscribe(struct local_client *c, struct local_part *p)
{
    pthread_mutex_lock(&c->store->mutex);
    for (size_t i = 0; i < p->subs.len; i++) {
        if (p->subs.ptr[i] == c->inbox) {
            VEC_REMOVE(&p->subs, i); /* one of perhaps several readers' */
            break;
        }
    }
    pthread_mutex_unlock(&c->store->mutex);
}

void bus_local_reader_free(struct bus_reader *br)
{
    struct local_reader *r = reader_of(br);
    struct local_client *c = local_client_of(br->client);
    VEC_EACH (&r->assigns, a) {
        if ((*a)->part != NULL) {
            unsubscribe(c, (*a)->part);
        }
        *VEC_PUSH(&c->gone) = *a;
    }
    VEC_DONE(&r->assigns);
    for (size_t i = 0; i < c->readers.len; i++) {
        if (c->readers.ptr[i] == r) {
            VEC_REMOVE(&c->readers, i);
            break;
        }
    }
    mem_free(r);
}

static size_t assign_at(const struct local_reader *r, struct bus_tp tp)
{
    size_t i = 0;
    while (i < r->assigns.len &&
           (r->assigns.ptr[i]->tp.topic != tp.topic || r->assigns.ptr[i]->tp.part != tp.part)) {
        i++;
    }
    return i;
}

static void place(struct local_assign *a, int64_t pos)
{
    a->pos = pos;
    a->parked = a->whole = a->at_end = false;
    a->end_seen = -1;
}

static int check_position(int64_t pos, struct err *reterr)
{
    if (pos < BUS_FROM_START) {
        return err_set(reterr, ERR_RANGE, "position %lld", (long long)pos);
    }
    return 0;
}

int bus_local_assign(struct bus_reader *br, struct bus_tp tp, int64_t from, uint64_t tag,
                     struct err *reterr)
{
    struct local_reader *r = reader_of(br);
    if (assign_at(r, tp) < r->assigns.len) {
        return err_set(reterr, ERR_EXISTS, "partition %u is assigned to this reader already",
                       tp.part);
    }
    int rc = check_position(from, reterr);
    if (rc != 0) {
        return rc;
    }
    struct local_assign *a = MEM_NEW(struct local_assign);
    a->tp = tp;
    a->tag = tag;
    place(a, from);
    *VEC_PUSH(&r->assigns) = a;
    bus_wake_signal(&br->client->wake);
    return 0;
}

void bus_local_unassign(struct bus_reader *br, struct bus_tp tp)
{
    struct local_reader *r = reader_of(br);
    size_t i = assign_at(r, tp);
    if (i < r->assigns.len) {
        struct local_assign *a = r->assigns.ptr[i];
        if (a->part != NULL) {
            unsubscribe(local_client_of(br->client), a->part);
        }
        *VEC_PUSH(&local_client_of(br->client)->gone) = a;
        VEC_REMOVE(&r->assigns, i);
    }
}

static int find_assign(struct local_reader *r, struct bus_tp tp, struct local_assign **ret,
                       struct err *reterr)
{
    size_t i = assign_at(r, tp);
    if (i == r->assigns.len) {
        return err_set(reterr, ERR_NOT_FOUND, "partition %u is not assigned to this reader",
                       tp.part);
    }
    *ret = r->assigns.ptr[i];
    return 0;
}

int bus_local_seek(struct bus_reader *br, struct bus_tp tp, int64_t to, struct err *reterr)
{
    struct local_assign *a = NULL;
    int rc = find_assign(reader_of(br), tp, &a, reterr);
    rc = rc != 0 ? rc : check_position(to, reterr);
    if (rc == 0) {
        place(a, to);
        bus_wake_signal(&br->client->wake);
    }
    return rc;
}

int bus_local_pause(struct bus_reader *br, struct bus_tp tp, bool paused, struct err *reterr)
{
    struct local_assign *a = NULL;
    int rc = find_assign(reader_of(br), tp, &a, reterr);
    if (rc == 0) {
        a->paused = paused;
        bus_wake_signal(&br->client->wake);
    }
    return rc;
}

/* Could a look into the file give an event? */
static bool may_have(const struct local_client *c, const struct local_assign *a)
{
    if (a->paused || a->parked) {
        return false;
    }
    if (!a->at_end || a->part == NULL) {
        return true;
    }
    if (c->store->read_only) {
        MDB_envinfo info;
        mdb_env_info(c->store->env, &info);
        return info.me_last_txnid != a->txn_seen;
    }
    return atomic_load(&a->part->end) != a->end_seen;
}

/* Finds the chunk that contains a->pos or is the first behind it. */
static int seek_chunk(MDB_cursor *cur, const struct local_assign *a, MDB_val *key, MDB_val *val)
{
    char bytes[LOCAL_KEY_BYTES];
    int64_t base;
    bus_local_key(bytes, a->part, a->pos);
    *key = (MDB_val){sizeof bytes, bytes};
    int rc = mdb_cursor_get(cur, key, val, MDB_SET_RANGE);
    if ((rc != 0 && rc != MDB_NOTFOUND) || a->whole ||
        (rc == 0 && bus_local_key_read(*key, a->part, &base) && base == a->pos)) {
        return rc;
    }
    /* The one before may reach over the position. */
    rc = mdb_cursor_get(cur, key, val, rc == 0 ? MDB_PREV : MDB_LAST);
    if (rc == 0 && bus_local_key_read(*key, a->part, &base)) {
        struct bus_local_head head;
        if (bus_local_head_read(slice_of(val->mv_data, val->mv_size), &head, NULL) != 0 ||
            base + head.last >= a->pos) {
            return 0;
        }
    }
    bus_local_key(bytes, a->part, a->pos);
    *key = (MDB_val){sizeof bytes, bytes};
    return mdb_cursor_get(cur, key, val, MDB_SET_RANGE);
}

/* Copies chunks from the position on. */
static int copy_chunks(struct local_client *c, struct local_assign *a, struct chunk *chunks,
                       int *ret_n, struct err *reterr)
{
    MDB_cursor *cur = NULL;
    MDB_val key, val;
    int n = 0, out = 0;
    size_t bytes = 0;
    int rc = mdb_cursor_open(c->txn, c->store->log, &cur);
    rc = rc != 0 ? rc : seek_chunk(cur, a, &key, &val);
    while (rc == 0 && n < EVENT_CHUNKS && bus_local_key_read(key, a->part, &chunks[n].base)) {
        struct slice value = slice_of(val.mv_data, val.mv_size);
        if (n > 0 && bytes + value.len > EVENT_BYTES) {
            break;
        }
        out = bus_local_head_read(value, &chunks[n].head, reterr);
        if (out != 0) {
            break;
        }
        char *copy = bus_local_lend(c, value.len);
        memcpy(copy, value.ptr, value.len);
        chunks[n++].value = slice_of(copy, value.len);
        bytes += value.len;
        rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT);
    }
    mdb_cursor_close(cur);
    c->lent_bytes += bytes;
    if (rc != 0 && rc != MDB_NOTFOUND) {
        return bus_local_mdb_err(c->store, rc, "reading records", reterr);
    }
    *ret_n = n;
    return n > 0 ? 0 : out; /* what is in order before a bad one is given first */
}

/* The records of the chunks from the position on; moves it behind them. */
static int decode_chunks(struct local_client *c, struct local_assign *a, const struct chunk *chunks,
                         int n, struct bus_ev *ev, struct err *reterr)
{
    size_t count = 0, headers = 0;
    for (int i = 0; i < n; i++) {
        count += chunks[i].head.count;
        headers += chunks[i].head.headers;
    }
    struct bus_record *records = bus_local_lend(c, count * sizeof *records);
    struct bus_header *header = bus_local_lend(c, headers * sizeof *header);
    c->lent_bytes += count * sizeof *records + headers * sizeof *header;
    size_t done = 0, first = 0;
    for (int i = 0; i < n; i++) {
        const struct chunk *ch = &chunks[i];
        int rc =
            bus_local_value_read(ch->value, ch->base, &ch->head, records + done, header, reterr);
        if (rc != 0) {
            if (i == 0) {
                return rc;
            }
            break;
        }
        done += ch->head.count;
        header += ch->head.headers;
        a->pos = MAX(a->pos, ch->base + ch->head.last + 1);
        if (i == 0) {
            int64_t from = ev->offset;
            while (first < done && records[first].offset < from) {
                first++;
            }
        }
    }
    ev->records = records + first;
    ev->count = (uint32_t)(done - first);
    a->whole = true;
    return 0;
}

static bool give_error(struct local_reader *r, struct local_assign *a, const struct err *err,
                       int64_t offset, struct bus_ev *ev)
{
    a->err = *err;
    a->parked = true;
    *ev = (struct bus_ev){.kind = BUS_EV_ERROR,
                          .tag = a->tag,
                          .tp = a->tp,
                          .reader = &r->reader,
                          .offset = offset,
                          .err = &a->err};
    return true;
}

static bool give_end(struct local_client *c, struct local_reader *r, struct local_assign *a,
                     int64_t end, struct bus_ev *ev)
{
    bool again = a->at_end && a->end_seen == end;
    a->at_end = true;
    a->end_seen = a->pos = end;
    a->txn_seen = mdb_txn_id(c->txn);
    if (!c->store->read_only && atomic_load(&a->part->end) > end) {
        /* It moved after this poll's snapshot and before we were subscribed: nobody has told us. */
        bus_wake_signal(&c->client.wake);
    }
    *ev = (struct bus_ev){
        .kind = BUS_EV_END, .tag = a->tag, .tp = a->tp, .reader = &r->reader, .offset = end};
    return !again;
}

static bool give_records(struct local_client *c, struct local_reader *r, struct local_assign *a,
                         const struct local_row *row, struct bus_ev *ev)
{
    struct chunk chunks[EVENT_CHUNKS];
    struct err err;
    *ev = (struct bus_ev){
        .kind = BUS_EV_RECORDS, .tag = a->tag, .tp = a->tp, .reader = &r->reader, .offset = a->pos};
    int n = 0, rc = copy_chunks(c, a, chunks, &n, &err);
    rc = rc == 0 && n > 0 ? decode_chunks(c, a, chunks, n, ev, &err) : rc;
    if (rc != 0) {
        (void)err_wrap(&err, "%s, topic %s, partition %u, offset %lld", c->store->dir,
                       a->part->topic->name, a->tp.part, (long long)a->pos);
        return give_error(r, a, &err, a->pos, ev);
    }
    if (n == 0) {
        return give_end(c, r, a, row->end, ev);
    }
    a->at_end = false;
    ev->offset = 0;
    uint64_t bytes = 0;
    for (int i = 0; i < n; i++) {
        bytes += chunks[i].head.bytes;
    }
    atomic_fetch_add(&c->store->counters.reads, ev->count);
    atomic_fetch_add(&c->store->counters.read_bytes, bytes);
    return ev->count > 0;
}

static bool fetch_one(struct local_client *c, struct local_reader *r, struct local_assign *a,
                      struct bus_ev *ev)
{
    struct local_row row;
    struct err err;
    if (bus_local_txn_begin(c, &err) != 0) {
        return give_error(r, a, &err, 0, ev);
    }
    if (a->part == NULL) {
        a->part = bus_local_part(c, a->tp);
        if (a->part == NULL) {
            (void)err_set(&err, ERR_NOT_FOUND, "no partition %u of topic " SLICE_FMT, a->tp.part,
                          SLICE_ARG(bus_topic_name(&c->client, a->tp.topic)));
            return give_error(r, a, &err, 0, ev);
        }
        subscribe(c, a->part);
    }
    if (bus_local_row_get(c->store, c->txn, a->part, &row, &err) != 0) {
        return give_error(r, a, &err, 0, ev);
    }
    if (a->pos < 0) {
        a->pos = a->pos == BUS_FROM_START ? row.start : row.end;
    }
    if (a->pos < row.start) {
        (void)err_set(&err, ERR_GONE, "offset %lld of topic %s: the first left is %lld",
                      (long long)a->pos, a->part->topic->name, (long long)row.start);
        return give_error(r, a, &err, row.start, ev);
    }
    if (a->pos > row.end) {
        (void)err_set(&err, ERR_RANGE, "offset %lld of topic %s: it ends at %lld",
                      (long long)a->pos, a->part->topic->name, (long long)row.end);
        return give_error(r, a, &err, row.end, ev);
    }
    return a->pos == row.end ? give_end(c, r, a, row.end, ev) : give_records(c, r, a, &row, ev);
}

/* One event at most of each assignment; @return events. */
static int fetch_round(struct local_client *c, struct local_reader *r, struct bus_ev *evs, int max,
                       size_t budget)
{
    int n = 0;
    size_t len = r->assigns.len;
    for (size_t i = 0; i < len && n < max && (n == 0 || c->lent_bytes < budget); i++) {
        struct local_assign *a = r->assigns.ptr[r->next++ % len];
        if (may_have(c, a)) {
            n += fetch_one(c, r, a, &evs[n]) ? 1 : 0;
        }
    }
    return n;
}

int bus_local_fetch(struct local_client *c, struct bus_ev *evs, int max)
{
    size_t budget = (size_t)MIN(c->client.bus->reader_queue_bytes, (uint64_t)POLL_BYTES);
    int n = 0, before;
    do {
        before = n;
        size_t len = c->readers.len;
        for (size_t i = 0; i < len && n < max && c->lent_bytes < budget; i++) {
            n += fetch_round(c, c->readers.ptr[c->next_reader++ % len], evs + n, max - n, budget);
        }
    } while (n > before && n < max && c->lent_bytes < budget);
    if (c->lent_bytes >= budget) {
        bus_wake_signal(&c->client.wake); /* there may be more */
    }
    return n;
}

static int by_time(struct local_client *c, const struct local_part *p, const struct local_row *row,
                   int64_t time_ms, int64_t *ret_offset, struct err *reterr)
{
    MDB_cursor *cur = NULL;
    int64_t low = 0, high = row->end, best = high;
    int rc = mdb_cursor_open(c->txn, c->store->log, &cur), out = 0;
    while (rc == 0 && out == 0 && low < high) {
        int64_t mid = low + (high - low) / 2, base;
        char bytes[LOCAL_KEY_BYTES];
        struct bus_local_head head;
        bus_local_key(bytes, p, mid);
        MDB_val key = {sizeof bytes, bytes}, val;
        rc = mdb_cursor_get(cur, &key, &val, MDB_SET_RANGE);
        if (rc == MDB_NOTFOUND || (rc == 0 && !bus_local_key_read(key, p, &base))) {
            rc = 0;
            high = mid;
            continue;
        }
        out = rc == 0 ? bus_local_head_read(slice_of(val.mv_data, val.mv_size), &head, reterr) : 0;
        if (rc == 0 && out == 0) {
            if (head.time_ms >= time_ms) {
                best = MIN(best, base);
                high = mid;
            } else {
                low = base + head.last + 1;
            }
        }
    }
    mdb_cursor_close(cur);
    if (rc != 0) {
        return bus_local_mdb_err(c->store, rc, "looking for a time", reterr);
    }
    *ret_offset = MAX(best, row->start);
    return out;
}

static void answer_part(struct local_client *c, struct local_op *op)
{
    struct local_row row;
    struct err err;
    struct local_part *p = bus_local_part(c, op->ev.tp);
    int rc = p == NULL
                 ? err_set(&err, ERR_NOT_FOUND, "no partition %u of topic " SLICE_FMT,
                           op->ev.tp.part, SLICE_ARG(bus_topic_name(&c->client, op->ev.tp.topic)))
                 : bus_local_row_get(c->store, c->txn, p, &row, &err);
    if (rc == 0 && op->kind == LOCAL_OP_BY_TIME) {
        rc = by_time(c, p, &row, op->arg, &op->ev.offset, &err);
    } else if (rc == 0) {
        op->ev.offset = row.start;
        op->ev.end = row.end;
    }
    if (rc != 0) {
        *bus_local_op_fail(op, BUS_EV_ERROR, false) = err;
    }
}

/* Topics as the file has them, without the prefix; others' topics are left out. */
static void answer_topics(struct local_client *c, struct local_op *op)
{
    struct local_topic *one = NULL;
    struct slice prefix = slice_str(c->client.bus->prefix);
    if (op->kind == LOCAL_OP_DESCRIBE) {
        one = bus_local_topic(c, op->topic_number);
        if (one == NULL) {
            (void)err_set(bus_local_op_fail(op, BUS_EV_ERROR, false), ERR_NOT_FOUND,
                          "no topic " SLICE_FMT,
                          SLICE_ARG(bus_topic_name(&c->client, op->topic_number)));
            return;
        }
    }
    bus_local_topics_load(c->store, c->txn);
    pthread_mutex_lock(&c->store->mutex);
    op->specs = mem_calloc(c->store->topic_list.len, sizeof *op->specs);
    VEC_EACH (&c->store->topic_list, t) {
        struct slice name = slice_str((*t)->name);
        if ((one == NULL || one == *t) && slice_starts(name, prefix)) {
            op->specs[op->spec_count++] =
                (struct bus_topic_spec){.name = slice_sub(name, prefix.len, name.len),
                                        .partitions = (*t)->partitions,
                                        .cleanup = (*t)->cleanup,
                                        .retention_ms = (*t)->retention_ms,
                                        .retention_bytes = (*t)->retention_bytes};
        }
    }
    pthread_mutex_unlock(&c->store->mutex);
    op->ev.topics = op->specs;
    op->ev.count = op->spec_count;
}

void bus_local_answer(struct local_client *c, struct local_op *op)
{
    if (op->kind == LOCAL_OP_DESCRIBE || op->kind == LOCAL_OP_LIST) {
        answer_topics(c, op);
    } else {
        answer_part(c, op);
    }
}
