/* SPDX-License-Identifier: Apache-2.0 */
#include "operators/graph/ctx.h"

int stmt_create_context(struct stmt *st, struct err *reterr)
{
    return bind_err(reterr, st->ast->span, "contexts are not supported yet");
}
const struct etype *ctx_props(const struct cat_entry *c) { (void)c; return NULL; }
int ctx_cond(struct stmt *st, struct bind *b, const struct etype *type, struct span span, struct ex **ret, struct err *reterr)
{
    (void)st, (void)b, (void)type, (void)span, (void)reterr;
    *ret = NULL;
    return 0;
}
void ctx_join(struct stmt *st) { (void)st; }
void ctx_leave(struct stmt *st) { (void)st; }
