/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_keys.h.
 */
#include "ingest/otlp_keys.h"

#include "core/event/prop.h"

#include <assert.h>

static const struct {
    const char *key;
    uint8_t role, where;
    bool canonical;
} ROWS[] = {
#define ROLE(id, key, where, doc)  {key, OTLP_ROLE_##id, OTLP_##where, true},
#define ALIAS(id, key, where, doc) {key, OTLP_ROLE_##id, OTLP_##where, false},
#define MARK(id, key, doc)         {key, OTLP_ROLE_##id, OTLP_ITEM, true},
#include "ingest/otlp_alias.def"
};

static const char *const FALLBACKS[] = {
#define FALLBACK(key, doc) key,
#include "ingest/otlp_alias.def"
};

static const struct slice ROLE_KEYS[OTLP_ROLES_OF_TARGET] = {
#define ROLE(id, key, where, doc) {key, sizeof key - 1},
#include "ingest/otlp_alias.def"
};

struct slice otlp_role_key(enum otlp_role role)
{
    assert(role < OTLP_ROLES_OF_TARGET);
    return ROLE_KEYS[role];
}

struct slice otlp_service_fallback(size_t i)
{
    return i < ARRAY_LEN(FALLBACKS) ? slice_str(FALLBACKS[i]) : SLICE_NONE;
}

/* The place of the key, taken if it was not there. */
static struct otlp_key *place(struct otlp_keys *k, struct slice key)
{
    assert(key.len <= OTLP_KEY_LEN_MAX);
    const struct otlp_key *found = otlp_key_find(k, key);
    if (found != NULL) {
        return &k->keys[found - k->keys];
    }
    uint32_t at = keytab_mix(key);
    while (k->slots[at] != 0) {
        at = (at + 1) % OTLP_KEY_SLOTS;
    }
    assert(k->count < OTLP_KEYS_MAX);
    k->slots[at] = (uint8_t)++k->count;
    struct otlp_key *added = &k->keys[k->count];
    *added = (struct otlp_key){.text = key.ptr, .len = (uint8_t)key.len, .role = OTLP_ROLE_NONE};
    return added;
}

void otlp_keys_init(struct otlp_keys *k)
{
    memset(k, 0, sizeof *k);
    uint8_t rank = 0;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct otlp_key *at = place(k, slice_str(ROWS[i].key));
        assert(at->role == OTLP_ROLE_NONE); /* no key has two meanings */
        rank = ROWS[i].canonical ? 0 : (uint8_t)(rank + 1);
        at->role = ROWS[i].role;
        at->where = ROWS[i].where;
        at->rank = rank;
    }
    for (size_t i = 0; i < PROP_COUNT; i++) {
        place(k, prop_keys[i])->own = true;
    }
}
