/* SPDX-License-Identifier: Apache-2.0
 *
 * See pace.h.
 */
#include "loadgen/pace.h"

#include "core/base/attr.h"

#include <assert.h>

void pace_init(struct pace *p, int64_t now_ns, int64_t tick_ns)
{
    assert(tick_ns > 0 && tick_ns <= PACE_BURST_NS);
    *p = (struct pace){.start_ns = now_ns, .tick_ns = tick_ns};
}

int64_t pace_due(struct pace *p, int64_t now_ns, int held)
{
    int64_t elapsed = now_ns - p->start_ns - p->behind_ns;
    int64_t due = elapsed / p->tick_ns - p->made;
    int64_t most = held ? 0 : PACE_BURST_NS / p->tick_ns;
    assert(now_ns >= p->start_ns);
    if (due > most) {
        p->behind_ns += (due - most) * p->tick_ns;
        due = most;
    }
    due = MAX(due, 0);
    p->made += due;
    return due;
}

int64_t pace_wait_ns(const struct pace *p, int64_t now_ns)
{
    int64_t next = p->start_ns + p->behind_ns + (p->made + 1) * p->tick_ns;
    return MAX(next - now_ns, 0);
}
