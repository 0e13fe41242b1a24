/* SPDX-License-Identifier: Apache-2.0
 *
 * See epl.h.
 */
#include "core/base/map.h"
#include "operators/epl/epl.h"

/* Where its name stands; NULL: it has none. */
static struct slice *name_of(const struct ast_stmt *s)
{
    for (uint32_t i = 0; i < s->n_annots; i++) {
        const struct ast_annot *a = &s->annots[i];
        if (slice_eq_nocase(a->name, SLICE("name")) && a->n_values > 0 && a->values[0].e != NULL) {
            return &a->values[0].e->text;
        }
    }
    return NULL;
}

struct slice epl_name(const struct ast_stmt *s)
{
    const struct slice *name = name_of(s);
    return name != NULL ? *name : SLICE_NONE;
}

void epl_tell_apart(struct arena *a, struct ast_module *m)
{
    struct map used; /* how many numbers the name has given away, plus one */
    map_init(&used, (size_t)m->n_stmts + 1);
    for (uint32_t i = 0; i < m->n_stmts; i++) {
        struct slice *name = name_of(m->stmts[i]);
        if (name == NULL || map_slot(&used, *name) == NULL) {
            if (name != NULL) {
                *map_put(&used, *name) = (void *)(uintptr_t)1;
            }
            continue;
        }
        struct slice first = *name;
        while (map_slot(&used, *name) != NULL) {
            void **given = map_slot(&used, first);
            const char *other =
                arena_printf(a, SLICE_FMT "-%u", SLICE_ARG(first), (unsigned)(uintptr_t)*given);
            if (other == NULL) {
                break; /* no room: it keeps the name, which does no harm */
            }
            *name = slice_str(other);
            *given = (void *)((uintptr_t)*given + 1);
        }
        *map_put(&used, *name) = (void *)(uintptr_t)1;
    }
    map_done(&used);
}
