/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of the state of statements when a graph of one level `logs` changes, as text: each
 * "what/statement ".
 */
#ifndef TESTS_UNIT_OPERATORS_SHARD_FATES_H
#define TESTS_UNIT_OPERATORS_SHARD_FATES_H

#include "tests/test.h"

#include "core/base/buf.h"
#include "operators/shard/layout_diff.h"

static inline void check_fates(const char *want, uint32_t raw_parts, const char *before,
                               const char *after)
{
    static const char *const names[] = {"kept", "begun", "dropped"};
    const struct layout_conf conf = {.raw_parts = raw_parts};
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout_change *v = NULL;
    uint32_t n = 0;
    struct err err;
    struct buf b;
    buf_init(&b, 1000);
    CHECK_OK(layout_diff(a, slice_str(before), slice_str(after), &conf, &v, &n, &err), err);
    for (uint32_t i = 0; i < n; i++) {
        CHECK_SLICE("logs", v[i].level);
        (void)buf_addf(&b, "%s/" SLICE_FMT " ", names[v[i].fate], SLICE_ARG(v[i].statement));
    }
    CHECK_SLICE(want, buf_slice(&b));
    buf_done(&b);
    arena_free(a);
}

#endif
