/* SPDX-License-Identifier: Apache-2.0
 *
 * See pat_fixture.h.
 */
#include "tests/unit/operators/pattern/pat_fixture.h"

#include "operators/graph/eng.h"
#include "tests/test.h"

#include <stdio.h>

static const char schemas[] =
    "create schema A(id string, x int); create schema B(id string, x int);"
    "create schema C(id string, x int);";

static void on_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    struct buf *out = arg;
    (void)statement;
    if (buf_slice(out).len > 0) {
        (void)buf_add_str(out, "|");
    }
    for (size_t i = 0; i < rows->n_nw; i++) {
        (void)buf_add_str(out, i > 0 ? " " : "");
        for (uint32_t k = 0; k < rows->nw[i]->type->n_cols; k++) {
            (void)buf_add_str(out, k > 0 ? "," : "");
            if (dat_is_null(rows->nw[i]->p[k])) {
                (void)buf_add_str(out, "-");
            } else {
                dat_text_to(rows->nw[i]->p[k], out);
            }
        }
    }
}

static int open_text(struct pat_fixture *f, const char *text, struct err *reterr)
{
    buf_init(&f->out, 1 << 24);
    struct eng_conf conf = {.on_rows = on_rows, .arg = &f->out};
    f->e = eng_new(&conf);
    return eng_deploy(f->e, SLICE("main"), slice_str(text), reterr);
}

void pat_fixture_open(struct pat_fixture *f, const char *columns, const char *pattern)
{
    char text[2000];
    struct err err;
    err_clear(&err);
    (void)snprintf(text, sizeof text, "%s @name('out') select %s from pattern %s", schemas, columns,
                   pattern);
    CHECK_OK(open_text(f, text, &err), err);
}

int pat_fixture_try(const char *pattern, struct err *reterr)
{
    char text[2000];
    struct pat_fixture f;
    err_clear(reterr);
    (void)snprintf(text, sizeof text, "%s select * from pattern %s", schemas, pattern);
    int rc = open_text(&f, text, reterr);
    pat_fixture_close(&f);
    return rc;
}

void pat_fixture_close(struct pat_fixture *f)
{
    eng_free(f->e);
    buf_done(&f->out);
}

void pat_fixture_send(struct pat_fixture *f, const char *type, const char *id, int x)
{
    struct err err;
    const struct etype *t = eng_type(f->e, slice_str(type));
    CHECK(t != NULL);
    struct vheap *h = eng_heap(f->e);
    struct evt *e = evt_new(h, t);
    evt_set(e, 0, dat_str(vstr_new(h, slice_str(id))));
    evt_set(e, 1, dat_int(x));
    CHECK_OK(eng_send(f->e, e, &err), err);
}

void pat_fixture_advance(struct pat_fixture *f, int64_t ms)
{
    eng_advance(f->e, ms);
}

const char *pat_fixture_rows(struct pat_fixture *f)
{
    static char text[4000]; /* of one test process, one thread */
    struct slice s = buf_slice(&f->out);
    (void)snprintf(text, sizeof text, SLICE_FMT, SLICE_ARG(s));
    buf_clear(&f->out);
    return text;
}

const char *pat_fixture_play(struct pat_fixture *f, const char *events)
{
    char type[2] = "A";
    int x = 0, used = 0;
    for (const char *at = events; sscanf(at, " %1[ABC]%d%n", type, &x, &used) == 2; at += used) {
        pat_fixture_send(f, type, "i", x);
    }
    return pat_fixture_rows(f);
}
