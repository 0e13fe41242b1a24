/* SPDX-License-Identifier: Apache-2.0
 *
 * The graphs of a worker, as they were applied (ctl.graphs): laid out, with the topics that they
 * need. See operator_impl.h.
 */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "operators/operator_impl.h"

enum { ARENA_MAX = 256 << 20 };

static bool has_task(const struct layout *l, struct slice name)
{
    for (uint32_t i = 0; l != NULL && i < l->n_groups; i++) {
        for (uint32_t k = 0; k < l->groups[i].parts; k++) {
            if (slice_eq(l->groups[i].tasks[k].plan->name, name)) {
                return true;
            }
        }
    }
    return false;
}

/* Tasks of the old that are none of the new are told to be gone. */
static void forget_tasks(struct operator_self *o, const struct layout *old,
                         const struct layout *now)
{
    for (uint32_t i = 0; i < old->n_groups; i++) {
        for (uint32_t k = 0; k < old->groups[i].parts; k++) {
            struct slice name = old->groups[i].tasks[k].plan->name;
            if (!has_task(now, name)) {
                operator_put_task(o, name, SLICE_NONE);
            }
        }
    }
}

static void make_topics(struct operator_self *o, struct operator_graph *g)
{
    const struct layout *l = g->laid->layout;
    struct bus_topic_spec *specs = mem_calloc(l->n_topics + 1, sizeof *specs);
    struct err err;
    for (uint32_t i = 0; i < l->n_topics; i++) {
        specs[i] =
            (struct bus_topic_spec){l->topics[i].name, l->topics[i].parts, BUS_DELETE, -1, -1};
    }
    g->topics_tag = OPERATOR_TAG_TOPICS + ++o->tags;
    g->ready = l->n_topics == 0;
    if (!g->ready &&
        bus_ensure(role_client_bus(o->client), specs, l->n_topics, g->topics_tag, &err) != 0) {
        LOG_ERROR("a graph cannot run", LOG_STR("graph", g->key), LOG_STR("error", err.msg));
    }
    mem_free(specs);
}

static void lay_out(struct operator_self *o, struct operator_graph *g)
{
    struct err err;
    struct arena *a = arena_new(NULL, "graph", ARENA_MAX);
    struct layout *l = NULL;
    struct laid *old = g->laid;
    const struct layout_conf conf = {.raw_parts = (uint32_t)o->env->settings->bus.partitions};
    g->laid = NULL;
    g->ready = g->said_live = false;
    if (g->wanted && layout_make(a, slice_str(g->document), &conf, &l, &err) != 0) {
        LOG_ERROR("a graph cannot run", LOG_STR("graph", g->key), LOG_STR("error", err.msg));
        g->wanted = false;
    } else if (old != NULL) {
        laid_ends(old, l);
    }
    if (old != NULL) {
        forget_tasks(o, old->layout, l);
        laid_unref(old);
    }
    if (!g->wanted) {
        arena_free(a);
        return;
    }
    g->laid = laid_new(l, a, g->version);
    LOG_INFO("graph begins", LOG_STR("graph", g->key), LOG_INT("version", g->version),
             LOG_INT("tasks", l->n_tasks));
    make_topics(o, g);
}

static struct operator_graph *graph_of(struct operator_self *o, struct slice key)
{
    VEC_EACH (&o->graphs, g) {
        if (slice_eq(slice_str((*g)->key), key)) {
            return *g;
        }
    }
    struct operator_graph *g = MEM_NEW(struct operator_graph);
    g->key = mem_zalloc(key.len + 1);
    memcpy(g->key, key.ptr, key.len);
    *VEC_PUSH(&o->graphs) = g;
    return g;
}

void operator_on_graph(struct operator_self *o, const struct bus_record *r)
{
    struct operator_graph *g = graph_of(o, r->key);
    json_t *j = r->value.len > 0 ? json_loadb(r->value.ptr, r->value.len, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(j, "document"));
    g->wanted = text != NULL;
    if (text != NULL) {
        mem_free(g->document);
        g->document = mem_zalloc(strlen(text) + 1);
        memcpy(g->document, text, strlen(text));
        g->version = json_integer_value(json_object_get(j, "version"));
    } else if (r->value.len > 0) {
        LOG_ERROR("a graph that cannot be read is not run", LOG_STR("graph", g->key));
    }
    json_decref(j);
    lay_out(o, g);
}

void operator_on_topics(struct operator_self *o, const struct bus_ev *ev)
{
    VEC_EACH (&o->graphs, at) {
        struct operator_graph *g = *at;
        if (g->topics_tag != ev->tag || g->laid == NULL) {
            continue;
        }
        if (ev->kind == BUS_EV_DONE) {
            g->ready = true;
            operator_run_all(o);
        } else {
            LOG_WARN("topics of a graph cannot be made", LOG_STR("graph", g->key),
                     LOG_STR("error", ev->err->msg));
            g->topics_tag = 0; /* again at the next look */
        }
    }
}

void operator_make_topics(struct operator_self *o)
{
    VEC_EACH (&o->graphs, g) {
        if ((*g)->laid != NULL && !(*g)->ready && (*g)->topics_tag == 0) {
            make_topics(o, *g);
        }
    }
}

struct operator_graph *operator_graph_that(struct operator_self *o, const struct laid *laid)
{
    VEC_EACH (&o->graphs, g) {
        if ((*g)->laid == laid) {
            return *g;
        }
    }
    return NULL;
}

void operator_graphs_free(struct operator_self *o)
{
    VEC_EACH (&o->graphs, g) {
        laid_unref((*g)->laid);
        mem_free((*g)->key);
        mem_free((*g)->document);
        mem_free(*g);
    }
    VEC_DONE(&o->graphs);
}
