/* SPDX-License-Identifier: Apache-2.0
 *
 * Views without an engine: a plan, and worlds in which it lives. A world has a heap, timers and a
 * clock of its own; what its view puts out is written down as text. Worlds of one plan that are
 * given the same play the same.
 */
#ifndef TESTS_UNIT_OPERATORS_WINDOW_WIN_FIXTURE_H
#define TESTS_UNIT_OPERATORS_WINDOW_WIN_FIXTURE_H

#include "operators/window/window.h"
#include "tests/unit/operators/state_fixture.h"

struct win_plan {
    struct arena *a;
    struct catalog cat;
    struct vheap *h; /* constants */
    const struct etype *type;
    struct view_plan p;
    struct state_fixture state;
};
/* `views` as behind a stream: "#length(3)". The stream E: id int, k string, x double, y double,
 * ts long, n int; all but id and ts may be null. */
void win_plan_init(struct win_plan *p, const char *views);
void win_plan_done(struct win_plan *p);

struct win_world {
    struct win_plan *p;
    struct vheap *h;
    struct tmr_queue *timers;
    struct ectx ctx;
    struct evt *row[1];
    struct view_env env;
    struct view *v;
    struct buf out;
};
void win_world_init(struct win_world *w, struct win_plan *p, int64_t now);
void win_world_done(struct win_world *w); /* checks that nothing is left */
void win_world_send(struct win_world *w, uint32_t id, uint64_t seed, uint32_t n); /* n events */
/* Deletes the n-th of what the view holds; false if there are not so many. */
bool win_world_delete(struct win_world *w, size_t n);
void win_world_advance(struct win_world *w, int64_t now);
/* What the view holds, and what prev and its kin say, into out. */
void win_world_look(struct win_world *w);
void win_world_save(struct win_world *w); /* to p->state.bytes */
bool win_world_load(struct win_world *w, struct slice bytes, struct err *reterr);

#endif
