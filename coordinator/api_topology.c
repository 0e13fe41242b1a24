/* SPDX-License-Identifier: Apache-2.0
 *
 * What flows where: for each graph its levels, the types they read and make, and the edges between
 * them, out of the document; beside them the level groups that run, out of ctl.tasks. Documents are
 * compiled for this once per version of their text and kept as JSON.
 */
#include "coordinator/api_impl.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/doc/doc.h"
#include "operators/epl/epl.h"

#include <assert.h>
#include <stdio.h>

enum {
    ARENA_MAX = 256 * 1024 * 1024,
    DEPTH_MAX = 64,
    SHEETS_MAX = 32,                           /* documents that are copied at a time */
    ROUNDS_MAX = GRAPHS_MAX / SHEETS_MAX + 10, /* graphs change while they are drawn */
};

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

/* NULL: it is not drawn yet. */
static const json_t *drawn(struct api *a, const struct graph *g)
{
    const struct kept *k = map_get(a->topologies, g->key);
    return k != NULL && strcmp(k->tag, g->tag) == 0 ? k->drawn : NULL;
}

static void keep(struct api *a, struct slice key, const char *tag, json_t *take)
{
    void **slot = map_put(a->topologies, key);
    struct kept *k = slot != NULL ? *slot : NULL;
    if (slot == NULL) {
        json_decref(take);
        return;
    }
    if (k == NULL) {
        k = *slot = MEM_NEW(struct kept);
    }
    json_decref(k->drawn);
    snprintf(k->tag, sizeof k->tag, "%s", tag);
    k->drawn = take;
}

void api_forget(struct api *a, struct slice key)
{
    struct kept *k = map_remove(a->topologies, key);
    if (k != NULL) {
        json_decref(k->drawn);
        mem_free(k);
    }
}

/* ---- a request: documents that are not drawn yet are drawn beside the loop ---- */

struct sheet { /* a document to be drawn */
    char key[GRAPH_KEY_BYTES], tag[GRAPH_TAG_BYTES];
    size_t key_len;
    char *document;
    size_t len;
    json_t *drawn;
};

struct look {
    struct api *api;
    struct http_req *req; /* a reference */
    char tenant[API_TEXT_MAX], only[API_TEXT_MAX];
    bool one_tenant, one;
    VEC(struct sheet) sheets;
    unsigned rounds;
};

static void clear(struct look *l)
{
    VEC_EACH (&l->sheets, s) {
        mem_free(s->document);
        json_decref(s->drawn);
    }
    VEC_CLEAR(&l->sheets);
}

static void look_free(struct look *l)
{
    clear(l);
    VEC_DONE(&l->sheets);
    (void)http_req_unref(l->req);
    mem_free(l);
}

static void work(void *arg)
{
    struct look *l = arg;
    VEC_EACH (&l->sheets, s) {
        struct arena *arena = arena_new(NULL, "document", ARENA_MAX);
        struct doc_notes notes;
        struct err e;
        doc_notes_init(&notes, arena);
        struct doc *d = doc_read(arena, slice_of(s->document, s->len), &notes);
        if (d != NULL) {
            /* What was right once may have mistakes in the eyes of this version: draw what there
             * is. */
            (void)!doc_check(d, l->api->conf.engine, &notes, &e);
            s->drawn = draw(d);
        }
        doc_notes_done(&notes);
        arena_free(arena);
    }
}

static bool is_asked(const struct look *l, const struct graph *g)
{
    return !l->one || slice_eq(slice_str(l->only), g->name);
}

/* Each graph that is asked for; a page of graphs lives as long as nothing changes. */
static void each(struct look *l, void (*fn)(struct look *l, const struct graph *g, json_t *list),
                 json_t *list)
{
    const struct graph *page[API_LIMIT_MAX];
    struct slice after = SLICE_NONE, tenant = l->one_tenant ? slice_str(l->tenant) : SLICE_NONE;
    size_t n;
    while ((n = graphs_list(l->api->conf.graphs, tenant, after, API_LIMIT_MAX, page)) > 0) {
        for (size_t i = 0; i < n; i++) {
            if (is_asked(l, page[i])) {
                fn(l, page[i], list);
            }
        }
        after = page[n - 1]->key;
    }
}

static void add_sheet(struct look *l, const struct graph *g, json_t *list)
{
    (void)list;
    if (drawn(l->api, g) == NULL && l->sheets.len < SHEETS_MAX) {
        struct sheet *s = VEC_PUSH(&l->sheets);
        memcpy(s->key, g->key.ptr, g->key.len);
        s->key_len = g->key.len;
        snprintf(s->tag, sizeof s->tag, "%s", g->tag);
        s->document = mem_dup(g->document.ptr, g->document.len);
        s->len = g->document.len;
    }
}

/* LEVEL/NAME, of a level that runs in parts LEVEL.PART/NAME. Without a name there is a number, that
 * of the part: it says nothing here. */
static bool is_it(struct slice full, struct slice level, struct slice name)
{
    struct slice of = {NULL, 0};
    (void)slice_split(&full, '/', &of);
    bool part = of.len > level.len && of.ptr[level.len] == '.';
    of.len = part ? level.len : of.len;
    return slice_eq(of, level) && slice_eq(full, name);
}

/* A copy with the statements marked that may lack input that was lost. */
static json_t *marked(const json_t *drawn, const json_t *lacks)
{
    json_t *o = json_deep_copy(drawn), *level, *s, *lack;
    size_t i, k, n;
    json_array_foreach(json_object_get(o, "levels"), i, level)
    {
        json_array_foreach(json_object_get(level, "statements"), k, s)
        {
            const char *name = json_string_value(json_object_get(s, "name"));
            json_array_foreach(name != NULL ? lacks : NULL, n, lack)
            {
                const char *of = json_string_value(json_object_get(lack, "statement"));
                const char *in = json_string_value(json_object_get(level, "name"));
                if (is_it(slice_str(of), slice_str(in), slice_str(name))) {
                    (void)json_object_set_new(s, "incomplete", json_true());
                }
            }
        }
    }
    return o;
}

/* One that has changed while it was drawn is shown without levels: they are those of no version. */
static void add_graph(struct look *l, const struct graph *g, json_t *list)
{
    const struct tasks *tasks = l->api->conf.tasks;
    json_t *o = json_pack("{s:o, s:o, s:I, s:s}", "tenant", api_text(g->tenant), "name",
                          api_text(g->name), "version", (json_int_t)g->version, "phase",
                          tasks_phase(tasks, g->tenant, g->name, g->version));
    const json_t *d = drawn(l->api, g);
    const struct tasks_filter own = {.tenant = g->tenant, .graph = g->name};
    json_t *sum = tasks_sum(tasks, &own), *lacks = json_object_get(sum, "incomplete");
    if (d != NULL && lacks != NULL) {
        json_t *with = marked(d, lacks);
        (void)json_object_update(o, with);
        (void)json_object_set(o, "incomplete", lacks);
        json_decref(with);
    } else if (d != NULL) {
        (void)json_object_update(o, (json_t *)(uintptr_t)d);
    }
    json_decref(sum);
    (void)json_object_set_new(o, "groups", tasks_groups(tasks, g->tenant, g->name));
    (void)json_array_append_new(list, o);
}

static void answer(struct look *l)
{
    json_t *list = json_array();
    each(l, add_graph, list);
    api_reply(l->req, 200, json_pack("{s:o}", "graphs", list));
    look_free(l);
}

static void worked_on(void *arg, bool worked);

/* Draws what is missing, some at a time, then answers. */
static void go_on(struct look *l)
{
    each(l, add_sheet, NULL);
    if (l->sheets.len == 0 || l->rounds++ == ROUNDS_MAX) {
        answer(l);
    } else {
        aside_do(l->api->conf.aside, work, worked_on, l);
    }
}

static void worked_on(void *arg, bool worked)
{
    struct look *l = arg;
    VEC_EACH (&l->sheets, s) {
        const struct slice key = slice_of(s->key, s->key_len);
        if (graphs_get(l->api->conf.graphs, key) != NULL && worked) {
            keep(l->api, key, s->tag, s->drawn != NULL ? s->drawn : json_object());
            s->drawn = NULL;
        }
    }
    clear(l);
    if (worked) {
        go_on(l);
    } else {
        answer(l);
    }
}

void api_topology(struct api_call *c)
{
    struct slice only = api_param(c, "graph");
    if (!store_loaded(c->api->conf.store)) {
        api_problem(c->req, PROBLEM_NOT_READ, "the coordinator is starting");
        return;
    }
    if (aside_waiting(c->api->conf.aside) >= API_COMPILING_MAX) {
        api_problem(c->req, PROBLEM_BUSY, "%d documents are waiting to be compiled already",
                    API_COMPILING_MAX);
        return;
    }
    struct look *l = MEM_NEW(struct look);
    l->api = c->api;
    l->req = http_req_ref(c->req);
    l->one = only.ptr != NULL;
    l->one_tenant = c->tenant.ptr != NULL;
    snprintf(l->only, sizeof l->only, SLICE_FMT, SLICE_ARG(only));
    snprintf(l->tenant, sizeof l->tenant, SLICE_FMT, SLICE_ARG(c->tenant));
    go_on(l);
}
