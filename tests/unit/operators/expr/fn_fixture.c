/* SPDX-License-Identifier: Apache-2.0
 *
 * See fn_fixture.h.
 */
#include "fn_fixture.h"

#include "operators/epl/epl.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct ty list_of(struct fn_fixture *f, struct ty t)
{
    return ty_list(f->a, t);
}

static const struct etype *type(struct fn_fixture *f, const char *name, struct ecol *cols,
                                uint32_t n)
{
    struct etype *t = ety_new(f->a, NULL, ETYPE_PLAIN, slice_str(name), cols, n, NULL, 0);
    struct err err = {0};
    struct cat_entry *e = cat_add(&f->cat, CAT_TYPE, t->name, &err);
    CHECK(e != NULL);
    e->type = t;
    return t;
}

#define COL(n, ty_)                                                                                \
    {                                                                                              \
        .name = SLICE(n), .ty = ty_                                                                \
    }

void fn_fixture_init(struct fn_fixture *f)
{
    *f = (struct fn_fixture){.a = arena_new(NULL, "test", 64 << 20), .h = vheap_new()};
    cat_init(&f->cat, f->a);
    struct ecol sub[] = {COL("x", TY(INT))};
    f->sub = type(f, "Sub", sub, 1);
    struct ecol item[] = {COL("id", TY(STRING)), COL("size", TY(INT)), COL("team", TY(STRING)),
                          COL("d", TY(DOUBLE))};
    f->item = type(f, "Item", item, 4);
    struct ty of_sub = {.kind = TY_EVENT, .ev = f->sub},
              of_item = {.kind = TY_EVENT, .ev = f->item};
    struct ecol misc[] = {
        COL("b", TY(BOOL)),
        COL("i", TY(INT)),
        COL("l", TY(LONG)),
        COL("f", TY(FLOAT)),
        COL("d", TY(DOUBLE)),
        COL("s", TY(STRING)),
        COL("k", TY(STRING)),
        COL("o", TY(OBJECT)),
        COL("m", TY(MAP)),
        COL("a", list_of(f, TY(INT))),
        COL("ss", list_of(f, TY(STRING))),
        COL("sub", of_sub),
        COL("t1", TY(LONG)),
        COL("t2", TY(LONG)),
    };
    f->misc = type(f, "Misc", misc, ARRAY_LEN(misc));
    struct ecol bag[] = {
        COL("items", list_of(f, of_item)),
        COL("a", list_of(f, TY(INT))),
        COL("b", list_of(f, TY(INT))),
        COL("words", list_of(f, TY(STRING))),
        COL("ds", list_of(f, TY(DOUBLE))),
        COL("ls", list_of(f, TY(LONG))),
        COL("fs", list_of(f, TY(FLOAT))),
        COL("m", TY(MAP)),
        COL("o", TY(OBJECT)),
    };
    f->bag = type(f, "Bag", bag, ARRAY_LEN(bag));
    struct ecol job[] = {COL("name", TY(STRING)), COL("s", TY(LONG)), COL("e", TY(LONG)),
                         COL("p", of_sub)};
    struct etype *t = ety_new(f->a, NULL, ETYPE_PLAIN, SLICE("Job"), job, 4, NULL, 0);
    t->start_col = 1;
    t->end_col = 2;
    f->job = t;
}

void fn_fixture_done(struct fn_fixture *f)
{
    cat_done(&f->cat);
    arena_free(f->a);
    vheap_free(f->h);
}

/* ---- values from a small JSON ---- */

static void skip(const char **p)
{
    while (**p == ' ' || **p == ',' || **p == ':') {
        (*p)++;
    }
}

static struct dat string_at(struct fn_fixture *f, const char **p)
{
    const char *end = strchr(*p + 1, '"');
    struct dat v = dat_str(vstr_new(f->h, slice_of(*p + 1, (size_t)(end - *p - 1))));
    *p = end + 1;
    return v;
}

static struct dat value_at(struct fn_fixture *f, const char **p, struct ty t);

static struct dat list_at(struct fn_fixture *f, const char **p, struct ty elem)
{
    struct dat v[16];
    size_t n = 0;
    for ((*p)++; **p != ']'; skip(p)) {
        v[n++] = value_at(f, p, elem);
    }
    (*p)++;
    struct vlist *l = vlist_new(f->h, n);
    for (size_t i = 0; i < n; i++) {
        vlist_set(l, i, v[i]);
    }
    return dat_list(l);
}

static struct dat object_at(struct fn_fixture *f, const char **p, struct ty t)
{
    struct dat k[16], v[16];
    size_t n = 0;
    for ((*p)++; **p != '}'; skip(p)) {
        k[n] = string_at(f, p);
        skip(p);
        struct ty of = TY(OBJECT);
        int at = t.kind == TY_EVENT ? ety_col(t.ev, vstr_slice(k[n].s)) : -1;
        of = at >= 0 ? t.ev->cols[at].ty : of;
        v[n++] = value_at(f, p, of);
    }
    (*p)++;
    if (t.kind == TY_EVENT) {
        struct evt *e = evt_new(f->h, t.ev);
        for (size_t i = 0; i < n; i++) {
            evt_set(e, (size_t)ety_col(t.ev, vstr_slice(k[i].s)), v[i]);
        }
        return dat_evt(e);
    }
    struct vmap *m = vmap_new(f->h, n);
    for (size_t i = 0; i < n; i++) {
        vmap_set(m, i, k[i], v[i]);
    }
    return dat_map(m);
}

static struct dat number_at(struct fn_fixture *f, const char **p, struct ty t)
{
    char *end = NULL;
    double d = strtod(*p, &end);
    bool point = memchr(*p, '.', (size_t)(end - *p)) != NULL;
    int64_t i = strtoll(*p, NULL, 10);
    *p = end;
    switch (t.kind) {
    case TY_LONG: return dat_long(i);
    case TY_FLOAT: return dat_float(d);
    case TY_DOUBLE: return dat_double(d);
    case TY_INT: return dat_int((int32_t)i);
    default: return point ? dat_double(d) : dat_as(f->h, dat_long(i), DAT_INT);
    }
}

static struct dat value_at(struct fn_fixture *f, const char **p, struct ty t)
{
    skip(p);
    switch (**p) {
    case '"': return string_at(f, p);
    case '[': return list_at(f, p, t.elem != NULL ? *t.elem : TY(OBJECT));
    case '{': return object_at(f, p, t);
    case 'n': *p += 4; return DAT_NONE;
    case 't': *p += 4; return dat_bool(true);
    case 'f': *p += 5; return dat_bool(false);
    default: return number_at(f, p, t);
    }
}

static const char *const misc_events[] = {"{\"b\":true,\"i\":-7,\"l\":1709209845678,\"f\":0.1,"
                                          "\"d\":2.5,\"s\":\"Hello, World\",\"k\":\"o\","
                                          "\"o\":\"str\",\"m\":{\"k\":\"v\",\"n\":5,\"z\":null},"
                                          "\"a\":[1,2],\"ss\":[\"x\"],\"sub\":{\"x\":1},"
                                          "\"t1\":1000,\"t2\":3000}",
                                          "{\"b\":false,\"i\":255,\"l\":951782399999,\"f\":3,\"d\":"
                                          "-1234567890.125,\"s\":\" 12 \",\"k\":\"12\","
                                          "\"o\":12.5,\"m\":{},\"a\":[],\"t1\":5000,\"t2\":5000}",
                                          "{}"};

static const char *const bag_events[] = {
    "{\"items\":[{\"id\":\"x\",\"size\":null,\"team\":null},{\"id\":\"y\",\"size\":1,\"team\":"
    "\"r\"},"
    "{\"id\":null,\"size\":2,\"team\":\"r\"}],\"words\":[\"a\",null,\"b\",null,\"a\"],"
    "\"ds\":[1.5,2.5,0.25],\"ls\":[1,2],\"fs\":[0.5,0.25],\"m\":{\"k\":\"v\",\"n\":5},\"o\":"
    "\"str\"}",
    "{\"items\":[{\"id\":\"x\",\"size\":3,\"team\":\"r\",\"d\":1.5},{\"id\":\"y\",\"size\":1,"
    "\"team\":\"g\","
    "\"d\":2.5},{\"id\":\"z\",\"size\":3,\"team\":\"r\",\"d\":0.5}],\"a\":[3,1,2,3],"
    "\"words\":[\"up\",\"down\",\"up\"],\"ds\":[1.5,2.5],\"ls\":[3,4],\"fs\":[0.5,0.25],"
    "\"m\":{\"k\":\"v\",\"l\":[1,2]},\"o\":5}",
    "{\"a\":[1,2],\"b\":[2,2,9],\"words\":[],\"items\":[]}"};

struct evt *fn_fixture_event(struct fn_fixture *f, const struct etype *t, int which)
{
    const char *p = t == f->misc ? misc_events[which] : bag_events[which];
    return value_at(f, &p, (struct ty){.kind = TY_EVENT, .ev = t}).ev;
}

/* ---- the other way ---- */

static void json(struct dat v, struct buf *out)
{
    bool word = dat_is_float(v) && !isfinite(v.d); /* NaN and the like stand in quotes */
    if (v.kind == DAT_STRING || v.kind == DAT_CHAR || word) {
        (void)buf_add_byte(out, '"');
        dat_text_to(v, out);
        (void)buf_add_byte(out, '"');
    } else if (v.kind == DAT_LIST) {
        (void)buf_add_byte(out, '[');
        for (uint32_t i = 0; i < v.l->len; i++) {
            (void)buf_add_str(out, i > 0 ? ", " : "");
            json(v.l->v[i], out);
        }
        (void)buf_add_byte(out, ']');
    } else if (v.kind == DAT_MAP || v.kind == DAT_EVENT) {
        uint32_t n = v.kind == DAT_MAP ? v.m->len : v.ev->type->n_cols;
        (void)buf_add_byte(out, '{');
        for (uint32_t i = 0; i < n; i++) {
            (void)buf_add_str(out, i > 0 ? ", \"" : "\"");
            if (v.kind == DAT_MAP) {
                dat_text_to(v.m->v[i].key, out);
            } else {
                (void)buf_add_slice(out, v.ev->type->cols[i].name);
            }
            (void)buf_add_str(out, "\": ");
            json(v.kind == DAT_MAP ? v.m->v[i].value : v.ev->p[i], out);
        }
        (void)buf_add_byte(out, '}');
    } else {
        dat_text_to(v.kind == DAT_FLOAT ? dat_double(v.d) : v, out);
    }
}

const char *fn_fixture_run(struct fn_fixture *f, const struct etype *t, int which, const char *text,
                           struct buf *out)
{
    struct ast_expr *ast = NULL;
    struct err err = {0};
    struct bind_stream stream = {.type = t};
    struct scope scope = {.streams = &stream, .n_streams = 1, .no_aggs = "no aggregations here"};
    struct bind b = {.a = f->a, .cat = &f->cat, .scope = &scope, .heap = f->h};
    struct ex *e = NULL;
    buf_clear(out);
    if (epl_parse_expr(f->a, slice_str(text), &ast, &err) != 0) {
        (void)buf_addf(out, "ERR");
        return buf_cstr(out);
    }
    int rc = bind_expr(&b, ast, &e, &err);
    VEC_DONE(&b.used);
    if (rc != 0) {
        CHECK(err.msg[0] != '\0');
        (void)buf_addf(out, "ERR");
        return buf_cstr(out);
    }
    struct evt *row[1] = {fn_fixture_event(f, t, which)};
    struct ectx c = {.heap = f->h, .now = 0, .row = row};
    struct dat v = ex_eval(e, &c);
    if (c.failed) {
        (void)buf_addf(out, "FAIL");
    } else {
        json(v, out);
    }
    (void)buf_cstr(out);
    vheap_drain(f->h);
    return buf_cstr(out);
}

static struct evt *job(struct fn_fixture *f, int64_t start, int64_t end)
{
    struct evt *e = evt_new(f->h, f->job);
    evt_set(e, 1, dat_long(start));
    evt_set(e, 2, dat_long(end));
    return e;
}

struct dat fn_fixture_pair(struct fn_fixture *f, const char *text, int64_t js, int64_t je,
                           int64_t ms, int64_t me)
{
    struct ast_expr *ast = NULL;
    struct err err = {0};
    struct bind_stream streams[] = {{.alias = SLICE("j"), .type = f->job},
                                    {.alias = SLICE("m"), .type = f->job, .num = 1}};
    struct scope scope = {.streams = streams, .n_streams = 2, .no_aggs = "no aggregations here"};
    struct bind b = {.a = f->a, .cat = &f->cat, .scope = &scope, .heap = f->h};
    struct ex *e = NULL;
    int rc = epl_parse_expr(f->a, slice_str(text), &ast, &err);
    rc = rc == 0 ? bind_expr(&b, ast, &e, &err) : rc;
    if (rc != 0) {
        return (struct dat){.kind = DAT_CAUSES};
    }
    struct evt *row[2] = {job(f, js, je), job(f, ms, me)};
    struct ectx c = {.heap = f->h, .row = row};
    struct dat v = ex_eval(e, &c);
    vheap_drain(f->h);
    return v;
}
