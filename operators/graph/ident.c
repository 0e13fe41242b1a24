/* SPDX-License-Identifier: Apache-2.0
 *
 * The identity of statements. See ident.h.
 */
#include "operators/graph/ident.h"

#include "core/base/mem.h"

#include <ctype.h>

enum { TEXT_MAX = 16 << 20, DEPTH = 16 };

static void add_u(struct hash_state *h, uint64_t v)
{
    hash_add(h, &v, sizeof v);
}

static void add_text(struct hash_state *h, struct slice s)
{
    add_u(h, s.len);
    hash_add(h, s.ptr, s.len);
}

/* Those that change nothing that a statement holds. */
static bool is_remark(struct slice name)
{
    static const char *const remarks[] = {"alert", "description", "tag", "public", "critical"};
    bool found = false;
    for (size_t i = 0; !found && i < ARRAY_LEN(remarks); i++) {
        found = slice_eq_nocase(name, slice_str(remarks[i]));
    }
    return found;
}

static void print(const struct ast_stmt *a, struct buf *to)
{
    struct ast_stmt bare = *a;
    struct ast_annot *kept = mem_calloc(a->n_annots + 1, sizeof *kept);
    bare.annots = kept;
    bare.n_annots = 0;
    for (uint32_t i = 0; i < a->n_annots; i++) {
        if (!is_remark(a->annots[i].name)) {
            kept[bare.n_annots++] = a->annots[i];
        }
    }
    epl_print_stmt(&bare, to);
    mem_free(kept);
}

/* ---- types: by what they are made of ---- */

static void add_type(struct hash_state *h, const struct etype *t, int depth);

static void add_ty(struct hash_state *h, struct ty ty, int depth)
{
    add_u(h, ty.kind);
    if (ty.kind == TY_EVENT && ty.ev != NULL) {
        add_type(h, ty.ev, depth - 1);
    } else if ((ty.kind == TY_MAP || ty.kind == TY_LIST) && ty.elem != NULL) {
        add_ty(h, *ty.elem, depth);
    }
}

static void add_type(struct hash_state *h, const struct etype *t, int depth)
{
    add_text(h, t->name);
    if (depth == 0) {
        return;
    }
    add_u(h, t->kind);
    add_u(h, t->n_cols);
    for (uint32_t i = 0; i < t->n_cols; i++) {
        add_text(h, t->cols[i].name);
        add_ty(h, t->cols[i].ty, depth);
    }
    add_u(h, t->n_supers);
    for (uint32_t i = 0; i < t->n_supers; i++) {
        add_type(h, t->supers[i].type, depth - 1);
    }
    for (uint32_t i = 0; i < t->n_variants; i++) {
        add_text(h, t->variants[i]->name);
    }
}

/* ---- what it stands on ---- */

static const struct stmt *maker_of(const struct cat_entry *c)
{
    const struct deployment *d = c->deployment;
    for (size_t i = 0; d != NULL && i < d->stmts.len; i++) {
        const struct stmt *st = d->stmts.ptr[i];
        for (size_t k = 0; k < st->made.len; k++) {
            if (st->made.ptr[k] == c) {
                return st;
            }
        }
    }
    return NULL;
}

static void add_entry(struct hash_state *h, const struct cat_entry *c, int depth)
{
    const struct stmt *maker = c->kind != CAT_TYPE ? maker_of(c) : NULL;
    add_u(h, c->kind);
    add_text(h, c->name);
    if (maker != NULL && depth > 0) {
        struct hash128 id = stmt_ident(maker, depth - 1);
        hash_add(h, &id, sizeof id);
    } else if (c->type != NULL) {
        add_type(h, c->type, DEPTH);
    }
}

static bool is_letter(struct slice text, size_t at)
{
    return at < text.len && (text.ptr[at] == '_' || isalnum((unsigned char)text.ptr[at]));
}

/* Is it a word of the text? */
static bool mentions(struct slice text, struct slice word)
{
    for (size_t at = 0; word.len > 0 && at + word.len <= text.len; at++) {
        if ((at == 0 || !is_letter(text, at - 1)) && !is_letter(text, at + word.len) &&
            slice_eq(slice_of(text.ptr + at, word.len), word)) {
            return true;
        }
    }
    return false;
}

/* Declared expressions are bound anew wherever they are used, so that nobody knows by whom: those
 * whose names stand in the text, and in theirs. */
static void add_decls(struct hash_state *h, const struct stmt *st, struct slice text, int depth)
{
    MAP_EACH (&st->eng->cat.decls, e) {
        const struct cat_entry *c = e->value;
        const struct stmt *maker = maker_of(c);
        if (maker != NULL && maker != st && depth > 0 && mentions(text, c->name)) {
            struct hash128 id = stmt_ident(maker, depth - 1);
            add_text(h, c->name);
            hash_add(h, &id, sizeof id);
        }
    }
}

struct hash128 stmt_ident(const struct stmt *st, int depth)
{
    struct hash_state *h = hash_new();
    struct buf text;
    buf_init(&text, TEXT_MAX);
    print(st->ast, &text);
    add_text(h, buf_slice(&text));
    add_u(h, st->used.len);
    VEC_EACH (&st->used, u) {
        add_entry(h, *u, depth);
    }
    add_decls(h, st, buf_slice(&text), depth);
    buf_done(&text);
    struct hash128 id = hash_end(h);
    hash_free(h);
    return id;
}

bool eng_ident_at(const struct eng *e, size_t n, struct hash128 *ret)
{
    if (n >= e->stmts.len) {
        return false;
    }
    *ret = stmt_ident(e->stmts.ptr[n], IDENT_DEPTH);
    return true;
}
