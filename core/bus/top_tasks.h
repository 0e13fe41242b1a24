/* SPDX-License-Identifier: Apache-2.0
 *
 * What `kaiju top` shows of rules: the tasks of rule graphs as ctl.tasks has them, with what they
 * take, how far they are behind, and their dearest rule. Pure: reports and a time in, text out.
 */
#ifndef CORE_BUS_TOP_TASKS_H
#define CORE_BUS_TOP_TASKS_H

#include "core/base/buf.h"

enum { TOP_TASKS_MAX = 256, TOP_TASKS_SHOWN = 10 };

struct top_tasks;

struct top_tasks *top_tasks_new(void);
void top_tasks_free(struct top_tasks *t);
/* value: JSON; absent: the task is gone. What cannot be read is passed over. */
void top_tasks_add(struct top_tasks *t, struct slice key, struct slice value);
/* Appends the table, if there are tasks: those that take most, with rates since the last call. */
void top_tasks_show(struct top_tasks *t, int64_t now_ns, struct buf *out);

#endif
