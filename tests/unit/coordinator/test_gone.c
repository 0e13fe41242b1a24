/* SPDX-License-Identifier: Apache-2.0
 *
 * Deleted rule graphs over the simulated bus: their record goes when their tasks have ended; where
 * nobody knows their tasks any more it stays without its document, and nobody waits.
 */
#include "coordinator/gone.h"

#include "coordinator/graphs.h"
#include "coordinator/members.h"
#include "coordinator/tasks.h"
#include "core/base/arena.h"
#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/bus/bus_topics.h"
#include "tests/test.h"

enum { TAG_ENSURE = 7, TEXT = 2000 };

struct world {
    struct bus *bus;
    struct bus_sim_faults faults;
    struct bus_client *client, *topics;
    struct store *store;
    struct graphs *graphs;
    struct tasks *tasks;
    struct members *members;
    struct gone *gone;
};

static const struct slice key = SLICE("t/x");

static int lay_out(struct arena *a, struct slice document, uint32_t raw_parts,
                   const struct coordinator_group **ret, uint32_t *ret_n, struct err *reterr)
{
    (void)raw_parts;
    if (slice_eq(document, SLICE("of another program"))) {
        return err_set(reterr, ERR_USAGE, "no such word");
    }
    struct coordinator_group *g = ARENA_NEW(a, struct coordinator_group);
    *g = (struct coordinator_group){.name = SLICE("g"), .parts = 1};
    *ret = g;
    *ret_n = 1;
    return 0;
}

static void on_record(void *arg, enum store_topic topic, struct slice k, struct slice value)
{
    struct world *w = arg;
    if (topic == STORE_GRAPHS) {
        graphs_take(w->graphs, k, value);
        members_graph(w->members, k);
    } else {
        members_take(w->members, topic, k, value);
    }
}

static bool holds(void *arg, enum store_topic topic, struct slice k, struct slice value)
{
    const struct world *w = arg;
    return topic == STORE_GRAPHS ? graphs_hold(w->graphs, k, value)
                                 : members_hold(w->members, topic, k, value);
}

static void pass(struct world *w, int64_t ns)
{
    struct bus_ev ev;
    int64_t until = bus_sim_now(w->bus) + ns;
    while (bus_sim_now(w->bus) < until) {
        if (!bus_sim_step(w->bus, CLOCK_NS_PER_MS)) {
            bus_sim_advance(w->bus, CLOCK_NS_PER_MS);
        }
        while (bus_poll(w->client, &ev, 1) > 0) {
            store_on_event(w->store, &ev);
        }
        while (bus_poll(w->topics, &ev, 1) > 0) {
        }
        members_step(w->members);
        gone_step(w->gone);
    }
}

/* With a graph that is deleted. */
static struct world *make(const char *document, int64_t life)
{
    struct world *w = MEM_NEW(struct world);
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct buf value;
    struct err err;
    w->faults = bus_sim_calm();
    struct bus_conf conf = {
        .kind = BUS_SIM, .prefix = "t.", .sim = {.seed = 1, .faults = &w->faults}};
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->client = bus_client_new(w->bus, "coordinator");
    w->topics = bus_client_new(w->bus, "topics");
    bus_topic_specs(4, -1, specs);
    CHECK_OK(bus_ensure(w->topics, specs, BUS_TOPICS_COUNT, TAG_ENSURE, &err), err);
    w->graphs = graphs_new();
    w->tasks = tasks_new();
    buf_init(&value, TEXT);
    const struct graph x = {.tenant = SLICE("t"),
                            .name = SLICE("x"),
                            .version = 1,
                            .life = life,
                            .deleted = true,
                            .document = slice_str(document)};
    CHECK(graphs_value(&value, &x));
    graphs_take(w->graphs, key, buf_slice(&value));
    buf_done(&value);
    w->store = store_new(
        &(struct store_conf){.bus = w->client, .on_record = on_record, .holds = holds, .arg = w});
    w->members = members_new(&(struct members_conf){
        .bus = w->client, .store = w->store, .graphs = w->graphs, .layout = lay_out});
    members_graph(w->members, key);
    w->gone = gone_new(&(struct gone_conf){
        .store = w->store, .graphs = w->graphs, .tasks = w->tasks, .members = w->members});
    pass(w, CLOCK_NS_PER_S);
    store_start(w->store);
    pass(w, 3 * CLOCK_NS_PER_S);
    CHECK(store_writable(w->store));
    return w;
}

static void unmake(struct world *w)
{
    store_free(w->store);
    gone_free(w->gone);
    members_free(w->members);
    tasks_free(w->tasks);
    graphs_free(w->graphs);
    bus_client_free(w->topics);
    bus_client_free(w->client);
    bus_free(w->bus);
    mem_free(w);
}

TEST(gone_a_graph_goes_when_its_tasks_have_ended)
{
    struct world *w = make("a document", 0);
    const struct graph *g = graphs_record(w->graphs, key);
    CHECK(g != NULL && g->deleted && !g->over);
    tasks_take(w->tasks, SLICE("t/x/g/0"),
               SLICE("{\"format\":1,\"tenant\":\"t\",\"graph\":\"x\",\"state\":\"ended\"}"));
    pass(w, 3 * CLOCK_NS_PER_S);
    CHECK(graphs_record(w->graphs, key) == NULL);
    unmake(w);
}

/* Nobody waits for tasks that nobody knows; and what they left is none of the next graph's. */
TEST(gone_a_graph_that_cannot_be_laid_out_ends_and_is_remembered)
{
    for (int64_t life = 0; life < 2; life++) {
        struct world *w = make("of another program", life);
        const struct graph *g = graphs_record(w->graphs, key);
        CHECK(g != NULL && g->deleted && g->over);
        CHECK_EQ(0, g->document.len);
        CHECK_EQ(life, g->life);
        CHECK_EQ(0, graphs_deleted(w->graphs));
        CHECK(graphs_get(w->graphs, key) == NULL);
        unmake(w);
    }
}
