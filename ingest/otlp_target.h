/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom an event is about: resource and scope as a context of the shared vocabulary, with the
 * subject key and a digest for ids computed once for all events that share it.
 *
 * The base target is that of a scope in a resource. An item may name another pod in its attributes
 * (cAdvisor, kube-state-metrics, log collectors): then its target is the base with everything that
 * says "pod" replaced. Those are remembered in a small table, since a scrape names few pods often.
 * All of it lies in the arena of the request, copied: nothing points into the body.
 */
#ifndef INGEST_OTLP_TARGET_H
#define INGEST_OTLP_TARGET_H

#include "core/base/hash.h"
#include "core/event/rec.h"
#include "ingest/otlp_decode.h"

struct otlp_target {
    struct rec_context context;
    struct slice key; /* subject key */
    struct hash128 digest;
};

enum { OTLP_TARGET_SLOTS = 256, OTLP_OVERLAY_MAX = 8 };

/* What replaces parts of a base target. */
struct otlp_overlay {
    struct val_pair pairs[OTLP_OVERLAY_MAX];
    uint32_t len;
};

struct otlp_target_slot {
    uint32_t scope; /* number of the scope it was made for */
    uint64_t hash;
    const struct otlp_target *target;
};

struct otlp_targets {
    struct arena *arena; /* of the request */
    struct slice tenant;
    struct val_pair *resource; /* of the current one; sorted, aliases folded */
    uint32_t resource_len, scope, duplicates;
    struct buf scratch;
    const struct otlp_target *base; /* of the current scope */
    struct otlp_target_slot slots[OTLP_TARGET_SLOTS];
};

void otlp_targets_init(struct otlp_targets *t);
void otlp_targets_done(struct otlp_targets *t);
void otlp_targets_begin(struct otlp_targets *t, struct arena *a, struct slice tenant);
/* The resource of what follows: the Resource messages in `holder` (ResourceSpans and alike), and
 * its schema_url. False: it cannot be taken; the item says why. */
bool otlp_targets_resource(struct otlp_targets *t, struct otlp_item *it, struct slice holder);
/* The scope of what follows, out of ScopeSpans and alike: sets base. */
bool otlp_targets_scope(struct otlp_targets *t, struct otlp_item *it, struct slice holder);
/* The target that the attributes of the item name, or the base. NULL: no memory. */
const struct otlp_target *otlp_targets_item(struct otlp_targets *t, const struct otlp_item *it);
/* The base with other words; whatever belongs to the base's own pod is left out. NULL: no memory.
 */
const struct otlp_target *otlp_targets_overlay(struct otlp_targets *t,
                                               const struct otlp_overlay *over);
/* A text of the base's context, or absent. */
struct slice otlp_targets_text(const struct otlp_targets *t, struct slice key);

#endif
