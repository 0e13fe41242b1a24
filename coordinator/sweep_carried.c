/* SPDX-License-Identifier: Apache-2.0
 *
 * Which lineages tasks carry on: what the sweep must know before it removes anything. See
 * sweep_carried.h.
 */
#include "coordinator/sweep_carried.h"

#include "coordinator/graphs.h"
#include "coordinator/members.h"
#include "coordinator/store.h"
#include "coordinator/tasks.h"
#include "core/base/mem.h"

#include <stdio.h>

enum { NAME_BYTES = 512 };

static bool add_graph(const struct sweep_sources *x, const struct graph *g,
                      const struct map *writers, struct map *to, char why[SWEEP_WHY])
{
    uint32_t n = 0;
    const struct coordinator_group *v = members_groups(x->members, g->key, &n);
    if (v == NULL || n == 0) {
        (void)snprintf(why, SWEEP_WHY, "graph '" SLICE_FMT "' %s", SLICE_ARG(g->key),
                       v == NULL ? "is being laid out" : "cannot be laid out");
        return false;
    }
    int64_t end = store_end(x->store, STORE_GRAPHS);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < v[i].parts; k++) {
            char name[NAME_BYTES];
            uint64_t lineage;
            (void)snprintf(name, sizeof name, SLICE_FMT "/" SLICE_FMT "/%u", SLICE_ARG(g->key),
                           SLICE_ARG(v[i].name), k);
            const char *writer = map_get(writers, slice_str(name));
            if (writer == NULL ||
                !tasks_lineage(x->tasks, slice_str(name), writer, g, end, &lineage)) {
                (void)snprintf(why, SWEEP_WHY, "task %.120s %s", name,
                               writer == NULL ? "is no slot's" : "does not say that it is live");
                return false;
            }
            if (!sweep_carry(to, lineage)) {
                (void)snprintf(why, SWEEP_WHY, "there are too many tasks");
                return false;
            }
        }
    }
    return true;
}

bool sweep_carried(const struct sweep_sources *x, struct map *to, char why[SWEEP_WHY])
{
    struct map writers;
    size_t n;
    if (graphs_strange(x->graphs) > 0) {
        (void)snprintf(why, SWEEP_WHY, "a rule graph cannot be read (of a newer program?)");
        return false;
    }
    if (!members_follow(x->members, store_end(x->store, STORE_GRAPHS), &writers, why, SWEEP_WHY)) {
        return false;
    }
    const struct graph **all = graphs_of_tasks(x->graphs, &n);
    bool known = true;
    for (size_t i = 0; i < n && known; i++) {
        known = !all[i]->deleted;
        if (!known) {
            (void)snprintf(why, SWEEP_WHY, "graph '" SLICE_FMT "' is deleted and has not ended",
                           SLICE_ARG(all[i]->key));
        }
        known = known && add_graph(x, all[i], &writers, to, why);
    }
    mem_free(all);
    members_forget(&writers);
    return known;
}

/* Both count from the start of this process and do not shrink; one that leads has an epoch. */
uint64_t sweep_turn(const struct sweep_sources *x)
{
    bool leads = store_loaded(x->store) && store_writable(x->store);
    return leads ? 1 + graphs_turn(x->graphs) + members_turn(x->members) : 0;
}
