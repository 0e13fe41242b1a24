/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the graph: how statements write and read what they hold (eng_state.h).
 *
 * Kinds of statements do it by stmt_ops: save and load stand beside each other and name the same
 * fields in the same order. What is being loaded was started with eng.loading set: views, leaves
 * and patterns are there, nothing was put into them, nothing is set off. Loading may fail at any
 * place (load_fail): what it leaves must be fit for being stopped, no more.
 */
#ifndef OPERATORS_GRAPH_STATE_H
#define OPERATORS_GRAPH_STATE_H

#include "operators/graph/stmt.h"
#include "operators/sig/load.h"

/* ---- state.c: pieces ---- */
void state_save_leaf(struct save *s, const struct route_leaf *leaf); /* NULL is fine */
void state_load_leaf(struct load *l, struct route *r, struct route_leaf *leaf);
/* A list that keeps its events. */
void state_save_evts(struct save *s, const struct evts *v);
void state_load_evts(struct load *l, const struct etype *type, struct evts *to);
/* A parent's items stand in a chunk of their own, or end with a mark. */
void state_save_item(struct save *s, bool by_key);
bool state_load_item(struct load *l, bool by_key); /* another one follows */
void state_save_last(struct save *s, bool by_key);

void state_save_all(struct eng *e, struct save *s);
/* All that an instance in a partition holds. */
void state_save_inst(struct inst *in, struct save *s);

/* ---- state_apart.c: of a statement outside of contexts, what its n-th source holds in parts ----
 */
uint32_t state_sources(const struct stmt *st);
bool state_has_apart(struct stmt *st, uint32_t n);
void state_save_apart(struct stmt *st, struct save *s, uint32_t n);
void state_load_apart(struct stmt *st, struct load *l, uint32_t n);
void state_loaded_apart(struct stmt *st, struct load *l, uint32_t n); /* there is no more */

/* ---- state_meta.c: the engine itself ---- */
struct state_dirty {
    uint64_t stmt, at;
};
struct state_rest { /* what can be set only when all else is loaded */
    VEC(struct state_dirty) dirty;
    bool vars_pending;
    uint64_t ref, places, seq;
    uint32_t order, stmt;
    struct lim lim;
};
void state_save_meta(struct eng *e, struct save *s);
/* Modules are bound, clock and types are there. */
int state_load_meta(struct eng *e, struct load *l, struct state_rest *ret,
                    struct err *reterr) NODISCARD;
int state_set_rest(struct eng *e, const struct state_rest *r, struct err *reterr) NODISCARD;
struct save_types state_types(struct eng *e);

/* ---- state_cut.c: types are about to lose their numbers; nothing under way: nothing ---- */
void state_settle_cut(struct eng *e);

/* ---- state.c: into an engine with other statements; from: the number that each had, 0: it begins
 * anew. Types are those of the chunks, but of this engine. ---- */
int state_take(struct eng *e, const struct save_types *types, const struct save_chunk *chunks,
               size_t n, const uint32_t *from, struct err *reterr) NODISCARD;

/* ---- state_sel.c, state_ctx.c ---- */
void sel_save(struct inst *in, struct save *s);
void sel_load(struct inst *in, struct load *l);
void sel_save_keyed(struct inst *in, struct save *s, bool by_key);
void sel_load_keyed(struct inst *in, struct load *l, bool by_key);
void sel_loaded(struct inst *in, struct load *l);
struct stmt_source;
bool sel_source(struct inst *in, uint32_t n, struct stmt_source *ret);
void ctx_save(struct inst *root, struct save *s);
void ctx_load(struct inst *root, struct load *l);
void ctx_save_parts(struct inst *root, struct save *s, bool by_key);
struct ctx_part;
void ctx_save_part(const struct ctx_part *p, struct save *s); /* and all below */
void ctx_load_parts(struct inst *root, struct load *l, bool by_key);
void ctx_loaded(struct inst *root, struct load *l);
/* The partitions of a statement's context, in order of opening; and the key group of one. */
size_t ctx_partitions(const struct stmt *st, struct ctx_part ***ret); /* to be freed: mem_free */
int32_t ctx_part_number(const struct ctx_part *p);
struct inst *ctx_part_inst(const struct ctx_part *p, const struct stmt *st);
bool ctx_runs(const struct stmt *st); /* the context of a statement has been loaded */
struct inst *ctx_part_start(struct ctx_part *p, struct stmt *st);
uint16_t ctx_part_group(const struct ctx_part *p);

#endif
