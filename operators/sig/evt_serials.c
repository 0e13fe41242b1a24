/* SPDX-License-Identifier: Apache-2.0
 *
 * See evt_serials.h.
 */
#include "operators/sig/evt_serials.h"

#include "core/base/mem.h"

enum { FIRST = 16, FIRST_SHIFT = 60, SLAB_FIRST = 4, SLAB_MAX = 4096 };

static void grow(struct evt_serials *s)
{
    struct evt_serials was = *s;
    s->size = was.size > 0 ? 2 * was.size : FIRST;
    s->shift = was.size > 0 ? was.shift - 1 : FIRST_SHIFT;
    s->at = mem_calloc(s->size, sizeof *s->at);
    for (size_t i = 0; i < was.size; i++) {
        if (was.at[i].page != NULL) {
            *evt_serials_find(s, was.at[i].number) = was.at[i];
        }
    }
    mem_free(was.at);
}

struct evt **evt_serials_add(struct evt_serials *s, uint64_t number)
{
    if (2 * (s->n_pages + 1) > s->size) {
        grow(s);
    }
    if (s->left == 0) {
        s->slab = MIN(MAX(2 * s->slab, (size_t)SLAB_FIRST), (size_t)SLAB_MAX);
        s->left = s->slab;
        *VEC_PUSH(&s->slabs) = mem_calloc(s->slab * EVT_SERIALS_PAGE, sizeof(struct evt *));
    }
    struct evt **page = *VEC_LAST(&s->slabs) + (s->slab - s->left) * EVT_SERIALS_PAGE;
    s->left--;
    s->n_pages++;
    *evt_serials_find(s, number) = (struct evt_serials_place){number, page};
    return page;
}

void evt_serials_done(struct evt_serials *s)
{
    VEC_EACH (&s->slabs, p) {
        mem_free(*p);
    }
    VEC_DONE(&s->slabs);
    mem_free(s->at);
    *s = (struct evt_serials){0};
}
