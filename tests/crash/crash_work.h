/* SPDX-License-Identifier: Apache-2.0
 *
 * The work that is interrupted, and what must hold after it. Two slots, `s0` and `s1`, commit
 * transactions numbered 1, 2, 3, ...; each puts one record into the partitions of `log` that its
 * number chooses (a mask), one into `churn` (short retention, so pages are freed and used again)
 * and one into `state` (compacted). A plain writer puts numbered records too. Every record says who
 * wrote it, its number and the mask, and is filled with bytes that follow from these.
 *
 * After each crash (crash_check): the transactions of a slot are there without a hole, each in all
 * its partitions or in none, each once, in order; what was acknowledged is there; `churn` ends with
 * the last; `state` holds for each key the last number; every byte is what was put.
 */
#ifndef TESTS_CRASH_CRASH_WORK_H
#define TESTS_CRASH_CRASH_WORK_H

#include "core/base/vec.h"
#include "core/bus/bus.h"
#include "core/bus/bus_conf.h"

enum {
    CRASH_SLOTS = 2,
    CRASH_PARTS = 4,
    CRASH_KEYS = 8,
    CRASH_MAP_BYTES = 48 << 20,
    CRASH_PIN_WARN_MS = 200
};

/* What is known to be in the log: carried from one check to the next. */
struct crash_model {
    uint64_t last[CRASH_SLOTS]; /* the number of the last transaction of each slot */
    uint64_t plain;             /* the greatest number of a plain record */
    int64_t at[CRASH_PARTS];    /* checked so far */
};

/* Read off the writer's pipe. */
struct crash_acks {
    uint64_t last[CRASH_SLOTS];
    VEC(uint64_t) plain;
    char fell_in[24]; /* the call in which power failed */
};

/* KAIJU_CRASH_MAP_MIB and KAIJU_CRASH_QUOTA_MIB change the map and the quota. */
struct bus_conf crash_conf(const char *dir);
/* The first error, with its message, ends the process. */
struct bus *crash_open(const char *dir, bool read_only);
void crash_make_topics(struct bus_client *c);
/* Works until it is killed: writes "c SLOT NUMBER" and "p NUMBER" lines for what has ended well.
 * `early`: already when it is sent off, which a check has to find out. */
_Noreturn void crash_work(const char *dir, uint64_t seed, const uint64_t first[CRASH_SLOTS],
                          uint64_t first_plain, bool early);
/* Compares what is there with the model and the acknowledgements, and moves the model on. Returns
 * NULL or what is wrong. */
const char *crash_check(const char *dir, struct crash_model *m, const struct crash_acks *acks);
/* Waits for an event of this kind and tag; another end of that tag ends the process. */
struct bus_ev crash_await(struct bus_client *c, enum bus_ev_kind kind, uint64_t tag);
_Noreturn void crash_die(const char *what, const struct err *err);

#endif
