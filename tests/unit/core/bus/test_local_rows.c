/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of the local bus whose rows were damaged: who opens it is told, and it is not written to.
 */
#include "core/bus/bus_conf.h"
#include "tests/test.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TAG = 1, MAP_BYTES = 1 << 20, ROW_MAX = 64 };

static int open_bus(const char *dir, struct bus **ret, struct err *reterr)
{
    const struct bus_conf conf = {
        .kind = BUS_LOCAL, .prefix = "t.", .local = {.dir = dir, .map_bytes = MAP_BYTES}};
    return bus_new(&conf, ret, reterr);
}

static void make_topics(const char *dir)
{
    const struct bus_topic_spec specs[] = {{SLICE("a"), 2, BUS_DELETE, -1, -1},
                                           {SLICE("b"), 1, BUS_COMPACT, -1, -1}};
    struct bus *bus;
    struct bus_ev ev = {.kind = BUS_EV_TIMER};
    struct err err;
    CHECK_OK(open_bus(dir, &bus, &err), err);
    struct bus_client *c = bus_client_new(bus, "test");
    CHECK_OK(bus_ensure(c, specs, ARRAY_LEN(specs), TAG, &err), err);
    while (ev.kind != BUS_EV_DONE) {
        bus_wait(c, CLOCK_NS_PER_S);
        CHECK(bus_poll(c, &ev, 1) == 0 || ev.kind == BUS_EV_DONE);
    }
    bus_client_free(c);
    bus_free(bus);
}

/* Puts `len` bytes under the key, or removes it; what was there goes to `had`. */
static size_t put_row(const char *dir, const char *table, struct slice at, const char *bytes,
                      size_t len, char had[ROW_MAX])
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val key = {at.len, (void *)(uintptr_t)at.ptr}, val = {len, (void *)(uintptr_t)bytes}, old;
    CHECK_EQ(0, mdb_env_create(&env));
    CHECK_EQ(0, mdb_env_set_maxdbs(env, 8));
    CHECK_EQ(0, mdb_env_open(env, dir, MDB_NOSYNC, 0600));
    CHECK_EQ(0, mdb_txn_begin(env, NULL, 0, &txn));
    CHECK_EQ(0, mdb_dbi_open(txn, table, 0, &dbi));
    size_t n = mdb_get(txn, dbi, &key, &old) == 0 ? old.mv_size : 0;
    CHECK(n <= ROW_MAX);
    memcpy(had, n > 0 ? old.mv_data : "", n);
    CHECK_EQ(0, len > 0 ? mdb_put(txn, dbi, &key, &val, 0) : mdb_del(txn, dbi, &key, NULL));
    CHECK_EQ(0, mdb_txn_commit(txn));
    mdb_env_close(env);
    return n;
}

#define U64(v) v "\0\0\0\0\0\0\0"
#define MOST   "\xff\xff\xff\xff\xff\xff\xff\x7f"

TEST(local_rows_that_are_damaged_are_said_when_the_bus_is_opened)
{
    static const char part[] = "\0\1\0\1"; /* topic 1, partition 1 */
#define ROW(text) text, sizeof text - 1
    static const struct {
        const char *table;
        struct slice key;
        const char *bytes;
        size_t len;
    } damage[] = {
        {"parts",
         {part, 4},
         ROW("\1" U64("\5") U64("\4") U64("\0") U64("\0") U64("\0"))}, /* ends first */
        {"parts", {part, 4}, ROW("\1" U64("\0") MOST U64("\0") U64("\0") U64("\0"))},
        {"parts", {part, 4}, ROW("\1" U64("\1") U64("\4") U64("\0") U64("\5") U64("\0"))},
        {"parts", {part, 4}, ROW("\1" U64("\1") U64("\4") U64("\0") U64("\4") MOST)},
        {"parts", {part, 4}, ROW("\1" U64("\1"))},
        {"topics", SLICE("t.a"), NULL, 0}, /* the next one would be number 2, too */
        {"topics", SLICE("t.b"), ROW("\1\1\0\1\0\0\0\1" MOST MOST)},
        {"topics", SLICE("t\0b"), ROW("\1\3\0\1\0\0\0\1" MOST MOST)},
        {"slots", SLICE("s"), ROW("\1")},
    };
    char dir[] = "/tmp/test_local_rows.XXXXXX", had[ROW_MAX], unused[ROW_MAX], path[64];
    CHECK(mkdtemp(dir) != NULL);
    make_topics(dir);
    for (size_t i = 0; i < ARRAY_LEN(damage); i++) {
        struct bus *bus;
        struct err err;
        size_t n =
            put_row(dir, damage[i].table, damage[i].key, damage[i].bytes, damage[i].len, had);
        CHECK_EQ(-ERR_CORRUPT, open_bus(dir, &bus, &err));
        CHECK(strstr(err.msg, damage[i].table) != NULL);
        (void)put_row(dir, damage[i].table, damage[i].key, had, n, unused);
        CHECK_OK(open_bus(dir, &bus, &err), err);
        bus_free(bus);
    }
    static const char *const files[] = {"data.mdb", "lock.mdb", "writer.lock"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        CHECK_EQ(0, unlink(path));
    }
    CHECK_EQ(0, rmdir(dir));
}
