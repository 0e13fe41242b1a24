/* SPDX-License-Identifier: Apache-2.0
 *
 * See prop.h. The rows of prop.def are sorted by name; a test holds that, the search counts on it.
 */
#include "core/event/prop.h"

#include "core/event/rec.h"

#include <assert.h>

const struct slice prop_keys[PROP_COUNT] = {
#define PROP(name, tag, types, doc) {#name, sizeof #name - 1},
#include "core/event/prop.def"
};

const struct slice prop_type_names[PROP_TYPE_COUNT] = {
#define EVENT_TYPE(id, name, kind, doc) {name, sizeof name - 1},
#include "core/event/prop.def"
};

const uint8_t prop_type_kinds[PROP_TYPE_COUNT] = {
#define EVENT_TYPE(id, name, kind, doc) REC_##kind,
#include "core/event/prop.def"
};

static const char *const DOCS[PROP_COUNT] = {
#define PROP(name, tag, types, doc) doc,
#include "core/event/prop.def"
};

bool prop_reserved(struct slice key)
{
    if (slice_starts(key, SLICE(PROP_ESCAPE))) {
        return true;
    }
    size_t low = 0, high = PROP_COUNT;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_cmp(prop_keys[mid], key);
        if (c == 0) {
            return true;
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return false;
}

const char *prop_doc(enum prop p)
{
    assert(p < PROP_COUNT);
    return DOCS[p];
}
