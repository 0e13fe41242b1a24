/* SPDX-License-Identifier: Apache-2.0
 *
 * The route probe of a slot: which events of a record concern which tasks, found out once for all
 * of them. A *party* is a set of wants (operators/route/want.h): of one engine, or of a layout, for
 * all tasks of a group whose rules have not met an event yet. What a probe says is never too
 * little; it may be too much, and then the task's own rules say no.
 *
 * Nothing that comes out of a task depends on it: events that do not concern a task only move its
 * clock (merge_pass). Knows the built-in types of Kaiju's own world; events of other types concern
 * everybody. Only columns that somebody asks for are made. One thread.
 */
#ifndef OPERATORS_SHARD_PROBE_H
#define OPERATORS_SHARD_PROBE_H

#include "core/event/rec.h"
#include "operators/route/want.h"

struct probe;
struct probe_party;

/* keys: the intern table of whoever decodes the events. */
struct probe *probe_new(struct intern *keys);
void probe_free(struct probe *p);
/* shared: who joins with the same one (not NULL) is the same party; it lives as long as he does. */
struct probe_party *probe_join(struct probe *p, const struct route_want *wants, size_t n,
                               const void *shared);
void probe_leave(struct probe *p, struct probe_party *who); /* NULL: nothing */
/* Never given twice. */
uint64_t probe_id(const struct probe_party *who);
/* The events of one record; what parties want of them is copied into the arena. */
void probe_record(struct probe *p, struct arena *a, const struct rec *events, uint32_t n);
/* Of the last record, ascending; NULL: there was no room. */
/* Who watches a party is told when it wants something of the record: he may stop watching then. */
void probe_watch(struct probe_party *who, void *arg);
void probe_unwatch(struct probe_party *who, const void *arg);
void probe_tell(const struct probe *p, void (*f)(void *to, void *arg), void *to);
const uint32_t *probe_wanted(const struct probe *p, const struct probe_party *who, uint32_t *ret_n);
bool probe_one(struct probe *p, const struct probe_party *who, const struct rec *event);

#endif
