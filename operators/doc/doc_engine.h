/* SPDX-License-Identifier: Apache-2.0
 *
 * What doc_check needs of an engine, as functions: engines stand behind this folder in the order of
 * layers. operators/graph/eng_doc.h has them.
 */
#ifndef OPERATORS_DOC_DOC_ENGINE_H
#define OPERATORS_DOC_DOC_ENGINE_H

#include "core/base/err.h"
#include "operators/sig/etype.h"
#include "operators/sig/lim.h"

struct doc_engine {
    void *(*open)(const struct lim_conf *limits); /* nothing is deployed into it */
    void (*close)(void *engine);
    /* Spans of errors are in `text`. */
    int (*deploy)(void *engine, struct slice id, struct slice text, struct err *reterr);
    const struct etype *(*type)(void *engine, struct slice name); /* NULL: there is none */
    /* The columns of what the only statement of a deployment delivers; NULL: it delivers nothing.
     */
    const struct etype *(*rows)(void *engine, struct slice id);
};

#endif
