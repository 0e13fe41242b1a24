/* SPDX-License-Identifier: Apache-2.0
 *
 * See join_rows.h. The set is open addressing over the numbers of rows, from 1; it is cleared by
 * taking out what was put in, so that a small change after a large one costs little.
 */
#include "operators/graph/join_rows.h"

#include "core/base/hash.h"
#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

enum { SLOTS_MIN = 64 };

static uint32_t *place(const struct join_rows *r, struct evt *const *row)
{
    size_t bytes = r->width * sizeof *row;
    size_t i = hash_fast((struct slice){(const char *)row, bytes}) & (r->n_slots - 1);
    while (r->slot[i] != 0 && memcmp(&r->list.ptr[(r->slot[i] - 1) * r->width], row, bytes) != 0) {
        i = (i + 1) & (r->n_slots - 1);
    }
    return &r->slot[i];
}

static void grow(struct join_rows *r)
{
    mem_free(r->slot);
    r->n_slots = MAX((size_t)SLOTS_MIN, 2 * r->n_slots);
    r->slot = mem_calloc(r->n_slots, sizeof *r->slot);
    for (uint32_t k = 0; k < r->used; k++) {
        *place(r, &r->list.ptr[k * r->width]) = k + 1;
    }
}

void join_rows_begin(struct join_rows *r, bool once)
{
    assert(r->width > 0);
    if (r->used * 8 > r->n_slots) {
        memset(r->slot, 0, r->n_slots * sizeof *r->slot);
    } else {
        for (size_t k = r->used; k > 0; k--) { /* the last first: what lies before stays findable */
            *place(r, &r->list.ptr[(k - 1) * r->width]) = 0;
        }
    }
    r->used = r->passed = 0;
    r->once = once;
    r->cut = false;
    evts_clear(&r->list);
}

void join_rows_add(struct join_rows *r, struct evt *const *row)
{
    uint32_t *at = NULL;
    if (r->once) {
        if (2 * (r->used + 1) > r->n_slots) {
            grow(r);
        }
        at = place(r, row);
        if (*at != 0) {
            return;
        }
    }
    if (UNLIKELY(join_rows_made(r) >= r->max)) {
        r->cut = true;
        return;
    }
    for (size_t i = 0; i < r->width; i++) {
        evts_add(&r->list, row[i]);
    }
    if (at != NULL) {
        *at = (uint32_t)++r->used;
    }
}

void join_rows_pass(struct join_rows *r)
{
    if (UNLIKELY(join_rows_made(r) >= r->max)) {
        r->cut = true;
        return;
    }
    r->passed++;
}

void join_rows_done(struct join_rows *r)
{
    evts_done(&r->list);
    mem_free(r->slot);
    r->slot = NULL;
}
