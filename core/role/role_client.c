/* SPDX-License-Identifier: Apache-2.0
 *
 * A bus client on the event loop: its wake-up fd is watched, and every event goes to one function.
 * And the first user of one: the built-in topics, made at start and tried again until they exist,
 * so that a role comes up while the brokers are still away and says "not ready" until then.
 */
#include "core/role/role.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/bus/bus_topics.h"
#include "core/net/health.h"
#include "core/net/loop.h"

#include <assert.h>
#include <stdio.h>

enum { EVENTS_AT_ONCE = 64, TAG_ENSURE = 1, TAG_RETRY = 2 };
#define RETRY_NS (2 * CLOCK_NS_PER_S)

struct role_client {
    struct bus_client *bus;
    struct loop_fd *fd;
    void (*on_event)(void *arg, const struct bus_ev *ev);
    void *arg;
};

static void on_ready(void *arg, unsigned what)
{
    struct role_client *c = arg;
    struct bus_ev evs[EVENTS_AT_ONCE];
    (void)what;
    /* One round: if more is waiting the fd is still readable, and others get their turn first. */
    int n = bus_poll(c->bus, evs, EVENTS_AT_ONCE);
    for (int i = 0; i < n; i++) {
        c->on_event(c->arg, &evs[i]);
    }
}

struct role_client *role_client_new(const struct role_env *env, const char *name,
                                    void (*on_event)(void *arg, const struct bus_ev *ev), void *arg)
{
    assert(env->loop != NULL && on_event != NULL);
    struct role_client *c = MEM_NEW(struct role_client);
    c->on_event = on_event;
    c->arg = arg;
    c->bus = bus_client_new(env->bus, name);
    c->fd = loop_fd_new(env->loop, bus_fd(c->bus), LOOP_READ, on_ready, c);
    return c;
}

void role_client_free(struct role_client *c)
{
    if (c != NULL) {
        loop_fd_free(c->fd);
        bus_client_free(c->bus);
        mem_free(c);
    }
}

struct bus_client *role_client_bus(struct role_client *c)
{
    return c->bus;
}

struct role_topics {
    struct role_client *client;
    const struct role_settings *settings;
    bool done;
    char why[256];
    struct {
        void (*fn)(void *arg);
        void *arg;
    } then[ROLES_MAX];
    size_t then_count;
};

static void ensure(struct role_topics *t)
{
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    const struct bus_settings *bus = &t->settings->bus;
    struct err e;
    bus_topic_specs((uint32_t)bus->partitions, bus->retention_ns / CLOCK_NS_PER_MS, specs);
    if (bus_ensure(t->client->bus, specs, BUS_TOPICS_COUNT, TAG_ENSURE, &e) != 0) {
        snprintf(t->why, sizeof t->why, "%s", e.msg);
        bus_at(t->client->bus, clock_mono(bus_clock(t->client->bus)) + RETRY_NS, TAG_RETRY);
    }
}

static void on_topics(void *arg, const struct bus_ev *ev)
{
    struct role_topics *t = arg;
    if (ev->kind == BUS_EV_TIMER) {
        ensure(t);
    } else if (ev->kind == BUS_EV_DONE) {
        t->done = true;
        for (size_t i = 0; i < t->then_count; i++) {
            t->then[i].fn(t->then[i].arg);
        }
        LOG_INFO("topics are there", LOG_INT("topics", BUS_TOPICS_COUNT));
    } else if (ev->kind == BUS_EV_ERROR) {
        snprintf(t->why, sizeof t->why, "%s", ev->err->msg);
        LOG_WARN("topics cannot be made yet", LOG_STR("error", t->why));
        bus_at(t->client->bus, clock_mono(bus_clock(t->client->bus)) + RETRY_NS, TAG_RETRY);
    }
}

static bool are_there(void *arg, char *why, size_t size)
{
    const struct role_topics *t = arg;
    snprintf(why, size, "%s", t->why);
    return t->done;
}

struct role_topics *role_topics_new(const struct role_env *env)
{
    assert(env->settings != NULL);
    struct role_topics *t = MEM_NEW(struct role_topics);
    t->settings = env->settings;
    snprintf(t->why, sizeof t->why, "waiting for the bus");
    t->client = role_client_new(env, "topics", on_topics, t);
    health_check(env->health, "topics", are_there, t);
    ensure(t);
    return t;
}

void role_topics_free(struct role_topics *t)
{
    if (t != NULL) {
        role_client_free(t->client);
        mem_free(t);
    }
}

void role_topics_then(struct role_topics *t, void (*fn)(void *arg), void *arg)
{
    assert(t->then_count < ROLES_MAX);
    if (t->done) {
        fn(arg);
        return;
    }
    t->then[t->then_count].fn = fn;
    t->then[t->then_count++].arg = arg;
}
