/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of tables only.
 */
#ifndef OPERATORS_TABLE_TABLE_IMPL_H
#define OPERATORS_TABLE_TABLE_IMPL_H

#include "core/base/hidx.h"
#include "operators/sig/save_late.h"
#include "operators/table/table.h"

struct entry {
    struct trows *rows;
    struct evt *e;
    void *block;
    uint64_t hash, bytes, cost;
    uint64_t order;          /* rises along the list: insertion */
    uint64_t cut;            /* it is written for that one, or came after it */
    struct cause_live *live; /* of statements that rows leave */
    struct cause_ever *ever; /* of others; both NULL until something enters and causes are asked */
    struct entry *next, *prev;
};

struct loaded {
    uint64_t order;
    struct entry *e;
};

struct trows {
    struct table *t;
    struct evt *props;
    struct entry *first, *last;
    struct hidx index; /* rows, where there are keys */
    size_t count;
    /* The last look-up by a string, as one event asks for the same row many times. */
    const struct vstr *last_key;
    struct evt *last_found;
    uint64_t last_epoch;
    /* While rows are written in slices. */
    struct save_late *late; /* NULL: none are */
    struct entry *late_at;  /* the next one */
    size_t late_left;       /* to be written */
    uint64_t cut;           /* counts them */
    /* Rows that were loaded, which are in no order and no slot until all are there. */
    VEC(struct loaded) loaded;
};

/* The entry of a row of a table; NULL: it is none. */
static inline struct entry *table_entry(const struct evt *row)
{
    struct dat v = row->p[row->type->n_cols - 1];
    return v.kind == DAT_LONG ? (struct entry *)(uintptr_t)v.i : NULL;
}

/* ---- table.c ---- */
uint64_t table_hash(const struct dat *key, uint32_t n);
struct evt *table_find_hash(struct trows *r, const struct dat *key, uint32_t n, uint64_t hash);
struct entry *table_add_row(struct trows *r, struct evt *row, uint64_t hash);
struct entry *table_new_entry(struct trows *r, struct evt *row, uint64_t hash); /* of no order */
/* Of all that were loaded, in their order; false: two have the same key. */
bool table_link_all(struct trows *r, const struct loaded *all, size_t n);

/* ---- table_state.c, of rows that are written in slices ---- */
void table_save_first(struct entry *n); /* it is about to change, or to go */
void table_save_rest(struct trows *r);  /* the rows go; none under way: nothing */

#endif
