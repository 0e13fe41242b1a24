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
    bool found = st->ops->source(st->insts.ptr[0], n, &of);
    return found && (of.pat != NULL ? pat_is_apart(of.pat) : of.mr != NULL && mr_is_apart(of.mr));
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
    (void)st->ops->source(st->insts.ptr[0], n, &of);
    if (of.pat != NULL) {
        pat_save_pages(of.pat, s);
    } else {
        mr_save_parts(of.mr, s);
    }
}

void state_load_apart(struct stmt *st, struct load *l, uint32_t n)
{
    struct stmt_source of = {NULL, NULL};
    (void)st->ops->source(st->insts.ptr[0], n, &of);
    if (of.pat == NULL && of.mr == NULL) {
        load_fail(l, "this source keeps nothing in parts");
    }
    while (load_more(l)) {
        if (of.pat != NULL) {
            pat_load_page(of.pat, l);
        } else {
            mr_load_part(of.mr, l);
        }
    }
}

void state_loaded_apart(struct stmt *st, struct load *l, uint32_t n)
{
    struct stmt_source of = {NULL, NULL};
    (void)st->ops->source(st->insts.ptr[0], n, &of);
    if (of.pat != NULL) {
        pat_loaded(of.pat, l);
    } else if (of.mr != NULL) {
        mr_loaded(of.mr, l);
    }
}
