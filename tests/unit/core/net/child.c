/* SPDX-License-Identifier: Apache-2.0
 *
 * See child.h.
 */
#include "child.h"

#include "core/base/clock.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void child_start(struct child *c, const char *const argv[], const char *dir)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t usual;
    snprintf(c->out, sizeof c->out, "%s/out.XXXXXX", dir);
    int fd = mkstemp(c->out);
    CHECK(fd >= 0);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE); /* ignored here, not there */
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigdefault(&attr, &usual);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, fd, 1);
    posix_spawn_file_actions_adddup2(&files, fd, 2);
    posix_spawn_file_actions_addchdir_np(&files, dir);
    int rc = posix_spawnp(&c->pid, argv[0], &files, &attr, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    close(fd);
    if (rc == ENOENT) {
        test_skip(argv[0]);
    }
    CHECK_EQ(0, rc);
}

static int64_t now_ns(void)
{
    struct clock clock = clock_system();
    return clock_mono(&clock);
}

int child_wait(struct rig *g, struct child *c, int64_t ms)
{
    int64_t end = now_ns() + ms * CLOCK_NS_PER_MS;
    int status = 0;
    while (waitpid(c->pid, &status, WNOHANG) == 0) {
        loop_step(g->loop, CLOCK_NS_PER_MS);
        if (now_ns() > end) {
            child_stop(c);
            test_fail(__FILE__, __LINE__, "a program beside the test does not end");
        }
    }
    c->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void child_stop(struct child *c)
{
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        c->pid = 0;
    }
}

const char *child_read(const char *file, struct buf *b)
{
    FILE *f = fopen(file, "rb");
    size_t n = 1;
    CHECK(f != NULL);
    buf_clear(b);
    while (n > 0) {
        char *room = buf_room(b, 64 * 1024);
        CHECK(room != NULL);
        n = fread(room, 1, 64 * 1024, f);
        buf_commit(b, n);
    }
    fclose(f);
    return buf_cstr(b);
}

unsigned child_number(struct rig *g, struct child *c, const char *text, int64_t ms)
{
    int64_t end = now_ns() + ms * CLOCK_NS_PER_MS;
    unsigned number = 0;
    struct buf b;
    buf_init(&b, 1 << 20);
    while (number == 0 && now_ns() < end) {
        const char *at = strstr(child_read(c->out, &b), text);
        if (at != NULL && strchr(at, '\n') != NULL) {
            number = (unsigned)strtoul(at + strlen(text), NULL, 10);
        }
        rig_step(g, 5);
    }
    buf_done(&b);
    return number;
}
