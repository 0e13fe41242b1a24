/* SPDX-License-Identifier: Apache-2.0
 *
 * The printer's ground floor: names with back-ticks where a keyword needs them, texts, numbers the
 * way Java writes them (columns are named so), and the front door.
 */
#include "operators/epl/print.h"

#include "operators/epl/lex.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void print_text(struct buf *b, const char *s)
{
    (void)buf_add_str(b, s);
}

void print_slice(struct buf *b, struct slice s)
{
    (void)buf_add_slice(b, s);
}

static bool is_plain(struct slice name, enum kw_class allowed)
{
    enum kw kw = lex_keyword(name);
    if (kw != KW_NONE) {
        return lex_keyword_class(kw) >= allowed;
    }
    if (name.len == 0 || (name.ptr[0] >= '0' && name.ptr[0] <= '9')) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '$')) {
            return false;
        }
    }
    return true;
}

static void print_word(struct buf *b, struct slice name, enum kw_class allowed)
{
    bool plain = is_plain(name, allowed);
    print_text(b, plain ? "" : "`");
    print_slice(b, name);
    print_text(b, plain ? "" : "`");
}

void print_name(struct buf *b, struct slice name)
{
    print_word(b, name, KWC_TYPE + 1);
}

void print_prop(struct buf *b, struct slice name)
{
    print_word(b, name, KWC_SOFT);
}

void print_call_name(struct buf *b, struct slice name)
{
    print_word(b, name, KWC_CALL);
}

void print_dotted(struct buf *b, struct slice name)
{
    struct slice part, rest = name;
    bool first = true;
    while (slice_split(&rest, '.', &part)) {
        print_text(b, first ? "" : ".");
        print_word(b, part, KWC_TYPE);
        first = false;
    }
}

void print_names(struct buf *b, const struct slice *names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        print_text(b, i > 0 ? ", " : "");
        print_prop(b, names[i]);
    }
}

void print_string(struct buf *b, const struct ast_expr *e)
{
    char quote = e->i == 1 ? '"' : '\'';
    assert(e->kind == AST_STRING);
    (void)buf_add_byte(b, (uint8_t)quote);
    for (size_t i = 0; i < e->text.len; i++) {
        char c = e->text.ptr[i];
        if (c == quote || c == '\\') {
            (void)buf_add_byte(b, '\\');
        }
        (void)buf_add_byte(b, (uint8_t)c);
    }
    (void)buf_add_byte(b, (uint8_t)quote);
}

/* The shortest digits that read back as d, as d.ddde+xx in `text`. */
static void shortest(double d, bool is_float, char *text, size_t size)
{
    for (int digits = 0; digits < 17; digits++) {
        snprintf(text, size, "%.*e", digits, d);
        if (is_float ? strtof(text, NULL) == (float)d : strtod(text, NULL) == d) {
            return;
        }
    }
}

void print_real(struct buf *b, double d, bool is_float)
{
    char text[40], digits[24];
    size_t n = 0;
    shortest(d, is_float, text, sizeof text);
    const char *e = strchr(text, 'e');
    assert(e != NULL && d >= 0);
    int exponent = (int)strtol(e + 1, NULL, 10);
    for (const char *c = text; c < e && n < sizeof digits; c++) {
        if (*c != '.') {
            digits[n++] = *c;
        }
    }
    bool scientific = d != 0 && (d < 1e-3 || d >= 1e7);
    int whole = scientific ? 0 : exponent; /* place of the last digit before the point */
    if (whole < 0) {
        print_text(b, "0.");
        for (int i = -1; i > whole; i--) {
            print_text(b, "0");
        }
        (void)buf_add(b, digits, n);
        return;
    }
    for (int i = 0; i <= whole; i++) {
        (void)buf_add_byte(b, (size_t)i < n ? (uint8_t)digits[i] : '0');
    }
    print_text(b, ".");
    if (n > (size_t)whole + 1) {
        (void)buf_add(b, digits + whole + 1, n - (size_t)whole - 1);
    } else {
        print_text(b, "0");
    }
    if (scientific) {
        (void)buf_addf(b, "E%d", exponent);
    }
}

const char *print_unit(uint32_t place)
{
    static const char *const units[] = {"years",   "months",       "weeks",
                                        "days",    "hours",        "minutes",
                                        "seconds", "milliseconds", "microseconds"};
    assert(place < ARRAY_LEN(units));
    return units[place];
}

const char *ast_op_text(enum ast_op op)
{
    static const char *const texts[] = {
        [OP_NONE] = "",     [OP_OR] = "or",     [OP_AND] = "and",       [OP_EQ] = "=",
        [OP_NE] = "!=",     [OP_IS] = "is",     [OP_IS_NOT] = "is not", [OP_LT] = "<",
        [OP_LE] = "<=",     [OP_GT] = ">",      [OP_GE] = ">=",         [OP_BIT_OR] = "|",
        [OP_BIT_AND] = "&", [OP_BIT_XOR] = "^", [OP_CONCAT] = "||",     [OP_ADD] = "+",
        [OP_SUB] = "-",     [OP_MUL] = "*",     [OP_DIV] = "/",         [OP_MOD] = "%",
    };
    assert((size_t)op < ARRAY_LEN(texts));
    return texts[op];
}

void epl_print_expr(const struct ast_expr *e, struct buf *out)
{
    print_expr(out, e);
}

void epl_print_module(const struct ast_module *m, struct buf *out)
{
    if (m->name.len > 0) {
        print_text(out, "module ");
        print_dotted(out, m->name);
        print_text(out, ";\n");
    }
    for (uint32_t i = 0; i < m->n_uses; i++) {
        print_text(out, "uses ");
        print_dotted(out, m->uses[i]);
        print_text(out, ";\n");
    }
    for (uint32_t i = 0; i < m->n_stmts; i++) {
        epl_print_stmt(m->stmts[i], out);
        print_text(out, ";\n");
    }
}
