/* SPDX-License-Identifier: Apache-2.0
 *
 * One look at the key of an attribute tells whether it is a word we know: a name of otlp_alias.def,
 * or an own key of payloads (prop.def) that an attribute must not have. Nearly all keys are
 * neither, so a miss has to be cheap: one byte out of a kilobyte, mostly.
 * Built once, read-only.
 */
#ifndef INGEST_OTLP_KEYS_H
#define INGEST_OTLP_KEYS_H

#include "core/base/slice.h"
#include "core/event/keytab.h"

enum otlp_role {
#define ROLE(id, key, where, doc) OTLP_ROLE_##id,
#include "ingest/otlp_alias.def"
    OTLP_ROLES_OF_TARGET,                       /* those above have canonical keys */
    OTLP_ROLE_MARKS = OTLP_ROLES_OF_TARGET - 1, /* so that marks count on */
#define MARK(id, key, doc) OTLP_ROLE_##id,
#include "ingest/otlp_alias.def"
    OTLP_ROLE_COUNT,
    OTLP_ROLE_NONE = OTLP_ROLE_COUNT,
};
_Static_assert(OTLP_ROLE_COUNT <= 64, "roles found in an item are bits of a word");

enum otlp_where { OTLP_RESOURCE = 1, OTLP_ITEM = 2, OTLP_BOTH = 3 };

struct otlp_key {
    const char *text;
    uint8_t len, role, where;
    uint8_t rank; /* 0 = canonical, then in order of preference */
    bool own;     /* a key of prop.def */
};

enum { OTLP_KEY_SLOTS = KEYTAB_SIZE, OTLP_KEYS_MAX = 255, OTLP_KEY_LEN_MAX = 63 };

struct otlp_keys {
    uint8_t slots[OTLP_KEY_SLOTS]; /* number of a key, from 1; 0 = free */
    struct otlp_key keys[OTLP_KEYS_MAX + 1];
    uint32_t count;
};

void otlp_keys_init(struct otlp_keys *k);
struct slice otlp_role_key(enum otlp_role role);
/* The keys from which service.name is taken, in order; absent behind the last. */
struct slice otlp_service_fallback(size_t i);

/* NULL: no word of ours. */
static inline const struct otlp_key *otlp_key_find(const struct otlp_keys *k, struct slice key)
{
    for (uint32_t at = keytab_mix(key); k->slots[at] != 0; at = (at + 1) % OTLP_KEY_SLOTS) {
        const struct otlp_key *known = &k->keys[k->slots[at]];
        if (known->len == key.len && memcmp(known->text, key.ptr, key.len) == 0) {
            return known;
        }
    }
    return NULL;
}

#endif
