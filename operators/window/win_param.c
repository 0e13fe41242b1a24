/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_param.h.
 */
#include "operators/window/win_param.h"

#include <assert.h>

int win_usage(const struct view_def *d, struct span span, struct err *reterr)
{
    if (d->parameters[0] == '\0') {
        return bind_err(reterr, span, "#%s has no parameters", d->name);
    }
    return bind_err(reterr, span, "usage: #%s(%s)", d->name, d->parameters);
}

int win_count(const struct view_def *d, const struct ast_view *v, uint32_t min, uint32_t max,
              struct err *reterr)
{
    if (v->n_args < min || v->n_args > max) {
        return win_usage(d, v->span, reterr);
    }
    return 0;
}

struct scope win_scope(const struct bind *b, const struct etype *in, struct bind_stream *stream)
{
    struct scope s = {.no_aggs = "an aggregation cannot be a parameter of a window"};
    if (b->scope != NULL) {
        s.context = b->scope->context;
    }
    if (in != NULL) {
        *stream = (struct bind_stream){.type = in};
        if (b->scope != NULL && b->scope->n_streams > 0) {
            stream->alias = b->scope->streams[0].alias;
            stream->num = b->scope->streams[0].num;
        }
        s.streams = stream;
        s.n_streams = 1;
    }
    return s;
}

static int bind_in(struct bind *b, const struct etype *in, const struct ast_expr *e,
                   struct ex **ret, struct err *reterr)
{
    struct bind_stream stream;
    struct scope s = win_scope(b, in, &stream), *save = b->scope;
    b->scope = &s;
    int rc = bind_expr(b, e, ret, reterr);
    b->scope = save;
    return rc;
}

int win_size(struct bind *b, const struct view_def *d, const struct ast_expr *e, bool must_be_const,
             struct ex **ret, struct err *reterr)
{
    struct ex *x = NULL;
    int rc = bind_in(b, NULL, e, &x, reterr);
    if (rc != 0) {
        return rc;
    }
    if (x->ty.kind < TY_BYTE || x->ty.kind > TY_INT) {
        return bind_err(reterr, e->span, "#%s wants a size, an int; this is a %s", d->name,
                        ty_name(x->ty.kind));
    }
    if (must_be_const && !ex_is_const(x)) {
        return bind_err(reterr, e->span, "the size of #%s is a constant", d->name);
    }
    if (ex_is_const(x) && x->k.i < 1) {
        return bind_err(reterr, e->span, "the size of #%s is at least 1, not %lld", d->name,
                        (long long)x->k.i);
    }
    *ret = x;
    return 0;
}

static double known_ms(const struct ex *e)
{
    const struct bind_unit *u = e->data;
    double ms = 0;
    if (e->op != EX_PERIOD) {
        return 1;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!ex_is_const(e->args[i]) || !dat_is_number(e->args[i]->k)) {
            return 1;
        }
        ms += (u[i].ms + u[i].months) * dat_to_double(e->args[i]->k);
    }
    return ms;
}

int win_period(struct bind *b, const struct view_def *d, const struct ast_expr *e, struct ex **ret,
               struct err *reterr)
{
    struct bind_stream stream;
    struct scope s = win_scope(b, NULL, &stream), *save = b->scope;
    b->scope = &s;
    int rc = bind_period(b, e, ret, reterr);
    b->scope = save;
    if (rc == 0 && known_ms(*ret) < 1) {
        rc = bind_err(reterr, e->span, "the period of #%s is at least a millisecond", d->name);
    }
    return rc;
}

int win_reference(struct bind *b, const struct view_def *d, const struct ast_expr *e, int64_t *ret,
                  struct err *reterr)
{
    struct ex *x = NULL;
    int rc = bind_in(b, NULL, e, &x, reterr);
    if (rc != 0) {
        return rc;
    }
    if (!ex_is_const(x) || !dat_is_integer(x->k)) {
        return bind_err(reterr, e->span, "the reference of #%s is a whole number of milliseconds",
                        d->name);
    }
    *ret = x->k.i;
    return 0;
}

int win_flags(struct bind *b, const struct view_def *d, const struct ast_expr *e, bool *ret_force,
              bool *ret_eager, struct err *reterr)
{
    struct ex *x = NULL;
    int rc = bind_in(b, NULL, e, &x, reterr);
    if (rc != 0) {
        return rc;
    }
    if (!ex_is_const(x) || x->k.kind != DAT_STRING) {
        return win_usage(d, e->span, reterr);
    }
    struct slice rest = vstr_slice(x->k.s), word;
    while (slice_split(&rest, ',', &word)) {
        word = slice_trim(word);
        if (slice_eq_nocase(word, SLICE("FORCE_UPDATE"))) {
            *ret_force = true;
        } else if (slice_eq_nocase(word, SLICE("START_EAGER"))) {
            *ret_eager = true;
        } else if (word.len > 0) {
            return bind_err(reterr, e->span,
                            "'" SLICE_FMT "' is not known: FORCE_UPDATE, START_EAGER",
                            SLICE_ARG(word));
        }
    }
    return 0;
}

int win_value(struct bind *b, const struct view_def *d, const struct ast_expr *e,
              const struct etype *in, struct ex **ret, struct err *reterr)
{
    if (e->kind == AST_DESC || e->kind == AST_NAMED_ARG || e->kind == AST_STAR) {
        return win_usage(d, e->span, reterr);
    }
    int rc = bind_in(b, in, e, ret, reterr);
    if (rc == 0 && ex_is_const(*ret)) {
        rc = bind_err(reterr, e->span, "#%s wants values of the event, this one never changes",
                      d->name);
    }
    return rc;
}

int win_number(struct bind *b, const struct view_def *d, const struct ast_expr *e,
               const struct etype *in, bool integer, struct ex **ret, struct err *reterr)
{
    struct ex *x = NULL;
    int rc = win_value(b, d, e, in, &x, reterr);
    if (rc != 0) {
        return rc;
    }
    if (integer ? !ty_is_integer(x->ty) : !ty_is_number(x->ty)) {
        return bind_err(reterr, e->span, "#%s wants a%s number, this is a %s%s", d->name,
                        integer ? " whole" : "", ty_name(x->ty.kind),
                        x->ty.kind == TY_OBJECT ? "; cast it" : "");
    }
    *ret = x;
    return 0;
}

int win_values(struct bind *b, const struct view_def *d, struct ast_expr *const *e, uint32_t n,
               const struct etype *in, struct ex ***ret, struct err *reterr)
{
    if (n > WIN_KEYS_MAX) {
        return bind_err(reterr, e[WIN_KEYS_MAX]->span, "#%s: more than %d values", d->name,
                        WIN_KEYS_MAX);
    }
    struct ex **all = arena_array(b->a, n + 1, sizeof *all);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        rc = win_value(b, d, e[i], in, &all[i], reterr);
    }
    *ret = all;
    return rc;
}

int win_criteria(struct bind *b, const struct view_def *d, struct ast_expr *const *e, uint32_t n,
                 const struct etype *in, struct ex ***ret, bool **ret_desc, struct err *reterr)
{
    if (n > WIN_KEYS_MAX) {
        return bind_err(reterr, e[WIN_KEYS_MAX]->span, "#%s: more than %d values", d->name,
                        WIN_KEYS_MAX);
    }
    struct ex **all = arena_array(b->a, n + 1, sizeof *all);
    bool *desc = arena_array(b->a, n + 1, sizeof *desc);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        desc[i] = e[i]->kind == AST_DESC;
        rc = win_value(b, d, desc[i] ? e[i]->args[0] : e[i], in, &all[i], reterr);
    }
    *ret = all;
    *ret_desc = desc;
    return rc;
}

int win_cond(struct bind *b, const struct view_def *d, const struct ast_expr *e,
             const struct etype *in, const struct etype *pseudo, struct agg_set *aggs,
             struct ex **ret, struct err *reterr)
{
    struct bind_stream stream;
    struct scope s = win_scope(b, in, &stream), *save = b->scope;
    stream.windowed = true;
    aggs->windowed = true;
    s.pseudo = pseudo;
    s.aggs = aggs;
    b->scope = &s;
    struct ex *x = NULL;
    int rc = bind_expr(b, e, &x, reterr);
    b->scope = save;
    if (rc == 0 && x->ty.kind != TY_BOOL) {
        rc = bind_err(reterr, e->span, "#%s wants a condition, this is a %s", d->name,
                      ty_name(x->ty.kind));
    }
    *ret = x;
    return rc;
}

/* ---- one parameter ---- */

int win_bind_none(struct bind *b, const struct ast_view *v, const struct etype *in,
                  struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)b;
    (void)in;
    (void)ret_out;
    return win_count(step->def, v, 0, 0, reterr);
}

int win_bind_size(struct bind *b, const struct ast_view *v, const struct etype *in,
                  struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)in;
    (void)ret_out;
    int rc = win_count(step->def, v, 1, 1, reterr);
    struct ex **e = &((struct win_one *)(void *)step)->e;
    return rc == 0 ? win_size(b, step->def, v->args[0], false, e, reterr) : rc;
}

int win_bind_period(struct bind *b, const struct ast_view *v, const struct etype *in,
                    struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)in;
    (void)ret_out;
    int rc = win_count(step->def, v, 1, 1, reterr);
    struct ex **e = &((struct win_one *)(void *)step)->e;
    return rc == 0 ? win_period(b, step->def, v->args[0], e, reterr) : rc;
}

int win_bind_keys(struct bind *b, const struct ast_view *v, const struct etype *in,
                  struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)ret_out;
    struct win_keys *s = (struct win_keys *)(void *)step;
    s->n_keys = v->n_args;
    int rc = win_count(step->def, v, 1, WIN_KEYS_MAX, reterr);
    return rc == 0 ? win_values(b, step->def, v->args, v->n_args, in, &s->keys, reterr) : rc;
}

size_t win_size_of(struct view_env *env, const struct ex *size)
{
    struct dat n = ex_eval(size, env->ctx);
    return dat_is_integer(n) && n.i >= 1 ? (size_t)n.i : 1;
}
