/* SPDX-License-Identifier: Apache-2.0
 *
 * Causes: which inputs a row is made of. cause.def has the rule of each kind of node; here is what
 * the rules are made of.
 *
 * Causes name direct inputs: an event that was sent, or one that a statement inserted, by its own
 * reference (evt.ref). Whoever wants to know more follows the tree. What stands for one event alone
 * (a projection) has that event's reference and no list; what is made of several (a join, a match,
 * an aggregate) has no reference and a list (evt.causes). An event that is inserted gets a
 * reference of its own and a list. So:
 *
 * - the cause of a row that is delivered is its reference, or its list if it has none;
 * - the causes of an event of a stream are its list; an event that was sent has none.
 *
 * A sample of a group is its oldest and newest event and, of the rest, those with the smallest
 * xxh64 of the reference: CAUSE_KEPT in all (core/event/ref.h). What a window retains is sampled
 * when a row is made (cause_live: pointers to the events that the window holds, nothing computed
 * for each); where nothing ever leaves, the sample is kept (cause_ever).
 *
 * Saved state: both belong to their group; cause_live_save, cause_ever_save write them and the load
 * functions read them, where the group writes the rest of itself (sig/save.h). Off (NULL) they are
 * saved as empty by whoever owns the pointer. All of this is off unless the engine is asked for
 * causes (eng_conf.causes).
 */
#ifndef OPERATORS_SIG_CAUSE_H
#define OPERATORS_SIG_CAUSE_H

#include "core/event/ref.h"
#include "operators/sig/load.h"

enum {
    CAUSE_KEPT = REF_CAUSES,
    CAUSE_MAX = 256,  /* of one row: joins and patterns name all their events, up to here */
    CAUSE_EXTRA = 32, /* of those, what subqueries, tables and prev have added */
};

struct cause_list { /* on the stack, for one row */
    uint32_t len, max;
    struct eref r[CAUSE_MAX];
};

static inline void cause_list_init(struct cause_list *l, uint32_t max)
{
    l->len = 0;
    l->max = max;
}
static inline bool cause_has_ref(const struct evt *e)
{
    return (e->ref.hi | e->ref.lo) != 0;
}
uint64_t cause_hash(struct eref r); /* xxh64 of the 16 bytes, big-endian */
int cause_cmp(struct eref a, struct eref b);

/* Behind the others, unless it is there or the list is full. */
void cause_add(struct cause_list *l, struct eref r);
void cause_add_all(struct cause_list *l, const struct cause_list *from); /* NULL adds nothing */
/* What an event stands for: its reference; without one its list; without that, as of the match of a
 * pattern, the events in its columns, in their order. NULL adds nothing. */
void cause_add_event(struct cause_list *l, const struct evt *e);
/* What stands for many events, of which others have made a sample: an event without a reference,
 * whose list is one (first, last, then by hash). Columns of its type say when the first and the
 * last of them came (engine clock, ms; null: there was none). Samples of such are their union. */
#define CAUSE_FROM "kaiju_from"
#define CAUSE_TO   "kaiju_to"
bool cause_is_sample(const struct etype *t);
/* A sample of v[0..n), oldest first. */
void cause_add_sample(struct cause_list *l, struct evt *const *v, size_t n);
/* As the causes of a row or event that has neither reference nor list. */
void cause_give(struct vheap *h, struct evt *row, const struct cause_list *l);
/* What caused `row`, as the list of an event made of it. */
struct causes *cause_list_of(struct vheap *h, const struct evt *row);

/* ---- a group of what is retained ---- */

struct cause_live;

/* many: an event may enter several times before it leaves (rows of joins). */
struct cause_live *cause_live_new(struct vheap *h, bool many);
void cause_live_free(struct cause_live *l);
void cause_live_soon(const struct cause_live *l); /* it is about to be used: into the cache */
void cause_live_enter(struct cause_live *l, struct evt *e);
void cause_live_leave(struct cause_live *l, struct evt *e);
/* The sample: oldest, newest, `own` (what the row is about; NULL: the group alone), then by hash.
 */
void cause_live_list(struct cause_live *l, const struct cause_list *own, struct cause_list *to);
size_t cause_live_len(const struct cause_live *l);
void cause_live_save(struct save *s, const struct cause_live *l);
struct cause_live *cause_live_load(struct load *s);

/* ---- a group that nothing leaves ---- */

struct cause_ever {
    struct ref_set set;
};

/* at: engine clock, ms. One comparison with the largest hash kept, mostly. */
void cause_ever_add(struct cause_ever *s, int64_t at, const struct evt *e);
/* Associative, commutative, idempotent. */
void cause_ever_union(struct cause_ever *into, const struct cause_ever *other);
void cause_ever_list(const struct cause_ever *s, const struct cause_list *own,
                     struct cause_list *to);
void cause_ever_save(struct save *s, const struct cause_ever *c);
void cause_ever_load(struct load *s, struct cause_ever *c);

/* Both of a group, of which either or each may be NULL. Loading gives what there was: the caller's,
 * to be freed by cause_live_free and mem_free. */
void cause_save(struct save *s, const struct cause_live *live, const struct cause_ever *ever);
void cause_load(struct load *l, struct cause_live **ret_live, struct cause_ever **ret_ever);

#endif
