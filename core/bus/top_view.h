/* SPDX-License-Identifier: Apache-2.0
 *
 * What `kaiju top` has seen: events per type and second, and the latest errors. Pure: batches and a
 * time in, text out. What counts as an error is a table in top_view.c.
 */
#ifndef CORE_BUS_TOP_VIEW_H
#define CORE_BUS_TOP_VIEW_H

#include "core/base/buf.h"
#include "core/event/rec.h"

enum { TOP_TYPES_MAX = 32, TOP_ERRORS_MAX = 8, TOP_SERVICES_MAX = 256 };

struct top_view;

struct top_view *top_view_new(void);
void top_view_free(struct top_view *v);
void top_view_add(struct top_view *v, const struct rec_batch *b);
/* Appends the table, with rates since the last call; width = columns of the terminal. */
void top_view_show(struct top_view *v, int64_t now_ns, uint32_t width, struct buf *out);
uint64_t top_view_total(const struct top_view *v);

#endif
