/* SPDX-License-Identifier: Apache-2.0
 *
 * Control records from any bytes, as a coordinator and a worker read them. The input is lines: a
 * letter for who reads it (g: ctl.graphs, t: ctl.tasks, m: ctl.members, a: ctl.assign, each by the
 * coordinator; c: ctl.members, s: ctl.assign, by a worker), the key, a tab and the value; without a
 * tab the key is removed; `p` lets time pass. What must hold: a record is taken or passed over;
 * sums count what there is; the leader goes on to give tasks and never more than there are.
 */
#include "coordinator/gone.h"
#include "coordinator/tasks.h"
#include "core/base/arena.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "operators/operator_impl.h"
#include "tests/unit/coordinator/desk.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { PARTS = 2, LINES_MAX = 40, PASSES_MAX = 4, SLOTS = 2 };

struct world {
    struct desk d;
    struct tasks *tasks;
    struct gone *gone;
    struct operator_self worker;
    uint32_t passes;
};

static void hold_at(bool condition, int line)
{
    if (!condition) {
        fprintf(stderr, "fuzz_control.c:%d does not hold\n", line);
        abort();
    }
}
#define hold(condition) hold_at((condition), __LINE__)

static int lay_out(struct arena *a, struct slice document, uint32_t raw_parts,
                   const struct coordinator_group **ret, uint32_t *ret_n, struct err *reterr)
{
    (void)raw_parts;
    if (slice_eq(document, SLICE("none"))) {
        return err_set(reterr, ERR_USAGE, "no such word");
    }
    struct coordinator_group *g = ARENA_NEW(a, struct coordinator_group);
    *g = (struct coordinator_group){.name = SLICE("g"), .parts = PARTS};
    *ret = g;
    *ret_n = 1;
    return 0;
}

static void on_record(void *arg, enum store_topic topic, struct slice key, struct slice value)
{
    struct world *w = arg;
    if (topic == STORE_GRAPHS) {
        graphs_take(w->d.graphs, key, value);
        members_graph(w->d.members, key);
    } else if (topic == STORE_TASKS) {
        tasks_take(w->tasks, key, value);
    } else {
        members_take(w->d.members, topic, key, value);
    }
}

static bool holds(void *arg, enum store_topic topic, struct slice key, struct slice value)
{
    const struct world *w = arg;
    return topic == STORE_GRAPHS ? graphs_hold(w->d.graphs, key, value)
                                 : members_hold(w->d.members, topic, key, value);
}

static void pass(struct world *w, int64_t ns)
{
    struct bus_ev ev;
    int64_t until = bus_sim_now(w->d.bus) + ns;
    while (bus_sim_now(w->d.bus) < until) {
        if (!bus_sim_step(w->d.bus, 20 * CLOCK_NS_PER_MS)) {
            bus_sim_advance(w->d.bus, 20 * CLOCK_NS_PER_MS);
        }
        while (bus_poll(w->d.client, &ev, 1) > 0) {
            if (ev.tag > MEMBERS_TAG) {
                members_on_event(w->d.members, &ev);
            } else {
                store_on_event(w->d.store, &ev);
            }
        }
        while (bus_poll(w->d.other, &ev, 1) > 0) {
        }
        members_step(w->d.members);
        gone_step(w->gone);
    }
}

static void make_worker(struct world *w)
{
    static const struct operator_settings settings = {.slots = SLOTS};
    struct operator_self *o = &w->worker;
    o->settings = &settings;
    (void)snprintf(o->name, sizeof o->name, "w");
    (void)snprintf(o->boot, sizeof o->boot, "5-1");
    o->claim = (struct operator_claim){.name = o->name, .boot = o->boot, .mine = true};
    operator_slots_make(o);
}

/* Its slots begin no thread: as far as they know they follow that record, and are lost. */
static void on_assign(struct operator_self *o, const struct bus_record *r)
{
    json_t *j = r->value.len > 0 ? json_loadb(r->value.ptr, r->value.len, 0, NULL) : NULL;
    for (uint32_t i = 0; i < SLOTS; i++) {
        o->slots[i].incarnation = json_integer_value(json_object_get(j, "incarnation"));
        o->slots[i].lost = true;
    }
    json_decref(j);
    operator_on_assign(o, r);
    for (uint32_t i = 0; i < SLOTS; i++) {
        hold(o->slots[i].worker == NULL);
    }
}

static void look_at_tasks(const struct world *w)
{
    const struct tasks_filter all = {.tenant = SLICE_NONE};
    json_t *sum = tasks_sum(w->tasks, &all), *list = tasks_list(w->tasks, &all, SLICE_NONE, 10);
    json_t *workers = tasks_workers(w->tasks),
           *groups = tasks_groups(w->tasks, SLICE("t"), SLICE("x"));
    int64_t n = json_integer_value(json_object_get(sum, "tasks"));
    int64_t parts = 0;
    static const char *const states[] = {"live", "replay", "lost", "other"};
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        parts += json_integer_value(json_object_get(sum, states[i]));
    }
    hold(n == (int64_t)tasks_count(w->tasks) && parts == n);
    hold(json_array_size(list) == MIN(tasks_count(w->tasks), (size_t)10));
    hold(json_array_size(workers) <= tasks_count(w->tasks) &&
         json_array_size(groups) <= tasks_count(w->tasks));
    (void)tasks_phase(w->tasks, SLICE("t"), SLICE("x"), 1);
    (void)tasks_has_ended(w->tasks, SLICE("t/x/g/0"), 0);
    json_decref(sum);
    json_decref(list);
    json_decref(workers);
    json_decref(groups);
}

static void look_at_graphs(const struct world *w)
{
    const struct graph *page[LINES_MAX];
    size_t n = graphs_list(w->d.graphs, SLICE_NONE, SLICE_NONE, LINES_MAX, page), all;
    hold(n <= graphs_count(w->d.graphs));
    for (size_t i = 0; i < n; i++) {
        hold(graphs_get(w->d.graphs, page[i]->key) == page[i]);
        struct buf b;
        buf_init(&b, BUS_RECORD_MAX); /* what is written of it is the same graph */
        hold(graphs_value(&b, page[i]));
        struct slice document = page[i]->document;
        char text[DESK_TEXT];
        size_t len = MIN(document.len, sizeof text);
        memcpy(text, document.ptr, len);
        char key[GRAPH_KEY_BYTES];
        struct slice name = slice_of(key, page[i]->key.len);
        memcpy(key, page[i]->key.ptr, name.len);
        int64_t version = page[i]->version;
        graphs_take(w->d.graphs, name, buf_slice(&b));
        const struct graph *again = graphs_get(w->d.graphs, name);
        hold(again != NULL && again->version == version &&
             slice_eq(slice_sub(again->document, 0, len), slice_of(text, len)));
        buf_done(&b);
    }
    const struct graph **tasks = graphs_of_tasks(w->d.graphs, &all);
    hold(graphs_deleted(w->d.graphs) <= all && all >= n);
    mem_free(tasks);
}

static void one_line(struct world *w, struct slice line)
{
    struct slice key, value = slice_sub(line, 1, line.len);
    bool there = slice_find(value, '\t') < value.len;
    (void)slice_split(&value, '\t', &key);
    value = there ? value : SLICE_NONE;
    const struct bus_record r = {.key = key, .value = value};
    switch (line.ptr[0]) {
    case 'g': on_record(w, STORE_GRAPHS, key, value); break;
    case 't': on_record(w, STORE_TASKS, key, value); break;
    case 'm': on_record(w, STORE_MEMBERS, key, value); break;
    case 'a': on_record(w, STORE_ASSIGN, key, value); break;
    case 'c':
        operator_claim_take(&w->worker.claim, key, value, bus_sim_now(w->d.bus));
        (void)operator_claim_is_mine(&w->worker.claim, bus_sim_now(w->d.bus));
        w->worker.claim.mine = true;
        break;
    case 's': on_assign(&w->worker, &r); break;
    case 'p':
        if (w->passes++ < PASSES_MAX) {
            pass(w, CLOCK_NS_PER_S);
        }
        break;
    default: break;
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_setup(&(struct log_conf){.level = LOG_LEVEL_ERROR + 1});
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct graph x = {
        .tenant = SLICE("t"), .name = SLICE("x"), .version = 1, .document = SLICE("d")};
    struct world *w = MEM_NEW(struct world);
    struct slice rest = slice_of((const char *)data, size), line;
    uint32_t lines = 0;
    w->tasks = tasks_new();
    desk_open(&w->d, &x, &(struct store_conf){.on_record = on_record, .holds = holds, .arg = w},
              lay_out);
    struct role_env env = {.bus = w->d.bus};
    w->worker.env = &env;
    make_worker(w);
    w->gone = gone_new(&(struct gone_conf){
        .store = w->d.store, .graphs = w->d.graphs, .tasks = w->tasks, .members = w->d.members});
    pass(w, CLOCK_NS_PER_S);
    store_start(w->d.store);
    pass(w, 2 * CLOCK_NS_PER_S);
    while (lines++ < LINES_MAX && slice_split(&rest, '\n', &line)) {
        if (line.len > 0) {
            one_line(w, line);
        }
    }
    look_at_tasks(w);
    pass(w, CLOCK_NS_PER_S / 2);
    look_at_graphs(w);
    hold(members_count(w->d.members).slots <= MEMBERS_MAX);
    json_decref(members_refused(w->d.members));
    store_free(w->d.store);
    gone_free(w->gone);
    operator_slots_free(&w->worker);
    tasks_free(w->tasks);
    desk_close(&w->d);
    mem_free(w);
    return 0;
}
