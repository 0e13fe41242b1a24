/* SPDX-License-Identifier: Apache-2.0
 *
 * The vocabulary of payloads, shared by everything that makes raw events and by the rule engine
 * that reads them: the event types and the keys that Kaiju writes (prop.def).
 *
 * A payload is flat, because attributes are what rules mostly ask for, and a flat key is found by
 * its interned number. Own keys and the sender's attributes cannot meet: an attribute whose key is
 * an own key, or begins with "attributes.", is written with "attributes." before it.
 */
#ifndef CORE_EVENT_PROP_H
#define CORE_EVENT_PROP_H

#include "core/base/slice.h"
#include "core/event/val.h"

enum prop_type {
#define EVENT_TYPE(id, name, kind, doc) PROP_TYPE_##id,
#include "core/event/prop.def"
    PROP_TYPE_COUNT,
};

enum prop {
#define PROP(name, tag, types, doc) PROP_##name,
#include "core/event/prop.def"
    PROP_COUNT,
};

#define PROP_ESCAPE "attributes."

/* What a NaN says of a series that has ended: as Prometheus writes it. */
#define PROP_STALE_BITS UINT64_C(0x7ff0000000000002)

extern const struct slice prop_keys[PROP_COUNT];
extern const struct slice prop_type_names[PROP_TYPE_COUNT];
extern const uint8_t prop_type_kinds[PROP_TYPE_COUNT]; /* enum rec_kind */

/* Must an attribute of this name be escaped? O(log n) */
bool prop_reserved(struct slice key);
const char *prop_doc(enum prop p);

#endif
