/* SPDX-License-Identifier: Apache-2.0
 *
 * What the command-line tools that look at a bus share: settings, help, opening the bus for reading
 * and waiting for the end of one question. A tool has one thread, so here, and only here, somebody
 * sits and waits.
 *
 *     struct bus_tool t;
 *     if (!bus_tool_open(&t, self, &table, shorts, argc, argv)) {
 *         return bus_tool_close(&t);
 *     }
 */
#ifndef CORE_BUS_BUS_TOOL_H
#define CORE_BUS_BUS_TOOL_H

#include "core/base/cmd.h"
#include "core/bus/bus.h"
#include "core/bus/bus_settings.h"

struct bus_tool {
    const struct cmd *self;
    struct bus_settings settings;
    int64_t timeout_ns;
    struct conf *conf;
    struct bus_property *properties;
    struct bus *bus;
    struct bus_client *client;
    int code; /* what the command will exit with */
};

/* A row each tool puts into its own table: how long it waits for an answer. */
#define BUS_TOOL_TIMEOUT(offset)                                                                   \
    {                                                                                              \
        "timeout", CONF_DURATION, (offset), "10s", CLOCK_NS_PER_MS, 3600 * CLOCK_NS_PER_S, NULL,   \
            0, "how long to wait for the bus to answer"                                            \
    }

/* False: there is nothing to run (help was asked for, or an error was told). The caller closes. */
bool bus_tool_open(struct bus_tool *t, const struct cmd *self, const struct conf_table *own,
                   const char *const *shorts, int argc, char **argv);
int bus_tool_close(struct bus_tool *t); /* the exit code */

/* Waits for the DONE or ERROR with this tag; other events of that time are lost. False: the error
 * was told. What *ret_ev points at lives until the next call on the client. */
bool bus_tool_answer(struct bus_tool *t, uint64_t tag, struct bus_ev *ret_ev);
/* Tells an error and remembers the exit code that belongs to it; false, to be returned. */
bool bus_tool_fail(struct bus_tool *t, const struct err *e);

#endif
