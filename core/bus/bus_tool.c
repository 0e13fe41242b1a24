/* SPDX-License-Identifier: Apache-2.0
 *
 * See bus_tool.h.
 */
#include "core/bus/bus_tool.h"

#include "core/base/log.h"
#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#define SLICE_OF_WAIT (100 * CLOCK_NS_PER_MS)

struct code_row {
    enum err_code code;
    enum cmd_exit leave;
};

static const struct code_row codes[] = {
    {ERR_NOT_FOUND, CMD_NOT_FOUND},
    {ERR_UNAVAILABLE, CMD_UNREACHABLE},
    {ERR_TIMEOUT, CMD_TIMEOUT},
};

bool bus_tool_fail(struct bus_tool *t, const struct err *e)
{
    assert(e->code != 0);
    fflush(stdout);
    fprintf(stderr, "kaiju %s: %s\n", t->self->name, e->msg);
    t->code = CMD_USAGE;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (codes[i].code == e->code) {
            t->code = (int)codes[i].leave;
        }
    }
    if (t->settings.kind != 0 && (t->code == CMD_TIMEOUT || t->code == CMD_UNREACHABLE)) {
        fprintf(stderr, "does Kafka run at %s? Its address: --bus-kafka-brokers\n",
                t->settings.brokers);
    }
    return false;
}

static bool open_bus(struct bus_tool *t)
{
    struct err e;
    err_clear(&e);
    /* A read error deep in a library is told through the command's own messages. */
    log_setup(&(struct log_conf){.level = LOG_LEVEL_ERROR, .fd = STDERR_FILENO, .burst = 5});
    t->properties = mem_calloc(t->settings.properties.count + 1, sizeof *t->properties);
    struct bus_conf conf = bus_settings_conf(&t->settings, t->properties);
    conf.local.read_only = true;
    if (bus_new(&conf, &t->bus, &e) != 0) {
        (void)bus_tool_fail(t, &e);
        if (e.code == ERR_NOT_FOUND) {
            fputs("`kaiju standalone` makes it; where its bus is: --bus-local-dir\n", stderr);
        }
        return false;
    }
    t->client = bus_client_new(t->bus, t->self->name);
    return true;
}

bool bus_tool_open(struct bus_tool *t, const struct cmd *self, const struct conf_table *own,
                   const char *const *shorts, int argc, char **argv)
{
    assert(own->target != NULL);
    *t = (struct bus_tool){.self = self, .code = CMD_OK};
    struct conf_table tables[] = {*own, bus_settings_table(&t->settings)};
    t->conf = conf_new(tables, ARRAY_LEN(tables));
    int rc = conf_load(t->conf, &(struct conf_input){argc, argv, environ, shorts});
    if (conf_wants_help(t->conf)) {
        printf("usage: kaiju %s %s\n\n%s\n", self->name, self->args, self->summary);
        conf_help(t->conf, stdout);
        return false;
    }
    if (rc != 0) {
        fputs(conf_errors(t->conf), stderr);
        t->code = CMD_USAGE;
        return false;
    }
    if (conf_wants_print(t->conf)) {
        conf_print(t->conf, stdout);
        return false;
    }
    if (conf_wants_check(t->conf)) {
        puts("the configuration is right");
        return false;
    }
    return open_bus(t);
}

int bus_tool_close(struct bus_tool *t)
{
    if (t->client != NULL) {
        bus_client_free(t->client);
    }
    if (t->bus != NULL) {
        bus_free(t->bus);
    }
    mem_free(t->properties);
    conf_free(t->conf);
    return t->code;
}

bool bus_tool_answer(struct bus_tool *t, uint64_t tag, struct bus_ev *ret_ev)
{
    const struct clock *clock = bus_clock(t->client);
    int64_t until = clock_mono(clock) + t->timeout_ns;
    struct err e;
    do {
        while (bus_poll(t->client, ret_ev, 1) > 0) {
            if (ret_ev->tag != tag) {
                continue;
            }
            if (ret_ev->kind == BUS_EV_DONE) {
                return true;
            }
            if (ret_ev->kind == BUS_EV_ERROR) {
                return bus_tool_fail(t, ret_ev->err);
            }
        }
        bus_wait(t->client, SLICE_OF_WAIT);
    } while (clock_mono(clock) < until);
    err_set(&e, ERR_TIMEOUT, "the bus (%s) gave no answer within %lld ms; see --timeout",
            bus_kind_name(bus_kind(t->bus)), (long long)(t->timeout_ns / CLOCK_NS_PER_MS));
    return bus_tool_fail(t, &e);
}
