/* SPDX-License-Identifier: Apache-2.0
 *
 * The expressions of a statement, for tools that show their programs (expr/vm.h).
 */
#ifndef OPERATORS_GRAPH_PROGRAMS_H
#define OPERATORS_GRAPH_PROGRAMS_H

#include "operators/expr/vm.h"
#include "operators/graph/eng.h"

struct eng_program {
    const char *what;  /* "filter of stream", "where", "column" */
    int number;        /* of the stream or group-by expression; -1 */
    struct slice name; /* of the column; empty */
    enum vm_use use;   /* as the statement runs it */
    const struct ex *e;
};

/* Those of the statement at this place in the order of deployment: filters, where, group by,
 * having, columns, order by, and the same of what an `on` statement does. */
void eng_programs(const struct eng *e, size_t statement,
                  void (*on)(void *arg, const struct eng_program *p), void *arg);

#endif
