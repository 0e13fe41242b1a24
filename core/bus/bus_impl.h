/* SPDX-License-Identifier: Apache-2.0
 *
 * What an implementation of the bus provides (struct bus_ops) and what bus.c does once for all:
 * argument checks, topic numbers, timers, the wake-up fd. An implementation embeds struct bus,
 * bus_client, bus_reader and bus_writer as the first member of its own structs and finds itself by
 * a cast. To add one: bus_x.c with a bus_ops, a row in bus.def, a line in bus.c, and the behaviour
 * suite must pass.
 */
#ifndef CORE_BUS_BUS_IMPL_H
#define CORE_BUS_BUS_IMPL_H

#include "core/base/intern.h"
#include "core/bus/bus.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_timers.h"
#include "core/bus/bus_wake.h"

struct bus {
    const struct bus_ops *ops;
    enum bus_kind kind;
    char *prefix; /* owned by bus.c */
    uint64_t writer_queue_bytes, reader_queue_bytes;
};

struct bus_client {
    struct bus *bus;
    char *name;
    struct clock clock; /* the system's; sim puts its own in client_init */
    struct intern *topics;
    struct bus_timers timers;
    struct bus_wake wake;
    bool held; /* by bus_hold: an implementation may give records all the same */
};

struct bus_reader {
    struct bus_client *client;
};

struct bus_writer {
    struct bus_client *client;
    bool plain;
};

/* Arguments arrive checked: handles are known, names legal, sizes within limits. */
struct bus_ops {
    int (*bus_new)(const struct bus_conf *conf, struct bus **ret_bus, struct err *reterr);
    void (*bus_free)(struct bus *b);
    struct bus_stats (*stats)(const struct bus *b);

    size_t client_bytes; /* of the struct that embeds bus_client; zeroed, then client_init */
    void (*client_init)(struct bus_client *c);
    void (*client_done)(struct bus_client *c);
    /* Timers excepted; max may be 0: then only what the last poll lent is given back. */
    int (*poll)(struct bus_client *c, struct bus_ev *evs, int max);
    void (*wait)(struct bus_client *c, int64_t timeout_ns); /* NULL = sleep on the fd */

    int (*ensure)(struct bus_client *c, const struct bus_topic_spec *specs, uint32_t n,
                  uint64_t tag, struct err *reterr);
    int (*describe)(struct bus_client *c, uint32_t topic, uint64_t tag, struct err *reterr);
    int (*list)(struct bus_client *c, uint64_t tag, struct err *reterr);
    int (*bounds)(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr);
    int (*settled)(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr);
    int (*by_time)(struct bus_client *c, struct bus_tp tp, int64_t time_ms, uint64_t tag,
                   struct err *reterr);
    int (*trim)(struct bus_client *c, struct bus_tp tp, int64_t before, uint64_t tag,
                struct err *reterr);
    int (*maintain)(struct bus_client *c, uint64_t tag, struct err *reterr);
    int (*fence)(struct bus_client *c, struct slice slot, uint64_t tag, struct err *reterr);
    int (*elect)(struct bus_client *c, struct slice name, uint64_t tag, struct err *reterr);
    void (*resign)(struct bus_client *c, struct slice name);

    struct bus_reader *(*reader_new)(struct bus_client *c);
    void (*reader_free)(struct bus_reader *r);
    int (*assign)(struct bus_reader *r, struct bus_tp tp, int64_t from, uint64_t tag,
                  struct err *reterr);
    void (*unassign)(struct bus_reader *r, struct bus_tp tp);
    int (*seek)(struct bus_reader *r, struct bus_tp tp, int64_t to, struct err *reterr);
    int (*pause)(struct bus_reader *r, struct bus_tp tp, bool paused, struct err *reterr);

    int (*open)(struct bus_client *c, struct slice slot, uint64_t tag,
                struct bus_writer **ret_writer, struct err *reterr);
    void (*writer_close)(struct bus_writer *w);
    int (*put)(struct bus_writer *w, const struct bus_put *put, struct err *reterr);
    int (*commit)(struct bus_writer *w, uint64_t tag, struct err *reterr);
    int (*abort)(struct bus_writer *w, uint64_t tag, struct err *reterr);
};

extern const struct bus_ops bus_local_ops, bus_kafka_ops, bus_sim_ops;

/* Bytes a record counts for, everywhere a limit or quota is meant: key, value, headers. */
size_t bus_put_bytes(const struct bus_put *put);
/* What it counts for in a writer's queue: a record without bytes takes memory too. */
enum { BUS_CHARGE_LEAST = 64 };
size_t bus_put_charge(const struct bus_put *put);

#endif
