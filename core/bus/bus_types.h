/* SPDX-License-Identifier: Apache-2.0
 *
 * The values that cross the bus's interface: partitions, records, puts, topic descriptions and the
 * events of bus_poll. What they mean together is said in bus.h, which includes this; how to add an
 * event: a row in bus.def, then a case in the behaviour suite.
 */
#ifndef CORE_BUS_BUS_TYPES_H
#define CORE_BUS_BUS_TYPES_H

#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/slice.h"

struct bus;
struct bus_client;
struct bus_reader;
struct bus_writer;
struct bus_conf; /* bus_conf.h */

enum bus_kind {
#define BUS_KIND(name, number, doc) BUS_##name = (number),
#include "core/bus/bus.def"
};

enum bus_ev_kind {
#define BUS_EV(name, number, doc) BUS_EV_##name = (number),
#include "core/bus/bus.def"
};

enum { BUS_RECORD_MAX = 1024 * 1024, BUS_NAME_MAX = 200, BUS_HEADERS_MAX = 32 };

/* Positions for bus_assign and bus_seek, beside real offsets. */
#define BUS_FROM_START INT64_C(-2)
#define BUS_FROM_END   INT64_C(-1)

struct bus_tp {
    uint32_t topic; /* of bus_topic, by this client */
    uint32_t part;
};

struct bus_header {
    struct slice name, value;
};

struct bus_record {
    int64_t offset, time_ms;
    struct slice key, value; /* ptr NULL = null; a null value removes the key when compacting */
    const struct bus_header *headers;
    uint32_t header_count;
};

struct bus_put {
    struct bus_tp to;
    struct slice key, value; /* copied before bus_put returns */
    const struct bus_header *headers;
    uint32_t header_count;
    uint64_t token; /* plain writers: comes back in DELIVERED or REFUSED */
};

enum bus_cleanup { BUS_DELETE = 1, BUS_COMPACT = 2, BUS_COMPACT_DELETE = 3 };

struct bus_topic_spec {
    struct slice name; /* without the prefix */
    uint32_t partitions;
    enum bus_cleanup cleanup;
    int64_t retention_ms, retention_bytes; /* -1 = unlimited; bytes per partition */
};

/* Where the records of one transaction went, per partition. */
struct bus_span {
    struct bus_tp tp;
    int64_t offset; /* of the first */
    uint32_t count;
};

struct bus_ev {
    enum bus_ev_kind kind;
    bool reopen;  /* the writer is used up */
    bool leading; /* LEADER */
    uint64_t tag; /* of the operation, the assignment or the timer; the token of a plain put */
    struct bus_tp tp;
    struct bus_reader *reader; /* RECORDS, END, ERROR of a partition */
    struct bus_writer *writer;
    int64_t offset; /* END: stable end. DELIVERED: the record's. DONE of bounds: start, by_time: the
                       answer. ERROR with ERR_GONE: the first offset that is left. OPENED, LEADER:
                       the epoch, which only grows */
    int64_t end;    /* DONE of bounds: stable end */
    const struct bus_record *records;
    uint32_t count;                      /* of records, spans or topics */
    const struct bus_span *spans;        /* COMMITTED */
    const struct bus_topic_spec *topics; /* DONE of describe (one) and list */
    const struct err *err;               /* ABORTED, UNKNOWN, REFUSED, FULL, ERROR; else NULL */
};

/* Counters since bus_new, any thread: what /metrics and `doctor` show. */
struct bus_stats {
    uint64_t puts, put_bytes, reads, read_bytes;
    uint64_t commits, aborts, unknowns, fences, fulls, refused;
    uint64_t syncs;  /* local: one per group commit */
    uint64_t taints; /* kafka: producers recreated because a request's fate was unknown */
    uint64_t used_bytes, quota_bytes;
    bool full; /* local: a write was refused for want of room within the last 5 s */
};

#endif
