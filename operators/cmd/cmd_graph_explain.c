/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju explain -f graph.yaml`: what each level does, by which keys its units are cut into tasks
 * or why not, which levels run together, and what is moved between them.
 */
#include "operators/cmd/cmd_graph.h"
#include "operators/cmd/cmd_json.h"
#include "operators/cmd/cmd_keys.h"
#include "operators/graph/eng_levels.h"

#include <stdio.h>

static const char *const formats[] = {"text", "json", NULL};
static const struct conf_row rows[] = {
    {"file", CONF_LIST, offsetof(struct cmd_graph_opts, files), NULL, 0, 0, NULL, 0,
     "the document (-f), - is standard input"},
    {"output", CONF_ENUM, offsetof(struct cmd_graph_opts, format), "text", 0, 0, formats, 0,
     "how to print (-o)"},
};

/* ---- text ---- */

static void edge_text(const struct doc *d, const struct eng_edge *e, struct buf *out)
{
    struct slice from = e->from == ENG_LEVEL_RAW ? SLICE("the signals") : d->g.levels[e->from].name;
    (void)buf_addf(out, "  reads " SLICE_FMT " of " SLICE_FMT ": %s", SLICE_ARG(e->stream),
                   SLICE_ARG(from), e->shuffle ? "shuffled" : "not moved");
    if (e->shuffle && e->key.len > 0) {
        (void)buf_addf(out, " by " SLICE_FMT, SLICE_ARG(e->key));
    }
    (void)buf_addf(out, " (" SLICE_FMT ")\n", SLICE_ARG(e->why));
}

static void level_text(const struct cmd_graph *g, const struct eng_levels *l, uint32_t i,
                       struct buf *out)
{
    const struct doc *d = g->doc;
    const struct doc_level *level = &d->g.levels[i];
    const struct eng_level *e = &l->levels[i];
    uint32_t order = e->before;
    (void)buf_addf(out, "\nlevel " SLICE_FMT ": ", SLICE_ARG(level->name));
    if (e->group != i) {
        (void)buf_addf(out, "in the tasks of level " SLICE_FMT "\n",
                       SLICE_ARG(d->g.levels[e->group].name));
    } else {
        (void)buf_addf(out, "tasks of its own%s" SLICE_FMT "\n", e->why.len > 0 ? ": " : "",
                       SLICE_ARG(e->why));
    }
    for (uint32_t k = 0; k < l->n_edges; k++) {
        if (l->edges[k].to == i) {
            edge_text(d, &l->edges[k], out);
        }
    }
    for (uint32_t k = 0; k < e->keys.n_units; k++) {
        (void)buf_addf(out, "  unit %u ", k + 1);
        cmd_keys_unit(&e->keys.units[k], out);
    }
    for (uint32_t k = 0; k < level->n_stmts; k++) {
        const struct doc_stmt *s = &level->stmts[k];
        if (s->ast != NULL) {
            struct span at = doc_place(d->tree, doc_get(level->node, "epl"), s->off, 1);
            cmd_explain_stmt(out, s->ast, k + 1, at.line, &e->keys, ++order);
        }
    }
}

static void text(const struct cmd_graph *g, const struct eng_levels *l, struct buf *out)
{
    uint32_t groups = 0;
    for (uint32_t i = 0; i < l->n_levels; i++) {
        groups += l->levels[i].group == i;
    }
    (void)buf_addf(out, "graph " SLICE_FMT ": levels %u, groups %u\n", SLICE_ARG(g->doc->g.name),
                   l->n_levels, groups);
    for (uint32_t i = 0; i < l->n_levels; i++) {
        level_text(g, l, i, out);
    }
}

/* ---- JSON ---- */

static void field(struct buf *out, const char *key, struct slice v, const char *behind)
{
    (void)buf_addf(out, "\"%s\": ", key);
    cmd_json_string(v, out);
    (void)buf_add_str(out, behind);
}

static void json(const struct cmd_graph *g, const struct eng_levels *l, struct buf *out)
{
    const struct doc_level *levels = g->doc->g.levels;
    (void)buf_add_str(out, "{");
    field(out, "graph", g->doc->g.name, ", \"levels\": [");
    for (uint32_t i = 0; i < l->n_levels; i++) {
        (void)buf_add_str(out, i > 0 ? ",\n{" : "\n{");
        field(out, "name", levels[i].name, ", ");
        field(out, "group", levels[l->levels[i].group].name, ", ");
        field(out, "why", l->levels[i].why, ", \"units\": ");
        cmd_keys_units_json(&l->levels[i].keys, out);
        (void)buf_add_str(out, "}");
    }
    (void)buf_add_str(out, "],\n\"edges\": [");
    for (uint32_t i = 0; i < l->n_edges; i++) {
        const struct eng_edge *e = &l->edges[i];
        (void)buf_add_str(out, i > 0 ? ",\n{" : "\n{");
        field(out, "from", e->from == ENG_LEVEL_RAW ? SLICE_NONE : levels[e->from].name, ", ");
        field(out, "to", levels[e->to].name, ", ");
        field(out, "stream", e->stream, ", ");
        field(out, "key", e->key, ", ");
        (void)buf_addf(out, "\"shuffle\": %s, ", e->shuffle ? "true" : "false");
        field(out, "why", e->why, "}");
    }
    (void)buf_add_str(out, "]}\n");
}

static int explain(const struct cmd_graph_opts *o, const char *path)
{
    struct cmd_graph g;
    struct eng_levels l;
    struct err err;
    int code = cmd_graph_open(&g, path);
    err_clear(&err);
    if (code == CMD_OK && g.notes.errors > 0) {
        cmd_graph_say(&g, path, o->format);
        code = CMD_FINDINGS;
    } else if (code == CMD_OK && eng_levels(g.doc, &l, &err) != 0) {
        fprintf(stderr, "kaiju explain: %s: %s\n", path, err.msg);
        code = CMD_USAGE;
    } else if (code == CMD_OK) {
        struct buf b;
        buf_init(&b, DOC_ARENA_MAX);
        if (o->format == CMD_JSON) {
            json(&g, &l, &b);
        } else {
            text(&g, &l, &b);
        }
        buf_print(&b, stdout);
        buf_done(&b);
        eng_levels_done(&l);
    }
    cmd_graph_close(&g);
    return code;
}

static int run(const struct cmd *self, int argc, char **argv)
{
    struct cmd_graph_opts o = {.format = CMD_TEXT};
    struct conf *c = NULL;
    int code = CMD_OK;
    if (cmd_graph_options(self, rows, ARRAY_LEN(rows), &o, &c, argc, argv, &code)) {
        const char *path = cmd_graph_file(&o, c, 0);
        if (path == NULL || cmd_graph_file(&o, c, 1) != NULL) {
            fprintf(stderr, "kaiju explain: which document? -f graph.yaml\n");
            code = CMD_USAGE;
        } else {
            code = explain(&o, path);
        }
    }
    conf_free(c);
    return code;
}

extern const struct cmd cmd_explain_graph;
const struct cmd cmd_explain_graph = {
    "explain", "-f FILE [-o text|json]",
    "show what a rule graph does, by which keys it is cut into tasks, what is moved", run};
