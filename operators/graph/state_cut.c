/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving an engine in slices (eng_state.h). All that is small is written at the cut. What is large
 * waits: a chunk with holes in it, each to be filled by a part that is written later
 * (sig/save_late.h) or by an event, which is kept until it is its turn, or a whole node, whose
 * chunks come when all of it is written.
 */
#include "operators/graph/state.h"

#include "core/base/mem.h"
#include "operators/graph/eng_impl.h"
#include "operators/graph/eng_state.h"
#include "operators/sig/save_late.h"

#include <assert.h>

struct held { /* a chunk with holes, or a node */
    uint64_t node;
    uint16_t group;
    struct buf bytes; /* without what is in the holes */
    VEC(struct save_hole) holes;
    size_t at, hole; /* so far: bytes, holes */
    bool begun;
};

struct eng_cut {
    struct eng *e;
    struct eng_cut_to to;
    struct save *pieces;
    struct save_types types;
    VEC(struct held) held;
    size_t at; /* the one that is being written */
};

static void on_chunk(void *arg, const struct save_chunk *c)
{
    const struct eng_cut *cut = arg;
    cut->to.chunk(cut->to.arg, c);
}

static void on_held(void *arg, const struct save_chunk *c, const struct save_hole *holes, size_t n)
{
    struct eng_cut *cut = arg;
    struct held *h = VEC_PUSH(&cut->held);
    *h = (struct held){.node = c->node, .group = c->group};
    buf_init(&h->bytes, SAVE_CHUNK_MAX);
    buf_add_slice(&h->bytes, c->bytes);
    for (size_t i = 0; i < n; i++) {
        *VEC_PUSH(&h->holes) = holes[i];
    }
}

struct eng_cut *eng_cut_new(struct eng *e, const struct eng_cut_to *to, size_t least)
{
    struct eng_cut *c = MEM_NEW(struct eng_cut);
    assert(e->cut == NULL);
    e->cut = c;
    c->e = e;
    c->to = *to;
    c->types = state_types(e);
    c->pieces = save_pieces_new(&c->types, &e->serial);
    struct save *s = save_new(&c->types, &e->serial, on_chunk, c);
    save_in_slices(s, least, e->heap, on_held);
    state_save_all(e, s);
    save_free(s);
    return c;
}

/* Bytes up to the next hole, or to the end. */
static void put_bytes(const struct eng_cut *c, struct held *h, size_t bytes)
{
    size_t end = h->hole < h->holes.len ? h->holes.ptr[h->hole].at : h->bytes.len;
    size_t n = MIN(bytes, end - h->at);
    save_piece_bytes(c->pieces, slice_of(h->bytes.ptr + h->at, n));
    h->at += n;
}

static void put_event(const struct eng_cut *c, struct held *h)
{
    struct evt *e = h->holes.ptr[h->hole++].e;
    save_piece_evt(c->pieces, e);
    evt_drop(c->e->heap, e);
}

static size_t give_pieces(const struct eng_cut *c)
{
    size_t n = save_pieces_len(c->pieces);
    if (n > 0) {
        c->to.bytes(c->to.arg, save_pieces_take(c->pieces));
    }
    return n;
}

/* What is in the hole: what was written of it before it was its turn comes first. */
static size_t give_hole(const struct eng_cut *c, struct held *h, size_t bytes)
{
    struct save_late *x = h->holes.ptr[h->hole].late;
    struct slice got = save_late_take(x, bytes);
    if (got.len == 0 && save_late_step(x, bytes)) {
        got = save_late_take(x, bytes);
        h->hole += got.len == 0;
    } else if (got.len == 0) {
        got = save_late_take(x, bytes);
    }
    if (got.len > 0) {
        c->to.bytes(c->to.arg, got);
    }
    return got.len;
}

/* Of a chunk with holes. True: it is written. */
static bool step_chunk(const struct eng_cut *c, struct held *h, size_t bytes, size_t *n)
{
    if (!h->begun) {
        c->to.begin(c->to.arg, h->node, h->group);
        h->begun = true;
    }
    bool ended = false;
    while (!ended && *n + save_pieces_len(c->pieces) < bytes) {
        bool hole = h->hole < h->holes.len && h->holes.ptr[h->hole].at == h->at;
        if (hole && h->holes.ptr[h->hole].e != NULL) {
            put_event(c, h);
        } else if (hole) {
            *n += give_pieces(c);
            *n += give_hole(c, h, bytes > *n ? bytes - *n : 1);
        } else {
            put_bytes(c, h, bytes - *n);
        }
        ended = h->hole == h->holes.len && h->at == h->bytes.len;
    }
    *n += give_pieces(c);
    if (ended) {
        c->to.end(c->to.arg);
    }
    return ended;
}

static void give_piece(const struct eng_cut *c, const struct save_piece *p)
{
    if (p->begins && p->ends) {
        c->to.chunk(c->to.arg, &p->of);
        return;
    }
    if (p->begins) {
        c->to.begin(c->to.arg, p->of.node, p->of.group);
    }
    c->to.bytes(c->to.arg, p->of.bytes);
    if (p->ends) {
        c->to.end(c->to.arg);
    }
}

/* Chunks that are no larger than others are at once are not given in pieces. */
static bool step_node(const struct eng_cut *c, const struct held *h, size_t bytes, size_t *n)
{
    enum { WHOLE = 256 << 10 };
    struct save_late *x = h->holes.ptr[0].late;
    struct save_piece p;
    if (!save_late_step(x, bytes)) {
        *n = bytes;
        return false;
    }
    for (; *n < bytes; *n += p.of.bytes.len) {
        if (!save_late_piece(x, MAX(bytes, (size_t)WHOLE), &p)) {
            return true;
        }
        give_piece(c, &p);
    }
    return false;
}

static void held_done(const struct eng_cut *c, struct held *h)
{
    VEC_EACH (&h->holes, x) {
        save_late_free(x->late);
    }
    for (; h->hole < h->holes.len; h->hole++) {
        if (h->holes.ptr[h->hole].e != NULL) {
            evt_drop(c->e->heap, h->holes.ptr[h->hole].e);
        }
    }
    VEC_DONE(&h->holes);
    buf_done(&h->bytes);
}

bool eng_cut_step(struct eng_cut *c, size_t bytes)
{
    size_t n = 0;
    while (c->at < c->held.len && n < bytes) {
        struct held *h = &c->held.ptr[c->at];
        const struct save_late *x = h->holes.len > 0 ? h->holes.ptr[0].late : NULL;
        bool node = x != NULL && save_late_is_node(x);
        if (node ? step_node(c, h, bytes, &n) : step_chunk(c, h, bytes, &n)) {
            held_done(c, h);
            c->at++;
        }
    }
    return c->at == c->held.len;
}

/* Its events: into the bytes, from where it is. */
static void settle(const struct eng_cut *c, struct held *h)
{
    VEC(struct save_hole) lates = {NULL, 0, 0};
    size_t upto = h->at;
    struct buf was = h->bytes;
    assert(save_pieces_len(c->pieces) == 0);
    buf_init(&h->bytes, SAVE_CHUNK_MAX);
    for (size_t i = h->hole; i < h->holes.len; i++) {
        struct save_hole *x = &h->holes.ptr[i];
        buf_add(&h->bytes, was.ptr + upto, x->at - upto);
        upto = x->at;
        if (x->e != NULL) {
            save_piece_evt(c->pieces, x->e);
            buf_add_slice(&h->bytes, save_pieces_take(c->pieces));
            evt_drop(c->e->heap, x->e);
        } else {
            save_late_settle(x->late);
            *VEC_PUSH(&lates) = (struct save_hole){.at = h->bytes.len, .late = x->late};
        }
    }
    buf_add(&h->bytes, was.ptr + upto, was.len - upto);
    for (size_t i = 0; i < h->hole; i++) {
        save_late_free(h->holes.ptr[i].late);
    }
    buf_done(&was);
    VEC_DONE(&h->holes);
    h->holes.ptr = lates.ptr;
    h->holes.len = lates.len;
    h->holes.cap = lates.cap;
    h->at = h->hole = 0;
}

void state_settle_cut(struct eng *e)
{
    for (size_t i = e->cut != NULL ? e->cut->at : 0; e->cut != NULL && i < e->cut->held.len; i++) {
        settle(e->cut, &e->cut->held.ptr[i]);
    }
}

void eng_cut_free(struct eng_cut *c)
{
    if (c == NULL) {
        return;
    }
    for (; c->at < c->held.len; c->at++) {
        held_done(c, &c->held.ptr[c->at]);
    }
    VEC_DONE(&c->held);
    save_free(c->pieces);
    c->e->cut = NULL;
    mem_free(c);
}
