/* SPDX-License-Identifier: Apache-2.0
 *
 * What the small programs of the tests that work on a bus share: its settings from the command
 * line, as every program takes them, one client, and leaving with a message when something fails.
 */
#ifndef TESTS_E2E_ON_BUS_H
#define TESTS_E2E_ON_BUS_H

#include "core/base/mem.h"
#include "core/bus/bus.h"
#include "core/bus/bus_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct on_bus {
    struct bus_settings settings;
    struct bus_property *properties;
    struct conf *conf;
    struct bus *bus;
    struct bus_client *client;
    const char *const *args;
    size_t n_args;
};

static inline void must(int rc, const struct err *e)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", e->msg);
        exit(1);
    }
}

static inline void on_bus_open(struct on_bus *b, size_t least_args, size_t most_args,
                               bool read_only, int argc, char **argv)
{
    struct conf_table table = bus_settings_table(&b->settings);
    struct err e;
    b->conf = conf_new(&table, 1);
    int rc = conf_load(b->conf, &(struct conf_input){argc, argv, environ, NULL});
    b->n_args = conf_args(b->conf, &b->args);
    if (rc != 0 || b->n_args < least_args || b->n_args > most_args) {
        fputs(conf_errors(b->conf), stderr);
        exit(2);
    }
    b->properties = mem_calloc(b->settings.properties.count + 1, sizeof *b->properties);
    struct bus_conf conf = bus_settings_conf(&b->settings, b->properties);
    conf.local.read_only = read_only;
    must(bus_new(&conf, &b->bus, &e), &e);
    const char *slash = strrchr(argv[0], '/');
    b->client = bus_client_new(b->bus, slash != NULL ? slash + 1 : argv[0]);
}

/* The topics of every program, made. Brokers that are busy may not be done with all of them in the
 * time that one call has. */
static inline void on_bus_ensure(struct on_bus *b, const struct bus_topic_spec *specs, uint32_t n)
{
    enum { TAG = 1, PATIENCE_S = 120 };
    const struct clock *clock = bus_clock(b->client);
    int64_t until = clock_mono(clock) + PATIENCE_S * CLOCK_NS_PER_S;
    struct bus_ev ev = {.kind = BUS_EV_ERROR};
    while (ev.kind != BUS_EV_DONE) {
        struct err e;
        must(bus_ensure(b->client, specs, n, TAG, &e), &e);
        while (bus_poll(b->client, &ev, 1) == 0) {
            bus_wait(b->client, CLOCK_NS_PER_S);
        }
        if (ev.err != NULL &&
            ((ev.err->flags & ERR_FLAG_RETRY) == 0 || clock_mono(clock) > until)) {
            must(-1, ev.err);
        }
    }
}

/* Waits while the bus has no room, or no broker has heard of the topic yet. */
static inline void on_bus_put(struct on_bus *b, struct bus_writer *w, const struct bus_put *put)
{
    struct err e;
    int rc = bus_put(w, put, &e);
    while (rc == -ERR_AGAIN) {
        bus_wait(b->client, 10 * CLOCK_NS_PER_MS);
        rc = bus_put(w, put, &e);
    }
    must(rc, &e);
}

static inline void on_bus_close(struct on_bus *b)
{
    bus_client_free(b->client);
    bus_free(b->bus);
    mem_free(b->properties);
    conf_free(b->conf);
}

#endif
