/* SPDX-License-Identifier: Apache-2.0
 *
 * One record of the crash tests: who, number, mask, and bytes that follow from them, so that a
 * reader can tell a torn, stale or foreign one.
 */
#ifndef TESTS_CRASH_CRASH_RECORD_H
#define TESTS_CRASH_CRASH_RECORD_H

#include "core/base/slice.h"
#include "tests/crash/crash_work.h"

enum { CRASH_RECORD_HEAD = 16 };

struct crash_record {
    char who; /* '0', '1': a slot; 'p': plain */
    uint64_t number;
    uint32_t mask; /* of the log's partitions */
};

/* The partitions of a transaction: at least one. */
static inline uint32_t crash_mask(char who, uint64_t number)
{
    uint64_t x = (number * 31 + (uint64_t)(uint8_t)who) * 0x9e3779b97f4a7c15u;
    uint32_t mask = (uint32_t)(x >> 60) & ((1u << CRASH_PARTS) - 1);
    return mask != 0 ? mask : 1;
}

static inline char crash_byte(const struct crash_record *r, size_t at)
{
    return (char)(r->number * 7 + (uint64_t)(uint8_t)r->who * 13 + at * 31);
}

static inline void crash_record_fill(const struct crash_record *r, char *to, size_t len)
{
    memset(to, 0, CRASH_RECORD_HEAD);
    to[0] = r->who;
    to[1] = (char)r->mask;
    memcpy(to + 8, &r->number, sizeof r->number);
    for (size_t i = CRASH_RECORD_HEAD; i < len; i++) {
        to[i] = crash_byte(r, i);
    }
}

/* False if any byte is wrong. */
static inline bool crash_record_read(struct slice value, struct crash_record *ret)
{
    if (value.len < CRASH_RECORD_HEAD) {
        return false;
    }
    ret->who = value.ptr[0];
    ret->mask = (uint8_t)value.ptr[1];
    memcpy(&ret->number, value.ptr + 8, sizeof ret->number);
    for (size_t i = CRASH_RECORD_HEAD; i < value.len; i++) {
        if (value.ptr[i] != crash_byte(ret, i)) {
            return false;
        }
    }
    return ret->mask == crash_mask(ret->who, ret->number);
}

#endif
