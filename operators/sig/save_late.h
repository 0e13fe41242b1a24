/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving in slices. What a node holds may be too much to be written at once. It then says so where
 * it would write it (save_later, or save_node_later for all of a node that keeps by key), and goes
 * on; later it is asked to write the rest, some of it at a time (ops.step), while it is in use.
 * What is written is what there was when it was asked first: before something of it changes or goes
 * away, its owner writes that (save_late_to). The bytes are those that save would have made at
 * once.
 *
 * Events that are written later must have their numbers already, for these must not depend on when
 * that is: they get them at the end of the step that they outlive (vheap_number_from). What is
 * written by itself has a space of its own (save_space, save_evt_apart). Things by key may be
 * written in any order: save_item tells each one's place in its group.
 *
 * Events that stand apart (save_evt_apart) need nobody to care: events do not change, so at the cut
 * each is only kept, and written out when it is its turn. That is about a fiftieth of what writing
 * costs. It is what is done with all that has no better way: a cursor and a call before each change
 * cost nothing at the cut.
 *
 * A large thing of a node need not be written whole before it changes: when there is much of it,
 * its events are only kept from there on, and a long list is one of what is kept; a part of it may
 * be written later itself (save_later), or out of what cannot change any more (save_tail_takes).
 * That is the tail of it (save_tail.c).
 *
 * To let another kind of state be written in slices: a cursor, a step, and a call before each
 * change; `kaiju epl scenario --reload` compares the outcome at every step.
 */
#ifndef OPERATORS_SIG_SAVE_LATE_H
#define OPERATORS_SIG_SAVE_LATE_H

#include "operators/sig/save.h"

struct save_late_ops {
    /* Writes about so many bytes. True: all is written, and nothing will be asked for. */
    bool (*step)(void *arg, size_t bytes);
    void (*forget)(void *arg); /* nobody wants it any more */
};

/* ---- for who is saved ---- */
/* NULL: it must be written now, because nothing is written later or size (in bytes, roughly) is
 * little. Else it is written in this place. */
struct save_late *save_later(struct save *s, const struct save_late_ops *ops, void *arg,
                             size_t size);
/* Likewise all of the node, which has just begun. */
struct save_late *save_node_later(struct save *s, const struct save_late_ops *ops, void *arg,
                                  size_t size);
struct save *save_late_to(struct save_late *x);
size_t save_late_bytes(const struct save_late *x); /* written and not yet taken; of a part */
/* The owner goes away, and has written all of it. */
void save_late_end(struct save_late *x);
/* What follows is one thing of the group, at that place among the others. Without slices: nothing.
 */
void save_item(struct save *s, uint64_t place);
/* Of a large thing under way: what follows now may be written out of something that does not change
 * (save_tail_add). False: it must be written here. */
bool save_tail_takes(struct save *s);
struct save_tail_ops {
    bool (*step)(void *arg, struct save *to); /* writes about an event; true: all is written */
    void (*free)(void *arg);                  /* it is written, or nobody wants it any more */
};
void save_tail_add(struct save *s, const struct save_tail_ops *ops, void *arg);
size_t save_item_bytes(const struct save *s); /* written since; of what is written later */

/* ---- for who saves ---- */
struct save_hole { /* in the bytes of a chunk */
    size_t at;
    struct save_late *late; /* or */
    struct evt *e;          /* one that stands apart */
};
/* Parts of `least` bytes and more are written later. on_held: instead of on_chunk for a chunk with
 * such parts, by save_end; whoever is given a save_late frees it, and drops an event that it is
 * given. The heap is that of the events. */
void save_in_slices(struct save *s, size_t least, struct vheap *heap,
                    void (*on_held)(void *arg, const struct save_chunk *c,
                                    const struct save_hole *holes, size_t n));
/* What stands between events, and they themselves, one behind the other, by one who writes nothing
 * else; what there is of it since it was asked last, valid until more is written. */
struct save *save_pieces_new(const struct save_types *types, uint64_t *serial);
void save_piece_bytes(struct save *s, struct slice bytes);
void save_piece_evt(struct save *s, struct evt *e);
size_t save_pieces_len(const struct save *s);
struct slice save_pieces_take(struct save *s);
/* Goes on with about so many bytes. True: all is written. */
bool save_late_step(struct save_late *x, size_t bytes);
/* All that was noted of large things; types are about to lose their numbers. */
void save_late_settle(struct save_late *x);
bool save_late_is_node(const struct save_late *x);
/* Of a part in its place: at most so many bytes, valid until the next call. */
struct slice save_late_take(struct save_late *x, size_t max);
/* Of a whole node, when all is written: its chunks one by one, by group, in pieces of about so many
 * bytes, valid until the next call; false: no more. */
struct save_piece {
    struct save_chunk of; /* its bytes are those of the piece */
    bool begins, ends;    /* the chunk */
};
bool save_late_piece(struct save_late *x, size_t max, struct save_piece *ret);
void save_late_free(struct save_late *x); /* NULL is fine; the owner is told, if it is not done */

#endif
