/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju explain -f graph.yaml`: what each level does, by which keys its units are cut into tasks
 * or why not, which levels run together, and what is moved between them.
 */
#include "operators/cmd/cmd_graph.h"
#include "operators/cmd/cmd_json.h"
#include "operators/cmd/cmd_keys.h"
#include "operators/shard/layout.h"

#include <stdio.h>

static const char *const formats[] = {"text", "json", NULL};
static const struct conf_row rows[] = {
    {"file", CONF_LIST, offsetof(struct cmd_graph_opts, files), NULL, 0, 0, NULL, 0,
     "the document (-f), - is standard input"},
    {"partitions", CONF_INT, offsetof(struct cmd_graph_opts, partitions), "8", 1, 1024, NULL, 0,
     "partitions of the topics of signals (bus.partitions)"},
    {"output", CONF_ENUM, offsetof(struct cmd_graph_opts, format), "text", 0, 0, formats, 0,
     "how to print (-o)"},
};

struct view {
    const struct cmd_graph *g;
    const struct layout_looks *looks;
    const struct layout *l;
    struct buf *out;
    struct slice to; /* of the edges that are printed as JSON; any: one was */
    bool *any;
};

struct edge { /* a stream that a part of a level reads */
    struct slice from, stream, topic, why;
    bool moved;
    const struct slice *key;
    uint32_t n_key;
};

/* ---- edges ---- */

static const struct layout_group *group_of(const struct view *v, uint32_t part)
{
    for (uint32_t i = 0; i < v->l->n_groups; i++) {
        if ((v->l->groups[i].members >> part & 1) != 0) {
            return &v->l->groups[i];
        }
    }
    return NULL;
}

static bool inserts(const struct layout_part *p, struct slice type)
{
    for (uint32_t s = 0; s < p->n_stmts; s++) {
        for (uint32_t k = 0; k < p->stmts[s]->n_inserts; k++) {
            if (slice_eq(p->stmts[s]->inserts[k], type)) {
                return true;
            }
        }
    }
    return false;
}

static bool reads(const struct doc *d, const struct layout_part *p, struct slice type)
{
    bool found = false;
    for (uint32_t s = 0; !found && s < p->n_stmts; s++) {
        found = doc_stmt_reads(d, p->stmts[s], type);
    }
    return found;
}

/* Who makes the parts of sums that the group adds up: it stands before it. */
static struct slice local_of(const struct view *v, const struct layout_group *g)
{
    return g > v->l->groups ? g[-1].name : SLICE_NONE;
}

/* Calls `each` for every edge to the part. */
static void each_edge(const struct view *v, uint32_t part,
                      void (*each)(const struct view *v, const struct edge *e))
{
    const struct layout_group *g = group_of(v, part);
    const struct layout_part *parts = v->looks->parts;
    const struct doc *d = v->g->doc;
    for (uint32_t i = 0; g != NULL && i < g->n_reads; i++) {
        const struct layout_read *r = &g->reads[i];
        struct edge e = {.from = SLICE("the signals"),
                         .stream = r->stream,
                         .topic = r->topic,
                         .why = r->why,
                         .moved = r->way != LAYOUT_AS_IT_LIES,
                         .key = r->key,
                         .n_key = r->n_key};
        bool mine = reads(d, &parts[part], r->stream);
        if (r->way == LAYOUT_SUMMED) {
            mine = true;
            e.from = local_of(v, g);
        }
        if (mine && r->from == 0) {
            each(v, &e);
        }
        for (uint32_t k = 0; mine && k < part; k++) {
            e.from = parts[k].name;
            if ((r->from >> k & 1) != 0) {
                each(v, &e);
            }
        }
    }
    for (uint32_t i = 0; g != NULL && i < d->n_made; i++) {
        for (uint32_t k = 0; k < part; k++) {
            const struct edge e = {
                .from = parts[k].name, .stream = d->made[i].name, .why = SLICE("within the task")};
            if ((g->members >> k & 1) != 0 && inserts(&parts[k], e.stream) &&
                reads(d, &parts[part], e.stream)) {
                each(v, &e);
            }
        }
    }
}

/* ---- text ---- */

static void names_text(struct buf *out, const struct slice *names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        (void)buf_addf(out, "%s" SLICE_FMT, i > 0 ? ", " : "", SLICE_ARG(names[i]));
    }
}

static void edge_text(const struct view *v, const struct edge *e)
{
    (void)buf_addf(v->out, "  reads " SLICE_FMT " of " SLICE_FMT ": %s", SLICE_ARG(e->stream),
                   SLICE_ARG(e->from), e->moved ? "shuffled" : "not moved");
    if (e->moved && e->n_key > 0) {
        (void)buf_add_str(v->out, " by ");
        names_text(v->out, e->key, e->n_key);
    }
    (void)buf_addf(v->out, " (" SLICE_FMT ")\n", SLICE_ARG(e->why));
}

/* Whether its sums are made in parts, and why not. */
static void sum_text(const struct view *v, const struct layout_part *p, uint32_t k,
                     const struct layout_group *g)
{
    if (p->sums[k] != NULL && g != NULL) {
        (void)buf_addf(v->out,
                       "    split     summed up by " SLICE_FMT " as " SLICE_FMT
                       ", added up here: " SLICE_FMT "\n",
                       SLICE_ARG(local_of(v, g)), SLICE_ARG(p->sums[k]->type),
                       SLICE_ARG(p->sums[k]->whole));
    } else if (p->whole[k].len > 0) {
        (void)buf_addf(v->out, "    not split " SLICE_FMT "\n", SLICE_ARG(p->whole[k]));
    }
}

static void part_text(const struct view *v, uint32_t i)
{
    const struct layout_part *p = &v->looks->parts[i];
    const struct layout_group *g = group_of(v, i);
    (void)buf_addf(v->out, "\n%s " SLICE_FMT ": ",
                   slice_eq(p->name, p->doc->name) ? "level" : "part", SLICE_ARG(p->name));
    if (g == NULL) {
        (void)buf_add_str(v->out, "no tasks: nothing makes what it reads\n");
    } else if ((g->members & ((1ULL << i) - 1)) != 0) {
        (void)buf_addf(v->out, "in the tasks of level " SLICE_FMT "\n", SLICE_ARG(g->name));
    } else {
        (void)buf_addf(v->out, "tasks of its own%s" SLICE_FMT "\n", g->apart.len > 0 ? ": " : "",
                       SLICE_ARG(g->apart));
    }
    each_edge(v, i, edge_text);
    for (uint32_t k = 0; k < p->keys.n_units; k++) {
        (void)buf_addf(v->out, "  unit %u ", k + 1);
        cmd_keys_unit(&p->keys.units[k], v->out);
    }
    struct doc_walk walk;
    doc_walk(&walk, v->g->doc->tree, doc_get(p->doc->node, "epl"));
    for (uint32_t k = 0; k < p->n_stmts; k++) {
        const struct doc_stmt *s = p->stmts[k];
        struct span at = doc_walk_to(&walk, s->off, 1);
        cmd_explain_stmt(v->out, s->ast, (uint32_t)(s - p->doc->stmts) + 1, at.line, &p->keys,
                         p->before + k + 1);
        sum_text(v, p, k, g);
    }
}

static void group_text(const struct view *v, const struct layout_group *g)
{
    const struct task_plan *p = g->tasks[0].plan;
    (void)buf_addf(v->out, "\ngroup " SLICE_FMT ": %u task%s", SLICE_ARG(g->name), g->parts,
                   g->parts > 1 ? "s" : "");
    if (g->local) {
        (void)buf_add_str(v->out, " that sum up, one for each partition of the signals");
    } else if (g->source) {
        (void)buf_add_str(v->out, ", without state, one for each partition of the signals");
    } else if (g->why.len > 0) {
        (void)buf_addf(v->out, ": " SLICE_FMT, SLICE_ARG(g->why));
    }
    (void)buf_add_byte(v->out, '\n');
    for (uint32_t i = 0; i < g->n_filters; i++) {
        (void)buf_addf(v->out, "  %s " SLICE_FMT "\n", g->local ? "makes" : "passes on",
                       SLICE_ARG(g->filters[i]));
    }
    if (g->source && !g->keeps_all) {
        (void)buf_add_str(v->out, "  with context");
        (void)buf_add_str(v->out, g->n_keeps > 0 ? " and " : " alone");
        names_text(v->out, g->keeps, g->n_keeps);
        (void)buf_add_byte(v->out, '\n');
    }
    for (uint32_t i = 0, last = UINT32_MAX; i < p->n_subs; i++) {
        if (p->subs[i].topic != last) {
            last = p->subs[i].topic;
            (void)buf_addf(v->out, "  from " SLICE_FMT "\n", SLICE_ARG(g->tasks[0].topics[last]));
        }
    }
    for (uint32_t i = 0; i < p->n_to; i++) {
        (void)buf_addf(v->out, "  to " SLICE_FMT ", %u partition%s\n", SLICE_ARG(p->to[i].topic),
                       p->to[i].parts, p->to[i].parts > 1 ? "s" : "");
    }
}

static void text(const struct view *v)
{
    uint32_t sources = 0;
    for (uint32_t i = 0; i < v->l->n_groups; i++) {
        sources += v->l->groups[i].source;
    }
    (void)buf_addf(v->out, "graph " SLICE_FMT ": levels %u, groups %u, sources %u, tasks %u\n",
                   SLICE_ARG(v->g->doc->g.name), v->g->doc->g.n_levels, v->l->n_groups - sources,
                   sources, v->l->n_tasks);
    for (uint32_t i = 0; i < v->looks->n_parts; i++) {
        part_text(v, i);
    }
    for (uint32_t i = 0; i < v->l->n_groups; i++) {
        group_text(v, &v->l->groups[i]);
    }
}

/* ---- JSON ---- */

static void field(struct buf *out, const char *key, struct slice v, const char *behind)
{
    (void)buf_addf(out, "\"%s\": ", key);
    cmd_json_string(v, out);
    (void)buf_add_str(out, behind);
}

static void list(struct buf *out, const char *key, const struct slice *v, uint32_t n,
                 const char *behind)
{
    (void)buf_addf(out, "\"%s\": [", key);
    for (uint32_t i = 0; i < n; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        cmd_json_string(v[i], out);
    }
    (void)buf_addf(out, "]%s", behind);
}

static void edge_json(const struct view *v, const struct edge *e)
{
    struct slice from = slice_eq(e->from, SLICE("the signals")) ? SLICE_NONE : e->from;
    (void)buf_add_str(v->out, *v->any ? ",\n{" : "\n{");
    *v->any = true;
    field(v->out, "from", from, ", ");
    field(v->out, "to", v->to, ", ");
    field(v->out, "stream", e->stream, ", ");
    list(v->out, "key", e->key, e->n_key, ", ");
    field(v->out, "topic", e->topic, ", ");
    (void)buf_addf(v->out, "\"shuffle\": %s, ", e->moved ? "true" : "false");
    field(v->out, "why", e->why, "}");
}

/* Statements with sums that are split, or might have been. */
static void sums_json(const struct view *v, const struct layout_part *p)
{
    bool any = false;
    (void)buf_add_str(v->out, ", \"sums\": [");
    for (uint32_t k = 0; k < p->n_stmts; k++) {
        if (p->sums[k] != NULL || p->whole[k].len > 0) {
            (void)buf_addf(v->out, "%s{\"statement\": %u, ", any ? ", " : "",
                           (unsigned)(p->stmts[k] - p->doc->stmts) + 1);
            field(v->out, "name", p->stmts[k]->name, ", ");
            (void)buf_addf(v->out, "\"split\": %s, ", p->sums[k] != NULL ? "true" : "false");
            field(v->out, "why", p->whole[k], "}");
            any = true;
        }
    }
    (void)buf_add_str(v->out, "]");
}

static void parts_json(const struct view *v)
{
    (void)buf_add_str(v->out, "\"levels\": [");
    for (uint32_t i = 0; i < v->looks->n_parts; i++) {
        const struct layout_part *p = &v->looks->parts[i];
        const struct layout_group *g = group_of(v, i);
        bool first = g != NULL && (g->members & ((1ULL << i) - 1)) == 0;
        (void)buf_add_str(v->out, i > 0 ? ",\n{" : "\n{");
        field(v->out, "name", p->name, ", ");
        field(v->out, "level", p->doc->name, ", ");
        field(v->out, "group", g != NULL ? g->name : SLICE_NONE, ", ");
        field(v->out, "why", first ? g->apart : SLICE_NONE, ", \"units\": ");
        cmd_keys_units_json(&p->keys, v->out);
        sums_json(v, p);
        (void)buf_add_str(v->out, "}");
    }
    (void)buf_add_str(v->out, "],\n");
}

static void groups_json(const struct view *v)
{
    (void)buf_add_str(v->out, "\"groups\": [");
    for (uint32_t i = 0; i < v->l->n_groups; i++) {
        const struct layout_group *g = &v->l->groups[i];
        const struct task_plan *p = g->tasks[0].plan;
        (void)buf_add_str(v->out, i > 0 ? ",\n{" : "\n{");
        field(v->out, "name", g->name, ", ");
        (void)buf_addf(v->out, "\"tasks\": %u, \"source\": %s, \"local\": %s, ", g->parts,
                       g->source ? "true" : "false", g->local ? "true" : "false");
        field(v->out, "why", g->why, ", ");
        list(v->out, "passes", g->filters, g->n_filters, ", ");
        if (g->source && !g->keeps_all) {
            list(v->out, "keeps", g->keeps, g->n_keeps, ", ");
        }
        (void)buf_add_str(v->out, "\"to\": [");
        for (uint32_t k = 0; k < p->n_to; k++) {
            (void)buf_add_str(v->out, k > 0 ? ", {" : "{");
            field(v->out, "topic", p->to[k].topic, ", ");
            (void)buf_addf(v->out, "\"partitions\": %u}", p->to[k].parts);
        }
        (void)buf_add_str(v->out, "]}");
    }
    (void)buf_add_str(v->out, "]");
}

static void json(struct view *v)
{
    (void)buf_add_str(v->out, "{");
    field(v->out, "graph", v->g->doc->g.name, ", ");
    parts_json(v);
    (void)buf_add_str(v->out, "\"edges\": [");
    for (uint32_t i = 0; i < v->looks->n_parts; i++) {
        v->to = v->looks->parts[i].name;
        each_edge(v, i, edge_json);
    }
    (void)buf_add_str(v->out, "],\n");
    groups_json(v);
    (void)buf_add_str(v->out, "}\n");
}

static int print(const struct cmd_graph_opts *o, const struct cmd_graph *g, const char *path)
{
    struct layout_looks looks;
    struct layout *l = NULL;
    struct err err;
    struct buf b;
    const struct layout_conf conf = {.raw_parts = (uint32_t)o->partitions};
    err_clear(&err);
    int rc = layout_look(g->doc, conf.raw_parts, &looks, &err);
    if (rc == 0) {
        rc = layout_of(g->arena, g->doc, &looks, &conf, &l, &err);
        if (rc != 0) {
            layout_looks_done(&looks);
        }
    }
    if (rc != 0) {
        fprintf(stderr, "kaiju explain: %s: %s\n", path, err.msg);
        return CMD_USAGE;
    }
    buf_init(&b, DOC_ARENA_MAX);
    bool any = false;
    struct view v = {.g = g, .looks = &looks, .l = l, .out = &b, .any = &any};
    if (o->format == CMD_JSON) {
        json(&v);
    } else {
        text(&v);
    }
    buf_print(&b, stdout);
    buf_done(&b);
    layout_looks_done(&looks);
    return CMD_OK;
}

static int explain(const struct cmd_graph_opts *o, const char *path)
{
    struct cmd_graph g;
    int code = cmd_graph_open(&g, path);
    if (code == CMD_OK && g.notes.errors > 0) {
        cmd_graph_say(&g, path, o->format);
        code = CMD_FINDINGS;
    } else if (code == CMD_OK) {
        code = print(o, &g, path);
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
            fputs(path == NULL ? "kaiju explain: which document? -f graph.yaml\n"
                               : "kaiju explain: one document at a time; see --help\n",
                  stderr);
            code = CMD_USAGE;
        } else if ((o.partitions & (o.partitions - 1)) != 0) {
            fprintf(stderr,
                    "kaiju explain: --partitions: expected a power of two, as bus.partitions\n");
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
    "explain", "-f FILE [--partitions N] [-o text|json]",
    "show what a rule graph does, by which keys it is cut into tasks, what is moved", run};
