/* SPDX-License-Identifier: Apache-2.0
 *
 * See layout_look.h. A level is opened as a whole; if some of its units must be one task and others
 * need not, or two read the same by keys that have no column in common, its statements are dealt
 * out to several parts. What declares types, and belongs to no unit, goes into each.
 */
#include "operators/shard/layout_look.h"

#include "core/base/map.h"
#include "core/base/vec.h"
#include "operators/shard/layout_impl.h"
#include "operators/sig/builtin.h"

#include <assert.h>

enum { ARENA_MAX = 256 << 20, KINDS_MAX = 1 << 20, KIND_BYTES_MAX = 64 << 10 };

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
    if (rc == 0 && p->schemas.len > 0) {
        rc = eng_deploy(p->eng, SLICE(LAYOUT_SUMS), p->schemas, reterr);
    }
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

/* The only statement of a unit that is split. */
static const struct layout_sum *sum_of(const struct layout_part *p, const struct key_unit *u)
{
    uint32_t at = u->n_stmts == 1 ? u->stmts[0].order - p->before - 1 : UINT32_MAX;
    return at < p->n_stmts ? p->sums[at] : NULL;
}

/* Whether unit u may run in tasks with those that have class `c` already. */
static bool fits(const struct layout_part *part, const uint32_t *classes, uint32_t u, uint32_t c)
{
    const struct key_plan *p = &part->keys;
    const struct key_unit *mine = &p->units[u];
    for (uint32_t i = 0; i < u; i++) {
        const struct key_unit *x = &p->units[i];
        if (classes[i] != c || is_idle(x) || sum_of(part, x) != NULL) {
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

/* Units that are split: those without groups are added up in one task, the others in many. */
static uint32_t classify_sums(const struct layout_part *p, uint32_t *classes, uint32_t n)
{
    for (uint32_t keyed = 0; keyed < 2; keyed++) {
        bool any = false;
        for (uint32_t i = 0; i < p->keys.n_units; i++) {
            const struct layout_sum *s = sum_of(p, &p->keys.units[i]);
            if (s != NULL && (s->n_keys > 0) == (keyed == 1)) {
                classes[i] = n;
                any = true;
            }
        }
        n += any;
    }
    return n;
}

/* Inputs of a unit are also what it inserts itself. */
static bool reads_events(const struct doc *d, const struct layout_part *p, const struct key_unit *u)
{
    for (uint32_t i = 0; i < u->n_inputs; i++) {
        for (uint32_t k = 0; k < u->n_stmts; k++) {
            uint32_t at = u->stmts[k].order - p->before - 1;
            if (at < p->n_stmts && doc_stmt_reads(d, p->stmts[at], u->inputs[i].type->name)) {
                return true;
            }
        }
    }
    return false;
}

/* All that `fits` takes of a unit, as bytes; false: those like it would not fit each other. */
static bool likeness(const struct key_unit *u, struct buf *to)
{
    buf_clear(to);
    (void)buf_add(to, &u->choice, sizeof u->choice);
    for (uint32_t i = 0; is_keyed(u) && i < u->n_inputs; i++) {
        const struct key_input *in = &u->inputs[i];
        bool plain = in->cols == NULL;
        (void)buf_add(to, &in->type, sizeof in->type);
        (void)buf_add(to, &plain, sizeof plain);
        for (uint32_t c = 0; c < u->n_cols; c++) {
            struct slice text = plain ? SLICE_NONE : in->texts[c];
            (void)buf_add(to, &text.len, sizeof text.len);
            (void)buf_add_slice(to, text);
        }
    }
    return !buf_failed(to) && (!is_keyed(u) || agree(u, u));
}

struct kinds {
    struct map classes; /* from 1, by likeness */
    struct buf text;
};

/* The first class that the unit fits into; n: none. Thousands of rules are few kinds: of those that
 * are alike only the first is compared with the others. */
static uint32_t class_of(const struct layout_part *part, const uint32_t *classes, uint32_t u,
                         uint32_t n, struct kinds *kinds)
{
    bool like = likeness(&part->keys.units[u], &kinds->text);
    void **at = like ? map_put(&kinds->classes, buf_slice(&kinds->text)) : NULL;
    uint32_t c = 0;
    if (at != NULL && *at != NULL) {
        return (uint32_t)(uintptr_t)*at - 1;
    }
    while (c < n && !fits(part, classes, u, c)) {
        c++;
    }
    if (at != NULL) {
        *at = (void *)(uintptr_t)(c + 1);
    }
    return c;
}

/* A class for each unit: how many there are; 0: they cannot be apart. */
static uint32_t classify(const struct doc *d, const struct layout_part *part, uint32_t *classes)
{
    const struct key_plan *p = &part->keys;
    struct kinds kinds;
    bool apart = true;
    uint32_t n = 0;
    map_init(&kinds.classes, KINDS_MAX);
    buf_init(&kinds.text, KIND_BYTES_MAX);
    for (uint32_t i = 0; apart && i < p->n_units; i++) {
        classes[i] = 0;
        if (is_idle(&p->units[i]) || sum_of(part, &p->units[i]) != NULL) {
            continue;
        }
        apart = reads_events(d, part, &p->units[i]); /* or somebody must tell them the time */
        classes[i] = class_of(part, classes, i, n, &kinds);
        n = classes[i] == n ? n + 1 : n;
    }
    map_done(&kinds.classes);
    buf_done(&kinds.text);
    return apart ? classify_sums(part, classes, n) : 0;
}

/* ---- parts ---- */

/* By statement of the part; UINT32_MAX: of none. */
static uint32_t *units_of(struct arena *a, const struct layout_part *p)
{
    uint32_t *to = arena_array(a, p->n_stmts + 1, sizeof *to);
    for (uint32_t i = 0; i < p->n_stmts; i++) {
        to[i] = UINT32_MAX;
    }
    for (uint32_t u = 0; u < p->keys.n_units; u++) {
        for (uint32_t k = 0; k < p->keys.units[u].n_stmts; k++) {
            uint32_t at = p->keys.units[u].stmts[k].order - p->before - 1;
            if (at < p->n_stmts) {
                to[at] = MIN(to[at], u);
            }
        }
    }
    return to;
}

static void make_room(struct arena *a, struct layout_part *p, uint32_t n)
{
    p->stmts = arena_array(a, n + 1, sizeof *p->stmts);
    p->sums = arena_array(a, n + 1, sizeof *p->sums);
    p->whole = arena_array(a, n + 1, sizeof *p->whole);
}

static void cut_out(struct arena *a, const struct layout_part *whole, const uint32_t *classes,
                    uint32_t c, struct layout_part *to)
{
    struct buf text, schemas;
    buf_init(&text, LAYOUT_TEXT_MAX);
    buf_init(&schemas, LAYOUT_TEXT_MAX);
    *to = (struct layout_part){.doc = whole->doc, .level = whole->level, .name = whole->name};
    bool keyed = false;
    const uint32_t *units = units_of(a, whole);
    make_room(a, to, whole->n_stmts);
    for (uint32_t i = 0; i < whole->n_stmts; i++) {
        uint32_t u = units[i];
        if (u == UINT32_MAX || classes[u] == c) {
            const struct layout_sum *sum = whole->sums[i];
            to->sums[to->n_stmts] = sum;
            to->whole[to->n_stmts] = whole->whole[i];
            to->stmts[to->n_stmts++] = whole->stmts[i];
            to->adds_up |= sum != NULL;
            keyed |= sum != NULL && sum->n_keys > 0;
            (void)buf_add_slice(&schemas, sum != NULL ? sum->schema : SLICE_NONE);
            (void)buf_add_slice(&text, sum != NULL ? sum->whole : whole->stmts[i]->text);
            (void)buf_add_str(&text, ";\n");
        }
    }
    if (to->adds_up) { /* whatever else there is: tasks, and so state, go by this name */
        to->name = slice_str(
            arena_printf(a, SLICE_FMT "%s", SLICE_ARG(whole->name), keyed ? ".groups" : ".total"));
    } else if (c > 0) {
        to->name =
            slice_str(arena_printf(a, SLICE_FMT ".%u", SLICE_ARG(whole->name), (unsigned)c + 1));
    }
    to->epl = arena_copy(a, buf_slice(&text));
    to->schemas = arena_copy(a, buf_slice(&schemas));
    buf_done(&text);
    buf_done(&schemas);
}

static bool any_sum(const struct layout_part *p)
{
    for (uint32_t i = 0; i < p->n_stmts; i++) {
        if (p->sums[i] != NULL) {
            return true;
        }
    }
    return false;
}

/* Nothing of it is split. */
static void stay_whole(struct layout_part *p)
{
    for (uint32_t i = 0; i < p->n_stmts; i++) {
        if (p->sums[i] != NULL) {
            p->sums[i] = NULL;
            p->whole[i] = SLICE("the level has timers alone, or the graph too many parts");
        }
    }
}

/* Into parts behind `whole`, which is the last; it stays as it is if that cannot be. */
static void split(const struct doc *d, struct layout_looks *l, struct err *reterr)
{
    struct layout_part whole = l->parts[l->n_parts - 1];
    uint32_t *classes = arena_array(l->arena, whole.keys.n_units + 1, sizeof *classes);
    uint32_t n = classify(d, &whole, classes), open = 0;
    uint32_t later = d->g.n_levels - whole.level - 1;
    struct layout_part *to = &l->parts[l->n_parts - 1];
    bool many = n > 1 || (n == 1 && any_sum(&whole));
    if (!many || l->n_parts - 1 + n + later > LAYOUT_PARTS_MAX) {
        stay_whole(to);
        return;
    }
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
    stay_whole(to);
}

/* ---- sums ---- */

struct lone { /* of a statement that is one task */
    const struct key_stmt *k;
    bool shares; /* a unit with others */
};

/* By statement of the part. */
static struct lone *lone_of(struct arena *a, const struct layout_part *p)
{
    struct lone *to = arena_array(a, p->n_stmts + 1, sizeof *to);
    for (uint32_t u = 0; u < p->keys.n_units; u++) {
        const struct key_unit *x = &p->keys.units[u];
        for (uint32_t k = 0; x->choice == KEY_ONE && k < x->n_stmts; k++) {
            uint32_t at = x->stmts[k].order - p->before - 1;
            if (x->stmts[k].order > p->before && at < p->n_stmts) {
                to[at] = (struct lone){&x->stmts[k], x->n_stmts > 1};
            }
        }
    }
    return to;
}

static bool is_there(const struct layout_part *p, uint32_t n, struct slice type)
{
    for (uint32_t i = 0; i < n; i++) {
        if (p->sums[i] != NULL && slice_eq(p->sums[i]->type, type)) {
            return true;
        }
    }
    return false;
}

/* What of the level's statements can be written as two, and why the others cannot. */
static int look_for_sums(const struct doc *d, struct arena *a, struct layout_part *p,
                         struct err *reterr)
{
    const struct lone *lone = lone_of(a, p);
    struct eng *types = NULL;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < p->n_stmts; i++) {
        const struct key_stmt *k = lone[i].k;
        if (k == NULL || !k->may_split || lone[i].shares) {
            bool other = k != NULL && k->may_split;
            p->whole[i] = other       ? SLICE("other statements share its state, or read its rows")
                          : k != NULL ? k->whole
                                      : SLICE_NONE;
            continue;
        }
        if (types == NULL) {
            types = eng_new(&(struct eng_conf){.limits = &p->doc->limits});
            rc = layout_prelude(d, p->level, types, reterr);
        }
        if (rc == 0) {
            const struct layout_sum *s =
                layout_sum_of(a, d, p->level, p->stmts[i], types, &p->whole[i]);
            bool twice = s != NULL && is_there(p, i, s->type);
            p->whole[i] = twice ? SLICE("the same statement stands before it") : p->whole[i];
            p->sums[i] = twice ? NULL : s;
        }
    }
    if (types != NULL) {
        eng_free(types);
    }
    return rc;
}

/* One task for each part or for all would do the same work: but ticks are on the grid in any case.
 */
static int keep_on_grid(const struct doc *d, struct arena *a, struct layout_part *p,
                        struct err *reterr)
{
    struct buf text;
    buf_init(&text, LAYOUT_TEXT_MAX);
    for (uint32_t i = 0; i < p->n_stmts; i++) {
        const struct layout_sum *s = p->sums[i];
        (void)buf_add_slice(&text, s != NULL ? s->grid : p->stmts[i]->text);
        (void)buf_add_str(&text, ";\n");
        p->whole[i] = s != NULL ? SLICE("there is one partition") : p->whole[i];
        p->sums[i] = NULL;
    }
    p->epl = arena_copy(a, buf_slice(&text));
    buf_done(&text);
    close_part(p);
    return open_part(d, p, reterr);
}

static int look_at(const struct doc *d, uint32_t level, uint32_t raw_parts, struct layout_looks *l,
                   struct err *reterr)
{
    const struct doc_level *dl = &d->g.levels[level];
    struct layout_part *p = &l->parts[l->n_parts++];
    *p = (struct layout_part){.doc = dl, .level = level, .name = dl->name, .epl = dl->epl};
    make_room(l->arena, p, dl->n_stmts);
    for (uint32_t i = 0; i < dl->n_stmts; i++) {
        if (dl->stmts[i].ast != NULL) {
            p->stmts[p->n_stmts++] = &dl->stmts[i];
        }
    }
    int rc = open_part(d, p, reterr);
    rc = rc == 0 ? look_for_sums(d, l->arena, p, reterr) : rc;
    if (rc == 0 && any_sum(p) && (raw_parts == 1 || dl->partitions == 1)) {
        rc = keep_on_grid(d, l->arena, p, reterr);
    }
    if (rc == 0) {
        split(d, l, reterr);
    }
    return rc;
}

int layout_look(const struct doc *d, uint32_t raw_parts, struct layout_looks *ret,
                struct err *reterr)
{
    struct layout_looks l = {.arena = arena_new(NULL, "levels", ARENA_MAX)};
    int rc = 0;
    assert(d->g.n_levels <= LAYOUT_PARTS_MAX);
    l.parts = arena_array(l.arena, LAYOUT_PARTS_MAX + 1, sizeof *l.parts);
    for (uint32_t i = 0; rc == 0 && i < d->g.n_levels; i++) {
        rc = look_at(d, i, raw_parts, &l, reterr);
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
