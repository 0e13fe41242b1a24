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
#define BOOK_NODE SNAP_BESIDE

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

static void write_own(const struct task *t, struct buf *b)
{
    buf_init(b, OWN_MAX);
    put(b, t->seq);
    put(b, t->prev_sum);
    put_signed(b, t->prev_offset);
    bool numbered = t->asleep && eng_numbered(t->eng) > 0; /* by rules before it, or by letters */
    put(b, (uint64_t)t->started | (uint64_t)t->ended << 1 | (uint64_t)t->asleep << 2 |
               (uint64_t)t->lacks << 3 | (uint64_t)numbered << 4);
    put_signed(b, t->floor);
    put_signed(b, merge_clock(t->merge));
    put_signed(b, t->clock_marked);
    put(b, t->plan->n_subs);
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        put_sub(t, i, b);
    }
    if (t->asleep) {
        put_signed(b, t->began);
    }
    if (t->lacks) {
        put_signed(b, t->lacked);
    }
    if (numbered) {
        put(b, eng_numbered(t->eng));
    }
    assert(!buf_failed(b));
}

/* Openings of alerts: a chunk of a node that no engine has. */
static void write_book(const struct task *t, struct buf *b)
{
    buf_init(b, SAVE_CHUNK_MAX);
    if (t->plan->n_alerts == 0 || !alert_save(t->book, b)) {
        buf_done(b);
        *b = (struct buf){0};
    }
}

static struct save_chunk book_chunk(const struct buf *b)
{
    return (struct save_chunk){BOOK_NODE, SAVE_NO_GROUP, buf_slice(b), NULL};
}

static void on_chunk(void *arg, const struct save_chunk *c)
{
    snap_set_add(arg, c);
}

static void on_begin(void *arg, uint64_t node, uint16_t group)
{
    snap_set_add_begin(arg, node, group);
}

static void on_bytes(void *arg, struct slice bytes)
{
    snap_set_add_bytes(arg, bytes);
}

static void on_end(void *arg)
{
    snap_set_add_end(arg);
}

static void saved(struct task *t)
{
    const struct save_chunk own = {SNAP_TASK_NODE, SAVE_NO_GROUP, buf_slice(&t->own), NULL};
    const struct save_chunk book = book_chunk(&t->book_bytes);
    if (t->book_bytes.max > 0) {
        snap_set_add(t->saved_to, &book);
    }
    snap_set_add(t->saved_to, &own);
    task_save_end(t);
}

/* Its own chunks, of the cut, come last: whoever reads looks there. */
void task_save(struct task *t, struct snap_set *to)
{
    enum { SUITS = 256 << 10 };
    const struct eng_cut_to cut = {on_chunk, on_begin, on_bytes, on_end, to};
    assert(t->saving == NULL);
    snap_set_begin(to);
    t->saved_to = to;
    t->saving = t->asleep ? NULL : eng_cut_new(t->eng, &cut, t->slice > 0 ? t->slice : SUITS);
    write_book(t, &t->book_bytes);
    write_own(t, &t->own);
    if (t->asleep) { /* its rules have nothing to save */
        saved(t);
    }
}

bool task_save_step(struct task *t, size_t bytes)
{
    if (t->saving != NULL && eng_cut_step(t->saving, bytes)) {
        saved(t);
    }
    return t->saving == NULL;
}

void task_save_end(struct task *t)
{
    eng_cut_free(t->saving);
    t->saving = NULL;
    buf_done(&t->own);
    buf_done(&t->book_bytes);
    t->own = t->book_bytes = (struct buf){0};
}

void task_slices(struct task *t, size_t slice)
{
    t->slice = slice;
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
    if (!t->asleep) {
        eng_save(t->eng, add_part, &p);
    }
    struct buf b;
    write_book(t, &b);
    const struct save_chunk book = book_chunk(&b);
    if (b.max > 0) {
        add_part(&p, &book);
    }
    buf_done(&b);
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

struct own { /* what the task knew beside its engine */
    uint64_t seq, prev_sum, flags, numbered;
    int64_t prev_offset, floor, clock, clock_marked, began, lacked;
    VEC(struct task_sub) subs;
};

static bool has_started(const struct own *o)
{
    return (o->flags & 1) != 0;
}

static bool slept(const struct own *o)
{
    return (o->flags & 4) != 0;
}

static int read_own(struct slice bytes, struct own *ret, struct err *reterr)
{
    struct from f = {bytes.ptr, bytes.ptr + bytes.len};
    ret->seq = get(&f);
    ret->prev_sum = get(&f);
    ret->prev_offset = get_signed(&f);
    ret->flags = get(&f);
    ret->floor = get_signed(&f);
    ret->clock = get_signed(&f);
    ret->clock_marked = get_signed(&f);
    for (uint64_t n = get(&f); n > 0 && f.p != NULL; n--) {
        struct task_sub *x = VEC_PUSH(&ret->subs);
        x->topic = get(&f);
        x->part = (uint32_t)get(&f);
        x->author = get(&f);
        x->pos.offset = get_signed(&f);
        x->pos.index = (uint32_t)get(&f);
        x->largest = get_signed(&f);
    }
    ret->began = (ret->flags & 4) != 0 ? get_signed(&f) : 0;
    ret->lacked = (ret->flags & 8) != 0 ? get_signed(&f) : 0;
    ret->numbered = (ret->flags & 16) != 0 ? get(&f) : 0;
    return f.p != NULL ? 0 : err_set(reterr, ERR_CORRUPT, "a snapshot that ends early");
}

bool task_is_sub(const struct task *t, uint32_t i, const struct task_sub *x)
{
    const struct merge_spec *s = &t->plan->subs[i];
    return x->topic == topic_of(t, i) && x->part == s->part && x->author == s->author;
}

static void seek(struct task *t, uint32_t i, const struct task_sub *x)
{
    merge_seek(t->merge, i, x->pos, x->largest);
    t->last[i] = x->pos;
}

static void set_clock(struct task *t, const struct own *o)
{
    t->started = has_started(o);
    t->lacks = (o->flags & 8) != 0;
    t->lacked = o->lacked;
    t->floor = o->floor;
    t->clock_marked = o->clock_marked;
    merge_set_clock(t->merge, o->clock);
}

static int load_own(struct task *t, const struct own *o, struct err *reterr)
{
    t->seq = t->cut_in = t->rooted = o->seq;
    t->prev_sum = o->prev_sum;
    t->prev_offset = o->prev_offset;
    t->ended = (o->flags & 2) != 0;
    set_clock(t, o);
    bool same = o->subs.len == t->plan->n_subs;
    for (uint32_t i = 0; same && i < t->plan->n_subs; i++) {
        same = task_is_sub(t, i, &o->subs.ptr[i]);
        seek(t, i, &o->subs.ptr[i]);
    }
    return same ? 0 : err_set(reterr, ERR_CORRUPT, "a snapshot of other inputs");
}

static int own_of(const struct save_chunk *chunks, size_t n, struct own *ret, struct err *reterr)
{
    if (n == 0 || chunks[n - 1].node != SNAP_TASK_NODE) {
        return err_set(reterr, ERR_CORRUPT, "a snapshot without the task's own chunk");
    }
    return read_own(chunks[n - 1].bytes, ret, reterr);
}

bool task_was(const struct save_chunk *chunks, size_t n, struct task_sub **ret, size_t *ret_n)
{
    struct err err;
    struct own o = {0};
    if (own_of(chunks, n, &o, &err) != 0) {
        VEC_DONE(&o.subs);
        return false;
    }
    *ret = o.subs.ptr;
    *ret_n = o.subs.len;
    return true;
}

/* Behind those of the engine: the openings of alerts, if there are any, then the task's own. */
static size_t engine_chunks(const struct save_chunk *chunks, size_t n)
{
    bool book = n > 1 && chunks[n - 2].node == BOOK_NODE;
    return n - book - (n > 0);
}

static int load_book(struct task *t, const struct save_chunk *chunks, size_t n, struct err *reterr)
{
    bool book = n > 1 && chunks[n - 2].node == BOOK_NODE;
    return book ? alert_load(t->book, chunks[n - 2].bytes, reterr) : 0;
}

/* What the engine keeps, which may be much, and apart from it what the task knows itself. */
int task_load(struct task *t, const struct save_chunk *chunks, size_t n, struct err *reterr)
{
    assert(t->fresh && t->seq == 0);
    struct own o = {0};
    int rc = own_of(chunks, n, &o, reterr);
    VEC_DONE(&o.subs);
    n = engine_chunks(chunks, n);
    return rc == 0 && !slept(&o) ? eng_load(t->eng, chunks, n, reterr) : rc;
}

int task_loaded(struct task *t, const struct save_chunk *chunks, size_t n,
                const struct hash128 *state, struct err *reterr)
{
    struct own o = {0};
    int rc = own_of(chunks, n, &o, reterr);
    rc = rc == 0 ? load_own(t, &o, reterr) : rc;
    rc = rc == 0 ? load_book(t, chunks, n, reterr) : rc;
    VEC_DONE(&o.subs);
    if (rc == 0 && slept(&o)) {
        eng_number_from(t->eng, o.numbered);
        task_begin(t, o.began);
    } else if (rc == 0 && t->started) {
        task_take_types(t);
    }
    t->fresh = false;
    t->has_cut_state = true;
    t->cut_state = *state;
    return rc;
}

int task_restore(struct task *t, const struct save_chunk *chunks, size_t n,
                 const struct hash128 *state, struct err *reterr)
{
    int rc = task_load(t, chunks, n, reterr);
    return rc == 0 ? task_loaded(t, chunks, n, state, reterr) : rc;
}

static int succeed(struct task *t, const struct save_chunk *chunks, size_t n,
                   struct eng_succeeded *ret, struct err *reterr)
{
    struct eng_module *m = mem_calloc(t->plan->n_modules + 1, sizeof *m);
    for (uint32_t i = 0; i < t->plan->n_modules; i++) {
        m[i] = (struct eng_module){t->plan->modules[i].id, t->plan->modules[i].text};
    }
    int rc = eng_succeed(t->eng, m, t->plan->n_modules, chunks, n, ret, reterr);
    mem_free(m);
    return rc;
}

/* Rules that slept have nothing that could be kept. */
int task_succeed_load(struct task *t, const struct save_chunk *chunks, size_t n,
                      struct eng_succeeded *ret, struct err *reterr)
{
    assert(t->fresh && t->seq == 0);
    struct own o = {0};
    int rc = own_of(chunks, n, &o, reterr);
    VEC_DONE(&o.subs);
    n = engine_chunks(chunks, n);
    return rc == 0 && has_started(&o) && !slept(&o) ? succeed(t, chunks, n, ret, reterr) : rc;
}

int task_succeed_loaded(struct task *t, const struct save_chunk *chunks, size_t n, uint64_t seq,
                        struct err *reterr)
{
    struct own o = {0};
    int rc = own_of(chunks, n, &o, reterr);
    if (rc == 0) {
        set_clock(t, &o);
        for (uint32_t i = 0; i < t->plan->n_subs; i++) {
            VEC_EACH (&o.subs, x) {
                if (task_is_sub(t, i, x)) {
                    seek(t, i, x);
                }
            }
        }
    }
    rc = rc == 0 ? load_book(t, chunks, n, reterr) : rc;
    if (rc == 0 && slept(&o)) {
        task_begin(t, o.clock);
    } else if (rc == 0 && t->started) {
        task_take_types(t);
    }
    t->took = seq;
    VEC_DONE(&o.subs);
    return rc;
}
