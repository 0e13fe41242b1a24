/* SPDX-License-Identifier: Apache-2.0
 *
 * The rule graphs, as ctl.graphs has them: key "tenant/name", value
 * {"format":1,"tenant","name","version","hash","document"}. No bus here and no clock: records in,
 * rows out. A record that is none of these is logged and passed over: a graph that was there stays.
 *
 * The version counts changes of the canonical form, from 1; the hash is that of the canonical form.
 * The document is the text as it was applied, so a change of comments alone makes another tag (what
 * HTTP calls ETag), but no other version.
 */
#ifndef COORDINATOR_GRAPHS_H
#define COORDINATOR_GRAPHS_H

#include "core/base/buf.h"

struct graphs;

enum {
    GRAPHS_MAX = 10000,
    GRAPHS_FORMAT = 1,
    GRAPH_TAG_BYTES = 48,
    GRAPH_KEY_BYTES = 130,
    GRAPH_PREVIOUS_MAX = 16
};

struct graph {
    struct slice key, tenant, name, document;
    struct slice value; /* of the record */
    int64_t version;
    uint64_t hash;
    char tag[GRAPH_TAG_BYTES];                 /* with its quotes */
    struct slice previous[GRAPH_PREVIOUS_MAX]; /* documents whose tasks may not have ended */
    uint32_t n_previous;
};

struct graphs *graphs_new(void);
void graphs_free(struct graphs *g);
/* value.ptr NULL: it is gone. */
void graphs_take(struct graphs *g, struct slice key, struct slice value);
const struct graph *graphs_get(const struct graphs *g, struct slice key); /* or NULL */
size_t graphs_count(const struct graphs *g);
/* Is that what the record of this key says? value.ptr NULL: that there is none. */
bool graphs_hold(const struct graphs *g, struct slice key, struct slice value);
/* In order of keys: those behind `after` (absent: from the first) of the tenant (absent: any), at
 * most max. How many. */
size_t graphs_list(const struct graphs *g, struct slice tenant, struct slice after, size_t max,
                   const struct graph **ret_graphs);

/* "tenant/name" into out[GRAPH_KEY_BYTES]; the absent slice if it is too long. */
struct slice graphs_key(struct slice tenant, struct slice name, char *out);
/* The record of a graph. False: larger than the buffer may be. */
bool graphs_value(struct buf *out, struct slice tenant, struct slice name, int64_t version,
                  uint64_t hash, struct slice document, const struct slice *previous,
                  uint32_t n_previous);
void graphs_tag(int64_t version, struct slice document, char out[GRAPH_TAG_BYTES]);

#endif
