/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention and trimming: whole chunks are deleted from the front of a partition, oldest first, in
 * the transaction of a group that is committed anyway (or in one of their own when nothing else
 * happens), a few milliseconds' worth at a time.
 *
 * Deleting keeps pace with appending, chunk for chunk, because LMDB's free list is cheap as long as
 * it is short: what a transaction frees is taken by one of the next. To touch few tree pages a
 * partition is left alone until it is over its limit by a 32nd, then brought down to the limit in
 * one go. As in Kafka the limit is a lower bound of what is kept: a chunk goes only if the rest
 * still holds it.
 */
#include "core/base/mem.h"
#include "core/bus/bus_local_commit.h"
#include "core/bus/bus_local_value.h"

#include <assert.h>

enum { SLACK_SHIFT = 5, LOOK_EVERY = 16 };

struct local_retain {
    VEC(struct local_part *) due; /* in order of becoming due; from `first` on */
    size_t first;
};

void bus_local_retain_init(struct local_store *s)
{
    s->retain = MEM_NEW(struct local_retain);
}

void bus_local_retain_done(struct local_store *s)
{
    if (s->retain != NULL) {
        VEC_DONE(&s->retain->due);
        mem_free(s->retain);
        s->retain = NULL;
    }
}

bool bus_local_retain_due(const struct local_store *s)
{
    return s->retain->first < s->retain->due.len;
}

static void enqueue(struct local_store *s, struct local_part *p)
{
    if (!p->queued) {
        p->queued = true;
        *VEC_PUSH(&s->retain->due) = p;
    }
}

static bool deletes(const struct local_part *p)
{
    return p->topic->cleanup != BUS_COMPACT;
}

static bool over(const struct local_part *p, uint64_t slack)
{
    int64_t limit = p->topic->retention_bytes;
    return deletes(p) && limit >= 0 && p->next.bytes > (uint64_t)limit + slack;
}

void bus_local_retain_mark(struct local_store *s, struct local_part *p)
{
    int64_t limit = p->topic->retention_bytes;
    uint64_t slack = limit > 0 ? (uint64_t)limit >> SLACK_SHIFT : 0;
    bool trimmed = p->next.start != p->now.start;
    if (over(p, slack) || trimmed) {
        enqueue(s, p);
    }
}

void bus_local_retain_scan(struct local_store *s, int64_t now_ms)
{
    VEC_EACH (&s->topic_list, t) {
        int64_t keep_ms = (*t)->retention_ms;
        for (uint32_t i = 0; i < (*t)->partitions; i++) {
            struct local_part *p = &(*t)->parts[i];
            bool old = (keep_ms >= 0 && p->first_ms < now_ms - keep_ms) ||
                       p->first_ms == LOCAL_FIRST_UNSEEN;
            if (deletes(p) && (over(p, 0) || old)) { /* what is unseen counts as old */
                enqueue(s, p);
            }
        }
    }
}

/* Is the chunk at the front of the partition to go? */
static bool is_due(const struct local_group *g, const struct local_part *p, int64_t base,
                   const struct bus_local_head *head)
{
    const struct local_topic *t = p->topic;
    if (base + head->last < p->next.start) {
        return true;
    }
    if (!deletes(p)) {
        return false;
    }
    bool over_bytes =
        t->retention_bytes >= 0 && p->next.bytes - head->bytes >= (uint64_t)t->retention_bytes;
    bool over_time = t->retention_ms >= 0 && head->time_ms < g->now_ms - t->retention_ms;
    return over_bytes || over_time;
}

/* Deletes from the front until the limit, the time or the end; true if the partition is done. */
static bool clean(struct local_group *g, struct local_part *p, int64_t until_ns)
{
    char key_bytes[LOCAL_KEY_BYTES];
    bus_local_key(key_bytes, p, 0);
    MDB_val key = {sizeof key_bytes, key_bytes}, val;
    int64_t base;
    int rc = mdb_cursor_get(g->log, &key, &val, MDB_SET_RANGE);
    for (unsigned n = 1; rc == 0 && bus_local_key_read(key, p, &base); n++) {
        struct bus_local_head head;
        if (bus_local_head_read(slice_of(val.mv_data, val.mv_size), &head, NULL) != 0) {
            /* Nobody can read it: it counts as one record without bytes. */
            head = (struct bus_local_head){.time_ms = 0};
        }
        p->first_ms = head.time_ms;
        if (!is_due(g, p, base, &head)) {
            return true;
        }
        rc = mdb_cursor_del(g->log, 0);
        if (rc != 0) {
            break;
        }
        bus_local_touch(g, p);
        p->next.bytes -= MIN((uint64_t)head.bytes, p->next.bytes);
        p->next.start = MAX(p->next.start, base + head.last + 1);
        p->first_ms = LOCAL_FIRST_UNSEEN;
        if (n % LOOK_EVERY == 0 && clock_mono(&g->s->clock) >= until_ns) {
            return false;
        }
        rc = mdb_cursor_get(g->log, &key, &val, MDB_NEXT);
    }
    bus_local_group_fail(g, rc == MDB_NOTFOUND ? 0 : rc, "deleting a chunk");
    if (rc == 0 || rc == MDB_NOTFOUND) {
        p->next.bytes = 0; /* none is left */
        p->first_ms = LOCAL_FIRST_NONE;
    }
    return true;
}

bool bus_local_retain_slice(struct local_group *g, int64_t until_ns)
{
    struct local_retain *r = g->s->retain;
    while (r->first < r->due.len && g->rc == 0) {
        struct local_part *p = r->due.ptr[r->first];
        if (!clean(g, p, until_ns)) {
            return true;
        }
        if (g->rc == 0) {
            p->queued = false;
            r->first++;
        }
        if (clock_mono(&g->s->clock) >= until_ns) {
            break;
        }
    }
    if (r->first > 0 && r->first * 2 >= r->due.len) {
        r->due.len -= r->first;
        memmove(r->due.ptr, r->due.ptr + r->first, r->due.len * sizeof *r->due.ptr);
        r->first = 0;
    }
    return r->due.len > 0;
}
