/* SPDX-License-Identifier: Apache-2.0
 *
 * One memory budget for everything that receivers hold: request bodies, packed and unpacked, until
 * they are answered. Nothing is read that was not taken from here before, so overload is refused
 * before memory is gone. Fair shares: up to half of the limit anybody may hold anything; above it a
 * connection may hold at most an eighth of the limit, so that one sender cannot starve the others.
 * Loop thread.
 */
#ifndef INGEST_BUDGET_H
#define INGEST_BUDGET_H

#include "core/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUDGET_SHARE = 8 };

struct budget {
    size_t limit, used, peak;
    uint64_t refused;
};

void budget_init(struct budget *b, size_t limit);
/* May so many more bytes be held, by somebody who holds `held` already? */
bool budget_take(struct budget *b, size_t bytes, size_t held) NODISCARD;
void budget_give(struct budget *b, size_t bytes);

#endif
