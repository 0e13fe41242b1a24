/* SPDX-License-Identifier: Apache-2.0
 *
 * See graphs.h.
 */
#include "coordinator/graphs.h"

#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/event/rec_json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct graphs {
    struct map map, strange; /* strange: keys */
    size_t deleted, over;    /* of them */
    uint64_t turn;
};

static struct slice copy(struct slice s)
{
    return slice_of(mem_dup(s.ptr != NULL ? s.ptr : "", s.len), s.len);
}

static void release(struct slice s)
{
    mem_free((void *)(uintptr_t)s.ptr);
}

static void graph_free(struct graph *g)
{
    if (g != NULL) {
        release(g->key);
        release(g->tenant);
        release(g->name);
        release(g->document);
        release(g->value);
        for (uint32_t i = 0; i < g->n_previous; i++) {
            release(g->previous[i]);
        }
        mem_free(g);
    }
}

struct graphs *graphs_new(void)
{
    struct graphs *g = MEM_NEW(struct graphs);
    map_init(&g->map, GRAPHS_MAX);
    map_init(&g->strange, GRAPHS_MAX);
    return g;
}

void graphs_free(struct graphs *g)
{
    if (g != NULL) {
        MAP_EACH (&g->map, e) {
            graph_free(e->value);
        }
        map_done(&g->map);
        map_done(&g->strange);
        mem_free(g);
    }
}

void graphs_tag(int64_t version, struct slice document, char out[GRAPH_TAG_BYTES])
{
    snprintf(out, GRAPH_TAG_BYTES, "\"%" PRId64 "-%016" PRIx64 "\"", version, hash_xxh64(document));
}

struct slice graphs_key(struct slice tenant, struct slice name, char *out)
{
    int n =
        snprintf(out, GRAPH_KEY_BYTES, SLICE_FMT "/" SLICE_FMT, SLICE_ARG(tenant), SLICE_ARG(name));
    return n > 0 && n < GRAPH_KEY_BYTES ? slice_of(out, (size_t)n) : SLICE_NONE;
}

bool graphs_value(struct buf *out, const struct graph *g)
{
    assert(g->version > 0);
    (void)buf_addf(out, "{\"format\":%d,\"tenant\":", REC_GRAPH_FORMAT);
    (void)rec_json_string(out, g->tenant);
    (void)buf_add_str(out, ",\"name\":");
    (void)rec_json_string(out, g->name);
    (void)buf_addf(out, ",\"version\":%" PRId64 ",\"hash\":\"%016" PRIx64 "\"", g->version,
                   g->hash);
    if (g->life > 0) {
        (void)buf_addf(out, ",\"life\":%" PRId64, g->life);
    }
    (void)buf_add_str(out, g->deleted ? ",\"deleted\":true" : "");
    (void)buf_add_str(out, g->over ? ",\"over\":true" : "");
    (void)buf_add_str(out, ",\"document\":");
    (void)rec_json_string(out, g->document);
    for (uint32_t i = 0; i < g->n_previous; i++) {
        (void)buf_add_str(out, i == 0 ? ",\"previous\":[" : ",");
        (void)rec_json_string(out, g->previous[i]);
    }
    (void)buf_add_str(out, g->n_previous > 0 ? "]" : "");
    return buf_add_byte(out, '}') && !buf_failed(out);
}

/* NULL, and why. */
static struct graph *read_record(struct slice key, struct slice value, const char **ret_why)
{
    struct rec_graph r;
    const char *why = rec_graph_read(&r, key, value);
    if (why != NULL) {
        *ret_why = why;
        return NULL;
    }
    struct graph *g = MEM_NEW(struct graph);
    *g = (struct graph){.key = copy(key),
                        .tenant = copy(r.tenant),
                        .name = copy(r.name),
                        .document = copy(r.document),
                        .value = copy(value),
                        .version = r.version,
                        .hash = r.hash,
                        .life = r.life,
                        .deleted = r.deleted,
                        .over = r.over,
                        .n_previous = r.n_previous};
    for (uint32_t i = 0; i < r.n_previous; i++) {
        g->previous[i] = copy(r.previous[i]);
    }
    graphs_tag(r.version, r.document, g->tag);
    rec_graph_done(&r);
    return g;
}

static void count(struct graphs *g, const struct graph *one, int by)
{
    g->deleted += one != NULL && one->deleted ? (size_t)by : 0;
    g->over += one != NULL && one->over ? (size_t)by : 0;
}

void graphs_take(struct graphs *g, struct slice key, struct slice value)
{
    const char *why = "there are too many";
    g->turn++;
    (void)map_remove(&g->strange, key);
    if (value.ptr == NULL) {
        struct graph *gone = map_remove(&g->map, key);
        count(g, gone, -1);
        graph_free(gone);
        return;
    }
    struct graph *fresh = read_record(key, value, &why);
    void **slot = fresh != NULL ? map_put(&g->map, key) : NULL;
    if (slot == NULL) {
        graph_free(fresh);
        (void)map_put(&g->strange, key);
        LOG_WARN("a rule graph of the log is passed over", LOG_SLICE("key", key),
                 LOG_STR("why", why));
        return;
    }
    const struct graph *had = *slot;
    count(g, had, -1);
    count(g, fresh, 1);
    graph_free(*slot);
    *slot = fresh;
}

const struct graph *graphs_record(const struct graphs *g, struct slice key)
{
    return map_get(&g->map, key);
}

const struct graph *graphs_get(const struct graphs *g, struct slice key)
{
    const struct graph *one = graphs_record(g, key);
    return one != NULL && !one->deleted ? one : NULL;
}

size_t graphs_deleted(const struct graphs *g)
{
    return g->deleted - g->over;
}

size_t graphs_strange(const struct graphs *g)
{
    return g->strange.live;
}

uint64_t graphs_turn(const struct graphs *g)
{
    return g->turn;
}

size_t graphs_count(const struct graphs *g)
{
    return g->map.live - g->deleted;
}

bool graphs_hold(const struct graphs *g, struct slice key, struct slice value)
{
    const struct graph *now = graphs_record(g, key);
    return value.ptr == NULL ? now == NULL : now != NULL && slice_eq(now->value, value);
}

static int by_key(const void *a, const void *b)
{
    const struct graph *const *x = a, *const *y = b;
    return slice_cmp((*x)->key, (*y)->key);
}

size_t graphs_list(const struct graphs *g, struct slice tenant, struct slice after, size_t max,
                   const struct graph **ret_graphs)
{
    size_t n = 0;
    const struct graph **all = mem_calloc(g->map.live + 1, sizeof *all);
    MAP_EACH (&g->map, e) {
        const struct graph *one = e->value;
        if (!one->deleted && (tenant.ptr == NULL || slice_eq(one->tenant, tenant)) &&
            (after.ptr == NULL || slice_cmp(one->key, after) > 0)) {
            all[n++] = one;
        }
    }
    qsort(all, n, sizeof *all, by_key);
    n = MIN(n, max);
    memcpy(ret_graphs, all, n * sizeof *all);
    mem_free(all);
    return n;
}

const struct graph **graphs_of_tasks(const struct graphs *g, size_t *ret_n)
{
    size_t n = 0;
    const struct graph **all = mem_calloc(g->map.live + 1, sizeof *all);
    MAP_EACH (&g->map, e) {
        const struct graph *one = e->value;
        if (!one->over) {
            all[n++] = one;
        }
    }
    qsort(all, n, sizeof *all, by_key);
    *ret_n = n;
    return all;
}
