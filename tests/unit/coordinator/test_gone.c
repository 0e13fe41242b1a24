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
#include "tests/test.h"
#include "tests/unit/coordinator/desk.h"

struct world {
    struct desk d;
    struct tasks *tasks;
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
        graphs_take(w->d.graphs, k, value);
        members_graph(w->d.members, k);
    } else {
        members_take(w->d.members, topic, k, value);
    }
}

static bool holds(void *arg, enum store_topic topic, struct slice k, struct slice value)
{
    const struct world *w = arg;
    return topic == STORE_GRAPHS ? graphs_hold(w->d.graphs, k, value)
                                 : members_hold(w->d.members, topic, k, value);
}

static void pass(struct world *w, int64_t ns)
{
    struct bus_ev ev;
    int64_t until = bus_sim_now(w->d.bus) + ns;
    while (bus_sim_now(w->d.bus) < until) {
        desk_step(&w->d);
        while (bus_poll(w->d.client, &ev, 1) > 0) {
            store_on_event(w->d.store, &ev);
        }
        while (bus_poll(w->d.other, &ev, 1) > 0) {
        }
        members_step(w->d.members);
        gone_step(w->gone);
    }
}

/* With a graph that is deleted. */
static struct world *make(const char *document, int64_t life)
{
    struct world *w = MEM_NEW(struct world);
    const struct graph x = {.tenant = SLICE("t"),
                            .name = SLICE("x"),
                            .version = 1,
                            .life = life,
                            .deleted = true,
                            .document = slice_str(document)};
    w->tasks = tasks_new();
    desk_open(&w->d, &x, &(struct store_conf){.on_record = on_record, .holds = holds, .arg = w},
              lay_out);
    members_graph(w->d.members, key);
    w->gone = gone_new(&(struct gone_conf){
        .store = w->d.store, .graphs = w->d.graphs, .tasks = w->tasks, .members = w->d.members});
    pass(w, CLOCK_NS_PER_S);
    store_start(w->d.store);
    pass(w, 3 * CLOCK_NS_PER_S);
    CHECK(store_writable(w->d.store));
    return w;
}

static void unmake(struct world *w)
{
    store_free(w->d.store);
    gone_free(w->gone);
    tasks_free(w->tasks);
    desk_close(&w->d);
    mem_free(w);
}

TEST(gone_a_graph_goes_when_its_tasks_have_ended)
{
    struct world *w = make("a document", 0);
    const struct graph *g = graphs_record(w->d.graphs, key);
    CHECK(g != NULL && g->deleted && !g->over);
    tasks_take(w->tasks, SLICE("t/x/g/0"),
               SLICE("{\"format\":1,\"tenant\":\"t\",\"graph\":\"x\",\"state\":\"ended\"}"));
    pass(w, 3 * CLOCK_NS_PER_S);
    CHECK(graphs_record(w->d.graphs, key) == NULL);
    unmake(w);
}

/* Nobody waits for tasks that nobody knows; and what they left is none of the next graph's. */
TEST(gone_a_graph_that_cannot_be_laid_out_ends_and_is_remembered)
{
    for (int64_t life = 0; life < 2; life++) {
        struct world *w = make("of another program", life);
        const struct graph *g = graphs_record(w->d.graphs, key);
        CHECK(g != NULL && g->deleted && g->over);
        CHECK_EQ(0, g->document.len);
        CHECK_EQ(life, g->life);
        CHECK_EQ(0, graphs_deleted(w->d.graphs));
        CHECK(graphs_get(w->d.graphs, key) == NULL);
        unmake(w);
    }
}
