/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding the output clause: the period or condition, its assignments, and what `after` waits for.
 */
#include "operators/graph/sel_out.h"

#include "operators/expr/cron.h"
#include "operators/graph/keys_user.h"
#include "operators/graph/var.h"

static const char *const pseudo_names[] = {"count_insert", "count_remove", "count_insert_total",
                                           "count_remove_total", "last_output_timestamp"};

static int bind_condition(struct bind *b, const struct ast_output *o, struct out_plan *out,
                          struct err *reterr)
{
    struct ecol cols[OUT_PSEUDO];
    for (int i = 0; i < OUT_PSEUDO; i++) {
        cols[i] = (struct ecol){.name = slice_str(pseudo_names[i]),
                                .ty = i == OUT_LAST_TIME ? TY(LONG) : TY(INT)};
    }
    struct scope s = {
        .pseudo = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, cols, OUT_PSEUDO, NULL, 0),
        .context = b->scope->context,
        .no_aggs = "in an output clause"};
    struct scope *save = b->scope;
    b->scope = &s;
    int rc = 0;
    if (o->cond != NULL) {
        rc = bind_cond(b, o->cond, "output when", &out->cond, reterr);
    }
    if (rc == 0 && o->term_cond != NULL) {
        rc = bind_cond(b, o->term_cond, "when terminated", &out->term_cond, reterr);
    }
    if (rc == 0 && o->n_sets > 0) {
        rc = set_bind(b, o->sets, o->n_sets, &out->sets, reterr);
    }
    if (rc == 0 && o->n_term_sets > 0) {
        rc = set_bind(b, o->term_sets, o->n_term_sets, &out->term_sets, reterr);
    }
    b->scope = save;
    return rc;
}

/* A period of numbers none of which is above zero. */
static bool never_ends(const struct ex *e)
{
    for (uint32_t i = 0; i < e->n_args; i++) {
        bool none = e->args[i]->op == EX_NEG ||
                    (e->args[i]->op == EX_CONST && dat_to_double(e->args[i]->k) <= 0);
        if (!none) {
            return false;
        }
    }
    return true;
}

int out_bind(struct bind *b, const struct ast_output *o, struct sel_plan *p, struct err *reterr)
{
    struct out_plan *out = &p->output;
    if (o == NULL) {
        return 0;
    }
    bool panes = stmt_has_annot(p->st->ast, "panes");
    bool grid = stmt_has_annot(p->st->ast, "grid") || keys_user(p->st->ast).len > 0;
    *out = (struct out_plan){.kind = o->kind,
                             .when = o->when,
                             .after_events = o->after_events,
                             .aligned = grid || panes,
                             .panes = panes,
                             .terminated = (o->and_terminated || o->when == OUT_TERMINATED) &&
                                           p->st->context != NULL};
    int rc = 0;
    if (o->when == OUT_EVERY_TIME) {
        rc = bind_period(b, o->every, &out->every, reterr);
        if (rc == 0 && never_ends(out->every)) {
            rc = bind_err(reterr, o->span, "output every wants a period that is longer than none");
        }
    } else if (o->when == OUT_EVERY_EVENTS) {
        rc = bind_expr(b, o->every, &out->every, reterr);
        if (rc == 0 && !ty_is_number(out->every->ty)) {
            rc = bind_err(reterr, o->span, "output every wants a number of events");
        }
        if (rc == 0 && out->every->op == EX_CONST && dat_to_long(out->every->k) <= 0) {
            rc = bind_err(reterr, o->span, "output every wants a positive number of events");
        }
    } else if (o->when == OUT_AT) {
        out->cron = ARENA_NEW(b->a, struct ex_cron);
        rc = ex_cron_bind(b, o->at, o->n_at, o->span, out->cron, reterr);
    }
    if (rc == 0 && o->after != NULL) {
        rc = o->after_events ? bind_expr(b, o->after, &out->after, reterr)
                             : bind_period(b, o->after, &out->after, reterr);
    }
    return rc == 0 ? bind_condition(b, o, out, reterr) : rc;
}
