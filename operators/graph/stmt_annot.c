/* SPDX-License-Identifier: Apache-2.0
 *
 * Annotations of statements: which there are and what they take. Most say something to the reader
 * or to another engine and change nothing here. To add one: a row.
 */
#include "operators/graph/stmt.h"

enum takes { NOTHING, TEXT, NUMBER, WORD, PAIR, ANYTHING };

struct annot {
    const char *name;
    enum takes takes;
};

static const struct annot annots[] = {
    {"name", TEXT},
    {"description", TEXT},
    {"tag", PAIR}, /* name='...', value='...' */
    {"priority", NUMBER},
    {"drop", NOTHING},
    {"partition", ANYTHING}, /* keys_user.c says what */
    {"grid", NOTHING},       /* ticks of output count from 0 */
    {"panes", NOTHING},      /* likewise, and sums begin anew with each tick */
    {"hint", ANYTHING},
    {"hook", ANYTHING},
    {"audit", ANYTHING},
    {"eventrepresentation", WORD},
    {"iterableunbound", NOTHING},
    {"nolock", NOTHING},
    {"public", NOTHING},
    {"private", NOTHING},
    {"protected", NOTHING},
    {"buseventtype", NOTHING},
    {"alert", ANYTHING}, /* operators/doc reads it */
};

static bool fits(const struct annot *a, const struct ast_annot *n)
{
    const struct ast_named *v = n->values;
    switch (a->takes) {
    case NOTHING: return n->n_values == 0;
    case TEXT: return n->n_values == 1 && v->e->kind == AST_STRING;
    case NUMBER: return n->n_values == 1 && v->e->kind == AST_INT;
    case WORD: return n->n_values == 1;
    case PAIR: return n->n_values == 2 && v[0].name.len > 0 && v[1].name.len > 0;
    case ANYTHING: break;
    }
    return true;
}

bool stmt_has_annot(const struct ast_stmt *ast, const char *name)
{
    for (uint32_t i = 0; i < ast->n_annots; i++) {
        if (slice_eq_nocase(ast->annots[i].name, slice_str(name))) {
            return true;
        }
    }
    return false;
}

int stmt_check_annots(const struct stmt *st, struct err *reterr)
{
    for (uint32_t i = 0; i < st->ast->n_annots; i++) {
        const struct ast_annot *n = &st->ast->annots[i];
        const struct annot *known = NULL;
        for (size_t k = 0; k < ARRAY_LEN(annots); k++) {
            known = slice_eq_nocase(n->name, slice_str(annots[k].name)) ? &annots[k] : known;
        }
        if (known == NULL) {
            return bind_err(reterr, n->span, "there is no annotation '@" SLICE_FMT "'",
                            SLICE_ARG(n->name));
        }
        if (!fits(known, n)) {
            return bind_err(reterr, n->span, "'@%s' wants something else in its parentheses",
                            known->name);
        }
    }
    return 0;
}
