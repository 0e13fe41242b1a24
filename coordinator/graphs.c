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
#include <jansson.h>
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
    (void)buf_addf(out, "{\"format\":%d,\"tenant\":", GRAPHS_FORMAT);
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

static struct slice text_of(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

static void read_previous(struct graph *g, const json_t *list)
{
    size_t i;
    const json_t *v;
    json_array_foreach(list, i, v)
    {
        g->previous[g->n_previous++] = copy(slice_of(json_string_value(v), json_string_length(v)));
    }
}

/* An array of few texts, or absent. */
static bool are_previous(const json_t *list)
{
    size_t i;
    const json_t *v;
    bool fits = list == NULL || json_is_array(list);
    json_array_foreach(list, i, v)
    {
        fits &= json_is_string(v);
    }
    return fits && i <= GRAPH_PREVIOUS_MAX;
}

/* Keys of tasks are split at '/'. */
static bool is_name(struct slice s)
{
    return s.len > 0 && slice_find(s, '/') == s.len;
}

static bool is_flag(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    return v == NULL || json_is_boolean(v);
}

static bool has_marks(const json_t *o)
{
    const json_t *life = json_object_get(o, "life");
    int64_t n = json_integer_value(life);
    bool over = json_is_true(json_object_get(o, "over"));
    return is_flag(o, "deleted") && is_flag(o, "over") &&
           (!over || json_is_true(json_object_get(o, "deleted"))) &&
           (life == NULL || (json_is_integer(life) && n >= 0 && n <= GRAPH_NUMBER_MAX));
}

static bool read_hash(struct slice text, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = memchr(digits, text.ptr[i], 16);
        if (at == NULL) {
            return false;
        }
        *ret = *ret << 4 | (uint64_t)(at - digits);
    }
    return text.len == 16;
}

/* NULL, and why. */
static struct graph *read_record(struct slice key, struct slice value, const char **ret_why)
{
    char again[GRAPH_KEY_BYTES];
    struct graph *g = NULL;
    json_t *o = json_loadb(value.ptr, value.len, JSON_REJECT_DUPLICATES, NULL);
    struct slice tenant = text_of(o, "tenant"), name = text_of(o, "name");
    struct slice document = text_of(o, "document");
    int64_t version = json_integer_value(json_object_get(o, "version"));
    uint64_t number;
    if (!json_is_object(o)) {
        *ret_why = "it is no JSON object";
    } else if (json_integer_value(json_object_get(o, "format")) != GRAPHS_FORMAT) {
        *ret_why = "its format is another one: it was written by a newer version";
    } else if (!is_name(tenant) || !is_name(name) ||
               !slice_eq(graphs_key(tenant, name, again), key)) {
        *ret_why = "tenant and name are not those of its key";
    } else if (version < 1 || version > GRAPH_NUMBER_MAX || document.ptr == NULL ||
               !read_hash(text_of(o, "hash"), &number)) {
        *ret_why = "version, hash or document is missing";
    } else if (!has_marks(o) || !are_previous(json_object_get(o, "previous"))) {
        *ret_why = "life, marks or documents before it make no sense";
    } else {
        g = MEM_NEW(struct graph);
        *g = (struct graph){.key = copy(key),
                            .tenant = copy(tenant),
                            .name = copy(name),
                            .document = copy(document),
                            .value = copy(value),
                            .version = version,
                            .hash = number,
                            .life = json_integer_value(json_object_get(o, "life")),
                            .deleted = json_is_true(json_object_get(o, "deleted")),
                            .over = json_is_true(json_object_get(o, "over"))};
        graphs_tag(version, document, g->tag);
        read_previous(g, json_object_get(o, "previous"));
    }
    json_decref(o);
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
