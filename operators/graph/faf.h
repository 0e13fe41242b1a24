/* SPDX-License-Identifier: Apache-2.0
 *
 * On-demand ("fire and forget") queries: select, insert, update and delete over what named windows
 * and tables hold now. eng_query is in eng.h.
 */
#ifndef OPERATORS_GRAPH_FAF_H
#define OPERATORS_GRAPH_FAF_H

#include "operators/graph/stmt.h"

void faf_done(struct eng *e); /* forgets the last query's rows */

#endif
