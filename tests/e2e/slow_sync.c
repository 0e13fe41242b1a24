/* SPDX-License-Identifier: Apache-2.0
 *
 * A slow disk, to be preloaded: each fdatasync takes KAIJU_SLOW_SYNC_MS longer. What the embedded
 * bus takes in a second is then a matter of that number and of how much may wait, not of the
 * machine, so overload can be had at will and is the same everywhere. Every thread sleeps by
 * itself; nothing is kept. To slow down another call: one more function like this.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fdatasync(int fd)
{
    const char *ms = getenv("KAIJU_SLOW_SYNC_MS");
    long n = ms != NULL ? strtol(ms, NULL, 10) : 0;
    struct timespec left = {.tv_sec = n / 1000, .tv_nsec = n % 1000 * 1000000};
    while (n > 0 && nanosleep(&left, &left) != 0) {
        /* a signal: the rest of it */
    }
    return (int)syscall(SYS_fdatasync, fd);
}
