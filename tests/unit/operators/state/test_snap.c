/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/state over a log that is compacted at any time: a state of nodes and key groups
 * changes, snapshots of it are written record by record, and whoever reads the log after any of
 * these records, whatever a compactor has done to it, finds the last snapshot whose root is there,
 * whole. Who goes on from there does so, too.
 */
#include "operators/state/snap_set.h"
#include "tests/test.h"

#include "core/base/mem.h"
#include "core/base/vec.h"

enum { NODES = 5, GROUPS = 12, LINEAGE = 77, WHOLE = 600000 };

/* ---- the log ---- */

struct record {
    char *key, *value; /* value: NULL for a tombstone */
    size_t key_len, len;
};

struct log {
    VEC(struct record) v;
};

static char *copy(const char *p, size_t n)
{
    char *to = mem_alloc(n + 1);
    memcpy(to, p, n);
    return to;
}

static void append(struct log *l, const struct snap_put *p)
{
    CHECK(p->value.len <= SNAP_VALUE_MAX);
    *VEC_PUSH(&l->v) = (struct record){copy(p->key, p->key_len),
                                       p->removes ? NULL : copy(p->value.ptr, p->value.len),
                                       p->key_len, p->removes ? 0 : p->value.len};
}

static void record_done(struct record *r)
{
    mem_free(r->key);
    mem_free(r->value);
}

static void take_out(struct log *l, size_t i)
{
    record_done(&l->v.ptr[i]);
    (void)VEC_REMOVE(&l->v, i);
}

/* Of the first n records those that others replace are taken out; the tombstones if told. */
static void compact(struct log *l, size_t n, bool tombstones)
{
    for (size_t i = n; i-- > 0;) {
        const struct record *r = &l->v.ptr[i];
        bool old = false;
        for (size_t k = i + 1; !old && k < l->v.len; k++) {
            const struct record *x = &l->v.ptr[k];
            old = x->key_len == r->key_len && memcmp(x->key, r->key, r->key_len) == 0;
        }
        if (old) {
            take_out(l, i);
            n--;
        }
    }
    for (size_t i = n; tombstones && i-- > 0;) {
        if (l->v.ptr[i].value == NULL) {
            take_out(l, i);
        }
    }
}

/* ---- a state ---- */

struct state {
    char *bytes[NODES][GROUPS];
    size_t len[NODES][GROUPS];
    bool changed[NODES][GROUPS];
};

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (*seed >> 33) % below;
}

static void change(struct state *s, uint64_t *seed, size_t n, size_t g)
{
    static const size_t sizes[] = {0, 10, 300, 3000, 60000, 700000};
    size_t most = n == 0 && g < 2 ? sizes[5] : n < 2 ? sizes[4] : sizes[draw(seed, 4)];
    size_t len = most == 0 ? 0 : 1 + draw(seed, most);
    mem_free(s->bytes[n][g]);
    s->bytes[n][g] = mem_alloc(len + 1);
    memset(s->bytes[n][g], (int)draw(seed, 256), len);
    s->len[n][g] = len;
    s->changed[n][g] = true;
}

static void change_some(struct state *s, uint64_t *seed)
{
    for (uint64_t n = draw(seed, 12); n > 0; n--) {
        change(s, seed, draw(seed, NODES), draw(seed, GROUPS));
    }
}

static void state_done(struct state *s)
{
    for (size_t i = 0; i < NODES * GROUPS; i++) {
        mem_free(s->bytes[i / GROUPS][i % GROUPS]);
    }
}

/* A group of a node: the last of each is the one without key. */
static uint16_t group_of(size_t g)
{
    return g == GROUPS - 1 ? SAVE_NO_GROUP : (uint16_t)(g * 90);
}

static struct hash128 hash_of(const struct state *s)
{
    struct snap_part parts[NODES * GROUPS];
    size_t k = 0;
    for (size_t n = NODES; n-- > 0;) { /* in any order */
        for (size_t g = 0; g < GROUPS; g++) {
            if (s->len[n][g] > 0) {
                parts[k++] = (struct snap_part){
                    n, group_of(g), hash_xxh128(slice_of(s->bytes[n][g], s->len[n][g]))};
            }
        }
    }
    return snap_hash(parts, k);
}

/* ---- reading ---- */

static struct snap_set *read_log(const struct log *l, struct err *err)
{
    struct snap_set *set = snap_set_new(LINEAGE);
    VEC_EACH (&l->v, r) {
        struct snap_key k;
        CHECK(snap_key_read(slice_of(r->key, r->key_len), &k));
        CHECK_OK(snap_set_record(set, &k,
                                 r->value != NULL ? slice_of(r->value, r->len) : SLICE_NONE, err),
                 *err);
    }
    return set;
}

static size_t opened; /* snapshots, all of them */
static size_t died_inside;

static struct snap_set *check_log(const struct log *l, const struct hash128 *want, uint64_t seq)
{
    struct err err = {0};
    struct snap_set *set = read_log(l, &err);
    const struct snap_root *root = snap_set_root(set);
    CHECK_EQ(seq > 0, root != NULL);
    if (root != NULL) {
        size_t n = 0;
        CHECK_EQ(seq, root->seq);
        CHECK_OK(snap_set_open(set, &err), err);
        CHECK(memcmp(&root->state, want, sizeof *want) == 0);
        const struct save_chunk *c = snap_set_chunks(set, &n);
        CHECK(n > 0 && c[n - 1].node == SNAP_TASK_NODE);
        CHECK(slice_eq(c[n - 1].bytes, SLICE("the task")));
        snap_set_close(set);
        opened++;
    }
    return set;
}

/* ---- runs ---- */

struct run {
    struct log log;
    struct state state;
    struct snap_set *set;
    uint64_t seed, seq;        /* of the last root that is there */
    struct hash128 want, next; /* of its state; of the one that is being written */
};

/* True: the writer is not who he was. */
static bool after_a_record(struct run *r, uint64_t crash_in)
{
    if (draw(&r->seed, 3) == 0) {
        compact(&r->log, draw(&r->seed, r->log.v.len + 1), draw(&r->seed, 2) == 0);
    }
    struct snap_set *again = check_log(&r->log, &r->want, r->seq);
    if (crash_in == 0 || draw(&r->seed, crash_in) > 0) {
        snap_set_free(again);
        return false;
    }
    snap_set_free(r->set);
    r->set = again;
    return true;
}

static bool write_out(struct run *r, uint64_t seq, uint64_t crash_in)
{
    while (snap_set_has_puts(r->set)) {
        uint32_t n = snap_set_take(r->set, 1);
        for (uint32_t i = 0; i < n; i++) {
            append(&r->log, snap_set_put(r->set, i));
        }
        if (snap_set_committed(r->set)) {
            r->seq = seq;
            r->want = r->next;
        }
        if (after_a_record(r, crash_in)) {
            return false;
        }
    }
    return true;
}

/* At once, or in pieces of any size; between them what is there already goes out. */
static bool add(struct run *r, size_t n, size_t g, uint64_t crash_in)
{
    struct state *s = &r->state;
    struct slice rest = slice_of(s->bytes[n][g], s->len[n][g]);
    bool pieces = draw(&r->seed, 2) == 0, fine = true;
    s->changed[n][g] = false;
    if (rest.len == 0) {
        return true;
    }
    if (!pieces) {
        snap_set_add(r->set, &(struct save_chunk){n, group_of(g), rest, NULL});
        return draw(&r->seed, 4) > 0 || write_out(r, r->seq + 1, crash_in);
    }
    snap_set_add_begin(r->set, n, group_of(g));
    while (fine && rest.len > 0) {
        size_t len = 1 + draw(&r->seed, rest.len);
        snap_set_add_bytes(r->set, slice_of(rest.ptr, len));
        rest = slice_of(rest.ptr + len, rest.len - len);
        fine = draw(&r->seed, 4) > 0 || write_out(r, r->seq + 1, crash_in);
    }
    if (fine) {
        snap_set_add_end(r->set);
    }
    return fine;
}

/* Nodes that have changed are added; of large ones the groups that have. False: the writer died. */
static bool save(struct run *r, bool all, struct snap_root *root, uint64_t crash_in)
{
    struct state *s = &r->state;
    snap_set_begin(r->set);
    for (size_t n = NODES; n-- > 0;) {
        bool any = all;
        for (size_t g = 0; g < GROUPS; g++) {
            any |= s->changed[n][g];
        }
        if (!any) {
            snap_set_keep(r->set, n, SNAP_PACKED);
            continue;
        }
        bool whole = all || snap_set_is_packed(r->set, n);
        for (size_t g = 0; g < GROUPS; g++) {
            if (whole || s->changed[n][g]) {
                if (!add(r, n, g, crash_in)) {
                    return false;
                }
            } else {
                snap_set_keep(r->set, n, group_of(g));
            }
        }
    }
    snap_set_add(r->set,
                 &(struct save_chunk){SNAP_TASK_NODE, SAVE_NO_GROUP, SLICE("the task"), NULL});
    snap_set_seal(r->set, root);
    return true;
}

static void run(uint64_t seed, uint64_t crash_in, uint32_t rounds)
{
    struct run *r = MEM_NEW(struct run);
    bool whole = true;
    r->seed = seed;
    r->set = snap_set_new(LINEAGE);
    for (uint32_t i = 1; i <= rounds; i++) {
        struct snap_root root = {.seq = i, .journal_offset = i, .plan = 5, .engine = 1};
        change_some(&r->state, &r->seed);
        r->next = hash_of(&r->state);
        bool alive = save(r, whole || draw(&r->seed, 8) == 0, &root, crash_in);
        CHECK(!alive || memcmp(&r->next, &root.state, sizeof root.state) == 0);
        died_inside += !alive;
        whole = !alive || !write_out(r, i, crash_in); /* who begins anew knows no changes */
    }
    CHECK_EQ(0, snap_set_has_puts(r->set));
    snap_set_free(r->set);
    state_done(&r->state);
    VEC_EACH (&r->log.v, x) {
        record_done(x);
    }
    VEC_DONE(&r->log.v);
    mem_free(r);
}

TEST(after_every_record_the_last_root_finds_all_it_names)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        run(seed, 0, 8);
    }
    for (uint64_t seed = 100; seed <= 112; seed++) {
        run(seed, 12, 8);
    }
    for (uint64_t seed = 200; seed <= 206; seed++) {
        run(seed, 4, 8);
    }
    CHECK(opened > 500 && died_inside > 3);
}

TEST(only_what_has_changed_is_written)
{
    struct run r = {.seed = 3};
    struct snap_root root = {.seq = 1};
    r.set = snap_set_new(LINEAGE);
    for (size_t i = 0; i < NODES * GROUPS; i++) {
        change(&r.state, &r.seed, i / GROUPS, i % GROUPS);
    }
    r.next = hash_of(&r.state);
    CHECK(save(&r, true, &root, 0));
    CHECK(write_out(&r, 1, 0));
    uint64_t all = snap_set_counts(r.set).written;
    CHECK(all > 500000);
    CHECK_EQ(0, snap_set_is_packed(r.set, 0));
    CHECK(snap_set_is_packed(r.set, 2) && snap_set_is_packed(r.set, SNAP_TASK_NODE));
    mem_free(r.state.bytes[0][3]);
    r.state.bytes[0][3] = copy("abc", 3);
    r.state.len[0][3] = 3;
    for (int round = 0; round < 2; round++) { /* told what has changed, and not told */
        root = (struct snap_root){.seq = 2};
        r.state.changed[0][3] = true;
        r.next = hash_of(&r.state);
        CHECK(save(&r, round == 0, &root, 0));
        CHECK(write_out(&r, 2, 0));
        CHECK(snap_set_counts(r.set).written < 2000);
        CHECK_EQ(round == 0, snap_set_counts(r.set).changed);
    }
    snap_set_drop(r.set);
    r.seq = 0;
    CHECK(write_out(&r, 0, 0));
    compact(&r.log, r.log.v.len, true);
    CHECK_EQ(0, r.log.v.len); /* nothing is left behind */
    snap_set_free(r.set);
    state_done(&r.state);
    VEC_DONE(&r.log.v);
}

TEST(keys_roots_and_pages_are_bounded)
{
    const struct snap_key good[] = {{.kind = SNAP_ROOT, .lineage = 7},
                                    {SNAP_PAGE, 7, 0, 0, 1, SNAP_PAGES_MAX - 1},
                                    {SNAP_CHUNK, 7, 1ULL << 60, SNAP_PACKED, 1, UINT32_MAX}};
    const struct snap_key bad = {SNAP_PAGE, 7, 0, 0, 1, SNAP_PAGES_MAX};
    char bytes[SNAP_KEY_MAX];
    struct snap_key k;
    struct err err;
    struct buf b;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct slice key = snap_key_write(&good[i], bytes);
        CHECK(snap_key_read(key, &k) && k.kind == good[i].kind && k.node == good[i].node &&
              k.group == good[i].group && k.side == good[i].side && k.number == good[i].number);
        CHECK(!snap_key_read(slice_of(bytes, key.len - 1), &k));
    }
    CHECK(!snap_key_read(snap_key_write(&bad, bytes), &k));
    buf_init(&b, 10000);
    for (uint32_t pages = SNAP_PAGES_MAX; pages <= SNAP_PAGES_MAX + 1; pages++) {
        struct snap_root r = {.pages = pages, .seq = 4, .journal_offset = -1}, got;
        buf_clear(&b);
        CHECK(snap_root_write(&r, &b));
        CHECK_EQ(pages == SNAP_PAGES_MAX, snap_root_read(buf_slice(&b), &got, &err) == 0);
        CHECK(snap_root_read(slice_of(b.ptr, b.len - 1), &got, &err) != 0);
    }
    for (uint32_t chunks = 2; chunks <= 3; chunks++) {
        struct snap_group g = {.node = 1, .bytes = WHOLE, .chunks = chunks}, got;
        buf_clear(&b);
        CHECK(snap_group_write(&g, &b));
        struct slice rest = buf_slice(&b), cut = slice_of(b.ptr, b.len - 1);
        CHECK_EQ(chunks == 2 ? 1 : -ERR_CORRUPT, snap_group_read(&rest, &got));
        CHECK_EQ(-ERR_CORRUPT, snap_group_read(&cut, &got));
    }
    buf_done(&b);
}

TEST(a_number_that_nobody_writes_is_no_chunk)
{
    struct snap_set *set = snap_set_new(LINEAGE);
    struct err err;
    for (uint32_t side = 0; side < 2; side++) {
        const struct snap_key k = {SNAP_CHUNK, LINEAGE, 1, 0, side, UINT32_MAX - side};
        CHECK_OK(snap_set_record(set, &k, SLICE("x"), &err), err);
    }
    snap_set_drop(set);
    CHECK(!snap_set_has_puts(set)); /* else four thousand million removals */
    snap_set_free(set);
}

/* It stands there until another root does: who passed it over would begin with nothing. */
TEST(a_root_of_a_newer_program_is_told)
{
    const struct snap_key k = {.kind = SNAP_ROOT, .lineage = LINEAGE};
    const char newer[] = {SNAP_FORMAT + 1, 7}, older[] = {SNAP_FORMAT - 1, 7};
    struct snap_set *set = snap_set_new(LINEAGE);
    struct err err;
    CHECK_OK(snap_set_record(set, &k, slice_of(newer, sizeof newer), &err), err);
    CHECK_EQ(SNAP_FORMAT + 1, snap_set_newer(set));
    CHECK(snap_set_root(set) == NULL);
    CHECK_OK(snap_set_record(set, &k, slice_of(older, sizeof older), &err), err);
    CHECK_EQ(0, snap_set_newer(set));
    CHECK(snap_set_root(set) == NULL);
    snap_set_free(set);
}

TEST(what_is_damaged_is_refused)
{
    struct run r = {.seed = 9};
    struct snap_root root = {.seq = 1};
    struct err err;
    r.set = snap_set_new(LINEAGE);
    for (size_t i = 0; i < NODES * GROUPS; i++) {
        change(&r.state, &r.seed, i / GROUPS, i % GROUPS);
    }
    r.next = hash_of(&r.state);
    CHECK(save(&r, true, &root, 0));
    CHECK(write_out(&r, 1, 0));
    for (size_t i = 0; i + 1 < r.log.v.len; i++) { /* all but the root */
        struct record *x = &r.log.v.ptr[i];
        if (x->value == NULL) {
            continue;
        }
        x->value[draw(&r.seed, x->len)] ^= 1;
        struct snap_set *set = read_log(&r.log, &err);
        CHECK_EQ(-ERR_CORRUPT, snap_set_open(set, &err));
        CHECK(snap_set_root(set) == NULL);
        snap_set_free(set);
        x->len--;
        set = read_log(&r.log, &err);
        CHECK_EQ(-ERR_CORRUPT, snap_set_open(set, &err));
        snap_set_free(set);
        break;
    }
    snap_set_free(r.set);
    state_done(&r.state);
    VEC_EACH (&r.log.v, x) {
        record_done(x);
    }
    VEC_DONE(&r.log.v);
}
