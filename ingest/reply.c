/* SPDX-License-Identifier: Apache-2.0
 *
 * See reply.h. Nothing that passes by is ever told as an error of the server: senders give up on
 * those and lose data.
 */
#include "ingest/reply.h"

const struct reply_row reply_rows[REPLY_COUNT] = {
#define REPLY(name, grpc, http, again, doc) {#name, GRPC_##grpc, (http), (again), (doc)},
#include "ingest/reply.def"
#undef REPLY
};

struct err_row {
    enum err_code code;
    enum reply reply;
};

static const struct err_row errs[] = {
    {ERR_TIMEOUT, REPLY_TIMEOUT},
    {ERR_CLOSED, REPLY_DRAINING},
};

enum reply reply_of_err(const struct err *err)
{
    if (err == NULL) {
        return REPLY_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
        if (errs[i].code == err->code) {
            return errs[i].reply;
        }
    }
    return REPLY_OVERLOAD;
}
