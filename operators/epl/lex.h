/* SPDX-License-Identifier: Apache-2.0
 *
 * Text to tokens, all at once, so that the parser looks ahead and goes back for free and every
 * span is exact. Words are one kind (TOK_WORD): the parser compares `kw` where the grammar wants
 * a keyword and takes the rest as names. Strings and escaped names that differ from their text are
 * copied to the arena; everything else points into the text.
 */
#ifndef OPERATORS_EPL_LEX_H
#define OPERATORS_EPL_LEX_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/vec.h"
#include "operators/epl/ast.h"

enum { LEX_MAX_TEXT = 1 << 20, LEX_MAX_TOKENS = 1 << 18 };

enum tok {
    TOK_END,
    TOK_WORD,   /* names and keywords */
    TOK_INT,    /* i */
    TOK_LONG,   /* i */
    TOK_FLOAT,  /* d */
    TOK_DOUBLE, /* d */
    TOK_STRING, /* text */
    TOK_LPAREN,
    TOK_RPAREN,
    TOK_LBRACK,
    TOK_RBRACK,
    TOK_LCURLY,
    TOK_RCURLY,
    TOK_COMMA,
    TOK_SEMI,
    TOK_COLON,
    TOK_DOT,
    TOK_QUESTION,
    TOK_AT,
    TOK_HASH,
    TOK_STAR,
    TOK_SLASH,
    TOK_PERCENT,
    TOK_PLUS,
    TOK_MINUS,
    TOK_EQ,
    TOK_NE,
    TOK_LT,
    TOK_LE,
    TOK_GT,
    TOK_GE,
    TOK_CONCAT,
    TOK_PIPE,
    TOK_AMP,
    TOK_CARET,
    TOK_FOLLOWED, /* -> */
    TOK_GOES,     /* => */
};

enum kw {
    KW_NONE,
#define KW(name, text, class) KW_##name,
#include "operators/epl/tok.def"
#undef KW
    KW_COUNT_OF
};

enum kw_class { KWC_NONE, KWC_HARD, KWC_CALL, KWC_SOFT, KWC_TYPE };

struct token {
    uint8_t kind; /* enum tok */
    uint8_t kw;   /* enum kw; KW_NONE for names, also those in back-ticks */
    bool ticked;  /* `name` */
    struct span span;
    struct slice text; /* of a word without back-ticks and escapes, of a string its contents */
    int64_t i;         /* INT up to 2^31, LONG up to 2^63 as bits: the sign is not part of it */
    double d;
};

/* Long work asks now and then whether others shall have a turn; it goes on when `take` returns. */
struct epl_pause {
    void (*take)(void *arg);
    void *arg;
};

struct lex_out {
    const struct epl_pause *pause; /* NULL: nobody waits */
    VEC(struct token) toks; /* the last is TOK_END; VEC_DONE by the caller, also after an error */
};

int lex_text(struct arena *a, struct slice text, struct lex_out *out, struct err *reterr) NODISCARD;
enum kw lex_keyword(struct slice word);
const char *lex_keyword_text(enum kw kw);
enum kw_class lex_keyword_class(enum kw kw);
const char *lex_punct(enum tok kind); /* "'('"; NULL for kinds with a value */

#endif
