/* SPDX-License-Identifier: Apache-2.0
 *
 * What flows where: for each graph its levels, the types they read and make, and the edges between
 * them, out of the document; beside them the level groups that run, out of ctl.tasks. Documents are
 * compiled for this once per version of their text and kept as JSON.
 */
#include "coordinator/api_impl.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "operators/doc/doc.h"
#include "operators/epl/epl.h"

#include <assert.h>
#include <stdio.h>

enum { ARENA_MAX = 256 * 1024 * 1024, DEPTH_MAX = 64 };

/* ---- what a statement reads ---- */

static void add_type(json_t *set, struct slice type)
{
    if (type.len > 0) {
        (void)json_object_setn_new(set, type.ptr, type.len, json_true());
    }
}

static void read_select(json_t *set, const struct ast_select *s, unsigned depth);

static void read_expr(json_t *set, const struct ast_expr *e, unsigned depth)
{
    if (e == NULL || depth > DEPTH_MAX) {
        return;
    }
    read_select(set, e->select, depth + 1);
    for (uint32_t i = 0; i < e->n_args; i++) {
        read_expr(set, e->args[i], depth + 1);
    }
}

static void read_stream(json_t *set, const struct ast_stream *s, unsigned depth);

static void read_pattern(json_t *set, const struct ast_pat *p, unsigned depth)
{
    if (p == NULL || depth > DEPTH_MAX) {
        return;
    }
    read_stream(set, p->stream, depth + 1);
    for (uint32_t i = 0; i < p->n_kids; i++) {
        read_pattern(set, p->kids[i], depth + 1);
    }
}

static void read_stream(json_t *set, const struct ast_stream *s, unsigned depth)
{
    if (s != NULL && depth <= DEPTH_MAX) {
        add_type(set, s->type);
        read_pattern(set, s->pattern, depth + 1);
        for (uint32_t i = 0; i < s->n_filters; i++) {
            read_expr(set, s->filters[i], depth + 1);
        }
    }
}

static void read_select(json_t *set, const struct ast_select *s, unsigned depth)
{
    if (s == NULL || depth > DEPTH_MAX) {
        return;
    }
    for (uint32_t i = 0; i < s->n_from; i++) {
        read_stream(set, &s->from[i], depth + 1);
    }
    read_expr(set, s->where, depth + 1);
    read_expr(set, s->having, depth + 1);
}

static json_t *reads_of(const struct ast_stmt *s)
{
    json_t *set = json_object(), *list = json_array(), *v;
    const char *name;
    if (s != NULL) {
        read_select(set, s->select, 0);
        read_select(set, s->as_select, 0);
        read_stream(set, s->trigger, 0);
        read_stream(set, s->target, 0);
        read_expr(set, s->where, 0);
    }
    json_object_foreach(set, name, v)
    {
        (void)json_array_append_new(list, json_string(name));
    }
    json_decref(set);
    return list;
}

/* ---- a document ---- */

static json_t *statement(const struct doc_stmt *s)
{
    json_t *o = json_pack("{s:o}", "reads", reads_of(s->ast));
    if (s->name.len > 0) {
        (void)json_object_set_new(o, "name", api_text(s->name));
    }
    if (s->n_inserts > 0) {
        json_t *inserts = json_array();
        for (uint32_t i = 0; i < s->n_inserts; i++) {
            (void)json_array_append_new(inserts, api_text(s->inserts[i]));
        }
        (void)json_object_set_new(o, "inserts", inserts);
    }
    if (s->alert != NULL) {
        (void)json_object_set_new(o, "alert", api_text(s->alert->severity));
    }
    return o;
}

/* From the levels that make what this one reads. */
static void add_edges(json_t *edges, const struct doc *d, uint32_t level)
{
    const struct doc_level *l = &d->g.levels[level];
    for (uint32_t i = 0; i < d->n_made; i++) {
        const struct doc_type *t = &d->made[i];
        bool reads = false;
        for (uint32_t k = 0; t->level != level && !reads && k < l->n_stmts; k++) {
            reads = doc_stmt_reads(d, &l->stmts[k], t->name);
        }
        if (reads) {
            (void)json_array_append_new(
                edges, json_pack("{s:o, s:o, s:o}", "from", api_text(d->g.levels[t->level].name),
                                 "to", api_text(l->name), "type", api_text(t->name)));
        }
    }
}

static json_t *draw(const struct doc *d)
{
    json_t *levels = json_array(), *edges = json_array();
    for (uint32_t i = 0; i < d->g.n_levels; i++) {
        const struct doc_level *l = &d->g.levels[i];
        json_t *stmts = json_array(), *makes = json_array();
        for (uint32_t k = 0; k < l->n_stmts; k++) {
            (void)json_array_append_new(stmts, statement(&l->stmts[k]));
        }
        for (uint32_t k = 0; k < d->n_made; k++) {
            if (d->made[k].level == i) {
                (void)json_array_append_new(makes, api_text(d->made[k].name));
            }
        }
        add_edges(edges, d, i);
        (void)json_array_append_new(levels, json_pack("{s:o, s:o, s:o}", "name", api_text(l->name),
                                                      "makes", makes, "statements", stmts));
    }
    return json_pack("{s:o, s:o}", "levels", levels, "edges", edges);
}

/* ---- kept ---- */

struct kept {
    char tag[GRAPH_TAG_BYTES];
    json_t *drawn;
};

static json_t *drawn(struct api *a, const struct graph *g)
{
    void **slot = map_put(a->topologies, g->key);
    struct kept *k = slot != NULL ? *slot : NULL;
    if (k != NULL && strcmp(k->tag, g->tag) == 0) {
        return json_incref(k->drawn);
    }
    struct arena *arena = arena_new(NULL, "document", ARENA_MAX);
    struct doc_notes notes;
    struct err e;
    json_t *o = NULL;
    doc_notes_init(&notes, arena);
    struct doc *d = doc_read(arena, g->document, &notes);
    if (d != NULL) {
        /* What was right once may have mistakes in the eyes of this version: draw what there is. */
        (void)!doc_check(d, a->conf.engine, &notes, &e);
        o = draw(d);
    }
    doc_notes_done(&notes);
    arena_free(arena);
    o = o != NULL ? o : json_object();
    if (slot != NULL) {
        if (k == NULL) {
            k = *slot = MEM_NEW(struct kept);
        }
        json_decref(k->drawn);
        snprintf(k->tag, sizeof k->tag, "%s", g->tag);
        k->drawn = json_incref(o);
    }
    return o;
}

void api_forget(struct api *a, struct slice key)
{
    struct kept *k = map_remove(a->topologies, key);
    if (k != NULL) {
        json_decref(k->drawn);
        mem_free(k);
    }
}

void api_topology(struct api_call *c)
{
    const struct graph *page[API_LIMIT_MAX];
    struct slice only = api_param(c, "graph"), after = SLICE_NONE;
    json_t *list = json_array();
    size_t n;
    if (!store_loaded(c->api->conf.store)) {
        json_decref(list);
        api_problem(c->req, PROBLEM_NOT_READ, "the coordinator is starting");
        return;
    }
    while ((n = graphs_list(c->api->conf.graphs, c->tenant, after, API_LIMIT_MAX, page)) > 0) {
        for (size_t i = 0; i < n; i++) {
            const struct graph *g = page[i];
            if (only.ptr != NULL && !slice_eq(only, g->name)) {
                continue;
            }
            json_t *o = json_pack("{s:o, s:o, s:I, s:s}", "tenant", api_text(g->tenant), "name",
                                  api_text(g->name), "version", (json_int_t)g->version, "phase",
                                  tasks_phase(c->api->conf.tasks, g->tenant, g->name, g->version));
            json_t *d = drawn(c->api, g);
            (void)json_object_update(o, d);
            json_decref(d);
            (void)json_object_set_new(o, "groups",
                                      tasks_groups(c->api->conf.tasks, g->tenant, g->name));
            (void)json_array_append_new(list, o);
        }
        after = page[n - 1]->key;
    }
    api_reply(c->req, 200, json_pack("{s:o}", "graphs", list));
}
