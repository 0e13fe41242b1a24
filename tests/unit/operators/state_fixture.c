/* SPDX-License-Identifier: Apache-2.0
 *
 * See state_fixture.h.
 */
#include "tests/unit/operators/state_fixture.h"

#include "tests/test.h"

static uint64_t number(void *arg, const struct etype *t)
{
    struct state_fixture *f = arg;
    uint32_t i = 0;
    while (i < f->n_known && f->known[i] != t) {
        i++;
    }
    if (i == f->n_known) {
        CHECK(i < STATE_TYPES_MAX);
        f->known[f->n_known++] = t;
    }
    return i;
}

static const struct etype *type(void *arg, uint64_t n)
{
    const struct state_fixture *f = arg;
    return n < f->n_known ? f->known[n] : NULL;
}

void state_fixture_init(struct state_fixture *f)
{
    *f = (struct state_fixture){.types = {.number = number, .type = type, .arg = f}};
    buf_init(&f->bytes, 1 << 26);
}

void state_fixture_done(struct state_fixture *f)
{
    buf_done(&f->bytes);
}

static void on_chunk(void *arg, const struct save_chunk *c)
{
    struct state_fixture *f = arg;
    CHECK_EQ(SAVE_NO_GROUP, c->group);
    CHECK_EQ(0, buf_slice(&f->bytes).len);
    buf_add_slice(&f->bytes, c->bytes);
}

void state_fixture_save(struct state_fixture *f, void (*write)(void *arg, struct save *s),
                        void *arg)
{
    buf_clear(&f->bytes);
    struct save *s = save_new(&f->types, &f->serial, on_chunk, f);
    save_begin(s, 1);
    write(arg, s);
    save_end(s);
    save_free(s);
}

bool state_fixture_load(struct state_fixture *f, struct slice bytes, struct vheap *heap,
                        void (*read)(void *arg, struct load *l), void *arg, struct err *reterr)
{
    struct load *l = load_new(&f->types, heap);
    struct save_chunk c = {.node = 1, .group = SAVE_NO_GROUP, .bytes = bytes};
    load_begin(l, &c);
    read(arg, l);
    int rc = load_end(l, reterr);
    load_free(l);
    return rc == 0;
}

uint32_t state_draw(uint64_t *seed, uint32_t n)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*seed >> 33) % n;
}
