/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns and match_recognize outside of contexts: their parts lie in a node of the source, so
 * that they can be written in slices, each before it changes. See state.h.
 */
#include "operators/graph/state.h"
#include "operators/pattern/mr.h"

bool state_has_apart(struct stmt *st, uint32_t n)
{
    struct stmt_source of = {NULL, NULL};
    return st->ops->source(st->insts.ptr[0], n, &of) && of.mr != NULL && mr_is_apart(of.mr);
}

uint32_t state_sources(const struct stmt *st)
{
    struct stmt_source of;
    uint32_t n = 0;
    while (st->ops->source != NULL && st->ops->source(st->insts.ptr[0], n, &of)) {
        n++;
    }
    return n;
}

void state_save_apart(struct stmt *st, struct save *s, uint32_t n)
{
    struct stmt_source of = {NULL, NULL};
    if (st->ops->source(st->insts.ptr[0], n, &of)) {
        mr_save_parts(of.mr, s);
    }
}

void state_load_apart(struct stmt *st, struct load *l, uint32_t n)
{
    struct stmt_source of = {NULL, NULL};
    (void)st->ops->source(st->insts.ptr[0], n, &of);
    if (of.mr == NULL) {
        load_fail(l, "this source keeps nothing in parts");
        return;
    }
    while (load_more(l)) {
        mr_load_part(of.mr, l);
    }
}

void state_loaded_apart(struct stmt *st, struct load *l, uint32_t n)
{
    struct stmt_source of = {NULL, NULL};
    if (st->ops->source(st->insts.ptr[0], n, &of) && of.mr != NULL) {
        mr_loaded(of.mr, l);
    }
}
