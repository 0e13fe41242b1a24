/* SPDX-License-Identifier: Apache-2.0
 *
 * What is there: records read into values, the manifest, and chunks put together from both. See
 * snap_set.h. Values are kept until they are replaced, because the root that says which of them
 * count comes last.
 */
#include "operators/state/snap_impl.h"

#include "core/base/mem.h"
#include "core/codec/crc32c.h"

#include <assert.h>
#include <stdlib.h>

enum { KEYS_MAX = 1 << 26, NUMBERS_MAX = 1 << 14 /* values of a group: 8 GiB */ };

struct snap_set *snap_set_new(uint64_t lineage)
{
    struct snap_set *s = MEM_NEW(struct snap_set);
    s->lineage = lineage;
    map_init(&s->held, KEYS_MAX);
    map_init(&s->pages, KEYS_MAX);
    map_init(&s->values, KEYS_MAX);
    map_init(&s->nodes, KEYS_MAX);
    s->pieces.hash = hash_new();
    return s;
}

void snap_manifest_done(struct snap_manifest *m)
{
    VEC_DONE(&m->groups);
    VEC_DONE(&m->parts);
}

void snap_set_free(struct snap_set *s)
{
    if (s == NULL) {
        return;
    }
    snap_set_cancel(s);
    snap_set_close(s);
    for (size_t i = s->from; i < s->queue.len; i++) {
        mem_free(s->queue.ptr[i].owned);
    }
    VEC_DONE(&s->queue);
    MAP_EACH (&s->held, e) {
        mem_free(e->value);
    }
    map_done(&s->held);
    map_done(&s->pages);
    map_done(&s->values);
    map_done(&s->nodes);
    snap_manifest_done(&s->now);
    snap_manifest_done(&s->next);
    hash_free(s->pieces.hash);
    mem_free(s);
}

/* ---- manifests ---- */

static int by_node(const void *a, const void *b)
{
    const struct snap_group *x = a, *y = b;
    if (x->node != y->node) {
        return x->node < y->node ? -1 : 1;
    }
    return x->group < y->group ? -1 : x->group > y->group;
}

static int part_by_node(const void *a, const void *b)
{
    const struct snap_part *x = a, *y = b;
    if (x->node != y->node) {
        return x->node < y->node ? -1 : 1;
    }
    return x->group < y->group ? -1 : x->group > y->group;
}

void snap_sort(struct snap_manifest *m)
{
    if (m->groups.len > 1) {
        qsort(m->groups.ptr, m->groups.len, sizeof *m->groups.ptr, by_node);
    }
    if (m->parts.len > 1) {
        qsort(m->parts.ptr, m->parts.len, sizeof *m->parts.ptr, part_by_node);
    }
}

const struct snap_group *snap_find(const struct snap_manifest *m, uint64_t node, uint32_t group)
{
    const struct snap_group key = {.node = node, .group = group};
    return m->groups.len > 0
               ? bsearch(&key, m->groups.ptr, m->groups.len, sizeof *m->groups.ptr, by_node)
               : NULL;
}

size_t snap_parts_of(const struct snap_manifest *m, uint64_t node, size_t *ret_n)
{
    size_t low = 0, high = m->parts.len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->parts.ptr[mid].node < node) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    for (high = low; high < m->parts.len && m->parts.ptr[high].node == node;) {
        high++;
    }
    *ret_n = high - low;
    return low;
}

bool snap_set_is_packed(const struct snap_set *s, uint64_t node)
{
    return snap_find(&s->now, node, SNAP_PACKED) != NULL;
}

/* ---- records ---- */

struct snap_held *snap_hold(struct snap_set *s, const struct snap_key *k)
{
    struct snap_key first = *k;
    char key[SNAP_KEY_MAX];
    first.number = 0;
    struct slice at = snap_key_write(&first, key);
    struct snap_held *h = map_get(&s->held, at);
    if (h == NULL) {
        h = MEM_NEW(struct snap_held);
        h->k = first;
        *map_put(&s->held, at) = h;
    }
    return h;
}

/* Those that are removed go from the last on. */
static void note(struct snap_set *s, const struct snap_key *k, bool there)
{
    uint32_t *n = NULL;
    if (k->kind == SNAP_ROOT) {
        s->held_root = there;
        return;
    }
    n = k->kind == SNAP_PAGE ? &s->held_pages[k->side] : &snap_hold(s, k)->n;
    if (there) {
        *n = MAX(*n, k->number + 1);
    } else if (*n == k->number + 1) {
        *n = k->number;
    }
}

static void keep_page(struct snap_set *s, const struct snap_key *k, struct slice value)
{
    char key[SNAP_KEY_MAX];
    struct slice at = snap_key_write(k, key);
    mem_free(map_remove(&s->pages, at));
    if (value.len > 0) {
        struct snap_value *v = mem_alloc(sizeof *v + value.len);
        v->len = value.len;
        memcpy(v->bytes, value.ptr, value.len);
        *map_put(&s->pages, at) = v;
    }
}

static struct snap_read *read_of(struct snap_set *s, struct snap_key k, bool make)
{
    char key[SNAP_KEY_MAX];
    k.lineage = s->lineage;
    k.number = 0;
    struct slice at = snap_key_write(&k, key);
    struct snap_read *r = map_get(&s->values, at);
    if (r == NULL && make) {
        r = MEM_NEW(struct snap_read);
        *map_put(&s->values, at) = r;
    }
    return r;
}

/* ---- pieces: of what is large they lie in huge pages, each of which goes with its last ---- */

static void leave_slab(struct snap_slab *b)
{
    if (b != NULL && --b->held == 0) {
        mem_free(b->at);
        mem_free(b);
    }
}

static void free_piece(struct snap_piece *p)
{
    if (p->slab == NULL) {
        mem_free(p->ptr);
    }
    leave_slab(p->slab);
    *p = (struct snap_piece){0};
}

static_assert((size_t)SNAP_PIECE <= MEM_HUGE, "a piece lies in one slab");

static char *room_in_slab(struct snap_set *s, struct snap_piece *p)
{
    if (s->slab == NULL || MEM_HUGE - s->slab->taken < p->len) {
        leave_slab(s->slab);
        s->slab = MEM_NEW(struct snap_slab);
        s->slab->at = mem_huge(MEM_HUGE);
        s->slab->held = 1;
    }
    char *at = s->slab->at + s->slab->taken;
    s->slab->taken += p->len;
    s->slab->held++;
    p->slab = s->slab;
    return at;
}

static void fill_piece(struct snap_set *s, struct snap_piece *p, struct slice bytes)
{
    enum { FEW = 4 << 20 };
    free_piece(p);
    if (bytes.len > 0) {
        p->len = (uint32_t)bytes.len;
        s->kept += bytes.len;
        p->ptr = s->kept > FEW ? room_in_slab(s, p) : mem_alloc(bytes.len);
        memcpy(p->ptr, bytes.ptr, bytes.len);
    }
}

/* What cannot be ours counts as missing. */
static void keep_value(struct snap_set *s, const struct snap_key *k, struct slice value)
{
    bool ours = value.len <= SNAP_VALUE_MAX;
    struct snap_read *r = read_of(s, *k, ours && value.len > 0);
    if (r == NULL) {
        return;
    }
    size_t first = (size_t)k->number * 2;
    value.len = ours ? value.len : 0;
    while (r->pieces.len < first + 2) {
        (void)VEC_PUSH(&r->pieces);
    }
    for (size_t i = first; i < first + 2; i++) {
        struct slice bytes = slice_of(value.ptr, MIN(value.len, (size_t)SNAP_PIECE));
        fill_piece(s, &r->pieces.ptr[i], bytes);
        value = slice_of(value.ptr + bytes.len, value.len - bytes.len);
    }
}

int snap_set_record(struct snap_set *s, const struct snap_key *k, struct slice value,
                    struct err *reterr)
{
    assert(k->lineage == s->lineage);
    if (k->kind == SNAP_CHUNK && k->number >= NUMBERS_MAX) {
        return 0; /* nobody of us has written it: whoever removes its group would count up to it */
    }
    note(s, k, value.len > 0);
    if (k->kind != SNAP_ROOT) {
        (k->kind == SNAP_PAGE ? keep_page : keep_value)(s, k, value);
        return 0;
    }
    s->has_root = false;
    unsigned format = value.len > 0 ? (unsigned char)value.ptr[0] : 0;
    s->newer = format > SNAP_FORMAT ? format : 0;
    int rc = value.len > 0 ? snap_root_read(value, &s->root, reterr) : -ERR_NOT_FOUND;
    s->has_root = rc == 0;
    return rc == -ERR_CORRUPT ? rc : 0;
}

unsigned snap_set_newer(const struct snap_set *s)
{
    return s->newer;
}

const struct snap_root *snap_set_root(const struct snap_set *s)
{
    return s->has_root ? &s->root : NULL;
}

/* ---- opening ---- */

static const struct snap_value *page_of(const struct snap_set *s, struct snap_key k)
{
    char key[SNAP_KEY_MAX];
    k.lineage = s->lineage;
    return map_get(&s->pages, snap_key_write(&k, key));
}

static int torn(struct err *reterr, const char *what)
{
    return err_set(reterr, ERR_CORRUPT, "the snapshot is torn: %s", what);
}

static int read_pages(struct snap_set *s, struct err *reterr)
{
    struct hash_state *h = hash_new();
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->root.pages; i++) {
        const struct snap_value *v =
            page_of(s, (struct snap_key){.kind = SNAP_PAGE, .side = s->root.side, .number = i});
        struct slice rest = v != NULL ? slice_of(v->bytes, v->len) : SLICE_NONE;
        struct snap_group g;
        int got = v != NULL ? 1 : -ERR_CORRUPT;
        hash_add(h, rest.ptr, rest.len);
        while (got == 1 && (got = snap_group_read(&rest, &g)) == 1) {
            *VEC_PUSH(&s->now.groups) = g;
        }
        rc = got == 0 ? 0 : torn(reterr, "a page of its manifest");
    }
    struct hash128 sum = hash_end(h);
    hash_free(h);
    if (rc == 0 && (memcmp(&sum, &s->root.pages_sum, sizeof sum) != 0 ||
                    s->now.groups.len != s->root.groups)) {
        rc = torn(reterr, "its manifest");
    }
    for (size_t i = 1; rc == 0 && i < s->now.groups.len; i++) {
        if (by_node(&s->now.groups.ptr[i - 1], &s->now.groups.ptr[i]) >= 0) {
            rc = torn(reterr, "its manifest is out of order");
        }
    }
    return rc;
}

static struct slice next_piece(struct save_more *m)
{
    struct snap_read *r = (struct snap_read *)(void *)m;
    struct snap_piece *was = &r->pieces.ptr[r->at], *p = was + 1;
    assert(m->left > 0 && p->len > 0);
    free_piece(was);
    r->at++;
    m->left -= p->len;
    return slice_of(p->ptr, p->len);
}

/* The values of a group; NULL: something is missing. */
static struct snap_read *whole(struct snap_set *s, const struct snap_group *g)
{
    struct snap_read *r = read_of(
        s,
        (struct snap_key){.kind = SNAP_CHUNK, .node = g->node, .group = g->group, .side = g->side},
        false);
    bool is = r != NULL && g->bytes > 0 && g->bytes <= (uint64_t)NUMBERS_MAX * SNAP_VALUE_MAX &&
              g->chunks == snap_values(g->bytes) && 2 * (size_t)g->chunks <= r->pieces.len;
    uint64_t rest = is ? g->bytes : 0;
    for (size_t i = 0; is && i < 2 * (size_t)g->chunks; i++) {
        is = r->pieces.ptr[i].len == MIN(rest, (uint64_t)SNAP_PIECE);
        rest -= MIN(rest, (uint64_t)SNAP_PIECE);
    }
    return is ? r : NULL;
}

static bool fits(const struct snap_read *r, const struct snap_group *g, struct hash128 *ret_hash)
{
    struct hash_state *h = hash_new();
    uint32_t crc = 0;
    uint64_t left = g->bytes;
    for (size_t i = 0; left > 0; left -= r->pieces.ptr[i++].len) {
        struct slice bytes = slice_of(r->pieces.ptr[i].ptr, r->pieces.ptr[i].len);
        crc = crc32c_more(crc, bytes);
        hash_add(h, bytes.ptr, bytes.len);
    }
    *ret_hash = hash_end(h);
    hash_free(h);
    return crc == g->crc && memcmp(ret_hash, &g->hash, sizeof g->hash) == 0;
}

/* Of a node that is not read as others are. */
static struct slice join(struct snap_read *r, uint64_t bytes)
{
    size_t n = 0;
    r->joined = mem_alloc(bytes);
    for (size_t i = 0; n < bytes; n += r->pieces.ptr[i++].len) {
        memcpy(r->joined + n, r->pieces.ptr[i].ptr, r->pieces.ptr[i].len);
    }
    return slice_of(r->joined, n);
}

static struct slice first_of(const struct snap_read *r)
{
    const struct snap_piece *p = r->pieces.ptr;
    return r->pieces.len > 0 ? slice_of(p->ptr, p->len) : SLICE_NONE;
}

static void add_part(struct snap_set *s, const struct save_chunk *c, const struct hash128 *hash)
{
    *VEC_PUSH(&s->chunks) = *c;
    *VEC_PUSH(&s->now.parts) = (struct snap_part){c->node, c->group, *hash};
}

static void add_chunk(struct snap_set *s, const struct snap_group *g, struct snap_read *r,
                      const struct hash128 *hash)
{
    bool many = g->bytes > SNAP_PIECE, alone = g->node == 0 || g->node >= SNAP_BESIDE;
    struct save_chunk c = {.node = g->node, .group = (uint16_t)g->group};
    c.bytes = many && alone ? join(r, g->bytes) : first_of(r);
    if (many && !alone) {
        r->more = (struct save_more){.left = g->bytes - c.bytes.len, .next = next_piece};
        c.more = &r->more;
    }
    add_part(s, &c, hash);
}

static int add_packed(struct snap_set *s, const struct snap_group *g, struct snap_read *r,
                      struct err *reterr)
{
    struct slice bytes = g->bytes > SNAP_PIECE ? join(r, g->bytes) : first_of(r);
    struct save_chunk c;
    int got;
    while ((got = snap_unpack(&bytes, g->node, &c)) == 1) {
        struct hash128 hash = hash_xxh128(c.bytes);
        add_part(s, &c, &hash);
    }
    return got == 0 ? 0 : torn(reterr, "a packed chunk");
}

static int open_group(struct snap_set *s, const struct snap_group *g, struct err *reterr)
{
    struct snap_read nothing = {0}, *r = g->bytes == 0 ? &nothing : whole(s, g);
    struct hash128 hash;
    if (r == NULL || !fits(r, g, &hash)) {
        return torn(reterr, "a chunk");
    }
    if (g->group == SNAP_PACKED) {
        return add_packed(s, g, r, reterr);
    }
    add_chunk(s, g, r, &hash);
    return 0;
}

int snap_set_open(struct snap_set *s, struct err *reterr)
{
    assert(s->has_root && s->now.groups.len == 0);
    int rc = read_pages(s, reterr);
    for (size_t i = 0; rc == 0 && i < s->now.groups.len; i++) {
        rc = open_group(s, &s->now.groups.ptr[i], reterr);
    }
    if (rc == 0) {
        struct hash128 state = snap_hash(s->now.parts.ptr, s->now.parts.len);
        rc = memcmp(&state, &s->root.state, sizeof state) == 0 ? 0 : torn(reterr, "its state");
    }
    if (rc != 0) { /* there is nothing to be kept */
        VEC_CLEAR(&s->now.groups);
        VEC_CLEAR(&s->now.parts);
        VEC_CLEAR(&s->chunks);
        s->has_root = false;
    }
    return rc;
}

const struct save_chunk *snap_set_chunks(const struct snap_set *s, size_t *ret_n)
{
    *ret_n = s->chunks.len;
    return s->chunks.ptr;
}

void snap_set_close(struct snap_set *s)
{
    MAP_EACH (&s->pages, e) {
        mem_free(e->value);
    }
    MAP_EACH (&s->values, e) {
        struct snap_read *r = e->value;
        VEC_EACH (&r->pieces, p) {
            free_piece(p);
        }
        VEC_DONE(&r->pieces);
        mem_free(r->joined);
        mem_free(r);
    }
    leave_slab(s->slab);
    s->slab = NULL;
    s->kept = 0;
    map_done(&s->pages);
    map_done(&s->values);
    map_init(&s->pages, KEYS_MAX);
    map_init(&s->values, KEYS_MAX);
    VEC_DONE(&s->chunks);
}
