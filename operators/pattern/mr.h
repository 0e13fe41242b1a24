/* SPDX-License-Identifier: Apache-2.0
 *
 * match_recognize: rows of a stream against a regular expression of variables.
 */
#ifndef OPERATORS_PATTERN_MR_H
#define OPERATORS_PATTERN_MR_H

#include "operators/pattern/pattern.h"

struct mr;
struct mr_plan;

typedef void mr_sink(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);

int mr_bind(struct bind *b, const struct ast_matchrec *m, const struct etype *in,
            struct slice alias, struct mr_plan **ret, struct err *reterr) NODISCARD;
const struct etype *mr_type(const struct mr_plan *p); /* columns: the measures */
struct mr *mr_new(const struct mr_plan *p, struct pat_env *env, mr_sink *sink, void *arg);
void mr_update(struct mr *m, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);
struct ex *const *mr_partition(const struct mr_plan *p, uint32_t *ret_n); /* over the one stream */
void mr_free(struct mr *m);                                               /* NULL is fine */
/* Partial matches and rows it keeps; loaded into one just made. apart: partitions have a node of
 * their own, if there are any, each under its key's group, in slices if the node may be. */
void mr_save(struct mr *m, struct save *s, bool apart);
bool mr_is_apart(const struct mr *m); /* and there are some */
void mr_save_parts(struct mr *m, struct save *s);
void mr_load(struct mr *m, struct load *l, bool apart);
void mr_load_part(struct mr *m, struct load *l); /* of that node */
void mr_loaded(struct mr *m, struct load *l);    /* all that it has */

#endif
