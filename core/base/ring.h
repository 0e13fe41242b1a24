/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded queue of pointers between exactly two threads: one pushes, one pops. No locks; a push
 * happens before the pop that sees it. The size is a power of two.
 */
#ifndef CORE_BASE_RING_H
#define CORE_BASE_RING_H

#include "core/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct ring;

struct ring *ring_new(size_t size);
void ring_free(struct ring *r);
bool ring_push(struct ring *r, void *item) NODISCARD; /* false = full; @thread the producer */
void *ring_pop(struct ring *r);                       /* NULL = empty; @thread the consumer */
size_t ring_len(const struct ring *r);                /* a snapshot, any thread */

#endif
