/* SPDX-License-Identifier: Apache-2.0
 *
 * output [after ..] [all|first|last|snapshot] (every .. | when .. | at (..)) [and when terminated]
 * and assignments, which `output ... then set` shares with updates and on-set.
 */
#include "operators/epl/parse.h"

#include <assert.h>

/* assignment = chain "=" expr | expr */
static bool parse_set(struct parser *p, struct ast_named *set)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *e = parse_unary(p);
    if (e == NULL) {
        return false;
    }
    if (e->kind == AST_CHAIN && parse_take(p, TOK_EQ)) {
        set->target = e;
        if (e->n_segs == 1 && e->n_args == 0 && !e->segs[0].is_call && !e->segs[0].has_index) {
            set->name = e->segs[0].name;
        }
        e = parse_expr(p);
    } else if (e->kind != AST_CHAIN) {
        return parse_expected(p, "'=' behind what is set");
    }
    set->e = e;
    set->span = parse_span_from(p, first);
    return e != NULL;
}

/* sets = assignment { "," assignment } */
bool parse_sets(struct parser *p, struct ast_named **ret, uint32_t *ret_n)
{
    do {
        struct ast_named *set = PARSE_PUSH(p, *ret, *ret_n);
        if (set == NULL || !parse_set(p, set)) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return true;
}

static bool parse_then_set(struct parser *p, struct ast_named **ret, uint32_t *ret_n)
{
    if (!parse_take_kw(p, KW_THEN)) {
        return true;
    }
    return parse_need_kw(p, KW_SET, "behind 'then'") && parse_sets(p, ret, ret_n);
}

static enum ast_out_kind take_kind(struct parser *p)
{
    static const struct {
        uint8_t kw, kind;
    } kinds[] = {
        {KW_ALL, OUT_ALL}, {KW_FIRST, OUT_FIRST}, {KW_LAST, OUT_LAST}, {KW_SNAPSHOT, OUT_SNAPSHOT}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (parse_take_kw(p, (enum kw)kinds[i].kw)) {
            return (enum ast_out_kind)kinds[i].kind;
        }
    }
    return OUT_NONE;
}

/* after = "after" ( period | number "events" ) */
static bool parse_after(struct parser *p, struct ast_output *o)
{
    o->after = parse_period(p);
    o->after_events = o->after != NULL && parse_take_kw(p, KW_EVENTS);
    if (o->after != NULL && o->after->kind != AST_PERIOD && !o->after_events) {
        return parse_expected(p, "a unit of time or 'events'");
    }
    return o->after != NULL;
}

/* every = "every" ( period | ( number | name ) "events" ) */
static bool parse_every(struct parser *p, struct ast_output *o)
{
    o->every = parse_period(p);
    if (o->every == NULL) {
        return false;
    }
    o->when = OUT_EVERY_TIME;
    if (o->every->kind != AST_PERIOD) {
        o->when = OUT_EVERY_EVENTS;
        return parse_need_kw(p, KW_EVENTS, "or a unit of time behind the number");
    }
    return true;
}

/* terminated = "when" "terminated" [ "and" expr ] [ "then" "set" sets ] */
static bool parse_terminated(struct parser *p, struct ast_output *o)
{
    if (parse_take_kw(p, KW_AND) && (o->term_cond = parse_expr(p)) == NULL) {
        return false;
    }
    return parse_then_set(p, &o->term_sets, &o->n_term_sets);
}

/* when = "when" expr [ "then" "set" sets ] */
static bool parse_when(struct parser *p, struct ast_output *o)
{
    if (parse_take_kw(p, KW_TERMINATED)) {
        o->when = OUT_TERMINATED;
        return parse_terminated(p, o);
    }
    o->when = OUT_WHEN;
    o->cond = parse_expr(p);
    return o->cond != NULL && parse_then_set(p, &o->sets, &o->n_sets);
}

/* rate = every | when | "at" cron */
static bool parse_rate(struct parser *p, struct ast_output *o)
{
    if (parse_take_kw(p, KW_EVERY)) {
        return parse_every(p, o);
    }
    if (parse_take_kw(p, KW_WHEN)) {
        return parse_when(p, o);
    }
    if (parse_take_kw(p, KW_AT)) {
        o->when = OUT_AT;
        return parse_cron(p, &o->at, &o->n_at);
    }
    if (o->after == NULL) {
        return parse_expected(p, "'every', 'when' or 'at' in the output clause");
    }
    return true;
}

/* output = "output" [ after ] [ kind ] rate [ "and" terminated ] */
bool parse_output(struct parser *p, struct ast_select *s)
{
    const struct token *first = parse_peek(p, 0);
    if (!parse_take_kw(p, KW_OUTPUT)) {
        return true;
    }
    struct ast_output *o = s->output = PARSE_NEW(p, struct ast_output);
    if (o == NULL || (parse_take_kw(p, KW_AFTER) && !parse_after(p, o))) {
        return false;
    }
    o->kind = take_kind(p);
    if (!parse_rate(p, o)) {
        return false;
    }
    if (parse_take_kw(p, KW_AND)) {
        o->and_terminated = true;
        if (!parse_need_kw(p, KW_WHEN, "terminated behind 'and'") ||
            !parse_need_kw(p, KW_TERMINATED, "behind 'and when'") || !parse_terminated(p, o)) {
            return false;
        }
    }
    assert(o->when != OUT_EVERY_NONE || o->after != NULL);
    o->span = parse_span_from(p, first);
    return true;
}
