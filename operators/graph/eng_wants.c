/* SPDX-License-Identifier: Apache-2.0
 *
 * See eng_wants.h.
 */
#include "operators/graph/eng_wants.h"

#include "operators/graph/eng_impl.h"

size_t eng_wants_version(const struct eng *e)
{
    const struct route_filter *const *f;
    return route_filters(e->route, &f);
}

bool eng_wants(struct eng *e, struct eng_wants *to)
{
    const struct route_filter *const *f;
    size_t n = route_filters(e->route, &f);
    VEC_CLEAR(&to->v);
    for (size_t i = 0; i < n; i++) {
        struct route_want w;
        if (route_want_of(f[i], e->heap, &w)) {
            *VEC_PUSH(&to->v) = w;
        }
    }
    return e->updates.len == 0; /* `update istream` looks at events before they are matched */
}

bool eng_is_still(const struct eng *e)
{
    return !e->busy && !e->vars_pending && e->vars_changed.len == 0;
}
