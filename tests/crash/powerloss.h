/* SPDX-License-Identifier: Apache-2.0
 *
 * What the preloaded disk (powerloss.c) tells: how often the watched file was synced.
 */
#ifndef TESTS_CRASH_POWERLOSS_H
#define TESTS_CRASH_POWERLOSS_H

#include <stdint.h>

struct power_counts {
    uint64_t syncs;         /* fdatasync and fsync */
    uint64_t synced_writes; /* through an O_DSYNC or O_SYNC descriptor */
};

struct power_counts power_counts(void);

#endif
