/* SPDX-License-Identifier: Apache-2.0
 *
 * See operator_claim.h.
 */
#include "operators/operator_claim.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void operator_claim_take(struct operator_claim *c, struct slice key, struct slice value,
                         int64_t now)
{
    if (!slice_eq(key, slice_str(c->name)) || value.len == 0) {
        return;
    }
    json_t *j = json_loadb(value.ptr, value.len, 0, NULL);
    const char *boot = json_string_value(json_object_get(j, "boot"));
    int64_t beat = json_integer_value(json_object_get(j, "beat"));
    bool leaves = json_is_true(json_object_get(j, "leaves"));
    bool known = boot != NULL && strcmp(boot, c->other) == 0;
    if (boot == NULL || strlen(boot) >= sizeof c->other || strcmp(boot, c->boot) == 0) {
        json_decref(j);
        return;
    }
    if (leaves) {
        c->other[0] = known ? '\0' : c->other[0];
    } else if (!known || beat != c->beat) {
        (void)snprintf(c->other, sizeof c->other, "%s", boot);
        c->beat = beat;
        c->heard = now;
        c->beats += c->read;
    }
    json_decref(j);
}

static bool began_before(const char *a, const char *b)
{
    unsigned long long at = strtoull(a, NULL, 16), than = strtoull(b, NULL, 16);
    return at != than ? at < than : strcmp(a, b) < 0;
}

bool operator_claim_is_mine(struct operator_claim *c, int64_t now)
{
    bool talks = c->other[0] != '\0' && now - c->heard < OPERATOR_CLAIM_SILENT_NS;
    if (c->alone) {
        c->mine = true;
    } else if (!c->mine) {
        c->mine = c->read && !talks;
    } else if (talks && began_before(c->other, c->boot)) {
        c->mine = false;
    }
    c->refused = !c->mine && talks && c->beats > 0;
    return c->mine;
}
