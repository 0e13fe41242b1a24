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

static inline void on_bus_close(struct on_bus *b)
{
    bus_client_free(b->client);
    bus_free(b->bus);
    mem_free(b->properties);
    conf_free(b->conf);
}

#endif
