/* SPDX-License-Identifier: Apache-2.0
 *
 * The death of a slot's process, as far as its memory goes: the client is gone already, with all
 * that was opened through it.
 */
#ifndef TESTS_UNIT_OPERATORS_SHARD_SLOT_ABANDON_H
#define TESTS_UNIT_OPERATORS_SHARD_SLOT_ABANDON_H

#include "operators/shard/slot_impl.h"

static inline void slot_abandon(struct slot *s)
{
    s->writer = NULL;
    s->reader = s->source = NULL;
    s->trials.notes = NULL;
    for (uint32_t i = 0; i < SLOT_LOADS; i++) {
        s->loads[i].reader = NULL;
    }
    s->lost = true;
    slot_free(s);
}

#endif
