/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving an engine in slices (eng_state.h). All that is small is written at the cut. What is large
 * waits: a chunk with holes in it, each to be filled by a part that is written later
 * (sig/save_late.h), or a whole node, whose chunks come when all of it is written.
 */
#include "operators/graph/state.h"

#include "core/base/mem.h"
#include "operators/graph/eng_impl.h"
#include "operators/graph/eng_state.h"
#include "operators/sig/save_late.h"

struct held { /* a chunk with holes, or a node */
    uint64_t node;
    uint16_t group;
    struct buf bytes; /* without what is in the holes */
    VEC(struct save_hole) holes;
    size_t at, hole; /* so far: bytes, holes */
    bool begun;
};

struct eng_cut {
    struct eng_cut_to to;
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
    c->to = *to;
    c->types = state_types(e);
    struct save *s = save_new(&c->types, &e->serial, on_chunk, c);
    save_in_slices(s, least, on_held);
    state_save_all(e, s);
    save_free(s);
    return c;
}

/* Bytes up to the next hole, or to the end. */
static size_t give_bytes(const struct eng_cut *c, struct held *h, size_t bytes)
{
    size_t end = h->hole < h->holes.len ? h->holes.ptr[h->hole].at : h->bytes.len;
    size_t n = MIN(bytes, end - h->at);
    if (n > 0) {
        c->to.bytes(c->to.arg, slice_of(h->bytes.ptr + h->at, n));
        h->at += n;
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
    while (!ended && *n < bytes) {
        bool hole = h->hole < h->holes.len && h->holes.ptr[h->hole].at == h->at;
        *n += hole ? give_hole(c, h, bytes - *n) : give_bytes(c, h, bytes - *n);
        ended = h->hole == h->holes.len && h->at == h->bytes.len;
    }
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

static void held_done(struct held *h)
{
    VEC_EACH (&h->holes, x) {
        save_late_free(x->late);
    }
    VEC_DONE(&h->holes);
    buf_done(&h->bytes);
}

bool eng_cut_step(struct eng_cut *c, size_t bytes)
{
    size_t n = 0;
    while (c->at < c->held.len && n < bytes) {
        struct held *h = &c->held.ptr[c->at];
        bool node = save_late_is_node(h->holes.ptr[0].late);
        if (node ? step_node(c, h, bytes, &n) : step_chunk(c, h, bytes, &n)) {
            held_done(h);
            c->at++;
        }
    }
    return c->at == c->held.len;
}

void eng_cut_free(struct eng_cut *c)
{
    if (c == NULL) {
        return;
    }
    for (; c->at < c->held.len; c->at++) {
        held_done(&c->held.ptr[c->at]);
    }
    VEC_DONE(&c->held);
    mem_free(c);
}
