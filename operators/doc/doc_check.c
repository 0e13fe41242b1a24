/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiling a document: all levels are read, then each is deployed, statement by statement, into an
 * engine of its own. What a refused statement would have made is lost; statements that name such a
 * thing are not looked at, so that one mistake is said once.
 */
#include "operators/doc/doc_check.h"

#include "operators/sig/builtin.h"

#include <assert.h>

enum { PRELUDE_MAX = 16 << 20, NAMES_MAX = 1000000 };

static struct slice text_of(struct doc_check *c, struct slice a, uint32_t i)
{
    return slice_str(arena_printf(c->a, SLICE_FMT "%u", SLICE_ARG(a), i));
}

static void enter(struct doc_check *c, uint32_t level)
{
    const struct doc_level *l = &c->d->g.levels[level];
    c->level = level;
    c->epl = doc_get(l->node, "epl");
    c->pointer = slice_str(arena_printf(c->a, "/levels/%u/epl", level));
    c->notes->level = l->name;
    c->notes->statement = SLICE_NONE;
}

static bool can_be_read(const struct doc_level *l)
{
    const struct doc_node *n = l->node->kind == DOC_MAP ? doc_get(l->node, "epl") : NULL;
    return n != NULL && n->kind == DOC_TEXT;
}

/* ---- who makes what ---- */

/* A level that makes the name; UINT32_MAX: none from `from` on. */
static uint32_t maker(struct doc_check *c, struct slice name, uint32_t from)
{
    uint32_t found = UINT32_MAX;
    for (uint32_t i = from; found == UINT32_MAX && i < c->d->g.n_levels; i++) {
        struct doc_names made = {.ptr = NULL};
        const struct doc_level *l = &c->d->g.levels[i];
        for (uint32_t k = 0; k < l->n_stmts; k++) {
            doc_makes(c, &l->stmts[k], &made);
        }
        found = doc_names_has(&made, name) ? i : found;
        doc_names_done(&made);
    }
    return found;
}

static void note_makers(struct doc_check *c, uint32_t i)
{
    const struct doc_level *l = &c->d->g.levels[i];
    for (uint32_t k = 0; k < l->n_stmts; k++) {
        struct doc_names made = {.ptr = NULL};
        doc_makes(c, &l->stmts[k], &made);
        for (size_t m = 0; m < made.len; m++) {
            void **at = map_get(&c->first_maker, made.ptr[m]) == NULL
                            ? map_put(&c->first_maker, made.ptr[m])
                            : NULL;
            if (at != NULL) {
                *at = (void *)(uintptr_t)(i + 1);
            }
        }
        doc_names_done(&made);
    }
}

/* A message about 'X', which only a later level makes. */
static bool is_higher(struct doc_check *c, const struct err *e, uint32_t *ret_level,
                      struct slice *ret_name)
{
    struct slice msg = slice_str(e->msg);
    if (!slice_starts(msg, SLICE("there is no ")) || c->notes->errors > DOC_NOTES_MAX) {
        return false;
    }
    size_t from = slice_find(msg, '\'');
    struct slice rest = slice_sub(msg, from + 1, msg.len);
    struct slice name = slice_sub(rest, 0, slice_find(rest, '\''));
    *ret_level = maker(c, name, c->level + 1);
    *ret_name = name;
    return *ret_level != UINT32_MAX;
}

static void refused(struct doc_check *c, struct doc_stmt *s, const struct err *e)
{
    uint32_t level = 0;
    struct slice name;
    s->refused = true;
    if (is_higher(c, e, &level, &name)) {
        doc_hint(c->notes, doc_say(c, s, DOC_EPL_HIGHER, e),
                 "'" SLICE_FMT "' is made by level '" SLICE_FMT
                 "': a level sees what those before it make",
                 SLICE_ARG(name), SLICE_ARG(c->d->g.levels[level].name));
    } else {
        (void)doc_say(c, s, DOC_EPL, e);
    }
}

/* A name that another level before has created, be it a window that is not seen from here: levels
 * may come to run in one engine. */
static bool is_taken(struct doc_check *c, struct doc_stmt *s)
{
    if (s->ast->kind < STMT_CREATE_SCHEMA || s->ast->kind > STMT_CREATE_EXPRESSION) {
        return false;
    }
    struct doc_names made = {.ptr = NULL};
    doc_makes(c, s, &made);
    bool taken = false;
    for (size_t i = 0; !taken && i < made.len; i++) {
        uintptr_t first = (uintptr_t)map_get(&c->first_maker, made.ptr[i]);
        uint32_t level = first > 0 ? (uint32_t)first - 1 : c->level;
        if (level < c->level) {
            struct doc_note *n =
                doc_say_at(c, DOC_EPL_TAKEN, s->off, MIN(s->text.len, (size_t)UINT32_MAX),
                           slice_str(arena_printf(
                               c->a, "level '" SLICE_FMT "' makes '" SLICE_FMT "' already",
                               SLICE_ARG(c->d->g.levels[level].name), SLICE_ARG(made.ptr[i]))));
            doc_hint(c->notes, n, "use it: it is known here, if it is an event type");
            taken = true;
        }
    }
    doc_names_done(&made);
    return taken;
}

/* ---- levels ---- */

static void stmt(struct doc_check *c, struct doc_stmt *s, uint32_t number)
{
    struct err err;
    void *engine = c->engines[c->level];
    struct slice id = text_of(c, SLICE("#"), number);
    err_clear(&err);
    c->notes->statement = doc_stmt_label(c, s, number);
    bool stands_on_lost = s->refused || doc_mentions(c, s, &c->lost);
    if (!stands_on_lost && is_taken(c, s)) {
        s->refused = true;
    } else if (!stands_on_lost && c->engine->deploy(engine, id, s->text, &err) != 0) {
        refused(c, s, &err);
        doc_alert_read(c, s);
    } else if (!stands_on_lost) {
        s->rows = c->engine->rows(engine, id);
        doc_alert_read(c, s);
        doc_lint_stmt(c, s);
    }
    if (stands_on_lost || s->refused) {
        s->refused = true;
        doc_makes(c, s, &c->lost);
    }
    c->notes->statement = SLICE_NONE;
}

static struct doc_type *find_made(const struct doc_check *c, struct slice name)
{
    uintptr_t at = (uintptr_t)map_get(&c->made, name);
    return at > 0 ? &c->d->made[at - 1] : NULL;
}

static void add_type(struct doc_check *c, const struct doc_level *l, struct slice name,
                     const struct etype *t)
{
    struct doc_type *to = &c->d->made[c->d->n_made];
    struct slice *supers = arena_array(c->a, t->n_supers + 1, sizeof *supers);
    struct buf b;
    assert(supers != NULL);
    buf_init(&b, PRELUDE_MAX);
    doc_type_epl(c->d, l->types, t, &b);
    for (uint32_t i = 0; i < t->n_supers; i++) {
        supers[i] = arena_copy(c->a, t->supers[i].type->name);
    }
    *to = (struct doc_type){.name = arena_copy(c->a, name),
                            .epl = arena_copy(c->a, buf_slice(&b)),
                            .level = c->level,
                            .supers = supers,
                            .n_supers = t->n_supers};
    c->d->n_made++;
    void **at = map_put(&c->made, to->name);
    if (at != NULL) {
        *at = (void *)(uintptr_t)c->d->n_made;
    }
    buf_done(&b);
}

/* Types the level makes, for those behind it. Event of the original is one of them, although it is
 * built in: only rules fill it. */
static void publish(struct doc_check *c, const struct doc_level *l)
{
    struct doc_names names = {.ptr = NULL}, inserts = {.ptr = NULL};
    for (uint32_t i = 0; i < l->n_stmts; i++) {
        const struct doc_stmt *s = &l->stmts[i];
        if (s->ast != NULL && !s->refused && s->ast->kind == STMT_CREATE_SCHEMA) {
            doc_names_add(&names, s->ast->name);
        } else if (s->ast != NULL && !s->refused) {
            doc_inserts(s->ast, &names);
            doc_inserts(s->ast, &inserts);
        }
    }
    struct doc_type *all = arena_array(c->a, c->d->n_made + names.len + 1, sizeof *all);
    assert(all != NULL);
    if (c->d->n_made > 0) {
        memcpy(all, c->d->made, c->d->n_made * sizeof *all);
    }
    c->d->made = all;
    for (size_t i = 0; i < names.len; i++) {
        const struct etype *t = c->engine->type(c->engines[c->level], names.ptr[i]);
        bool stream = t != NULL && (t->kind == ETYPE_PLAIN || t->kind == ETYPE_VARIANT);
        bool signal =
            l->types == DOC_TYPES_KAIJU && builtin_find(BUILTIN_KAIJU, names.ptr[i]) != NULL;
        if (stream && !signal && find_made(c, names.ptr[i]) == NULL) {
            add_type(c, l, names.ptr[i], t);
        }
    }
    for (size_t i = 0; i < inserts.len; i++) {
        struct doc_type *t = find_made(c, inserts.ptr[i]);
        if (t != NULL) {
            t->inserted_by |= UINT64_C(1) << c->level;
        }
    }
    doc_names_done(&names);
    doc_names_done(&inserts);
}

static void level(struct doc_check *c, uint32_t i)
{
    struct doc_level *l = &c->d->g.levels[i];
    struct err err;
    struct buf prelude;
    err_clear(&err);
    enter(c, i);
    c->engines[i] = c->engine->open(&l->limits);
    buf_init(&prelude, PRELUDE_MAX);
    doc_prelude(c->d, i, &prelude);
    if (c->engine->deploy(c->engines[i], SLICE(BUILTIN_DEPLOYMENT), buf_slice(&prelude), &err) !=
        0) {
        struct doc_note *n =
            doc_note(c->notes, DOC_EPL, l->node->span,
                     "what levels below make cannot be declared here: %s", err.msg);
        n->pointer = c->pointer;
    } else {
        for (uint32_t k = 0; k < l->n_stmts; k++) {
            stmt(c, &l->stmts[k], k + 1);
        }
        publish(c, l);
        doc_lint_level(c, l);
    }
    buf_done(&prelude);
}

static void close_all(struct doc_check *c)
{
    for (size_t i = 0; i < ARRAY_LEN(c->engines); i++) {
        if (c->engines[i] != NULL) {
            c->engine->close(c->engines[i]);
        }
    }
    for (uint32_t i = 0; i < c->d->g.n_levels; i++) {
        for (uint32_t k = 0; k < c->d->g.levels[i].n_stmts; k++) {
            c->d->g.levels[i].stmts[k].rows = NULL;
        }
    }
    doc_names_done(&c->lost);
    map_done(&c->first_maker);
    map_done(&c->made);
}

int doc_check(struct doc *d, const struct doc_engine *engine, struct doc_notes *notes,
              struct err *reterr)
{
    struct doc_check *c = ARENA_NEW(d->arena, struct doc_check);
    assert(c != NULL && engine != NULL);
    uint32_t n = MIN(d->g.n_levels, (uint32_t)DOC_LEVELS_MAX);
    *c = (struct doc_check){.d = d, .a = d->arena, .engine = engine, .notes = notes};
    map_init(&c->first_maker, NAMES_MAX);
    map_init(&c->made, NAMES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        if (can_be_read(&d->g.levels[i])) {
            enter(c, i);
            doc_level_read(c, &d->g.levels[i]);
            note_makers(c, i);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        if (can_be_read(&d->g.levels[i])) {
            level(c, i);
        }
    }
    notes->level = notes->statement = SLICE_NONE;
    doc_proofs(c);
    close_all(c);
    doc_notes_sort(notes);
    VEC_EACH (&notes->list, note) {
        if (doc_code_severity(note->code) == DOC_ERROR) {
            int rc = err_set(reterr, ERR_SYNTAX, "%s: " SLICE_FMT, doc_code_text(note->code),
                             SLICE_ARG(note->message));
            err_span(reterr, note->span.line, note->span.col, note->span.len);
            return rc;
        }
    }
    return notes->errors == 0 ? 0 : err_set(reterr, ERR_SYNTAX, "the document has mistakes");
}
