/* SPDX-License-Identifier: Apache-2.0
 *
 * See crash_child.h.
 */
#include "tests/crash/crash_child.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, ARGS_MAX = 12 };

static void need(bool ok, const char *what)
{
    if (!ok) {
        crash_die(what, NULL);
    }
}

/* Of this folder's programs. */
static const char *program_dir(void)
{
    static char dir[PATH_BYTES / 2];
    ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);
    need(n > 0 && n < (ssize_t)sizeof dir - 1, "/proc/self/exe");
    dir[n] = '\0';
    *strrchr(dir, '/') = '\0';
    return dir;
}

static _Noreturn void become(const char *const *args, const char *const *env)
{
    char program[PATH_BYTES], preload[PATH_BYTES];
    char *argv[ARGS_MAX] = {program};
    snprintf(program, sizeof program, "%s/crash_writer", program_dir());
    for (size_t i = 0; args[i] != NULL && i + 2 < ARGS_MAX; i++) {
        argv[i + 1] = (char *)(uintptr_t)args[i];
    }
    if (env != NULL) {
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s/libpowerloss.so", program_dir());
        putenv(preload);
        for (size_t i = 0; env[i] != NULL; i++) {
            putenv((char *)(uintptr_t)env[i]);
        }
    }
    execv(program, argv);
    perror(program);
    _exit(127);
}

void crash_child_start(struct crash_child *c, const char *const *args, const char *const *env)
{
    int fds[2];
    need(pipe(fds) == 0, "pipe");
    fflush(NULL);
    *c = (struct crash_child){.pid = fork(), .fd = fds[0]};
    need(c->pid >= 0, "fork");
    if (c->pid == 0) {
        dup2(fds[1], 1);
        close(fds[0]);
        close(fds[1]);
        become(args, env);
    }
    close(fds[1]);
}

static void read_some(struct crash_child *c, int64_t for_ns, size_t enough)
{
    struct clock clock = clock_system();
    int64_t until = clock_mono(&clock) + for_ns;
    while (c->fd >= 0 && c->len < enough) {
        int64_t left = until - clock_mono(&clock);
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (left <= 0 || poll(&p, 1, (int)(left / CLOCK_NS_PER_MS) + 1) <= 0) {
            return;
        }
        ssize_t n = read(c->fd, c->text + c->len, sizeof c->text - 1 - c->len);
        if (n <= 0) {
            close(c->fd);
            c->fd = -1;
            return;
        }
        c->len += (size_t)n;
    }
}

void crash_child_read(struct crash_child *c, int64_t for_ns)
{
    read_some(c, for_ns, sizeof c->text - 1);
}

void crash_child_wait(struct crash_child *c, int64_t timeout_ns)
{
    read_some(c, timeout_ns, 1);
}

static bool take_line(struct crash_child *c, char *out, size_t room)
{
    struct slice text = slice_of(c->text, c->len);
    size_t end = slice_find(text, '\n');
    if (end == c->len || end >= room) {
        return false;
    }
    memcpy(out, c->text, end);
    out[end] = '\0';
    c->len -= end + 1;
    memmove(c->text, c->text + end + 1, c->len);
    return true;
}

const char *crash_child_line(struct crash_child *c, int64_t timeout_ns)
{
    static char line[1024];
    struct clock clock = clock_system();
    int64_t until = clock_mono(&clock) + timeout_ns;
    while (!take_line(c, line, sizeof line)) {
        if (c->fd < 0 || clock_mono(&clock) >= until) {
            return NULL;
        }
        crash_child_read(c, 10 * CLOCK_NS_PER_MS);
    }
    return line;
}

int crash_child_end(struct crash_child *c, int sig)
{
    int status = 0;
    if (sig > 0) {
        kill(c->pid, sig);
    }
    crash_child_read(c, 30 * CLOCK_NS_PER_S);
    need(waitpid(c->pid, &status, 0) == c->pid, "waitpid");
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    return status;
}

void crash_child_acks(struct crash_child *c, struct crash_acks *acks)
{
    char line[64];
    while (take_line(c, line, sizeof line)) {
        struct slice rest = slice_str(line), word, slot;
        uint64_t who = 0, n = 0;
        need(slice_split(&rest, ' ', &word), line);
        if (slice_eq(word, SLICE("c"))) {
            need(slice_split(&rest, ' ', &slot) && slice_to_u64(slot, &who) && who < CRASH_SLOTS &&
                     slice_to_u64(rest, &n),
                 line);
            acks->last[who] = n;
        } else if (slice_eq(word, SLICE("p"))) {
            need(slice_to_u64(rest, &n), line);
            *VEC_PUSH(&acks->plain) = n;
        } else {
            need(slice_eq(word, SLICE("x")), line);
            snprintf(acks->fell_in, sizeof acks->fell_in, SLICE_FMT, SLICE_ARG(rest));
        }
    }
}
