/* SPDX-License-Identifier: Apache-2.0
 *
 * One record of the bus as lines for a person or a program: its events when it holds a batch, else
 * the record itself. Used by `kaiju tail`.
 */
#ifndef CORE_BUS_TAIL_SHOW_H
#define CORE_BUS_TAIL_SHOW_H

#include "core/base/buf.h"
#include "core/bus/bus_types.h"
#include "core/bus/tail_spec.h"

#include <stdio.h>

struct tail_show;

enum tail_format { TAIL_TABLE = 0, TAIL_JSON = 1 };
enum { TAIL_FILTERS_MAX = 16 };

struct tail_show_conf {
    enum tail_format format;
    struct slice type; /* only events of this type; absent = all */
    struct tail_filter filters[TAIL_FILTERS_MAX];
    size_t filter_count;
    uint16_t topic_id; /* in references; 0 = not a built-in topic */
};

struct tail_show *tail_show_new(const struct tail_show_conf *conf);
void tail_show_free(struct tail_show *s);
/* Writes what passes the filters to `to`: the number of lines, at most max. */
uint64_t tail_show_record(struct tail_show *s, uint32_t part, const struct bus_record *r,
                          uint64_t max, FILE *to);

#endif
