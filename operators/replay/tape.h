/* SPDX-License-Identifier: Apache-2.0
 *
 * Partitions of the bus, read record by record by whoever may wait: tools that replay. A tape
 * begins somewhere in a partition and ends at the end that the partition had when the tape was
 * opened. Any number of them share a client; while one is waited for, the others gather what
 * arrives, up to a bound.
 *
 * One thread. tape_next waits; nothing else on the client may be polled meanwhile.
 */
#ifndef OPERATORS_REPLAY_TAPE_H
#define OPERATORS_REPLAY_TAPE_H

#include "core/bus/bus.h"

struct tapes;
struct tape;

/* The client is borrowed. timeout_ns: a bus that is silent for so long has failed. */
struct tapes *tapes_new(struct bus_client *bus, int64_t timeout_ns);
void tapes_free(struct tapes *s); /* closes its tapes */
/* How many partitions; ERR_NOT_FOUND. */
int tapes_partitions(struct tapes *s, struct slice topic, uint32_t *ret,
                     struct err *reterr) NODISCARD;
/* The first record appended at or after that time, or the end. */
int tapes_by_time(struct tapes *s, struct slice topic, uint32_t part, int64_t time_ms,
                  int64_t *ret_offset, struct err *reterr) NODISCARD;

/* from: an offset or BUS_FROM_START. What was removed by retention is passed over: tape_start. */
int tape_open(struct tapes *s, struct slice topic, uint32_t part, int64_t from, struct tape **ret,
              struct err *reterr) NODISCARD;
void tape_close(struct tape *t);
int64_t tape_start(const struct tape *t); /* of the partition, when it was opened */
/* 1: the next record, which lives until the call after; 0: the end; or an error. */
int tape_next(struct tape *t, const struct bus_record **ret, struct err *reterr) NODISCARD;
/* The record of the last tape_next comes again. */
void tape_back(struct tape *t);

#endif
