/* SPDX-License-Identifier: Apache-2.0
 *
 * See moved.h.
 */
#include "coordinator/moved.h"

#include "core/base/mem.h"

#include <string.h>

void moved_init(struct moved *m, size_t max)
{
    map_init(&m->from, max);
}

void moved_done(struct moved *m)
{
    MAP_EACH (&m->from, e) {
        mem_free(e->value);
    }
    map_done(&m->from);
}

static bool has(const json_t *tasks, struct slice task)
{
    size_t i;
    const json_t *name;
    bool found = false;
    json_array_foreach(tasks, i, name)
    {
        found |= slice_eq(slice_str(json_string_value(name)), task);
    }
    return found;
}

void moved_take(struct moved *m, const char *writer, const json_t *had, const json_t *now)
{
    size_t i;
    const json_t *name;
    json_array_foreach(now, i, name)
    {
        mem_free(map_remove(&m->from, slice_str(json_string_value(name))));
    }
    json_array_foreach(had, i, name)
    {
        struct slice task = slice_str(json_string_value(name));
        void **at = !has(now, task) ? map_put(&m->from, task) : NULL;
        if (at != NULL) {
            mem_free(*at);
            *at = mem_dup(writer, strlen(writer));
        }
    }
}

void moved_fenced(struct moved *m, const char *writer)
{
    MAP_EACH (&m->from, e) {
        if (strcmp(e->value, writer) == 0) {
            mem_free(map_remove(&m->from, e->key));
        }
    }
}

const char *moved_from(const struct moved *m, struct slice task)
{
    return map_get(&m->from, task);
}
