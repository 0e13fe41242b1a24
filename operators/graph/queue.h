/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of events that are used again and again, and the engine's queues.
 */
#ifndef OPERATORS_GRAPH_QUEUE_H
#define OPERATORS_GRAPH_QUEUE_H

#include "core/base/vec.h"
#include "operators/sig/dat.h"

struct inst;
struct nwin;
struct table;

struct evts { /* a list that is used again and again */
    struct evt **ptr;
    size_t len, cap;
};

void evts_grow(struct evts *v);
static inline void evts_add(struct evts *v, struct evt *e)
{
    if (UNLIKELY(v->len == v->cap)) {
        evts_grow(v);
    }
    v->ptr[v->len++] = e;
}
void evts_done(struct evts *v);
static inline void evts_clear(struct evts *v)
{
    v->len = 0;
}

struct queued {
    struct evt *e;
    struct nwin *win;       /* into that named window */
    struct table *table;    /* into that table */
    const struct etype *as; /* as an event of a variant stream */
    struct inst *from;      /* the partition that made it, for windows of a context */
};

struct queue {
    VEC(struct queued) v;
    size_t at;
};

#endif
