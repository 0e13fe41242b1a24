/* SPDX-License-Identifier: Apache-2.0
 *
 * See keys.h: facts of all statements, a key for each unit (keys_units.c).
 */
#include "operators/graph/keys_build.h"

#include "core/event/key.h"
#include "operators/graph/keys_user.h"
#include "operators/graph/var.h"

#include <assert.h>

enum { ARENA_MAX = 256 * 1024 * 1024, KEY_BYTES_MAX = 65536 };

const struct keys_row keys_rows[KEYS_NODE_COUNT] = {
#define KEYS(name, locality, why, doc) [KEYS_##name] = {#name, why, doc, KEYS_##locality},
#include "operators/graph/keys.def"
#undef KEYS
};

const char *keys_choice_name(enum key_choice c)
{
    static const char *const names[] = {
        [KEY_ONE] = "one task",
        [KEY_BY] = "partitioned",
        [KEY_ANY] = "partitioned anyhow",
        [KEY_USER] = "partitioned by @Partition",
    };
    return names[c];
}

/* ---- facts ---- */

void keys_gather(struct keys_facts *f, struct stmt *st)
{
    struct keys_stmt *s = ARENA_NEW(f->a, struct keys_stmt);
    *s = (struct keys_stmt){.st = st, .user = keys_user(st->ast), .unit = (uint32_t)f->stmts.len};
    *VEC_PUSH(&f->stmts) = s;
    struct keys_build b = {.f = f, .s = s};
    keys_enter(&b);
    switch (st->ast->kind) {
    case STMT_SELECT:
        keys_select(&b, st->plan);
        s->selects = true;
        s->whole = keys_why_whole(st);
        break;
    case STMT_CREATE_WINDOW:
    case STMT_CREATE_TABLE: keys_window(&b); break;
    case STMT_CREATE_CONTEXT: keys_context(&b); break;
    case STMT_UPDATE_ISTREAM: keys_update(&b); break;
    case STMT_CREATE_SCHEMA:
    case STMT_CREATE_VARIABLE:
    case STMT_CREATE_EXPRESSION:
    case STMT_CREATE_INDEX: break;
    default: keys_on(&b); break;
    }
    if (b.ends && b.timed) {
        keys_need(&b, KEYS_context_end, "it", false);
    }
}

void keys_facts_done(struct keys_facts *f)
{
    VEC_EACH (&f->stmts, s) {
        VEC_DONE(&(*s)->srcs);
        VEC_DONE(&(*s)->ties);
        VEC_DONE(&(*s)->needs);
        VEC_DONE(&(*s)->flows);
        VEC_DONE(&(*s)->masks);
    }
    VEC_EACH (&f->places, p) {
        VEC_DONE(&(*p)->exprs);
    }
    VEC_DONE(&f->places);
    VEC_DONE(&f->stmts);
    VEC_DONE(&f->on);
    VEC_DONE(&f->near);
    VEC_DONE(&f->joined);
    VEC_DONE(&f->up);
    map_done(&f->by_type);
}

/* ---- answers ---- */

static void fill_stmt(struct keys_facts *f, struct keys_stmt *s, struct key_stmt *to)
{
    struct keys_answer a;
    keys_take_one(f, s);
    keys_solve(f, &a);
    *to = (struct key_stmt){.name = s->st->name,
                            .window = s->st->ast->name,
                            .order = s->st->order,
                            .number = s->st->order - s->st->dep->first_stmt,
                            .deployment = s->st->dep->id,
                            .choice = a.choice,
                            .why = a.why,
                            .may_split = s->whole == NULL && s->selects && a.choice == KEY_ONE,
                            .whole = a.choice == KEY_ONE && s->whole != NULL ? slice_str(s->whole)
                                                                             : SLICE_NONE};
}

static void fill_input(struct keys_facts *f, const struct key_unit *u, const struct keys_place *p,
                       const int *chosen, struct key_input *to)
{
    const struct ex **cols = arena_array(f->a, u->n_cols + 1, sizeof *cols);
    struct slice *texts = arena_array(f->a, u->n_cols + 1, sizeof *texts);
    *to = (struct key_input){.type = p->type};
    for (uint32_t i = 0; i < u->n_cols; i++) {
        if (chosen[i] < 0) {
            return;
        }
        cols[i] = p->exprs.ptr[chosen[i]].e;
        texts[i] = p->exprs.ptr[chosen[i]].text;
    }
    to->cols = u->n_cols > 0 ? cols : NULL;
    to->texts = texts;
}

/* Types that the unit makes itself may be sent as well: by what carries the key in them. */
static void derived_input(struct keys_facts *f, struct key_unit *u, const struct keys_answer *a,
                          struct keys_place *p)
{
    int chosen[KEYS_COLS_MAX];
    for (uint32_t c = 0; c < u->n_cols; c++) {
        for (uint32_t i = 0; i < a->n_inputs; i++) {
            a->inputs[i]->chosen = a->cols[c][i];
        }
        chosen[c] = keys_carrier(f, p);
    }
    fill_input(f, u, p, chosen, &u->inputs[u->n_inputs++]);
}

static void fill_inputs(struct keys_facts *f, struct key_unit *u, const struct keys_answer *a)
{
    u->inputs = arena_array(f->a, f->near.len + 1, sizeof *u->inputs);
    const struct etype **holds = arena_array(f->a, f->near.len + 1, sizeof *holds);
    for (uint32_t i = 0; i < a->n_inputs; i++) {
        int chosen[KEYS_COLS_MAX];
        for (uint32_t c = 0; c < u->n_cols; c++) {
            chosen[c] = a->cols[c][i];
        }
        fill_input(f, u, a->inputs[i], chosen, &u->inputs[u->n_inputs++]);
    }
    VEC_EACH (&f->near, p) {
        if ((*p)->derived || (!(*p)->events && (*p)->read)) {
            holds[u->n_holds++] = (*p)->type;
        }
        if ((*p)->derived && (*p)->events) {
            derived_input(f, u, a, *p);
        }
    }
    u->holds = holds;
}

static void fill_unit(struct keys_facts *f, struct keys_stmt *first, uint32_t n, struct key_unit *u)
{
    struct keys_answer a;
    *u = (struct key_unit){.stmts = arena_array(f->a, n + 1, sizeof *u->stmts)};
    for (struct keys_stmt *s = first; s != NULL; s = s->next) {
        fill_stmt(f, s, &u->stmts[u->n_stmts++]);
    }
    keys_take_unit(f, first);
    keys_solve(f, &a);
    keys_by_user(f, &a);
    bool *as_double = arena_array(f->a, a.n_cols + 1, sizeof *as_double);
    memcpy(as_double, a.as_double, a.n_cols * sizeof *as_double);
    u->choice = a.choice;
    u->why = a.why;
    u->n_cols = a.n_cols;
    u->as_double = as_double;
    fill_inputs(f, u, &a);
}

static bool wanted(const struct keys_stmt *first, struct slice deployment, uint32_t *ret_n)
{
    bool of = deployment.len == 0, any = false;
    *ret_n = 0;
    for (const struct keys_stmt *s = first; s != NULL; s = s->next) {
        ++*ret_n;
        of |= slice_eq(s->st->dep->id, deployment);
        any |= s->srcs.len > 0 || s->flows.len > 0 || s->needs.len > 0;
    }
    return of && any;
}

int eng_keys(struct eng *e, struct slice deployment, struct key_plan *ret, struct err *reterr)
{
    struct arena *a = arena_new(NULL, "keys", ARENA_MAX);
    struct keys_facts f = {.eng = e, .a = a};
    struct key_plan plan = {.arena = a};
    map_init(&f.by_type, KEYS_PLACES_MAX);
    VEC_EACH (&e->stmts, st) {
        keys_gather(&f, *st);
    }
    keys_units(&f);
    plan.units = arena_array(a, f.stmts.len + 1, sizeof *plan.units);
    for (uint32_t i = 0; i < f.stmts.len; i++) {
        uint32_t n;
        if (f.stmts.ptr[i]->unit == i && wanted(f.stmts.ptr[i], deployment, &n)) {
            fill_unit(&f, f.stmts.ptr[i], n, &plan.units[plan.n_units++]);
        }
    }
    keys_facts_done(&f);
    if (f.full) {
        arena_free(a);
        return err_set(reterr, ERR_LIMIT, "a statement reads too many streams to look for keys");
    }
    *ret = plan;
    return 0;
}

void keys_done(struct key_plan *p)
{
    if (p->arena != NULL) {
        arena_free(p->arena);
    }
    *p = (struct key_plan){.arena = NULL};
}

/* ---- events ---- */

const struct key_input *keys_input(const struct key_unit *u, const struct etype *type)
{
    const struct key_input *super = NULL;
    for (uint32_t i = 0; i < u->n_inputs; i++) {
        const struct key_input *in = &u->inputs[i];
        if (in->type == type) {
            return in;
        }
        if (super == NULL && in->type->kind != ETYPE_VARIANT && ety_is(type, in->type)) {
            super = in;
        }
    }
    return super;
}

bool keys_add(struct buf *b, struct dat v, bool as_double)
{
    struct val x = {.tag = VAL_NULL};
    switch (v.kind) {
    case DAT_NULL: break;
    case DAT_BOOL: x = (struct val){.tag = VAL_BOOL, .b = v.b}; break;
    case DAT_BYTE:
    case DAT_SHORT:
    case DAT_INT:
    case DAT_LONG: x = (struct val){.tag = VAL_INT, .i = v.i}; break;
    case DAT_FLOAT:
    case DAT_DOUBLE: x = (struct val){.tag = VAL_DOUBLE, .d = v.d}; break;
    case DAT_STRING: x = val_string(slice_of(v.s->s, v.s->len)); break;
    default: return false;
    }
    return key_add(b, as_double ? key_coerce(x, VAL_DOUBLE) : x);
}

bool keys_bytes(struct eng *e, const struct key_unit *u, const struct key_input *in, struct evt *ev,
                struct buf *b)
{
    if (in->cols == NULL) {
        for (uint32_t i = 0; i < ev->type->n_cols; i++) {
            (void)keys_add(b, ev->p[i], false);
        }
        return !buf_failed(b);
    }
    struct evt *row[2] = {ev, NULL};
    struct ectx c = {.heap = e->heap, .now = e->now, .row = row, .ops = &eng_ectx_ops};
    for (uint32_t i = 0; i < u->n_cols; i++) {
        if (!keys_add(b, ex_eval(in->cols[i], &c), u->as_double[i])) {
            return false;
        }
    }
    return !buf_failed(b);
}
