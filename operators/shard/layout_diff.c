/* SPDX-License-Identifier: Apache-2.0
 *
 * See layout_diff.h. Statements are compared group by group, as tasks do when they take over: what
 * a statement held in one group is of no use in another.
 */
#include "operators/shard/layout_diff.h"

#include "core/base/mem.h"
#include "operators/graph/eng_doc.h"
#include "operators/graph/ident.h"

#include <assert.h>
#include <stdlib.h>

struct found { /* a statement of a document */
    struct slice level, statement;
    struct hash128 id;
    struct slice cut; /* of its group; empty: of none, it holds nothing */
    bool taken;
};

struct side {
    struct arena *a;
    struct layout *layout;
    struct layout_looks looks;
    bool looked;
    struct found *v;
    uint32_t n;
};

static struct slice cut_of_part(const struct layout *l, uint32_t part)
{
    for (uint32_t g = 0; g < l->n_groups; g++) {
        if (!l->groups[g].source && (l->groups[g].members >> part & 1U) != 0) {
            return l->groups[g].cut;
        }
    }
    return SLICE_NONE;
}

static struct slice label(struct arena *a, const struct layout_part *p, const struct doc_stmt *s)
{
    if (s->name.len > 0) {
        return s->name;
    }
    return slice_str(arena_printf(a, "#%u", (unsigned)(s - p->doc->stmts) + 1));
}

static int add_part(struct side *s, uint32_t part, struct err *reterr)
{
    const struct layout_part *p = &s->looks.parts[part];
    for (uint32_t k = 0; k < p->n_stmts; k++) {
        struct found *f = &s->v[s->n++];
        *f = (struct found){.level = p->doc->name,
                            .statement = label(s->a, p, p->stmts[k]),
                            .cut = cut_of_part(s->layout, part)};
        if (!eng_ident_at(p->eng, p->before + k, &f->id)) {
            return err_set(reterr, ERR_MISMATCH, "a level has fewer statements than it should");
        }
    }
    return 0;
}

static int read_side(struct side *s, struct slice text, const struct layout_conf *conf,
                     struct err *reterr)
{
    struct doc_notes notes;
    uint32_t n = 0;
    doc_notes_init(&notes, s->a);
    struct doc *d = doc_read(s->a, text, &notes);
    int rc = d != NULL ? doc_check(d, &eng_doc, &notes, reterr)
                       : err_set(reterr, ERR_SYNTAX, "the document is no mapping");
    doc_notes_done(&notes);
    rc = rc == 0 ? layout_look(d, conf->raw_parts, &s->looks, reterr) : rc;
    s->looked = rc == 0;
    rc = rc == 0 ? layout_of(s->a, d, &s->looks, conf, &s->layout, reterr) : rc;
    for (uint32_t i = 0; rc == 0 && i < s->looks.n_parts; i++) {
        n += s->looks.parts[i].n_stmts;
    }
    s->v = arena_array(s->a, n + 1, sizeof *s->v);
    if (s->v == NULL) {
        return err_set(reterr, ERR_LIMIT, "the documents are too large to be compared");
    }
    for (uint32_t i = 0; rc == 0 && i < s->looks.n_parts; i++) {
        rc = add_part(s, i, reterr);
    }
    return rc;
}

static int by_ident(const void *a, const void *b)
{
    const struct found *x = *(struct found *const *)a, *y = *(struct found *const *)b;
    int c = memcmp(&x->id, &y->id, sizeof x->id);
    return c != 0 ? c : slice_cmp(x->cut, y->cut);
}

/* Of those with the same identity and cut, one that nobody has taken. */
static struct found *take(struct found **sorted, uint32_t n, struct found *of)
{
    uint32_t from = 0, to = n;
    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        if (by_ident(&sorted[mid], &of) < 0) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    for (; from < n && by_ident(&sorted[from], &of) == 0; from++) {
        if (!sorted[from]->taken) {
            sorted[from]->taken = true;
            return sorted[from];
        }
    }
    return NULL;
}

static void compare(struct side *was, struct side *is, struct layout_change *to, uint32_t *ret_n)
{
    uint32_t n = 0;
    struct found **sorted = mem_calloc(was->n + 1, sizeof *sorted);
    for (uint32_t i = 0; i < was->n; i++) {
        sorted[i] = &was->v[i];
    }
    qsort(sorted, was->n, sizeof *sorted, by_ident);
    for (uint32_t i = 0; i < is->n; i++) {
        bool kept = take(sorted, was->n, &is->v[i]) != NULL;
        to[n++] = (struct layout_change){is->v[i].level, is->v[i].statement,
                                         kept ? LAYOUT_KEPT : LAYOUT_BEGUN};
    }
    for (uint32_t i = 0; i < was->n; i++) {
        if (!was->v[i].taken) {
            to[n++] = (struct layout_change){was->v[i].level, was->v[i].statement, LAYOUT_DROPPED};
        }
    }
    mem_free(sorted);
    *ret_n = n;
}

int layout_diff(struct arena *a, struct slice before, struct slice after,
                const struct layout_conf *conf, struct layout_change **ret, uint32_t *ret_n,
                struct err *reterr)
{
    struct side was = {.a = a}, is = {.a = a};
    int rc = read_side(&was, before, conf, reterr);
    rc = rc == 0 ? read_side(&is, after, conf, reterr) : rc;
    if (rc == 0) {
        *ret = arena_array(a, was.n + is.n + 1, sizeof **ret);
        rc = *ret != NULL ? 0 : err_set(reterr, ERR_LIMIT, "too many statements to be compared");
    }
    if (rc == 0) {
        compare(&was, &is, *ret, ret_n);
    }
    if (was.looked) {
        layout_looks_done(&was.looks);
    }
    if (is.looked) {
        layout_looks_done(&is.looks);
    }
    return rc;
}
