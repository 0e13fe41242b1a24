/* SPDX-License-Identifier: Apache-2.0
 *
 * An engine with changed modules goes on with the state of the one before: statements that are the
 * same (ident.h) keep what they hold, the others begin anew at the clock of the cut.
 */
#ifndef OPERATORS_GRAPH_ENG_SUCCEED_H
#define OPERATORS_GRAPH_ENG_SUCCEED_H

#include "operators/graph/eng.h"
#include "operators/sig/save.h"

struct eng_module {
    struct slice id, text;
};

struct eng_succeeded { /* statements */
    uint32_t kept, begun, dropped;
};

/* Into an engine that is new; chunks are those of eng_save. The same modules and chunks make the
 * same engine. After a failure it is good for eng_free only. Nothing is delivered, but what
 * statements that begin insert. */
int eng_succeed(struct eng *e, const struct eng_module *modules, size_t n_modules,
                const struct save_chunk *chunks, size_t n, struct eng_succeeded *ret,
                struct err *reterr) NODISCARD;

#endif
