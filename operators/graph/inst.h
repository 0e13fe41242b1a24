/* SPDX-License-Identifier: Apache-2.0
 *
 * An instance of a statement: one, or one per partition of its context. What each kind of statement
 * holds beside is its own.
 */
#ifndef OPERATORS_GRAPH_INST_H
#define OPERATORS_GRAPH_INST_H

#include "core/base/vec.h"
#include "operators/expr/ectx.h"

struct ctx_part;
struct subq;

struct inst { /* embedded first in the instance of each kind of statement */
    struct stmt *st;
    struct eng *eng;
    struct evt *props;     /* context properties; NULL */
    struct ectx ctx;       /* a template for evaluating: heap, inst, ops; row is set by users */
    uint32_t hits;         /* of the event under way */
    int consume;           /* highest level among them */
    bool dirty, stopped;   /* flush is wanted; ended */
    bool flushes;          /* its ops->flush has something to do */
    size_t at;             /* in st->insts */
    int32_t partition;     /* its number in the context; -1 without */
    uint32_t turn;         /* while turns are being found */
    uint64_t cut;          /* it is written for that one of its statement, or came after it */
    struct ctx_part *part; /* of its context; NULL without */
    VEC(struct subq *) subqs;
};

#endif
