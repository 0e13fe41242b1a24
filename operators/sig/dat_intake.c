/* SPDX-License-Identifier: Apache-2.0
 *
 * See dat_intake.h.
 */
#include "operators/sig/dat_intake.h"

#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>

struct place { /* where a column's value was found the last time */
    uint32_t key, payload, context;
};

struct kind {
    const struct etype *type;
    struct place *cols;
};

struct dat_intake {
    struct vheap *heap;
    struct intern *keys;
    VEC(struct kind) kinds; /* by the number of the name; type NULL: not declared */
};

struct dat_intake *dat_intake_new(struct vheap *heap, struct intern *keys)
{
    struct dat_intake *in = MEM_NEW(struct dat_intake);
    in->heap = heap;
    in->keys = keys;
    return in;
}

void dat_intake_free(struct dat_intake *in)
{
    if (in == NULL) {
        return;
    }
    VEC_EACH (&in->kinds, k) {
        mem_free(k->cols);
    }
    VEC_DONE(&in->kinds);
    mem_free(in);
}

void dat_intake_type(struct dat_intake *in, const struct etype *type)
{
    uint32_t id = intern_id(in->keys, type->name);
    if (id == 0) {
        return; /* the table is full: such records are looked up by text */
    }
    while (in->kinds.len <= id) {
        *VEC_PUSH(&in->kinds) = (struct kind){NULL, NULL};
    }
    struct kind *k = &in->kinds.ptr[id];
    mem_free(k->cols);
    k->type = type;
    k->cols = mem_calloc(type->n_cols + 1, sizeof *k->cols);
    for (uint32_t i = 0; i < type->n_cols; i++) {
        k->cols[i].key = intern_id(in->keys, type->cols[i].name);
    }
}

/* ---- values ---- */

static struct dat value(struct dat_intake *in, struct val v, struct ty to);

static struct dat number(struct dat_intake *in, struct dat v, struct ty to)
{
    static const uint8_t kinds[] = {
        [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
        [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
        [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC,
    };
    if (to.kind == TY_OBJECT) {
        return v;
    }
    return ty_is_number(to) ? dat_as(in->heap, v, (enum dat_kind)kinds[to.kind]) : DAT_NONE;
}

static struct dat list(struct dat_intake *in, struct val v, struct ty to)
{
    struct ty elem = to.kind == TY_LIST && to.elem != NULL ? *to.elem : TY(OBJECT);
    struct vlist *l = vlist_new(in->heap, v.len);
    for (uint32_t i = 0; i < v.len; i++) {
        vlist_set(l, i, value(in, v.list[i], elem));
    }
    return dat_list(l);
}

static struct dat map(struct dat_intake *in, struct val v, struct ty to)
{
    if (to.kind == TY_EVENT && to.ev != NULL) {
        struct evt *e = evt_new(in->heap, to.ev);
        for (uint32_t i = 0; i < to.ev->n_cols; i++) {
            const struct val *x = val_map_get(v, to.ev->cols[i].name);
            if (x != NULL) {
                evt_set(e, i, value(in, *x, to.ev->cols[i].ty));
            }
        }
        return dat_evt(e);
    }
    struct ty elem = to.kind == TY_MAP && to.elem != NULL ? *to.elem : TY(OBJECT);
    struct vmap *m = vmap_new(in->heap, v.len);
    for (uint32_t i = 0; i < v.len; i++) {
        vmap_set(m, i, dat_str(vstr_new(in->heap, val_key(&v.map[i]))),
                 value(in, v.map[i].value, elem));
    }
    return dat_map(m);
}

/* What does not fit is null. */
static struct dat value(struct dat_intake *in, struct val v, struct ty to)
{
    bool any = to.kind == TY_OBJECT;
    switch (v.tag) {
    case VAL_BOOL: return any || to.kind == TY_BOOL ? dat_bool(v.b) : DAT_NONE;
    case VAL_INT: return number(in, dat_long(v.i), to);
    case VAL_DOUBLE: return number(in, dat_double(v.d), to);
    case VAL_STRING:
        return any || to.kind == TY_STRING ? dat_str(vstr_new(in->heap, val_slice(v))) : DAT_NONE;
    case VAL_LIST: return any || to.kind == TY_LIST ? list(in, v, to) : DAT_NONE;
    case VAL_MAP:
        return any || to.kind == TY_MAP || to.kind == TY_EVENT ? map(in, v, to) : DAT_NONE;
    default: return DAT_NONE;
    }
}

/* ---- events ---- */

static const struct val *look(const struct rec *r, struct place *p, struct slice name)
{
    if (UNLIKELY(p->key == 0)) {
        const struct val *v = rec_find_text(r->payload, r->payload_len, name);
        return v != NULL ? v : rec_find_text(r->context->pairs, r->context->len, name);
    }
    const struct val *v = rec_find(r->payload, r->payload_len, p->key, &p->payload);
    if (v == NULL && r->context != NULL && r->context->len > 0) {
        v = rec_find(r->context->pairs, r->context->len, p->key, &p->context);
    }
    return v;
}

struct evt *dat_intake_event(struct dat_intake *in, const struct rec *r)
{
    uint32_t id = r->type_id != 0 ? r->type_id : intern_find(in->keys, r->type);
    if (id >= in->kinds.len || in->kinds.ptr[id].type == NULL) {
        return NULL;
    }
    const struct kind *k = &in->kinds.ptr[id];
    struct evt *e = evt_new(in->heap, k->type);
    for (uint32_t i = 0; i < k->type->n_cols; i++) {
        const struct val *v = look(r, &k->cols[i], k->type->cols[i].name);
        if (v != NULL) {
            evt_set(e, i, value(in, *v, k->type->cols[i].ty));
        }
    }
    return e;
}
