/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving and loading a played engine. See cmd_reload.h.
 */
#include "operators/cmd/cmd_reload.h"

#include "core/base/mem.h"
#include "operators/graph/eng_state.h"

#include <assert.h>

static void add(void *arg, const struct save_chunk *c)
{
    struct cmd_chunks *to = arg;
    char *bytes = mem_alloc(c->bytes.len + 1);
    memcpy(bytes, c->bytes.ptr, c->bytes.len);
    *VEC_PUSH(&to->v) = (struct save_chunk){c->node, c->group, {bytes, c->bytes.len}};
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
