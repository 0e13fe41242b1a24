/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju replay`: what its two modes share.
 */
#ifndef OPERATORS_CMD_CMD_REPLAY_H
#define OPERATORS_CMD_CMD_REPLAY_H

#include "core/bus/bus_tool.h"
#include "operators/cmd/cmd_epl.h"
#include "operators/replay/tape.h"
#include "operators/shard/layout.h"

struct cmd_replay_settings {
    const char *graph, *file, *from, *to, *task, *id;
    int format; /* enum cmd_format */
    int64_t timeout_ns, threads;
    bool verify, events, to_topics;
};

struct cmd_replay {
    struct bus_tool tool;
    struct cmd_replay_settings settings;
    struct tapes *tapes;
    struct arena *arena;
    struct buf text; /* the document */
    struct layout *layout;
    uint32_t raw_parts;
    int64_t life; /* of the graph (coordinator/graphs.h) */
    int64_t from_ms, to_ms;
};

/* Each gives false if an error was told. */
bool cmd_replay_exact(struct cmd_replay *r);
bool cmd_replay_free(struct cmd_replay *r);

#endif
