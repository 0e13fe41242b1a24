/* SPDX-License-Identifier: Apache-2.0
 *
 * What @Alert makes of the rows of a statement: records of schemas/alert.avsc, one for each row.
 * A *book* counts, for each statement and value of the alert's key, how often an alert was opened;
 * that count is part of the alert's id, and so of the task's state (alert_save). Times are those of
 * the engine, so a replay makes the same bytes.
 *
 * Of a task that is one of several, each counts its own: ordinals are dealt out in turn (part, part
 * + parts, ...), so that no two of them give the same id although they share a key.
 *
 * One thread. Rules and what they point to are borrowed.
 */
#ifndef OPERATORS_SHARD_ALERT_H
#define OPERATORS_SHARD_ALERT_H

#include "core/event/id.h"
#include "operators/doc/doc.h"
#include "operators/sig/dat.h"

struct batch_enc;

enum { ALERT_KEYS_MAX = 1 << 20 }; /* of all rules of a task */

struct alert_rule {
    struct slice tenant, graph, statement;
    const struct doc_alert *words;
};

struct alert_book;

struct alert_book *alert_book_new(const struct alert_rule *rules, uint32_t n, uint32_t part,
                                  uint32_t parts);
void alert_book_free(struct alert_book *b);
/* NULL: the statement alerts nobody. */
const struct alert_rule *alert_rule_of(const struct alert_book *b, struct slice statement);
/* Of rules that take over from others, whose count is not known: openings are counted as if n had
 * been, of any key, so that no id is given twice. */
void alert_count_from(struct alert_book *b, uint64_t n);
/* The record of a row, appended to `to`; now: ns. ERR_LIMIT: too many keys; ERR_TOO_BIG. */
int alert_write(struct alert_book *b, const struct alert_rule *rule, const struct evt *row,
                int64_t now, struct batch_enc *enc, struct arena *scratch, struct buf *to,
                struct id *ret_id, struct err *reterr) NODISCARD;

bool alert_save(const struct alert_book *b, struct buf *to);
int alert_load(struct alert_book *b, struct slice bytes, struct err *reterr) NODISCARD;

#endif
