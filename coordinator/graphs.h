/* SPDX-License-Identifier: Apache-2.0
 *
 * The rule graphs, as ctl.graphs has them: key "tenant/name", value
 * {"format":1,"tenant","name","version","hash","document"}. No bus here and no clock: records in,
 * rows out. A record that is none of these is logged and passed over: a graph that was there stays.
 *
 * A graph that is removed keeps its record, as "deleted", until workers have ended its tasks: state
 * of tasks that nobody ran then must not become that of the next graph of this name. That one
 * begins another *life*, whose tasks take nothing over. When all have ended the record goes; of a
 * life but the first, and where the document cannot be laid out any more, it stays without its
 * document ("over"), since tasks may be left that nobody has ended.
 *
 * The version counts changes of the canonical form, from 1; the hash is that of the canonical form.
 * The document is the text as it was applied, so a change of comments alone makes another tag (what
 * HTTP calls ETag), but no other version.
 */
#ifndef COORDINATOR_GRAPHS_H
#define COORDINATOR_GRAPHS_H

#include "core/base/buf.h"
#include "core/event/rec_graph.h"

struct graphs;

enum {
    GRAPHS_MAX = 10000,
    GRAPH_TAG_BYTES = 48,
    GRAPH_KEY_BYTES = REC_GRAPH_KEY_BYTES,
    GRAPH_PREVIOUS_MAX = REC_GRAPH_PREVIOUS_MAX
};

struct graph {
    struct slice key, tenant, name, document;
    struct slice value; /* of the record */
    int64_t version;
    uint64_t hash;
    int64_t life;       /* how often a graph of this name was applied before all of it had ended */
    bool deleted, over; /* over: all of its tasks have ended */
    char tag[GRAPH_TAG_BYTES];                 /* with its quotes */
    struct slice previous[GRAPH_PREVIOUS_MAX]; /* documents whose tasks may not have ended */
    uint32_t n_previous;
};

struct graphs *graphs_new(void);
void graphs_free(struct graphs *g);
/* value.ptr NULL: it is gone. */
void graphs_take(struct graphs *g, struct slice key, struct slice value);
/* NULL: there is none, or it is deleted. */
const struct graph *graphs_get(const struct graphs *g, struct slice key);
const struct graph *graphs_record(const struct graphs *g, struct slice key); /* deleted, too */
size_t graphs_count(const struct graphs *g);                                 /* without those */
size_t graphs_deleted(const struct graphs *g);                               /* not over */
/* Records that are none of these and still there: what they would say is not known. */
size_t graphs_strange(const struct graphs *g);
uint64_t graphs_turn(const struct graphs *g); /* raised by each record */
/* Is that what the record of this key says? value.ptr NULL: that there is none. */
bool graphs_hold(const struct graphs *g, struct slice key, struct slice value);
/* In order of keys: those behind `after` (absent: from the first) of the tenant (absent: any), at
 * most max. How many. */
size_t graphs_list(const struct graphs *g, struct slice tenant, struct slice after, size_t max,
                   const struct graph **ret_graphs);

/* In order of keys, all that have tasks, or had and they have not ended. The array is the caller's
 * to mem_free. */
const struct graph **graphs_of_tasks(const struct graphs *g, size_t *ret_n);

/* "tenant/name" into out[GRAPH_KEY_BYTES]; the absent slice if it is too long. */
struct slice graphs_key(struct slice tenant, struct slice name, char *out);
/* The record of a graph, from tenant to n_previous. False: larger than the buffer may be. */
bool graphs_value(struct buf *out, const struct graph *g);
void graphs_tag(int64_t version, struct slice document, char out[GRAPH_TAG_BYTES]);

#endif
