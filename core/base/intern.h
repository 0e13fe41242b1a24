/* SPDX-License-Identifier: Apache-2.0
 *
 * Interning: equal strings get the same small number, and its text lives as long as the table.
 * Ids start at 1; 0 is "none". Numbers depend on the order of insertion: they never leave the
 * process. One thread. A limit in strings and bytes is mandatory, because keys come from outside:
 * at the limit intern_id answers 0 and the caller falls back to the string itself.
 */
#ifndef CORE_BASE_INTERN_H
#define CORE_BASE_INTERN_H

#include "core/base/slice.h"

struct intern;

struct intern *intern_new(size_t max_strings, size_t max_bytes);
void intern_free(struct intern *t);
uint32_t intern_id(struct intern *t, struct slice s);          /* 0 at the limit */
uint32_t intern_find(const struct intern *t, struct slice s);  /* 0 if absent */
struct slice intern_text(const struct intern *t, uint32_t id); /* {NULL, 0} for 0 */
size_t intern_count(const struct intern *t);

#endif
