/* SPDX-License-Identifier: Apache-2.0
 *
 * How far back statements remember: so long after input was lost, what they hold may lack it. Read
 * off the text: windows of time turn over; all else (numbers of events, groups without a window,
 * patterns, tables) may hold it for ever. What a statement reads of others in the same engine
 * lacks it, too, and adds to that.
 */
#ifndef OPERATORS_GRAPH_ENG_BACK_H
#define OPERATORS_GRAPH_ENG_BACK_H

#include "operators/graph/eng.h"

#define ENG_BACK_EVER INT64_MAX

struct eng_back {              /* texts are the engine's */
    struct slice module, name; /* name: empty for a statement without */
    uint32_t number;           /* in its module, from 1 */
    int64_t ms;                /* or ENG_BACK_EVER */
};

/* Statements that hold something, in order of deployment: how many, at most max are put down. */
size_t eng_backs(const struct eng *e, struct eng_back *ret, size_t max);

#endif
