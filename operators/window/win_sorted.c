/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_sorted.h.
 */
#include "operators/window/win_sorted.h"

#include "core/base/mem.h"

#include <assert.h>

static int compare(const struct win_criteria *c, const struct dat *a, const struct dat *b)
{
    for (uint32_t i = 0; i < c->n; i++) {
        int d = dat_cmp(a[i], b[i]);
        if (d != 0) {
            return c->desc[i] ? -d : d;
        }
    }
    return 0;
}

/* The first entry that is not before these values: newer ones go in front of their equals. */
static size_t first_not_before(const struct win_sorted *s, const struct win_criteria *c,
                               const struct dat *by)
{
    size_t low = 0, high = s->len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare(c, s->all[mid]->by, by) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* A new entry at that place, with these values. */
static struct win_entry *put(struct win_sorted *s, const struct win_criteria *c, size_t at,
                             struct evt *e, const struct dat *by)
{
    struct win_entry *x = s->free;
    assert(at <= s->len);
    if (x != NULL) {
        s->free = x->next_free;
    } else {
        x = mem_alloc(sizeof *x + c->n * sizeof(struct dat));
    }
    *x = (struct win_entry){.e = evt_keep(e)};
    for (uint32_t i = 0; i < c->n; i++) {
        x->by[i] = dat_keep(by[i]);
    }
    if (s->len == s->cap) {
        s->cap = s->cap > 0 ? s->cap * 2 : 8;
        s->all = mem_realloc(s->all, s->cap * sizeof *s->all);
    }
    memmove(s->all + at + 1, s->all + at, (s->len - at) * sizeof *s->all);
    s->all[at] = x;
    s->len++;
    return x;
}

struct win_entry *win_sorted_add(struct win_sorted *s, const struct win_criteria *c,
                                 struct view_env *env, struct evt *e)
{
    struct dat by[WIN_KEYS_MAX];
    win_eval_all(env, c->by, c->n, e, by);
    return put(s, c, first_not_before(s, c, by), e, by);
}

struct win_entry *win_sorted_append(struct win_sorted *s, const struct win_criteria *c,
                                    struct evt *e, const struct dat *by)
{
    if (s->len > 0 && compare(c, s->all[s->len - 1]->by, by) > 0) {
        return NULL;
    }
    return put(s, c, s->len, e, by);
}

struct evt *win_sorted_take(struct win_sorted *s, const struct win_criteria *c,
                            struct view_env *env, size_t at)
{
    assert(at < s->len);
    struct win_entry *x = s->all[at];
    struct evt *e = x->e;
    for (uint32_t i = 0; i < c->n; i++) {
        dat_drop(env->heap, x->by[i]);
    }
    evt_drop(env->heap, e);
    s->len--;
    memmove(s->all + at, s->all + at + 1, (s->len - at) * sizeof *s->all);
    x->next_free = s->free;
    s->free = x;
    return e;
}

size_t win_sorted_place(const struct win_sorted *s, const struct win_criteria *c,
                        const struct win_entry *entry)
{
    size_t at = first_not_before(s, c, entry->by);
    while (at < s->len && s->all[at] != entry) {
        at++;
    }
    return at;
}

size_t win_sorted_find(const struct win_sorted *s, const struct win_criteria *c,
                       struct view_env *env, struct evt *e)
{
    struct dat by[WIN_KEYS_MAX];
    win_eval_all(env, c->by, c->n, e, by);
    size_t at = first_not_before(s, c, by);
    while (at < s->len && s->all[at]->e != e && compare(c, s->all[at]->by, by) == 0) {
        at++;
    }
    return at < s->len && s->all[at]->e == e ? at : s->len;
}

void win_sorted_done(struct win_sorted *s, const struct win_criteria *c, struct vheap *h)
{
    for (size_t i = 0; i < s->len; i++) {
        for (uint32_t k = 0; k < c->n; k++) {
            dat_drop(h, s->all[i]->by[k]);
        }
        evt_drop(h, s->all[i]->e);
        mem_free(s->all[i]);
    }
    while (s->free != NULL) {
        struct win_entry *next = s->free->next_free;
        mem_free(s->free);
        s->free = next;
    }
    mem_free(s->all);
    *s = (struct win_sorted){.all = NULL};
}
