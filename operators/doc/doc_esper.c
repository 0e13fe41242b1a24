/* SPDX-License-Identifier: Apache-2.0
 *
 * See doc_esper.h. An event type becomes a schema of its keys and a statement that takes those
 * events apart that have all of them; of a type and its heirs the most special one takes the event,
 * so that who counts the type counts each once.
 */
#include "operators/doc/doc_esper.h"

#include "core/base/vec.h"
#include "operators/doc/doc_impl.h"

#include <assert.h>

enum { TYPES_MAX = 200, KEYS_MAX = 200, PARENTS_MAX = 8 };

struct key {
    struct slice name, type;
    bool in_context;
};

struct type {
    struct slice name;
    struct key keys[KEYS_MAX]; /* its own */
    uint32_t n_keys;
    struct slice parents[PARENTS_MAX];
    uint32_t n_parents;
};

struct esper {
    struct arena *a;
    struct buf *out;
    struct type *types;
    uint32_t n_types;
};

static int at_line(struct err *reterr, const struct doc_esper_file *f, uint32_t line,
                   const char *what)
{
    int rc = err_set(reterr, ERR_SYNTAX, SLICE_FMT ":%u: %s", SLICE_ARG(f->path), line, what);
    err_span(reterr, line, 1, 1);
    return rc;
}

static struct slice inner(struct slice s)
{
    s = slice_trim(s);
    bool braces = s.len >= 2 && s.ptr[0] == '{' && s.ptr[s.len - 1] == '}';
    return braces ? slice_trim(slice_sub(s, 1, s.len - 1)) : s;
}

/* ---- types ---- */

static const struct type *find(const struct esper *e, struct slice name)
{
    for (uint32_t i = 0; i < e->n_types; i++) {
        if (slice_eq(e->types[i].name, name)) {
            return &e->types[i];
        }
    }
    return NULL;
}

static bool is_word(struct slice s)
{
    bool ok = s.len > 0 && s.len < 200 && (s.ptr[0] < '0' || s.ptr[0] > '9');
    for (size_t i = 0; ok && i < s.len; i++) {
        char c = s.ptr[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    return ok;
}

static const char *read_keys(struct type *t, struct slice list, bool in_context)
{
    static const char *const types[] = {"string", "int",    "integer", "long",
                                        "float",  "double", "boolean", "object"};
    struct slice rest = inner(list), part;
    while (rest.len > 0 && slice_split(&rest, ',', &part)) {
        size_t colon = slice_find(part, ':');
        struct key k = {slice_trim(slice_sub(part, 0, colon)),
                        slice_trim(slice_sub(part, colon + 1, part.len)), in_context};
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
            known |= slice_eq_nocase(k.type, slice_str(types[i]));
        }
        if (!is_word(k.name) || !known) {
            return "a key is name:type, of string, int, long, float, double, boolean, object";
        }
        if (t->n_keys == KEYS_MAX) {
            return "too many keys";
        }
        t->keys[t->n_keys++] = k;
    }
    return NULL;
}

static const char *read_type(struct esper *e, struct slice line)
{
    struct slice rest = line, part = SLICE_NONE;
    struct type *t = &e->types[e->n_types];
    if (e->n_types == TYPES_MAX) {
        return "too many event types";
    }
    (void)slice_split(&rest, '>', &part);
    t->name = slice_trim(part);
    if (!is_word(t->name) || find(e, t->name) != NULL) {
        return is_word(t->name) ? "the type stands here a second time"
                                : "a type begins with its name";
    }
    for (int i = 0; i < 2 && slice_split(&rest, '>', &part); i++) {
        const char *why = read_keys(t, part, i == 1);
        if (why != NULL) {
            return why;
        }
    }
    struct slice parents = inner(rest);
    while (parents.len > 0 && slice_split(&parents, ',', &part)) {
        part = slice_trim(part);
        if (find(e, part) == NULL) {
            return "a parent that is not declared before";
        }
        if (t->n_parents == PARENTS_MAX) {
            return "too many parents";
        }
        t->parents[t->n_parents++] = part;
    }
    e->n_types++;
    return NULL;
}

/* ---- schemas ---- */

static const struct key *key_of(const struct esper *e, const struct type *t, struct slice name)
{
    for (uint32_t i = 0; i < t->n_keys; i++) {
        if (slice_eq(t->keys[i].name, name)) {
            return &t->keys[i];
        }
    }
    for (uint32_t i = 0; i < t->n_parents; i++) {
        const struct key *k = key_of(e, find(e, t->parents[i]), name);
        if (k != NULL) {
            return k;
        }
    }
    return NULL;
}

static bool from_parent(const struct esper *e, const struct type *t, struct slice name)
{
    for (uint32_t i = 0; i < t->n_parents; i++) {
        if (key_of(e, find(e, t->parents[i]), name) != NULL) {
            return true;
        }
    }
    return false;
}

/* All keys, those of parents first, each once. */
static uint32_t all_keys(const struct esper *e, const struct type *t, struct key *to, uint32_t n)
{
    for (uint32_t i = 0; i < t->n_parents; i++) {
        n = all_keys(e, find(e, t->parents[i]), to, n);
    }
    for (uint32_t i = 0; i < t->n_keys && n < KEYS_MAX; i++) {
        bool had = false;
        for (uint32_t k = 0; k < n; k++) {
            if (slice_eq(to[k].name, t->keys[i].name)) {
                to[k] = t->keys[i];
                had = true;
            }
        }
        if (!had) {
            to[n++] = t->keys[i];
        }
    }
    return n;
}

static const char *map_of(const struct key *k)
{
    return k->in_context ? "`context`" : "payload";
}

static void condition(const struct esper *e, const struct key *keys, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        (void)buf_addf(e->out, "%s%s.containsKey('" SLICE_FMT "')", i > 0 ? " and " : "",
                       map_of(&keys[i]), SLICE_ARG(keys[i].name));
    }
}

static bool is_heir(const struct esper *e, const struct type *t, const struct type *of)
{
    for (uint32_t i = 0; i < t->n_parents; i++) {
        const struct type *p = find(e, t->parents[i]);
        if (p == of || is_heir(e, p, of)) {
            return true;
        }
    }
    return false;
}

static void schema(const struct esper *e, const struct type *t)
{
    const char *comma = "";
    (void)buf_addf(e->out, "      create schema " SLICE_FMT "(", SLICE_ARG(t->name));
    if (t->n_parents == 0) {
        (void)buf_add_str(e->out, "timestamp long");
        comma = ", ";
    }
    for (uint32_t i = 0; i < t->n_keys; i++) {
        if (!from_parent(e, t, t->keys[i].name)) {
            (void)buf_addf(e->out, "%s`" SLICE_FMT "` " SLICE_FMT, comma,
                           SLICE_ARG(t->keys[i].name), SLICE_ARG(t->keys[i].type));
            comma = ", ";
        }
    }
    (void)buf_add_str(e->out, ")");
    for (uint32_t i = 0; i < t->n_parents; i++) {
        (void)buf_addf(e->out, "%s" SLICE_FMT, i > 0 ? ", " : " inherits ",
                       SLICE_ARG(t->parents[i]));
    }
    (void)buf_add_str(e->out, ";\n");
}

static void takes(const struct esper *e, const struct type *t)
{
    struct key *keys = arena_array(e->a, KEYS_MAX, sizeof *keys);
    struct key *more = arena_array(e->a, KEYS_MAX, sizeof *more);
    assert(keys != NULL && more != NULL);
    uint32_t n = all_keys(e, t, keys, 0);
    if (n == 0) {
        return; /* nothing tells its events from others */
    }
    (void)buf_addf(e->out,
                   "      @name('" SLICE_FMT "') insert into " SLICE_FMT
                   "\n        select timestamp as timestamp",
                   SLICE_ARG(t->name), SLICE_ARG(t->name));
    for (uint32_t i = 0; i < n; i++) {
        (void)buf_addf(e->out, ", cast(%s('" SLICE_FMT "'), " SLICE_FMT ") as `" SLICE_FMT "`",
                       map_of(&keys[i]), SLICE_ARG(keys[i].name), SLICE_ARG(keys[i].type),
                       SLICE_ARG(keys[i].name));
    }
    (void)buf_add_str(e->out, "\n        from Event(");
    condition(e, keys, n);
    for (uint32_t i = 0; i < e->n_types; i++) {
        if (is_heir(e, &e->types[i], t)) {
            (void)buf_add_str(e->out, "\n          and not (");
            condition(e, more, all_keys(e, &e->types[i], more, 0));
            (void)buf_add_byte(e->out, ')');
        }
    }
    (void)buf_add_str(e->out, ");\n");
}

static int event_types(struct esper *e, const struct doc_esper_file *f, struct err *reterr)
{
    struct slice rest = f->text, line;
    uint32_t number = 0;
    while (slice_split(&rest, '\n', &line)) {
        number++;
        line = slice_trim(line);
        const char *why = line.len > 0 && line.ptr[0] != '#' ? read_type(e, line) : NULL;
        if (why != NULL) {
            return at_line(reterr, f, number, why);
        }
    }
    for (uint32_t i = 0; i < e->n_types; i++) {
        schema(e, &e->types[i]);
    }
    for (uint32_t i = 0; i < e->n_types; i++) {
        takes(e, &e->types[i]);
    }
    return 0;
}

/* ---- statements ---- */

static struct slice base_name(struct slice path)
{
    struct slice rest = path, part, last = path;
    while (slice_split(&rest, '/', &part)) {
        last = part;
    }
    return slice_sub(last, 0, slice_find(last, '.'));
}

/* metrics-statements.txt: metrics. */
static struct slice level_name(struct esper *e, struct slice path)
{
    struct slice s = base_name(path);
    size_t at = slice_find_slice(s, SLICE("-statements"));
    s = slice_sub(s, 0, MIN(at, (size_t)DOC_NAME_MAX));
    char *name = arena_str(e->a, s.len > 0 ? s : SLICE("rules"));
    assert(name != NULL);
    for (char *c = name; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'))) {
            *c = c == name || c[1] == '\0' ? 'x' : '-';
        }
    }
    return slice_str(name);
}

/* The value of a word in front of the EPL. */
static struct slice option(struct slice head, struct slice word)
{
    struct slice part;
    while (slice_split(&head, ',', &part)) {
        part = slice_trim(part);
        if (slice_starts(part, word) && part.len > word.len && part.ptr[word.len] == ':') {
            return slice_sub(part, word.len + 1, part.len);
        }
    }
    return SLICE_NONE;
}

static void put_name(struct buf *out, struct slice name)
{
    (void)buf_add_str(out, "@name('");
    for (size_t i = 0; i < name.len; i++) {
        (void)buf_add_str(out, name.ptr[i] == '\'' || name.ptr[i] == '\\' ? "\\" : "");
        (void)buf_add_byte(out, (uint8_t)name.ptr[i]);
    }
    (void)buf_add_str(out, "') ");
}

/* A listener was told of the rows, and no statement reads them: here they are alerts. */
static bool tells(struct slice head, struct slice epl)
{
    struct slice listener = slice_trim(option(head, SLICE("listener")));
    return listener.len > 0 && !slice_eq_nocase(listener, SLICE("none")) &&
           slice_eq_nocase(slice_sub(epl, 0, 6), SLICE("select"));
}

static int statements(struct esper *e, const struct doc_esper_file *f, struct err *reterr)
{
    struct slice rest = f->text, line;
    uint32_t number = 0;
    while (slice_split(&rest, '\n', &line)) {
        number++;
        line = slice_trim(line);
        size_t eq = slice_find(line, '=');
        if (line.len == 0) {
            continue;
        }
        if (line.ptr[0] == '#') {
            (void)buf_addf(e->out, "      // ");
            (void)buf_add_slice(e->out, slice_trim(slice_sub(line, 1, line.len)));
            (void)buf_add_byte(e->out, '\n');
            continue;
        }
        if (eq == line.len) {
            return at_line(reterr, f, number, "a line is name:X,listener:Y=EPL");
        }
        struct slice epl = slice_trim(slice_sub(line, eq + 1, line.len));
        struct slice head = slice_sub(line, 0, eq), name = option(head, SLICE("name"));
        while (epl.len > 0 && epl.ptr[epl.len - 1] == ';') {
            epl = slice_trim(slice_sub(epl, 0, epl.len - 1));
        }
        (void)buf_add_str(e->out, "      ");
        if (name.len > 0) {
            put_name(e->out, name);
        }
        (void)buf_add_str(e->out, tells(head, epl) ? "@Alert(severity='info') " : "");
        (void)buf_add_slice(e->out, epl);
        (void)buf_add_str(e->out, ";\n");
    }
    return 0;
}

static bool is_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f) {
            return true;
        }
    }
    return !slice_is_utf8(s);
}

int doc_esper(struct arena *a, struct slice name, const struct doc_esper_file *files, size_t n,
              const struct doc_esper_file *events, struct buf *out, struct err *reterr)
{
    struct esper e = {.a = a, .out = out};
    struct doc_esper_file none = {SLICE("hl-events.txt"), SLICE_NONE};
    events = events != NULL ? events : &none;
    e.types = arena_array(a, TYPES_MAX, sizeof *e.types);
    if (e.types == NULL) {
        return err_set(reterr, ERR_LIMIT, "no memory for event types");
    }
    (void)buf_addf(out, "apiVersion: kaiju/v1\nkind: RuleGraph\nname: " SLICE_FMT "\nlevels:\n",
                   SLICE_ARG(name));
    int rc = is_control(events->text) ? at_line(reterr, events, 1, "this is no text") : 0;
    bool placed = events->text.len == 0;
    for (int last = 0; last < 2 && rc == 0; last++) {
        for (size_t i = 0; i < n && rc == 0; i++) {
            struct slice level = level_name(&e, files[i].path);
            bool hl = slice_eq(level, SLICE("hl"));
            if (hl != (last == 1)) {
                continue;
            }
            if (is_control(files[i].text)) {
                return at_line(reterr, &files[i], 1, "this is no text");
            }
            (void)buf_addf(out, "  - name: " SLICE_FMT "\n    types: original\n    epl: |\n",
                           SLICE_ARG(level));
            rc = hl && !placed ? event_types(&e, events, reterr) : 0;
            placed |= hl;
            rc = rc == 0 ? statements(&e, &files[i], reterr) : rc;
        }
    }
    if (rc == 0 && !placed) {
        (void)buf_add_str(out, "  - name: hl\n    types: original\n    epl: |\n");
        rc = event_types(&e, events, reterr);
    }
    return rc == 0 && buf_failed(out) ? err_set(reterr, ERR_TOO_BIG, "the rules are too large")
                                      : rc;
}
