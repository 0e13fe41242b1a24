/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a statement may look at an event as a whole, or only at columns that it names. By its
 * words, so it may be said too often, never too seldom: a star, an alias that stands alone, a type
 * that is mentioned anywhere but as a stream of the statement.
 */
#ifndef OPERATORS_EPL_WHOLE_H
#define OPERATORS_EPL_WHOLE_H

#include "operators/epl/ast.h"
#include "operators/epl/lex.h"

/* words: of the statement's own text. types: names of the event's type and of what it inherits.
 * reads: it is known to read such events; else it does if it mentions one of the types. */
bool epl_whole(const struct ast_stmt *s, const struct lex_out *words, const struct slice *types,
               uint32_t n, bool reads);

#endif
