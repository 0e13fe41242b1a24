/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading: reads the sources from the weakest to the strongest, then parses every value once and,
 * if there was no mistake anywhere, stores all of them.
 */
#include "core/conf/conf_impl.h"

#include "core/base/err.h"
#include "core/base/mem.h"

#include <assert.h>
#include <stdarg.h>

enum { ARENA_MAX = 16 * 1024 * 1024, ERRORS_MAX = 64 * 1024, SECRET_MAX = 64 * 1024 };

struct conf *conf_new(const struct conf_table *tables, size_t n)
{
    assert(tables != NULL && n > 0);
    struct conf *c = MEM_NEW(struct conf);
    c->arena = arena_new(NULL, "conf", ARENA_MAX);
    buf_init(&c->errors, ERRORS_MAX);
    for (size_t t = 0; t < n; t++) {
        for (size_t r = 0; r < tables[t].count; r++) {
            const struct conf_row *row = &tables[t].rows[r];
            assert(row->doc != NULL && row->doc[0] != '\0');
            *VEC_PUSH(&c->slots) =
                (struct conf_slot){.table = &tables[t], .row = row, .text = row->fallback};
        }
    }
    return c;
}

void conf_free(struct conf *c)
{
    if (c == NULL) {
        return;
    }
    VEC_EACH (&c->slots, s) {
        VEC_DONE(&s->pairs);
    }
    VEC_DONE(&c->slots);
    buf_done(&c->errors);
    arena_free(c->arena);
    mem_free(c);
}

void conf_error(struct conf *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_addf(&c->errors, "%s\n", text);
}

const char *conf_errors(struct conf *c)
{
    return c->errors.len > 0 ? buf_cstr(&c->errors) : "";
}

/* Names are equal when they differ only in case and in '.', '_' and '-'. */
static char fold(char ch)
{
    return ch == '.' || ch == '_' ? '-' : ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch;
}

static bool same_name(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.len && a.len == b.len; i++) {
        if (fold(a.ptr[i]) != fold(b.ptr[i])) {
            return false;
        }
    }
    return a.len == b.len;
}

struct conf_slot *conf_slot_find(struct conf *c, struct slice name)
{
    VEC_EACH (&c->slots, s) {
        if (same_name(name, slice_str(s->row->name))) {
            return s;
        }
    }
    return NULL;
}

struct conf_slot *conf_slot_of_file(struct conf *c, struct slice name)
{
    if (name.len <= 5 || !same_name(slice_sub(name, name.len - 5, name.len), SLICE("-file"))) {
        return NULL;
    }
    struct conf_slot *s = conf_slot_find(c, slice_sub(name, 0, name.len - 5));
    return s != NULL && (s->row->flags & CONF_SECRET) != 0 ? s : NULL;
}

const char *conf_nearest(struct conf *c, struct slice name, bool as_flag)
{
    unsigned least = 5;
    const char *best = NULL;
    VEC_EACH (&c->slots, s) {
        unsigned d = slice_distance(name, slice_str(s->row->name), 4);
        if (d < least) {
            least = d;
            best = s->row->name;
        }
    }
    char *text = NULL;
    if (best != NULL) {
        text = arena_printf(c->arena, ": did you mean '%s%s'?", as_flag ? "--" : "", best);
    }
    for (char *p = text; as_flag && p != NULL && *p != '\0'; p++) {
        *p = *p == '.' || *p == '_' ? '-' : *p;
    }
    return text != NULL ? text : "";
}

void conf_slot_set(struct conf *c, struct conf_slot *s, enum conf_origin origin, const char *place,
                   struct slice text)
{
    if (conf_is_plural(s->row)) {
        conf_error(c, "%s: '%s' takes a %s, not one value", place, s->row->name,
                   conf_type_name(s->row->type));
        return;
    }
    if (origin == CONF_FROM_YAML && s->origin == CONF_FROM_YAML) {
        conf_error(c, "%s: '%s' was set before, at %s", place, s->row->name, s->place);
        return;
    }
    s->origin = origin;
    s->place = place;
    s->text = arena_str(c->arena, text);
    if (s->text == NULL) {
        s->text = "";
        conf_error(c, "%s: the configuration is too large", place);
    } else if (strlen(s->text) != text.len) {
        conf_error(c, "%s: '%s' contains a NUL byte", place, s->row->name);
    }
}

void conf_slot_add_pair(struct conf *c, struct conf_slot *s, enum conf_origin origin,
                        const char *place, struct slice name, struct slice value)
{
    assert(s->row->type == CONF_MAP);
    s->origin = MAX(s->origin, origin);
    s->place = place;
    struct conf_pair pair = {arena_str(c->arena, name), arena_str(c->arena, value)};
    if (pair.name == NULL || pair.value == NULL || s->pairs.len >= CONF_KEYS_MAX) {
        conf_error(c, "%s: too many entries", place);
        return;
    }
    VEC_EACH (&s->pairs, old) {
        if (strcmp(old->name, pair.name) == 0) {
            old->value = pair.value;
            return;
        }
    }
    *VEC_PUSH(&s->pairs) = pair;
}

void conf_slot_add_item(struct conf *c, struct conf_slot *s, enum conf_origin origin,
                        const char *place, struct slice item)
{
    assert(s->row->type == CONF_LIST);
    if (origin > s->origin) {
        VEC_CLEAR(&s->pairs); /* a stronger source replaces the list, it does not add to it */
    }
    s->origin = origin;
    s->place = place;
    struct conf_pair pair = {"", arena_str(c->arena, item)};
    if (pair.value == NULL || s->pairs.len >= CONF_KEYS_MAX) {
        conf_error(c, "%s: too many items", place);
        return;
    }
    *VEC_PUSH(&s->pairs) = pair;
}

void conf_slot_set_file(struct conf *c, struct conf_slot *s, enum conf_origin origin,
                        const char *place, struct slice path)
{
    const char *name = arena_str(c->arena, path);
    char *text = arena_alloc(c->arena, SECRET_MAX);
    FILE *f = name != NULL && text != NULL ? fopen(name, "r") : NULL;
    if (f == NULL) {
        conf_error(c, "%s: cannot read the file '" SLICE_FMT "'", place, SLICE_ARG(path));
        return;
    }
    size_t n = fread(text, 1, SECRET_MAX, f);
    fclose(f);
    struct slice content = slice_of(text, n);
    while (content.len > 0 &&
           (content.ptr[content.len - 1] == '\n' || content.ptr[content.len - 1] == '\r')) {
        content.len--;
    }
    conf_slot_set(c, s, origin, place, content);
}

/* "a=b" into a map. */
static void add_assignment(struct conf *c, struct conf_slot *s, enum conf_origin origin,
                           const char *place, struct slice text)
{
    size_t eq = slice_find(text, '=');
    if (eq == 0 || eq == text.len) {
        conf_error(c, "%s: '" SLICE_FMT "': expected name=value", place, SLICE_ARG(text));
        return;
    }
    conf_slot_add_pair(c, s, origin, place, slice_sub(text, 0, eq),
                       slice_sub(text, eq + 1, text.len));
}

static void take_value(struct conf *c, struct conf_slot *s, bool file, enum conf_origin origin,
                       const char *place, struct slice value)
{
    if (file) {
        conf_slot_set_file(c, s, origin, place, value);
    } else if (conf_is_plural(s->row)) {
        struct slice rest = value, part;
        void (*add)(struct conf *, struct conf_slot *, enum conf_origin, const char *,
                    struct slice) = s->row->type == CONF_MAP ? add_assignment : conf_slot_add_item;
        while (origin == CONF_FROM_ENV && slice_split(&rest, ',', &part)) {
            add(c, s, origin, place, part);
        }
        if (origin == CONF_FROM_FLAG) {
            add(c, s, origin, place, value);
        }
    } else {
        conf_slot_set(c, s, origin, place, value);
    }
}

static struct slice env_name(const struct conf_row *row, char out[128])
{
    size_t n = (size_t)snprintf(out, 128, "KAIJU_%s", row->name);
    n = MIN(n, (size_t)127);
    for (size_t i = 6; i < n; i++) {
        char ch = fold(out[i]);
        out[i] = ch == '-' ? '_' : ch >= 'a' && ch <= 'z' ? (char)(ch - 'a' + 'A') : ch;
    }
    return slice_of(out, n);
}

/* A variable that is almost a setting is a mistake; others (Kubernetes sets KAIJU_PORT and the
 * like for a service of that name) are none of ours. */
static void suspect_typo(struct conf *c, struct slice name)
{
    char known[128];
    VEC_EACH (&c->slots, s) {
        unsigned d = slice_distance(name, env_name(s->row, known), 2);
        if (d > 0 && d <= 2 && name.len > 12) {
            conf_error(c, SLICE_FMT ": there is no such setting: did you mean '%s'?",
                       SLICE_ARG(name), known);
            return;
        }
    }
}

static void load_environment(struct conf *c, char **environ)
{
    for (char **e = environ; e != NULL && *e != NULL; e++) {
        struct slice text = slice_str(*e);
        size_t eq = slice_find(text, '=');
        struct slice name = slice_sub(text, 0, eq), value = slice_sub(text, eq + 1, text.len);
        if (!slice_starts(name, SLICE("KAIJU_")) || eq == text.len) {
            continue;
        }
        struct slice key = slice_sub(name, 6, name.len);
        struct conf_slot *s = conf_slot_find(c, key), *file = conf_slot_of_file(c, key);
        const char *place = arena_str(c->arena, name);
        if (s != NULL || file != NULL) {
            take_value(c, s != NULL ? s : file, s == NULL, CONF_FROM_ENV,
                       place != NULL ? place : "environment", value);
        } else {
            suspect_typo(c, name);
        }
    }
}

struct flag {
    struct slice name, value; /* without the dashes */
    bool has_value;
};

/* "-o" is "--output", when the command says so. */
static const char *long_name(const struct conf_input *in, const char *arg)
{
    for (const char *const *s = in->shorts; s != NULL && *s != NULL; s += 2) {
        if (strcmp(arg + 1, s[0]) == 0) {
            return s[1];
        }
    }
    return NULL;
}

static struct flag split_flag(const char *arg)
{
    struct slice text = slice_str(arg);
    size_t eq = slice_find(text, '=');
    return (struct flag){slice_sub(text, 0, eq), slice_sub(text, eq + 1, text.len), eq < text.len};
}

static bool take_special(struct conf *c, const struct flag *f)
{
    bool *wanted = slice_eq(f->name, SLICE("check-config"))   ? &c->check
                   : slice_eq(f->name, SLICE("print-config")) ? &c->print
                   : slice_eq(f->name, SLICE("help"))         ? &c->help
                                                              : NULL;
    if (wanted != NULL) {
        *wanted = true;
    }
    return wanted != NULL;
}

/* The caller's argv need not live as long as the configuration. */
static const char *keep(struct conf *c, const char *text)
{
    const char *copy = arena_str(c->arena, slice_str(text));
    return copy != NULL ? copy : "command line";
}

/* The value of argv[*i] as a flag, moving *i on when it takes the next argument. */
static void load_flag(struct conf *c, const struct conf_input *in, const char *name, int *i)
{
    struct flag f = split_flag(name);
    const char *place = keep(c, in->argv[*i]);
    if (take_special(c, &f)) {
        return;
    }
    struct conf_slot *s = conf_slot_find(c, f.name), *file = conf_slot_of_file(c, f.name);
    struct slice positive =
        slice_starts(f.name, SLICE("no-")) ? slice_sub(f.name, 3, f.name.len) : SLICE_NONE;
    struct conf_slot *negated = positive.len > 0 ? conf_slot_find(c, positive) : NULL;
    if (s == NULL && negated != NULL && negated->row->type == CONF_BOOL && !f.has_value) {
        conf_slot_set(c, negated, CONF_FROM_FLAG, place, SLICE("false"));
        return;
    }
    if (s == NULL && file == NULL) {
        const char *near = conf_nearest(c, f.name, true);
        conf_error(c, "--" SLICE_FMT ": there is no such option%s", SLICE_ARG(f.name),
                   near[0] != '\0' ? near : "; --help lists them");
        return;
    }
    if (!f.has_value && s != NULL && s->row->type == CONF_BOOL) {
        f.value = SLICE("true");
    } else if (!f.has_value) {
        if (*i + 1 >= in->argc) {
            conf_error(c, "%s: expected a value", place);
            return;
        }
        f.value = slice_str(in->argv[++*i]);
    }
    take_value(c, s != NULL ? s : file, s == NULL, CONF_FROM_FLAG, place, f.value);
}

static void load_flags(struct conf *c, const struct conf_input *in)
{
    bool only_args = false;
    for (int i = 1; i < in->argc; i++) {
        const char *arg = in->argv[i];
        if (!only_args && strcmp(arg, "--") == 0) {
            only_args = true;
        } else if (!only_args && strcmp(arg, "-h") == 0) {
            c->help = true;
        } else if (!only_args && strcmp(arg, "--config") == 0) {
            i++;
        } else if (!only_args && strncmp(arg, "--", 2) == 0) {
            if (strncmp(arg, "--config=", 9) != 0) {
                load_flag(c, in, arg + 2, &i);
            }
        } else if (!only_args && arg[0] == '-' && long_name(in, arg) != NULL) {
            load_flag(c, in, long_name(in, arg), &i);
        } else if (c->arg_count < CONF_ARGS_MAX) {
            c->args[c->arg_count++] = keep(c, arg);
        } else {
            conf_error(c, "more than %d arguments", CONF_ARGS_MAX);
            return;
        }
    }
}

/* The YAML file: the flag wins over the environment. NULL = none was named. */
static const char *config_file(const struct conf_input *in)
{
    const char *path = NULL;
    for (char **e = in->environ; e != NULL && *e != NULL; e++) {
        if (strncmp(*e, "KAIJU_CONFIG=", 13) == 0) {
            path = *e + 13;
        }
    }
    for (int i = 1; i < in->argc && strcmp(in->argv[i], "--") != 0; i++) {
        if (strncmp(in->argv[i], "--config=", 9) == 0) {
            path = in->argv[i] + 9;
        } else if (strcmp(in->argv[i], "--config") == 0) {
            path = i + 1 < in->argc ? in->argv[i + 1] : "";
        }
    }
    return path;
}

static void store(struct conf *c, struct conf_slot *s, const union conf_value *v)
{
    char *to = (char *)s->table->target + s->row->offset;
    switch (s->row->type) {
    case CONF_BOOL: memcpy(to, &v->b, sizeof v->b); break;
    case CONF_INT:
    case CONF_SIZE:
    case CONF_DURATION: memcpy(to, &v->i, sizeof v->i); break;
    case CONF_STRING: memcpy(to, &s->text, sizeof s->text); break;
    case CONF_ENUM: memcpy(to, &v->choice, sizeof v->choice); break;
    case CONF_MAP:
    case CONF_LIST: {
        struct conf_map map = {s->pairs.ptr, s->pairs.len};
        memcpy(to, &map, sizeof map);
        break;
    }
    }
    (void)c;
}

/* Parses every value; stores them in a second pass, when none was wrong. */
static void finish(struct conf *c)
{
    union conf_value *values = arena_array(c->arena, MAX(c->slots.len, (size_t)1), sizeof *values);
    const char *expected = "";
    assert(values != NULL);
    for (size_t i = 0; i < c->slots.len; i++) {
        const struct conf_slot *s = &c->slots.ptr[i];
        if (s->text != NULL &&
            !conf_value_parse(c->arena, s->row, slice_str(s->text), &values[i], &expected)) {
            bool secret = (s->row->flags & CONF_SECRET) != 0;
            conf_error(c, "%s: '%s' is '%s': expected %s", s->place != NULL ? s->place : "default",
                       s->row->name, secret ? "***" : s->text, expected);
        }
    }
    for (size_t i = 0; i < c->slots.len && c->errors.len == 0; i++) {
        store(c, &c->slots.ptr[i], &values[i]);
    }
}

int conf_load(struct conf *c, const struct conf_input *in)
{
    assert(in != NULL && in->argc >= 0);
    const char *path = config_file(in);
    if (path != NULL) {
        conf_yaml_load(c, path);
    }
    load_environment(c, in->environ);
    load_flags(c, in);
    finish(c);
    return c->errors.len > 0 ? -(int)ERR_USAGE : 0;
}

size_t conf_args(const struct conf *c, const char *const **ret_args)
{
    *ret_args = c->args;
    return c->arg_count;
}

bool conf_wants_check(const struct conf *c)
{
    return c->check;
}

bool conf_wants_print(const struct conf *c)
{
    return c->print;
}

bool conf_wants_help(const struct conf *c)
{
    return c->help;
}
