/* SPDX-License-Identifier: Apache-2.0
 *
 * Event types as EPL that declares them again: how a level gets to know what those before it make.
 * Structures without a name (`new {}`, events of patterns) get schemas of their own, named after
 * the type and the column.
 */
#include "operators/doc/doc_impl.h"
#include "operators/sig/builtin.h"

#include <stdio.h>

enum { NEST_MAX = 8, NAME_MAX_BYTES = 200 };

struct types {
    struct doc *d;
    enum builtin_world world;
    struct buf *out;
};

static bool is_known(const struct types *t, const struct etype *e)
{
    if (e->kind == ETYPE_ANON || e->name.len == 0) {
        return false;
    }
    if (t->world == BUILTIN_KAIJU && builtin_find(BUILTIN_KAIJU, e->name) != NULL) {
        return true;
    }
    for (uint32_t i = 0; i < t->d->n_made; i++) {
        if (slice_eq(t->d->made[i].name, e->name)) {
            return true;
        }
    }
    return false;
}

static void quoted(struct buf *out, struct slice name)
{
    (void)buf_addf(out, "`" SLICE_FMT "`", SLICE_ARG(name));
}

static void declare(struct types *t, const struct etype *e, struct slice name, unsigned depth);

/* The name of a structure's type, declared in front if need be. */
static struct slice structure(struct types *t, const struct etype *e, struct slice of,
                              struct slice col, unsigned depth)
{
    if (is_known(t, e)) {
        return e->name;
    }
    if (depth == NEST_MAX || of.len + col.len + 1 > NAME_MAX_BYTES) {
        return SLICE("object");
    }
    char *name = arena_printf(t->d->arena, SLICE_FMT "_" SLICE_FMT, SLICE_ARG(of), SLICE_ARG(col));
    declare(t, e, slice_str(name), depth + 1);
    return slice_str(name);
}

static void type_text(struct ty ty, struct slice event, struct buf *out)
{
    switch (ty.kind) {
    case TY_EVENT:
        if (slice_eq(event, SLICE("object"))) {
            (void)buf_add_slice(out, event);
        } else {
            quoted(out, event);
        }
        break;
    case TY_LIST:
        type_text(ty.elem != NULL ? *ty.elem : TY(OBJECT), event, out);
        (void)buf_add_str(out, "[]");
        break;
    case TY_MAP:
        (void)buf_add_str(out, "Map<string,");
        type_text(ty.elem != NULL && ty.elem->kind != TY_LIST ? *ty.elem : TY(OBJECT), event, out);
        (void)buf_add_str(out, ">");
        break;
    case TY_NULL: (void)buf_add_str(out, "object"); break;
    default: (void)buf_add_str(out, ty_name(ty.kind)); break;
    }
}

static const struct etype *event_in(struct ty ty)
{
    while ((ty.kind == TY_LIST || ty.kind == TY_MAP) && ty.elem != NULL) {
        ty = *ty.elem;
    }
    return ty.kind == TY_EVENT ? ty.ev : NULL;
}

/* Whether a supertype has the column. */
static bool inherited(const struct etype *e, struct slice col)
{
    for (uint32_t i = 0; i < e->n_supers; i++) {
        if (ety_col(e->supers[i].type, col) >= 0) {
            return true;
        }
    }
    return false;
}

/* Supertypes that no other supertype brings along. */
static void inherits(const struct etype *e, struct buf *out)
{
    const char *word = " inherits ";
    for (uint32_t i = 0; i < e->n_supers; i++) {
        bool direct = true;
        for (uint32_t k = 0; direct && k < e->n_supers; k++) {
            direct = k == i || !ety_is(e->supers[k].type, e->supers[i].type) ||
                     e->supers[k].type == e->supers[i].type;
        }
        if (direct) {
            (void)buf_add_str(out, word);
            quoted(out, e->supers[i].type->name);
            word = ", ";
        }
    }
}

static void variant(const struct etype *e, struct slice name, struct buf *out)
{
    (void)buf_add_str(out, "create variant schema ");
    quoted(out, name);
    (void)buf_add_str(out, " as ");
    for (uint32_t i = 0; i < e->n_variants; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        quoted(out, e->variants[i]->name);
    }
    (void)buf_add_str(out, e->open ? (e->n_variants > 0 ? ", *;\n" : "*;\n") : ";\n");
}

static void declare(struct types *t, const struct etype *e, struct slice name, unsigned depth)
{
    struct buf b;
    if (e->kind == ETYPE_VARIANT) {
        variant(e, name, t->out);
        return;
    }
    buf_init(&b, 1 << 20);
    (void)buf_add_str(&b, "create schema ");
    quoted(&b, name);
    (void)buf_add_byte(&b, '(');
    bool any = false;
    for (uint32_t i = 0; i < e->n_cols; i++) {
        const struct ecol *c = &e->cols[i];
        if (c->name.len == 0 || inherited(e, c->name)) {
            continue;
        }
        const struct etype *ev = event_in(c->ty);
        struct slice event = ev != NULL ? structure(t, ev, name, c->name, depth) : SLICE_NONE;
        (void)buf_add_str(&b, any ? ", " : "");
        quoted(&b, c->name);
        (void)buf_add_byte(&b, ' ');
        type_text(c->ty, event, &b);
        any = true;
    }
    (void)buf_add_byte(&b, ')');
    inherits(e, &b);
    if (e->start_col >= 0 && !inherited(e, e->cols[e->start_col].name)) {
        (void)buf_addf(&b, " starttimestamp " SLICE_FMT, SLICE_ARG(e->cols[e->start_col].name));
    }
    if (e->end_col >= 0 && !inherited(e, e->cols[e->end_col].name)) {
        (void)buf_addf(&b, " endtimestamp " SLICE_FMT, SLICE_ARG(e->cols[e->end_col].name));
    }
    (void)buf_add_str(&b, ";\n");
    (void)buf_add_slice(t->out, buf_slice(&b));
    buf_done(&b);
}

void doc_type_epl(struct doc *d, int world, const struct etype *e, struct buf *out)
{
    struct types t = {.d = d,
                      .world = world == DOC_TYPES_ORIGINAL ? BUILTIN_ORIGINAL : BUILTIN_KAIJU,
                      .out = out};
    declare(&t, e, e->name, 0);
}

void doc_prelude(const struct doc *d, uint32_t level, struct buf *out)
{
    enum builtin_world world =
        level < d->g.n_levels && d->g.levels[level].types == DOC_TYPES_ORIGINAL ? BUILTIN_ORIGINAL
                                                                                : BUILTIN_KAIJU;
    builtin_epl(world, out);
    for (uint32_t i = 0; i < d->n_made; i++) {
        if (d->made[i].level < level && builtin_find(world, d->made[i].name) == NULL) {
            (void)buf_add_slice(out, d->made[i].epl);
        }
    }
}
