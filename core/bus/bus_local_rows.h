/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of the local store: keys and rows in LMDB, and the topics in memory. Names of tables
 * and what they hold: bus_local_store.h. To add a field to a row: a new row version that still
 * reads the old ones (bus_local_rows.c).
 */
#ifndef CORE_BUS_BUS_LOCAL_ROWS_H
#define CORE_BUS_BUS_LOCAL_ROWS_H

#include "core/bus/bus_local_store.h"

void bus_local_key(char out[LOCAL_KEY_BYTES], const struct local_part *p, int64_t offset);
bool bus_local_key_read(MDB_val key, const struct local_part *p, int64_t *ret_offset);
int bus_local_row_get(struct local_store *s, MDB_txn *txn, const struct local_part *p,
                      struct local_row *ret_row, struct err *reterr) NODISCARD;
int bus_local_row_put(struct local_store *s, MDB_txn *txn, const struct local_part *p,
                      const struct local_row *row);
int bus_local_tables_open(struct local_store *s, MDB_txn *txn, struct err *reterr) NODISCARD;
int bus_local_topic_put(struct local_store *s, MDB_txn *txn, const struct local_topic *t);
int bus_local_slot_put(struct local_store *s, MDB_txn *txn, struct slice name, uint64_t epoch);
struct local_topic *bus_local_topic_new(struct slice name, uint16_t id,
                                        const struct bus_topic_spec *spec);
void bus_local_topic_free(struct local_topic *t);
/* From now on it is found. False at the limit. Under the mutex, or before there are threads. */
bool bus_local_topic_keep(struct local_store *s, struct local_topic *take_t) NODISCARD;
/* NULL if there is none; a read-only store looks into the file with the given transaction, which
 * may be NULL. @thread any */
struct local_topic *bus_local_topic_find(struct local_store *s, struct slice name, MDB_txn *txn);
/* A read-only store: also the topics that were made since. */
void bus_local_topics_load(struct local_store *s, MDB_txn *txn);

#endif
