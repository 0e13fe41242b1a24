/* SPDX-License-Identifier: Apache-2.0
 *
 * See gone.h.
 */
#include "coordinator/gone.h"

#include "coordinator/graphs.h"
#include "coordinator/members.h"
#include "coordinator/store.h"
#include "coordinator/tasks.h"
#include "core/base/log.h"
#include "core/base/mem.h"

#include <stdio.h>

enum { TASK_BYTES = 512 };

struct gone {
    struct gone_conf conf;
    bool busy; /* a record is on its way: one at a time */
    char key[GRAPH_KEY_BYTES];
    int64_t life;
    struct buf value; /* empty: the record is removed */
};

struct gone *gone_new(const struct gone_conf *conf)
{
    struct gone *g = MEM_NEW(struct gone);
    g->conf = *conf;
    buf_init(&g->value, BUS_RECORD_MAX);
    return g;
}

void gone_free(struct gone *g)
{
    if (g != NULL) {
        buf_done(&g->value);
        mem_free(g);
    }
}

/* *ret_unknown: its document has no tasks any more, so none will end, and what they left stays. */
static bool has_ended(const struct gone *g, const struct graph *of, bool *ret_unknown)
{
    uint32_t n = 0;
    const struct coordinator_group *v = members_groups(g->conf.members, of->key, &n);
    bool ended = v != NULL;
    for (uint32_t i = 0; ended && i < n; i++) {
        for (uint32_t k = 0; ended && k < v[i].parts; k++) {
            char name[TASK_BYTES];
            (void)snprintf(name, sizeof name, SLICE_FMT "/" SLICE_FMT "/%u", SLICE_ARG(of->key),
                           SLICE_ARG(v[i].name), k);
            ended = tasks_has_ended(g->conf.tasks, slice_str(name), of->life);
        }
    }
    *ret_unknown = ended && n == 0;
    return ended;
}

/* Nobody may have applied another graph of that name meanwhile. */
static bool decide(void *arg, struct store_record *ret_record)
{
    struct gone *g = arg;
    const struct graph *now = graphs_record(g->conf.graphs, slice_str(g->key));
    g->busy = now != NULL && now->deleted && !now->over && now->life == g->life;
    *ret_record = (struct store_record){
        slice_str(g->key), g->value.len > 0 ? buf_slice(&g->value) : SLICE_NONE, STORE_GRAPHS};
    return g->busy;
}

static void done(void *arg, const struct err *err)
{
    struct gone *g = arg;
    g->busy = false;
    if (err == NULL) {
        LOG_INFO("a deleted rule graph has ended", LOG_STR("graph", g->key));
    } else if (err->code != ERR_CLOSED) {
        LOG_WARN("a deleted rule graph cannot be forgotten", LOG_STR("graph", g->key),
                 LOG_STR("error", err->msg));
    }
}

/* Where tasks may be left that nobody has ended, the record stays, so that the next graph of the
 * name is another life and takes nothing over. */
static void forget(struct gone *g, const struct graph *of, bool unknown)
{
    static const struct store_change change = {.decide = decide, .done = done};
    struct err err;
    (void)snprintf(g->key, sizeof g->key, SLICE_FMT, SLICE_ARG(of->key));
    g->life = of->life;
    buf_clear(&g->value);
    if (of->life > 0 || unknown) {
        struct graph to = *of;
        to.over = true;
        to.document = SLICE("");
        to.n_previous = 0;
        (void)graphs_value(&g->value, &to);
    }
    g->busy = true;
    if (store_submit(g->conf.store, &change, g, &err) != 0) {
        done(g, &err);
    }
}

void gone_step(struct gone *g)
{
    if (g->busy || graphs_deleted(g->conf.graphs) == 0 || !store_loaded(g->conf.store) ||
        !store_writable(g->conf.store)) {
        return;
    }
    size_t n;
    bool unknown = false;
    const struct graph **all = graphs_of_tasks(g->conf.graphs, &n), *found = NULL;
    for (size_t i = 0; i < n && found == NULL; i++) {
        found = all[i]->deleted && has_ended(g, all[i], &unknown) ? all[i] : NULL;
    }
    mem_free(all);
    if (found != NULL) {
        forget(g, found, unknown);
    }
}
