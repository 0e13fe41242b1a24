/* SPDX-License-Identifier: Apache-2.0
 *
 * The 16-byte id of an event, so that whoever sees it twice can tell.
 *   raw      what the sender calls it (spans: trace id, span id, span kind), else xxh128 of the
 *            subject key and the canonical content: a retried request repeats its ids
 *   derived  xxh128(lineage, output number): replay repeats it
 *   alert    xxh128(tenant, graph, statement, key, ordinal of the opening for that key): no
 *            version, offset or sequence, so an edited rule goes on with its open alerts
 *
 * Canonical content: ts, kind, type, trace and span id, context and payload, keys sorted, values as
 * key bytes (key.h). Mappers call id_of_content *before* enrichment and clamping: what differs
 * between two tries of one request must not enter. Two equal items of one request (a line logged
 * twice within the sender's clock tick) differ by their ordinal, 0, 1, ...
 */
#ifndef CORE_EVENT_ID_H
#define CORE_EVENT_ID_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/base/slice.h"

struct id {
    uint8_t bytes[16];
};

struct rec;

struct id id_of_span(const uint8_t trace_id[16], const uint8_t span_id[8], uint8_t span_kind);
/* scratch is cleared and filled: give the same one again and nothing is allocated. ERR_TOO_BIG at
 * its limit. */
int id_of_content(struct buf *scratch, struct slice subject_key, const struct rec *r,
                  uint32_t ordinal, struct id *ret_id, struct err *reterr) NODISCARD;
/* The same purpose for mappers at a high rate: subject and context come digested, once for all
 * events that share them, and the payload counts in the order in which it stands, which a retried
 * request repeats. id_repeat: of the further ones of equal items, ordinal 1, 2, ... */
int id_of_item(struct buf *scratch, const struct hash128 *target, const struct rec *r,
               struct id *ret_id, struct err *reterr) NODISCARD;
struct id id_repeat(struct id first, uint32_t ordinal);
struct id id_of_derived(uint64_t lineage, uint64_t number);
struct id id_of_alert(struct slice tenant, struct slice graph, struct slice statement,
                      struct slice key_bytes, uint64_t ordinal);

static inline bool id_equal(const struct id *a, const struct id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

#endif
