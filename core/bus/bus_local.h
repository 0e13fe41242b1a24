/* SPDX-License-Identifier: Apache-2.0
 *
 * What the local bus offers beside the contract of bus.h: a report for `doctor` and /metrics, and
 * knobs that tests turn. Theory and files in reading order: README.md of this folder.
 */
#ifndef CORE_BUS_BUS_LOCAL_H
#define CORE_BUS_BUS_LOCAL_H

#include "core/bus/bus_conf.h"

enum { BUS_LOCAL_PINS_MAX = 16 };

/* A read transaction that keeps old pages from being used again. */
struct bus_local_pin {
    int64_t pid;
    uint64_t txnid;
    int64_t held_ns; /* seen holding for so long */
};

struct bus_local_report {
    char dir[256];
    bool read_only, dead;
    uint64_t map_bytes, quota_bytes, reserve_bytes, used_bytes;
    uint64_t file_pages, free_pages,
        page_bytes;           /* free: of the file's, not in use by the last txn */
    uint64_t disk_free_bytes; /* of its file system */
    uint64_t readers;         /* slots in use, all processes */
    uint64_t group_commits;
    /* Readers older than the last transaction by pin_warn_ns, longest first. */
    struct bus_local_pin pins[BUS_LOCAL_PINS_MAX];
    uint32_t pin_count;
};

/* @thread any. b must be of BUS_LOCAL. */
int bus_local_report(struct bus *b, struct bus_local_report *ret_report,
                     struct err *reterr) NODISCARD;

struct bus_local_tuning {
    int64_t pin_warn_ns;        /* 5 s: a reader that holds pages longer is named */
    int64_t tick_ns;            /* 1 s: retention by time, dead readers, start of compaction */
    int64_t tombstone_ms;       /* 24 h: how long a null value stays readable */
    uint64_t compact_min_bytes; /* 16 MiB: fewer new bytes start no compaction by themselves */
};

/* The values that a bus opened after this will have. For tests, before bus_new. */
void bus_local_tune(const struct bus_local_tuning *tuning);
struct bus_local_tuning bus_local_tuning_default(void);

#endif
