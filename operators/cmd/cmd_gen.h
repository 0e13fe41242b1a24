/* SPDX-License-Identifier: Apache-2.0
 *
 * Events for benchmarks, out of the `bench` part of a benchmark file: event types with weights, and
 * a generator per property (const, pick, key, int, long, double, seq, clock, counter, map, array).
 * The specification is compiled once against the declared types; an event is then made without
 * looking at JSON. Random numbers are those of java.util.Random with seed 42, so that another
 * engine that draws in the same order sees the same events, and the numbers of rows can be
 * compared.
 */
#ifndef OPERATORS_CMD_CMD_GEN_H
#define OPERATORS_CMD_CMD_GEN_H

#include "operators/cmd/cmd_json.h"
#include "operators/graph/eng.h"

struct cmd_gen;

struct cmd_gen_item {
    struct evt *e;      /* in the pool of the heap */
    int64_t advance_to; /* move the clock first; -1: no */
};

/* bench: the object. The types must have been deployed. */
struct cmd_gen *cmd_gen_new(struct eng *e, const json_t *bench, struct err *reterr);
void cmd_gen_free(struct cmd_gen *g);
struct cmd_gen_item cmd_gen_next(struct cmd_gen *g);

#endif
