/* SPDX-License-Identifier: Apache-2.0
 *
 * See dat_outgo.h.
 */
#include "operators/sig/dat_outgo.h"

#include <assert.h>

static bool text_of(struct dat v, struct arena *a, struct val *ret)
{
    struct buf b;
    buf_init(&b, 4096); /* more than any number has */
    dat_text_to(v, &b);
    struct slice s = arena_copy(a, buf_slice(&b));
    bool ok = !buf_failed(&b) && (s.ptr != NULL || b.len == 0);
    buf_done(&b);
    *ret = val_string(s);
    return ok;
}

static bool map_of(const struct vmap *m, struct arena *a, struct val *ret)
{
    struct val_pair *pairs = arena_array(a, m->len + 1, sizeof *pairs);
    bool ok = pairs != NULL;
    for (uint32_t i = 0; ok && i < m->len; i++) {
        struct val key = val_null();
        ok = m->v[i].key.kind == DAT_STRING || text_of(m->v[i].key, a, &key);
        struct slice name = key.tag == VAL_STRING ? val_slice(key) : vstr_slice(m->v[i].key.s);
        pairs[i] = val_pair(name, val_null());
        ok = ok && dat_outgo(m->v[i].value, a, &pairs[i].value);
    }
    *ret = ok ? val_map(pairs, val_map_sort(pairs, m->len)) : val_null();
    return ok;
}

static bool list_of(const struct vlist *l, struct arena *a, struct val *ret)
{
    struct val *items = arena_array(a, l->len + 1, sizeof *items);
    bool ok = items != NULL;
    for (uint32_t i = 0; ok && i < l->len; i++) {
        ok = dat_outgo(l->v[i], a, &items[i]);
    }
    *ret = ok ? val_list(items, l->len) : val_null();
    return ok;
}

bool dat_outgo(struct dat v, struct arena *a, struct val *ret)
{
    struct val_pair *pairs = NULL;
    uint32_t n = 0;
    switch (v.kind) {
    case DAT_BOOL: *ret = val_bool(v.b); return true;
    case DAT_FLOAT:
    case DAT_DOUBLE: *ret = val_double(v.d); return true;
    case DAT_STRING: *ret = val_string(vstr_slice(v.s)); return true;
    case DAT_MAP: return map_of(v.m, a, ret);
    case DAT_LIST: return list_of(v.l, a, ret);
    case DAT_EVENT:
        if (!dat_outgo_event(v.ev, a, &pairs, &n)) {
            return false;
        }
        *ret = val_map(pairs, val_map_sort(pairs, n));
        return true;
    case DAT_CHAR:
    case DAT_BIGINT:
    case DAT_BIGDEC: return text_of(v, a, ret);
    default: *ret = dat_is_integer(v) ? val_int(v.i) : val_null(); return true;
    }
}

bool dat_outgo_event(const struct evt *e, struct arena *a, struct val_pair **ret, uint32_t *ret_n)
{
    struct val_pair *pairs = arena_array(a, e->type->n_cols + 1, sizeof *pairs);
    uint32_t n = 0;
    bool ok = pairs != NULL;
    for (uint32_t i = 0; ok && i < e->type->n_cols; i++) {
        if (!dat_is_null(e->p[i]) && !ety_is_place(e->type, i)) {
            pairs[n] = val_pair(e->type->cols[i].name, val_null());
            ok = dat_outgo(e->p[i], a, &pairs[n++].value);
        }
    }
    *ret = pairs;
    *ret_n = n;
    return ok;
}
