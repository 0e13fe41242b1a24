/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs as text, a line per instruction: number, name, operands. Registers are r0, r1, ...;
 * columns have their stream's number before them (s0.value; ^s0.value in a row around this one),
 * constants stand as such, jumps as ->number.
 */
#include "operators/expr/vm.h"

#include "core/base/buf.h"

#include <assert.h>

static void lower(const char *name, struct buf *out)
{
    for (; *name != '\0'; name++) {
        bool capital = *name >= 'A' && *name <= 'Z';
        (void)buf_add_byte(out, (uint8_t)(capital ? *name - 'A' + 'a' : *name));
    }
}

static void print_const(struct dat v, struct buf *out)
{
    const char *quote = v.kind == DAT_STRING || v.kind == DAT_CHAR ? "'" : "";
    (void)buf_add_str(out, quote);
    if (dat_is_null(v)) {
        (void)buf_add_str(out, "null");
    } else {
        dat_text_to(v, out);
    }
    (void)buf_addf(out, "%s%s", quote, v.kind == DAT_LONG ? "L" : v.kind == DAT_FLOAT ? "f" : "");
}

/* Has several constants side by side, how many, flags. */
static bool is_in(const struct vm_ins *i)
{
    return i->op == VM_IN_CONST || i->op == VM_JUMP_IN || i->op == VM_JUMP_IN_C;
}

static void print_consts(const struct vm_prog *p, const struct vm_ins *i, unsigned k,
                         struct buf *out)
{
    uint32_t n = is_in(i) ? i->v[k + 1] : 1, shown = MIN(n, 8u);
    for (uint32_t at = 0; at < shown; at++) {
        (void)buf_add_str(out, at > 0 ? ", " : "");
        print_const(p->k[i->v[k] + at], out);
    }
    (void)buf_add_str(out, shown < n ? ", ..." : "");
}

static void print_place(const struct vm_place *at, bool in_register, struct buf *out)
{
    for (unsigned l = 0; l < at->level && !in_register; l++) {
        (void)buf_add_byte(out, '^');
    }
    if (!in_register) {
        (void)buf_addf(out, "s%u", at->stream);
    }
    if (at->of != NULL) {
        (void)buf_addf(out, "." SLICE_FMT, SLICE_ARG(at->of->cols[at->slot].name));
    }
}

static void print_ref(const struct vm_ref *x, struct buf *out)
{
    static const char *const names[EX_OP_COUNT] = {
#define EX(name, doc) #name,
#include "operators/plan/ex.def"
#undef EX
    };
    const struct ex *e = x->e;
    if (e->fn != NULL && (e->op == EX_CALL || e->op == EX_METHOD || e->op == EX_ENUM)) {
        (void)buf_add_str(out, e->fn->name);
        return;
    }
    lower(names[e->op], out);
    if (e->name.len > 0) {
        (void)buf_addf(out, " " SLICE_FMT, SLICE_ARG(e->name));
    }
}

/* "<" for what a comparison's operator takes, "not <" for the rest, null among either: "or null".
 */
static void print_outcomes(uint16_t set, struct buf *out)
{
    static const struct {
        uint8_t set;
        const char *text;
    } known[] = {
        {1u << VM_EQUAL | 1u << VM_TWO_NANS, "="},
        {1u << VM_LESS | 1u << VM_GREATER | 1u << VM_ONE_NAN, "!="},
        {1u << VM_LESS, "<"},
        {1u << VM_LESS | 1u << VM_EQUAL, "<="},
        {1u << VM_GREATER, ">"},
        {1u << VM_GREATER | 1u << VM_EQUAL, ">="},
    };
    const unsigned null = 1u << VM_ONE_NULL, others = null - 1;
    const char *behind = (set & null) != 0 ? " or null" : "";
    for (int inverse = 0; inverse < 2; inverse++) {
        unsigned want = (inverse != 0 ? ~(unsigned)set : set) & others;
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            if (known[i].set == want) {
                (void)buf_addf(out, "%s%s%s", inverse != 0 ? "not " : "", known[i].text, behind);
                return;
            }
        }
    }
    (void)buf_addf(out, "outcomes %u", set);
}

static void print_truths(unsigned set, struct buf *out)
{
    static const char *const words[] = {"never", "true",         "false",         "true or false",
                                        "null",  "true or null", "false or null", "ever"};
    (void)buf_add_str(out, words[set & 7u]);
}

static void print_number(const struct vm_ins *i, unsigned k, struct buf *out)
{
    uint16_t v = i->v[k];
    if (i->op == VM_JUMP_IF) {
        print_truths(v, out);
    } else if (i->op == VM_CMP_ANY && k == 3) {
        (void)buf_add_str(out, ast_op_text((enum ast_op)v));
    } else if (is_in(i)) {
        (void)buf_add_str(out, (v & VM_FLAG_NOT) != 0 ? "not in" : "in");
        if (i->op != VM_IN_CONST) {
            (void)buf_add_byte(out, ' ');
            print_truths((unsigned)v >> VM_FLAG_SET, out);
        }
    } else {
        (void)buf_addf(out, "%u", v);
    }
}

static void print_operand(const struct vm_prog *p, const struct vm_ins *i, unsigned k,
                          struct buf *out)
{
    uint16_t v = i->v[k];
    switch (vm_operand((enum vm_op)i->op, k)[0]) {
    case 'd':
    case 's':
    case 'r': (void)buf_addf(out, "r%u", v); break;
    case 'k': print_consts(p, i, k, out); break;
    case 'p': print_place(&p->places[v], i->op == VM_FIELD, out); break;
    case 'x': print_ref(&p->refs[v], out); break;
    case 'm': (void)buf_add_str(out, ty_name((enum ty_kind)v)); break;
    case 'o': print_outcomes(v, out); break;
    case 'j': (void)buf_addf(out, "->%u", v); break;
    default: print_number(i, k, out); break;
    }
}

void vm_print(const struct vm_prog *p, struct slice indent, struct buf *out)
{
    assert(p != NULL && out != NULL);
    for (unsigned n = 0; n < p->n_ins; n++) {
        const struct vm_ins *i = &p->ins[n];
        unsigned n_operands = vm_operands((enum vm_op)i->op);
        size_t from = out->len;
        (void)buf_addf(out, SLICE_FMT "%2u  ", SLICE_ARG(indent), n);
        lower(vm_rows[i->op].name, out);
        while (n_operands > 0 && out->len - from < indent.len + 20) {
            (void)buf_add_byte(out, ' ');
        }
        for (unsigned k = 0; k < n_operands; k++) {
            bool count = k > 0 && is_in(i) && vm_operand((enum vm_op)i->op, k - 1)[0] == 'k';
            (void)buf_add_str(out, k > 0 && !count ? ", " : "");
            if (!count) {
                print_operand(p, i, k, out);
            }
        }
        (void)buf_add_byte(out, '\n');
    }
}
