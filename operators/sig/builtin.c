/* SPDX-License-Identifier: Apache-2.0
 *
 * See builtin.h.
 */
#include "operators/sig/builtin.h"

#include "core/base/attr.h"

#include <assert.h>

enum type_id {
#define BUILTIN_TYPE(world, id, name, super, records, doc) TYPE_##id,
#include "operators/sig/builtin.def"
};

const struct builtin_type builtin_types[] = {
#define BUILTIN_TYPE(world, id, name, super, records, doc)                                         \
    {BUILTIN_##world, TYPE_##id, name, super, records, doc},
#include "operators/sig/builtin.def"
};
const size_t builtin_n_types = ARRAY_LEN(builtin_types);

static const struct builtin_col cols[] = {
#define BUILTIN_COL(id, name, type, fill, key, doc)                                                \
    {name, type, key, doc, BUILTIN_##fill, TYPE_##id},
#include "operators/sig/builtin.def"
};

const struct builtin_type *builtin_find(enum builtin_world world, struct slice name)
{
    for (size_t i = 0; i < builtin_n_types; i++) {
        const struct builtin_type *t = &builtin_types[i];
        if (t->world == world && slice_eq(name, slice_str(t->name))) {
            return t;
        }
    }
    return NULL;
}

const struct builtin_col *builtin_next(const struct builtin_type *t,
                                       const struct builtin_col *after)
{
    for (size_t i = after == NULL ? 0 : (size_t)(after - cols) + 1; i < ARRAY_LEN(cols); i++) {
        if (cols[i].of == t->id) {
            return &cols[i];
        }
    }
    return NULL;
}

const struct builtin_col *builtin_column(const struct builtin_type *t, struct slice name)
{
    while (t != NULL) {
        for (const struct builtin_col *c = NULL; (c = builtin_next(t, c)) != NULL;) {
            if (slice_eq(name, slice_str(c->name))) {
                return c;
            }
        }
        t = t->super != NULL ? builtin_find(t->world, slice_str(t->super)) : NULL;
    }
    return NULL;
}

const struct builtin_type *builtin_of_record(enum builtin_world world, struct slice record)
{
    for (size_t i = 0; i < builtin_n_types; i++) {
        const struct builtin_type *t = &builtin_types[i];
        struct slice rest = slice_str(t->records), word;
        while (t->world == world && slice_split(&rest, ' ', &word)) {
            if (word.len > 0 && slice_eq(word, record)) {
                return t;
            }
        }
    }
    return NULL;
}

void builtin_epl(enum builtin_world world, struct buf *out)
{
    for (size_t i = 0; i < builtin_n_types; i++) {
        const struct builtin_type *t = &builtin_types[i];
        if (t->world != world) {
            continue;
        }
        (void)buf_addf(out, "create schema %s(", t->name);
        for (const struct builtin_col *c = NULL; (c = builtin_next(t, c)) != NULL;) {
            (void)buf_addf(out, "%s`%s` %s", c == builtin_next(t, NULL) ? "" : ", ", c->name,
                           c->type);
        }
        (void)buf_addf(out, ")%s%s;\n", t->super != NULL ? " inherits " : "",
                       t->super != NULL ? t->super : "");
    }
}
