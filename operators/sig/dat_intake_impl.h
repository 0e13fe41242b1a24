/* SPDX-License-Identifier: Apache-2.0
 *
 * What dat_intake.c, dat_fill.c and dat_orig.c share.
 */
#ifndef OPERATORS_SIG_DAT_INTAKE_IMPL_H
#define OPERATORS_SIG_DAT_INTAKE_IMPL_H

#include "core/base/vec.h"
#include "operators/sig/dat_intake.h"

struct intake_place { /* a column, and where its value was found the last time */
    uint32_t key, payload, context;
    const struct builtin_col *fill; /* NULL: by name */
    bool skip;
};

struct intake_kind {
    const struct etype *type;
    struct intake_place *cols;
    uint32_t *live, n_live;         /* numbers of those that are filled, */
    uint32_t n_own;                 /* first those that the context does not have */
    struct dat *of_context;         /* values of columns that the context has, kept */
    const struct rec_context *from; /* it; NULL: none */
    uint64_t turn;                  /* of the intake when they were made */
    struct evt *again;              /* the event made last, kept; NULL */
    const struct rec_context *of;   /* whose columns that one has, of_context; NULL: none */
};

/* What a key of a payload is. */
enum intake_key { INTAKE_UNKNOWN, INTAKE_OWN, INTAKE_ATTRIBUTE };

struct intake_name {
    uint8_t what; /* enum intake_key */
    struct vstr *text;
};

struct dat_intake {
    struct vheap *heap;
    struct intern *keys;
    VEC(struct intake_kind) kinds; /* by the number of the record's name; type NULL: not declared */
    VEC(struct intake_name) names; /* by the number of a key */
    VEC(struct vpair) pairs;       /* a map being made */
    VEC(struct dat) items;         /* a list being made */
    const struct etype *batch;     /* of the original world; NULL */
    uint64_t turn;                 /* of batches; 0: contexts are not remembered */
};

/* ---- dat_intake.c ---- */
struct dat dat_of_val(struct dat_intake *in, struct val v,
                      struct ty to); /* what does not fit: null */
const struct val *dat_look(const struct rec *r, struct intake_place *p, struct slice name);

/* ---- dat_fill.c ---- */
/* A column by its row. */
struct dat dat_fill(struct dat_intake *in, const struct rec *r, struct intake_place *p,
                    struct ty to);
bool dat_fill_of_context(enum builtin_fill f);
/* The key of an attribute as rules see it; NULL: it is an own key. */
struct vstr *dat_attribute(struct dat_intake *in, const struct val_pair *p);
struct dat dat_words(struct dat_intake *in, struct val v); /* of any value */
struct dat dat_context(struct dat_intake *in, const struct rec *r, enum rec_name name);
/* Maps and lists out of in->pairs, in->items, which are empty then. */
void dat_put(struct dat_intake *in, const char *key, struct dat v); /* unless null */
struct dat dat_put_done(struct dat_intake *in);
struct dat dat_items_done(struct dat_intake *in);
struct dat dat_hex(struct vheap *h, const uint8_t *id, size_t len);

/* ---- dat_orig.c ---- */
struct dat dat_orig(struct dat_intake *in, const struct rec *r, const struct builtin_col *c,
                    struct ty to);

#endif
