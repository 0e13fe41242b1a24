/* SPDX-License-Identifier: Apache-2.0
 *
 * Work on a stack of its own, which may rest in the middle and go on later: for work of unknown
 * length in a thread that has other things to do. One thread; fibers do not nest.
 */
#ifndef CORE_BASE_FIBER_H
#define CORE_BASE_FIBER_H

#include <stdbool.h>

struct fiber;

struct fiber *fiber_new(void);    /* NULL: there is no room for its stack */
void fiber_free(struct fiber *f); /* nothing is under way; NULL: nothing */
/* Until the work is done, or rests: true if it is done. */
bool fiber_begin(struct fiber *f, void (*work)(void *arg), void *arg);
bool fiber_go_on(struct fiber *f); /* behind a rest */
/* Called by the work: whoever runs it goes on, until fiber_go_on. */
void fiber_rest(struct fiber *f);

#endif
