/* SPDX-License-Identifier: Apache-2.0
 *
 * What is written later, and the order of what was written in any: see save_late.h.
 */
#include "core/base/mem.h"
#include "operators/sig/save_impl.h"

void save_in_slices(struct save *s, size_t least, struct vheap *heap,
                    void (*on_held)(void *arg, const struct save_chunk *c,
                                    const struct save_hole *holes, size_t n))
{
    assert(s->n_parts == 0);
    s->least = least;
    s->heap = vheap_numbers(heap) ? heap : NULL;
    s->on_held = on_held;
}

static struct save_late *later(struct save *s, const struct save_late_ops *ops, void *arg,
                               size_t size, bool node)
{
    enum { LEAST = 64 << 10 }; /* of a part of a thing */
    bool within = s->by_item && !node && size >= LEAST && save_tail_begun(s, true);
    bool held = s->on_held != NULL && size >= s->least && save_part(s)->group == SAVE_NO_GROUP;
    if (!held && !within) {
        return NULL;
    }
    struct save_late *x = MEM_NEW(struct save_late);
    *x = (struct save_late){.ops = ops, .arg = arg, .node = node};
    buf_init(&x->sorted, SAVE_CHUNK_MAX);
    x->to = save_new(s->types, s->serial, NULL, NULL);
    x->to->late = true;
    x->to->by_item = node;
    save_begin(x->to, s->node);
    x->to->keeper = node ? s->heap : NULL;
    if (within) {
        save_tail_late(s, x);
    } else {
        *VEC_PUSH(&s->holes) = (struct save_hole){.at = save_part(s)->out.len, .late = x};
        s->n_lates++;
    }
    return x;
}

struct save_late *save_later(struct save *s, const struct save_late_ops *ops, void *arg,
                             size_t size)
{
    return later(s, ops, arg, size, false);
}

struct save_late *save_node_later(struct save *s, const struct save_late_ops *ops, void *arg,
                                  size_t size)
{
    return later(s, ops, arg, size, true);
}

struct save *save_late_to(struct save_late *x)
{
    assert(!x->done);
    return x->to;
}

size_t save_late_bytes(const struct save_late *x)
{
    return x->to->parts.ptr[0].out.len - (x->node ? 0 : x->taken);
}

void save_late_end(struct save_late *x)
{
    save_tail_end(x->to);
    x->done = true;
}

void save_item(struct save *s, uint64_t place)
{
    save_tail_end(s);
    if (s->by_item) {
        struct part *p = save_part(s);
        p->mixed |= p->items.len > 0 && VEC_LAST(&p->items)->place > place;
        *VEC_PUSH(&p->items) = (struct item){place, p->out.len, 0};
    }
}

size_t save_item_bytes(const struct save *s)
{
    const struct part *p = &s->parts.ptr[s->at];
    assert(p->items.len > 0);
    return p->out.len - p->items.ptr[p->items.len - 1].at;
}

struct save *save_pieces_new(const struct save_types *types, uint64_t *serial)
{
    struct save *s = save_new(types, serial, NULL, NULL);
    s->late = true;
    save_begin(s, 0);
    return s;
}

static struct buf *pieces(struct save *s)
{
    struct buf *to = &save_part(s)->out;
    if (s->taken) {
        buf_clear(to);
        s->taken = false;
    }
    return to;
}

void save_piece_bytes(struct save *s, struct slice bytes)
{
    buf_add_slice(pieces(s), bytes);
}

void save_piece_evt(struct save *s, struct evt *e)
{
    (void)pieces(s);
    save_event_apart(s, e);
}

size_t save_pieces_len(const struct save *s)
{
    return s->taken ? 0 : s->parts.ptr[s->at].out.len;
}

struct slice save_pieces_take(struct save *s)
{
    struct slice all = buf_slice(pieces(s));
    s->taken = true;
    return all;
}

/* What was begun is ended first, so that no more of it waits than must. */
bool save_late_step(struct save_late *x, size_t bytes)
{
    save_tail_end(x->to);
    if (!save_tails_step(x->to, bytes)) {
        return false;
    }
    if (!x->done && x->ops->step(x->arg, bytes)) {
        x->done = true;
    }
    save_tail_end(x->to);
    return x->done && x->to->tails.len == 0;
}

void save_late_settle(struct save_late *x)
{
    save_tail_end(x->to);
    (void)save_tails_step(x->to, SIZE_MAX);
}

bool save_late_is_node(const struct save_late *x)
{
    return x->node;
}

struct slice save_late_take(struct save_late *x, size_t max)
{
    struct buf *b = &x->to->parts.ptr[0].out;
    if (x->taken > 0 && x->taken == b->len) {
        buf_clear(b);
        x->taken = 0;
    }
    struct slice got = slice_sub(buf_slice(b), x->taken, x->taken + max);
    x->taken += got.len;
    return got;
}

/* ---- the things of a group in their order ---- */

static bool before(const struct item *a, const struct item *b)
{
    return a->place != b->place ? a->place < b->place : a->at < b->at;
}

/* A heap: what is at i goes to its place below. */
static void sift(struct part *p, size_t i)
{
    struct item *v = p->items.ptr, x = v[i];
    for (size_t n = p->items.len, kid; (kid = 2 * i + 1) < n; i = kid) {
        kid += kid + 1 < n && before(&v[kid + 1], &v[kid]);
        if (!before(&v[kid], &x)) {
            break;
        }
        v[i] = v[kid];
    }
    v[i] = x;
}

static void begin_giving(struct save_late *x, struct part *p)
{
    size_t n = p->items.len;
    x->giving = p;
    x->given = 0;
    for (size_t i = 0; p->mixed && i < n; i++) {
        p->items.ptr[i].len =
            (i + 1 < n ? p->items.ptr[i + 1].at : p->out.len) - p->items.ptr[i].at;
    }
    for (size_t i = p->mixed ? n / 2 : 0; i-- > 0;) {
        sift(p, i);
    }
}

static struct slice give(struct save_late *x, struct part *p, size_t max)
{
    if (!p->mixed) {
        return slice_sub(buf_slice(&p->out), x->given, x->given + max);
    }
    buf_clear(&x->sorted);
    while (p->items.len > 0 && x->sorted.len < max) {
        struct item first = p->items.ptr[0];
        p->items.ptr[0] = p->items.ptr[--p->items.len];
        if (p->items.len > 0) {
            sift(p, 0);
        }
        buf_add(&x->sorted, p->out.ptr + first.at, first.len);
    }
    return buf_slice(&x->sorted);
}

static struct part *next_part(struct save_late *x)
{
    struct save *s = x->to;
    while (x->taken <= SAVE_NO_GROUP) {
        size_t at = s->part_of[x->taken++];
        if (at > 0 && s->parts.ptr[at - 1].out.len > 0) {
            return &s->parts.ptr[at - 1];
        }
    }
    return NULL;
}

/* What was given is not kept. */
bool save_late_piece(struct save_late *x, size_t max, struct save_piece *ret)
{
    struct part *p = x->giving;
    assert(x->done && x->node);
    if (p != NULL && x->given == p->out.len) {
        buf_done(&p->out);
        buf_init(&p->out, SAVE_CHUNK_MAX);
        VEC_DONE(&p->items);
        p = NULL;
    }
    bool begins = p == NULL;
    p = begins ? next_part(x) : p;
    if (p == NULL) {
        x->giving = NULL;
        return false;
    }
    if (begins) {
        begin_giving(x, p);
    }
    struct slice bytes = give(x, p, max);
    x->given += bytes.len;
    *ret =
        (struct save_piece){{x->to->node, p->group, bytes, NULL}, begins, x->given == p->out.len};
    return true;
}

void save_late_free(struct save_late *x)
{
    if (x == NULL) {
        return;
    }
    if (!x->done) {
        x->ops->forget(x->arg);
    }
    save_tails_forget(x->to);
    save_free(x->to);
    buf_done(&x->sorted);
    mem_free(x);
}
