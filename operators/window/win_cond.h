/* SPDX-License-Identifier: Apache-2.0
 *
 * The condition of #expr and #expr_batch: it sees the event (the oldest one of #expr, the newest of
 * #expr_batch), the pseudo columns, and aggregations over what the window holds.
 */
#ifndef OPERATORS_WINDOW_WIN_COND_H
#define OPERATORS_WINDOW_WIN_COND_H

#include "operators/agg/agg.h"
#include "operators/window/win.h"

enum win_pseudo {
    WIN_CURRENT_COUNT,
    WIN_EXPIRED_COUNT,
    WIN_NEWEST_EVENT,
    WIN_OLDEST_EVENT,
    WIN_NEWEST_TIMESTAMP,
    WIN_OLDEST_TIMESTAMP,
    WIN_VIEW_REFERENCE,
    WIN_PSEUDOS
};

struct win_cond_step {
    struct view_step step;
    struct ex *cond;
    struct agg_set aggs;
    struct agg_layout layout;
    bool with_trigger; /* of #expr_batch */
};

struct win_cond_run { /* of an instance */
    const struct win_cond_step *s;
    struct view_env *env;
    struct ectx ctx;
    struct ectx_ops ops;
    void *block; /* NULL without aggregations */
    struct dat pseudo[WIN_PSEUDOS];
};

int win_cond_bind(struct bind *b, const struct ast_view *v, const struct etype *in,
                  struct win_cond_step *s, struct err *reterr);
bool win_cond_asks(const struct win_cond_step *s, const struct var *v);
void win_cond_init(struct win_cond_run *r, const struct view_step *step, struct view_env *env);
void win_cond_done(struct win_cond_run *r);
void win_cond_enter(struct win_cond_run *r, struct evt *e);
void win_cond_leave(struct win_cond_run *r, struct evt *e);
void win_cond_save(const struct win_cond_run *r, struct save *s); /* the aggregations */
void win_cond_load(struct win_cond_run *r, struct load *l);
void win_cond_clear(struct win_cond_run *r); /* aggregations begin anew */
/* Whether it is true for a window of these ends, with `of` as the event. Empty: none. */
bool win_cond_true(struct win_cond_run *r, struct evt *of, size_t count, size_t expired,
                   struct win_slot oldest, struct win_slot newest);

#endif
