/* SPDX-License-Identifier: Apache-2.0
 *
 * See dat_intake.h.
 */
#include "operators/sig/dat_intake_impl.h"

#include "core/base/mem.h"

#include <assert.h>

struct dat_intake *dat_intake_new(struct vheap *heap, struct intern *keys)
{
    struct dat_intake *in = MEM_NEW(struct dat_intake);
    in->heap = heap;
    in->keys = keys;
    return in;
}

static void forget(struct dat_intake *in, struct intake_kind *k)
{
    for (uint32_t l = k->n_own; k->from != NULL && l < k->n_live; l++) {
        dat_drop(in->heap, k->of_context[k->live[l]]);
        k->of_context[k->live[l]] = DAT_NONE;
    }
    k->from = k->of = NULL;
}

static void forget_event(struct dat_intake *in, struct intake_kind *k)
{
    if (k->again != NULL) {
        k->again->o.lent = false;
        evt_drop(in->heap, k->again);
    }
    k->again = NULL;
    k->of = NULL;
}

static void kind_done(struct dat_intake *in, struct intake_kind *k)
{
    forget(in, k);
    forget_event(in, k);
    mem_free(k->cols);
    mem_free(k->live);
    mem_free(k->of_context);
}

void dat_intake_free(struct dat_intake *in)
{
    if (in == NULL) {
        return;
    }
    VEC_EACH (&in->kinds, k) {
        kind_done(in, k);
    }
    VEC_EACH (&in->names, n) {
        if (n->text != NULL) {
            obj_drop(in->heap, &n->text->o);
        }
    }
    VEC_DONE(&in->kinds);
    VEC_DONE(&in->names);
    VEC_DONE(&in->pairs);
    VEC_DONE(&in->items);
    mem_free(in);
}

static bool is_of_context(const struct intake_place *p)
{
    return p->fill != NULL && dat_fill_of_context(p->fill->fill);
}

static void list_live(struct intake_kind *k)
{
    k->n_live = 0;
    for (int of_context = 0; of_context <= 1; of_context++) {
        k->n_own = k->n_live;
        for (uint32_t i = 0; i < k->type->n_cols; i++) {
            if (!k->cols[i].skip && is_of_context(&k->cols[i]) == of_context) {
                k->live[k->n_live++] = i;
            }
        }
    }
}

static void add_kind(struct dat_intake *in, struct slice record, const struct etype *type,
                     const struct builtin_type *row)
{
    uint32_t id = intern_id(in->keys, record);
    if (id == 0) {
        return; /* the table is full: such records are looked up by text */
    }
    while (in->kinds.len <= id) {
        *VEC_PUSH(&in->kinds) = (struct intake_kind){.type = NULL};
    }
    struct intake_kind *k = &in->kinds.ptr[id];
    kind_done(in, k);
    *k = (struct intake_kind){.type = type};
    k->cols = mem_calloc(type->n_cols + 1, sizeof *k->cols);
    k->of_context = mem_calloc(type->n_cols + 1, sizeof *k->of_context);
    for (uint32_t i = 0; i < type->n_cols; i++) {
        struct slice name = type->cols[i].name;
        k->cols[i].fill = row != NULL ? builtin_column(row, name) : NULL;
        const char *key = k->cols[i].fill != NULL ? k->cols[i].fill->key : "";
        k->cols[i].key = intern_id(in->keys, key[0] != '\0' ? slice_str(key) : name);
    }
    k->live = mem_calloc(type->n_cols + 1, sizeof *k->live);
    list_live(k);
}

void dat_intake_type(struct dat_intake *in, const struct etype *type)
{
    add_kind(in, type->name, type, NULL);
}

bool dat_intake_builtin(struct dat_intake *in, const struct etype *type, enum builtin_world world)
{
    const struct builtin_type *row = builtin_find(world, type->name);
    if (row == NULL) {
        return false;
    }
    if (row->records[0] == '\0') {
        add_kind(in, type->name, type, NULL); /* rules make it, for those that stand above them */
    }
    struct slice rest = slice_str(row->records), record;
    while (slice_split(&rest, ' ', &record)) {
        if (record.len > 0) {
            add_kind(in, record, type, row);
        }
    }
    if (world == BUILTIN_ORIGINAL && slice_eq(type->name, SLICE("Batch"))) {
        in->batch = type;
    }
    return true;
}

void dat_intake_skip(struct dat_intake *in, const struct etype *type, uint32_t col)
{
    assert(col < type->n_cols);
    VEC_EACH (&in->kinds, k) {
        if (k->type == type && !k->cols[col].skip) {
            forget(in, k);
            forget_event(in, k);
            k->cols[col].skip = true;
            list_live(k);
        }
    }
}

void dat_intake_begin(struct dat_intake *in)
{
    in->turn++;
}

/* ---- values ---- */

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
        vlist_set(l, i, dat_of_val(in, v.list[i], elem));
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
                evt_set(e, i, dat_of_val(in, *x, to.ev->cols[i].ty));
            }
        }
        return dat_evt(e);
    }
    struct ty elem = to.kind == TY_MAP && to.elem != NULL ? *to.elem : TY(OBJECT);
    struct vmap *m = vmap_new(in->heap, v.len);
    for (uint32_t i = 0; i < v.len; i++) {
        vmap_set(m, i, dat_str(vstr_new(in->heap, val_key(&v.map[i]))),
                 dat_of_val(in, v.map[i].value, elem));
    }
    return dat_map(m);
}

struct dat dat_of_val(struct dat_intake *in, struct val v, struct ty to)
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

const struct val *dat_look(const struct rec *r, struct intake_place *p, struct slice name)
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

/* Columns out of the context: once for each context. */
static void from_context(struct dat_intake *in, struct intake_kind *k, const struct rec *r)
{
    if (k->from == r->context && k->turn == in->turn && in->turn > 0) {
        return;
    }
    forget(in, k);
    k->from = r->context;
    k->turn = in->turn;
    for (uint32_t l = k->n_own; l < k->n_live; l++) {
        uint32_t i = k->live[l];
        k->of_context[i] = dat_keep(dat_fill(in, r, &k->cols[i], k->type->cols[i].ty));
    }
}

static struct intake_kind *kind_of(struct dat_intake *in, const struct rec *r)
{
    uint32_t id = r->type_id != 0 ? r->type_id : intern_find(in->keys, r->type);
    return id < in->kinds.len && in->kinds.ptr[id].type != NULL ? &in->kinds.ptr[id] : NULL;
}

static inline struct dat own_column(struct dat_intake *in, struct intake_kind *k, uint32_t i,
                                    const struct rec *r)
{
    struct intake_place *p = &k->cols[i];
    struct ty to = k->type->cols[i].ty;
    if (p->key != 0 && (p->fill == NULL || p->fill->fill == BUILTIN_PAYLOAD)) { /* most are such */
        const struct val *x = rec_find(r->payload, r->payload_len, p->key, &p->payload);
        if (LIKELY(x != NULL)) {
            bool same = x->tag == VAL_DOUBLE && to.kind == TY_DOUBLE;
            return LIKELY(same) ? dat_double(x->d) : dat_of_val(in, *x, to);
        }
    }
    if (p->fill != NULL) {
        return dat_fill(in, r, p, to);
    }
    const struct val *v = dat_look(r, p, k->type->cols[i].name);
    return v != NULL ? dat_of_val(in, *v, to) : DAT_NONE;
}

/* Events of one context have the same columns of it. */
static void fill_shared(struct dat_intake *in, struct intake_kind *k, const struct rec *r,
                        struct evt *e)
{
    if (r->context != NULL) {
        from_context(in, k, r);
    }
    if (k->of != NULL && k->of == r->context) {
        return;
    }
    for (uint32_t l = k->n_own; l < k->n_live; l++) {
        uint32_t i = k->live[l];
        dat_drop(in->heap, e->p[i]);
        e->p[i] = r->context != NULL ? dat_keep(k->of_context[i]) : DAT_NONE;
    }
    k->of = r->context;
}

static void fill(struct dat_intake *in, struct intake_kind *k, const struct rec *r, struct evt *e)
{
    if (k->n_own < k->n_live) {
        fill_shared(in, k, r, e);
    }
    for (uint32_t l = 0; l < k->n_own; l++) {
        uint32_t i = k->live[l];
        dat_drop(in->heap, e->p[i]);
        e->p[i] = dat_keep(own_column(in, k, i, r));
    }
}

/* As it was made, but for columns. */
static void renew(struct dat_intake *in, struct evt *e)
{
    e->mark = e->group = 0;
    e->serial = 0;
    e->ref = (struct eref){0, 0};
    if (UNLIKELY(e->causes != NULL)) {
        obj_drop(in->heap, &e->causes->o);
        e->causes = NULL;
    }
    if (UNLIKELY(e->extra != NULL)) {
        obj_drop(in->heap, &e->extra->o);
        e->extra = NULL;
    }
}

struct evt *dat_intake_event(struct dat_intake *in, const struct rec *r)
{
    struct intake_kind *k = kind_of(in, r);
    if (k == NULL) {
        return NULL;
    }
    if (k->again != NULL && k->again->o.refs == 1) { /* nobody has kept it */
        renew(in, k->again);
    } else {
        forget_event(in, k);
        k->again = evt_lent(in->heap, k->type);
    }
    fill(in, k, r, k->again);
    return k->again;
}

struct evt *dat_intake_again(struct dat_intake *in, const struct rec *r)
{
    struct intake_kind *k = kind_of(in, r);
    if (k == NULL) {
        return NULL;
    }
    if (k->again == NULL) {
        k->again = evt_lent(in->heap, k->type);
    }
    fill(in, k, r, k->again);
    return k->again;
}
