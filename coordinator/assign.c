/* SPDX-License-Identifier: Apache-2.0
 *
 * See assign.h.
 */
#include "coordinator/assign.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct work {
    const struct assign_slot *slots;
    const struct assign_task *tasks;
    uint32_t n_slots, n_tasks;
    uint32_t *load, *at; /* tasks per slot; the slot of each task */
};

static bool takes(const struct assign_slot *s, const struct assign_task *t)
{
    bool any = s->level.len == 0;
    for (uint32_t i = 0; !any && i < t->n_levels; i++) {
        any = slice_eq(s->level, t->levels[i]);
    }
    return any;
}

/* By load, then the first slots of all workers, then by name: never by the order in which workers
 * were heard of. */
static bool is_better(const struct work *w, uint32_t a, uint32_t b)
{
    const struct assign_slot *x = &w->slots[a], *y = &w->slots[b];
    if (w->load[a] != w->load[b]) {
        return w->load[a] < w->load[b];
    }
    return x->number != y->number ? x->number < y->number : slice_cmp(x->worker, y->worker) < 0;
}

static uint32_t best_for(const struct work *w, const struct assign_task *t)
{
    uint32_t best = ASSIGN_NONE;
    for (uint32_t i = 0; i < w->n_slots; i++) {
        if (takes(&w->slots[i], t) && (best == ASSIGN_NONE || is_better(w, i, best))) {
            best = i;
        }
    }
    return best;
}

static void put(struct work *w, uint32_t task, uint32_t slot)
{
    if (w->at[task] != ASSIGN_NONE) {
        w->load[w->at[task]]--;
    }
    w->at[task] = slot;
    if (slot != ASSIGN_NONE) {
        w->load[slot]++;
    }
}

/* Each who would leave a slot two tasks fuller than the best other one moves there. */
static uint32_t even_out(struct work *w, const uint32_t *order, uint32_t max_moves)
{
    uint32_t moves = 0;
    for (uint32_t i = w->n_tasks; i > 0 && moves < max_moves; i--) {
        uint32_t task = order[i - 1], from = w->at[task];
        if (from == ASSIGN_NONE || w->tasks[task].previous != from) {
            continue;
        }
        uint32_t to = best_for(w, &w->tasks[task]);
        if (to != ASSIGN_NONE && w->load[from] >= w->load[to] + 2) {
            put(w, task, to);
            moves++;
        }
    }
    return moves;
}

struct named {
    struct slice name;
    uint32_t task;
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return slice_cmp(x->name, y->name);
}

static uint32_t *order_of(const struct assign_task *tasks, uint32_t n)
{
    struct named *named = mem_calloc(n + 1, sizeof *named);
    uint32_t *order = mem_calloc(n + 1, sizeof *order);
    for (uint32_t i = 0; i < n; i++) {
        named[i] = (struct named){tasks[i].name, i};
    }
    qsort(named, n, sizeof *named, by_name);
    for (uint32_t i = 0; i < n; i++) {
        order[i] = named[i].task;
    }
    mem_free(named);
    return order;
}

uint32_t assign_tasks(const struct assign_slot *slots, uint32_t n_slots,
                      const struct assign_task *tasks, uint32_t n_tasks, uint32_t max_moves,
                      uint32_t *ret)
{
    struct work w = {slots, tasks, n_slots, n_tasks, NULL, ret};
    uint32_t *order = order_of(tasks, n_tasks);
    w.load = mem_calloc(n_slots + 1, sizeof *w.load);
    for (uint32_t i = 0; i < n_tasks; i++) {
        uint32_t had = tasks[i].previous;
        assert(had == ASSIGN_NONE || had < n_slots);
        ret[i] = ASSIGN_NONE;
        if (had != ASSIGN_NONE && takes(&slots[had], &tasks[i])) {
            put(&w, i, had);
        }
    }
    for (uint32_t i = 0; i < n_tasks; i++) {
        if (ret[order[i]] == ASSIGN_NONE) {
            put(&w, order[i], best_for(&w, &tasks[order[i]]));
        }
    }
    uint32_t moves = even_out(&w, order, max_moves);
    mem_free(w.load);
    mem_free(order);
    return moves;
}
