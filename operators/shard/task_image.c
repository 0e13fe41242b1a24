/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a task as chunks: those of its engine, and one of what the task knows beside.
 * Nothing is in them that the journal does not make again.
 */
#include "core/base/mem.h"
#include "core/codec/varint.h"
#include "operators/graph/eng_state.h"
#include "operators/shard/task_impl.h"

#include <assert.h>

enum { OWN_MAX = 64 << 20 };
#define BOOK_NODE (SNAP_TASK_NODE - 1)

static void put(struct buf *to, uint64_t v)
{
    char *p = buf_room(to, VARINT_MAX);
    if (p != NULL) {
        buf_commit(to, (size_t)(varint_write(p, v) - p));
    }
}

static void put_signed(struct buf *to, int64_t v)
{
    put(to, varint_zigzag(v));
}

/* A sub-stream is known by its topic's name, its partition and its author. */
static uint64_t topic_of(const struct task *t, uint32_t sub)
{
    return t->plan->topics != NULL ? hash_xxh64(t->plan->topics[t->plan->subs[sub].topic]) : 0;
}

static void put_sub(const struct task *t, uint32_t i, struct buf *b)
{
    struct merge_pos p = merge_pos(t->merge, i);
    put(b, topic_of(t, i));
    put(b, t->plan->subs[i].part);
    put(b, t->plan->subs[i].author);
    put_signed(b, p.offset);
    put(b, p.index);
    put_signed(b, merge_largest(t->merge, i));
}

static void add_own(const struct task *t, struct snap_set *to)
{
    struct buf b;
    buf_init(&b, OWN_MAX);
    put(&b, t->seq);
    put(&b, t->prev_sum);
    put_signed(&b, t->prev_offset);
    put(&b, (uint64_t)t->started | (uint64_t)t->ended << 1);
    put_signed(&b, t->floor);
    put_signed(&b, merge_clock(t->merge));
    put_signed(&b, t->clock_marked);
    put(&b, t->plan->n_subs);
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        put_sub(t, i, &b);
    }
    assert(!buf_failed(&b));
    snap_set_add(to, &(struct save_chunk){SNAP_TASK_NODE, SAVE_NO_GROUP, buf_slice(&b)});
    buf_done(&b);
}

static void add_chunk(void *arg, const struct save_chunk *c)
{
    snap_set_add(arg, c);
}

/* Openings of alerts: a chunk of a node that no engine has. */
static void save_book(const struct task *t, void (*on_chunk)(void *arg, const struct save_chunk *c),
                      void *arg)
{
    struct buf b;
    buf_init(&b, SAVE_CHUNK_MAX);
    if (t->plan->n_alerts > 0 && alert_save(t->book, &b)) {
        on_chunk(arg, &(struct save_chunk){BOOK_NODE, SAVE_NO_GROUP, buf_slice(&b)});
    }
    buf_done(&b);
}

void task_save(struct task *t, struct snap_set *to)
{
    snap_set_begin(to);
    eng_save(t->eng, add_chunk, to);
    save_book(t, add_chunk, to);
    add_own(t, to);
}

struct parts {
    VEC(struct snap_part) v;
};

static void add_part(void *arg, const struct save_chunk *c)
{
    struct parts *p = arg;
    *VEC_PUSH(&p->v) = (struct snap_part){c->node, c->group, hash_xxh128(c->bytes)};
}

struct hash128 task_state_hash(struct task *t)
{
    struct parts p = {0};
    eng_save(t->eng, add_part, &p);
    save_book(t, add_part, &p);
    struct hash128 sum = snap_hash(p.v.ptr, p.v.len);
    VEC_DONE(&p.v);
    return sum;
}

/* ---- back ---- */

struct from {
    const char *p, *end;
};

static uint64_t get(struct from *f)
{
    uint64_t v = 0;
    f->p = f->p != NULL ? varint_read(f->p, f->end, &v) : NULL;
    return f->p != NULL ? v : 0;
}

static int64_t get_signed(struct from *f)
{
    return varint_unzigzag(get(f));
}

static int load_own(struct task *t, struct slice bytes, struct err *reterr)
{
    struct from f = {bytes.ptr, bytes.ptr + bytes.len};
    t->seq = get(&f);
    t->prev_sum = get(&f);
    t->prev_offset = get_signed(&f);
    uint64_t flags = get(&f);
    t->started = (flags & 1) != 0;
    t->ended = (flags & 2) != 0;
    t->floor = get_signed(&f);
    merge_set_clock(t->merge, get_signed(&f));
    t->clock_marked = get_signed(&f);
    if (get(&f) != t->plan->n_subs || f.p == NULL) {
        return err_set(reterr, ERR_CORRUPT, "a snapshot of another layout");
    }
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        bool same = get(&f) == topic_of(t, i);
        same = get(&f) == t->plan->subs[i].part && same;
        same = get(&f) == t->plan->subs[i].author && same;
        struct merge_pos p = {.offset = get_signed(&f)};
        p.index = (uint32_t)get(&f);
        merge_seek(t->merge, i, p, get_signed(&f));
        t->last[i] = p;
        if (!same) {
            return err_set(reterr, ERR_CORRUPT, "a snapshot of other inputs");
        }
    }
    return f.p != NULL ? 0 : err_set(reterr, ERR_CORRUPT, "a snapshot that ends early");
}

int task_restore(struct task *t, const struct save_chunk *chunks, size_t n,
                 const struct hash128 *state, struct err *reterr)
{
    assert(t->fresh && t->seq == 0);
    if (n == 0 || chunks[n - 1].node != SNAP_TASK_NODE) {
        return err_set(reterr, ERR_CORRUPT, "a snapshot without the task's own chunk");
    }
    int rc = load_own(t, chunks[n - 1].bytes, reterr);
    if (rc == 0 && n > 1 && chunks[n - 2].node == BOOK_NODE) {
        rc = alert_load(t->book, chunks[--n - 1].bytes, reterr);
    }
    rc = rc == 0 ? eng_load(t->eng, chunks, n - 1, reterr) : rc;
    if (rc == 0 && t->started) {
        task_take_types(t);
    }
    t->fresh = false;
    t->has_cut_state = true;
    t->cut_state = *state;
    return rc;
}
