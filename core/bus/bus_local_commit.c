/* SPDX-License-Identifier: Apache-2.0
 *
 * The committer: takes what waits, lets each operation be decided, writes the accepted records as
 * chunks, adds a bounded piece of housekeeping, commits and syncs once, answers.
 *
 * A group fails as a whole or not at all. Memory follows the file: rows are changed in `next` and
 * become `now` when LMDB has committed. If the commit itself fails for want of space nothing was
 * lost, the group ends FULL; on any other failure (a sync that failed may have dropped pages, and
 * asking again would be told "fine") the store is dead: what was under way ends UNKNOWN, nothing is
 * written any more, and the process has to be restarted.
 */
#include "core/bus/bus_local_commit.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/bus/bus_local_value.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

enum { GROUP_BYTES_MAX = 64 << 20 };

/* How long housekeeping may keep a group that others wait for, and one of its own. */
static const int64_t slice_busy_ns = 2 * CLOCK_NS_PER_MS;
static const int64_t slice_idle_ns = 5 * CLOCK_NS_PER_MS;
static const int64_t watch_ns = 50 * CLOCK_NS_PER_MS;

void bus_local_group_fail(struct local_group *g, int rc, const char *what)
{
    if (g->rc == 0 && rc != 0) {
        g->rc = rc;
        g->what = what;
    }
}

void bus_local_touch(struct local_group *g, struct local_part *p)
{
    g->changed = true;
    if (!p->touched) {
        p->touched = true;
        *VEC_PUSH(&g->parts) = p;
    }
}

static void begin(struct local_group *g)
{
    struct err err;
    int rc = mdb_txn_begin(g->s->env, NULL, 0, &g->txn);
    rc = rc != 0 ? rc : mdb_cursor_open(g->txn, g->s->log, &g->log);
    bus_local_group_fail(g, rc, "beginning a transaction");
    if (g->rc == 0 && bus_local_room_small(g->s, &err) != 0) {
        bus_local_group_fail(g, MDB_MAP_FULL, "making room");
        g->err = err;
    }
}

/* Writes runs [from, to) as one chunk. */
static void write_chunk(struct local_group *g, struct local_part *p, size_t from, size_t to,
                        size_t bytes)
{
    struct local_run *runs = g->s->runs.ptr;
    struct bus_local_head head = {.time_ms = p->next.last_ms};
    char key_bytes[LOCAL_KEY_BYTES];
    int64_t base = runs[from].offset, next = base;
    bus_local_key(key_bytes, p, base);
    MDB_val key = {sizeof key_bytes, key_bytes}, val = {bytes, NULL};
    int rc = mdb_cursor_put(g->log, &key, &val, MDB_RESERVE | MDB_NOOVERWRITE);
    if (rc != 0) {
        bus_local_group_fail(g, rc == MDB_KEYEXIST ? MDB_CORRUPTED : rc, "appending a chunk");
        return;
    }
    char *at = (char *)val.mv_data + BUS_LOCAL_HEAD_BYTES;
    for (size_t i = from; i < to; i++) {
        const struct local_piece *piece = runs[i].piece;
        memcpy(at, piece->ptr, piece->len);
        if (runs[i].offset != next) {
            bus_local_record_skip(at, (uint32_t)(runs[i].offset - next));
        }
        at += piece->len;
        next = runs[i].offset + piece->count;
        head.count += piece->count;
        head.headers += piece->headers;
        head.bytes += piece->bytes;
    }
    head.last = (uint32_t)(next - 1 - base);
    assert(at == (char *)val.mv_data + bytes);
    bus_local_head_write(val.mv_data, bytes, &head);
    p->next.bytes += head.bytes;
    p->dirty_bytes += head.bytes;
}

/* Gives the gathered records their offsets and lists their runs. */
static void give_offsets(struct local_group *g, struct local_part *p)
{
    struct local_row *row = &p->next;
    VEC_CLEAR(&g->s->runs);
    for (struct local_tpart *tp = p->gather_head; tp != NULL; tp = tp->next) {
        int64_t offset = tp->base = row->end;
        VEC_EACH (&tp->pieces, piece) {
            *VEC_PUSH(&g->s->runs) = (struct local_run){piece, offset};
            offset += piece->count;
        }
        assert(offset == tp->base + tp->count);
        /* Offsets have gaps in every bus: readers must never count. */
        row->end = offset + (tp->marker ? 1 : 0);
    }
    p->gather_head = NULL;
    p->gather_tail = &p->gather_head;
}

static void write_part(struct local_group *g, struct local_part *p)
{
    give_offsets(g, p);
    size_t n = g->s->runs.len, from = 0;
    p->next.last_ms = MAX(p->next.last_ms, g->now_ms);
    if (p->first_ms == LOCAL_FIRST_NONE) {
        p->first_ms = p->next.last_ms;
    }
    while (from < n && g->rc == 0) {
        size_t to = from, bytes = BUS_LOCAL_HEAD_BYTES;
        const struct local_run *runs = g->s->runs.ptr;
        do {
            bytes += runs[to++].piece->len;
        } while (to < n && bytes + runs[to].piece->len <= BUS_LOCAL_CHUNK_BYTES);
        write_chunk(g, p, from, to, bytes);
        from = to;
    }
}

/* All that the operations have changed; what is over its limit by that is cleaned in this group. */
static void write_parts(struct local_group *g)
{
    for (size_t i = 0; i < g->parts.len && g->rc == 0; i++) {
        struct local_part *p = g->parts.ptr[i];
        if (p->gather_head != NULL) {
            write_part(g, p);
        }
        bus_local_retain_mark(g->s, p);
    }
}

static bool housekeeping(struct local_group *g, bool busy)
{
    struct local_store *s = g->s;
    int64_t until = clock_mono(&s->clock) + (busy ? slice_busy_ns : slice_idle_ns);
    if (g->rc != 0) {
        return true;
    }
    bool more = bus_local_retain_slice(g, until);
    return bus_local_compact_slice(g, until) || more;
}

static void save_rows(struct local_group *g)
{
    for (size_t i = 0; i < g->parts.len && g->rc == 0; i++) {
        struct local_part *p = g->parts.ptr[i];
        bus_local_group_fail(g, bus_local_row_put(g->s, g->txn, p, &p->next), "writing a row");
    }
}

/* After a failed commit: LMDB refuses to go on when the root itself could not be written. */
static bool is_usable(struct local_store *s)
{
    MDB_txn *txn = NULL;
    if (mdb_txn_begin(s->env, NULL, 0, &txn) != 0) {
        return false;
    }
    mdb_txn_abort(txn);
    return true;
}

/* The disk or the map was full: nothing is lost, and the next group may fit. A short write is EIO
 * to LMDB; where only the free list had room it says the same. */
static bool missed_room(const struct local_group *g, int rc)
{
    return bus_local_mdb_err(g->s, rc, g->what, NULL) == -ERR_FULL ||
           (rc == EIO && g->s->room.tight);
}

static void close_txn(struct local_group *g)
{
    struct local_store *s = g->s;
    if (g->rc != 0 || !g->changed) {
        if (g->txn != NULL) {
            mdb_txn_abort(g->txn);
        }
        return;
    }
    int rc = mdb_txn_commit(g->txn);
    atomic_fetch_add(&s->counters.syncs, 1);
    bus_local_group_fail(g, rc, "committing");
    if (rc != 0 && (!missed_room(g, rc) || !is_usable(s))) {
        atomic_store(&s->dead, true);
        LOG_ERROR("the bus could not be synced and takes no more writes: restart the process",
                  LOG_STR("dir", s->dir), LOG_STR("error", mdb_strerror(rc)));
    }
}

/* True if the group is committed, or had nothing to commit. */
static bool end(struct local_group *g)
{
    struct local_store *s = g->s;
    if (g->log != NULL) {
        mdb_cursor_close(g->log);
        g->log = NULL;
    }
    close_txn(g);
    if (g->rc != 0 && g->err.code == ERR_OK && !atomic_load(&s->dead) && missed_room(g, g->rc)) {
        (void)bus_local_room_missed(s, &g->err);
    }
    return g->rc == 0;
}

static void publish(struct local_group *g)
{
    struct local_store *s = g->s;
    pthread_mutex_lock(&s->mutex);
    VEC_EACH (&g->created, t) {
        bool kept = bus_local_topic_keep(s, *t);
        assert(kept); /* decide has counted */
        (void)kept;
    }
    VEC_EACH (&g->parts, at) {
        struct local_part *p = *at;
        atomic_fetch_add(&s->counters.used_bytes, p->next.bytes - p->now.bytes);
        bool moved = p->next.end != p->now.end;
        p->now = p->next;
        p->touched = false;
        if (moved) {
            atomic_store(&p->end, p->now.end);
            VEC_EACH (&p->subs, in) {
                bus_local_inbox_wake(*in);
            }
        }
    }
    pthread_mutex_unlock(&s->mutex);
}

static void undo(struct local_group *g)
{
    VEC_EACH (&g->parts, at) {
        struct local_part *p = *at;
        p->next = p->now;
        p->touched = false;
        p->first_ms = LOCAL_FIRST_UNSEEN;
        p->gather_head = NULL;
        p->gather_tail = &p->gather_head;
    }
    VEC_EACH (&g->created, t) {
        bus_local_topic_free(*t);
    }
    bus_local_compact_reset(g->s);
}

/* What an operation gets whose group failed. */
static void fail_op(struct local_group *g, struct local_op *op)
{
    struct local_store *s = g->s;
    struct err err = g->err;
    if (err.code == ERR_OK) {
        (void)bus_local_mdb_err(s, g->rc, g->what, &err);
    }
    bool full = err.code == ERR_FULL, dead = atomic_load(&s->dead);
    bool slot = op->kind == LOCAL_OP_COMMIT, plain = op->kind == LOCAL_OP_PLAIN;
    enum bus_ev_kind kind = plain   ? BUS_EV_REFUSED
                            : !slot ? BUS_EV_ERROR
                            : full  ? BUS_EV_FULL
                            : dead  ? BUS_EV_UNKNOWN
                                    : BUS_EV_ABORTED;
    if (full) {
        bus_local_room_refused(s);
    }
    if (dead && plain) {
        err.code = ERR_UNKNOWN;
    }
    *bus_local_op_fail(op, kind, (dead && slot) || op->kind == LOCAL_OP_OPEN) = err;
    atomic_fetch_add(&s->counters.fulls, slot && full);
    atomic_fetch_add(&s->counters.unknowns, slot && dead);
    atomic_fetch_add(&s->counters.aborts, slot && !full && !dead);
    atomic_fetch_add(&s->counters.refused, plain ? op->puts.len : 0);
}

static void committed_op(struct local_store *s, struct local_op *op)
{
    struct local_txn *t = op->txn;
    atomic_fetch_add(&s->counters.puts, t->count);
    atomic_fetch_add(&s->counters.put_bytes, t->bytes);
    if (op->kind == LOCAL_OP_COMMIT) {
        atomic_fetch_add(&s->counters.commits, 1);
        op->spans = mem_calloc(t->parts.len, sizeof *op->spans);
        for (size_t i = 0; i < t->parts.len; i++) {
            const struct local_tpart *tp = &t->parts.ptr[i];
            op->spans[i] = (struct bus_span){tp->tp, tp->base, tp->count};
        }
        op->ev.spans = op->spans;
        op->ev.count = (uint32_t)t->parts.len;
    }
}

static void answer(struct local_group *g, struct local_op *ops, bool ok)
{
    for (struct local_op *op = ops, *next; op != NULL; op = next) {
        next = op->next;
        if (op->kind == LOCAL_OP_MAINTAIN && !op->decided) {
            continue; /* bus_local_decide has put it aside */
        }
        if (!ok && !op->decided) {
            fail_op(g, op);
        } else if (op->txn != NULL && !op->decided) {
            committed_op(g->s, op);
        }
        bool silent = op->kind == LOCAL_OP_RESIGN || op->kind == LOCAL_OP_RELEASE ||
                      (op->kind == LOCAL_OP_ELECT && op->ev.kind != BUS_EV_ERROR);
        if (silent) {
            bus_local_op_free(op);
        } else {
            bus_local_inbox_push(op->inbox, op);
        }
    }
}

static void end_maintaining(struct local_group *g, bool ok, bool more)
{
    struct local_store *s = g->s;
    if (ok && more) {
        return;
    }
    VEC_EACH (&s->maintaining, op) {
        if (!ok) {
            fail_op(g, *op);
        }
        bus_local_inbox_push((*op)->inbox, *op);
    }
    VEC_CLEAR(&s->maintaining);
}

static void run_group(struct local_store *s, struct local_op *ops)
{
    struct local_group g = {
        .s = s, .now_ms = clock_wall(&s->clock) / CLOCK_NS_PER_MS, .now_ns = clock_mono(&s->clock)};
    begin(&g);
    for (struct local_op *op = ops; op != NULL; op = op->next) {
        bus_local_decide(&g, op);
    }
    bus_local_elect_settle(&g);
    write_parts(&g);
    bool more = housekeeping(&g, ops != NULL);
    save_rows(&g);
    bool ok = end(&g);
    if (ok) {
        publish(&g);
        bus_local_room_used(s, g.raw);
        s->room.turn = s->room.turn || (g.changed && s->room.refused);
    } else {
        undo(&g);
        s->held = true;
    }
    bus_local_elect_publish(s, ok);
    answer(&g, ops, ok);
    end_maintaining(&g, ok, more);
    VEC_DONE(&g.parts);
    VEC_DONE(&g.created);
}

/* Commits nothing, so that what the last transaction freed is free for the next. */
static void run_turn(struct local_store *s)
{
    struct local_group g = {.s = s, .now_ns = clock_mono(&s->clock), .changed = true};
    begin(&g);
    if (g.rc == 0) {
        MDB_val key = {sizeof "turn" - 1, (char *)(uintptr_t) "turn"};
        MDB_val val = {sizeof g.now_ns, &g.now_ns};
        bus_local_group_fail(&g, mdb_put(g.txn, s->meta, &key, &val, 0), "turning");
    }
    (void)end(&g);
    s->room.turn = false;
}

/* A plain writer's puts go on gathering until this moment. */
static void close_gathering(struct local_op *op)
{
    pthread_mutex_lock(&op->core->mutex);
    assert(op->core->gathering == op);
    op->core->gathering = NULL;
    pthread_mutex_unlock(&op->core->mutex);
}

/* Cuts the next group off the backlog. */
static struct local_op *next_group(struct local_store *s)
{
    struct local_op *ops = s->backlog, **tail = &s->backlog;
    uint64_t bytes = 0;
    while (*tail != NULL && bytes < GROUP_BYTES_MAX) {
        if ((*tail)->kind == LOCAL_OP_PLAIN) {
            close_gathering(*tail);
        }
        bytes += (*tail)->txn != NULL ? (*tail)->txn->bytes : 0;
        tail = &(*tail)->next;
    }
    s->backlog = *tail;
    *tail = NULL;
    if (s->backlog == NULL) {
        s->backlog_tail = &s->backlog;
    }
    return ops;
}

static struct timespec to_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / CLOCK_NS_PER_S, .tv_nsec = ns % CLOCK_NS_PER_S};
}

/* Moves the queue to the backlog; sleeps while there is nothing to do before `until_ns`. */
static bool take_queue(struct local_store *s, int64_t until_ns, bool due)
{
    struct timespec until = to_timespec(until_ns);
    pthread_mutex_lock(&s->mutex);
    bool awake = due || s->backlog != NULL;
    while (!awake && s->queue == NULL && !s->stopping) {
        s->idle = true;
        awake = pthread_cond_timedwait(&s->more, &s->mutex, &until) != 0;
        s->idle = false;
    }
    if (s->queue != NULL) {
        *s->backlog_tail = s->queue;
        s->backlog_tail = s->queue_tail;
        s->queue = NULL;
        s->queue_tail = &s->queue;
    }
    bool stopping = s->stopping;
    pthread_mutex_unlock(&s->mutex);
    return stopping;
}

static bool is_due(const struct local_store *s)
{
    return !s->held && !atomic_load(&s->dead) &&
           (s->maintaining.len > 0 || s->room.turn || bus_local_retain_due(s) ||
            bus_local_compact_due(s) || bus_local_elect_due(s));
}

static void tick(struct local_store *s)
{
    s->held = false;
    bus_local_pins_check(s);
    bus_local_retain_scan(s, clock_wall(&s->clock) / CLOCK_NS_PER_MS);
    bus_local_compact_scan(s, false);
}

void *bus_local_committer(void *store)
{
    struct local_store *s = store;
    int64_t next_tick = 0;
    for (;;) {
        bool stopping = take_queue(s, next_tick, is_due(s));
        struct local_op *ops = next_group(s);
        if (ops == NULL && stopping) {
            return NULL;
        }
        int64_t now = clock_mono(&s->clock);
        if (now >= next_tick) {
            tick(s);
            next_tick = now + s->tuning.tick_ns;
        }
        if (s->room.turn && !atomic_load(&s->dead)) {
            run_turn(s);
        }
        if (ops != NULL || is_due(s)) {
            run_group(s, ops);
        }
    }
}

void bus_local_committer_init(struct local_store *s)
{
    s->backlog_tail = &s->backlog;
    bus_local_retain_init(s);
    bus_local_compact_init(s);
    bus_local_elect_init(s);
}

void bus_local_committer_done(struct local_store *s)
{
    assert(s->backlog == NULL);
    VEC_EACH (&s->maintaining, op) {
        bus_local_op_free(*op);
    }
    VEC_DONE(&s->maintaining);
    VEC_DONE(&s->runs);
    bus_local_retain_done(s);
    bus_local_compact_done(s);
    bus_local_elect_done(s);
    if (s->room.txn != NULL) {
        mdb_txn_abort(s->room.txn);
        s->room.txn = NULL;
    }
}

void *bus_local_watch(void *store)
{
    struct local_store *s = store;
    MDB_envinfo info;
    size_t last = 0;
    pthread_mutex_lock(&s->mutex);
    while (!s->stopping) {
        mdb_env_info(s->env, &info);
        if (info.me_last_txnid != last) {
            last = info.me_last_txnid;
            VEC_EACH (&s->inboxes, in) {
                bus_local_inbox_wake(*in);
            }
        }
        struct timespec until = to_timespec(clock_mono(&s->clock) + watch_ns);
        (void)pthread_cond_timedwait(&s->more, &s->mutex, &until);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}
