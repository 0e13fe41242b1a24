/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of saving only: save.c writes, save_late.c is about what is written later,
 * save_tail.c about large things among that.
 */
#ifndef OPERATORS_SIG_SAVE_IMPL_H
#define OPERATORS_SIG_SAVE_IMPL_H

#include "core/base/vec.h"
#include "operators/sig/save_late.h"

#include <assert.h>

enum { SAVE_SPACES_MAX = 8 };

struct seen { /* an event in a chunk */
    uint64_t serial;
    uint32_t chunk, number; /* number 0: free */
};

struct item { /* a thing of a group, in the bytes of its part */
    uint64_t place;
    size_t at, len; /* len: known at the end */
};

struct part {
    uint16_t group;
    uint32_t events; /* written */
    struct buf out;
    VEC(struct item) items;
    bool mixed; /* they did not come in order */
};

struct save {
    const struct save_types *types;
    uint64_t *serial;
    void (*on_chunk)(void *arg, const struct save_chunk *c);
    void *arg;
    uint64_t node;
    VEC(struct part) parts; /* of the node; those behind n_parts keep their memory */
    size_t n_parts, at;
    uint16_t part_of[SAVE_GROUPS + 1]; /* by group: place + 1 */
    struct seen_table {                /* of events: open addressing; it grows while it is used */
        struct seen *v, *old;          /* old: NULL, or what it grew out of, all of it */
        size_t n, size, old_size,
            moved; /* sizes: powers of two; moved: of old, from its beginning */
    } seen;
    uint32_t spaces; /* of numbers: of events that stand apart; so many were begun */
    struct space {
        uint32_t number, events;      /* 0: the chunk's own; written in it */
    } space, around[SAVE_SPACES_MAX]; /* the one under way, and those that it stands in */
    uint32_t n_around;

    /* in slices: NULL, or where chunks with holes go */
    void (*on_held)(void *arg, const struct save_chunk *c, const struct save_hole *holes, size_t n);
    size_t least;
    struct vheap *heap;          /* of events that are only kept; NULL: they are written */
    VEC(struct save_hole) holes; /* of the node */
    size_t n_lates;              /* of them, the others are events */
    bool late, by_item;          /* it is written later; things have places */
    bool taken;                  /* the pieces there are */

    /* of a node that is written later: */
    struct vheap *keeper;          /* of events that are kept for tails; NULL: there are none */
    struct save_tail *tail;        /* of the thing under way, or NULL */
    VEC(struct save_tail *) tails; /* of things before it; those before next_tail are written */
    size_t next_tail;
};

struct save_late {
    struct save *to;
    const struct save_late_ops *ops;
    void *arg;
    bool done, node;     /* node: all of it */
    size_t taken;        /* of its bytes; groups up to which its chunks were given */
    struct part *giving; /* of a node: the one that is given in pieces; NULL */
    size_t given;        /* bytes of it */
    struct buf sorted;
};

static inline struct part *save_part(struct save *s)
{
    assert(s->n_parts > 0);
    return &s->parts.ptr[s->at];
}

void save_event_apart(struct save *s, struct evt *e); /* written out here */
void save_forget_seen(struct save *s);

/* ---- save_tail.c ---- */
/* What follows in the thing under way is noted and written later, if there is much of it already,
 * or (long) now. */
bool save_tail_begun(struct save *s, bool is_long);
static inline bool save_in_tail(struct save *s)
{
    return UNLIKELY(s->by_item) && save_tail_begun(s, false);
}
void save_tail_evt(struct save *s, struct evt *e, bool apart);
void save_tail_list(struct save *s, struct vlist *l); /* what is in it */
void save_tail_space(struct save *s, bool begins);
void save_tail_late(struct save *s, struct save_late *x);
void save_tail_end(struct save *s); /* the thing is over; nothing under way: nothing */
/* Writes about so many bytes. True: all tails are written. */
bool save_tails_step(struct save *s, size_t bytes);
void save_tails_forget(struct save *s);

#endif
