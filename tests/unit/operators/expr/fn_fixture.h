/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions on one event, from text to the value's text. The event types are those of the tables
 * of facts (facts_*.def), which were found by asking an independent engine.
 */
#ifndef TESTS_UNIT_OPERATORS_EXPR_FN_FIXTURE_H
#define TESTS_UNIT_OPERATORS_EXPR_FN_FIXTURE_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "operators/expr/ectx.h"
#include "operators/plan/bind.h"

struct fn_fixture {
    struct arena *a;
    struct vheap *h;
    struct catalog cat;
    const struct etype *sub, *item, *misc, *bag, *job;
};

void fn_fixture_init(struct fn_fixture *f);
void fn_fixture_done(struct fn_fixture *f);
/* Events 0, 1 and 2 of a type: misc or bag. */
struct evt *fn_fixture_event(struct fn_fixture *f, const struct etype *t, int which);
/* The value as JSON does it, "ERR" if it does not bind, "FAIL" if the row fails. */
const char *fn_fixture_run(struct fn_fixture *f, const struct etype *t, int which, const char *text,
                           struct buf *out);
/* On two events with timestamps, j and m; DAT_CAUSES if it does not bind. */
struct dat fn_fixture_pair(struct fn_fixture *f, const char *text, int64_t js, int64_t je,
                           int64_t ms, int64_t me);

#endif
