/* SPDX-License-Identifier: Apache-2.0
 *
 * Events that were read, by their serials, so that each stays one object in all chunks. Serials
 * that follow each other share a page; pages are found by open addressing. What is read in order
 * finds its page without asking, and growing moves what leads to pages, not what is in them.
 */
#ifndef OPERATORS_SIG_EVT_SERIALS_H
#define OPERATORS_SIG_EVT_SERIALS_H

#include "core/base/vec.h"
#include "operators/sig/dat_type.h"

/* A page takes no more than a few of its events do: serials that were made up to lie far apart cost
 * memory as the bytes do that they were read of. */
enum { EVT_SERIALS_PAGE = 16 };

struct evt_serials_place {
    uint64_t number;   /* of the page: serial / EVT_SERIALS_PAGE */
    struct evt **page; /* NULL: free */
};

struct evt_serials { /* all zero: none */
    struct evt_serials_place *at;
    size_t size, n_pages; /* size: a power of two */
    unsigned shift;
    size_t n; /* events */
    struct evt_serials_place last;
    VEC(struct evt **) slabs; /* of pages */
    size_t slab, left;        /* pages of the newest; those in it that are free */
};

/* Makes room for one page more, which is zeroed. */
struct evt **evt_serials_add(struct evt_serials *s, uint64_t number);
void evt_serials_done(struct evt_serials *s);

/* Where the page is, or would be; there is a table. */
static inline struct evt_serials_place *evt_serials_find(const struct evt_serials *s,
                                                         uint64_t number)
{
    size_t i = (number * 0x9e3779b97f4a7c15ULL) >> s->shift;
    while (s->at[i].page != NULL && s->at[i].number != number) {
        i = (i + 1) & (s->size - 1);
    }
    return &s->at[i];
}

/* It will be asked for. */
static inline void evt_serials_soon(struct evt_serials *s, uint64_t serial)
{
    uint64_t number = serial / EVT_SERIALS_PAGE;
    if (s->size > 0 && (s->last.page == NULL || s->last.number != number)) {
        struct evt_serials_place *p = evt_serials_find(s, number);
        if (p->page != NULL) {
            s->last = *p;
        }
    }
    if (s->last.page != NULL) {
        __builtin_prefetch(&s->last.page[serial % EVT_SERIALS_PAGE], 1);
    }
}

/* Who is known by this serial already, or this one from now on. */
static inline struct evt *evt_serials_one(struct evt_serials *s, uint64_t serial, struct evt *e)
{
    uint64_t number = serial / EVT_SERIALS_PAGE;
    if (s->last.page == NULL || s->last.number != number) {
        const struct evt_serials_place *p = s->size > 0 ? evt_serials_find(s, number) : NULL;
        struct evt **page = p != NULL ? p->page : NULL;
        page = page != NULL ? page : evt_serials_add(s, number);
        s->last = (struct evt_serials_place){number, page};
    }
    struct evt **known = &s->last.page[serial % EVT_SERIALS_PAGE];
    if (*known == NULL) {
        *known = e;
        s->n++;
    }
    return *known;
}

#endif
