/* SPDX-License-Identifier: Apache-2.0
 *
 * Regular expressions in java.util.regex's flavour, run by PCRE2 (what differs in writing is
 * translated), and the wildcards of `like`. Matching is bounded: a pattern that backtracks without
 * end does not match. A compiled pattern is not changed by use, but belongs to one thread.
 */
#ifndef OPERATORS_SIG_FN_REGEX_H
#define OPERATORS_SIG_FN_REGEX_H

#include "core/base/err.h"
#include "core/base/slice.h"

struct arena;
struct fn_regex;

enum { FN_GROUPS_MAX = 32 };

struct fn_match {
    int n;                                         /* groups, 0 is the whole match */
    size_t from[FN_GROUPS_MAX], to[FN_GROUPS_MAX]; /* SIZE_MAX: did not take part */
};

int fn_regex_new(struct slice pattern, struct fn_regex **ret, struct err *reterr) NODISCARD;
/* ... that is freed with the arena. */
int fn_regex_in(struct arena *a, struct slice pattern, const struct fn_regex **ret,
                struct err *reterr) NODISCARD;
void fn_regex_free(struct fn_regex *re);
bool fn_regex_whole(const struct fn_regex *re, struct slice text); /* matches all of it */
bool fn_regex_find(const struct fn_regex *re, struct slice text, size_t from, struct fn_match *ret);

/* % any characters, _ one; escape: a character (UTF-8) that takes their meaning away; may be empty.
 */
bool fn_like_match(struct slice text, struct slice pattern, struct slice escape);

#endif
