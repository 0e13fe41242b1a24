/* SPDX-License-Identifier: Apache-2.0
 *
 * See keys_user.h.
 */
#include "operators/graph/keys_user.h"

#include "operators/graph/keys_build.h"

#include <assert.h>

enum { ARENA_MAX = 16 * 1024 * 1024 };

static const struct ast_annot *annotation(const struct ast_stmt *a)
{
    for (uint32_t i = 0; i < a->n_annots; i++) {
        if (slice_eq_nocase(a->annots[i].name, SLICE("partition"))) {
            return &a->annots[i];
        }
    }
    return NULL;
}

struct slice keys_user(const struct ast_stmt *a)
{
    const struct ast_annot *n = annotation(a);
    const struct ast_expr *v = n != NULL && n->n_values == 1 ? n->values[0].e : NULL;
    return v != NULL && v->kind == AST_STRING ? v->text : SLICE_NONE;
}

/* The next name of a list with commas; false at its end. */
static bool next_name(struct slice *list, struct slice *ret)
{
    if (list->ptr == NULL) {
        return false;
    }
    size_t n = slice_find(*list, ',');
    *ret = slice_trim(slice_sub(*list, 0, MIN(n, list->len)));
    *list = n < list->len ? slice_of(list->ptr + n + 1, list->len - n - 1) : SLICE_NONE;
    return true;
}

static int check_type(const struct etype *t, struct slice list, struct span span, uint32_t *ret_n,
                      struct err *reterr)
{
    struct slice name;
    *ret_n = 0;
    while (next_name(&list, &name)) {
        int col = ety_col(t, name);
        if (name.len == 0 || ++*ret_n > KEYS_COLS_MAX) {
            return bind_err(reterr, span, "@Partition takes 1 to %d properties: 'a, b'",
                            KEYS_COLS_MAX);
        }
        if (col < 0) {
            return bind_err(reterr, span,
                            "@Partition: '" SLICE_FMT "' has no property '" SLICE_FMT "'",
                            SLICE_ARG(t->name), SLICE_ARG(name));
        }
        enum ty_kind k = t->cols[col].ty.kind;
        if (k != TY_BOOL && k != TY_STRING && !(k >= TY_BYTE && k <= TY_DOUBLE)) {
            return bind_err(reterr, span,
                            "@Partition: property '" SLICE_FMT "' is a %s, which is no key",
                            SLICE_ARG(name), ty_name(k));
        }
    }
    return 0;
}

static int check_facts(const struct keys_stmt *s, struct span span, struct err *reterr)
{
    uint32_t n = 0, events = 0;
    VEC_EACH (&s->srcs, x) {
        if (x->place->events) {
            int rc = check_type(x->place->type, s->user, span, &n, reterr);
            if (rc != 0) {
                return rc;
            }
            events++;
        }
    }
    return events > 0 ? 0 : bind_err(reterr, span, "@Partition: the statement reads no events");
}

int keys_user_check(struct stmt *st, struct err *reterr)
{
    const struct ast_annot *n = annotation(st->ast);
    if (n == NULL) {
        return 0;
    }
    if (slice_trim(keys_user(st->ast)).len == 0) {
        return bind_err(reterr, n->span, "@Partition takes a string of properties: 'a, b'");
    }
    struct keys_facts f = {.eng = st->eng, .a = arena_new(NULL, "partition", ARENA_MAX)};
    map_init(&f.by_type, KEYS_PLACES_MAX);
    keys_gather(&f, st);
    int rc = check_facts(f.stmts.ptr[0], n->span, reterr);
    keys_facts_done(&f);
    arena_free(f.a);
    return rc;
}

/* ---- overriding ---- */

static const char *one_user(struct keys_facts *f, struct slice *ret)
{
    *ret = SLICE_NONE;
    VEC_EACH (&f->on, s) {
        if ((*s)->user.len == 0) {
            continue;
        }
        if (ret->len > 0 && !slice_eq(*ret, (*s)->user)) {
            return "its statements name different keys by @Partition";
        }
        *ret = (*s)->user;
    }
    return NULL;
}

static bool choose(struct keys_facts *f, struct keys_answer *a, struct slice list)
{
    struct slice name;
    a->n_cols = 0;
    while (next_name(&list, &name)) {
        for (uint32_t i = 0; i < a->n_inputs; i++) {
            const struct etype *t = a->inputs[i]->type;
            int col = ety_col(t, name);
            a->cols[a->n_cols][i] = col < 0 ? -1 : keys_column(f, a->inputs[i], t, (uint32_t)col);
            if (a->cols[a->n_cols][i] < 0) {
                a->why = slice_str(arena_printf(
                    f->a, "@Partition: '" SLICE_FMT "' has no property '" SLICE_FMT "'",
                    SLICE_ARG(t->name), SLICE_ARG(name)));
                return false;
            }
        }
        a->as_double[a->n_cols++] = false;
    }
    return true;
}

void keys_by_user(struct keys_facts *f, struct keys_answer *a)
{
    struct slice list;
    const char *why = one_user(f, &list);
    if (why == NULL && list.len == 0) {
        return;
    }
    a->choice = KEY_ONE;
    if (why != NULL) {
        a->why = slice_str(why);
        a->n_cols = 0;
    } else if (choose(f, a, list)) {
        a->choice = KEY_USER;
        a->why = keys_not_local(f, a);
    } else {
        a->n_cols = 0;
    }
}
