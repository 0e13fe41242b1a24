/* SPDX-License-Identifier: Apache-2.0
 *
 * See eng_back.h.
 */
#include "operators/graph/eng_back.h"

#include "core/base/map.h"
#include "core/base/mem.h"
#include "operators/graph/sel_plan.h"
#include "operators/graph/stmt.h"

enum { ROUNDS = 8, TYPES_MAX = 1 << 20 }; /* so deep may streams be made of each other */

static int64_t sum(int64_t a, int64_t b)
{
    return a == ENG_BACK_EVER || b >= ENG_BACK_EVER - a ? ENG_BACK_EVER : a + b;
}

/* ---- as it stands there ---- */

static double number_of(const struct ast_expr *e)
{
    return e->kind == AST_INT || e->kind == AST_LONG       ? (double)e->i
           : e->kind == AST_DOUBLE || e->kind == AST_FLOAT ? e->d
                                                           : -1;
}

/* A bare number is seconds. EVER: not known before it runs. */
static int64_t period_of(const struct ast_expr *e)
{
    static const double units[] = {366 * 86400e3, 31 * 86400e3, 7 * 86400e3, 86400e3, 3600e3,
                                   60e3,          1e3,          1,           1e-3};
    double ms = e->kind == AST_PERIOD ? 0 : number_of(e) * 1e3;
    for (uint32_t i = 0; e->kind == AST_PERIOD && i < e->n_args && i < ARRAY_LEN(units); i++) {
        double n = e->args[i] != NULL ? number_of(e->args[i]) : 0;
        if (n < 0) {
            return ENG_BACK_EVER;
        }
        ms += n * units[i];
    }
    return ms >= 0 && ms < 1e15 ? (int64_t)ms + 1 : ENG_BACK_EVER;
}

static int64_t view_back(const struct ast_view *v)
{
    static const struct {
        const char *name;
        uint32_t at, times; /* the period among the parameters; batches are kept for the next */
    } rows[] = {{"time", 0, 1},      {"time_batch", 0, 2},      {"firsttime", 0, 1},
                {"ext_timed", 1, 1}, {"ext_timed_batch", 1, 2}, {"time_order", 1, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (slice_eq_nocase(v->name, slice_str(rows[i].name)) && rows[i].at < v->n_args) {
            int64_t ms = period_of(v->args[rows[i].at]);
            return rows[i].times == 1 ? ms : sum(ms, ms);
        }
    }
    return slice_eq_nocase(v->name, SLICE("groupwin")) ? 0 : ENG_BACK_EVER;
}

static int64_t views_back(const struct ast_stream *s)
{
    int64_t ms = s->pattern != NULL ? ENG_BACK_EVER : 0;
    for (uint32_t i = 0; i < s->n_views; i++) {
        ms = MAX(ms, view_back(&s->views[i]));
    }
    return ms;
}

static int64_t output_back(const struct ast_output *o)
{
    return o == NULL                     ? 0
           : o->when == OUT_EVERY_TIME   ? period_of(o->every)
           : o->when == OUT_EVERY_EVENTS ? ENG_BACK_EVER
           : o->when == OUT_WHEN         ? ENG_BACK_EVER
           : o->when == OUT_AT           ? ENG_BACK_EVER
                                         : 0;
}

static bool is_window(const struct eng *e, struct slice type)
{
    const struct cat_entry *c = cat_type(&e->cat, type);
    return c != NULL && c->kind != CAT_TYPE;
}

static int64_t select_back(const struct stmt *st, const struct ast_select *q)
{
    const struct sel_plan *p = st->plan;
    int64_t ms = q->matchrec != NULL || st->subqs.len > 0 ? ENG_BACK_EVER : 0;
    bool held = false; /* by windows, which what is summed up follows */
    for (uint32_t i = 0; i < q->n_from; i++) {
        const struct ast_stream *s = &q->from[i];
        bool window = is_window(st->eng, s->type);
        bool joined = q->n_from > 1 && !s->unidirectional && !window && s->n_views == 0;
        ms = MAX(ms, joined ? ENG_BACK_EVER : views_back(s));
        held |= s->n_views > 0 || window;
    }
    if (p->aggs.calls.len > 0 && !held) {
        return ENG_BACK_EVER;
    }
    return sum(ms, output_back(q->output));
}

static int64_t own_back(const struct stmt *st)
{
    const struct ast_stmt *a = st->ast;
    switch (a->kind) {
    case STMT_SELECT: return select_back(st, a->select);
    case STMT_CREATE_WINDOW: return views_back(&a->window);
    case STMT_CREATE_TABLE:
    case STMT_CREATE_CONTEXT:
    case STMT_ON_SET: return ENG_BACK_EVER;
    default: return 0;
    }
}

/* ---- of others ---- */

static int64_t of_stream(const struct map *made, struct slice type)
{
    const int64_t *ms = map_get(made, type);
    return ms != NULL ? *ms : 0;
}

/* What it reads: streams, and windows as such. */
static int64_t sources_back(const struct map *made, const struct stmt *st)
{
    const struct ast_select *q = st->ast->kind == STMT_SELECT ? st->ast->select : NULL;
    int64_t ms = 0;
    for (uint32_t i = 0; q != NULL && i < q->n_from; i++) {
        ms = MAX(ms, of_stream(made, q->from[i].type));
    }
    VEC_EACH (&st->used, u) {
        ms = MAX(ms, of_stream(made, (*u)->name));
    }
    return ms;
}

static bool put(struct map *made, struct slice type, int64_t *ms)
{
    void **at = ms != NULL && *ms > 0 && type.len > 0 ? map_put(made, type) : NULL;
    bool more = at != NULL && (*at == NULL || *(int64_t *)*at < *ms);
    if (more) {
        *at = ms;
    }
    return more;
}

/* all[i]: what statement i and all that it is made of remember, one after the other. */
static void spread(const struct eng *e, const int64_t *own, int64_t *all)
{
    struct map made;
    bool more = true;
    map_init(&made, TYPES_MAX);
    for (int round = 0; more && round < ROUNDS; round++) {
        more = false;
        for (size_t i = 0; i < e->stmts.len; i++) {
            const struct stmt *st = e->stmts.ptr[i];
            const struct ast_select *q = st->ast->select;
            int64_t ms = sum(own[i], sources_back(&made, st));
            more |= ms > all[i];
            all[i] = MAX(ms, all[i]);
            if (q != NULL && q->insert != NULL) {
                more |= put(&made, q->insert->into, &all[i]);
            }
            VEC_EACH (&st->made, m) {
                more |= put(&made, (*m)->name, &all[i]);
            }
        }
    }
    map_done(&made);
}

size_t eng_backs(const struct eng *e, struct eng_back *ret, size_t max)
{
    size_t n = 0;
    int64_t *own = mem_calloc(e->stmts.len + 1, sizeof *own);
    int64_t *all = mem_calloc(e->stmts.len + 1, sizeof *all);
    for (size_t i = 0; i < e->stmts.len; i++) {
        own[i] = own_back(e->stmts.ptr[i]);
    }
    spread(e, own, all);
    for (size_t i = 0; i < e->stmts.len; i++) {
        const struct stmt *st = e->stmts.ptr[i];
        if (own[i] > 0 && n++ < max) {
            ret[n - 1] = (struct eng_back){.module = st->dep->id,
                                           .name = st->name,
                                           .number = st->order - st->dep->first_order,
                                           .ms = all[i]};
        }
    }
    mem_free(own);
    mem_free(all);
    return n;
}
