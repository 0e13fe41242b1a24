/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of the original Kaiju as a graph document. Its statement files have a statement a line,
 * `name:X,listener:Y=EPL` (a select with a listener tells people of its rows: @Alert); its event
 * files a type a line, `Name>{payload}>{context}>{parents}`.
 */
#ifndef OPERATORS_DOC_DOC_ESPER_H
#define OPERATORS_DOC_DOC_ESPER_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"

struct doc_esper_file {
    struct slice path, text; /* of statements: metrics-statements.txt becomes level metrics */
};

/* Appends the YAML. Events may have no text. Levels: in the order of the files, but hl, which has
 * the event types, last. An error names file and line. */
int doc_esper(struct arena *a, struct slice name, const struct doc_esper_file *statements, size_t n,
              const struct doc_esper_file *events, struct buf *out, struct err *reterr) NODISCARD;

#endif
