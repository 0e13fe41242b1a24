/* SPDX-License-Identifier: Apache-2.0
 *
 * Tags of what a slot asks its bus for: whose an answer is. A kind in the low byte, then an index,
 * and a number that is used once, so that answers to what is gone are told from others.
 */
#ifndef OPERATORS_SHARD_SLOT_TAG_H
#define OPERATORS_SHARD_SLOT_TAG_H

#include <stdint.h>

enum slot_tag {
    SLOT_TAG_OPEN = 1,
    SLOT_TAG_COMMIT,
    SLOT_TAG_BOUNDS,
    SLOT_TAG_JOURNAL,
    SLOT_TAG_SCAN,
    SLOT_TAG_SCAN_BOUNDS,
    SLOT_TAG_TIMER,
    SLOT_TAG_LAG, /* where a partition ends now */
    SLOT_TAG_LOW, /* where one of the journal begins */
    SLOT_TAG_LEAVE,
    SLOT_TAG_TRIAL_OPEN,
    SLOT_TAG_TRIAL_PUT,
    SLOT_TAG_PUT, /* plain writer: 1 + the task whose journal record it is */
};

static inline uint64_t slot_tag(enum slot_tag kind, uint32_t index, uint32_t number)
{
    return (uint64_t)number << 32 | (uint64_t)index << 8 | (uint64_t)kind;
}
static inline uint32_t slot_tag_index(uint64_t tag)
{
    return (uint32_t)(tag >> 8) & 0xffffff;
}

#endif
