/* SPDX-License-Identifier: Apache-2.0
 *
 * What `kaiju tail` was asked for, as values: where to begin and what to let through. Pure.
 *
 *     --from start | end | -5m | 1200 | 2026-01-31T12:00:00Z
 *     --filter 'k8s.pod.name=cart-0'   = equals, != differs or absent, ~ contains
 */
#ifndef CORE_BUS_TAIL_SPEC_H
#define CORE_BUS_TAIL_SPEC_H

#include "core/base/err.h"
#include "core/base/slice.h"

enum tail_from_kind { TAIL_FROM_OFFSET = 0, TAIL_FROM_TIME = 1 };

struct tail_from {
    enum tail_from_kind kind;
    int64_t offset;  /* a real one, BUS_FROM_START or BUS_FROM_END */
    int64_t time_ms; /* TAIL_FROM_TIME */
};

enum tail_op { TAIL_EQUALS = 0, TAIL_DIFFERS = 1, TAIL_CONTAINS = 2 };

struct tail_filter {
    struct slice key, value; /* borrowed from the text */
    enum tail_op op;
};

int tail_from_parse(struct slice text, int64_t now_ms, struct tail_from *ret_from,
                    struct err *reterr) NODISCARD;
int tail_filter_parse(struct slice text, struct tail_filter *ret_filter,
                      struct err *reterr) NODISCARD;
/* value.ptr NULL = the event has no such key. */
bool tail_filter_passes(const struct tail_filter *f, struct slice value);

#endif
