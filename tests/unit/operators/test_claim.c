/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/operator_claim.h over the simulated bus: workers of one name, each of which says that
 * he is there only while the name is his, come, go, fall silent and stand still.
 */
#include "operators/operator_claim.h"
#include "tests/test.h"

#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/bus/bus_topics.h"

#include <inttypes.h>
#include <stdio.h>

enum { WORKERS = 3, TAG_ENSURE = 1, TAG_OPEN, TAG_READ };

struct worker {
    struct bus_client *c;
    struct bus_reader *r;
    struct bus_writer *out;
    struct operator_claim claim;
    char boot[32];
    int64_t beat, beaten;
    bool open, stands; /* stands: it does nothing */
};

struct world {
    struct bus *bus;
    struct bus_sim_faults faults;
    struct worker *w[WORKERS];
};

static void say(struct world *w, struct worker *x, bool leaves)
{
    char text[200];
    struct err err;
    int n = snprintf(text, sizeof text, "{\"boot\":\"%s\",\"beat\":%" PRId64 ",\"leaves\":%s}",
                     x->boot, ++x->beat, leaves ? "true" : "false");
    struct bus_put put = {.to = {bus_topic(x->c, SLICE("ctl.members")), 0},
                          .key = SLICE("w"),
                          .value = slice_of(text, (size_t)n)};
    CHECK_OK(bus_put(x->out, &put, &err), err);
    x->beaten = bus_sim_now(w->bus);
}

static void step(struct world *w, struct worker *x)
{
    struct bus_ev ev;
    int64_t now = bus_sim_now(w->bus);
    while (bus_poll(x->c, &ev, 1) > 0) {
        x->open |= ev.kind == BUS_EV_OPENED;
        x->claim.read |= ev.kind == BUS_EV_END && ev.tag == TAG_READ;
        for (uint32_t k = 0; ev.kind == BUS_EV_RECORDS && k < ev.count; k++) {
            operator_claim_take(&x->claim, ev.records[k].key, ev.records[k].value, now);
        }
    }
    if (operator_claim_is_mine(&x->claim, now) && x->open && now - x->beaten >= CLOCK_NS_PER_S) {
        say(w, x, false);
    }
}

static uint32_t pass(struct world *w, int64_t ns)
{
    int64_t until = bus_sim_now(w->bus) + ns;
    uint32_t have = 0;
    while (bus_sim_now(w->bus) < until) {
        if (!bus_sim_step(w->bus, CLOCK_NS_PER_MS)) {
            bus_sim_advance(w->bus, CLOCK_NS_PER_MS);
        }
        have = 0;
        for (uint32_t i = 0; i < WORKERS; i++) {
            if (w->w[i] != NULL && !w->w[i]->stands) {
                step(w, w->w[i]);
            }
            have += w->w[i] != NULL && w->w[i]->claim.mine;
        }
    }
    return have;
}

static struct worker *begin(struct world *w, uint32_t i)
{
    struct worker *x = w->w[i] = MEM_NEW(struct worker);
    struct err err;
    (void)snprintf(x->boot, sizeof x->boot, "%" PRIx64 "-%x", (uint64_t)bus_sim_now(w->bus), i);
    x->claim = (struct operator_claim){.name = "w", .boot = x->boot};
    x->c = bus_client_new(w->bus, x->boot);
    x->r = bus_reader_new(x->c);
    struct bus_tp tp = {bus_topic(x->c, SLICE("ctl.members")), 0};
    CHECK_OK(bus_assign(x->r, tp, BUS_FROM_START, TAG_READ, &err), err);
    CHECK_OK(bus_open(x->c, SLICE(""), TAG_OPEN, &x->out, &err), err);
    return x;
}

static void end(struct world *w, uint32_t i, bool leaves)
{
    struct worker *x = w->w[i];
    if (x != NULL) {
        if (leaves) {
            say(w, x, true);
            pass(w, 100 * CLOCK_NS_PER_MS);
        }
        bus_writer_close(x->out);
        bus_reader_free(x->r);
        bus_client_free(x->c);
        mem_free(x);
        w->w[i] = NULL;
    }
}

static struct world *make(void)
{
    struct world *w = MEM_NEW(struct world);
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct err err;
    w->faults = bus_sim_calm();
    struct bus_conf conf = {
        .kind = BUS_SIM, .prefix = "t.", .sim = {.seed = 1, .faults = &w->faults}};
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    struct bus_client *c = bus_client_new(w->bus, "topics");
    bus_topic_specs(4, -1, specs);
    CHECK_OK(bus_ensure(c, specs, BUS_TOPICS_COUNT, TAG_ENSURE, &err), err);
    for (struct bus_ev ev; bus_wait(c, CLOCK_NS_PER_S), bus_poll(c, &ev, 1) == 0;) {
    }
    bus_client_free(c);
    return w;
}

static void unmake(struct world *w)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        end(w, i, false);
    }
    bus_free(w->bus);
    mem_free(w);
}

TEST(claim_of_two_the_later_is_refused_until_the_other_leaves)
{
    struct world *w = make();
    struct worker *a = begin(w, 0);
    CHECK_EQ(1, pass(w, CLOCK_NS_PER_S)); /* nobody was there: at once */
    struct worker *b = begin(w, 1);
    CHECK_EQ(1, pass(w, 20 * CLOCK_NS_PER_S));
    CHECK(a->claim.mine && !a->claim.refused && !b->claim.mine && b->claim.refused);
    end(w, 0, true);
    CHECK_EQ(1, pass(w, 200 * CLOCK_NS_PER_MS));
    CHECK(b->claim.mine && !b->claim.refused);
    unmake(w);
}

TEST(claim_of_one_that_has_left_is_free_at_once)
{
    struct world *w = make();
    begin(w, 0);
    CHECK_EQ(1, pass(w, 5 * CLOCK_NS_PER_S));
    end(w, 0, true);
    struct worker *b = begin(w, 1);
    CHECK_EQ(1, pass(w, 200 * CLOCK_NS_PER_MS));
    CHECK(b->claim.mine);
    unmake(w);
}

TEST(claim_of_one_that_died_is_free_when_it_is_silent)
{
    struct world *w = make();
    begin(w, 0);
    CHECK_EQ(1, pass(w, 5 * CLOCK_NS_PER_S));
    end(w, 0, false);
    struct worker *b = begin(w, 1);
    CHECK_EQ(0, pass(w, 2 * CLOCK_NS_PER_S));
    CHECK(!b->claim.refused); /* nobody has been heard */
    CHECK_EQ(1, pass(w, 2 * CLOCK_NS_PER_S));
    unmake(w);
}

TEST(claim_if_two_have_it_the_later_steps_aside)
{
    struct world *w = make();
    struct worker *a = begin(w, 0);
    CHECK_EQ(1, pass(w, 5 * CLOCK_NS_PER_S));
    a->stands = true;
    bus_sim_pause(a->c, true);
    struct worker *b = begin(w, 1);
    CHECK_EQ(2, pass(w, 5 * CLOCK_NS_PER_S)); /* as far as each knows */
    a->stands = false;
    bus_sim_pause(a->c, false);
    CHECK_EQ(1, pass(w, 3 * CLOCK_NS_PER_S));
    CHECK(a->claim.mine && b->claim.refused);
    unmake(w);
}

TEST(claim_of_two_that_wait_one_gets_it)
{
    struct world *w = make();
    begin(w, 0);
    CHECK_EQ(1, pass(w, 5 * CLOCK_NS_PER_S));
    begin(w, 1);
    CHECK_EQ(1, pass(w, 700 * CLOCK_NS_PER_MS));
    begin(w, 2);
    CHECK_EQ(1, pass(w, 5 * CLOCK_NS_PER_S));
    end(w, 0, false);
    CHECK_EQ(1, pass(w, 10 * CLOCK_NS_PER_S));
    CHECK_EQ(1, pass(w, 10 * CLOCK_NS_PER_S));
    unmake(w);
}
