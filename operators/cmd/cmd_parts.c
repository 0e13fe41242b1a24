/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju epl scenario FILE --partitions N`: holds the planner (graph/keys.h) to its word. The
 * scenario runs in one engine, and once more divided: each unit that may be partitioned runs in N
 * engines, and each event goes to one of them by its key bytes, key group and partition; all other
 * units share one engine that gets everything. Clock steps, deployments and queries go to all
 * engines. What the parts deliver is put together and compared with what the one engine delivered.
 *
 * Equal per key: in each step each statement must deliver the same rows, entering and leaving, as
 * multisets. How rows are grouped into deliveries, and the order of rows of different keys, may
 * differ: a timer that in one engine concerns several keys fires in several engines. Answers to
 * queries that list rows are compared likewise; others (sums over several parts) are not.
 *
 * Engines of a unit have all statements, but only the unit's events and only the unit's rows count:
 * units share nothing. A scenario whose statements come and go in a way that no one plan holds for
 * is run as one task, and counted as such.
 */
#include "operators/cmd/cmd_keys.h"
#include "operators/cmd/cmd_play.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/event/key.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 1024 * 1024 * 1024, ROW_MAX = 16 * 1024 * 1024, KEY_MAX = 65536, SHOWN = 10 };

struct rows { /* "step statement +{row}", in any order */
    VEC(const char *) v;
};

struct part { /* an engine */
    struct cmd_play play;
    struct parts *all;
    const struct key_unit *unit; /* NULL: that of the units that are one task */
    struct rows *to;
};

struct parts {
    const json_t *scenario;
    struct arena *arena;
    uint32_t n;
    struct part whole, rest; /* one engine with everything; and that of the units of one task */
    struct part *of;         /* n for each unit that is partitioned */
    size_t n_of;
    struct cmd_play planner; /* all statements of the scenario, for its types and keys */
    struct key_plan plan;
    bool *one;           /* per unit: runs as one task after all */
    const char *why_one; /* the whole scenario does */
    size_t step;
    struct rows expect, got;
    size_t not_compared;
};

/* ---- rows ---- */

static void add_row(struct part *p, struct slice statement, char sign, const struct evt *e)
{
    struct buf b;
    buf_init(&b, ROW_MAX);
    (void)buf_addf(&b, "step %zu " SLICE_FMT " %c", p->all->step, SLICE_ARG(statement), sign);
    if (e == NULL) {
        (void)buf_add_str(&b, "null");
    } else {
        cmd_json_row(e, &b);
    }
    *VEC_PUSH(&p->to->v) = arena_str(p->all->arena, buf_slice(&b));
    buf_done(&b);
}

static const struct key_unit *unit_of(const struct parts *p, struct slice statement, uint32_t *ret)
{
    for (uint32_t i = 0; i < p->plan.n_units; i++) {
        const struct key_unit *u = &p->plan.units[i];
        for (uint32_t k = 0; k < u->n_stmts; k++) {
            if (slice_eq(u->stmts[k].name, statement)) {
                *ret = i;
                return u;
            }
        }
    }
    return NULL;
}

static bool partitioned(const struct parts *p, uint32_t unit)
{
    return p->why_one == NULL && !p->one[unit] && p->plan.units[unit].choice != KEY_ONE;
}

/* By the user's word alone: parts may differ from the whole. */
static bool comparable(const struct key_unit *u)
{
    return u == NULL || u->choice != KEY_USER || u->why.len == 0;
}

static void on_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    struct part *p = arg;
    uint32_t at = 0;
    const struct key_unit *u = unit_of(p->all, statement, &at);
    bool mine = p == &p->all->whole ||
                (u != NULL && partitioned(p->all, at) ? p->unit == u : p->unit == NULL);
    if (!mine || (!comparable(u) && partitioned(p->all, at))) {
        return;
    }
    for (size_t i = 0; i < rows->n_nw; i++) {
        add_row(p, statement, '+', rows->nw[i]);
    }
    for (size_t i = 0; i < rows->n_old; i++) {
        add_row(p, statement, '-', rows->old[i]);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How many rows differ; the first of them are shown. */
static size_t compare(struct rows *want, struct rows *got)
{
    size_t w = 0, g = 0, different = 0;
    if (want->v.len > 0) {
        qsort(want->v.ptr, want->v.len, sizeof want->v.ptr[0], by_text);
    }
    if (got->v.len > 0) {
        qsort(got->v.ptr, got->v.len, sizeof got->v.ptr[0], by_text);
    }
    while (w < want->v.len || g < got->v.len) {
        int c = w == want->v.len ? 1 : g == got->v.len ? -1 : strcmp(want->v.ptr[w], got->v.ptr[g]);
        if (c != 0 && different++ < SHOWN) {
            printf("  %s %s\n", c < 0 ? "missing" : "too much",
                   c < 0 ? want->v.ptr[w] : got->v.ptr[g]);
        }
        w += c <= 0;
        g += c >= 0;
    }
    return different;
}

/* ---- the plan ---- */

static struct slice text_at(const json_t *object, const char *key)
{
    const json_t *j = json_object_get(object, key);
    return json_is_string(j) ? slice_of(json_string_value(j), json_string_length(j)) : SLICE_NONE;
}

static struct slice deployment_id(const json_t *step, size_t number, char room[32])
{
    struct slice as = text_at(step, "as");
    if (as.len == 0) {
        snprintf(room, 32, "deploy-%zu", number);
        as = slice_str(room);
    }
    return as;
}

static bool holds(const struct key_unit *u, const struct etype *t)
{
    for (uint32_t i = 0; i < u->n_holds; i++) {
        if (u->holds[i] == t) {
            return true;
        }
    }
    return false;
}

/* The unit that holds a window or table; -1. */
static int unit_holding(const struct parts *p, struct slice name)
{
    const struct etype *t = eng_type(p->planner.eng, name);
    for (uint32_t i = 0; t != NULL && i < p->plan.n_units; i++) {
        if (holds(&p->plan.units[i], t)) {
            return (int)i;
        }
    }
    return -1;
}

static bool asks_more(const struct ast_expr *e)
{
    bool more = e != NULL && e->select != NULL;
    for (uint32_t i = 0; e != NULL && !more && i < e->n_args; i++) {
        more = asks_more(e->args[i]);
    }
    for (uint32_t i = 0; e != NULL && !more && i < e->n_segs; i++) {
        for (uint32_t k = 0; !more && k < e->segs[i].n_args; k++) {
            more = asks_more(e->segs[i].args[k]);
        }
    }
    return more;
}

/* Rows that a query inserts do not come by key; one that looks at rows to change others would look
 * at those of its part. */
static void find_inserts(struct parts *p)
{
    const json_t *steps = json_object_get(p->scenario, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        struct err err;
        struct ast_stmt *q;
        struct slice text = text_at(json_array_get(steps, i), "query");
        err_clear(&err);
        if (text.len == 0 || epl_parse_query(p->arena, text, &q, &err) != 0) {
            continue;
        }
        bool insert = q->select != NULL && q->select->insert != NULL;
        int unit = insert ? unit_holding(p, q->select->insert->into) : -1;
        if (unit >= 0) {
            p->one[unit] = true;
        }
        if (asks_more(q->where) && q->select == NULL) {
            p->why_one = "a query changes rows by a subquery";
        }
    }
}

/* Two units with statements of one name cannot be told apart. */
static bool names_apart(const struct parts *p)
{
    for (uint32_t i = 0; i < p->plan.n_units; i++) {
        for (uint32_t k = 0; k < p->plan.units[i].n_stmts; k++) {
            uint32_t at = i;
            struct slice name = p->plan.units[i].stmts[k].name;
            if (name.len > 0 && unit_of(p, name, &at) != NULL && at != i) {
                return false;
            }
        }
    }
    return true;
}

static int make_plan(struct parts *p, struct err *reterr)
{
    const json_t *steps = json_object_get(p->scenario, "steps");
    struct err err;
    err_clear(&err);
    if (cmd_play_deploy(&p->planner, SLICE("main"), text_at(p->scenario, "epl"), &err) != 0) {
        p->why_one = "it is refused";
    }
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        char room[32];
        struct slice text = text_at(step, "deploy");
        err_clear(&err);
        if (text.len > 0 &&
            cmd_play_deploy(&p->planner, deployment_id(step, i, room), text, &err) != 0 &&
            err.code == ERR_EXISTS) {
            p->why_one = "its statements come and go";
        }
    }
    int rc = eng_keys(p->planner.eng, SLICE_NONE, &p->plan, reterr);
    p->one = arena_array(p->arena, p->plan.n_units + 1, sizeof *p->one);
    if (rc == 0 && !names_apart(p)) {
        p->why_one = "two of its units have statements of one name";
    }
    if (rc == 0) {
        find_inserts(p);
    }
    return rc;
}

/* ---- steps ---- */

static void open_part(struct part *p, struct parts *all, const struct key_unit *u, struct rows *to)
{
    p->all = all;
    p->unit = u;
    p->to = to;
    cmd_play_init(&p->play, &(struct cmd_opts){.causes = false});
    p->play.named_only = true;
    p->play.on_rows = on_rows;
    p->play.arg = p;
}

static void for_all(struct parts *p, void (*fn)(struct part *x, const json_t *step),
                    const json_t *step)
{
    fn(&p->whole, step);
    fn(&p->rest, step);
    for (size_t i = 0; i < p->n_of; i++) {
        fn(&p->of[i], step);
    }
}

static void advance(struct part *x, const json_t *step)
{
    const json_t *to = json_object_get(step, "advance");
    if (to != NULL) {
        eng_advance(x->play.eng, json_integer_value(to));
    } else {
        eng_advance_span(x->play.eng, json_integer_value(json_object_get(step, "advance_span")));
    }
}

static void deploy(struct part *x, const json_t *step)
{
    struct err err;
    char room[32];
    err_clear(&err);
    (void)!cmd_play_deploy(&x->play, deployment_id(step, x->all->step, room),
                           text_at(step, "deploy"), &err);
}

static void undeploy(struct part *x, const json_t *step)
{
    struct err err;
    err_clear(&err);
    (void)!cmd_play_undeploy(&x->play, text_at(step, "undeploy"), &err);
}

static void send_to(struct part *x, const json_t *step)
{
    struct err err;
    err_clear(&err);
    (void)!cmd_play_send(&x->play, text_at(step, "send"), json_object_get(step, "event"), &err);
}

/* Which of the n engines of a unit; -1: its values are no key. */
static int route(struct parts *p, const struct key_unit *u, const struct key_input *in,
                 const struct etype *t, const json_t *event)
{
    struct err err;
    struct evt *ev;
    struct buf key;
    err_clear(&err);
    if (cmd_json_event(eng_heap(p->planner.eng), t, event, &ev, &err) != 0) {
        return 0; /* refused by all */
    }
    buf_init(&key, KEY_MAX);
    bool ok = keys_bytes(p->planner.eng, u, in, ev, &key);
    int to = ok ? (int)key_partition(buf_slice(&key), p->n) : -1;
    buf_done(&key);
    return to;
}

static void send(struct parts *p, const json_t *step)
{
    const struct etype *t = eng_type(p->planner.eng, text_at(step, "send"));
    send_to(&p->whole, step);
    send_to(&p->rest, step);
    for (size_t i = 0; t != NULL && i < p->n_of; i += p->n) {
        const struct key_unit *u = p->of[i].unit;
        const struct key_input *in = keys_input(u, t);
        int to = in != NULL ? route(p, u, in, t, json_object_get(step, "event")) : -1;
        if (in != NULL && to < 0) {
            printf("  step %zu: no key in the event\n", p->step);
            *VEC_PUSH(&p->got.v) = "an event without key";
        } else if (in != NULL) {
            send_to(&p->of[i + (size_t)to], step);
        }
    }
}

/* Rows of one window or table as they are: those of parts can be put together. */
static bool lists_rows(const struct ast_stmt *q)
{
    const struct ast_select *s = q->select;
    if (s == NULL || s->insert != NULL || s->n_from != 1 || s->n_group > 0 || s->having != NULL ||
        s->n_order > 0 || s->limit != NULL || s->distinct || asks_more(s->where)) {
        return false;
    }
    for (uint32_t i = 0; i < s->n_items; i++) {
        const struct ast_expr *e = s->items[i].e;
        bool plain = e == NULL || (e->kind == AST_CHAIN && e->n_segs == 1 && !e->segs[0].is_call);
        if (!plain) {
            return false;
        }
    }
    return true;
}

static void ask(struct part *x, const json_t *step, bool counts)
{
    struct err err;
    struct eng_rows rows;
    err_clear(&err);
    if (cmd_play_query(&x->play, text_at(step, "query"), json_object_get(step, "params"), &rows,
                       &err) != 0) {
        return;
    }
    for (size_t i = 0; counts && i < rows.n_nw; i++) {
        add_row(x, SLICE("query"), '=', rows.nw[i]);
    }
}

static void query(struct parts *p, const json_t *step)
{
    struct err err;
    struct ast_stmt *q = NULL;
    err_clear(&err);
    bool lists = epl_parse_query(p->arena, text_at(step, "query"), &q, &err) == 0 && lists_rows(q);
    int unit = lists ? unit_holding(p, q->select->from[0].type) : -1;
    bool apart = unit >= 0 && partitioned(p, (uint32_t)unit);
    const struct key_unit *u = unit >= 0 ? &p->plan.units[unit] : NULL;
    bool counts = lists && (!apart || comparable(u));
    p->not_compared += !counts;
    ask(&p->whole, step, counts);
    ask(&p->rest, step, counts && !apart);
    for (size_t i = 0; i < p->n_of; i++) {
        ask(&p->of[i], step, counts && apart && p->of[i].unit == u);
    }
}

static void run_step(struct parts *p, const json_t *step)
{
    if (json_object_get(step, "send") != NULL) {
        send(p, step);
    } else if (json_object_get(step, "query") != NULL) {
        query(p, step);
    } else if (json_object_get(step, "deploy") != NULL) {
        for_all(p, deploy, step);
    } else if (json_object_get(step, "undeploy") != NULL) {
        for_all(p, undeploy, step);
    } else {
        for_all(p, advance, step);
    }
}

static void open_parts(struct parts *p)
{
    open_part(&p->whole, p, NULL, &p->expect);
    open_part(&p->rest, p, NULL, &p->got);
    p->of = arena_array(p->arena, (size_t)p->n * p->plan.n_units + 1, sizeof *p->of);
    for (uint32_t i = 0; i < p->plan.n_units; i++) {
        for (uint32_t k = 0; partitioned(p, i) && k < p->n; k++) {
            open_part(&p->of[p->n_of++], p, &p->plan.units[i], &p->got);
        }
    }
}

static void deploy_main(struct part *x, const json_t *scenario)
{
    struct err err;
    err_clear(&err);
    (void)!cmd_play_deploy(&x->play, SLICE("main"), text_at(scenario, "epl"), &err);
}

static void run_all(struct parts *p)
{
    const json_t *steps = json_object_get(p->scenario, "steps");
    for_all(p, deploy_main, p->scenario);
    for (p->step = 0; p->step < json_array_size(steps); p->step++) {
        run_step(p, json_array_get(steps, p->step));
    }
}

static void close_all(struct parts *p)
{
    for (size_t i = 0; i < p->n_of; i++) {
        cmd_play_done(&p->of[i].play);
    }
    cmd_play_done(&p->rest.play);
    cmd_play_done(&p->whole.play);
}

/* ---- the report ---- */

static void report(const struct parts *p, size_t different)
{
    size_t with_input = 0, parts = 0;
    struct buf b;
    buf_init(&b, ROW_MAX);
    for (uint32_t i = 0; i < p->plan.n_units; i++) {
        (void)buf_add_str(&b, p->one[i] && p->why_one == NULL ? "unit, but a query inserts: "
                                                              : "unit ");
        cmd_keys_unit(&p->plan.units[i], &b);
        with_input += p->plan.units[i].n_inputs > 0;
        parts += p->plan.units[i].n_inputs > 0 && partitioned(p, i);
    }
    if (p->why_one != NULL) {
        (void)buf_addf(&b, "one task: %s\n", p->why_one);
    }
    buf_print(&b, stdout);
    buf_done(&b);
    printf("units with input %zu, partitioned %zu, rows %zu, different %zu, answers not compared "
           "%zu\n",
           with_input, parts, p->expect.v.len, different, p->not_compared);
}

int cmd_parts(const json_t *scenario, uint32_t n, struct err *reterr)
{
    struct parts p = {.scenario = scenario, .n = n};
    assert(n > 0);
    p.arena = arena_new(NULL, "parts", ARENA_MAX);
    cmd_play_init(&p.planner, &(struct cmd_opts){.causes = false});
    int code = CMD_USAGE;
    if (make_plan(&p, reterr) == 0) {
        open_parts(&p);
        run_all(&p);
        size_t different = compare(&p.expect, &p.got);
        report(&p, different);
        close_all(&p);
        code = different > 0 ? CMD_FINDINGS : CMD_OK;
    }
    keys_done(&p.plan);
    cmd_play_done(&p.planner);
    VEC_DONE(&p.expect.v);
    VEC_DONE(&p.got.v);
    arena_free(p.arena);
    return code;
}
