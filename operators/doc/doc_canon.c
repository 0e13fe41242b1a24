/* SPDX-License-Identifier: Apache-2.0
 *
 * The canonical form: JSON on one line, keys sorted by bytes, every field with its value whether it
 * was written or is the default; times as ns, limits as they count. Two documents that mean the
 * same have the same form.
 */
#include "core/base/hash.h"
#include "core/event/val.h"
#include "operators/doc/doc_impl.h"

#include <assert.h>
#include <stdlib.h>

enum { CANON_MAX = 64 << 20, SECTION_FIELDS_MAX = 64 };

static void number(double d, struct buf *out)
{
    char s[VAL_NUMBER_MAX];
    size_t n = val_double_text(d, s);
    (void)buf_add(out, s, n);
}

static int by_key(const void *a, const void *b)
{
    const struct doc_node *const *x = a, *const *y = b;
    return slice_cmp((*x)->key->text, (*y)->key->text);
}

/* Anything, as it stands in the tree. */
static void any(struct arena *a, const struct doc_node *n, struct buf *out)
{
    const struct doc_node **kids = n->n > 0 ? arena_array(a, n->n, sizeof(void *)) : NULL;
    uint32_t count = 0;
    for (const struct doc_node *k = n->first; kids != NULL && k != NULL; k = k->next) {
        kids[count++] = k;
    }
    if (n->kind == DOC_MAP && count > 1) {
        qsort(kids, count, sizeof *kids, by_key);
    }
    switch ((enum doc_kind)n->kind) {
    case DOC_NULL: (void)buf_add_str(out, "null"); break;
    case DOC_BOOL: (void)buf_add_str(out, n->b ? "true" : "false"); break;
    case DOC_INT: (void)buf_addf(out, "%lld", (long long)n->i); break;
    case DOC_NUMBER: number(n->d, out); break;
    case DOC_TEXT: doc_json_string(n->text, out); break;
    case DOC_LIST:
    case DOC_MAP:
        (void)buf_add_byte(out, n->kind == DOC_MAP ? '{' : '[');
        for (uint32_t i = 0; i < count; i++) {
            (void)buf_add_str(out, i > 0 ? "," : "");
            if (n->kind == DOC_MAP) {
                doc_json_string(kids[i]->key->text, out);
                (void)buf_add_byte(out, ':');
            }
            any(a, kids[i], out);
        }
        (void)buf_add_byte(out, n->kind == DOC_MAP ? '}' : ']');
        break;
    }
}

static int by_name(const void *a, const void *b)
{
    const struct doc_pair *x = a, *y = b;
    return slice_cmp(x->name, y->name);
}

static void pairs(struct arena *a, const struct doc_pair *from, uint32_t n, struct buf *out)
{
    struct doc_pair *p = arena_array(a, n + 1, sizeof *p);
    for (uint32_t i = 0; p != NULL && i < n; i++) {
        p[i] = from[i];
    }
    if (p != NULL && n > 1) {
        qsort(p, n, sizeof *p, by_name);
    }
    (void)buf_add_byte(out, '{');
    for (uint32_t i = 0; p != NULL && i < n; i++) {
        (void)buf_add_str(out, i > 0 ? "," : "");
        doc_json_string(p[i].name, out);
        (void)buf_add_byte(out, ':');
        doc_json_string(p[i].value, out);
    }
    (void)buf_add_byte(out, '}');
}

static void limits(const struct lim_conf *l, struct buf *out)
{
    const char *comma = "";
    (void)buf_add_byte(out, '{');
    for (int i = 0; i < LIM_KINDS; i++) { /* lim.def is not sorted; its order is as stable */
        if (l->max[i] != 0 || l->policy[i] != LIM_DEFAULT) {
            (void)buf_addf(out, "%s\"%s\":\"%llu:%s\"", comma, lim_rows[i].name,
                           (unsigned long long)l->max[i],
                           l->policy[i] != LIM_DEFAULT ? lim_policy_name(l->policy[i]) : "");
            comma = ",";
        }
    }
    (void)buf_add_byte(out, '}');
}

static void object(struct arena *a, const char *section, const char *at, struct buf *out);

static void value(struct arena *a, const struct doc_field *f, const char *at, struct buf *out)
{
    const void *p = at + f->offset;
    uint32_t n;
    memcpy(&n, at + f->offset + sizeof(void *), sizeof n);
    switch (f->type) {
    case DOC_F_CONST:
    case DOC_F_NAME:
    case DOC_F_TEXT:
    case DOC_F_EPL: doc_json_string(*(const struct slice *)p, out); break;
    case DOC_F_DURATION:
    case DOC_F_INT:
    case DOC_F_POWER:
    case DOC_F_AUTO: (void)buf_addf(out, "%lld", (long long)*(const int64_t *)p); break;
    case DOC_F_NUMBER: number(*(const double *)p, out); break;
    case DOC_F_BOOL: (void)buf_add_str(out, *(const bool *)p ? "true" : "false"); break;
    case DOC_F_ENUM: doc_json_string(doc_choice(f->arg, (uint32_t) * (const int *)p), out); break;
    case DOC_F_TEXTS:
        (void)buf_add_byte(out, '[');
        for (uint32_t i = 0; i < n; i++) {
            (void)buf_add_str(out, i > 0 ? "," : "");
            doc_json_string((*(const struct slice *const *)p)[i], out);
        }
        (void)buf_add_byte(out, ']');
        break;
    case DOC_F_PAIRS: pairs(a, *(const struct doc_pair *const *)p, n, out); break;
    case DOC_F_LIMITS: limits(p, out); break;
    case DOC_F_EVENT:
        if (*(const struct doc_node *const *)p != NULL) {
            any(a, *(const struct doc_node *const *)p, out);
        } else {
            (void)buf_add_str(out, "{}");
        }
        break;
    case DOC_F_LIST:
        (void)buf_add_byte(out, '[');
        for (uint32_t i = 0; i < n; i++) {
            (void)buf_add_str(out, i > 0 ? "," : "");
            object(a, f->arg, *(const char *const *)p + i * doc_section(f->arg)->bytes, out);
        }
        (void)buf_add_byte(out, ']');
        break;
    }
}

static int by_field(const void *a, const void *b)
{
    const struct doc_field *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void object(struct arena *a, const char *section, const char *at, struct buf *out)
{
    const struct doc_field *sorted[SECTION_FIELDS_MAX] = {NULL};
    size_t n = 0;
    for (const struct doc_field *f = NULL; (f = doc_field_next(section, f)) != NULL;) {
        assert(n < ARRAY_LEN(sorted));
        sorted[n++] = f;
    }
    qsort(sorted, n, sizeof *sorted, by_field);
    (void)buf_add_byte(out, '{');
    for (size_t i = 0; i < n; i++) {
        (void)buf_addf(out, "%s\"%s\":", i > 0 ? "," : "", sorted[i]->name);
        value(a, sorted[i], at, out);
    }
    (void)buf_add_byte(out, '}');
}

void doc_canonical(const struct doc *d, struct buf *out)
{
    object(d->arena, "graph", (const char *)&d->g, out);
    (void)buf_add_byte(out, '\n');
}

uint64_t doc_hash(const struct doc *d)
{
    struct buf b;
    buf_init(&b, CANON_MAX);
    doc_canonical(d, &b);
    uint64_t h = hash_xxh64(buf_slice(&b));
    buf_done(&b);
    return h;
}
