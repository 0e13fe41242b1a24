/* SPDX-License-Identifier: Apache-2.0
 *
 * From the tree to the structures of doc.h, by the table of fields: unknown and missing fields,
 * values of the wrong kind, values out of range, all of them. What is wrong keeps its default, so
 * that what stands beside it is looked at, too.
 */
#include "operators/doc/doc_impl.h"

#include <assert.h>
#include <stdio.h>

struct read {
    struct arena *a;
    struct doc_notes *notes;
    struct slice pointer; /* RFC 6901, of the object under way */
};

static struct slice below(struct read *r, struct slice name)
{
    char *s = arena_printf(r->a, SLICE_FMT "/" SLICE_FMT, SLICE_ARG(r->pointer), SLICE_ARG(name));
    return slice_str(s);
}

static struct doc_note *wrong(struct read *r, enum doc_code code, const struct doc_field *f,
                              struct span at, const char *what)
{
    struct doc_note *n = doc_note(r->notes, code, at, "'%s' %s", f->name, what);
    n->pointer = below(r, slice_str(f->name));
    return n;
}

static bool expect(struct read *r, const struct doc_field *f, const struct doc_node *n,
                   enum doc_kind kind)
{
    bool number = kind == DOC_NUMBER && n->kind == DOC_INT;
    /* A text that looks like something else was meant as a text: 2026, true. */
    bool word =
        kind == DOC_TEXT && n->kind >= DOC_BOOL && n->kind <= DOC_NUMBER && f->type != DOC_F_EPL;
    if (n->kind == kind || number || word) {
        return true;
    }
    char text[128];
    snprintf(text, sizeof text, "wants %s, found %s", doc_kind_name(kind),
             doc_kind_name((enum doc_kind)n->kind));
    struct doc_note *note = wrong(r, DOC_KIND, f, n->span, text);
    if (kind == DOC_BOOL && n->kind == DOC_TEXT) {
        doc_hint(r->notes, note, "write true or false");
    } else if (kind == DOC_TEXT && n->kind == DOC_NULL) {
        doc_hint(r->notes, note, "leave the field out, or write a text");
    }
    return false;
}

/* ---- values ---- */

static void read_enum(struct read *r, const struct doc_field *f, const struct doc_node *n, int *to)
{
    struct slice near = SLICE_NONE, choice;
    unsigned least = 4;
    for (uint32_t i = 0; (choice = doc_choice(f->arg, i)).ptr != NULL; i++) {
        if (slice_eq(choice, n->text)) {
            *to = (int)i;
            return;
        }
        unsigned d = slice_distance(choice, n->text, least);
        if (d < least) {
            least = d;
            near = choice;
        }
    }
    struct doc_note *note =
        doc_note(r->notes, DOC_VALUE, n->span, "'%s' is one of %s, not '" SLICE_FMT "'", f->name,
                 f->arg, SLICE_ARG(n->text));
    note->pointer = below(r, slice_str(f->name));
    if (near.len > 0) {
        doc_hint(r->notes, note, "did you mean '" SLICE_FMT "'?", SLICE_ARG(near));
    }
}

static void read_int(struct read *r, const struct doc_field *f, const struct doc_node *n,
                     int64_t *to)
{
    if (f->type == DOC_F_AUTO && n->kind == DOC_TEXT && slice_eq(n->text, SLICE("auto"))) {
        *to = 0;
        return;
    }
    if (f->type == DOC_F_AUTO && n->kind == DOC_TEXT) {
        (void)wrong(r, DOC_VALUE, f, n->span, "wants a whole number, or auto");
        return;
    }
    double low, high;
    doc_bounds(f->arg, &low, &high);
    if (!expect(r, f, n, DOC_INT)) {
        return;
    }
    if (n->d < low || n->d > high) {
        struct doc_note *note =
            doc_note(r->notes, DOC_VALUE, n->span, "'%s' lies within %s", f->name, f->arg);
        note->pointer = below(r, slice_str(f->name));
    } else if (f->type == DOC_F_POWER && (n->i & (n->i - 1)) != 0) {
        struct doc_note *note = wrong(r, DOC_VALUE, f, n->span, "is a power of two");
        int64_t p = 1;
        while (p * 2 <= n->i) {
            p *= 2;
        }
        doc_hint(r->notes, note, "%lld or %lld", (long long)p, (long long)p * 2);
    } else {
        *to = n->i;
    }
}

static void read_number(struct read *r, const struct doc_field *f, const struct doc_node *n,
                        double *to)
{
    double low, high;
    doc_bounds(f->arg, &low, &high);
    if (!expect(r, f, n, DOC_NUMBER)) {
        return;
    }
    if (n->d > low && n->d < high) {
        *to = n->d;
        return;
    }
    struct doc_note *note =
        doc_note(r->notes, DOC_VALUE, n->span, "'%s' lies between %g and %g, not at its ends",
                 f->name, low, high);
    note->pointer = below(r, slice_str(f->name));
}

static void read_duration(struct read *r, const struct doc_field *f, const struct doc_node *n,
                          int64_t *to)
{
    if (n->kind == DOC_INT || n->kind == DOC_NUMBER) {
        struct doc_note *note = wrong(r, DOC_VALUE, f, n->span, "wants a time with its unit");
        doc_hint(r->notes, note, "did you mean '" SLICE_FMT "s'?", SLICE_ARG(n->text));
        return;
    }
    if (expect(r, f, n, DOC_TEXT) && !doc_duration(n->text, to)) {
        struct doc_note *note = wrong(r, DOC_VALUE, f, n->span, "is no time");
        doc_hint(r->notes, note, "500ms, 5s, 1h30m, 7d, or PT5M");
    }
}

static void read_name(struct read *r, const struct doc_field *f, const struct doc_node *n,
                      struct slice *to)
{
    if (!expect(r, f, n, DOC_TEXT)) {
        return;
    }
    *to = n->text;
    if (!doc_is_name(n->text)) {
        struct doc_note *note = wrong(r, DOC_VALUE, f, n->span, "is no name");
        doc_hint(r->notes, note, "1 to %d of a-z, 0-9 and '-', which is not at an end",
                 DOC_NAME_MAX);
    }
}

static void read_texts(struct read *r, const struct doc_field *f, const struct doc_node *n,
                       char *to)
{
    if (!expect(r, f, n, DOC_LIST)) {
        return;
    }
    struct slice *texts = arena_array(r->a, n->n + 1, sizeof *texts);
    uint32_t count = 0;
    for (const struct doc_node *i = n->first; texts != NULL && i != NULL; i = i->next) {
        if (expect(r, f, i, DOC_TEXT)) {
            texts[count++] = i->text;
        }
    }
    memcpy(to, &texts, sizeof texts);
    memcpy(to + sizeof texts, &count, sizeof count);
}

static void read_pairs(struct read *r, const struct doc_field *f, const struct doc_node *n,
                       char *to)
{
    if (!expect(r, f, n, DOC_MAP)) {
        return;
    }
    struct doc_pair *pairs = arena_array(r->a, n->n + 1, sizeof *pairs);
    uint32_t count = 0;
    for (const struct doc_node *i = n->first; pairs != NULL && i != NULL; i = i->next) {
        if (expect(r, f, i, DOC_TEXT)) {
            pairs[count++] = (struct doc_pair){i->key->text, i->text};
        }
    }
    memcpy(to, &pairs, sizeof pairs);
    memcpy(to + sizeof pairs, &count, sizeof count);
}

/* One limit at a time, so that each mistake has its place. */
static void read_limits(struct read *r, const struct doc_field *f, const struct doc_node *n,
                        struct lim_conf *to)
{
    if (!expect(r, f, n, DOC_MAP)) {
        return;
    }
    for (const struct doc_node *i = n->first; i != NULL; i = i->next) {
        struct err err;
        err_clear(&err);
        struct lim_conf one = {.max = {0}};
        struct slice s = i->text;
        if (i->kind != DOC_INT && !expect(r, f, i, DOC_TEXT)) {
            continue;
        }
        char *text =
            arena_printf(r->a, SLICE_FMT "=" SLICE_FMT, SLICE_ARG(i->key->text), SLICE_ARG(s));
        bool plain = slice_find(s, ',') == s.len && slice_find(s, '\n') == s.len;
        if (!plain || text == NULL || lim_parse(slice_str(text), &one, &err) != 0) {
            struct span at = i->key->span;
            at.len = i->span.line == at.line ? i->span.off + i->span.len - at.off : at.len;
            struct doc_note *note =
                doc_note(r->notes, DOC_VALUE, at, "%s", plain ? err.msg : "one limit each");
            note->pointer = below(r, slice_str(f->name));
            continue;
        }
        for (int k = 0; k < LIM_KINDS; k++) {
            if (one.max[k] != 0 || one.policy[k] != LIM_DEFAULT) {
                to->max[k] = one.max[k];
                to->policy[k] = one.policy[k];
            }
        }
    }
}

/* ---- objects ---- */

static void read_object(struct read *r, const char *section, const struct doc_node *n, char *to);

static void read_list(struct read *r, const struct doc_field *f, const struct doc_node *n, char *to)
{
    const struct doc_section *s = doc_section(f->arg);
    if (!expect(r, f, n, DOC_LIST)) {
        return;
    }
    if (n->n == 0 && f->required) {
        (void)wrong(r, DOC_MISSING, f, n->span, "is empty");
    }
    if (n->n > DOC_ITEMS_MAX) {
        (void)wrong(r, DOC_LIMIT, f, n->span, "has too many items");
        return;
    }
    struct slice was = r->pointer;
    char *items = arena_array(r->a, n->n + 1, s->bytes);
    uint32_t count = 0;
    for (const struct doc_node *i = n->first; items != NULL && i != NULL; i = i->next, count++) {
        r->pointer = was;
        r->pointer =
            slice_str(arena_printf(r->a, SLICE_FMT "/%s/%u", SLICE_ARG(was), f->name, count));
        read_object(r, s->name, i, items + count * s->bytes);
    }
    r->pointer = was;
    memcpy(to, &items, sizeof items);
    memcpy(to + sizeof items, &count, sizeof count);
}

static void read_value(struct read *r, const struct doc_field *f, const struct doc_node *n,
                       char *to)
{
    void *at = to;
    switch (f->type) {
    case DOC_F_CONST:
        if (expect(r, f, n, DOC_TEXT) && !slice_eq(n->text, slice_str(f->arg))) {
            struct doc_note *note = wrong(r, DOC_VALUE, f, n->span, "has another value");
            doc_hint(r->notes, note, "write %s: %s", f->name, f->arg);
        }
        *(struct slice *)at = slice_str(f->arg);
        break;
    case DOC_F_NAME: read_name(r, f, n, at); break;
    case DOC_F_TEXT:
    case DOC_F_EPL:
        if (expect(r, f, n, DOC_TEXT)) {
            *(struct slice *)at = n->text;
        }
        break;
    case DOC_F_DURATION: read_duration(r, f, n, at); break;
    case DOC_F_INT:
    case DOC_F_POWER:
    case DOC_F_AUTO: read_int(r, f, n, at); break;
    case DOC_F_NUMBER: read_number(r, f, n, at); break;
    case DOC_F_BOOL:
        if (expect(r, f, n, DOC_BOOL)) {
            *(bool *)at = n->b;
        }
        break;
    case DOC_F_ENUM:
        if (expect(r, f, n, DOC_TEXT)) {
            read_enum(r, f, n, at);
        }
        break;
    case DOC_F_TEXTS: read_texts(r, f, n, to); break;
    case DOC_F_PAIRS: read_pairs(r, f, n, to); break;
    case DOC_F_LIMITS: read_limits(r, f, n, at); break;
    case DOC_F_EVENT:
        if (expect(r, f, n, DOC_MAP)) {
            *(const struct doc_node **)at = n;
        }
        break;
    case DOC_F_LIST: read_list(r, f, n, to); break;
    }
}

static void set_default(const struct doc_field *f, char *to)
{
    void *at = to;
    struct slice s = slice_str(f->fallback);
    switch (f->type) {
    case DOC_F_DURATION:
        *(int64_t *)at = -1;
        if (s.ptr != NULL) {
            bool ok = doc_duration(s, at);
            assert(ok);
            (void)ok;
        }
        break;
    case DOC_F_INT:
        *(int64_t *)at = -1;
        (void)slice_to_i64(s, at);
        break;
    case DOC_F_BOOL: *(bool *)at = slice_eq(s, SLICE("true")); break;
    case DOC_F_NAME:
    case DOC_F_TEXT: *(struct slice *)at = s; break;
    default: break; /* zero: the first word of an enum, auto, nothing */
    }
}

static void unknown(struct read *r, const char *section, const struct doc_node *key)
{
    const struct doc_field *near = NULL;
    unsigned least = 4;
    for (const struct doc_field *f = NULL; (f = doc_field_next(section, f)) != NULL;) {
        unsigned d = slice_distance(slice_str(f->name), key->text, least);
        if (d < least) {
            least = d;
            near = f;
        }
    }
    struct doc_note *n =
        doc_note(r->notes, DOC_UNKNOWN, key->span, "%s%s has no field '" SLICE_FMT "'",
                 strcmp(section, "graph") == 0 ? "the " : "a ", section, SLICE_ARG(key->text));
    n->pointer = below(r, key->text);
    if (near != NULL) {
        doc_hint(r->notes, n, "did you mean '%s'?", near->name);
    }
}

/* The beginning of an object is where "it is missing here" is said. */
static struct span front(const struct doc_node *n)
{
    const struct doc_node *at = n->first != NULL && n->first->key != NULL ? n->first->key : n;
    struct span s = at->span;
    s.len = at == n ? MIN(s.len, 1u) : s.len;
    return s;
}

static void read_object(struct read *r, const char *section, const struct doc_node *n, char *to)
{
    assert(doc_section(section) != NULL);
    *(const struct doc_node **)(void *)to = n;
    for (const struct doc_field *f = NULL; (f = doc_field_next(section, f)) != NULL;) {
        set_default(f, to + f->offset);
    }
    if (n->kind != DOC_MAP) {
        struct doc_note *note = doc_note(r->notes, DOC_KIND, n->span, "a %s wants fields, found %s",
                                         section, doc_kind_name((enum doc_kind)n->kind));
        note->pointer = r->pointer;
        return;
    }
    for (const struct doc_node *i = n->first; i != NULL; i = i->next) {
        const struct doc_field *f = NULL;
        while ((f = doc_field_next(section, f)) != NULL &&
               !slice_eq(slice_str(f->name), i->key->text)) {
        }
        if (f == NULL) {
            unknown(r, section, i->key);
        } else if (i->kind != DOC_NULL || f->required) {
            read_value(r, f, i, to + f->offset);
        }
    }
    for (const struct doc_field *f = NULL; (f = doc_field_next(section, f)) != NULL;) {
        if (f->required && doc_get(n, f->name) == NULL) {
            struct doc_note *note = wrong(r, DOC_MISSING, f, front(n), "is missing");
            if (f->type == DOC_F_CONST) {
                doc_hint(r->notes, note, "add %s: %s", f->name, f->arg);
            }
        }
    }
}

struct doc *doc_read(struct arena *a, struct slice text, struct doc_notes *notes)
{
    assert(a != NULL && notes != NULL);
    struct doc_tree *t = doc_tree_read(a, text, notes);
    if (t == NULL) {
        doc_notes_sort(notes);
        return NULL;
    }
    if (t->root->kind != DOC_MAP) {
        (void)doc_note(notes, DOC_KIND, t->root->span, "a graph wants fields, found %s",
                       doc_kind_name((enum doc_kind)t->root->kind));
        return NULL;
    }
    struct doc *d = ARENA_NEW(a, struct doc);
    struct read r = {.a = a, .notes = notes};
    if (d == NULL) {
        return NULL;
    }
    d->arena = a;
    d->tree = t;
    read_object(&r, "graph", t->root, (char *)&d->g);
    for (uint32_t i = 0; i < d->g.n_levels; i++) {
        const struct doc_node *n = d->g.levels[i].node;
        if (n->kind == DOC_MAP && doc_get(n, "limits") == NULL) {
            d->g.levels[i].limits = d->g.limits;
        }
    }
    doc_cross(d, notes);
    doc_notes_sort(notes);
    return d;
}
