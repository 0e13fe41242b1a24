/* SPDX-License-Identifier: Apache-2.0
 *
 * Scans of a slot: one position, one fetch and one decode of a partition for all tasks that read it
 * (slot_read.c). Tasks at the head share the scans of the slot's reader; who begins or lags has
 * scans of a reader of its own and joins when it is there.
 */
#ifndef OPERATORS_SHARD_SLOT_READ_H
#define OPERATORS_SHARD_SLOT_READ_H

#include "core/base/arena.h"
#include "core/base/vec.h"
#include "core/bus/bus_types.h"
#include "operators/shard/slot_ride.h"

struct merge_hint;
struct merge_piece;
struct probe_party;
struct slot;
struct slot_one;

struct slot_batch { /* decoded records of one event of the bus, for all tasks that read them */
    struct slot *slot;
    struct arena *arena;
    uint32_t refs;
};

struct slot_lane { /* of a sub-stream */
    int64_t quiet; /* at its end since then (mono); INT64_MAX: it is not */
    int64_t next;  /* what of it lies before was handed out, */
    bool withheld; /* and what lies from there on to where the scan stands was not (slot_room.c) */
    size_t bytes;  /* that wait */
};

struct slot_input { /* one task's view of a partition */
    struct slot_one *one;
    struct slot_scan *scan; /* NULL: nobody reads for it now */
    size_t buffered;
    uint32_t first, n; /* its sub-streams */
    int64_t next;      /* what lies before it was handed out, or withheld */
    int64_t floor;     /* what its last snapshot needs is from there on (slot_floor.c), */
    int64_t floor_cut; /* and what that under way will */
    int64_t taken_ms;  /* when the record taken last was appended; 0: none was */
    struct slot_lane *lanes;
    bool near;         /* retention is near the floor */
    bool rides;        /* slot_ride.c: since so many events of the ride, */
    size_t at;         /* in the scan's list */
    uint32_t ride_sub; /* of that sub-stream */
    uint64_t ride_from;
    struct probe_party *ride_party;
};

struct slot_ride {               /* of a scan: records that were passed over by all who ride */
    uint32_t riders;             /* the last of the scan's inputs */
    bool asleep;                 /* one of them sleeps */
    uint64_t events;             /* in all */
    int64_t next, time_ms, peak; /* behind the last record; its time; their largest ts */
    int64_t limit, clock, bound; /* of all riders, the strictest (merge_ride) */
};

struct slot_piece { /* owner of a merge_piece */
    struct slot_batch *batch;
    struct slot_input *input;
    struct slot_lane *lane;
    size_t bytes;
    int64_t time_ms;
};

struct slot_scan {
    struct bus_tp tp;
    struct slice topic;
    uint32_t index, id;
    uint32_t load;          /* whose reader has it; SLOT_LOADS: it is at the head */
    int64_t start, end;     /* bounds, when it was asked */
    int64_t next;           /* what lies before it was read */
    int64_t known_end;      /* it reached so far at least */
    int64_t low, low_first; /* from there on it is there, as was told last, and first: */
    bool told;
    int64_t time_ms;   /* of the record being read */
    int64_t end_since; /* at the stable end since then (mono); INT64_MAX: it is not */
    int64_t gap;       /* input before it is gone: it waits there (slot_gap.c); 0: no */
    int64_t stop;      /* in a run over a range: the first offset behind it; INT64_MAX: open */
    bool assigned, paused, aligned;
    bool past;            /* it is read for who waits there; those who have enough let it go by, */
    bool apart, over;     /* so not all of it was handed out up to `next`; over: nor up to `stop` */
    size_t since_seek;    /* bytes that were read */
    bool some, asleep;    /* slot_probe.c: who reads it may be spared something; one sleeps */
    uint32_t rest, rests; /* records that are not probed (slot_probe.c): so many; still to come */
    struct slot_ride ride;
    VEC(struct slot_input *) inputs;
};

void slot_inputs_make(struct slot *s, struct slot_one *o); /* with scans of its load */
void slot_inputs_free(struct slot *s, struct slot_one *o); /* behind its task */
void slot_inputs_leave(struct slot *s, struct slot_one *o);
struct slot_scan *slot_scan_find(const struct slot *s, uint32_t load, const struct slot_scan *like);
struct slot_scan *slot_scan_new(struct slot *s, uint32_t load, const struct slot_scan *like);
void slot_scan_assign(struct slot *s, struct slot_scan *c, int64_t from);
void slot_input_attach(struct slot_scan *c, struct slot_input *in);
void slot_input_swap(struct slot_scan *c, struct slot_input *in, size_t at); /* with who is there */
void slot_input_detach(struct slot_input *in);
void slot_batch_drop(struct slot_batch *b);
struct slot_scan *slot_scan_at(const struct slot *s, uint64_t tag); /* NULL: it is gone */
struct bus_client *slot_client_of(const struct slot *s, bool aligned);
struct bus_reader *slot_reader_of(const struct slot *s, const struct slot_scan *c);
/* Everybody who reads it loses his state; the next step takes them out. */
void slot_lose_readers(struct slot *s, struct slot_scan *c, const char *why);
void slot_scan_range(const struct slot *s, struct slot_scan *c); /* once its bounds are known */
void slot_scans_begin(struct slot *s, uint32_t load);            /* from where its tasks stand */
void slot_scans_join(struct slot *s); /* who has caught up goes to the head */
void slot_scans_free(struct slot *s);
void slot_scan_records(struct slot *s, struct slot_scan *c, const struct bus_ev *ev);
void slot_scan_end(struct slot *s, struct slot_scan *c, const struct bus_ev *ev);
void slot_scan_error(struct slot *s, struct slot_scan *c, const struct bus_ev *ev);
/* slot_gap.c: what lies before the offset is gone; tasks go on behind it, when they are there. */
void slot_gap_found(struct slot_scan *c, int64_t left);
void slot_gaps(struct slot *s);
/* A task that begins, with the journal that was read: it cannot be played. */
bool slot_gap_in_journal(const struct slot *s, const struct slot_one *o);
void slot_gap_begin(struct slot *s, struct slot_one *o);
void slot_gap_lost(struct slot *s, struct slot_one *o); /* its journal is, as a whole */
bool slot_gap_stops(const struct slot *s, const struct slot_one *o); /* ... it turns out */
void slot_align(struct slot *s);               /* who has waited long enough may be passed over */
int64_t slot_align_next(const struct slot *s); /* when the next has; INT64_MAX */
/* slot_room.c: how much may wait */
void slot_room(
    struct slot *s); /* in each step: who has enough is passed, who needs more is read for */
void slot_hold(struct slot *s, struct slot_scan *c, bool may_lag);
size_t slot_room_of(const struct slot *s, const struct slot_input *in); /* bytes at most */
bool slot_has_room(const struct slot *s, const struct slot_input *in);
/* True: he has enough, and others are read for: it is for later. */
bool slot_withholds(const struct slot *s, const struct slot_input *in, struct slot_lane *lane,
                    int64_t offset);
void slot_input_stands(struct slot_input *in, int64_t at); /* all its lanes, unless further on */
void slot_scan_seek(struct slot *s, struct slot_scan *c, int64_t to);
/* slot.c: few events of a record concern the task. They are taken as it is handed out, so that what
 * comes behind them can be passed over: not for long, and only if nothing is waited for. */
void slot_take_early(struct slot *s, struct slot_one *o);
static inline size_t slot_others(const struct slot_scan *c) /* inputs that do not ride: the first */
{
    return c->inputs.len - c->ride.riders;
}
void slot_piece_done(void *arg, void *owner);
/* All inputs of the task have been at their end since then; INT64_MAX: not all are. */
int64_t slot_idle_since(const struct slot_one *o);

#endif
