/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads event batches that another version of Kaiju wrote: the bytes by the writer's schema
 * (schema_read.h), the fields then by name. What the writer did not have gets its default, what we
 * do not have is skipped, numbers and strings are taken in any type the Avro rules promote.
 *
 * Slower than batch_dec by several times, and only as exact: pairs come sorted by key. Everything
 * else about the result is as there.
 */
#ifndef CORE_EVENT_BATCH_OTHER_H
#define CORE_EVENT_BATCH_OTHER_H

#include "core/event/batch.h"
#include "core/event/rec.h"
#include "core/event/schema.h"

int batch_other_read(const struct schema *writer, struct batch_limits limits, struct intern *keys,
                     struct arena *a, struct slice body, struct rec_batch *ret_batch,
                     struct err *reterr) NODISCARD;

#endif
