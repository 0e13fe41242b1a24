/* SPDX-License-Identifier: Apache-2.0
 *
 * What a kind of statement does: set by its binder (stmt->ops).
 */
#ifndef OPERATORS_GRAPH_STMT_OPS_H
#define OPERATORS_GRAPH_STMT_OPS_H

#include "operators/sig/load.h"

struct inst;
struct mr;
struct pat;
struct stmt;

struct stmt_source { /* of an instance; NULL: it is none of these */
    struct pat *pat;
    struct mr *mr;
};

struct stmt_ops {                                              /* per kind of statement */
    struct inst *(*start)(struct stmt *st, struct evt *props); /* a partition begins */
    void (*flush)(struct inst *in);                            /* after all callbacks of an event */
    void (*end)(struct inst *in);                 /* its context ends: last output; may be NULL */
    void (*stop)(struct inst *in);                /* and freed */
    void (*look)(struct inst *in, bool at_clock); /* variables have changed; may be NULL */
    /* State (state.h); each may be NULL. Loaded into what was started with eng.loading set. */
    void (*save)(struct inst *in, struct save *s);
    void (*load)(struct inst *in, struct load *l);
    /* What is kept by key. by_key: each under its key's group, loaded from chunks that have nothing
     * else. Else all of it stands within the partition's state. */
    void (*save_keyed)(struct inst *in, struct save *s, bool by_key);
    void (*load_keyed)(struct inst *in, struct load *l, bool by_key);
    void (*loaded)(struct inst *in, struct load *l); /* there is no more to come */
    /* The n-th source; false: there are no more. What it holds in parts lies in a node of its own,
     * outside of contexts (state_apart.c). */
    bool (*source)(struct inst *in, uint32_t n, struct stmt_source *ret);
    bool by_part; /* each partition may be saved by itself, later (state_parts.h) */
};

#endif
