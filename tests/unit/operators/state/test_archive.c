/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/state/snap_archive.h: the chunks of a snapshot go out as pages and a root, in portions
 * that may be sent again, and come back as they were; what is torn is refused.
 */
#include "operators/state/snap_archive.h"
#include "tests/test.h"

#include "core/base/vec.h"

enum { CHUNKS = 40, LARGE = 3 * SNAP_VALUE_MAX + 17 };

static char bytes[LARGE];

static struct save_chunk chunk_of(uint32_t i)
{
    size_t n = i == 7 ? LARGE : i * 100;
    return (struct save_chunk){i / 4, (uint16_t)(i % 4), slice_of(bytes, n), NULL};
}

static void write_all(struct snap_archive *a, struct snap_set *set)
{
    snap_archive_begin(a);
    snap_set_watch(set, snap_archive_watch(a));
    snap_set_begin(set);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        struct save_chunk c = chunk_of(i);
        snap_set_add(set, &c);
    }
}

struct found {
    struct buf pages;
    struct snap_archive_root root;
    uint32_t n, roots;
};

static void keep(struct found *f, const struct snap_put *p)
{
    struct snap_archive_key k;
    struct err err;
    CHECK(snap_archive_key_read(slice_of(p->key, p->key_len), &k));
    CHECK(k.lineage == 5 && k.seq == 99 && p->value.len <= SNAP_VALUE_MAX && !p->removes);
    if (k.page == SNAP_ARCHIVE_ROOT) {
        CHECK_OK(snap_archive_root_read(p->value, &f->root, &err), err);
        CHECK(snap_archive_root_read(slice_of(p->value.ptr, p->value.len - 1), &f->root, &err) !=
              0);
        f->roots++;
    } else {
        CHECK_EQ(f->n, k.page);
        buf_add_slice(&f->pages, p->value);
        f->n++;
    }
}

TEST(an_archive_comes_back_as_it_went)
{
    struct snap_archive *a = snap_archive_new(5);
    struct snap_set *set = snap_set_new(5);
    const struct snap_root root = {.plan = 3, .seq = 99, .journal_offset = -1, .engine = 2};
    struct found f = {.n = 0};
    struct err err;
    bool whole = false;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i * 7 + i / 255);
    }
    buf_init(&f.pages, 1 << 28);
    CHECK(!snap_archive_has_puts(a));
    write_all(a, set);
    CHECK(snap_archive_seal(a, &root, 12345));
    CHECK(snap_archive_has_puts(a));
    for (uint32_t round = 0; !whole; round++) {
        uint32_t n = snap_archive_take(a, 2 * SNAP_VALUE_MAX);
        CHECK(n > 0 && n <= 2 && n == snap_archive_taken(a));
        if (round == 1) { /* it was given up: the same again */
            (void)snap_archive_take(a, 0);
            CHECK_EQ(n, snap_archive_take(a, 2 * SNAP_VALUE_MAX));
        }
        for (uint32_t i = 0; i < n; i++) {
            keep(&f, snap_archive_put(a, i));
        }
        whole = snap_archive_committed(a);
        CHECK(round < 100);
    }
    CHECK(!snap_archive_has_puts(a) && f.roots == 1 && f.n > 3);
    CHECK(f.root.clock == 12345 && f.root.root.seq == 99 && f.root.root.plan == 3);

    struct arena *arena = arena_new(NULL, "test", 1 << 20);
    const struct save_chunk *got = NULL;
    size_t n = 0;
    CHECK_OK(snap_archive_open(&f.root, buf_slice(&f.pages), arena, &got, &n, &err), err);
    CHECK_EQ(CHUNKS, n);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        struct save_chunk c = chunk_of(i);
        CHECK(c.node == got[i].node && c.group == got[i].group && slice_eq(c.bytes, got[i].bytes));
    }
    f.pages.ptr[f.pages.len / 2] ^= 1;
    CHECK_EQ(-ERR_CORRUPT, snap_archive_open(&f.root, buf_slice(&f.pages), arena, &got, &n, &err));
    CHECK_HAS("torn", err.msg);
    arena_free(arena);
    buf_done(&f.pages);
    snap_set_free(set);
    snap_archive_free(a);
}
