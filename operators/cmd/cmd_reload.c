/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving and loading a played engine. See cmd_reload.h.
 */
#include "operators/cmd/cmd_reload.h"

#include "core/base/mem.h"
#include "operators/graph/eng_state.h"

#include <assert.h>
#include <stdlib.h>

static void add(void *arg, const struct save_chunk *c)
{
    struct cmd_chunks *to = arg;
    char *bytes = mem_alloc(c->bytes.len + 1);
    memcpy(bytes, c->bytes.ptr, c->bytes.len);
    *VEC_PUSH(&to->v) = (struct save_chunk){c->node, c->group, {bytes, c->bytes.len}, NULL};
}

void cmd_chunks_save(struct cmd_chunks *c, struct eng *e)
{
    assert(c->v.len == 0);
    eng_save(e, add, c);
}

void cmd_chunks_done(struct cmd_chunks *c)
{
    VEC_EACH (&c->v, k) {
        mem_free((char *)(uintptr_t)k->bytes.ptr);
    }
    VEC_DONE(&c->v);
}

const struct save_chunk *cmd_chunks_differ(const struct cmd_chunks *a, const struct cmd_chunks *b)
{
    for (size_t i = 0; i < a->v.len && i < b->v.len; i++) {
        const struct save_chunk *x = &a->v.ptr[i], *y = &b->v.ptr[i];
        if (x->node != y->node || x->group != y->group || !slice_eq(x->bytes, y->bytes)) {
            return x;
        }
    }
    if (a->v.len == b->v.len) {
        return NULL;
    }
    return a->v.len > b->v.len ? &a->v.ptr[b->v.len] : &b->v.ptr[a->v.len];
}

static int must_be_equal(const struct cmd_chunks *a, const struct cmd_chunks *b, const char *what,
                         struct err *reterr)
{
    const struct save_chunk *c = cmd_chunks_differ(a, b);
    if (c == NULL) {
        return 0;
    }
    return err_set(reterr, ERR_MISMATCH, "the state of statement %llu, place %u, group %u %s",
                   (unsigned long long)(c->node >> 8), (unsigned)(c->node & 0xff), c->group, what);
}

/* ---- in slices ---- */

static void begin_bytes(void *arg, uint64_t node, uint16_t group)
{
    struct cmd_slices *s = arg;
    s->chunk = (struct save_chunk){.node = node, .group = group};
    buf_init(&s->bytes, SAVE_CHUNK_MAX);
}

static void add_bytes(void *arg, struct slice bytes)
{
    buf_add_slice(&((struct cmd_slices *)arg)->bytes, bytes);
}

static void end_bytes(void *arg)
{
    struct cmd_slices *s = arg;
    s->chunk.bytes = buf_slice(&s->bytes);
    add(&s->got, &s->chunk);
    buf_done(&s->bytes);
}

static void add_whole(void *arg, const struct save_chunk *c)
{
    add(&((struct cmd_slices *)arg)->got, c);
}

static int by_node(const void *a, const void *b)
{
    const struct save_chunk *x = a, *y = b;
    uint64_t p = x->node > 0 ? x->node : UINT64_MAX, q = y->node > 0 ? y->node : UINT64_MAX;
    return p != q ? (p < q ? -1 : 1) : x->group < y->group ? -1 : x->group > y->group;
}

static int end_slices(struct cmd_slices *s, struct err *reterr)
{
    enum { SLICE_BYTES = 100 };
    while (!eng_cut_step(s->cut, SLICE_BYTES)) {
    }
    qsort(s->got.v.ptr, s->got.v.len, sizeof *s->got.v.ptr, by_node);
    int rc = must_be_equal(&s->want, &s->got, "is another when saved in slices", reterr);
    cmd_slices_done(s);
    return rc;
}

int cmd_slices_check(struct cmd_slices *s, struct eng *e, struct err *reterr)
{
    enum { SOME = 40, LAST = 3 }; /* bytes; moments */
    if (s->cut != NULL && ++s->moments % LAST != 0) {
        (void)eng_cut_step(s->cut, SOME * (size_t)(s->moments % LAST));
        return 0;
    }
    int rc = s->cut != NULL ? end_slices(s, reterr) : 0;
    const struct eng_cut_to to = {add_whole, begin_bytes, add_bytes, end_bytes, s};
    cmd_chunks_save(&s->want, e);
    s->cut = eng_cut_new(e, &to, 1);
    return rc;
}

void cmd_slices_done(struct cmd_slices *s)
{
    eng_cut_free(s->cut);
    cmd_chunks_done(&s->want);
    cmd_chunks_done(&s->got);
    buf_done(&s->bytes);
    *s = (struct cmd_slices){.moments = s->moments};
}

int cmd_reload(struct cmd_play *p, struct cmd_play *twin, struct err *reterr)
{
    struct cmd_chunks was = {0}, now = {0}, other = {0};
    cmd_chunks_save(&was, p->eng);
    int rc = 0;
    if (twin != NULL) {
        cmd_chunks_save(&other, twin->eng);
        rc = must_be_equal(&was, &other, "is not that of an engine that was never loaded", reterr);
    }
    rc = rc == 0 ? cmd_play_load(p, was.v.ptr, was.v.len, reterr) : rc;
    if (rc == 0) {
        cmd_chunks_save(&now, p->eng);
        rc = must_be_equal(&was, &now, "is another after loading", reterr);
    }
    cmd_chunks_done(&was);
    cmd_chunks_done(&now);
    cmd_chunks_done(&other);
    return rc;
}
