/* SPDX-License-Identifier: Apache-2.0
 *
 * Room: in the quota, in the map, on the disk, and the readers who hold it.
 *
 * Appends stop (ERR_FULL) while a tenth of the map is still free, because deleting needs pages too:
 * LMDB writes a changed tree page to a new place. Free pages are those behind the last one in use
 * and those of the free list that no reader can still see; the list is counted only when the tail
 * alone does not suffice and what was last counted, less what was taken since, does not either.
 * Pages of the list may lie apart where a chunk needs a run of them; LMDB then takes the run behind
 * the last page, into the reserve. When that ends (bus_local_room_missed) a margin is added to what
 * the list must have. What a transaction frees is free for the second after it: when room was
 * refused, an empty transaction (a *turn*, bus_local_commit.c) follows the one that freed.
 *
 * A read transaction lasts one poll, but a process stopped in the middle of one (SIGSTOP, debugger)
 * keeps all pages of its snapshot and newer from being used again. It cannot be evicted safely: it
 * may go on reading any moment. So the map fills up to the reserve, appends are refused with a
 * message that names the process, and go on when it does or ends.
 */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/bus/bus_local_commit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    NEED_PAGES = 32, /* tree pages of a transaction, beside those of its chunks */
    SMALL_PAGES = 128,
    STEP_LEAST = 1 << 20,
    STEP_MOST = 64 << 20,
    ZEROS = 64 << 10,
    PINS_MAX = LOCAL_READERS_MAX,
};

static const int64_t count_age_ns = 100 * CLOCK_NS_PER_MS;

struct scan {
    struct local_store *s;
    int64_t now_ns;
    uint64_t last, oldest, readers;
};

static struct local_pin *pin_of(struct local_store *s, int64_t pid, uint64_t txnid)
{
    VEC_EACH (&s->pins, p) {
        if (p->pin.pid == pid && p->pin.txnid == txnid) {
            return p;
        }
    }
    return NULL;
}

/* One line of mdb_reader_list: "pid thread txnid", with "-" for a slot without a transaction. */
static int scan_line(const char *line, void *arg)
{
    struct scan *scan = arg;
    long long pid;
    unsigned long long thread, txnid;
    if (sscanf(line, "%lld %llx %llu", &pid, &thread, &txnid) != 3) {
        scan->readers += sscanf(line, "%lld %llx", &pid, &thread) == 2;
        return 0;
    }
    scan->readers++;
    scan->oldest = MIN(scan->oldest, txnid);
    if (txnid < scan->last && scan->s->pins.len < PINS_MAX) {
        struct local_pin *p = pin_of(scan->s, pid, txnid);
        if (p == NULL) {
            p = VEC_PUSH(&scan->s->pins);
            *p = (struct local_pin){.pin = {.pid = pid, .txnid = txnid}, .since_ns = scan->now_ns};
        }
        p->seen = true;
        p->pin.held_ns = scan->now_ns - p->since_ns;
    }
    return 0;
}

/* The oldest transaction that a reader still sees; keeps the list of pins. Under the mutex. */
static struct scan scan_readers(struct local_store *s)
{
    MDB_envinfo info;
    mdb_env_info(s->env, &info);
    struct scan scan = {.s = s,
                        .now_ns = clock_mono(&s->clock),
                        .last = info.me_last_txnid,
                        .oldest = info.me_last_txnid};
    VEC_EACH (&s->pins, p) {
        p->seen = false;
    }
    (void)mdb_reader_list(s->env, scan_line, &scan);
    for (size_t i = s->pins.len; i > 0; i--) {
        if (!s->pins.ptr[i - 1].seen) {
            VEC_REMOVE(&s->pins, i - 1);
        }
    }
    return scan;
}

void bus_local_pins_check(struct local_store *s)
{
    int dead = 0;
    (void)mdb_reader_check(s->env, &dead);
    pthread_mutex_lock(&s->mutex);
    (void)scan_readers(s);
    /* The bus has a thread of its own and nobody above it who could say this. */
    VEC_EACH (&s->pins, p) {
        if (!p->logged && p->pin.held_ns > s->tuning.pin_warn_ns) {
            p->logged = true;
            LOG_WARN("a reader keeps old pages of the bus from being used again: resume or end it",
                     LOG_STR("dir", s->dir), LOG_INT("pid", p->pin.pid),
                     LOG_INT("seconds", p->pin.held_ns / CLOCK_NS_PER_S));
        }
    }
    pthread_mutex_unlock(&s->mutex);
}

/* Counts the pages of the free list that the next write transaction may take, and those that the
 * one after it may. */
static void count_free(struct local_store *s)
{
    struct local_room *room = &s->room;
    MDB_cursor *cur = NULL;
    MDB_val key, val;
    room->pages = room->pages_later = 0;
    int rc = room->txn == NULL ? mdb_txn_begin(s->env, NULL, MDB_RDONLY, &room->txn)
                               : mdb_txn_renew(room->txn);
    if (rc != 0) {
        return;
    }
    rc = mdb_cursor_open(room->txn, 0, &cur);
    while (rc == 0 && (rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT)) == 0) {
        size_t txnid, n;
        if (key.mv_size != sizeof txnid || val.mv_size < sizeof n) {
            break;
        }
        memcpy(&txnid, key.mv_data, sizeof txnid);
        memcpy(&n, val.mv_data, sizeof n);
        if (txnid > room->oldest) {
            break;
        }
        *(txnid < room->oldest ? &room->pages : &room->pages_later) += n;
    }
    mdb_cursor_close(cur);
    mdb_txn_reset(room->txn);
}

/* At least `want` free pages of the list? */
static bool list_has(struct local_store *s, uint64_t want)
{
    struct local_room *room = &s->room;
    int64_t now = clock_mono(&s->clock);
    if (room->pages < want || now - room->at_ns > count_age_ns) {
        pthread_mutex_lock(&s->mutex);
        struct scan scan = scan_readers(s);
        pthread_mutex_unlock(&s->mutex);
        if (room->at_ns == 0 || scan.last != room->last || scan.oldest != room->oldest) {
            room->last = scan.last;
            room->oldest = scan.oldest;
            count_free(s);
        }
        room->at_ns = now;
    }
    return room->pages >= want;
}

/* Room was refused for want of so many pages of the list. */
static void refused(struct local_store *s, uint64_t want)
{
    struct local_room *room = &s->room;
    room->refused = true;
    room->turn = room->oldest == room->last && room->pages + room->pages_later >= want;
}

void bus_local_room_used(struct local_store *s, uint64_t bytes)
{
    uint64_t pages = bytes / s->page_bytes + NEED_PAGES;
    s->room.pages -= MIN(pages, s->room.pages);
}

static int map_is_full(struct local_store *s, struct err *reterr)
{
    struct bus_local_pin worst = {.pid = 0};
    pthread_mutex_lock(&s->mutex);
    VEC_EACH (&s->pins, p) {
        if (worst.pid == 0 || p->pin.txnid < worst.txnid) {
            worst = p->pin;
        }
    }
    pthread_mutex_unlock(&s->mutex);
    if (worst.pid != 0) {
        return err_set(reterr, ERR_FULL,
                       "%s: the map of %llu MiB is full: reader process %lld holds old pages "
                       "(for %lld s); resume or end it",
                       s->dir, (unsigned long long)(s->map_bytes >> 20), (long long)worst.pid,
                       (long long)(worst.held_ns / CLOCK_NS_PER_S));
    }
    return err_set(reterr, ERR_FULL,
                   "%s: the map of %llu MiB is full: shorten retention, or enlarge the map", s->dir,
                   (unsigned long long)(s->map_bytes >> 20));
}

/* A file system that cannot reserve: zeros do. What was written until the disk is full is ours. */
static bool write_zeros(struct local_store *s, int fd, uint64_t to)
{
    static const char zeros[ZEROS];
    struct stat file;
    if (fstat(fd, &file) != 0) {
        return false;
    }
    s->file_bytes = MAX(s->file_bytes, (uint64_t)file.st_size); /* never over what LMDB wrote */
    while (s->file_bytes < to) {
        size_t n = (size_t)MIN(to - s->file_bytes, (uint64_t)sizeof zeros);
        ssize_t done = pwrite(fd, zeros, n, (off_t)s->file_bytes);
        if (done <= 0) {
            return false;
        }
        s->file_bytes += (uint64_t)done;
    }
    return true;
}

static int disk_is_full(const struct local_store *s, struct err *reterr)
{
    return err_set(reterr, ERR_FULL, "%s: no space left on the disk: free some", s->dir);
}

static bool allocate(struct local_store *s, uint64_t to)
{
    int fd = -1;
    if (to <= s->file_bytes) {
        return true;
    }
    if (mdb_env_get_fd(s->env, &fd) != 0) {
        return false;
    }
    off_t from = (off_t)s->file_bytes;
    if (fallocate(fd, 0, from, (off_t)to - from) != 0) {
        return (errno == EOPNOTSUPP || errno == ENOSYS) && write_zeros(s, fd, to);
    }
    s->file_bytes = to;
    return true;
}

/* Room on the disk behind the last page in use. */
static bool disk_has(struct local_store *s, uint64_t high, uint64_t bytes)
{
    uint64_t keep = SMALL_PAGES * s->page_bytes, step = s->file_bytes / 4;
    uint64_t want = MIN(high + bytes + keep, s->map_bytes);
    step = MAX(MIN(step, (uint64_t)STEP_MOST), (uint64_t)STEP_LEAST);
    return want <= s->file_bytes || allocate(s, MIN(want + step, s->map_bytes)) ||
           allocate(s, want);
}

int bus_local_room(struct local_store *s, uint64_t bytes, uint64_t raw, struct err *reterr)
{
    MDB_envinfo info;
    uint64_t used = atomic_load(&s->counters.used_bytes);
    if (used + bytes > s->quota_bytes) {
        return err_set(reterr, ERR_FULL,
                       "%s: %llu of %llu bytes are used (quota): shorten retention, or raise it",
                       s->dir, (unsigned long long)used, (unsigned long long)s->quota_bytes);
    }
    mdb_env_info(s->env, &info);
    uint64_t pages = raw / s->page_bytes + NEED_PAGES;
    uint64_t high = ((uint64_t)info.me_last_pgno + 1) * s->page_bytes;
    uint64_t tail = s->map_bytes > high ? (s->map_bytes - high) / s->page_bytes : 0;
    uint64_t want = pages + s->reserve_bytes / s->page_bytes;
    if (tail < want && !list_has(s, want - tail + s->room.margin)) {
        refused(s, want - tail + s->room.margin);
        return map_is_full(s, reterr);
    }
    if (disk_has(s, high, pages * s->page_bytes)) {
        s->room.margin = tail < want ? s->room.margin : 0;
    } else if (list_has(s, 2 * pages + s->room.margin)) {
        s->room.tight = true;
    } else {
        refused(s, 2 * pages + s->room.margin);
        return disk_is_full(s, reterr);
    }
    s->room.refused = false;
    return 0;
}

void bus_local_room_refused(struct local_store *s)
{
    atomic_store(&s->counters.full_ns, (uint64_t)clock_mono(&s->clock));
}

int bus_local_room_missed(struct local_store *s, struct err *reterr)
{
    s->room.margin = MIN(s->room.margin * 2 + s->file_bytes / s->page_bytes / 16,
                         s->file_bytes / s->page_bytes / 2);
    s->room.refused = true;
    return s->room.tight ? disk_is_full(s, reterr) : map_is_full(s, reterr);
}

int bus_local_room_small(struct local_store *s, struct err *reterr)
{
    MDB_envinfo info;
    mdb_env_info(s->env, &info);
    uint64_t high = ((uint64_t)info.me_last_pgno + 1) * s->page_bytes;
    s->room.tight = !disk_has(s, high, 0) && high + NEED_PAGES * s->page_bytes > s->file_bytes;
    return s->room.tight && !list_has(s, 2 * NEED_PAGES) ? disk_is_full(s, reterr) : 0;
}

static void report_pins(struct local_store *s, struct bus_local_report *r)
{
    VEC_EACH (&s->pins, p) {
        if (p->pin.held_ns > s->tuning.pin_warn_ns) {
            uint32_t at = r->pin_count;
            for (; at > 0 && r->pins[at - 1].held_ns < p->pin.held_ns; at--) {
                if (at < BUS_LOCAL_PINS_MAX) {
                    r->pins[at] = r->pins[at - 1];
                }
            }
            if (at < BUS_LOCAL_PINS_MAX) {
                r->pins[at] = p->pin;
                r->pin_count = MIN(r->pin_count + 1, (uint32_t)BUS_LOCAL_PINS_MAX);
            }
        }
    }
}

static uint64_t count_all_free(struct local_store *s, struct err *reterr)
{
    MDB_txn *txn = NULL;
    MDB_cursor *cur = NULL;
    MDB_val key, val;
    uint64_t pages = 0;
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0) {
        (void)bus_local_mdb_err(s, rc, "counting free pages", reterr);
        return 0;
    }
    rc = mdb_cursor_open(txn, 0, &cur);
    while (rc == 0 && (rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT)) == 0) {
        size_t n;
        memcpy(&n, val.mv_data, sizeof n);
        pages += n;
    }
    mdb_cursor_close(cur);
    mdb_txn_abort(txn);
    return pages;
}

int bus_local_report_of(struct local_store *s, struct bus_local_report *ret_report,
                        struct err *reterr)
{
    struct bus_local_report r = {.read_only = s->read_only, .dead = atomic_load(&s->dead)};
    MDB_envinfo info;
    struct err err = {.code = ERR_OK};
    snprintf(r.dir, sizeof r.dir, "%s", s->dir);
    r.map_bytes = s->map_bytes;
    r.quota_bytes = s->quota_bytes;
    r.reserve_bytes = s->reserve_bytes;
    r.page_bytes = s->page_bytes;
    r.used_bytes = atomic_load(&s->counters.used_bytes);
    r.group_commits = atomic_load(&s->counters.syncs);
    r.free_pages = count_all_free(s, &err);
    if (err.code != ERR_OK) {
        if (reterr != NULL) {
            *reterr = err;
        }
        return -(int)err.code;
    }
    struct statvfs disk;
    if (statvfs(s->dir, &disk) == 0) {
        r.disk_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    }
    mdb_env_info(s->env, &info);
    r.file_pages = (uint64_t)info.me_last_pgno + 1;
    pthread_mutex_lock(&s->mutex);
    r.readers = scan_readers(s).readers;
    report_pins(s, &r);
    pthread_mutex_unlock(&s->mutex);
    *ret_report = r;
    return 0;
}
