/* SPDX-License-Identifier: Apache-2.0
 *
 * The bus: a partitioned log with atomic commits over many partitions, and the only door to
 * storage, clocks and timers. Three implementations behind one table (bus_impl.h), one behaviour.
 *
 * A `struct bus` belongs to the process (any thread). A `struct bus_client` belongs to one thread;
 * readers and writers belong to their client. NO CALL BLOCKS, but bus_new, bus_free and bus_wait:
 * a call starts an operation, its end is an event of bus_poll that carries the caller's tag. A call
 * that answers non-zero started nothing. What an event points at lives until the next bus_poll of
 * that client. bus_fd is readable whenever bus_poll may have something to give.
 *
 * The contract. Only committed records are readable. Offsets are opaque, increasing, and may have
 * gaps. Record time is the time of the append; it serves retention and bus_by_time only. END
 * reports the stable end: the first offset not yet decided; it may come again, with a greater
 * offset, when that moved over nothing readable. COMMITTED and DELIVERED promise that the records
 * stay; readers get them once all before them in the partition is decided. Opening a slot fences
 * its former holder: when OPENED arrives, all he committed is readable and he will commit nothing
 * more.
 *
 * Slot writers: puts belong to the transaction that the next bus_commit ends; the first put begins
 * it. While a commit is under way further puts are taken for the next one, whose bus_commit is
 * accepted (else -ERR_AGAIN) once the first has ended, that is, its event was polled. COMMITTED
 * counts for its own transaction. Any other end (ABORTED, UNKNOWN, FENCED, FULL) also discards what
 * was put since that commit was called: the caller keeps what he put until it is known to be
 * committed, and puts it again in order. A commit without puts ends as COMMITTED without spans.
 * While an abort is under way puts and commits answer -ERR_AGAIN. A transaction left open too long
 * ends as ABORTED or FENCED. An event with `reopen` set (UNKNOWN and FENCED always) is the last of
 * its writer, which takes nothing more: bus_writer_close it and bus_open the slot again (then check
 * your lease before you write). FENCED comes once, as the end of a commit or abort or by itself
 * with the tag of bus_open.
 * Plain writers: each put is durable by itself and ends as DELIVERED or REFUSED with its token;
 * puts of one writer to one partition keep their order; nothing is fenced. What was REFUSED with
 * ERR_UNKNOWN may be readable all the same.
 */
#ifndef CORE_BUS_BUS_H
#define CORE_BUS_BUS_H

#include "core/bus/bus_types.h"

/* May do I/O. The clock is used by local and kafka; sim has its own. */
int bus_new(const struct bus_conf *conf, struct bus **ret_bus, struct err *reterr) NODISCARD;
void bus_free(struct bus *b); /* after all clients; waits for what is under way */
enum bus_kind bus_kind(const struct bus *b);
struct bus_stats bus_stats(const struct bus *b);
const char *bus_kind_name(enum bus_kind kind);
const char *bus_ev_name(enum bus_ev_kind kind);

struct bus_client *bus_client_new(struct bus *b, const char *name);
void bus_client_free(struct bus_client *c); /* closes its readers and writers; open work aborts */
/* Events that have happened, at most max of them; 0 = nothing now. */
int bus_poll(struct bus_client *c, struct bus_ev *ret_evs, int max);
int bus_fd(const struct bus_client *c);
/* While held, no RECORDS need come: for who has more at hand than he can use. What was fetched
 * stays where it is. */
void bus_hold(struct bus_client *c, bool held);

/* For tools and tests: returns when bus_poll may have something, or after timeout_ns. Under sim it
 * runs the world. */
void bus_wait(struct bus_client *c, int64_t timeout_ns);
const struct clock *bus_clock(const struct bus_client *c);
/* TIMER with this tag when clock_mono reaches at_ns (a past time: at the next poll). */
void bus_at(struct bus_client *c, int64_t at_ns, uint64_t tag);
void bus_at_cancel(struct bus_client *c, uint64_t tag);

/* A small number for a topic name, the same for the life of the client; no I/O. 0 = the name is
 * not a legal one or there are too many. */
uint32_t bus_topic(struct bus_client *c, struct slice name);
struct slice bus_topic_name(const struct bus_client *c, uint32_t topic);

/* Administration: each ends as DONE or ERROR with the tag (what is unknown: ERR_NOT_FOUND). */
/* Creates what is missing. Another partition count or cleanup than asked for: ERR_MISMATCH.
 * Retention of a topic that exists is left as it is. */
int bus_ensure(struct bus_client *c, const struct bus_topic_spec *specs, uint32_t n, uint64_t tag,
               struct err *reterr) NODISCARD;
int bus_describe(struct bus_client *c, uint32_t topic, uint64_t tag, struct err *reterr) NODISCARD;
/* One of several brokers may hear of a topic that others have made a moment later. */
int bus_list(struct bus_client *c, uint64_t tag, struct err *reterr) NODISCARD;
int bus_bounds(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr) NODISCARD;
/* Likewise, when all that was written by now is decided. What is committed lies behind the stable
 * end as long as another's transaction is open that wrote to the partition before it: who must not
 * miss what a writer before it has committed waits for this end. */
int bus_settled(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr) NODISCARD;
/* The first offset whose record time is >= time_ms, or the stable end. */
int bus_by_time(struct bus_client *c, struct bus_tp tp, int64_t time_ms, uint64_t tag,
                struct err *reterr) NODISCARD;
/* Removes what lies before the offset; the start moves there (beyond the end: ERR_RANGE). Not for
 * BUS_COMPACT topics (ERR_UNSUPPORTED). */
int bus_trim(struct bus_client *c, struct bus_tp tp, int64_t before, uint64_t tag,
             struct err *reterr) NODISCARD;
/* Retention and compaction now, where the bus does them itself; elsewhere DONE at once. */
int bus_maintain(struct bus_client *c, uint64_t tag, struct err *reterr) NODISCARD;
/* Ends the present holder of the slot, if any; decided when DONE arrives. */
int bus_fence(struct bus_client *c, struct slice slot, uint64_t tag, struct err *reterr) NODISCARD;
/* Takes part in the election of this name until bus_resign; LEADER at every change of `leading`,
 * and at least once. Twice by one client: ERR_EXISTS. */
int bus_elect(struct bus_client *c, struct slice name, uint64_t tag, struct err *reterr) NODISCARD;
void bus_resign(struct bus_client *c, struct slice name);

/* Reading. A reader holds any number of partitions, each at its own position. */
struct bus_reader *bus_reader_new(struct bus_client *c);
void bus_reader_free(struct bus_reader *r);
/* tag comes back in every event of the partition. ERR_EXISTS if it is assigned already. A position
 * below the start ends in ERROR with ERR_GONE, one far beyond the end with ERR_RANGE, and waits
 * there for bus_seek; an unknown topic or partition in ERROR with ERR_NOT_FOUND. */
int bus_assign(struct bus_reader *r, struct bus_tp tp, int64_t from, uint64_t tag,
               struct err *reterr) NODISCARD;
/* After these return, no event of the old position comes any more. Not assigned: nothing happens,
 * seek and pause answer -ERR_NOT_FOUND. */
void bus_unassign(struct bus_reader *r, struct bus_tp tp);
int bus_seek(struct bus_reader *r, struct bus_tp tp, int64_t to, struct err *reterr) NODISCARD;
/* A paused partition gives no events and keeps its position; what was fetched waits. */
int bus_pause(struct bus_reader *r, struct bus_tp tp, bool paused, struct err *reterr) NODISCARD;

/* Writing. Ends as OPENED, or as ERROR with reopen set: close it then; a slot name of length 0
 * opens a plain writer. The writer may not be used before OPENED. */
int bus_open(struct bus_client *c, struct slice slot, uint64_t tag, struct bus_writer **ret_writer,
             struct err *reterr) NODISCARD;
void bus_writer_close(struct bus_writer *w); /* open puts are aborted or given up, without events */
/* 0; -ERR_AGAIN: the queue is full: poll first (or commit, if nothing is under way: a transaction
 * is not larger than the queue); -ERR_TOO_BIG: over BUS_RECORD_MAX (key, value and
 * headers together); -ERR_NOT_FOUND: no such topic or partition, -ERR_USAGE: a null key for a
 * compacted topic (kafka may say both only later); -ERR_CLOSED: not open, fenced or used up. */
int bus_put(struct bus_writer *w, const struct bus_put *put, struct err *reterr) NODISCARD;
int bus_commit(struct bus_writer *w, uint64_t tag, struct err *reterr) NODISCARD;
/* Discards what was put since the last bus_commit; ends as ABORTED, after the commit under way. */
int bus_abort(struct bus_writer *w, uint64_t tag, struct err *reterr) NODISCARD;

#endif
