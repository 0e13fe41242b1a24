/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON as a tree of nodes (doc_tree.h). Whatever is wrong with it, nothing is said: the text may
 * still be YAML, whose reader says it.
 */
#include "core/codec/jsonpull.h"
#include "operators/doc/doc_impl.h"

struct json {
    struct arena *a;
    const struct doc_tree *t;
    struct jsonpull r;
};

/* The last token, which ends where the reader is; between it and its begin there is no blank but
 * for those in front, and for the colon behind a key. */
static struct span place(const struct json *j, const char *from)
{
    const char *to = j->r.at;
    while (from < to && (*from == ' ' || *from == '\t' || *from == '\n' || *from == '\r' ||
                         *from == ',' || *from == ':')) {
        from++;
    }
    return doc_span(j->t, (size_t)(from - j->t->text.ptr), (size_t)(to - from));
}

static struct doc_node *value(struct json *j, const struct jsonpull_token *tok, struct span at,
                              unsigned depth);

/* Items up to the closing bracket. */
static bool fill(struct json *j, struct doc_node *to, unsigned depth)
{
    struct doc_node *last = NULL, *key = NULL;
    for (;;) {
        struct jsonpull_token tok;
        const char *from = j->r.at;
        enum jsonpull_kind kind = jsonpull_next(&j->r, &tok);
        struct span at = place(j, from);
        if (kind == JSONPULL_OBJECT_END || kind == JSONPULL_ARRAY_END) {
            to->span = doc_span(j->t, to->span.off, at.off + at.len - to->span.off);
            return true;
        }
        if (kind <= JSONPULL_END || depth == DOC_DEPTH_MAX) {
            return false;
        }
        if (kind == JSONPULL_KEY) {
            key = doc_node_new(j->a, DOC_TEXT, at);
            if (key == NULL) {
                return false;
            }
            key->style = DOC_DOUBLE_QUOTED;
            key->text = tok.text;
            continue;
        }
        struct doc_node *item = value(j, &tok, at, depth + 1);
        if (item == NULL) {
            return false;
        }
        item->key = to->kind == DOC_MAP ? key : NULL;
        if (!doc_node_add(to, last, item)) {
            return false;
        }
        last = item;
    }
}

static struct doc_node *value(struct json *j, const struct jsonpull_token *tok, struct span at,
                              unsigned depth)
{
    static const uint8_t kinds[] = {
        [JSONPULL_NULL] = DOC_NULL,   [JSONPULL_BOOL] = DOC_BOOL,     [JSONPULL_INT] = DOC_INT,
        [JSONPULL_UINT] = DOC_NUMBER, [JSONPULL_DOUBLE] = DOC_NUMBER, [JSONPULL_STRING] = DOC_TEXT,
        [JSONPULL_OBJECT] = DOC_MAP,  [JSONPULL_ARRAY] = DOC_LIST,
    };
    struct doc_node *n = doc_node_new(j->a, (enum doc_kind)kinds[tok->kind], at);
    if (n == NULL) {
        return NULL;
    }
    n->text = tok->kind >= JSONPULL_INT && tok->kind <= JSONPULL_STRING ? tok->text : SLICE_NONE;
    switch (tok->kind) {
    case JSONPULL_BOOL:
        n->b = tok->b;
        n->text = tok->b ? SLICE("true") : SLICE("false");
        break;
    case JSONPULL_INT:
        n->i = tok->i;
        n->d = (double)tok->i;
        break;
    case JSONPULL_UINT: n->d = (double)tok->u; break;
    case JSONPULL_DOUBLE: n->d = tok->d; break;
    case JSONPULL_STRING: n->style = DOC_DOUBLE_QUOTED; break;
    default: return fill(j, n, depth) ? n : NULL;
    }
    return n;
}

const struct doc_node *doc_json_read(struct arena *a, const struct doc_tree *t)
{
    struct json j = {.a = a, .t = t};
    struct jsonpull_token tok;
    jsonpull_init(&j.r, t->text, a, JSONPULL_STRICT, DOC_DEPTH_MAX + 1);
    const char *from = j.r.at;
    if (jsonpull_next(&j.r, &tok) != JSONPULL_OBJECT) {
        return NULL;
    }
    const struct doc_node *n = value(&j, &tok, place(&j, from), 1);
    return n != NULL && jsonpull_next(&j.r, &tok) == JSONPULL_END ? n : NULL;
}
