/* SPDX-License-Identifier: Apache-2.0
 *
 * See layout_look.h. A level is opened as a whole; if some of its units must be one task and others
 * need not, or two read the same by keys that have no column in common, its statements are dealt
 * out to several parts. What declares types, and belongs to no unit, goes into each.
 */
#include "operators/shard/layout_look.h"

#include "core/base/vec.h"
#include "operators/shard/layout_impl.h"
#include "operators/sig/builtin.h"

#include <assert.h>

enum { ARENA_MAX = 256 << 20 };

int layout_prelude(const struct doc *d, uint32_t level, struct eng *e, struct err *reterr)
{
    struct buf b;
    buf_init(&b, LAYOUT_TEXT_MAX);
    doc_prelude(d, level, &b);
    int rc = eng_deploy(e, SLICE(BUILTIN_DEPLOYMENT), buf_slice(&b), reterr);
    buf_done(&b);
    return rc;
}

static int open_part(const struct doc *d, struct layout_part *p, struct err *reterr)
{
    p->eng = eng_new(&(struct eng_conf){.limits = &p->doc->limits});
    int rc = layout_prelude(d, p->level, p->eng, reterr);
    p->before = (uint32_t)eng_statements(p->eng, NULL, 0);
    rc = rc == 0 ? eng_deploy(p->eng, p->name, p->epl, reterr) : rc;
    return rc == 0 ? eng_keys(p->eng, p->name, &p->keys, reterr) : rc;
}

static void close_part(struct layout_part *p)
{
    keys_done(&p->keys);
    eng_free(p->eng);
    p->eng = NULL;
}

/* ---- classes of units ---- */

static bool is_keyed(const struct key_unit *u)
{
    return u->choice == KEY_BY || u->choice == KEY_USER;
}

static bool share(const struct etype *a, const struct etype *b)
{
    return a == b || ety_is(a, b) || ety_is(b, a);
}

/* Can both have what they both read by one key? */
static bool agree(const struct key_unit *a, const struct key_unit *b)
{
    for (uint32_t i = 0; i < a->n_inputs; i++) {
        for (uint32_t k = 0; k < b->n_inputs; k++) {
            const struct key_input *x = &a->inputs[i], *y = &b->inputs[k];
            bool common = x->cols == NULL || y->cols == NULL || !share(x->type, y->type);
            for (uint32_t c = 0; !common && c < a->n_cols; c++) {
                for (uint32_t e = 0; e < b->n_cols; e++) {
                    common |= slice_eq(x->texts[c], y->texts[e]);
                }
            }
            if (!common) {
                return false;
            }
        }
    }
    return true;
}

/* It reads nothing, and goes with whatever there is. */
static bool is_idle(const struct key_unit *u)
{
    return u->n_inputs == 0 && u->choice != KEY_ONE;
}

/* Whether unit u may run in tasks with those that have class `c` already. */
static bool fits(const struct key_plan *p, const uint32_t *classes, uint32_t u, uint32_t c)
{
    const struct key_unit *mine = &p->units[u];
    for (uint32_t i = 0; i < u; i++) {
        const struct key_unit *x = &p->units[i];
        if (classes[i] != c || is_idle(x)) {
            continue;
        }
        if ((x->choice == KEY_ONE) != (mine->choice == KEY_ONE)) {
            return false;
        }
        if (is_keyed(x) && is_keyed(mine) && !agree(x, mine)) {
            return false;
        }
    }
    return true;
}

/* A class for each unit: how many there are. */
static uint32_t classify(const struct key_plan *p, uint32_t *classes)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_units; i++) {
        uint32_t c = 0;
        classes[i] = 0;
        if (is_idle(&p->units[i])) {
            continue;
        }
        if (p->units[i].n_inputs == 0) {
            return 1; /* timers alone: somebody must tell them the time */
        }
        while (c < n && !fits(p, classes, i, c)) {
            c++;
        }
        classes[i] = c;
        n = c == n ? n + 1 : n;
    }
    return n;
}

/* ---- parts ---- */

static uint32_t unit_of(const struct key_plan *p, uint32_t order)
{
    for (uint32_t i = 0; i < p->n_units; i++) {
        for (uint32_t k = 0; k < p->units[i].n_stmts; k++) {
            if (p->units[i].stmts[k].order == order) {
                return i;
            }
        }
    }
    return UINT32_MAX;
}

static void cut_out(struct arena *a, const struct layout_part *whole, const uint32_t *classes,
                    uint32_t c, struct layout_part *to)
{
    struct buf text;
    buf_init(&text, LAYOUT_TEXT_MAX);
    *to = (struct layout_part){.doc = whole->doc, .level = whole->level, .name = whole->name};
    to->stmts = arena_array(a, whole->n_stmts + 1, sizeof *to->stmts);
    for (uint32_t i = 0; i < whole->n_stmts; i++) {
        uint32_t u = unit_of(&whole->keys, whole->before + i + 1);
        if (u == UINT32_MAX || classes[u] == c) {
            to->stmts[to->n_stmts++] = whole->stmts[i];
            (void)buf_addf(&text, SLICE_FMT ";\n", SLICE_ARG(whole->stmts[i]->text));
        }
    }
    if (c > 0) {
        to->name =
            slice_str(arena_printf(a, SLICE_FMT ".%u", SLICE_ARG(whole->name), (unsigned)c + 1));
    }
    to->epl = arena_copy(a, buf_slice(&text));
    buf_done(&text);
}

/* Into parts behind `whole`, which is the last; it stays as it is if that cannot be. */
static void split(const struct doc *d, struct layout_looks *l, struct err *reterr)
{
    struct layout_part whole = l->parts[l->n_parts - 1];
    uint32_t *classes = arena_array(l->arena, whole.keys.n_units + 1, sizeof *classes);
    uint32_t n = classify(&whole.keys, classes), open = 0;
    uint32_t later = d->g.n_levels - whole.level - 1;
    if (n < 2 || l->n_parts - 1 + n + later > LAYOUT_PARTS_MAX) {
        return;
    }
    struct layout_part *to = &l->parts[l->n_parts - 1];
    bool ok = true;
    while (ok && open < n) {
        cut_out(l->arena, &whole, classes, open, &to[open]);
        ok = open_part(d, &to[open], reterr) == 0;
        open++;
    }
    if (ok) {
        close_part(&whole);
        l->n_parts += n - 1;
        return;
    }
    for (uint32_t i = 0; i < open; i++) {
        close_part(&to[i]);
    }
    to[0] = whole;
}

static int look_at(const struct doc *d, uint32_t level, struct layout_looks *l, struct err *reterr)
{
    const struct doc_level *dl = &d->g.levels[level];
    struct layout_part *p = &l->parts[l->n_parts++];
    *p = (struct layout_part){.doc = dl, .level = level, .name = dl->name, .epl = dl->epl};
    p->stmts = arena_array(l->arena, dl->n_stmts + 1, sizeof *p->stmts);
    for (uint32_t i = 0; i < dl->n_stmts; i++) {
        if (dl->stmts[i].ast != NULL) {
            p->stmts[p->n_stmts++] = &dl->stmts[i];
        }
    }
    int rc = open_part(d, p, reterr);
    if (rc == 0) {
        split(d, l, reterr);
    }
    return rc;
}

int layout_look(const struct doc *d, struct layout_looks *ret, struct err *reterr)
{
    struct layout_looks l = {.arena = arena_new(NULL, "levels", ARENA_MAX)};
    int rc = 0;
    assert(d->g.n_levels <= LAYOUT_PARTS_MAX);
    l.parts = arena_array(l.arena, LAYOUT_PARTS_MAX + 1, sizeof *l.parts);
    for (uint32_t i = 0; rc == 0 && i < d->g.n_levels; i++) {
        rc = look_at(d, i, &l, reterr);
    }
    if (rc != 0) {
        layout_looks_done(&l);
        return rc;
    }
    *ret = l;
    return 0;
}

void layout_looks_done(struct layout_looks *l)
{
    for (uint32_t i = 0; i < l->n_parts; i++) {
        close_part(&l->parts[i]);
    }
    arena_free(l->arena);
}
