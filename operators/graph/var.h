/* SPDX-License-Identifier: Apache-2.0
 *
 * Variables (global, or one per partition of a context) and the assignments of on-set and output
 * clauses.
 */
#ifndef OPERATORS_GRAPH_VAR_H
#define OPERATORS_GRAPH_VAR_H

#include "operators/graph/stmt.h"

struct var {
    struct eng *eng;
    struct slice name;
    struct ty ty;
    struct ex *init;
    bool constant;
    struct stmt *st; /* that created it; its instances hold the values if it is of a context */
    struct dat value;
};

struct set_plan {
    uint32_t n;
    struct var **vars;
    struct ex **values;
};

struct dat var_value(struct ectx *c, const struct ex *e);
void var_set(struct var *v, struct inst *in, struct dat value);
int set_bind(struct bind *b, const struct ast_named *sets, uint32_t n, struct set_plan **ret,
             struct err *reterr);
void set_run(const struct set_plan *s, struct ectx *c);

#endif
