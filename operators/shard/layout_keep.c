/* SPDX-License-Identifier: Apache-2.0
 *
 * What of an event's payload a source passes on: the keys of the columns that statements of the
 * reader name. By the words of the statements, so too much may be kept, never too little: whoever
 * looks at an event as a whole (a star, an alias that stands alone, attributes) gets all of it.
 */
#include "operators/shard/layout_impl.h"

#include "operators/epl/whole.h"
#include "operators/sig/builtin.h"

struct keeping {
    struct layout_making *m;
    struct slice type;
    struct lex_out lex; /* of the statement that is looked at */
    bool all;
};

static void add_key(struct keeping *k, const struct builtin_col *c, struct layout_keep *to)
{
    switch (c->fill) {
    case BUILTIN_PAYLOAD:
    case BUILTIN_PAYLOAD_MS:
    case BUILTIN_PAYLOAD_US:
    case BUILTIN_PAYLOAD_TEXT:
    case BUILTIN_PARENT_LONG: break;
    case BUILTIN_TIME_MS:
    case BUILTIN_TIME_US:
    case BUILTIN_TIME_NS:
    case BUILTIN_INGEST_MS:
    case BUILTIN_TRACE_ID:
    case BUILTIN_SPAN_ID:
    case BUILTIN_CONTEXT:
    case BUILTIN_CONTEXTS: return;
    default: k->all = true; return;
    }
    for (uint32_t i = 0; i < to->n; i++) {
        if (slice_eq(to->keys[i], slice_str(c->key))) {
            return;
        }
    }
    k->all |= to->n == LAYOUT_KEEP_MAX;
    if (!k->all) {
        to->keys[to->n++] = slice_str(c->key);
    }
}

/* Columns of the type, or of what it inherits from, that the statement names. */
static void add_columns(struct keeping *k, struct layout_keep *to)
{
    const struct builtin_type *row = builtin_find(BUILTIN_KAIJU, k->type);
    for (size_t i = 0; row != NULL && i < k->lex.toks.len && !k->all; i++) {
        const struct token *t = &k->lex.toks.ptr[i];
        const struct builtin_col *c = t->kind == TOK_WORD ? builtin_column(row, t->text) : NULL;
        if (c != NULL) {
            add_key(k, c, to);
        }
    }
}

static void look_at(struct keeping *k, const struct doc_stmt *s, bool reads, struct layout_keep *to)
{
    struct err err;
    k->lex = (struct lex_out){.toks = {.ptr = NULL}};
    k->all |= lex_text(k->m->doc->arena, s->text, &k->lex, &err) != 0;
    if (reads && !k->all) {
        k->all = epl_whole(s->ast, &k->lex, &k->type, 1, true);
    }
    if (!k->all) { /* of all statements: what declares an expression names columns, too */
        add_columns(k, to);
    }
    VEC_DONE(&k->lex.toks);
}

void layout_keep(struct layout_making *m, const struct layout_group *reader, uint32_t read,
                 struct layout_keep *to)
{
    struct keeping k = {.m = m, .type = reader->reads[read].stream};
    k.all = to->all || m->doc->g.levels[reader->first].types != DOC_TYPES_KAIJU;
    for (uint32_t i = 0; i < m->looks->n_parts; i++) {
        const struct layout_part *p = &m->looks->parts[i];
        for (uint32_t s = 0; (reader->members >> i & 1) != 0 && s < p->n_stmts && !k.all; s++) {
            look_at(&k, p->stmts[s], doc_stmt_reads(m->doc, p->stmts[s], k.type), to);
        }
    }
    to->all = k.all;
}
