/* SPDX-License-Identifier: Apache-2.0
 *
 * The event generator of benchmarks. See cmd_gen.h.
 */
#include "operators/cmd/cmd_gen.h"

#include "core/base/arena.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>

enum { ARENA_MAX = 64 * 1024 * 1024, KEYS_MAX = 10000000, KEY_MAX = 256, ARRAY_MAX = 10000 };

enum gen_kind {
    GEN_CONST,
    GEN_PICK,
    GEN_KEY,
    GEN_INT,
    GEN_LONG,
    GEN_DOUBLE,
    GEN_SEQ,
    GEN_CLOCK,
    GEN_COUNTER,
    GEN_MAP,
    GEN_ARRAY,
};

struct spec {
    enum gen_kind kind;
    struct ty ty;
    struct dat *vals; /* CONST, PICK: converted, and held */
    uint32_t n;       /* of vals, kids, elements; KEY: below which number */
    struct slice prefix;
    double lo, hi;     /* INT, LONG, DOUBLE; COUNTER: hi is `by` */
    int counter_of;    /* column */
    struct dat *names; /* MAP: held; an event's columns in `cols` */
    uint32_t *cols;
    struct spec **kids; /* MAP: n of them; ARRAY: one */
};

struct stream {
    const struct etype *type;
    struct spec **props;
    uint32_t *cols;
    uint32_t n;
    int64_t seq;
};

struct cmd_gen {
    struct vheap *heap;
    struct arena *arena;
    struct stream *streams;
    int32_t *until; /* weights added up */
    uint32_t n_streams;
    int64_t every, ms, clock, count;
    uint64_t seed;
    struct map counters; /* text of the key -> double * */
    VEC(struct dat) held;
};

/* ---- java.util.Random ---- */

static int32_t draw(struct cmd_gen *g, int bits)
{
    g->seed = (g->seed * 0x5DEECE66DULL + 0xB) & ((1ULL << 48) - 1);
    return (int32_t)(uint32_t)(g->seed >> (48 - bits));
}

static int32_t draw_below(struct cmd_gen *g, int32_t bound)
{
    assert(bound > 0);
    if ((bound & -bound) == bound) {
        return (int32_t)(((int64_t)bound * draw(g, 31)) >> 31);
    }
    for (;;) {
        int32_t bits = draw(g, 31), v = bits % bound;
        if ((int64_t)bits - v + (bound - 1) <= INT32_MAX) {
            return v;
        }
    }
}

static double draw_double(struct cmd_gen *g)
{
    int64_t high = (int64_t)draw(g, 26) << 27;
    return (double)(high + draw(g, 27)) * 0x1.0p-53;
}

/* ---- compiling ---- */

static struct dat hold(struct cmd_gen *g, struct dat v)
{
    *VEC_PUSH(&g->held) = dat_keep(v);
    return v;
}

static int bad(const char *what, struct err *reterr)
{
    return err_set(reterr, ERR_SYNTAX, "generator: %s", what);
}

static int compile(struct cmd_gen *g, const struct stream *s, struct ty ty, const json_t *j,
                   struct spec **ret, struct err *reterr);

static int compile_values(struct cmd_gen *g, struct spec *p, const json_t *j, struct err *reterr)
{
    bool pick = p->kind == GEN_PICK;
    p->n = pick ? (uint32_t)json_array_size(j) : 1;
    p->vals = arena_array(g->arena, p->n + 1, sizeof *p->vals);
    if (p->n == 0 || p->vals == NULL) {
        return bad("pick wants a list of values", reterr);
    }
    for (uint32_t i = 0; i < p->n; i++) {
        struct dat v;
        int rc = cmd_json_typed(g->heap, p->ty, pick ? json_array_get(j, i) : j, &v, reterr);
        if (rc != 0) {
            return rc;
        }
        p->vals[i] = hold(g, v);
    }
    return 0;
}

static int compile_range(struct spec *p, const json_t *j, struct err *reterr)
{
    const json_t *lo = json_array_get(j, 0), *hi = json_array_get(j, 1);
    if (!json_is_number(lo) || !json_is_number(hi)) {
        return bad("a range is a list of two numbers", reterr);
    }
    p->lo = json_number_value(lo);
    p->hi = json_number_value(hi);
    return 0;
}

static int compile_key(struct cmd_gen *g, struct spec *p, const json_t *spec, struct err *reterr)
{
    const json_t *key = json_object_get(spec, "key"), *n = json_object_get(spec, "n");
    if (!json_is_string(key) || json_integer_value(n) < 1 || json_integer_value(n) > INT32_MAX ||
        json_string_length(key) > KEY_MAX - 16) {
        return bad("key wants a short prefix and n above 0", reterr);
    }
    p->prefix = arena_copy(g->arena, slice_of(json_string_value(key), json_string_length(key)));
    p->n = (uint32_t)json_integer_value(n);
    return 0;
}

static int compile_counter(const struct stream *s, struct spec *p, const json_t *j,
                           struct err *reterr)
{
    const json_t *key = json_object_get(j, "key"), *by = json_object_get(j, "by");
    p->counter_of = json_is_string(key) ? ety_col(s->type, slice_str(json_string_value(key))) : -1;
    if (p->counter_of < 0 || !json_is_number(by)) {
        return bad("counter wants key, the name of a property, and by, a number", reterr);
    }
    p->hi = json_number_value(by);
    return 0;
}

static struct ty element(struct ty ty)
{
    return ty.elem != NULL ? *ty.elem : TY(OBJECT);
}

static int compile_map(struct cmd_gen *g, const struct stream *s, struct spec *p, const json_t *j,
                       struct err *reterr)
{
    p->n = (uint32_t)json_object_size(j);
    p->names = arena_array(g->arena, p->n + 1, sizeof *p->names);
    p->cols = arena_array(g->arena, p->n + 1, sizeof *p->cols);
    p->kids = arena_array(g->arena, p->n + 1, sizeof(struct spec *));
    uint32_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)j, key, value)
    {
        struct ty ty = element(p->ty);
        if (p->ty.kind == TY_EVENT) {
            int col = ety_col(p->ty.ev, slice_str(key));
            if (col < 0) {
                return bad("a property that the type does not have", reterr);
            }
            p->cols[i] = (uint32_t)col;
            ty = p->ty.ev->cols[col].ty;
        }
        p->names[i] = hold(g, dat_str(vstr_new(g->heap, slice_str(key))));
        int rc = compile(g, s, ty, value, &p->kids[i++], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int compile_array(struct cmd_gen *g, const struct stream *s, struct spec *p, const json_t *j,
                         struct err *reterr)
{
    int64_t n = json_integer_value(json_object_get(j, "n"));
    const json_t *of = json_object_get(j, "of");
    if (n < 0 || n > ARRAY_MAX || of == NULL) {
        return bad("array wants n, up to 10000, and of", reterr);
    }
    p->n = (uint32_t)n;
    p->kids = arena_array(g->arena, 1, sizeof(struct spec *));
    return compile(g, s, element(p->ty), of, &p->kids[0], reterr);
}

static const char *const kind_keys[] = {
    [GEN_CONST] = "const", [GEN_PICK] = "pick",   [GEN_KEY] = "key",
    [GEN_INT] = "int",     [GEN_LONG] = "long",   [GEN_DOUBLE] = "double",
    [GEN_SEQ] = "seq",     [GEN_CLOCK] = "clock", [GEN_COUNTER] = "counter",
    [GEN_MAP] = "map",     [GEN_ARRAY] = "array",
};

/* Constants are converted; what is made goes by the type of the property. */
static bool fits(enum gen_kind kind, struct ty ty)
{
    switch (kind) {
    case GEN_CONST:
    case GEN_PICK: return true;
    case GEN_KEY: return ty.kind == TY_STRING || ty.kind == TY_OBJECT;
    case GEN_MAP: return ty.kind == TY_MAP || ty.kind == TY_EVENT || ty.kind == TY_OBJECT;
    case GEN_ARRAY: return ty.kind == TY_LIST || ty.kind == TY_OBJECT;
    default: return ty_is_number(ty) || ty.kind == TY_OBJECT;
    }
}

static int compile(struct cmd_gen *g, const struct stream *s, struct ty ty, const json_t *j,
                   struct spec **ret, struct err *reterr)
{
    struct spec *p = ARENA_NEW(g->arena, struct spec);
    const json_t *arg = NULL;
    size_t k = 0;
    for (; k < ARRAY_LEN(kind_keys) && arg == NULL; k++) {
        arg = json_object_get(j, kind_keys[k]);
    }
    if (arg == NULL || p == NULL) {
        return bad("of no known kind", reterr);
    }
    p->kind = (enum gen_kind)(k - 1);
    p->ty = ty;
    *ret = p;
    if (!fits(p->kind, ty)) {
        return bad("a property of another type", reterr);
    }
    switch (p->kind) {
    case GEN_CONST:
    case GEN_PICK: return compile_values(g, p, arg, reterr);
    case GEN_KEY: return compile_key(g, p, j, reterr);
    case GEN_INT:
    case GEN_LONG:
    case GEN_DOUBLE: return compile_range(p, arg, reterr);
    case GEN_COUNTER: return compile_counter(s, p, arg, reterr);
    case GEN_MAP: return compile_map(g, s, p, arg, reterr);
    case GEN_ARRAY: return compile_array(g, s, p, arg, reterr);
    default: return 0;
    }
}

static int compile_stream(struct cmd_gen *g, struct eng *e, const json_t *j, struct stream *s,
                          struct err *reterr)
{
    const json_t *type = json_object_get(j, "type"), *event = json_object_get(j, "event");
    struct slice name = slice_str(json_is_string(type) ? json_string_value(type) : "");
    s->type = eng_type(e, name);
    if (s->type == NULL) {
        return err_set(reterr, ERR_NOT_FOUND, "there is no event type '" SLICE_FMT "'",
                       SLICE_ARG(name));
    }
    s->n = (uint32_t)json_object_size(event);
    s->props = arena_array(g->arena, s->n + 1, sizeof(struct spec *));
    s->cols = arena_array(g->arena, s->n + 1, sizeof *s->cols);
    uint32_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)event, key, value)
    {
        int col = ety_col(s->type, slice_str(key));
        if (col < 0) {
            return err_set(reterr, ERR_NOT_FOUND, "'" SLICE_FMT "' has no property '%s'",
                           SLICE_ARG(name), key);
        }
        s->cols[i] = (uint32_t)col;
        int rc = compile(g, s, s->type->cols[col].ty, value, &s->props[i++], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int64_t whole(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *j = json_object_get(object, key);
    return json_is_integer(j) ? json_integer_value(j) : otherwise;
}

struct cmd_gen *cmd_gen_new(struct eng *e, const json_t *bench, struct err *reterr)
{
    struct cmd_gen *g = MEM_NEW(struct cmd_gen);
    const json_t *streams = json_object_get(bench, "streams");
    g->heap = eng_heap(e);
    g->arena = arena_new(NULL, "generator", ARENA_MAX);
    g->n_streams = (uint32_t)json_array_size(streams);
    g->streams = arena_array(g->arena, g->n_streams + 1, sizeof *g->streams);
    g->until = arena_array(g->arena, g->n_streams + 1, sizeof *g->until);
    g->every = whole(bench, "advance_every", 0);
    g->ms = whole(bench, "advance_ms", 0);
    g->seed = (42 ^ 0x5DEECE66DULL) & ((1ULL << 48) - 1);
    map_init(&g->counters, KEYS_MAX);
    int rc = g->n_streams > 0 ? 0 : bad("there are no streams", reterr);
    int32_t sum = 0;
    for (uint32_t i = 0; rc == 0 && i < g->n_streams; i++) {
        const json_t *s = json_array_get(streams, i);
        sum += (int32_t)whole(s, "weight", 1);
        g->until[i] = sum;
        rc = compile_stream(g, e, s, &g->streams[i], reterr);
    }
    if (rc == 0 && sum < 1) {
        rc = bad("weights must be above 0", reterr);
    }
    if (rc != 0) {
        cmd_gen_free(g);
        return NULL;
    }
    return g;
}

void cmd_gen_free(struct cmd_gen *g)
{
    if (g == NULL) {
        return;
    }
    VEC_EACH (&g->held, v) {
        dat_drop(g->heap, *v);
    }
    VEC_DONE(&g->held);
    map_done(&g->counters);
    arena_free(g->arena);
    mem_free(g);
}

/* ---- making ---- */

static struct dat make(struct cmd_gen *g, const struct spec *p, const struct stream *s,
                       const struct evt *so_far);

static struct dat number(struct cmd_gen *g, const struct spec *p, struct dat v)
{
    static const uint8_t kinds[] = {
        [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
        [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
        [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC,
    };
    return ty_is_number(p->ty) ? dat_as(g->heap, v, (enum dat_kind)kinds[p->ty.kind]) : v;
}

static int64_t ranged(struct cmd_gen *g, const struct spec *p)
{
    return (int64_t)p->lo + (int64_t)(draw_double(g) * (double)((int64_t)p->hi - (int64_t)p->lo));
}

static struct dat make_key(struct cmd_gen *g, const struct spec *p)
{
    char digits[16];
    size_t n = sizeof digits;
    uint32_t k = (uint32_t)draw_below(g, (int32_t)p->n);
    do {
        digits[--n] = (char)('0' + k % 10);
        k /= 10;
    } while (k > 0);
    struct vstr *s = vstr_room(g->heap, p->prefix.len + sizeof digits - n);
    memcpy(s->s, p->prefix.ptr, p->prefix.len);
    memcpy(s->s + p->prefix.len, digits + n, sizeof digits - n);
    return dat_str(s);
}

static double counted(struct cmd_gen *g, const struct spec *p, const struct evt *so_far)
{
    struct buf key;
    buf_init(&key, KEY_MAX);
    dat_text_to(so_far->p[p->counter_of], &key);
    void **slot = map_put(&g->counters, buf_slice(&key));
    buf_done(&key);
    double by = draw_double(g) * p->hi;
    if (slot == NULL) {
        return by;
    }
    if (*slot == NULL) {
        *slot = ARENA_NEW(g->arena, double);
    }
    double *sum = *slot;
    return sum != NULL ? (*sum += by) : by;
}

static struct dat make_map(struct cmd_gen *g, const struct spec *p, const struct stream *s,
                           const struct evt *so_far)
{
    if (p->ty.kind == TY_EVENT) {
        struct evt *e = evt_new(g->heap, p->ty.ev);
        for (uint32_t i = 0; i < p->n; i++) {
            evt_set(e, p->cols[i], make(g, p->kids[i], s, so_far));
        }
        return dat_evt(e);
    }
    struct vmap *m = vmap_new(g->heap, p->n);
    for (uint32_t i = 0; i < p->n; i++) {
        vmap_set(m, i, p->names[i], make(g, p->kids[i], s, so_far));
    }
    return dat_map(m);
}

static struct dat make_array(struct cmd_gen *g, const struct spec *p, const struct stream *s,
                             const struct evt *so_far)
{
    struct vlist *l = vlist_new(g->heap, p->n);
    for (uint32_t i = 0; i < p->n; i++) {
        vlist_set(l, i, make(g, p->kids[0], s, so_far));
    }
    return dat_list(l);
}

static struct dat make(struct cmd_gen *g, const struct spec *p, const struct stream *s,
                       const struct evt *so_far)
{
    switch (p->kind) {
    case GEN_CONST: return p->vals[0];
    case GEN_PICK: return p->vals[draw_below(g, (int32_t)p->n)];
    case GEN_KEY: return make_key(g, p);
    case GEN_INT: return number(g, p, dat_int((int32_t)ranged(g, p)));
    case GEN_LONG: return number(g, p, dat_long(ranged(g, p)));
    case GEN_DOUBLE: return number(g, p, dat_double(p->lo + draw_double(g) * (p->hi - p->lo)));
    case GEN_SEQ: return number(g, p, dat_long(s->seq));
    case GEN_CLOCK: return number(g, p, dat_long(g->clock));
    case GEN_COUNTER: return number(g, p, dat_double(counted(g, p, so_far)));
    case GEN_MAP: return make_map(g, p, s, so_far);
    case GEN_ARRAY: return make_array(g, p, s, so_far);
    }
    return DAT_NONE;
}

struct cmd_gen_item cmd_gen_next(struct cmd_gen *g)
{
    int32_t w = draw_below(g, g->until[g->n_streams - 1]);
    uint32_t at = 0;
    while (w >= g->until[at]) {
        at++;
    }
    struct cmd_gen_item item = {.advance_to = -1};
    if (g->every > 0 && g->count > 0 && g->count % g->every == 0) {
        g->clock += g->ms;
        item.advance_to = g->clock;
    }
    g->count++;
    struct stream *s = &g->streams[at];
    item.e = evt_new(g->heap, s->type);
    for (uint32_t i = 0; i < s->n; i++) {
        evt_set(item.e, s->cols[i], make(g, s->props[i], s, item.e));
    }
    s->seq++;
    return item;
}
