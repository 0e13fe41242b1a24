/* SPDX-License-Identifier: Apache-2.0
 *
 * What slots run, for who must know of all of them: see members.h. Only what a worker says of its
 * slots with the incarnation and the number of their last records counts; a slot without a record
 * is fenced, or never was.
 */
#include "coordinator/members_impl.h"
#include "core/base/mem.h"

#include <stdio.h>

uint64_t members_turn(const struct members *m)
{
    return m->seat_turn;
}

void members_forget(struct map *writers)
{
    MAP_EACH (writers, e) {
        mem_free(e->value);
    }
    map_done(writers);
}

static const char *why_not(const struct members *m, const struct seat *s, int64_t graphs_end)
{
    const struct worker *w = map_get(&m->workers, slice_str(s->worker));
    const struct held *h = w != NULL && s->number < SLOTS_MAX ? &w->held[s->number] : NULL;
    return s->revoked || h == NULL || !members_has_worker(m, s) ? "is being taken from its worker"
           : h->incarnation != s->incarnation || h->epoch < s->epoch
               ? "does not say that it follows its last assignment"
           : w->graphs_end < graphs_end
               ? "does not say that it follows the rule graphs as they are (an older program?)"
               : NULL;
}

static bool add_tasks(const struct seat *s, struct map *to)
{
    char writer[KEY_BYTES];
    size_t i;
    const json_t *name;
    bool room = true;
    (void)members_writer(s, writer);
    json_array_foreach(s->tasks, i, name)
    {
        void **at = map_put(to, slice_str(json_string_value(name)));
        room &= at != NULL && *at == NULL;
        if (at != NULL && *at == NULL) {
            *at = mem_dup(writer, strlen(writer));
        }
    }
    return room;
}

bool members_follow(const struct members *m, int64_t graphs_end, struct map *to, char *why,
                    size_t size)
{
    bool all = m->under_way == 0;
    map_init(to, TASKS_MAX);
    (void)snprintf(why, size, "assignments are being stored");
    if (all && m->strange.live > 0) {
        (void)snprintf(why, size, "an assignment cannot be read (of a newer program?)");
        all = false;
    }
    MAP_EACH (&m->seats, e) {
        const struct seat *s = e->value;
        const char *not = all ? why_not(m, s, graphs_end) : NULL;
        if (not != NULL) {
            (void)snprintf(why, size, "slot %s %s", s->key, not );
            all = false;
        }
        if (all && !add_tasks(s, to)) {
            (void)snprintf(why, size, "tasks of slot %s are another's too", s->key);
            all = false;
        }
    }
    if (!all) {
        members_forget(to);
    }
    return all;
}
