/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables: rows by primary key (or one row), changed in place. A row is an event whose columns are
 * the table's; states of aggregation columns are in a block that the row's last, nameless column
 * points to. A table of a context has rows per partition.
 */
#ifndef OPERATORS_TABLE_TABLE_H
#define OPERATORS_TABLE_TABLE_H

#include "operators/agg/agg.h"
#include "operators/sig/cause.h"
#include "operators/sig/lim.h"

enum { TABLE_KEYS_MAX = 16 };

struct trows;

struct table { /* the declaration */
    struct slice name;
    const struct etype *type;
    struct vheap *heap;
    struct lim *lim; /* rows are counted there; or NULL */
    uint32_t n_keys;
    uint16_t key[TABLE_KEYS_MAX]; /* columns */
    uint16_t *slot;               /* of each column: its aggregation, or UINT16_MAX */
    struct agg_set aggs;
    struct agg_layout layout;
    uint16_t block;           /* the nameless column; UINT16_MAX if there are no aggregations */
    VEC(struct trows *) rows; /* one, or one per partition */
    uint64_t changes;
};

struct trows *table_open(struct table *t, struct evt *props); /* props: of the partition, or NULL */
void table_close(struct trows *r);
struct trows *table_of(const struct table *t, const struct evt *props);

/* Rows in order of insertion; fn may not add or delete. */
void table_each(struct trows *r, void (*fn)(void *arg, struct evt *row), void *arg);
struct evt *table_find(struct trows *r, const struct dat *key, uint32_t n);
/* A new row: keys set, other columns null, aggregations empty. */
struct evt *table_add(struct trows *r, const struct dat *key, uint32_t n);
/* Whether there is a row where an event of the table's columns would go. */
bool table_holds(struct trows *r, const struct evt *e);
/* Takes the values of an event of the table's columns; false if the key is there already. */
bool table_insert(struct trows *r, struct evt *e);
void table_delete(struct trows *r, struct evt *row);
/* Assigns a plain column. A key column moves the row; false (nothing done) if the new key is taken.
 */
bool table_set(struct trows *r, struct evt *row, uint16_t col, struct dat v);
/* Its caller is about to assign columns or to change states of a row: what is saved in slices is
 * as it was before. */
void table_touch(struct evt *row);
/* Events that enter states of its rows. */
void table_number(const struct table *t, struct evt *const *row, uint32_t n);
/* Its caller has assigned n plain columns, no keys, of a row of the table. */
void table_changed(struct table *t, const struct evt *row, uint32_t n);
uint64_t table_cost(const struct table *t, const struct evt *row); /* of LIM_STATE */
struct dat table_col(struct evt *row, uint16_t col, struct ectx *c);
/* State of an aggregation column, or NULL. */
void *table_state(const struct table *t, const struct evt *row, uint16_t col);
/* A copy of the row with the values of its aggregations, which later changes do not touch. */
struct evt *table_shown(struct evt *row, struct ectx *c);
/* Causes of what `into table` puts into a row: what entered and left it. windowed: rows leave. */
void table_cause(struct evt *row, struct ectx *c, uint32_t n_events, bool windowed, bool enter);
/* The row as a cause: the event it was inserted as; what entered it. */
void table_causes(const struct evt *row, struct cause_list *to);
struct dat table_keys(struct trows *r, struct vheap *h);
/* Rows, into rows just opened. With `by_key` each row is written under the key group of its primary
 * key (save_group) and table_load is called for each chunk, which has nothing else (load_more), in
 * any order; without, all rows stand in the chunk under way and something may follow.
 * table_loaded, when nothing more comes, puts them in order and finds rows of one key. By key rows
 * may be written in slices, unless a column of them may hold events. */
void table_save(struct trows *r, struct save *s, bool by_key);
void table_load(struct trows *r, struct load *l, bool by_key);
void table_loaded(struct trows *r, struct load *l);

#endif
