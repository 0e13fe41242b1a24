/* SPDX-License-Identifier: Apache-2.0
 *
 * Enumeration methods. The list is evaluated once; a lambda's parameters are put into the context's
 * slots before its body runs. A condition that is null counts as holding in where, firstOf, lastOf,
 * countOf, takeWhile and takeWhileLast, and as not holding in anyOf and allOf: so it is defined,
 * and rules depend on it. To add a method: a row in fn.def, a function here, its entry in
 * `methods`.
 */
#include "core/base/mem.h"
#include "operators/expr/eval_impl.h"
#include "operators/expr/fn_impl.h"
#include "operators/sig/breath.h"
#include "operators/sig/dat_big.h"

#include <assert.h>
#include <stdlib.h>

struct run {
    const struct ex *e;
    struct ectx *c;
    const struct vlist *l;
    const struct fn_lambda *d;
    bool body; /* the first argument is a lambda */
};

static void put(struct ectx *c, int8_t slot, struct dat v)
{
    if (slot >= 0) {
        c->lambda[slot] = v;
    }
}

/* Lambda `arg` of element i; without a lambda the element itself. */
static struct dat of(const struct run *r, uint32_t arg, uint32_t i)
{
    if (arg >= r->e->n_args || !r->d[arg].is) {
        return r->l->v[i];
    }
    const struct fn_lambda *d = &r->d[arg];
    vheap_breathe(r->c->heap);
    put(r->c, d->value, r->l->v[i]);
    put(r->c, d->index, dat_int((int32_t)i));
    put(r->c, d->size, dat_int((int32_t)r->l->len));
    return ex_eval(r->e->args[arg], r->c);
}

static bool passes(const struct run *r, uint32_t i)
{
    struct dat v = of(r, 1, i);
    return dat_is_null(v) || dat_true(v);
}

/* A list made up as it goes. */
struct making {
    struct vlist *l;
    uint32_t n;
};

static struct making making(const struct run *r, uint32_t room)
{
    return (struct making){vlist_new(r->c->heap, room), 0};
}

static void add(struct making *m, struct dat v)
{
    vlist_set(m->l, m->n++, v);
}

static struct dat made(const struct making *m)
{
    m->l->len = m->n; /* those behind are null and hold nothing */
    return dat_list(m->l);
}

/* ---- conditions ---- */

static struct dat run_where(const struct run *r)
{
    struct making m = making(r, r->l->len);
    for (uint32_t i = 0; i < r->l->len; i++) {
        if (passes(r, i)) {
            add(&m, r->l->v[i]);
        }
    }
    return made(&m);
}

static struct dat run_any_of(const struct run *r)
{
    for (uint32_t i = 0; i < r->l->len; i++) {
        if (dat_true(of(r, 1, i))) {
            return dat_bool(true);
        }
    }
    return dat_bool(false);
}

static struct dat run_all_of(const struct run *r)
{
    for (uint32_t i = 0; i < r->l->len; i++) {
        if (!dat_true(of(r, 1, i))) {
            return dat_bool(false);
        }
    }
    return dat_bool(true);
}

static struct dat run_count_of(const struct run *r)
{
    int32_t n = 0;
    for (uint32_t i = 0; i < r->l->len; i++) {
        n += !r->body || passes(r, i) ? 1 : 0;
    }
    return dat_int(n);
}

static struct dat run_first_of(const struct run *r)
{
    for (uint32_t i = 0; i < r->l->len; i++) {
        if (!r->body || passes(r, i)) {
            return r->l->v[i];
        }
    }
    return DAT_NONE;
}

static struct dat run_last_of(const struct run *r)
{
    for (uint32_t i = r->l->len; i-- > 0;) {
        if (!r->body || passes(r, i)) {
            return r->l->v[i];
        }
    }
    return DAT_NONE;
}

/* ---- parts ---- */

static struct dat part(const struct run *r, uint32_t from, uint32_t to)
{
    struct making m = making(r, to - from);
    for (uint32_t i = from; i < to; i++) {
        add(&m, r->l->v[i]);
    }
    return made(&m);
}

static uint32_t wanted(const struct run *r)
{
    struct dat v = ex_eval(r->e->args[1], r->c);
    int64_t n = dat_is_integer(v) ? MAX(v.i, 0) : 0;
    return n < r->l->len ? (uint32_t)n : r->l->len;
}

static struct dat run_take(const struct run *r)
{
    return part(r, 0, wanted(r));
}

static struct dat run_take_last(const struct run *r)
{
    return part(r, r->l->len - wanted(r), r->l->len);
}

static struct dat run_take_while(const struct run *r)
{
    uint32_t n = 0;
    while (n < r->l->len && passes(r, n)) {
        n++;
    }
    return part(r, 0, n);
}

static struct dat run_take_while_last(const struct run *r)
{
    uint32_t n = 0;
    for (; n < r->l->len; n++) { /* the index counts from the end */
        uint32_t at = r->l->len - 1 - n;
        const struct fn_lambda *d = &r->d[1];
        put(r->c, d->value, r->l->v[at]);
        put(r->c, d->index, dat_int((int32_t)n));
        put(r->c, d->size, dat_int((int32_t)r->l->len));
        struct dat v = ex_eval(r->e->args[1], r->c);
        if (!dat_is_null(v) && !dat_true(v)) {
            break;
        }
    }
    return part(r, r->l->len - n, r->l->len);
}

static struct dat run_reverse(const struct run *r)
{
    struct making m = making(r, r->l->len);
    for (uint32_t i = r->l->len; i-- > 0;) {
        add(&m, r->l->v[i]);
    }
    return made(&m);
}

/* ---- values ---- */

static struct dat run_select_from(const struct run *r)
{
    struct making m = making(r, r->l->len);
    for (uint32_t i = 0; i < r->l->len; i++) {
        struct dat v = of(r, 1, i);
        if (!dat_is_null(v)) {
            add(&m, v);
        }
    }
    return made(&m);
}

static struct dat run_array_of(const struct run *r)
{
    struct making m = making(r, r->l->len);
    for (uint32_t i = 0; i < r->l->len; i++) {
        add(&m, of(r, 1, i));
    }
    return made(&m);
}

/* The place of the element with the least (sign -1) or greatest key, and the key; -1 if none. */
static int64_t extreme(const struct run *r, int sign, struct dat *ret_key)
{
    int64_t best = -1;
    *ret_key = DAT_NONE;
    for (uint32_t i = 0; i < r->l->len; i++) {
        struct dat v = of(r, 1, i);
        if (!dat_is_null(v) && (best < 0 || dat_cmp(v, *ret_key) * sign > 0)) {
            best = i;
            *ret_key = v;
        }
    }
    return best;
}

static struct dat run_min(const struct run *r)
{
    struct dat key;
    (void)extreme(r, -1, &key);
    return key;
}

static struct dat run_max(const struct run *r)
{
    struct dat key;
    (void)extreme(r, 1, &key);
    return key;
}

static struct dat run_min_by(const struct run *r)
{
    struct dat key;
    int64_t at = extreme(r, -1, &key);
    return at < 0 ? DAT_NONE : r->l->v[at];
}

static struct dat run_max_by(const struct run *r)
{
    struct dat key;
    int64_t at = extreme(r, 1, &key);
    return at < 0 ? DAT_NONE : r->l->v[at];
}

static struct dat run_sum_of(const struct run *r)
{
    struct dat big = DAT_NONE;
    enum ty_kind t = r->e->ty.kind;
    uint64_t whole = 0;
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->l->len; i++) {
        struct dat v = of(r, 1, i);
        if (!dat_is_number(v)) {
            continue;
        }
        n++;
        if (t == TY_BIGINT || t == TY_BIGDEC) {
            uint8_t kind = t == TY_BIGINT ? DAT_BIGINT : DAT_BIGDEC;
            big = dat_is_null(big) ? v : big_arith(r->c->heap, '+', big, v, kind);
        } else if (t == TY_FLOAT || t == TY_DOUBLE) {
            sum += dat_to_double(v);
        } else {
            whole += (uint64_t)v.i;
        }
    }
    if (n == 0) {
        return DAT_NONE;
    }
    switch (t) {
    case TY_BIGINT:
    case TY_BIGDEC: return big;
    case TY_FLOAT: return dat_float(sum);
    case TY_DOUBLE: return dat_double(sum);
    case TY_LONG: return dat_long((int64_t)whole);
    default: return dat_int((int32_t)(uint32_t)whole);
    }
}

static struct dat run_average(const struct run *r)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->l->len; i++) {
        struct dat v = of(r, 1, i);
        if (dat_is_number(v)) {
            sum += dat_to_double(v);
            n++;
        }
    }
    return n == 0 ? DAT_NONE : dat_double(sum / n);
}

static struct dat run_aggregate(const struct run *r)
{
    struct dat acc = ex_eval(r->e->args[1], r->c);
    for (uint32_t i = 0; i < r->l->len; i++) {
        put(r->c, r->d[2].acc, acc);
        acc = of(r, 2, i);
    }
    return acc;
}

/* ---- order ---- */

struct keyed {
    struct dat key;
    uint32_t at;
};

static int ascending(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int c = dat_cmp(x->key, y->key);
    return c != 0 ? c : x->at < y->at ? -1 : x->at > y->at;
}

static int descending(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int c = dat_cmp(y->key, x->key);
    return c != 0 ? c : x->at < y->at ? -1 : x->at > y->at;
}

static struct dat ordered(const struct run *r, int (*cmp)(const void *, const void *))
{
    struct keyed *k = mem_calloc(r->l->len + 1, sizeof *k);
    for (uint32_t i = 0; i < r->l->len; i++) {
        k[i] = (struct keyed){of(r, 1, i), i};
    }
    qsort(k, r->l->len, sizeof *k, cmp); /* stable by the place */
    struct making m = making(r, r->l->len);
    for (uint32_t i = 0; i < r->l->len; i++) {
        add(&m, r->l->v[k[i].at]);
    }
    mem_free(k);
    return made(&m);
}

static struct dat run_order_by(const struct run *r)
{
    return ordered(r, ascending);
}

static struct dat run_order_by_desc(const struct run *r)
{
    return ordered(r, descending);
}

/* ---- sets: distinct keys in order of appearance ---- */

struct set {
    struct keyed *k; /* at: a count, or whatever the user keeps */
    uint32_t *slots; /* position + 1 */
    uint32_t n, mask;
};

static void set_init(struct set *s, uint32_t most)
{
    uint32_t room = 16;
    while (room < most * 2 && room < (1u << 30)) {
        room *= 2;
    }
    s->mask = room - 1;
    s->n = 0;
    s->slots = mem_calloc(room, sizeof *s->slots);
    s->k = mem_calloc(most + 1, sizeof *s->k);
}

static void set_done(struct set *s)
{
    mem_free(s->slots);
    mem_free(s->k);
}

/* The entry of a key, and whether it is new; NULL if it is missing and not to be added. */
static struct keyed *set_at(struct set *s, struct dat key, bool may_add, bool *ret_new)
{
    uint32_t i = (uint32_t)dat_hash(key) & s->mask;
    *ret_new = false;
    for (; s->slots[i] != 0; i = (i + 1) & s->mask) {
        if (dat_same(s->k[s->slots[i] - 1].key, key)) {
            return &s->k[s->slots[i] - 1];
        }
    }
    if (!may_add) {
        return NULL;
    }
    *ret_new = true;
    s->k[s->n] = (struct keyed){key, 0};
    s->slots[i] = ++s->n;
    return &s->k[s->n - 1];
}

static struct dat run_distinct_of(const struct run *r)
{
    struct set s;
    bool fresh = false;
    struct making m = making(r, r->l->len);
    set_init(&s, r->l->len);
    for (uint32_t i = 0; i < r->l->len; i++) {
        (void)set_at(&s, of(r, 1, i), true, &fresh);
        if (fresh) {
            add(&m, r->l->v[i]);
        }
    }
    set_done(&s);
    return made(&m);
}

static struct dat frequent(const struct run *r, bool most)
{
    struct set s;
    bool fresh = false;
    const struct keyed *best = NULL;
    set_init(&s, r->l->len);
    for (uint32_t i = 0; i < r->l->len; i++) {
        set_at(&s, of(r, 1, i), true, &fresh)->at++;
    }
    for (uint32_t i = 0; i < s.n; i++) {
        if (best == NULL || (most ? s.k[i].at > best->at : s.k[i].at < best->at)) {
            best = &s.k[i];
        }
    }
    struct dat v = best == NULL ? DAT_NONE : best->key;
    set_done(&s);
    return v;
}

static struct dat run_most_frequent(const struct run *r)
{
    return frequent(r, true);
}

static struct dat run_least_frequent(const struct run *r)
{
    return frequent(r, false);
}

static struct dat run_group_by(const struct run *r)
{
    struct set s;
    bool fresh = false;
    uint32_t *group = mem_calloc(r->l->len + 1, sizeof *group);
    set_init(&s, r->l->len);
    for (uint32_t i = 0; i < r->l->len; i++) {
        struct keyed *k = set_at(&s, of(r, 1, i), true, &fresh);
        k->at++;
        group[i] = (uint32_t)(k - s.k);
    }
    struct vmap *map = vmap_new(r->c->heap, s.n);
    for (uint32_t i = 0; i < s.n; i++) {
        vmap_set(map, i, s.k[i].key, dat_list(vlist_new(r->c->heap, s.k[i].at)));
        s.k[i].at = 0;
    }
    for (uint32_t i = 0; i < r->l->len; i++) {
        struct dat v = r->e->n_args > 2 ? of(r, 2, i) : r->l->v[i];
        vlist_set(map->v[group[i]].value.l, s.k[group[i]].at++, v);
    }
    set_done(&s);
    mem_free(group);
    return dat_map(map);
}

static struct dat run_to_map(const struct run *r)
{
    struct set s;
    bool fresh = false;
    set_init(&s, r->l->len);
    for (uint32_t i = 0; i < r->l->len; i++) {
        set_at(&s, of(r, 1, i), true, &fresh)->at = i;
    }
    struct vmap *map = vmap_new(r->c->heap, s.n);
    for (uint32_t i = 0; i < s.n; i++) {
        vmap_set(map, i, s.k[i].key, of(r, 2, s.k[i].at));
    }
    set_done(&s);
    return dat_map(map);
}

static const struct vlist *other(const struct run *r)
{
    struct dat v = ex_eval(r->e->args[1], r->c);
    return v.kind == DAT_LIST ? v.l : NULL;
}

static struct dat run_union(const struct run *r)
{
    const struct vlist *o = other(r);
    struct making m = making(r, r->l->len + (o != NULL ? o->len : 0));
    for (uint32_t i = 0; i < r->l->len; i++) {
        add(&m, r->l->v[i]);
    }
    for (uint32_t i = 0; o != NULL && i < o->len; i++) {
        add(&m, o->v[i]);
    }
    return made(&m);
}

static struct dat chosen(const struct run *r, bool in_both)
{
    const struct vlist *o = other(r);
    if (o == NULL) {
        return dat_list((struct vlist *)(uintptr_t)r->l);
    }
    struct set s;
    bool fresh = false;
    struct making m = making(r, r->l->len);
    set_init(&s, o->len);
    for (uint32_t i = 0; i < o->len; i++) {
        (void)set_at(&s, o->v[i], true, &fresh);
    }
    for (uint32_t i = 0; i < r->l->len; i++) {
        if ((set_at(&s, r->l->v[i], false, &fresh) != NULL) == in_both) {
            add(&m, r->l->v[i]);
        }
    }
    set_done(&s);
    return made(&m);
}

static struct dat run_except(const struct run *r)
{
    return chosen(r, false);
}

static struct dat run_intersect(const struct run *r)
{
    return chosen(r, true);
}

static struct dat run_sequence_equal(const struct run *r)
{
    const struct vlist *o = other(r);
    bool same = o != NULL && o->len == r->l->len;
    for (uint32_t i = 0; same && i < r->l->len; i++) {
        same = dat_same(r->l->v[i], o->v[i]);
    }
    return dat_bool(same);
}

typedef struct dat method(const struct run *r);

static method *const methods[FN_COUNT] = {
    [FN_WHERE] = run_where,
    [FN_ANY_OF] = run_any_of,
    [FN_ALL_OF] = run_all_of,
    [FN_COUNT_OF] = run_count_of,
    [FN_FIRST_OF] = run_first_of,
    [FN_LAST_OF] = run_last_of,
    [FN_TAKE] = run_take,
    [FN_TAKE_LAST] = run_take_last,
    [FN_TAKE_WHILE] = run_take_while,
    [FN_TAKE_WHILE_LAST] = run_take_while_last,
    [FN_REVERSE] = run_reverse,
    [FN_SELECT_FROM] = run_select_from,
    [FN_ARRAY_OF] = run_array_of,
    [FN_MIN] = run_min,
    [FN_MAX] = run_max,
    [FN_MIN_BY] = run_min_by,
    [FN_MAX_BY] = run_max_by,
    [FN_SUM_OF] = run_sum_of,
    [FN_AVERAGE] = run_average,
    [FN_AGGREGATE] = run_aggregate,
    [FN_ORDER_BY] = run_order_by,
    [FN_ORDER_BY_DESC] = run_order_by_desc,
    [FN_DISTINCT_OF] = run_distinct_of,
    [FN_MOST_FREQUENT] = run_most_frequent,
    [FN_LEAST_FREQUENT] = run_least_frequent,
    [FN_GROUP_BY] = run_group_by,
    [FN_TO_MAP] = run_to_map,
    [FN_UNION] = run_union,
    [FN_EXCEPT] = run_except,
    [FN_INTERSECT] = run_intersect,
    [FN_SEQUENCE_EQUAL] = run_sequence_equal,
};

struct dat fn_enum(const struct ex *e, struct ectx *c, struct dat list)
{
    if (list.kind != DAT_LIST) {
        return DAT_NONE;
    }
    assert(methods[e->fn->id] != NULL);
    struct dat slots[ECTX_LAMBDA_MAX];
    bool outermost = c->lambda == NULL;
    if (outermost) {
        for (int i = 0; i < ECTX_LAMBDA_MAX; i++) {
            slots[i] = DAT_NONE;
        }
        c->lambda = slots;
    }
    struct run r = {.e = e, .c = c, .l = list.l, .d = e->data};
    r.body = e->n_args > 1 && r.d[1].is;
    struct dat v = methods[e->fn->id](&r);
    if (outermost) {
        c->lambda = NULL;
    }
    return v;
}
