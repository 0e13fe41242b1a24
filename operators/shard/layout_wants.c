/* SPDX-License-Identifier: Apache-2.0
 *
 * Which events concern the rules of a group at all, before any of its tasks has met one, and what
 * of them the rules look at: said once per layout, for all tasks and threads, and never changed.
 */
#include "operators/graph/eng_reads.h"
#include "operators/graph/eng_wants.h"
#include "operators/shard/layout_impl.h"

static const struct task_wants *wants_of(struct layout_making *m, struct eng *e)
{
    struct eng_wants w = {0};
    struct task_wants *to = NULL;
    if (eng_wants(e, &w)) {
        struct route_want *v = arena_array(m->a, w.v.len + 1, sizeof *v);
        for (size_t i = 0; i < w.v.len; i++) {
            v[i] = route_want_copy(m->a, &w.v.ptr[i]);
        }
        to = ARENA_NEW(m->a, struct task_wants);
        *to = (struct task_wants){.v = v, .n = w.v.len, .version = eng_wants_version(e)};
        to->may_sleep = eng_due(e) == INT64_MAX && eng_numbered(e) == 0;
    }
    VEC_DONE(&w.v);
    return to;
}

/* Of types of Kaiju's own world; the original's are made as a whole. */
static void looks_of(struct layout_making *m, struct eng *e, struct task_plan *p)
{
    struct eng_reads *r = eng_reads_new();
    const bool **to = arena_array(m->a, p->n_reads + 1, sizeof *to);
    for (uint32_t i = 0; i < p->n_modules; i++) {
        eng_reads_add(r, p->modules[i].text);
    }
    for (uint32_t i = 0; i < p->n_reads; i++) {
        const struct etype *type = eng_type(e, p->reads[i]);
        bool *columns = type != NULL ? arena_array(m->a, type->n_cols + 1, sizeof *columns) : NULL;
        if (columns != NULL) {
            eng_reads_columns(r, type, columns);
        }
        to[i] = columns;
    }
    p->looks = to;
    eng_reads_free(r);
}

static void ask(struct layout_making *m, struct eng *e, struct task_plan *p)
{
    p->wants = wants_of(m, e);
    if (p->world == BUILTIN_KAIJU) {
        looks_of(m, e, p);
    }
}

/* The modules of a group that is no source are deployed already: a second engine with them would
 * be as large as that one. */
static struct eng *engine_of(const struct layout_making *m, const struct layout_group *g)
{
    for (uint32_t i = 0; i < m->n_engines && !g->source; i++) {
        if (m->engines[i].members == g->members) {
            return m->engines[i].eng;
        }
    }
    return NULL;
}

void layout_wants(struct layout_making *m, const struct layout_group *g, struct task_plan *p)
{
    struct err err;
    struct eng *e = engine_of(m, g);
    if (e != NULL) {
        ask(m, e, p);
        return;
    }
    int rc = 0;
    e = eng_new(&(struct eng_conf){.limits = p->limits});
    for (uint32_t i = 0; i < p->n_modules && rc == 0; i++) {
        rc = eng_deploy(e, p->modules[i].id, p->modules[i].text, &err);
    }
    if (rc == 0) {
        ask(m, e, p);
    }
    eng_free(e);
}
