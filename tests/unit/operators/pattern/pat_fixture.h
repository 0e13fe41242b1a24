/* SPDX-License-Identifier: Apache-2.0
 *
 * One statement over a pattern, played by hand. Types A, B and C have an id (string) and x (int).
 * Rows are written as the values of their columns, "1,9", with blanks between rows and "|" between
 * deliveries.
 */
#ifndef TESTS_UNIT_OPERATORS_PATTERN_PAT_FIXTURE_H
#define TESTS_UNIT_OPERATORS_PATTERN_PAT_FIXTURE_H

#include "core/base/buf.h"
#include "operators/graph/eng.h"

struct pat_fixture {
    struct eng *e;
    struct buf out;
};

/* `columns` and `pattern` as in: select COLUMNS from pattern PATTERN. */
void pat_fixture_open(struct pat_fixture *f, const char *columns, const char *pattern);
int pat_fixture_try(const char *pattern, struct err *reterr);
void pat_fixture_close(struct pat_fixture *f);
void pat_fixture_send(struct pat_fixture *f, const char *type, const char *id, int x);
void pat_fixture_advance(struct pat_fixture *f, int64_t ms);
/* What came since the last call. */
const char *pat_fixture_rows(struct pat_fixture *f);
/* A row of events: "A1 B1 C2": type and x. The id is "i". Gives what all of them brought. */
const char *pat_fixture_play(struct pat_fixture *f, const char *events);

#endif
