/* SPDX-License-Identifier: Apache-2.0
 *
 * The YAML source: walks libyaml's events and joins the keys of nested mappings with dots. Anchors,
 * aliases and further documents are refused, so a small file stays small. A mapping below a row of
 * type map gives its entries; everything else must end in a scalar of a known name.
 */
#include "core/conf/conf_impl.h"

#include "core/base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <yaml.h>

struct walk {
    struct conf *c;
    const char *path;
    yaml_parser_t parser;
    struct buf name;                 /* dotted, of the mappings that are open */
    size_t name_len[CONF_DEPTH_MAX]; /* of `name` before each of them */
    int depth;
    size_t keys;
    bool failed;
};

static const char *place_of(struct walk *w, const yaml_mark_t *mark)
{
    const char *text =
        arena_printf(w->c->arena, "%s:%zu:%zu", w->path, mark->line + 1, mark->column + 1);
    return text != NULL ? text : w->path;
}

static PRINTF_LIKE(3, 4) void fail(struct walk *w, const yaml_mark_t *mark, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    conf_error(w->c, "%s: %s", place_of(w, mark), text);
}

static bool next(struct walk *w, yaml_event_t *ev)
{
    if (w->failed) {
        return false;
    }
    if (!yaml_parser_parse(&w->parser, ev)) {
        const char *problem = w->parser.problem != NULL ? w->parser.problem : "not YAML";
        fail(w, &w->parser.problem_mark, "%s", problem);
        w->failed = true;
        return false;
    }
    bool anchored =
        (ev->type == YAML_SCALAR_EVENT && ev->data.scalar.anchor != NULL) ||
        (ev->type == YAML_MAPPING_START_EVENT && ev->data.mapping_start.anchor != NULL) ||
        (ev->type == YAML_SEQUENCE_START_EVENT && ev->data.sequence_start.anchor != NULL);
    if (ev->type == YAML_ALIAS_EVENT || anchored) {
        fail(w, &ev->start_mark, "anchors and aliases are not supported: write the value out");
        yaml_event_delete(ev);
        w->failed = true;
        return false;
    }
    return true;
}

static struct slice scalar_of(const yaml_event_t *ev)
{
    return slice_of(ev->data.scalar.value, ev->data.scalar.length);
}

static void skip_node(struct walk *w, const yaml_event_t *first)
{
    int open = first->type == YAML_MAPPING_START_EVENT || first->type == YAML_SEQUENCE_START_EVENT;
    while (open > 0) {
        yaml_event_t ev;
        if (!next(w, &ev)) {
            return;
        }
        open += ev.type == YAML_MAPPING_START_EVENT || ev.type == YAML_SEQUENCE_START_EVENT;
        open -= ev.type == YAML_MAPPING_END_EVENT || ev.type == YAML_SEQUENCE_END_EVENT;
        yaml_event_delete(&ev);
    }
}

/* The entries of a row of type map. */
static void read_map(struct walk *w, struct conf_slot *s)
{
    yaml_event_t key, value;
    while (next(w, &key)) {
        if (key.type != YAML_SCALAR_EVENT) {
            bool end = key.type == YAML_MAPPING_END_EVENT;
            if (!end) {
                fail(w, &key.start_mark, "'%s': expected a name", s->row->name);
                w->failed = true;
            }
            yaml_event_delete(&key);
            return;
        }
        if (next(w, &value)) {
            if (value.type == YAML_SCALAR_EVENT) {
                conf_slot_add_pair(w->c, s, CONF_FROM_YAML, place_of(w, &key.start_mark),
                                   scalar_of(&key), scalar_of(&value));
            } else {
                fail(w, &value.start_mark, "'%s': expected one value for each name", s->row->name);
                skip_node(w, &value);
            }
            yaml_event_delete(&value);
        }
        yaml_event_delete(&key);
    }
}

/* The items of a row of type list. */
static void read_list(struct walk *w, struct conf_slot *s)
{
    yaml_event_t item;
    while (next(w, &item)) {
        bool end = item.type == YAML_SEQUENCE_END_EVENT;
        if (item.type == YAML_SCALAR_EVENT) {
            conf_slot_add_item(w->c, s, CONF_FROM_YAML, place_of(w, &item.start_mark),
                               scalar_of(&item));
        } else if (!end) {
            fail(w, &item.start_mark, "'%s': expected single values as items", s->row->name);
            skip_node(w, &item);
        }
        yaml_event_delete(&item);
        if (end) {
            return;
        }
    }
}

/* Is the name the beginning of a known one ("bus.local" of "bus.local.dir")? */
static bool is_section(struct conf *c, struct slice name)
{
    VEC_EACH (&c->slots, s) {
        struct slice full = slice_str(s->row->name);
        if (full.len > name.len && full.ptr[name.len] == '.' && slice_starts(full, name)) {
            return true;
        }
    }
    return false;
}

static void take_scalar(struct walk *w, const yaml_event_t *key, const yaml_event_t *value)
{
    struct slice name = buf_slice(&w->name);
    struct conf_slot *s = conf_slot_find(w->c, name), *file = conf_slot_of_file(w->c, name);
    const char *place = place_of(w, &key->start_mark);
    bool null =
        value->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && value->data.scalar.length == 0;
    if (s != NULL && conf_is_plural(s->row) && null) {
        return;
    }
    if (s != NULL) {
        conf_slot_set(w->c, s, CONF_FROM_YAML, place, scalar_of(value));
    } else if (file != NULL) {
        conf_slot_set_file(w->c, file, CONF_FROM_YAML, place, scalar_of(value));
    } else if (is_section(w->c, name) && null) {
        return; /* an empty section */
    } else {
        fail(w, &key->start_mark, "unknown key '" SLICE_FMT "'%s", SLICE_ARG(name),
             conf_nearest(w->c, name, false));
    }
}

/* What stands behind a key. Opens a mapping, or takes a value. */
static void take_node(struct walk *w, const yaml_event_t *key, const yaml_event_t *value)
{
    struct slice name = buf_slice(&w->name);
    struct conf_slot *s = conf_slot_find(w->c, name);
    if (value->type == YAML_SCALAR_EVENT) {
        take_scalar(w, key, value);
    } else if (value->type == YAML_SEQUENCE_START_EVENT && s != NULL && s->row->type == CONF_LIST) {
        read_list(w, s);
    } else if (value->type != YAML_MAPPING_START_EVENT) {
        fail(w, &value->start_mark, "'" SLICE_FMT "': lists are not expected here",
             SLICE_ARG(name));
        skip_node(w, value);
    } else if (s != NULL && s->row->type == CONF_MAP) {
        read_map(w, s);
    } else if (!is_section(w->c, name)) {
        fail(w, &key->start_mark, "unknown key '" SLICE_FMT "'%s", SLICE_ARG(name),
             conf_nearest(w->c, name, false));
        skip_node(w, value);
    } else {
        return; /* the mapping stays open: depth was raised by the caller */
    }
    w->depth--;
    w->name.len = w->name_len[w->depth];
}

static void take_key(struct walk *w, const yaml_event_t *key)
{
    yaml_event_t value;
    if (++w->keys > CONF_KEYS_MAX || w->depth + 1 >= CONF_DEPTH_MAX) {
        fail(w, &key->start_mark, "more than %d keys or %d levels", CONF_KEYS_MAX, CONF_DEPTH_MAX);
        w->failed = true;
        return;
    }
    w->name_len[w->depth++] = w->name.len;
    if (w->name.len > 0) {
        buf_add_byte(&w->name, '.');
    }
    buf_add_slice(&w->name, scalar_of(key));
    if (buf_failed(&w->name)) {
        fail(w, &key->start_mark, "the key is too long");
        w->failed = true;
    } else if (next(w, &value)) {
        take_node(w, key, &value);
        yaml_event_delete(&value);
    }
}

static void walk(struct walk *w)
{
    bool inside = false;
    int documents = 0;
    yaml_event_t ev;
    while (next(w, &ev)) {
        yaml_event_type_t type = ev.type;
        documents += type == YAML_DOCUMENT_START_EVENT;
        if (type == YAML_DOCUMENT_START_EVENT && documents > 1) {
            fail(w, &ev.start_mark, "expected one document, found another");
            w->failed = true;
        } else if (inside && type == YAML_SCALAR_EVENT) {
            take_key(w, &ev);
        } else if (inside && type == YAML_MAPPING_END_EVENT) {
            inside = w->depth > 0;
            if (inside) {
                w->name.len = w->name_len[--w->depth];
            }
        } else if (!inside && type == YAML_MAPPING_START_EVENT) {
            inside = true;
        } else if (inside || type == YAML_SEQUENCE_START_EVENT || type == YAML_SCALAR_EVENT) {
            bool empty = type == YAML_SCALAR_EVENT && ev.data.scalar.length == 0;
            if (!empty) {
                fail(w, &ev.start_mark, "expected names with values");
                w->failed = true;
            }
        }
        yaml_event_delete(&ev);
        if (type == YAML_STREAM_END_EVENT) {
            return;
        }
    }
}

void conf_yaml_parse(struct conf *c, const char *path, struct slice text)
{
    assert(path != NULL);
    struct walk w = {.c = c, .path = path};
    if (!yaml_parser_initialize(&w.parser)) {
        conf_error(c, "%s: cannot start the YAML parser", path);
        return;
    }
    buf_init(&w.name, 1024);
    yaml_parser_set_encoding(&w.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &w.parser, (const unsigned char *)(text.ptr != NULL ? text.ptr : ""), text.len);
    walk(&w);
    yaml_parser_delete(&w.parser);
    buf_done(&w.name);
}

void conf_yaml_load(struct conf *c, const char *path)
{
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        conf_error(c, "%s: cannot open the configuration file: %s", path, strerror(errno));
        return;
    }
    struct buf text;
    buf_init(&text, CONF_FILE_MAX);
    char *room;
    size_t n = 0;
    do {
        buf_commit(&text, n);
        room = buf_room(&text, 4096);
        n = room != NULL ? fread(room, 1, 4096, f) : 0;
    } while (n > 0);
    if (room == NULL) {
        conf_error(c, "%s: larger than %d bytes", path, CONF_FILE_MAX);
    } else if (ferror(f)) {
        conf_error(c, "%s: cannot read the configuration file: %s", path, strerror(errno));
    } else {
        conf_yaml_parse(c, path, buf_slice(&text));
    }
    fclose(f);
    buf_done(&text);
}
