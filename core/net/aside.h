/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread beside a loop, for work that takes longer than a loop may be silent (compiling large
 * documents). Jobs are done one after the other, in the order in which they were asked for, and
 * handed back in that order on the loop's thread:
 *
 *     struct aside *a = aside_new(loop);
 *     aside_do(a, compile, compiled, job);    compile(job) there, then compiled(job, true) here
 *
 * What a job works on is its own until it is handed back. `done` is called once for each: with
 * false if the job was not worked on because of aside_free, which waits for the one under way.
 * `done` may ask for more. Loop thread, but for `work`.
 */
#ifndef CORE_NET_ASIDE_H
#define CORE_NET_ASIDE_H

#include "core/net/loop.h"

#include <stddef.h>

struct aside;

struct aside *aside_new(struct loop *l);
void aside_free(struct aside *a); /* before its loop; NULL is fine */
/* NULL for `a`: both at once, here. Whoever asks bounds how many wait. */
void aside_do(struct aside *a, void (*work)(void *arg), void (*done)(void *arg, bool worked),
              void *arg);
size_t aside_waiting(const struct aside *a); /* not handed back yet; of NULL: 0 */

#endif
