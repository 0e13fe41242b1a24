/* SPDX-License-Identifier: Apache-2.0
 *
 * See keytab.h. The stamps grow with the intern table, by doubling, so a warm decoder allocates
 * nothing.
 */
#include "core/event/keytab.h"

#include "core/base/mem.h"

#include <assert.h>

enum { STAMPS_FIRST = 256 };

void keytab_init(struct keytab *t, struct intern *keys)
{
    assert(t != NULL && keys != NULL);
    memset(t, 0, sizeof *t);
    t->keys = keys;
    t->stamps = STAMPS_FIRST;
    t->stamp = mem_calloc(t->stamps, sizeof *t->stamp);
}

void keytab_done(struct keytab *t)
{
    mem_free(t->stamp);
    t->stamp = NULL;
}

static void grow_stamps(struct keytab *t, uint32_t id)
{
    size_t old = t->stamps;
    while (t->stamps <= id) {
        t->stamps *= 2;
    }
    t->stamp = mem_realloc(t->stamp, t->stamps * sizeof *t->stamp);
    memset(t->stamp + old, 0, (t->stamps - old) * sizeof *t->stamp);
}

const struct keytab_cell *keytab_get_slow(struct keytab *t, struct keytab_cell *cell,
                                          struct slice key)
{
    assert(cell >= t->cells && cell < t->cells + KEYTAB_SIZE);
    uint32_t id = intern_id(t->keys, key);
    if (id == 0) {
        return NULL;
    }
    if (id >= t->stamps) {
        grow_stamps(t, id);
    }
    struct slice text = intern_text(t->keys, id);
    *cell = (struct keytab_cell){text.ptr, (uint32_t)text.len, id};
    return cell;
}

void keytab_map_wrap(struct keytab *t)
{
    memset(t->stamp, 0, t->stamps * sizeof *t->stamp);
    t->map = 1;
}
