/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju epl explain`: per statement what it reads (streams, filters, windows, patterns), what it
 * does with it, and where its rows go, in the order in which a row meets those parts; then the keys
 * by which units of statements may be cut into parts, and why. As JSON: the keys alone. The module
 * is deployed first, so that what is explained is known to be right.
 */
#include "operators/cmd/cmd_epl.h"
#include "operators/cmd/cmd_keys.h"
#include "operators/graph/programs.h"
#include "operators/graph/share.h"

#include "core/base/mem.h"

#include <stdio.h>

enum { ARENA_MAX = 256 * 1024 * 1024, OUT_MAX = 64 * 1024 * 1024 };

static const char *const kind_names[] = {
    [STMT_SELECT] = "select",
    [STMT_CREATE_SCHEMA] = "schema",
    [STMT_CREATE_WINDOW] = "named window",
    [STMT_CREATE_TABLE] = "table",
    [STMT_CREATE_VARIABLE] = "variable",
    [STMT_CREATE_CONTEXT] = "context",
    [STMT_CREATE_EXPRESSION] = "expression",
    [STMT_CREATE_INDEX] = "index",
    [STMT_ON_SELECT] = "on-select",
    [STMT_ON_DELETE] = "on-delete",
    [STMT_ON_UPDATE] = "on-update",
    [STMT_ON_MERGE] = "on-merge",
    [STMT_ON_SET] = "on-set",
    [STMT_ON_SPLIT] = "split",
    [STMT_UPDATE_ISTREAM] = "update",
    [STMT_FAF_INSERT] = "insert",
    [STMT_FAF_UPDATE] = "update",
    [STMT_FAF_DELETE] = "delete",
};

static void line(struct buf *out, const char *what)
{
    (void)buf_addf(out, "    %-9s ", what);
}

static void expr_line(struct buf *out, const char *what, const struct ast_expr *e)
{
    if (e != NULL) {
        line(out, what);
        epl_print_expr(e, out);
        (void)buf_add_byte(out, '\n');
    }
}

static void exprs(struct buf *out, struct ast_expr *const *e, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        epl_print_expr(e[i], out);
    }
}

static void views(struct buf *out, const struct ast_stream *s)
{
    for (uint32_t i = 0; i < s->n_views; i++) {
        (void)buf_addf(out, "%s#" SLICE_FMT "(", i > 0 ? " " : "", SLICE_ARG(s->views[i].name));
        exprs(out, s->views[i].args, s->views[i].n_args);
        (void)buf_add_byte(out, ')');
    }
    bool grouped = s->n_views > 0 && slice_eq_nocase(s->views[0].name, SLICE("groupwin"));
    if (s->n_views > (grouped ? 2 : 1)) {
        (void)buf_add_str(out, s->retain_union ? ": their union" : ": their intersection");
    }
    if (grouped && s->n_views > 1) {
        (void)buf_add_str(out, s->n_views > 2 ? ", for each " : ": one for each ");
        exprs(out, s->views[0].args, s->views[0].n_args);
    }
}

/* The event types a pattern waits for. */
static void pattern_types(struct buf *out, const struct ast_pat *p, uint32_t *n)
{
    if (p->kind == PAT_FILTER) {
        (void)buf_addf(out, "%s" SLICE_FMT, (*n)++ > 0 ? ", " : "", SLICE_ARG(p->stream->type));
    }
    if (p->kind == PAT_OBSERVER) {
        (void)buf_addf(out, "%s" SLICE_FMT ":" SLICE_FMT, (*n)++ > 0 ? ", " : "", SLICE_ARG(p->ns),
                       SLICE_ARG(p->name));
    }
    for (uint32_t i = 0; i < p->n_kids; i++) {
        pattern_types(out, p->kids[i], n);
    }
}

static void stream(struct buf *out, const struct ast_stream *s)
{
    line(out, "reads");
    if (s->pattern != NULL) {
        uint32_t n = 0;
        (void)buf_add_str(out, "a pattern over ");
        pattern_types(out, s->pattern, &n);
    } else {
        (void)buf_add_slice(out, s->type);
    }
    if (s->n_filters > 0) {
        (void)buf_add_str(out, " where ");
        exprs(out, s->filters, s->n_filters);
    }
    for (uint32_t i = 0; i < s->n_contained; i++) {
        (void)buf_add_str(out, ", each of ");
        epl_print_expr(s->contained[i].path, out);
    }
    if (s->as.len > 0) {
        (void)buf_addf(out, " as " SLICE_FMT, SLICE_ARG(s->as));
    }
    (void)buf_add_str(out, s->unidirectional ? ", which alone triggers\n" : "\n");
    if (s->n_views > 0) {
        line(out, "keeps");
        views(out, s);
        (void)buf_add_byte(out, '\n');
    }
}

static void groups(struct buf *out, const struct ast_group *g, uint32_t n)
{
    static const char *const kinds[] = {
        [GROUP_EXPR] = "",     [GROUP_ROLLUP] = "rollup",       [GROUP_CUBE] = "cube",
        [GROUP_COMBINED] = "", [GROUP_SETS] = "grouping sets ",
    };
    for (uint32_t i = 0; i < n; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        if (g[i].e != NULL) {
            epl_print_expr(g[i].e, out);
        } else {
            (void)buf_addf(out, "%s(", kinds[g[i].kind]);
            groups(out, g[i].kids, g[i].n_kids);
            (void)buf_add_byte(out, ')');
        }
    }
}

static void columns(struct buf *out, const struct ast_select *s)
{
    line(out, "gives");
    (void)buf_add_str(out, s->distinct ? "distinct " : "");
    for (uint32_t i = 0; i < s->n_items; i++) {
        const struct ast_item *item = &s->items[i];
        (void)buf_add_str(out, i > 0 ? ", " : "");
        if (item->star) {
            (void)buf_addf(out, SLICE_FMT "%s*", SLICE_ARG(item->stream),
                           item->stream.len > 0 ? "." : "");
        } else if (item->as.len > 0) {
            (void)buf_add_slice(out, item->as);
        } else {
            epl_print_column(item->e, out);
        }
    }
    (void)buf_add_byte(out, '\n');
}

static void output(struct buf *out, const struct ast_output *o)
{
    static const char *const kinds[] = {"", "all ", "first ", "last ", "snapshot "};
    line(out, "output");
    if (o->after != NULL) {
        (void)buf_add_str(out, "after ");
        epl_print_expr(o->after, out);
        (void)buf_add_str(out, o->after_events ? " events: " : ": ");
    }
    (void)buf_add_str(out, kinds[o->kind]);
    switch (o->when) {
    case OUT_EVERY_EVENTS:
    case OUT_EVERY_TIME:
        (void)buf_add_str(out, "every ");
        epl_print_expr(o->every, out);
        (void)buf_add_str(out, o->when == OUT_EVERY_EVENTS ? " events" : "");
        break;
    case OUT_WHEN:
        (void)buf_add_str(out, "when ");
        epl_print_expr(o->cond, out);
        break;
    case OUT_AT:
        (void)buf_add_str(out, "at ");
        exprs(out, o->at, o->n_at);
        break;
    case OUT_TERMINATED: (void)buf_add_str(out, "when the partition ends"); break;
    default: break;
    }
    (void)buf_add_byte(out, '\n');
}

static void select_parts(struct buf *out, const struct ast_select *s)
{
    for (uint32_t i = 0; i < s->n_from; i++) {
        stream(out, &s->from[i]);
        if (i > 0) {
            expr_line(out, "joined on", s->joins[i - 1].cond);
        }
    }
    if (s->matchrec != NULL) {
        line(out, "matches");
        (void)buf_add_str(out, s->matchrec->n_partition > 0 ? "rows in a row, of each "
                                                            : "rows in a row");
        exprs(out, s->matchrec->partition, s->matchrec->n_partition);
        (void)buf_add_byte(out, '\n');
    }
    expr_line(out, "where", s->where);
    if (s->n_group > 0) {
        line(out, "group by");
        groups(out, s->group, s->n_group);
        (void)buf_add_byte(out, '\n');
    }
    expr_line(out, "having", s->having);
    columns(out, s);
    if (s->output != NULL) {
        output(out, s->output);
    }
    for (uint32_t i = 0; i < s->n_order; i++) {
        if (i == 0) {
            line(out, "order by");
        }
        epl_print_expr(s->order[i].e, out);
        (void)buf_add_str(out, s->order[i].desc ? " desc" : "");
        (void)buf_add_str(out, i + 1 < s->n_order ? ", " : "\n");
    }
    expr_line(out, "limit", s->limit);
    expr_line(out, "offset", s->offset);
    if (s->insert != NULL) {
        line(out, "into");
        (void)buf_addf(out, "stream " SLICE_FMT "\n", SLICE_ARG(s->insert->into));
    }
    if (s->into_table.len > 0) {
        line(out, "into");
        (void)buf_addf(out, "table " SLICE_FMT "\n", SLICE_ARG(s->into_table));
    }
}

void cmd_explain_stmt(struct buf *out, const struct ast_stmt *s, uint32_t number, uint32_t line_no,
                      const struct key_plan *keys, uint32_t order)
{
    struct slice name = epl_name(s);
    (void)buf_addf(out, "%u %s", number, kind_names[s->kind]);
    if (name.len > 0) {
        (void)buf_addf(out, " '" SLICE_FMT "'", SLICE_ARG(name));
    }
    if (s->name.len > 0) {
        (void)buf_addf(out, " " SLICE_FMT, SLICE_ARG(s->name));
    }
    (void)buf_addf(out, " (line %u)\n", line_no);
    if (s->context.len > 0) {
        line(out, "context");
        (void)buf_addf(out, SLICE_FMT ": once per partition\n", SLICE_ARG(s->context));
    }
    if (s->trigger != NULL) {
        stream(out, s->trigger);
    }
    if (s->target != NULL) {
        line(out, "on rows of");
        (void)buf_addf(out, SLICE_FMT "\n", SLICE_ARG(s->target->type));
    }
    if (s->kind == STMT_CREATE_WINDOW && s->window.n_views > 0) {
        line(out, "keeps");
        views(out, &s->window);
        (void)buf_add_byte(out, '\n');
    }
    if (s->select != NULL) {
        select_parts(out, s->select);
    }
    expr_line(out, "where", s->where);
    cmd_keys_stmt(keys, order, out);
}

/* Other statements that keep their rows in the same place. */
static void sharers(struct buf *out, const struct eng *e, const struct ast_module *m, size_t i)
{
    size_t n = eng_shares(e, i, NULL, 0);
    size_t *who = mem_calloc(n + 1, sizeof *who);
    (void)eng_shares(e, i, who, n);
    for (size_t k = 0, told = 0; k < n; k++) {
        if (who[k] == i) {
            continue;
        }
        struct slice name = epl_name(m->stmts[who[k]]);
        if (told++ == 0) {
            line(out, "shared");
        }
        (void)buf_addf(out, "%s%zu", told > 1 ? ", " : "rows of the window, with ", who[k] + 1);
        if (name.len > 0) {
            (void)buf_addf(out, " '" SLICE_FMT "'", SLICE_ARG(name));
        }
    }
    if (n > 1) {
        (void)buf_add_byte(out, '\n');
    }
    mem_free(who);
}

static void program(void *arg, const struct eng_program *p)
{
    struct buf *out = arg;
    line(out, "program");
    (void)buf_add_str(out, p->what);
    if (p->number >= 0) {
        (void)buf_addf(out, " %d", p->number);
    }
    if (p->name.len > 0) {
        (void)buf_addf(out, " " SLICE_FMT, SLICE_ARG(p->name));
    }
    (void)buf_add_byte(out, '\n');
    vm_print(vm_compile(p->e, p->use), SLICE("              "), out);
}

static int explain(const struct cmd_opts *o, struct arena *a, struct slice text, struct buf *out)
{
    struct ast_module *m;
    struct err err;
    err_clear(&err);
    struct eng *e = eng_new(&(struct eng_conf){.on_rows = NULL});
    int code = CMD_OK;
    struct key_plan keys = {.arena = NULL};
    if (epl_parse(a, text, &m, &err) != 0 || eng_deploy(e, SLICE("main"), text, &err) != 0 ||
        eng_keys(e, SLICE_NONE, &keys, &err) != 0) {
        code = cmd_diag(&err, o->args[0], text, o->format);
    } else {
        epl_tell_apart(a, m);
    }
    if (code == CMD_OK && o->format == CMD_JSON) {
        cmd_keys_json(&keys, out);
    }
    for (uint32_t i = 0; code == CMD_OK && o->format == CMD_TEXT && i < m->n_stmts; i++) {
        cmd_explain_stmt(out, m->stmts[i], i + 1, m->stmts[i]->span.line, &keys, i + 1);
        sharers(out, e, m, i);
        eng_programs(e, i, program, out);
    }
    if (o->format == CMD_TEXT) {
        cmd_keys_text(&keys, out);
    }
    keys_done(&keys);
    eng_free(e);
    return code;
}

int cmd_explain(const struct cmd_opts *o)
{
    struct err err;
    struct buf text, out;
    struct arena *a = arena_new(NULL, "explain", ARENA_MAX);
    err_clear(&err);
    buf_init(&text, CMD_FILE_MAX);
    buf_init(&out, OUT_MAX);
    int code = buf_read_file(&text, o->args[0], &err) != 0 ? cmd_fail(&err)
                                                           : explain(o, a, buf_slice(&text), &out);
    buf_print(&out, stdout);
    buf_done(&out);
    buf_done(&text);
    arena_free(a);
    return code;
}
