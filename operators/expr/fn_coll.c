/* SPDX-License-Identifier: Apache-2.0
 *
 * Methods of maps and lists. What new {} makes is an event of an unnamed type; where a map is
 * wanted it counts as one.
 */
#include "operators/expr/fn_impl.h"

#include <assert.h>

/* Entries of a map or of such an event. */
static uint32_t entries(struct dat m)
{
    return m.kind == DAT_MAP ? m.m->len : m.kind == DAT_EVENT ? m.ev->type->n_cols : 0;
}

static struct dat key_at(const struct fn_in *in, struct dat m, uint32_t i)
{
    return m.kind == DAT_MAP ? m.m->v[i].key : fn_string(in, m.ev->type->cols[i].name);
}

static struct dat value_at(struct dat m, uint32_t i)
{
    return m.kind == DAT_MAP ? m.m->v[i].value : m.ev->p[i];
}

static struct dat lookup(struct dat m, struct dat key, bool *ret_found)
{
    *ret_found = false;
    if (m.kind == DAT_MAP) {
        return vmap_get_val(m.m, key, ret_found);
    }
    int at =
        m.kind == DAT_EVENT && key.kind == DAT_STRING ? ety_col(m.ev->type, vstr_slice(key.s)) : -1;
    *ret_found = at >= 0;
    return at >= 0 ? m.ev->p[at] : DAT_NONE;
}

static struct dat run_map_get(const struct fn_in *in)
{
    bool found = false;
    return lookup(in->v[0], in->v[1], &found);
}

static struct dat run_map_get_or(const struct fn_in *in)
{
    bool found = false;
    struct dat v = lookup(in->v[0], in->v[1], &found);
    return found ? v : in->v[2];
}

static struct dat run_contains_key(const struct fn_in *in)
{
    bool found = false;
    (void)lookup(in->v[0], in->v[1], &found);
    return dat_bool(found);
}

static struct dat run_contains_value(const struct fn_in *in)
{
    for (uint32_t i = 0; i < entries(in->v[0]); i++) {
        if (dat_same(value_at(in->v[0], i), in->v[1])) {
            return dat_bool(true);
        }
    }
    return dat_bool(false);
}

static struct dat run_key_set(const struct fn_in *in)
{
    struct vlist *l = vlist_new(in->h, entries(in->v[0]));
    for (uint32_t i = 0; i < l->len; i++) {
        vlist_set(l, i, key_at(in, in->v[0], i));
    }
    return dat_list(l);
}

static struct dat run_values(const struct fn_in *in)
{
    struct vlist *l = vlist_new(in->h, entries(in->v[0]));
    for (uint32_t i = 0; i < l->len; i++) {
        vlist_set(l, i, value_at(in->v[0], i));
    }
    return dat_list(l);
}

static struct dat run_entry_set(const struct fn_in *in)
{
    struct vlist *l = vlist_new(in->h, entries(in->v[0]));
    for (uint32_t i = 0; i < l->len; i++) {
        struct vlist *pair = vlist_new(in->h, 2);
        vlist_set(pair, 0, key_at(in, in->v[0], i));
        vlist_set(pair, 1, value_at(in->v[0], i));
        vlist_set(l, i, dat_list(pair));
    }
    return dat_list(l);
}

static struct dat run_size(const struct fn_in *in)
{
    struct dat v = in->v[0];
    return dat_int((int32_t)(v.kind == DAT_LIST ? v.l->len : entries(v)));
}

static struct dat run_is_empty(const struct fn_in *in)
{
    struct dat v = in->v[0];
    return dat_bool((v.kind == DAT_STRING ? v.s->len
                     : v.kind == DAT_LIST ? v.l->len
                                          : entries(v)) == 0);
}

static struct dat run_contains(const struct fn_in *in)
{
    struct dat v = in->v[0];
    if (v.kind == DAT_STRING) {
        struct slice s = vstr_slice(v.s), part = fn_text_of(in, 1);
        return dat_bool(part.len == 0 || slice_find_slice(s, part) < s.len);
    }
    for (uint32_t i = 0; v.kind == DAT_LIST && i < v.l->len; i++) {
        if (dat_same(v.l->v[i], in->v[1])) {
            return dat_bool(true);
        }
    }
    return dat_bool(false);
}

static struct dat run_list_get(const struct fn_in *in)
{
    const struct vlist *l = in->v[0].l;
    int64_t at = in->v[1].i;
    return at >= 0 && at < l->len ? l->v[at] : DAT_NONE;
}

fn_run *const fn_collections[FN_COUNT] = {
    [FN_MAP_GET] = run_map_get,           [FN_MAP_GET_OR] = run_map_get_or,
    [FN_CONTAINS_KEY] = run_contains_key, [FN_CONTAINS_VALUE] = run_contains_value,
    [FN_KEY_SET] = run_key_set,           [FN_VALUES] = run_values,
    [FN_ENTRY_SET] = run_entry_set,       [FN_SIZE] = run_size,
    [FN_IS_EMPTY] = run_is_empty,         [FN_CONTAINS] = run_contains,
    [FN_LIST_GET] = run_list_get,
};
