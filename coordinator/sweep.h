/* SPDX-License-Identifier: Apache-2.0
 *
 * Removes from the topic `state` what is kept there under lineages that no task has any more: a
 * rule graph was changed so that a task got another lineage, or has fewer tasks, or was deleted,
 * and who had the task then was dead and could not remove it himself. sweep.md says why nothing is
 * removed that anybody needs.
 *
 * When something may have changed and all has been calm for a while, the partitions of `state` are
 * read one after the other; of what is found under strange lineages, first a mark is written and
 * the root removed, then the rest, in transactions of whoever writes graphs and assignments. A
 * change of these ends it, and it begins anew when all is calm. It remembers nothing: the next
 * leader begins anew, too.
 *
 * Bounded: about 20 MiB are read in a second, 200 records are removed per step, 20,000 keys are
 * held, and a pass takes at most a tenth of the time.
 *
 * Thread: the loop's. sweep_step is called a few times a second.
 */
#ifndef COORDINATOR_SWEEP_H
#define COORDINATOR_SWEEP_H

#include "core/base/map.h"
#include "core/bus/bus.h"

struct sweep;

#define SWEEP_TAG (UINT64_C(1) << 62) /* and above: its tags of the client */

enum { SWEEP_LINEAGE_BYTES = 8, SWEEP_WHY = 200 };

struct sweep_conf {
    struct bus_client *bus;
    int64_t calm_ns; /* nothing is swept before all was calm for so long; 0: never */
    /* True: no slot runs anything but tasks whose lineages it adds to `to` (sweep_carry), and so it
     * stays while `turn` does not change. False: *why is why that is not known. */
    bool (*carried)(void *arg, struct map *to, char why[SWEEP_WHY]);
    uint64_t (*turn)(void *arg); /* 0: this process decides nothing now */
    /* Asks sweep_puts for a transaction when it is its turn among all that change what `turn`
     * counts, and tells sweep_written how it ended. False: not now. */
    bool (*write)(void *arg, struct sweep *s);
    void *arg;
};

enum sweep_state { SWEEP_OFF, SWEEP_IDLE, SWEEP_WAITS, SWEEP_READS, SWEEP_REMOVES };

struct sweep_look {
    enum sweep_state state;
    uint64_t passes, keys, bytes; /* so far: over all partitions; removed */
    int64_t waits_ns;             /* for all to be calm and known; 0 */
    uint32_t part, parts;         /* at work */
    const char *why;              /* it waits; empty */
};

struct sweep *sweep_new(const struct sweep_conf *conf);
void sweep_free(struct sweep *s);                   /* behind whoever writes for it */
bool sweep_carry(struct map *to, uint64_t lineage); /* false: there are too many */
void sweep_step(struct sweep *s);
void sweep_on_event(struct sweep *s, const struct bus_ev *ev);
/* The transaction whose turn it is. 0: it is not wanted any more. Good until the next call. */
uint32_t sweep_puts(struct sweep *s, const struct bus_put **ret_puts);
void sweep_written(struct sweep *s, const struct err *err); /* NULL: it is committed */
struct sweep_look sweep_look(const struct sweep *s);
const char *sweep_state_name(enum sweep_state state);

#endif
