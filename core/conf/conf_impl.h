/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of core/conf only: a loaded configuration from the inside. Values are kept as
 * text with their origin until all sources are read; then they are parsed into the targets.
 */
#ifndef CORE_CONF_CONF_IMPL_H
#define CORE_CONF_CONF_IMPL_H

#include "core/base/arena.h"
#include "core/base/vec.h"
#include "core/conf/conf.h"

enum conf_origin {
    CONF_FROM_DEFAULT = 0,
    CONF_FROM_YAML = 1,
    CONF_FROM_ENV = 2,
    CONF_FROM_FLAG = 3
};

/* One setting, as found so far. A later source replaces an earlier one. */
struct conf_slot {
    const struct conf_table *table;
    const struct conf_row *row;
    enum conf_origin origin;
    const char *text;  /* NULL = unset; not for maps */
    const char *place; /* "kaiju.yaml:3:5", "KAIJU_X", "--x" */
    VEC(struct conf_pair) pairs;
};

struct conf {
    struct arena *arena;
    struct buf errors;
    VEC(struct conf_slot) slots;
    const char *args[CONF_ARGS_MAX];
    size_t arg_count;
    bool check, print, help;
};

/* A parsed value, before it goes to its target. */
union conf_value {
    bool b;
    int64_t i;
    int choice;
};

/* False: *ret_expected says what would have been right (in the arena). */
bool conf_value_parse(struct arena *a, const struct conf_row *row, struct slice text,
                      union conf_value *ret, const char **ret_expected);
const char *conf_type_name(enum conf_type type);

PRINTF_LIKE(2, 3) void conf_error(struct conf *c, const char *fmt, ...);
/* The slot of a dotted name; "_" and "-" are taken alike. NULL = unknown. */
struct conf_slot *conf_slot_find(struct conf *c, struct slice name);
/* ": did you mean 'x'?", or "" when nothing is near. */
const char *conf_nearest(struct conf *c, struct slice name, bool as_flag);
/* A value from a source, or an error when the same source gave it before. */
void conf_slot_set(struct conf *c, struct conf_slot *s, enum conf_origin origin, const char *place,
                   struct slice text);
void conf_slot_add_pair(struct conf *c, struct conf_slot *s, enum conf_origin origin,
                        const char *place, struct slice name, struct slice value);
void conf_slot_add_item(struct conf *c, struct conf_slot *s, enum conf_origin origin,
                        const char *place, struct slice item);
static inline bool conf_is_plural(const struct conf_row *row)
{
    return row->type == CONF_MAP || row->type == CONF_LIST;
}
/* Reads the file whose name is `path` into the secret. */
void conf_slot_set_file(struct conf *c, struct conf_slot *s, enum conf_origin origin,
                        const char *place, struct slice path);
/* The slot of "NAME_file", when NAME is a secret; else NULL. */
struct conf_slot *conf_slot_of_file(struct conf *c, struct slice name);

void conf_yaml_load(struct conf *c, const char *path);
/* From memory: for tests and fuzzing. */
void conf_yaml_parse(struct conf *c, const char *path, struct slice text);

#endif
