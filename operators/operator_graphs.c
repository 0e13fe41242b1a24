/* SPDX-License-Identifier: Apache-2.0
 *
 * The graphs of a worker, as they were applied (ctl.graphs): laid out, with the topics that they
 * need. A document is laid out by a thread beside the loop, one after the other; the version before
 * it runs until then, and of versions that follow each other in the meantime only the last runs.
 * See operator_impl.h.
 */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/event/rec_graph.h"
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
        g->topics_tag = 0; /* again at the next look */
    }
    mem_free(specs);
}

/* ---- laying out: beside the loop ---- */

struct order { /* to lay a document out */
    struct operator_self *o;
    char *key;
    struct slice document; /* in the arena */
    int64_t version;
    uint64_t turn;
    struct slice past[REC_GRAPH_PREVIOUS_MAX]; /* documents before it, in the arena */
    uint32_t n_past;
    struct layout_conf conf;
    bool deleted; /* the graph is gone: its tasks only end */
    struct arena *arena;
    struct layout *layout;
    int rc;
    struct err err;
};

static void order_free(struct order *x)
{
    arena_free(x->arena);
    mem_free(x->key);
    mem_free(x);
}

static void work(void *arg)
{
    struct order *x = arg;
    x->rc = layout_make(x->arena, x->document, &x->conf, &x->layout, &x->err);
}

/* What ran so far goes; if it ends, `by` follows it, or nothing. Tasks of a graph that was deleted
 * meanwhile leave nothing to those of the next one of its name. */
static void drop_old(struct operator_self *o, struct operator_graph *g, bool ends,
                     const struct layout *by)
{
    struct laid *old = g->laid;
    g->laid = NULL;
    g->ready = g->said_live = false;
    if (old != NULL && ends) {
        laid_ends(old, g->deleted || g->life != g->old_life ? NULL : by);
    }
    g->old_life = g->life;
    if (old != NULL) {
        forget_tasks(o, old->layout, by);
        laid_unref(old);
    }
}

static struct operator_graph *find(struct operator_self *o, struct slice key)
{
    VEC_EACH (&o->graphs, g) {
        if (slice_eq(slice_str((*g)->key), key)) {
            return *g;
        }
    }
    return NULL;
}

static void laid_out(void *arg, bool worked)
{
    struct order *x = arg;
    struct operator_self *o = x->o;
    struct operator_graph *g = find(o, slice_str(x->key));
    if (!worked || g == NULL || !g->wanted || g->turn != x->turn) {
        order_free(x); /* there is a later document, or none any more */
        return;
    }
    g->settled = g->turn;
    if (x->rc != 0) {
        LOG_ERROR("a graph cannot run", LOG_STR("graph", g->key), LOG_STR("error", x->err.msg));
        g->wanted = false;
        drop_old(o, g, false, NULL);
    } else {
        drop_old(o, g, true, x->layout);
        g->laid = laid_new(x->layout, x->arena, x->version);
        g->laid->deleted = x->deleted;
        laid_after(g->laid, x->past, x->n_past, &x->conf);
        x->arena = NULL;
        LOG_INFO(x->deleted ? "graph ends" : "graph begins", LOG_STR("graph", g->key),
                 LOG_INT("version", x->version), LOG_INT("tasks", x->layout->n_tasks));
        make_topics(o, g);
    }
    order_free(x);
    operator_run_all(o);
    mem_trim();
}

/* Until it is laid out, what runs goes on. */
static void lay_out(struct operator_self *o, struct operator_graph *g, const struct rec_graph *r)
{
    struct order *x = MEM_NEW(struct order);
    *x = (struct order){
        .o = o,
        .key = mem_dup(g->key, strlen(g->key)),
        .version = r->version,
        .turn = g->turn,
        .deleted = g->deleted,
        .arena = arena_new(NULL, "graph", ARENA_MAX),
        .n_past = r->n_previous,
        .conf = {.raw_parts = (uint32_t)o->env->settings->bus.partitions, .life = g->life}};
    x->document = arena_copy(x->arena, r->document);
    for (uint32_t i = 0; i < r->n_previous; i++) {
        x->past[i] = arena_copy(x->arena, r->previous[i]);
    }
    aside_do(o->aside, work, laid_out, x);
}

static void take(struct operator_self *o, struct operator_graph *g, const struct rec_graph *r)
{
    g->wanted = !r->over;
    g->turn++;
    if (g->wanted) {
        g->deleted = r->deleted;
        g->life = r->life;
        if (g->deleted) { /* at once; what there may be of tasks that died ends when it is known */
            drop_old(o, g, true, NULL);
        }
        lay_out(o, g, r);
    } else {
        drop_old(o, g, true, NULL);
        g->settled = g->turn;
    }
}

void operator_on_graph(struct operator_self *o, const struct bus_record *r)
{
    struct operator_graph *g = find(o, r->key);
    if (r->value.ptr == NULL) {
        if (g != NULL) {
            g->wanted = false;
            g->turn++;
            drop_old(o, g, true, NULL);
            g->settled = g->turn;
        }
        return;
    }
    struct rec_graph record;
    const char *why = rec_graph_read(&record, r->key, r->value);
    if (why != NULL) { /* a graph that was there stays, here as there */
        LOG_ERROR("a graph that cannot be read is passed over", LOG_SLICE("graph", r->key),
                  LOG_STR("why", why));
        return;
    }
    if (g == NULL) {
        g = MEM_NEW(struct operator_graph);
        g->key = mem_dup(r->key.ptr, r->key.len);
        *VEC_PUSH(&o->graphs) = g;
    }
    take(o, g, &record);
    rec_graph_done(&record);
}

int64_t operator_graphs_end(const struct operator_self *o)
{
    bool known = true;
    VEC_EACH (&o->graphs, at) {
        const struct operator_graph *g = *at;
        known &= g->settled == g->turn && (!g->wanted || g->ready);
    }
    return known ? o->graphs_read : 0;
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
        mem_free(*g);
    }
    VEC_DONE(&o->graphs);
}
