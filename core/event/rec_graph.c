/* SPDX-License-Identifier: Apache-2.0
 *
 * See rec_graph.h.
 */
#include "core/event/rec_graph.h"

#include <jansson.h>
#include <string.h>

static struct slice text_of(const json_t *v)
{
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

static struct slice member(const json_t *object, const char *name)
{
    return text_of(json_object_get(object, name));
}

/* Keys of tasks are split at '/'. */
static bool is_name(struct slice s)
{
    return s.len > 0 && slice_find(s, '/') == s.len;
}

static bool is_key(struct slice key, struct slice tenant, struct slice name)
{
    struct slice rest = key, first;
    return is_name(tenant) && is_name(name) && key.len < REC_GRAPH_KEY_BYTES &&
           slice_split(&rest, '/', &first) && slice_eq(first, tenant) && slice_eq(rest, name);
}

/* Texts, few of them; or absent. */
static bool read_previous(struct rec_graph *g, const json_t *list)
{
    size_t i;
    const json_t *v;
    if (list != NULL && (!json_is_array(list) || json_array_size(list) > REC_GRAPH_PREVIOUS_MAX)) {
        return false;
    }
    json_array_foreach(list, i, v)
    {
        g->previous[g->n_previous++] = text_of(v);
        if (!json_is_string(v)) {
            return false;
        }
    }
    return true;
}

static bool read_flag(const json_t *v, bool *ret)
{
    *ret = json_is_true(v);
    return v == NULL || json_is_boolean(v);
}

/* From 0 to the greatest; or absent, which is 0. */
static bool read_number(const json_t *v, int64_t *ret)
{
    *ret = json_integer_value(v);
    return v == NULL || (json_is_integer(v) && *ret >= 0 && *ret <= REC_GRAPH_NUMBER_MAX);
}

static bool read_marks(struct rec_graph *g, const json_t *o)
{
    return read_flag(json_object_get(o, "deleted"), &g->deleted) &&
           read_flag(json_object_get(o, "over"), &g->over) && (!g->over || g->deleted) &&
           read_number(json_object_get(o, "life"), &g->life);
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

static const char *read_members(struct rec_graph *g, struct slice key, const json_t *o)
{
    g->tenant = member(o, "tenant");
    g->name = member(o, "name");
    g->document = member(o, "document");
    if (!json_is_object(o)) {
        return "it is no JSON object";
    }
    if (json_integer_value(json_object_get(o, "format")) != REC_GRAPH_FORMAT) {
        return "its format is another one: it was written by a newer version";
    }
    if (!is_key(key, g->tenant, g->name)) {
        return "tenant and name are not those of its key";
    }
    if (!read_number(json_object_get(o, "version"), &g->version) || g->version < 1 ||
        g->document.ptr == NULL || !read_hash(member(o, "hash"), &g->hash)) {
        return "version, hash or document is missing";
    }
    if (!read_marks(g, o) || !read_previous(g, json_object_get(o, "previous"))) {
        return "life, marks or documents before it make no sense";
    }
    return NULL;
}

const char *rec_graph_read(struct rec_graph *ret, struct slice key, struct slice value)
{
    struct rec_graph g = {
        .json = value.ptr != NULL ? json_loadb(value.ptr, value.len, JSON_REJECT_DUPLICATES, NULL)
                                  : NULL};
    const char *why = read_members(&g, key, g.json);
    if (why == NULL) {
        *ret = g;
    } else {
        rec_graph_done(&g);
    }
    return why;
}

void rec_graph_done(struct rec_graph *g)
{
    json_decref(g->json);
    g->json = NULL;
}
