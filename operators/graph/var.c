/* SPDX-License-Identifier: Apache-2.0
 *
 * See var.h. A variable of a context has one value per partition: instances of the statement that
 * created it.
 */
#include "operators/graph/var.h"

#include "core/base/mem.h"
#include "operators/graph/sel.h"

struct var_inst {
    struct inst in;
    struct dat value;
};

static struct dat *place(struct var *v, const struct evt *props)
{
    if (v->st->context != NULL) {
        struct inst *in = inst_of(v->st, props);
        return in != NULL ? &((struct var_inst *)(void *)in)->value : NULL;
    }
    return &v->value;
}

struct dat var_value(struct ectx *c, const struct ex *e)
{
    const struct dat *v = place(e->var, c->inst != NULL ? c->inst->props : NULL);
    return v != NULL ? *v : DAT_NONE;
}

void var_set(struct var *v, struct inst *in, struct dat value)
{
    struct dat *to = place(v, in->props);
    if (to == NULL) {
        return;
    }
    struct dat was = *to;
    *to = dat_keep(dat_to_column(v->eng->heap, value, v->ty));
    dat_drop(v->eng->heap, was);
    *VEC_PUSH(&v->eng->vars_changed) = v;
}

static int set_one(struct bind *b, const struct ast_named *s, struct var **ret_var,
                   struct ex **ret_ex, struct err *reterr)
{
    const struct ast_expr *t = s->target;
    bool plain = t != NULL && t->kind == AST_CHAIN && t->n_segs == 1 && t->n_args == 0;
    struct cat_entry *c = plain ? cat_var(b->cat, t->segs[0].name) : NULL;
    if (c == NULL) {
        return bind_err(reterr, s->span, "there is no such variable to set");
    }
    if (c->constant) {
        return bind_err(reterr, s->span, "variable '" SLICE_FMT "' is constant",
                        SLICE_ARG(c->name));
    }
    struct ex *x = NULL;
    int rc = bind_expr(b, s->e, &x, reterr);
    if (rc == 0) {
        rc = bind_convert(b, x, c->ty, "set", ret_ex, reterr);
    }
    *ret_var = c->what;
    *VEC_PUSH(&b->used) = c;
    return rc;
}

int set_bind(struct bind *b, const struct ast_named *sets, uint32_t n, struct set_plan **ret,
             struct err *reterr)
{
    struct set_plan *p = ARENA_NEW(b->a, struct set_plan);
    p->n = n;
    p->vars = arena_array(b->a, n + 1, sizeof(struct var *));
    p->values = arena_array(b->a, n + 1, sizeof(struct ex *));
    for (uint32_t i = 0; i < n; i++) {
        int rc = set_one(b, &sets[i], &p->vars[i], &p->values[i], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    *ret = p;
    return 0;
}

void set_run(const struct set_plan *s, struct ectx *c)
{
    for (uint32_t i = 0; i < s->n; i++) {
        var_set(s->vars[i], c->inst, ex_eval(s->values[i], c));
    }
}

/* ---- create variable ---- */

static struct inst *start(struct stmt *st, struct evt *props)
{
    struct var *v = st->plan;
    struct var_inst *vi = MEM_NEW(struct var_inst);
    inst_init(&vi->in, st, props);
    struct ectx c = inst_ctx(&vi->in, NULL);
    bool fresh = v->init != NULL && !st->eng->loading;
    struct dat x = fresh ? ex_eval(v->init, &c) : DAT_NONE;
    *place(v, vi->in.props) = dat_keep(dat_to_column(st->eng->heap, x, v->ty));
    return &vi->in;
}

static void stop(struct inst *in)
{
    struct var *v = in->st->plan;
    struct dat *x = place(v, in->props);
    dat_drop(in->eng->heap, *x);
    *x = DAT_NONE;
    inst_done(in);
    mem_free(in);
}

static void save(struct inst *in, struct save *s)
{
    save_val(s, *place(in->st->plan, in->props));
}

static void load(struct inst *in, struct load *l)
{
    struct var *v = in->st->plan;
    *place(v, in->props) = dat_keep(load_val_of(l, v->ty));
}

static const struct stmt_ops ops = {.start = start, .stop = stop, .save = save, .load = load};

/* A whole number's literal starts a byte or a short, too; other ints do not. */
static void narrow(struct ex *x, struct ty to, struct vheap *heap)
{
    bool is_byte = to.kind == TY_BYTE && x->k.i == (int8_t)x->k.i;
    bool is_short = to.kind == TY_SHORT && x->k.i == (int16_t)x->k.i;
    if (x->op == EX_CONST && x->k.kind == DAT_INT && (is_byte || is_short)) {
        x->k = dat_as(heap, x->k, is_byte ? DAT_BYTE : DAT_SHORT);
        x->ty = to;
    }
}

int stmt_create_variable(struct stmt *st, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    struct var *v = ARENA_NEW(st->dep->arena, struct var);
    *v = (struct var){.eng = st->eng, .name = a->name, .constant = a->constant, .st = st};
    int rc = cat_column_type(&st->eng->cat, &a->type, &v->ty, reterr);
    if (rc != 0) {
        return rc;
    }
    struct bind b = stmt_bind(st);
    struct scope s = {.no_aggs = "in a variable's value"};
    b.scope = &s;
    if (a->init != NULL) {
        struct ex *x = NULL;
        rc = bind_expr(&b, a->init, &x, reterr);
        if (rc == 0) {
            narrow(x, v->ty, st->eng->heap);
        }
        rc = rc == 0 ? bind_convert(&b, x, v->ty, "the variable's value", &v->init, reterr) : rc;
    }
    (void)stmt_used(st, &b);
    struct cat_entry *e = rc == 0 ? eng_add(st, CAT_VAR, a->name, reterr) : NULL;
    if (e == NULL) {
        return rc != 0 ? rc : -(int)reterr->code;
    }
    e->what = v;
    e->ty = v->ty;
    e->constant = v->constant;
    st->ops = &ops;
    st->plan = v;
    return 0;
}
