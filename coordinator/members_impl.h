/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of members.h: members_take.c has the records, members.c what follows from them.
 */
#ifndef COORDINATOR_MEMBERS_IMPL_H
#define COORDINATOR_MEMBERS_IMPL_H

#include "coordinator/members.h"
#include "coordinator/moved.h"
#include "core/base/map.h"

#include <jansson.h>

#define NUMBER_MAX (INT64_MAX / 2) /* of an incarnation, an epoch */

enum {
    SLOTS_MAX = 64, /* of a worker */
    ARENA_MAX = 256 << 20,
    KEY_BYTES = 160,
    NAME_MAX_BYTES = KEY_BYTES - 40, /* of a worker: keys and writers have numbers behind it */
    MOVES_MAX = 4,                   /* tasks that nobody runs for a moment */
    TASKS_MAX = 100000,
};

struct held { /* what a worker says of one of his slots */
    int64_t incarnation, epoch;
    bool lost;
    char waits[KEY_BYTES]; /* for that writer, too long, to let a task go; empty */
};

struct worker {
    char *name, *boot, *level;
    char *left; /* the boot that has said, last of all, that it leaves */
    uint32_t n_slots;
    int64_t beat, seen; /* seen: mono */
    int64_t graphs_end; /* its slots follow ctl.graphs up to there; 0: it does not say */
    int64_t patience;   /* so much longer it will be silent, it says: it lays a graph out */
    bool leaves;
    bool refused; /* it runs nothing: another worker has its name */
    char *of;     /* which is this */
    struct held held[SLOTS_MAX];
};

struct seat { /* a record of ctl.assign */
    char *key, *worker, *boot;
    uint32_t number;
    int64_t incarnation, epoch;
    bool revoked, fencing, fenced;
    uint64_t tag; /* of the fence */
    json_t *tasks;
    json_t *died;  /* of its tasks, those whose worker before it has died */
    json_t *moved; /* and those that a slot that lives had: its writer, by task */
    char *value;   /* as it was read */
};

/* Of a graph. It is made beside the loop; until then the one before it stays. */
struct plan {
    struct members *m;
    char *key, *document;
    uint64_t turn; /* of the graph, when it was asked for */
    struct arena *arena;
    const struct coordinator_group *groups;
    uint32_t n_groups;
    int rc;
    struct err err;
};

struct planned {       /* a graph */
    struct plan *plan; /* NULL: none yet */
    uint64_t turn;     /* raised with each change */
    bool asked;        /* for the plan of this turn, or it is there */
};

struct members {
    struct members_conf conf;
    struct map workers, seats, plans;
    struct map strange; /* keys of ctl.assign whose records cannot be read */
    struct map died;    /* tasks whose worker has died, until others have them */
    struct moved moved;
    uint32_t under_way;              /* changes */
    bool dirty;                      /* something has changed since tasks were given */
    uint64_t tags, turns, seat_turn; /* seat_turn: raised by each record of ctl.assign */
    int64_t last;                    /* number given */
    int64_t stepped;                 /* when it last looked */
    int64_t full_until;              /* the bus had no room: nothing is tried before */
    struct members_count count;
};

static inline int64_t members_now(const struct members *m)
{
    return clock_mono(bus_clock(m->conf.bus));
}
static inline bool members_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}
/* members.c */
bool members_has_worker(const struct members *m, const struct seat *s);
/* members_take.c */
void members_worker_free(struct worker *w);
void members_seat_free(struct seat *s);
const char *members_writer(const struct seat *s, char to[KEY_BYTES]); /* the name of its writer */

#endif
