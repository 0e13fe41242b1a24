/* SPDX-License-Identifier: Apache-2.0
 *
 * Another program beside a test: its output goes to a file in the test's directory, its input is
 * empty. The rig's loop is stepped while the test waits for it, so that the program can talk to a
 * server of the test's own thread.
 */
#ifndef TESTS_UNIT_CORE_NET_CHILD_H
#define TESTS_UNIT_CORE_NET_CHILD_H

#include "rig.h"

#include <sys/types.h>

struct child {
    pid_t pid;
    char out[400]; /* the file with its output */
};

/* argv ends with NULL; dir is its working directory, and where its output lies. Skips the test if
 * the machine has no such program. */
void child_start(struct child *c, const char *const argv[], const char *dir);
/* Until it ends by itself: its exit status. */
int child_wait(struct rig *g, struct child *c, int64_t ms);
/* Until its output has the text; the number behind it, or 0 if the text never came. */
unsigned child_number(struct rig *g, struct child *c, const char *text, int64_t ms);
void child_stop(struct child *c);
/* The file as a string into b, which is cleared first. */
const char *child_read(const char *file, struct buf *b);

#endif
