/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be called: functions with a class before them (Math.sqrt), methods of values, the
 * enumeration methods of lists and the date-time methods of times. A row of fn.def is one way of
 * calling one implementation (operators/expr/fn_*.c, found by `id`); several rows may share an id.
 *
 * A signature is a letter for the result and, in parentheses, one per argument; `*` behind the last
 * lets it repeat. Letters:
 *
 *   b bool  c char  i int  l long  f float (F no other)  d double  n any number  s string  m map  o
 * anything L list  S list of strings  N the numbers' common type  E element of the receiver  = the
 * receiver V value of the receiving map  t a time: long or an event with timestamps  p period, or
 * long as ms k name of a calendar field  y date pattern  x regular expression P lambda giving a
 * bool  X lambda giving anything  R start value  G lambda (result, element, ...) D big decimal  I
 * big integer B what the last lambda gives  Q list of that  U sum of that  A type of the start
 * value  M map
 *
 * To add one: a row in fn.def, and its function in the table of fn_table.c.
 */
#ifndef OPERATORS_SIG_FN_H
#define OPERATORS_SIG_FN_H

#include "operators/sig/ty.h"

enum fn_kind {
    FN_STATIC, /* recv is empty; name has its class */
    FN_METHOD, /* recv: letters of what it may be called on: s m L e(vent) o n b c, t */
    FN_ENUM,   /* on lists; names in any case */
    FN_DATE,   /* on times; names in any case */
};

enum fn_id {
#define FN(id, kind, recv, name, sig, flags, doc) FN_##id,
#define FN_ALSO(id, kind, recv, name, sig, flags, doc)
#include "operators/sig/fn.def"
#undef FN
#undef FN_ALSO
    FN_COUNT
};

enum fn_flag {
    FN_PLAIN = 0,
    FN_NULLS = 1,  /* takes null arguments; otherwise one null makes the result null */
    FN_SCALAR = 2, /* not on lists of events */
    FN_CLOCK = 4,  /* depends on the clock: never evaluated early */
};

struct fn_def {
    enum fn_id id;
    enum fn_kind kind;
    const char *recv, *name, *sig;
    unsigned flags;
    const char *doc;
};

enum { FN_ARGS_MAX = 16 };

/* Of an argument of EX_ENUM that is a lambda (ex->data: one per argument, from args[1] on): the
 * slots of its parameters, -1 where it has none. */
struct fn_lambda {
    bool is;
    int8_t acc, value, index, size;
};

extern const struct fn_def fn_defs[];
extern const uint32_t fn_n_defs;

/* The next row of that name after `from` (NULL: from the beginning), or NULL. Statics are asked for
 * with or without the package ("java.lang.Math.sqrt"). */
const struct fn_def *fn_find(enum fn_kind kind, struct slice name, const struct fn_def *from);
/* A name near to this one, or an empty slice; recv limits methods to those of that letter (0: any).
 */
struct slice fn_near(enum fn_kind kind, struct slice name, char recv);
/* "Math.sqrt" of "java.lang.Math.sqrt". */
struct slice fn_plain_name(struct slice name);
/* Arguments a signature takes; max is FN_ARGS_MAX if the last repeats. */
void fn_arity(const struct fn_def *f, uint32_t *ret_min, uint32_t *ret_max);
char fn_arg(const struct fn_def *f, uint32_t i); /* its letter */

#endif
