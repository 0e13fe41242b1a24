/* SPDX-License-Identifier: Apache-2.0
 *
 * The image of a task: what it is besides its engine, then the engine's chunks. Made at a cut;
 * nothing is in it that the journal does not make again.
 */
#include "core/base/mem.h"
#include "core/codec/varint.h"
#include "operators/graph/eng_state.h"
#include "operators/shard/task_impl.h"
#include "operators/state/snap.h"

#include <assert.h>

enum { IMAGE_MAX = 1 << 30 };
#define BOOK_NODE UINT64_MAX

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

static void add_chunk(void *arg, const struct save_chunk *c)
{
    (void)snap_add_chunk(arg, c);
}

/* Openings of alerts, as a chunk of a node that no engine has. */
static void save_book(struct task *t)
{
    struct buf b;
    buf_init(&b, SAVE_CHUNK_MAX);
    if (t->plan->n_alerts > 0 && alert_save(t->book, &b)) {
        (void)snap_add_chunk(&t->chunks,
                             &(struct save_chunk){BOOK_NODE, SAVE_NO_GROUP, buf_slice(&b)});
    }
    buf_done(&b);
}

struct hash128 task_image_state(struct task *t)
{
    if (t->chunks.max == 0) {
        buf_init(&t->chunks, IMAGE_MAX);
        buf_init(&t->image, IMAGE_MAX);
    }
    buf_clear(&t->chunks);
    eng_save(t->eng, add_chunk, &t->chunks);
    save_book(t);
    return hash_xxh128(buf_slice(&t->chunks));
}

void task_image_make(struct task *t)
{
    struct buf *b = &t->image;
    buf_clear(b);
    put(b, t->seq);
    put(b, t->prev_sum);
    put_signed(b, t->prev_offset);
    put(b, t->started);
    put_signed(b, t->floor);
    put_signed(b, merge_clock(t->merge));
    put_signed(b, t->clock_marked);
    put(b, t->plan->n_subs);
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        struct merge_pos p = merge_pos(t->merge, i);
        put_signed(b, p.offset);
        put(b, p.index);
        put_signed(b, merge_largest(t->merge, i));
    }
    buf_add_slice(b, buf_slice(&t->chunks));
    t->has_image = !buf_failed(b) && !buf_failed(&t->chunks);
}

struct slice task_image(const struct task *t)
{
    return t->has_image ? buf_slice(&t->image) : SLICE_NONE;
}

void task_image_done(struct task *t)
{
    t->has_image = false;
    buf_done(&t->image);
    buf_done(&t->chunks);
    t->chunks = t->image = (struct buf){0};
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

static int load_engine(struct task *t, struct slice rest, struct err *reterr)
{
    VEC(struct save_chunk) chunks = {0};
    struct save_chunk c;
    int rc;
    int book = 0;
    while ((rc = snap_next_chunk(&rest, &c)) == 1) {
        if (c.node == BOOK_NODE) {
            book = alert_load(t->book, c.bytes, reterr);
        } else {
            *VEC_PUSH(&chunks) = c;
        }
    }
    rc = book != 0 ? book
         : rc != 0 ? err_set(reterr, ERR_CORRUPT, "a snapshot that does not decode")
                   : eng_load(t->eng, chunks.ptr, chunks.len, reterr);
    VEC_DONE(&chunks);
    return rc;
}

int task_restore(struct task *t, struct slice image, struct err *reterr)
{
    struct from f = {image.ptr, image.ptr + image.len};
    assert(t->fresh && t->seq == 0);
    t->seq = get(&f);
    t->prev_sum = get(&f);
    t->prev_offset = get_signed(&f);
    t->started = get(&f) == 1;
    t->floor = get_signed(&f);
    merge_set_clock(t->merge, get_signed(&f));
    t->clock_marked = get_signed(&f);
    if (get(&f) != t->plan->n_subs || f.p == NULL) {
        return err_set(reterr, ERR_CORRUPT, "a snapshot of another layout");
    }
    for (uint32_t i = 0; i < t->plan->n_subs; i++) {
        struct merge_pos p = {.offset = get_signed(&f)};
        p.index = (uint32_t)get(&f);
        merge_seek(t->merge, i, p, get_signed(&f));
        t->last[i] = p;
    }
    if (f.p == NULL) {
        return err_set(reterr, ERR_CORRUPT, "a snapshot that ends early");
    }
    int rc = load_engine(t, slice_of(f.p, (size_t)(f.end - f.p)), reterr);
    if (rc == 0 && t->started) {
        task_take_types(t);
    }
    t->fresh = false;
    return rc;
}
