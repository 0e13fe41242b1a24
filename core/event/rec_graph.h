/* SPDX-License-Identifier: Apache-2.0
 *
 * A rule graph as ctl.graphs has it, read field by field: key "tenant/name", value
 * {"format":1,"tenant","name","version","hash","document"}, and where they apply "life", "deleted",
 * "over" and "previous" (coordinator/graphs.h says what they mean, and writes them). Coordinator,
 * workers and `kaiju replay` read by this, so that what one of them passes over is passed over by
 * all. Any thread, nothing is kept.
 */
#ifndef CORE_EVENT_REC_GRAPH_H
#define CORE_EVENT_REC_GRAPH_H

#include "core/base/attr.h"
#include "core/base/slice.h"

#define REC_GRAPH_NUMBER_MAX (INT64_MAX / 2) /* a version, a life */

enum { REC_GRAPH_FORMAT = 1, REC_GRAPH_KEY_BYTES = 130, REC_GRAPH_PREVIOUS_MAX = 16 };

struct rec_graph {
    void *json; /* what the slices point into */
    struct slice tenant, name, document;
    int64_t version, life;
    uint64_t hash;
    bool deleted, over;
    struct slice previous[REC_GRAPH_PREVIOUS_MAX];
    uint32_t n_previous;
};

/* NULL: it is read, and the caller ends it with rec_graph_done. Else why it is none. */
NODISCARD const char *rec_graph_read(struct rec_graph *ret, struct slice key, struct slice value);
void rec_graph_done(struct rec_graph *g);

#endif
