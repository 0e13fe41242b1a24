/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking for functions by name. See fn.h. The table is searched in order: it is only read while
 * statements are bound.
 */
#include "operators/sig/fn.h"

#include <assert.h>

const struct fn_def fn_defs[] = {
#define FN(id, kind, recv, name, sig, flags, doc) {FN_##id, FN_##kind, recv, name, sig, flags, doc},
#define FN_ALSO(id, kind, recv, name, sig, flags, doc)                                             \
    {FN_##id, FN_##kind, recv, name, sig, flags, doc},
#include "operators/sig/fn.def"
#undef FN
#undef FN_ALSO
};
const uint32_t fn_n_defs = (uint32_t)ARRAY_LEN(fn_defs);

struct slice fn_plain_name(struct slice name)
{
    static const char *const packages[] = {"java.lang.", "java.util.", "java.math.", "java.time."};
    for (size_t i = 0; i < ARRAY_LEN(packages); i++) {
        if (slice_starts(name, slice_str(packages[i]))) {
            return slice_sub(name, strlen(packages[i]), name.len);
        }
    }
    return name;
}

const struct fn_def *fn_find(enum fn_kind kind, struct slice name, const struct fn_def *from)
{
    assert(from == NULL || (from >= fn_defs && from < fn_defs + fn_n_defs));
    name = kind == FN_STATIC ? fn_plain_name(name) : name;
    bool any_case = kind == FN_ENUM || kind == FN_DATE;
    for (const struct fn_def *f = from == NULL ? fn_defs : from + 1; f < fn_defs + fn_n_defs; f++) {
        struct slice n = slice_str(f->name);
        if (f->kind == kind && (any_case ? slice_eq_nocase(n, name) : slice_eq(n, name))) {
            return f;
        }
    }
    return NULL;
}

struct slice fn_near(enum fn_kind kind, struct slice name, char recv)
{
    struct slice best = SLICE_NONE;
    unsigned least = 3;
    name = kind == FN_STATIC ? fn_plain_name(name) : name;
    for (const struct fn_def *f = fn_defs; f < fn_defs + fn_n_defs; f++) {
        if (f->kind != kind || (recv != 0 && strchr(f->recv, recv) == NULL)) {
            continue;
        }
        unsigned d = slice_distance(slice_str(f->name), name, least);
        if (d < least) {
            least = d;
            best = slice_str(f->name);
        }
    }
    return best;
}

void fn_arity(const struct fn_def *f, uint32_t *ret_min, uint32_t *ret_max)
{
    const char *args = strchr(f->sig, '(') + 1;
    uint32_t n = (uint32_t)strlen(args) - 1;
    bool repeats = n > 0 && args[n - 1] == '*';
    *ret_min = repeats ? n - 2 : n;
    *ret_max = repeats ? FN_ARGS_MAX - 1 : n;
}

char fn_arg(const struct fn_def *f, uint32_t i)
{
    const char *args = strchr(f->sig, '(') + 1;
    uint32_t n = (uint32_t)strlen(args) - 1;
    if (n > 0 && args[n - 1] == '*') {
        n--;
    }
    assert(n > 0);
    return args[MIN(i, n - 1)];
}
