/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting crash_writer as a child, with or without the preloaded disk, and reading what it prints.
 */
#ifndef TESTS_CRASH_CRASH_CHILD_H
#define TESTS_CRASH_CRASH_CHILD_H

#include "tests/crash/crash_work.h"

#include <sys/types.h>

struct crash_child {
    pid_t pid;
    int fd; /* of its standard output; -1 at the end */
    char text[1 << 16];
    size_t len; /* what it has printed and was not yet taken */
};

/* args end with NULL, without the program. env: NAME=VALUE strings ending with NULL; NULL = none
 * and no preloaded disk. */
void crash_child_start(struct crash_child *c, const char *const *args, const char *const *env);
/* Reads for so long, or until the child has closed its output. */
void crash_child_read(struct crash_child *c, int64_t for_ns);
/* Waits until the child has printed something, or has closed its output. */
void crash_child_wait(struct crash_child *c, int64_t timeout_ns);
/* The next line without its end, valid until the next call; NULL after timeout_ns. */
const char *crash_child_line(struct crash_child *c, int64_t timeout_ns);
/* Kills it (signal > 0), reads what is left, waits. The wait status. */
int crash_child_end(struct crash_child *c, int signal);
/* Takes "c", "p" and "x" lines out of the text. */
void crash_child_acks(struct crash_child *c, struct crash_acks *acks);

#endif
