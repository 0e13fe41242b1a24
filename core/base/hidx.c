/* SPDX-License-Identifier: Apache-2.0
 *
 * See hidx.h. A page begins with how many of its cells are taken and how many upper bits its
 * hashes have in common; as many entries of the directory lead to it, side by side, as the other
 * bits allow. A first page doubles until it has its full size. Hashes that are the same cannot be
 * divided: where dividing would make the directory much larger than the cells need, the page
 * doubles again.
 */
#include "core/base/hidx.h"

#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

enum { FIRST = 8, FULL = 4096, DEPTH_MAX = 20, SMALL = sizeof(struct hidx_small) };

struct head {
    uint32_t used, depth;
    uint64_t pad; /* cells are aligned to 16 */
};

static struct head *head_of(const struct hidx_page *p)
{
    return (struct head *)(void *)(p->cells - sizeof(struct head));
}

/* Entries of the directory, of which there is one without a directory as well. */
static struct hidx_page *pages(const struct hidx *x)
{
    return (struct hidx_page *)(uintptr_t)(x->depth > 0 ? x->dir : &x->one);
}

static size_t entry(const struct hidx *x, uint32_t upper)
{
    return (uint64_t)upper >> (32 - x->depth);
}

static void *at(const struct hidx *x, const struct hidx_page *p, size_t i)
{
    return p->cells + i * x->cell;
}

static uint32_t upper_of(const struct hidx *x, const void *cell)
{
    return x->cell == SMALL ? ((const struct hidx_small *)cell)->hash
                            : hidx_upper(((const struct hidx_cell *)cell)->hash);
}

static bool is_free(const struct hidx *x, const void *cell)
{
    return x->cell == SMALL ? ((const struct hidx_small *)cell)->what == 0
                            : ((const struct hidx_cell *)cell)->what == NULL;
}

void hidx_init(struct hidx *x, size_t cell)
{
    assert(cell == SMALL || (cell >= sizeof(struct hidx_cell) && cell % 8 == 0));
    *x = (struct hidx){.cell = (uint32_t)cell};
}

static struct hidx_page make(const struct hidx *x, size_t size, uint32_t depth)
{
    char *all = mem_zalloc(sizeof(struct head) + size * x->cell);
    ((struct head *)(void *)all)->depth = depth;
    return (struct hidx_page){all + sizeof(struct head), size - 1};
}

static void drop(const struct hidx_page *p)
{
    mem_free(p->cells - sizeof(struct head));
}

/* Entries of the directory that lead to the page of that one. */
static size_t span(const struct hidx *x, const struct hidx_page *p)
{
    return (size_t)1 << (x->depth - head_of(p)->depth);
}

void hidx_done(struct hidx *x)
{
    size_t n = hidx_is_made(x) ? (size_t)1 << x->depth : 0;
    for (size_t i = 0, step; i < n; i += step) {
        step = span(x, &pages(x)[i]);
        drop(&pages(x)[i]);
    }
    if (x->depth > 0) {
        mem_free(x->dir);
    }
    *x = (struct hidx){.cell = x->cell};
}

void hidx_clear(struct hidx *x)
{
    if (x->depth > 0) {
        hidx_done(x);
    } else if (x->count > 0) {
        memset(x->one.cells, 0, (x->one.mask + 1) * x->cell);
        head_of(&x->one)->used = 0;
        x->count = 0;
    }
}

static void *place(const struct hidx *x, const struct hidx_page *p, uint32_t upper)
{
    size_t i = upper & p->mask;
    while (!is_free(x, at(x, p, i))) {
        i = (i + 1) & p->mask;
    }
    head_of(p)->used++;
    return at(x, p, i);
}

void hidx_reserve(struct hidx *x, size_t n)
{
    uint32_t depth = 0;
    while (depth < DEPTH_MAX && ((size_t)FULL / 2 << depth) < n) {
        depth++;
    }
    if (hidx_is_made(x) || depth == 0) {
        return;
    }
    x->depth = depth;
    x->dir = mem_calloc((size_t)1 << depth, sizeof *x->dir);
    for (size_t i = 0; i < (size_t)1 << depth; i++) {
        x->dir[i] = make(x, FULL, depth);
    }
}

/* ---- growing ---- */

static void move_all(const struct hidx *x, const struct hidx_page *from, struct hidx_page *to,
                     uint32_t bit)
{
    for (size_t i = 0; i <= from->mask; i++) {
        const void *cell = at(x, from, i);
        if (!is_free(x, cell)) {
            uint32_t upper = upper_of(x, cell);
            memcpy(place(x, &to[(upper & bit) != 0], upper), cell, x->cell);
        }
    }
}

/* The entries of that page lead to another, or half of them to each of two. */
static void replace(struct hidx *x, size_t first, size_t n, const struct hidx_page *to)
{
    struct hidx_page was = pages(x)[first];
    for (size_t i = 0; i < n; i++) {
        pages(x)[first + i] = to[n > 1 && i >= n / 2];
    }
    drop(&was);
}

static void double_page(struct hidx *x, size_t first)
{
    struct hidx_page was = pages(x)[first];
    struct hidx_page to = make(x, 2 * (was.mask + 1), head_of(&was)->depth), both[] = {to, to};
    move_all(x, &was, both, 0);
    replace(x, first, span(x, &was), both);
}

static void double_dir(struct hidx *x)
{
    size_t n = (size_t)1 << x->depth;
    struct hidx_page *to = mem_calloc(2 * n, sizeof *to);
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = to[2 * i + 1] = pages(x)[i];
    }
    if (x->depth > 0) {
        mem_free(x->dir);
    }
    x->dir = to;
    x->depth++;
}

static void divide(struct hidx *x, size_t first)
{
    struct hidx_page was = pages(x)[first];
    uint32_t depth = head_of(&was)->depth + 1;
    struct hidx_page to[] = {make(x, FULL, depth), make(x, FULL, depth)};
    move_all(x, &was, to, 1U << (32 - depth));
    replace(x, first, span(x, &was), to);
}

/* So that the page of that hash has room, if dividing it helps; else that it has some next time. */
static void grow(struct hidx *x, uint32_t upper)
{
    enum { SPARSE = 16 }; /* so much larger may the directory be */
    size_t i = entry(x, upper), size = pages(x)[i].mask + 1;
    bool whole = head_of(&pages(x)[i])->depth == x->depth; /* one entry leads there */
    bool room = x->depth < DEPTH_MAX && ((size_t)FULL << x->depth) <= SPARSE * (x->count + 1);
    if (size != FULL || (whole && !room)) {
        double_page(x, i & ~(span(x, &pages(x)[i]) - 1));
        return;
    }
    if (whole) {
        double_dir(x);
        i *= 2;
    }
    divide(x, i & ~(span(x, &x->dir[i]) - 1));
}

static bool is_full(const struct hidx_page *p)
{
    return (head_of(p)->used + 1) * (size_t)8 > (p->mask + 1) * 5;
}

void *hidx_add(struct hidx *x, uint64_t hash)
{
    uint32_t upper = hidx_upper(hash);
    if (UNLIKELY(!hidx_is_made(x))) {
        x->one = make(x, FIRST, 0);
    }
    while (UNLIKELY(is_full(&pages(x)[entry(x, upper)]))) {
        grow(x, upper);
    }
    void *cell = place(x, &pages(x)[entry(x, upper)], upper);
    if (x->cell == SMALL) {
        ((struct hidx_small *)cell)->hash = upper;
    } else {
        ((struct hidx_cell *)cell)->hash = hash;
    }
    x->count++;
    return cell;
}

/* ---- removing ---- */

/* Closes the gap, so that searches end at the first free cell. */
void hidx_remove(struct hidx *x, const void *cell)
{
    const struct hidx_page *p = &pages(x)[entry(x, upper_of(x, cell))];
    size_t mask = p->mask, gap = (size_t)((const char *)cell - p->cells) / x->cell;
    assert(gap <= mask && !is_free(x, cell));
    for (size_t i = (gap + 1) & mask; !is_free(x, at(x, p, i)); i = (i + 1) & mask) {
        if (((i - upper_of(x, at(x, p, i))) & mask) >= ((i - gap) & mask)) {
            memcpy(at(x, p, gap), at(x, p, i), x->cell);
            gap = i;
        }
    }
    memset(at(x, p, gap), 0, x->cell);
    head_of(p)->used--;
    x->count--;
}

/* ---- all ---- */

void *hidx_next(const struct hidx *x, const void *before)
{
    size_t n = hidx_is_made(x) ? (size_t)1 << x->depth : 0, i = 0, k = 0;
    const struct hidx_page *p = pages(x);
    if (before != NULL) {
        i = entry(x, upper_of(x, before));
        i &= ~(span(x, &p[i]) - 1);
        k = (size_t)((const char *)before - p[i].cells) / x->cell + 1;
    }
    for (; i < n; i += span(x, &p[i]), k = 0) {
        for (; k <= p[i].mask; k++) {
            if (!is_free(x, at(x, &p[i], k))) {
                return at(x, &p[i], k);
            }
        }
    }
    return NULL;
}
