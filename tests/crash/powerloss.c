/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that can lose power, preloaded into the process under test (LD_PRELOAD). It watches the
 * file data.mdb: before each write it keeps the bytes that were there, at each fdatasync, fsync or
 * msync it forgets them, and a write through an O_DSYNC or O_SYNC descriptor counts as synced by
 * itself. When power fails it puts back what was not synced and kills the process; so what is left
 * is what a disk would have. Names count too: a new data.mdb goes unless its directory was synced,
 * a new directory unless its parent was. Stores through a writable shared mapping could not be
 * seen: the first such mapping of the file ends the process, so that nobody takes this for a proof
 * of it.
 *
 *     KAIJU_POWER_AT=N       power fails in the N-th call that writes, resizes or syncs, or later
 *     KAIJU_POWER_IN=CALL    and then only in a write, synced_write, sync, ftruncate or fallocate
 *     KAIJU_POWER_TORN=1     each unsynced page is lost or kept by chance, the last write is cut
 *     KAIJU_POWER_SEED=N     of that chance
 *     KAIJU_POWER_LIE=1      syncs keep nothing: a run over this must fail, or the test is blind
 *     KAIJU_POWER_SPACE=N    the disk is full when the file would exceed N bytes
 *     KAIJU_POWER_RESERVE=0  the file system knows no fallocate
 *     KAIJU_POWER_EIO=N      the N-th sync fails, and all after it
 *
 * When power fails, standard output gets a line "x CALL". power_counts tells a process that looks
 * for it (dlsym) how often it synced.
 */
#include "tests/crash/powerloss.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 4096, PAGE = 4096, PATH = 1024, WATCHED = 1, SYNCED = 2 };

/* Bytes that an unsynced write has covered. */
struct undo {
    struct undo *older;
    off_t at;
    size_t len; /* of old; what lay behind the end of the file is not there */
    char old[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned char fds[FDS];
static struct undo *undos;
static off_t durable_size;
static char new_file[PATH], new_dir[PATH]; /* whose names are not durable; empty = none */
static const char *call;                   /* which one is being made */
static int any_fd = -1;
static uint64_t calls, chance;
static bool failing;
static struct power_counts counts;

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

#define REAL(name_) ((__typeof__(&(name_)))dlsym(RTLD_NEXT, #name_))

static uint64_t next_chance(void)
{
    if (chance == 0) {
        chance = number("KAIJU_POWER_SEED", 1) * 2654435769u + 1;
    }
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

static off_t file_size(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_size : 0;
}

static void keep_old(int fd, off_t at, size_t len)
{
    struct undo *u = malloc(sizeof *u + len);
    assert(u != NULL);
    ssize_t n = pread(fd, u->old, len, at);
    *u = (struct undo){.older = undos, .at = at, .len = n > 0 ? (size_t)n : 0};
    undos = u;
}

static void put_back(int fd, const struct undo *u, bool torn)
{
    for (size_t at = 0; at < u->len;) {
        size_t page_left = PAGE - (size_t)(u->at + (off_t)at) % PAGE;
        size_t n = page_left < u->len - at ? page_left : u->len - at;
        if (!torn || next_chance() % 2 == 0) {
            ssize_t done = REAL(pwrite)(fd, u->old + at, n, u->at + (off_t)at);
            assert(done == (ssize_t)n);
            (void)done;
        }
        at += n;
    }
}

static void lose_names(void)
{
    char lost[PATH + 8];
    int rc = 0;
    if (new_dir[0] != '\0') {
        snprintf(lost, sizeof lost, "%s.lost", new_dir);
        rc = rename(new_dir, lost);
    } else if (new_file[0] != '\0') {
        rc = unlink(new_file);
    }
    assert(rc == 0);
    (void)rc;
}

static _Noreturn void lose_power(int fd)
{
    char line[32];
    bool torn = number("KAIJU_POWER_TORN", 0) != 0;
    for (struct undo *u = undos; u != NULL; u = u->older) {
        put_back(fd, u, torn);
    }
    if (!torn || next_chance() % 2 == 0) {
        int rc = REAL(ftruncate)(fd, durable_size);
        assert(rc == 0);
        (void)rc;
    }
    lose_names();
    int n = snprintf(line, sizeof line, "x %s\n", call);
    n = (int)REAL(write)(1, line, (size_t)n);
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

static bool power_fails(const char *name)
{
    const char *only = getenv("KAIJU_POWER_IN");
    uint64_t at = number("KAIJU_POWER_AT", 0);
    call = name;
    calls++;
    failing = at > 0 && calls >= at && (only == NULL || strcmp(only, name) == 0);
    return failing;
}

/* What a synced write has covered is durable, whatever older unsynced writes did to it. */
static void patch_undos(const char *p, size_t len, off_t at)
{
    for (struct undo *u = undos; u != NULL; u = u->older) {
        off_t from = at > u->at ? at : u->at;
        off_t a = at + (off_t)len, b = u->at + (off_t)u->len, to = a < b ? a : b;
        if (from < to) {
            memcpy(u->old + (from - u->at), p + (from - at), (size_t)(to - from));
        }
    }
}

static bool no_space(off_t upto)
{
    uint64_t space = number("KAIJU_POWER_SPACE", 0);
    return space > 0 && (uint64_t)upto > space;
}

/* Under the mutex. How much of the write to let through; -1 with errno = none. */
static ssize_t before_write(int fd, off_t at, size_t len)
{
    if (no_space(at + (off_t)len)) {
        off_t fits = (off_t)number("KAIJU_POWER_SPACE", 0) - at;
        if (fits <= 0) {
            errno = ENOSPC;
            return -1;
        }
        len = (size_t)fits;
    }
    bool synced = fds[fd] == SYNCED, fails = power_fails(synced ? "synced_write" : "write");
    if (synced && fails && next_chance() % 2 == 0) {
        lose_power(fd); /* a synced write is there or not: the caller was told neither */
    }
    if (!synced) {
        keep_old(fd, at, len);
    }
    return (ssize_t)(fails && !synced ? next_chance() % len : len);
}

static void after_write(int fd, const char *p, ssize_t n, off_t at)
{
    if (fds[fd] == SYNCED && n > 0) {
        patch_undos(p, (size_t)n, at);
        counts.synced_writes++;
    }
    if (failing) {
        lose_power(fd);
    }
}

ssize_t pwrite(int fd, const void *p, size_t len, off_t at)
{
    if (fd < 0 || fd >= FDS || fds[fd] == 0) {
        return REAL(pwrite)(fd, p, len, at);
    }
    pthread_mutex_lock(&mutex);
    ssize_t n = before_write(fd, at, len);
    if (n >= 0) {
        n = REAL(pwrite)(fd, p, (size_t)n, at);
        after_write(fd, p, n, at);
    }
    pthread_mutex_unlock(&mutex);
    return n;
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    if (fd < 0 || fd >= FDS || fds[fd] == 0) {
        return REAL(writev)(fd, iov, count);
    }
    ssize_t done = 0;
    off_t at = lseek(fd, 0, SEEK_CUR);
    for (int i = 0; i < count; i++) {
        ssize_t n = pwrite(fd, iov[i].iov_base, iov[i].iov_len, at);
        if (n < 0) {
            return done > 0 ? done : n;
        }
        done += n;
        at = lseek(fd, n, SEEK_CUR);
        if ((size_t)n < iov[i].iov_len) {
            break;
        }
    }
    return done;
}

ssize_t write(int fd, const void *p, size_t len)
{
    if (fd < 0 || fd >= FDS || fds[fd] == 0) {
        return REAL(write)(fd, p, len);
    }
    struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = len};
    return writev(fd, &iov, 1);
}

/* Is this descriptor the directory that holds the path? */
static bool holds(int fd, const char *path)
{
    char parent[PATH + 8];
    struct stat a, b;
    const char *slash = strrchr(path, '/');
    snprintf(parent, sizeof parent, "%.*s", slash != NULL ? (int)(slash - path) : 0, path);
    return path[0] != '\0' && fstat(fd, &a) == 0 && stat(parent, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static void dir_synced(int fd)
{
    pthread_mutex_lock(&mutex);
    if (holds(fd, new_file)) {
        new_file[0] = '\0';
    }
    if (holds(fd, new_dir)) {
        new_dir[0] = '\0';
    }
    pthread_mutex_unlock(&mutex);
}

static int synced(int fd, int (*real)(int))
{
    if (fd < 0 || fd >= FDS || fds[fd] == 0) {
        int rc = real(fd);
        if (rc == 0) {
            dir_synced(fd);
        }
        return rc;
    }
    pthread_mutex_lock(&mutex);
    if (power_fails("sync")) {
        lose_power(fd);
    }
    counts.syncs++;
    uint64_t bad = number("KAIJU_POWER_EIO", 0);
    if (bad > 0 && counts.syncs >= bad) {
        pthread_mutex_unlock(&mutex);
        errno = EIO;
        return -1;
    }
    /* The real call is left out: power is lost by this file alone. */
    if (number("KAIJU_POWER_LIE", 0) == 0) {
        for (struct undo *older; undos != NULL; undos = older) {
            older = undos->older;
            free(undos);
        }
        durable_size = file_size(fd);
    }
    pthread_mutex_unlock(&mutex);
    return 0;
}

int fdatasync(int fd)
{
    return synced(fd, REAL(fdatasync));
}

int fsync(int fd)
{
    return synced(fd, REAL(fsync));
}

int ftruncate(int fd, off_t size)
{
    if (fd >= 0 && fd < FDS && fds[fd] != 0) {
        pthread_mutex_lock(&mutex);
        if (power_fails("ftruncate")) {
            lose_power(fd);
        }
        pthread_mutex_unlock(&mutex);
        if (size < file_size(fd)) {
            abort(); /* nobody cuts the file; old bytes would have to be kept here */
        }
    }
    return REAL(ftruncate)(fd, size);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
    if (fd >= 0 && fd < FDS && fds[fd] != 0) {
        pthread_mutex_lock(&mutex);
        if (power_fails("fallocate")) {
            lose_power(fd);
        }
        pthread_mutex_unlock(&mutex);
        if (number("KAIJU_POWER_RESERVE", 1) == 0) {
            errno = EOPNOTSUPP;
            return -1;
        }
        if (no_space(at + len)) {
            errno = ENOSPC;
            return -1;
        }
    }
    return REAL(fallocate)(fd, mode, at, len);
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t at)
{
    if (fd >= 0 && fd < FDS && fds[fd] != 0 && (prot & PROT_WRITE) != 0 &&
        (flags & MAP_SHARED) != 0) {
        abort();
    }
    return REAL(mmap)(addr, len, prot, flags, fd, at);
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list ap;
        va_start(ap, flags);
        mode = va_arg(ap, mode_t);
        va_end(ap);
    }
    bool is_new = (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
    int fd = REAL(open)(path, flags, mode);
    size_t len = strlen(path);
    if (fd >= 0 && fd < FDS && (flags & O_ACCMODE) != O_RDONLY && len >= 8 &&
        strcmp(path + len - 8, "data.mdb") == 0) {
        pthread_mutex_lock(&mutex);
        if (any_fd < 0) {
            durable_size = file_size(fd);
        }
        if (is_new) {
            snprintf(new_file, sizeof new_file, "%s", path);
        }
        any_fd = fd;
        fds[fd] = (flags & (O_DSYNC | O_SYNC)) != 0 ? SYNCED : WATCHED;
        pthread_mutex_unlock(&mutex);
    }
    return fd;
}

int mkdir(const char *path, mode_t mode)
{
    int rc = REAL(mkdir)(path, mode);
    if (rc == 0) {
        pthread_mutex_lock(&mutex);
        snprintf(new_dir, sizeof new_dir, "%s", path);
        pthread_mutex_unlock(&mutex);
    }
    return rc;
}

/* What LMDB does not call and this file does not follow. */
ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
    if (fd >= 0 && fd < FDS && fds[fd] != 0) {
        abort();
    }
    return REAL(pwritev)(fd, iov, count, at);
}

int close(int fd)
{
    if (fd >= 0 && fd < FDS) {
        fds[fd] = 0;
    }
    return REAL(close)(fd);
}

struct power_counts power_counts(void)
{
    pthread_mutex_lock(&mutex);
    struct power_counts copy = counts;
    pthread_mutex_unlock(&mutex);
    return copy;
}
