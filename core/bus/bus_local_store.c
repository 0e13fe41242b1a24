/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and closing the store: the lock file, the LMDB environment, its checks.
 *
 * The environment is mapped read-only (no MDB_WRITEMAP): a full disk is then an error of write(2)
 * and not a SIGBUS, and no stray pointer of ours can reach the file. LMDB syncs each commit twice
 * in order: fdatasync of the pages, then the meta page by a write through an O_DSYNC descriptor;
 * that pair is what bus_stats.syncs counts as one. The data file is allocated ahead with fallocate,
 * so that "disk full" is known before a transaction begins (bus_local_space.c).
 */
#include "core/bus/bus_local_store.h"

#include "core/base/mem.h"
#include "core/bus/bus_local_commit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_MODE = 0700, FILE_MODE = 0600, TABLES_MAX = 8, PATH_BYTES = 4096, PID_BYTES = 24 };

static const uint64_t map_default = UINT64_C(64) << 30;
static const uint64_t map_least = UINT64_C(1) << 20;

int bus_local_mdb_err(const struct local_store *s, int rc, const char *what, struct err *reterr)
{
    assert(rc != 0);
    switch (rc) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return err_set(reterr, ERR_FULL, "%s: %s: the map of %llu MiB is full", s->dir, what,
                       (unsigned long long)(s->map_bytes >> 20));
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return err_set(reterr, ERR_FULL, "%s: %s: %s", s->dir, what, mdb_strerror(rc));
    case MDB_INVALID:
        return err_set(reterr, ERR_CORRUPT,
                       "%s/data.mdb is not an LMDB file: move it away, or choose another directory",
                       s->dir);
    case MDB_VERSION_MISMATCH:
        return err_set(reterr, ERR_UNSUPPORTED,
                       "%s/data.mdb was written by another version of LMDB (%s): use the release "
                       "that wrote it",
                       s->dir, mdb_strerror(rc));
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        return err_set(reterr, ERR_CORRUPT,
                       "%s/data.mdb is damaged (%s: %s): restore a copy, or move it away", s->dir,
                       what, mdb_strerror(rc));
    case MDB_READERS_FULL:
        return err_set(reterr, ERR_LIMIT, "%s: %s: all %d reader slots are taken", s->dir, what,
                       LOCAL_READERS_MAX);
    case MDB_MAP_RESIZED:
        return err_set(reterr, ERR_MISMATCH, "%s: the map was enlarged: open it again", s->dir);
    case EACCES:
    case EPERM:
    case EROFS: return err_set(reterr, ERR_DENIED, "%s: %s: %s", s->dir, what, mdb_strerror(rc));
    default: return err_set(reterr, ERR_IO, "%s: %s: %s", s->dir, what, mdb_strerror(rc));
    }
}

/* One process writes. The lock is the kernel's and dies with the process; the pid is for people. */
static int lock_take(struct local_store *s, struct err *reterr)
{
    char path[PATH_BYTES], pid[PID_BYTES] = {0};
    snprintf(path, sizeof path, "%s/writer.lock", s->dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (s->lock_fd < 0) {
        return bus_local_mdb_err(s, errno, "opening writer.lock", reterr);
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return bus_local_mdb_err(s, errno, "locking writer.lock", reterr);
        }
        ssize_t n = pread(s->lock_fd, pid, sizeof pid - 1, 0);
        struct slice holder = slice_trim(slice_of(pid, n > 0 ? (size_t)n : 0));
        return err_set(
            reterr, ERR_DENIED,
            "%s: process " SLICE_FMT " writes there: only one may; stop it, or "
            "take another directory (several roles in processes of their own need Kafka)",
            s->dir, SLICE_ARG(holder.len > 0 ? holder : SLICE("?")));
    }
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, pid, (size_t)len, 0) != len) {
        return bus_local_mdb_err(s, errno != 0 ? errno : EIO, "writing writer.lock", reterr);
    }
    return 0;
}

/* LMDB maps the file without looking at its length: a file that was cut would end in SIGBUS. */
static int length_check(struct local_store *s, struct err *reterr)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat file;
    int fd = -1;
    mdb_env_info(s->env, &info);
    mdb_env_stat(s->env, &stat);
    s->map_bytes = info.me_mapsize;
    s->page_bytes = stat.ms_psize;
    uint64_t need = ((uint64_t)info.me_last_pgno + 1) * s->page_bytes;
    if (mdb_env_get_fd(s->env, &fd) != 0 || fstat(fd, &file) != 0) {
        return bus_local_mdb_err(s, errno, "looking at data.mdb", reterr);
    }
    s->file_bytes = (uint64_t)file.st_size;
    if (s->file_bytes < need) {
        return err_set(reterr, ERR_CORRUPT,
                       "%s/data.mdb has %llu bytes, %llu are in use: it was cut short; restore a "
                       "copy, or move it away",
                       s->dir, (unsigned long long)s->file_bytes, (unsigned long long)need);
    }
    return 0;
}

static int env_open(struct local_store *s, uint64_t map_bytes, struct err *reterr)
{
    int rc = mdb_env_create(&s->env);
    rc = rc != 0 ? rc : mdb_env_set_maxreaders(s->env, LOCAL_READERS_MAX);
    rc = rc != 0 ? rc : mdb_env_set_maxdbs(s->env, TABLES_MAX);
    if (rc == 0 && !s->read_only) {
        rc = mdb_env_set_mapsize(s->env, map_bytes);
    }
    unsigned flags = MDB_NOTLS | (s->read_only ? MDB_RDONLY : 0);
    rc = rc != 0 ? rc : mdb_env_open(s->env, s->dir, flags, FILE_MODE);
    if (rc == ENOENT && s->read_only) {
        return err_set(reterr, ERR_NOT_FOUND, "%s holds no bus yet", s->dir);
    }
    return rc == 0 ? length_check(s, reterr) : bus_local_mdb_err(s, rc, "opening", reterr);
}

static int tables_open(struct local_store *s, struct err *reterr)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(s->env, NULL, s->read_only ? MDB_RDONLY : 0, &txn);
    if (rc != 0) {
        return bus_local_mdb_err(s, rc, "beginning", reterr);
    }
    rc = bus_local_tables_open(s, txn, reterr);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? 0 : bus_local_mdb_err(s, rc, "committing the tables", reterr);
}

/* A name is durable once the directory that holds it is synced. Done at each start: who made the
 * name may have died before. */
static int sync_names(const struct local_store *s, const char *below, struct err *reterr)
{
    char path[PATH_BYTES];
    int rc = 0;
    snprintf(path, sizeof path, "%s%s", s->dir, below);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return 0; /* not ours to read: then we did not make a name in it either */
    }
    if (fsync(fd) != 0 && errno != EINVAL) { /* EINVAL: a file system without the notion */
        rc = bus_local_mdb_err(s, errno, "syncing the directory", reterr);
    }
    close(fd);
    return rc;
}

static int start_thread(struct local_store *s, struct err *reterr)
{
    void *(*run)(void *) = s->read_only ? bus_local_watch : bus_local_committer;
    int rc = pthread_create(&s->thread, NULL, run, s);
    return rc == 0 ? 0 : bus_local_mdb_err(s, rc, "starting a thread", reterr);
}

static void store_free(struct local_store *s)
{
    bus_local_committer_done(s);
    if (s->env != NULL) {
        mdb_env_close(s->env);
    }
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
    VEC_EACH (&s->topic_list, t) {
        bus_local_topic_free(*t);
    }
    assert(s->inboxes.len == 0 && s->queue == NULL);
    VEC_DONE(&s->topic_list);
    VEC_DONE(&s->inboxes);
    VEC_DONE(&s->pins);
    map_done(&s->topic_map);
    map_done(&s->slot_map);
    pthread_cond_destroy(&s->more);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s->dir);
    mem_free(s);
}

static struct local_store *store_new(const struct bus_local_conf *conf)
{
    struct local_store *s = MEM_NEW(struct local_store);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->more, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&s->mutex, NULL);
    map_init(&s->topic_map, LOCAL_TOPICS_MAX);
    map_init(&s->slot_map, LOCAL_SLOTS_MAX);
    s->refs = 1;
    s->dir = mem_dup(conf->dir, strlen(conf->dir));
    s->lock_fd = -1;
    s->read_only = conf->read_only;
    s->clock = clock_system();
    s->queue_tail = &s->queue;
    return s;
}

int bus_local_store_open(const struct bus_local_conf *conf, const struct bus_local_tuning *tuning,
                         struct local_store **ret_store, struct err *reterr)
{
    struct local_store *s = store_new(conf);
    uint64_t map = conf->map_bytes > 0 ? conf->map_bytes : map_default;
    int rc = 0;
    s->tuning = *tuning;
    if (map < map_least) {
        rc = err_set(reterr, ERR_RANGE, "a map of %llu bytes: at least 1 MiB",
                     (unsigned long long)map);
    }
    rc = rc != 0 || s->read_only ? rc : lock_take(s, reterr);
    rc = rc != 0 ? rc : env_open(s, map & ~UINT64_C(0xffff), reterr);
    rc = rc != 0 ? rc : tables_open(s, reterr);
    rc = rc != 0 || s->read_only ? rc : sync_names(s, "", reterr);
    rc = rc != 0 || s->read_only ? rc : sync_names(s, "/..", reterr);
    if (rc == 0) {
        s->reserve_bytes = s->map_bytes / 10;
        s->quota_bytes = s->map_bytes - s->reserve_bytes;
        if (conf->quota_bytes > 0 && conf->quota_bytes < s->quota_bytes) {
            s->quota_bytes = conf->quota_bytes;
        }
        bus_local_committer_init(s);
        rc = start_thread(s, reterr);
    }
    if (rc != 0) {
        store_free(s);
        return rc;
    }
    *ret_store = s;
    return 0;
}

void bus_local_store_close(struct local_store *s)
{
    pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    pthread_cond_signal(&s->more);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    store_free(s);
}
