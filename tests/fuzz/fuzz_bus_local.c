/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of the local bus with damage. The input is a script: rows of the tables are cut short,
 * changed, added and removed, and the file loses its tail. Whoever opens it then is told that it
 * cannot be read, or reads it: what comes out is what was written at that place, or an error; and
 * it takes records and keeps house. Pages of LMDB themselves are left alone: it trusts them, and so
 * does the bus. Where keys are damaged a record may stand elsewhere than it did: sums are over
 * values.
 */
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "tests/fuzz/fuzz_script.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
    TOPICS = 2,
    PARTS = 2,
    BATCHES = 4,
    RECORDS = 3,  /* of a batch */
    LARGE = 6000, /* more than a page holds */
    OFFSETS = 64,
    CHANGES_MAX = 4,
    MAP_BYTES = 1 << 20,
    TAG = 1,
    TAG_READ = 100,
};
#define WAIT_NS    (2 * CLOCK_NS_PER_MS)
#define GIVE_UP_NS (5 * CLOCK_NS_PER_S)

static const char *const tables[] = {"meta", "topics", "parts", "log", "slots"};
static const char *const topics[TOPICS] = {"a", "b"};

static struct {
    char dir[64], file[96];
    char *whole;                           /* the file as it was written */
    size_t size, used;                     /* behind `used` it is zero */
    uint64_t sums[TOPICS][PARTS][OFFSETS]; /* of what was written there; 0: nothing */
} base;

static void hold_at(bool condition, int line)
{
    if (!condition) {
        fprintf(stderr, "fuzz_bus_local.c:%d does not hold\n", line);
        abort();
    }
}
#define hold(condition) hold_at((condition), __LINE__)

static uint64_t sum_of(const struct bus_record *r)
{
    return hash_xxh64(r->key) ^ (hash_xxh64(r->value) << 1 | 1);
}

/* ---- a bus ---- */

struct world {
    struct bus *bus;
    struct bus_client *client;
    bool note;   /* what is read is what was written */
    bool strict; /* what is read must be that */
};

static void look_at(struct world *w, const struct bus_ev *ev)
{
    uint32_t part = ev->tp.part, topic = (uint32_t)(ev->tag - TAG_READ) / PARTS;
    for (uint32_t i = 0; i < ev->count; i++) {
        const struct bus_record *r = &ev->records[i];
        uint64_t sum = sum_of(r);
        bool known = r->offset >= 0 && r->offset < OFFSETS;
        hold(!w->note || known);
        if (w->note) {
            base.sums[topic][part][r->offset] = sum;
        }
        hold(!w->strict || (known && base.sums[topic][part][r->offset] == sum));
    }
}

/* What was asked for has ended; false: in an error. */
static bool wait_for(struct world *w)
{
    struct bus_ev ev;
    int64_t until = clock_mono(bus_clock(w->client)) + GIVE_UP_NS;
    while (clock_mono(bus_clock(w->client)) < until) {
        bus_wait(w->client, WAIT_NS);
        while (bus_poll(w->client, &ev, 1) > 0) {
            if (ev.tag == TAG) {
                return ev.kind == BUS_EV_DONE || ev.kind == BUS_EV_OPENED ||
                       ev.kind == BUS_EV_COMMITTED;
            }
        }
    }
    hold(false); /* it does not answer */
    return false;
}

static void read_all(struct world *w)
{
    struct bus_reader *r = bus_reader_new(w->client);
    struct err err;
    uint32_t ended = 0;
    for (uint32_t t = 0; t < TOPICS; t++) {
        uint32_t id = bus_topic(w->client, slice_str(topics[t]));
        for (uint32_t p = 0; p < PARTS; p++) {
            hold(bus_assign(r, (struct bus_tp){id, p}, BUS_FROM_START, TAG_READ + t * PARTS + p,
                            &err) == 0);
        }
    }
    for (struct bus_ev ev; ended < TOPICS * PARTS;) {
        bus_wait(w->client, WAIT_NS);
        while (bus_poll(w->client, &ev, 1) > 0) {
            if (ev.kind == BUS_EV_RECORDS) {
                look_at(w, &ev);
            }
            ended += ev.kind == BUS_EV_END || ev.kind == BUS_EV_ERROR;
        }
    }
    bus_reader_free(r);
}

static bool write_some(struct world *w)
{
    static char large[LARGE];
    struct bus_writer *out;
    struct err err;
    if (bus_open(w->client, SLICE("s"), TAG, &out, &err) != 0) {
        return false;
    }
    bool fine = wait_for(w);
    for (uint32_t b = 0; fine && b < BATCHES; b++) {
        for (uint32_t i = 0; fine && i < TOPICS * PARTS * RECORDS; i++) {
            char key[2] = {(char)('k' + b), (char)('0' + i % 3)};
            const struct bus_header header = {SLICE("h"), slice_of(key, 1)};
            memset(large, (int)('a' + i), sizeof large);
            const struct bus_put put = {
                .to = {bus_topic(w->client, slice_str(topics[i % TOPICS])), i / TOPICS % PARTS},
                .key = slice_of(key, sizeof key),
                .value = i % 5 == 4 ? SLICE_NONE : slice_of(large, i == 3 ? LARGE : 10 + i),
                .headers = &header,
                .header_count = i % 2};
            fine = bus_put(out, &put, &err) == 0;
        }
        fine = fine && bus_commit(out, TAG, &err) == 0 && wait_for(w);
    }
    bus_writer_close(out);
    return fine;
}

static int open_bus(struct world *w, struct err *reterr)
{
    const struct bus_conf conf = {
        .kind = BUS_LOCAL, .prefix = "t.", .local = {.dir = base.dir, .map_bytes = MAP_BYTES}};
    int rc = bus_new(&conf, &w->bus, reterr);
    if (rc == 0) {
        w->client = bus_client_new(w->bus, "fuzz");
    }
    return rc;
}

static void close_bus(struct world *w)
{
    bus_client_free(w->client);
    bus_free(w->bus);
}

/* ---- the file ---- */

static void put_file(void)
{
    int fd = open(base.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    hold(fd >= 0 && write(fd, base.whole, base.used) == (ssize_t)base.used &&
         ftruncate(fd, (off_t)base.size) == 0);
    close(fd);
}

static void clean_up(void)
{
    char path[128];
    static const char *const names[] = {"data.mdb", "lock.mdb", "writer.lock"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", base.dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(base.dir);
    mem_free(base.whole);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct world w = {.note = true};
    struct stat st;
    struct err err;
    (void)argc;
    (void)argv;
    log_setup(&(struct log_conf){.level = LOG_LEVEL_ERROR + 1});
    bool memory = access("/dev/shm", W_OK) == 0;
    (void)snprintf(base.dir, sizeof base.dir, "%s/fuzz_bus_local.XXXXXX",
                   memory ? "/dev/shm" : "/tmp");
    hold(mkdtemp(base.dir) != NULL);
    (void)snprintf(base.file, sizeof base.file, "%s/data.mdb", base.dir);
    hold(atexit(clean_up) == 0);
    hold(open_bus(&w, &err) == 0);
    const struct bus_topic_spec specs[TOPICS] = {{SLICE("a"), PARTS, BUS_DELETE, -1, -1},
                                                 {SLICE("b"), PARTS, BUS_COMPACT, -1, -1}};
    hold(bus_ensure(w.client, specs, TOPICS, TAG, &err) == 0 && wait_for(&w));
    hold(write_some(&w));
    read_all(&w);
    close_bus(&w);
    int fd = open(base.file, O_RDONLY | O_CLOEXEC);
    hold(fd >= 0 && fstat(fd, &st) == 0);
    base.size = (size_t)st.st_size;
    base.whole = mem_alloc(base.size);
    hold(read(fd, base.whole, base.size) == (ssize_t)base.size);
    close(fd);
    base.used = base.size;
    while (base.used > 0 && base.whole[base.used - 1] == 0) {
        base.used--;
    }
    return 0;
}

/* ---- damage ---- */

/* False: a key is another one now. */
static bool change_row(struct script *s, MDB_txn *txn, MDB_dbi dbi)
{
    MDB_cursor *cur;
    MDB_val key, val;
    char keep[12], name[64];
    uint64_t at = draw(s, 1), how = draw(s, 1);
    hold(mdb_cursor_open(txn, dbi, &cur) == 0);
    int rc = mdb_cursor_get(cur, &key, &val, MDB_FIRST);
    for (; rc == 0 && at % 16 > 0; at--) {
        rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT);
    }
    if (rc != 0) {
        mdb_cursor_close(cur);
        return true;
    }
    size_t key_len = MIN(key.mv_size, sizeof keep), len = val.mv_size;
    memcpy(keep, key.mv_data, key_len);
    char *copy = mem_alloc(len + 16);
    memcpy(copy, val.mv_data, len);
    bool same = true;
    key = (MDB_val){key_len, keep};
    switch (how % 5) {
    case 0: hold(mdb_cursor_del(cur, 0) == 0); break;
    case 1: len = draw(s, 2) % (len + 1); break; /* cut short */
    case 2: len += 1 + draw(s, 1) % 16; break;
    case 3:
        for (uint64_t n = draw(s, 1) % 9; n > 0 && len > 0; n--) {
            uint64_t where = draw(s, 2);
            copy[(where & 0x8000) != 0 ? where % len : where % MIN(len, (size_t)64)] ^=
                (char)draw(s, 1);
        }
        break;
    default: /* a row under another key */
        same = false;
        key_len = draw(s, 1) % sizeof name;
        for (size_t i = 0; i < key_len; i++) {
            name[i] = (char)draw(s, 1);
        }
        key = (MDB_val){key_len, name};
    }
    val = (MDB_val){len, copy};
    if (how % 5 != 0) {
        (void)mdb_put(txn, dbi, &key, &val, 0); /* some keys LMDB does not take */
    }
    mem_free(copy);
    mdb_cursor_close(cur);
    return same;
}

static bool change_rows(struct script *s)
{
    MDB_env *env;
    MDB_txn *txn;
    bool same = true;
    hold(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, ARRAY_LEN(tables)) == 0 &&
         mdb_env_set_mapsize(env, MAP_BYTES) == 0 &&
         mdb_env_open(env, base.dir, MDB_NOSYNC, 0600) == 0);
    hold(mdb_txn_begin(env, NULL, 0, &txn) == 0);
    for (uint64_t n = draw(s, 1) % (CHANGES_MAX + 1); n > 0; n--) {
        MDB_dbi dbi;
        const char *table = tables[draw(s, 1) % ARRAY_LEN(tables)];
        hold(mdb_dbi_open(txn, table, 0, &dbi) == 0);
        same &= change_row(s, txn, dbi);
    }
    hold(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};
    struct world w = {.strict = true};
    struct stat st;
    struct err err = {.msg = ""};
    put_file();
    uint64_t tail = draw(&s, 1);
    w.strict = change_rows(&s);
    if (tail % 4 == 1 && stat(base.file, &st) == 0) {
        hold(truncate(base.file, (off_t)(draw(&s, 3) % ((uint64_t)st.st_size + 1))) == 0);
    }
    if (open_bus(&w, &err) != 0) {
        hold(err.msg[0] != '\0');
        return 0;
    }
    read_all(&w);
    if (tail % 2 == 0 && write_some(&w)) {
        hold(bus_maintain(w.client, TAG, &err) == 0);
        (void)wait_for(&w);
    }
    close_bus(&w);
    return 0;
}
