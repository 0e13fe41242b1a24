/* SPDX-License-Identifier: Apache-2.0
 *
 * The normalized event: timestamp | payload | context, and what makes it practical. Every signal
 * becomes this at ingest and stays this until a sink writes it.
 *
 * Nothing here owns memory. Events of a batch, their contexts, pairs and strings lie in the arena
 * and the input that the batch was decoded from (batch_dec.h) and die with them; keys and type
 * names point into the intern table while it has room. Decoded batches are immutable. Windows copy
 * the columns they need (val_copy) and keep the reference instead of the event.
 *
 * Keys carry their number in the reader's intern table, so that a lookup compares integers, and
 * first looks where it found the key the last time. Number 0 = the table was full: look up by text.
 *
 * New kinds, flags and well-known context keys are rows of rec.def.
 */
#ifndef CORE_EVENT_REC_H
#define CORE_EVENT_REC_H

#include "core/base/intern.h"
#include "core/event/id.h"
#include "core/event/ref.h"
#include "core/event/val.h"

#include <assert.h>

enum rec_kind {
#define KIND(name, number, doc) REC_##name = (number),
#include "core/event/rec.def"
};

enum rec_flag {
#define FLAG(name, bit, doc) REC_FLAG_##name = 1 << (bit),
#include "core/event/rec.def"
};

/* The target of events: shared by all events of a batch that have it. */
struct rec_context {
    const struct val_pair *pairs;
    uint32_t len, index; /* its place in the batch */
};

struct rec {
    int64_t ts, ingest_ts; /* ns since 1970 */
    const struct rec_context *context;
    const struct val_pair *payload;
    const struct ref *causes;
    uint32_t payload_len, causes_len;
    uint32_t n;       /* derived: output number minus the first of its record; raw: 0 */
    uint32_t type_id; /* interned number of type; 0 when the table was full */
    struct slice type;
    uint32_t flags;       /* enum rec_flag */
    uint8_t kind;         /* enum rec_kind, or a number of a newer version */
    uint8_t span_id[8];   /* all zero = none */
    uint8_t trace_id[16]; /* all zero = none */
    struct id id;
};

/* The events of one record of the bus. */
struct rec_batch {
    struct slice source; /* who wrote it: a protocol at ingest, a task's name */
    int64_t seq, min_ts, max_ts;
    const struct rec_context *contexts;
    const struct rec *events;
    uint32_t contexts_len, events_len;
};

static inline bool rec_has_trace(const struct rec *r)
{
    static const uint8_t none[16] = {0};
    return memcmp(r->trace_id, none, sizeof none) != 0;
}
static inline bool rec_has_span(const struct rec *r)
{
    static const uint8_t none[8] = {0};
    return memcmp(r->span_id, none, sizeof none) != 0;
}

/* The value under an interned key, or NULL. *hint is the caller's memory of the position (start
 * with 0): one per place in the program that looks a key up. id must not be 0. */
const struct val *rec_find_slow(const struct val_pair *pairs, uint32_t len, uint32_t id,
                                uint32_t *hint);
static inline const struct val *rec_find(const struct val_pair *pairs, uint32_t len, uint32_t id,
                                         uint32_t *hint)
{
    assert(id != 0);
    uint32_t at = *hint;
    if (LIKELY(at < len && pairs[at].key_id == id)) {
        return &pairs[at].value;
    }
    return rec_find_slow(pairs, len, id, hint);
}
/* By text: works with and without a number. The last of equal keys. */
const struct val *rec_find_text(const struct val_pair *pairs, uint32_t len, struct slice key);

/* The keys of rec.def's CONTEXT rows: texts, and numbers in one intern table. */
enum rec_name {
#define CONTEXT(name, key, doc) REC_NAME_##name,
#include "core/event/rec.def"
    REC_NAME_COUNT,
};
struct rec_names {
    uint32_t id[REC_NAME_COUNT];
};
void rec_names_init(struct rec_names *names, struct intern *keys);
struct slice rec_name_text(enum rec_name name);
/* A context value by name; NULL if absent. names may be NULL: then by text. */
const struct val *rec_context_get(const struct rec_context *c, const struct rec_names *names,
                                  enum rec_name name);

/* "METRIC"; "?" for a number without a row. Into kind: false if the name has no row. */
const char *rec_kind_name(unsigned kind);
bool rec_kind_of(struct slice name, uint8_t *ret_kind);
const char *rec_flag_name(unsigned bit);

/* Fields, pairs and causes of both compared bit by bit (val_same), contexts by content; interned
 * numbers and n's meaning aside. For tests and tools. */
bool rec_same(const struct rec *a, const struct rec *b);

#endif
