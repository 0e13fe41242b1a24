/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine as graph documents are checked with it (operators/doc/doc_engine.h).
 */
#ifndef OPERATORS_GRAPH_ENG_DOC_H
#define OPERATORS_GRAPH_ENG_DOC_H

#include "operators/doc/doc_engine.h"
#include "operators/graph/eng.h"

extern const struct doc_engine eng_doc;

/* The columns of what the only statement of a deployment delivers; NULL: it delivers nothing. */
const struct etype *eng_rows_type(const struct eng *e, struct slice deployment);

#endif
