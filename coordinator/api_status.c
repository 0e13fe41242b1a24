/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes on: the coordinator itself, workers, tasks. All of it is what the log says; a worker
 * that has gone silent looks as it looked last.
 */
#include "coordinator/api_impl.h"
#include "coordinator/members.h"
#include "coordinator/sweep.h"
#include "core/bus/bus_local.h"
#include "core/version.h"

/* False: answered. */
static bool is_read(struct api_call *c)
{
    if (!store_loaded(c->api->conf.store)) {
        api_problem(c->req, PROBLEM_NOT_READ, "the coordinator is starting");
        return false;
    }
    return true;
}

static json_t *phases(const struct api *a)
{
    const struct graph *page[API_LIMIT_MAX];
    struct slice after = SLICE_NONE;
    json_t *o = json_object();
    size_t n;
    while ((n = graphs_list(a->conf.graphs, SLICE_NONE, after, API_LIMIT_MAX, page)) > 0) {
        for (size_t i = 0; i < n; i++) {
            const char *phase =
                tasks_phase(a->conf.tasks, page[i]->tenant, page[i]->name, page[i]->version);
            json_int_t now = json_integer_value(json_object_get(o, phase));
            (void)json_object_set_new(o, phase, json_integer(now + 1));
        }
        after = page[n - 1]->key;
    }
    return o;
}

/* How full the embedded bus is, and who keeps it from using its pages again. */
static json_t *storage(struct bus *b)
{
    struct bus_local_report r;
    struct err err;
    struct bus_stats st = bus_stats(b);
    json_t *o =
        json_pack("{s:I, s:I}", "fulls", (json_int_t)st.fulls, "refused", (json_int_t)st.refused);
    if (bus_kind(b) != BUS_LOCAL || bus_local_report(b, &r, &err) != 0) {
        return o;
    }
    json_t *pins = json_array();
    for (uint32_t i = 0; i < r.pin_count && i < BUS_LOCAL_PINS_MAX; i++) {
        (void)json_array_append_new(pins, json_pack("{s:I, s:I}", "pid", (json_int_t)r.pins[i].pid,
                                                    "held_ns", (json_int_t)r.pins[i].held_ns));
    }
    (void)json_object_set_new(o, "pins", pins);
    (void)json_object_set_new(o, "used_bytes", json_integer((json_int_t)r.used_bytes));
    (void)json_object_set_new(o, "disk_free_bytes", json_integer((json_int_t)r.disk_free_bytes));
    (void)json_object_set_new(o, "quota_bytes", json_integer((json_int_t)r.quota_bytes));
    return o;
}

/* Of state that no task carries on. */
static json_t *sweep_of(const struct sweep *s)
{
    struct sweep_look l = sweep_look(s);
    json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "state", sweep_state_name(l.state),
                          "passes", (json_int_t)l.passes, "keys", (json_int_t)l.keys, "bytes",
                          (json_int_t)l.bytes, "waits_ns", (json_int_t)l.waits_ns, "why", l.why);
    if (l.state == SWEEP_READS || l.state == SWEEP_REMOVES) {
        (void)json_object_set_new(o, "partition", json_integer(l.part));
        (void)json_object_set_new(o, "partitions", json_integer(l.parts));
    }
    return o;
}

void api_status(struct api_call *c)
{
    const struct api *a = c->api;
    const struct store *s = a->conf.store;
    struct store_stats st = store_stats(s);
    struct tasks_filter all = {.tenant = SLICE_NONE};
    if (!is_read(c)) {
        return;
    }
    json_t *workers = tasks_workers(a->conf.tasks);
    json_t *o =
        json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:o, s:I, s:o}", "version", CORE_VERSION, "bus",
                  a->conf.bus, "leader", (int)store_leads(s), "writable", (int)store_writable(s),
                  "epoch", (json_int_t)store_epoch(s), "graphs",
                  (json_int_t)graphs_count(a->conf.graphs), "phases", phases(a), "workers",
                  (json_int_t)json_array_size(workers), "tasks", tasks_sum(a->conf.tasks, &all));
    json_decref(workers);
    if (a->conf.members != NULL) {
        (void)json_object_set_new(o, "refused_workers", members_refused(a->conf.members));
    }
    if (a->conf.sweep != NULL) {
        (void)json_object_set_new(o, "sweep", sweep_of(a->conf.sweep));
    }
    if (a->conf.storage != NULL) {
        (void)json_object_set_new(o, "storage", storage(a->conf.storage));
        (void)json_object_set_new(o, "retention_ns", json_integer(a->conf.retention_ns));
    }
    if (!store_writable(s)) {
        (void)json_object_set_new(o, "why", json_string(store_why(s)));
    }
    (void)json_object_set_new(o, "changes",
                              json_pack("{s:I, s:I, s:I, s:I, s:I}", "stored",
                                        (json_int_t)st.changes, "refused", (json_int_t)st.refused,
                                        "retried", (json_int_t)st.retried, "fenced",
                                        (json_int_t)st.fenced, "waiting", (json_int_t)st.waiting));
    api_reply(c->req, 200, o);
}

void api_workers(struct api_call *c)
{
    if (is_read(c)) {
        api_reply_list(c, tasks_workers(c->api->conf.tasks), SLICE_NONE);
    }
}

void api_tasks(struct api_call *c)
{
    struct tasks_filter f = {.tenant = c->tenant,
                             .graph = api_param(c, "graph"),
                             .group = api_param(c, "group"),
                             .worker = api_param(c, "worker"),
                             .state = api_param(c, "state")};
    char next[600];
    struct slice more = SLICE_NONE;
    size_t limit = api_limit(c);
    if (limit == 0 || !is_read(c)) {
        return;
    }
    json_t *items = tasks_list(c->api->conf.tasks, &f, api_param(c, "cursor"), limit + 1);
    if (json_array_size(items) > limit) {
        (void)json_array_remove(items, limit);
        const char *key =
            json_string_value(json_object_get(json_array_get(items, limit - 1), "key"));
        snprintf(next, sizeof next, "%s", key);
        more = slice_str(next);
    }
    api_reply_list(c, items, more);
}
