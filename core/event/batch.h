/* SPDX-License-Identifier: Apache-2.0
 *
 * What encoder and decoder of EventBatch (schemas/event_batch.avsc) agree on besides the schema:
 * limits. Bytes come from outside, so everything in them that is counted has a largest number, and
 * the encoder refuses what the decoder would, so that what was written can be read.
 */
#ifndef CORE_EVENT_BATCH_H
#define CORE_EVENT_BATCH_H

#include <stdint.h>

struct batch_limits {
    uint32_t contexts, events; /* per batch */
    uint32_t items;            /* per payload, context, list or map */
    uint32_t causes;           /* per event */
    uint32_t depth;            /* of lists and maps within a value; at most VAL_DEPTH_MAX */
};

/* Far above what is sensible and far below what hurts. */
#define BATCH_LIMITS ((struct batch_limits){65536, 1048576, 65536, 4096, 32})

#endif
