/* SPDX-License-Identifier: Apache-2.0
 *
 * An engine that is played from JSON: deployments by id or by the name of one of their statements,
 * events by type, queries with parameters. What a statement gives while it is deployed is not
 * delivered: nobody listens yet.
 */
#ifndef OPERATORS_CMD_CMD_PLAY_H
#define OPERATORS_CMD_CMD_PLAY_H

#include "core/base/map.h"
#include "operators/cmd/cmd_epl.h"
#include "operators/cmd/cmd_json.h"
#include "operators/sig/save.h"

struct cmd_play {
    struct eng *eng;
    struct arena *arena;
    struct map named; /* statements with a name that begin with anything but create -> their id */
    bool named_only;  /* others are not listened to */
    bool muted;
    const struct lim_conf *limits;
    bool causes; /* of rows are printed */
    bool unshared;
    uint64_t step; /* under way: names the event that is sent */
    void (*on_rows)(void *arg, struct slice statement, const struct eng_rows *rows);
    void (*on_derived)(void *arg, const struct evt *e); /* with causes only */
    void (*on_limit)(void *arg, struct slice statement, enum lim_kind k, enum lim_policy policy);
    void *arg;
};

void cmd_play_init(struct cmd_play *p, const struct cmd_opts *o);
void cmd_play_done(struct cmd_play *p);
/* A new engine with that state takes the place of the one there is. */
int cmd_play_load(struct cmd_play *p, const struct save_chunk *chunks, size_t n,
                  struct err *reterr) NODISCARD;
int cmd_play_deploy(struct cmd_play *p, struct slice id, struct slice text,
                    struct err *reterr) NODISCARD;
int cmd_play_undeploy(struct cmd_play *p, struct slice id, struct err *reterr) NODISCARD;
int cmd_play_send(struct cmd_play *p, struct slice type, const json_t *event,
                  struct err *reterr) NODISCARD;
/* [row, row]; with causes [{"row": row, "causes": [...]}]. */
void cmd_play_rows(const struct cmd_play *p, struct evt *const *rows, size_t n, struct buf *out);
/* Causes of a delivered row: numbers of steps that sent an event, "dN" for the N-th derived one. */
void cmd_play_causes(const struct evt *row, struct buf *out);
/* "derived": "dN", "type": its type, "causes": [...] of an event that a statement inserted. */
void cmd_play_derived(const struct evt *e, struct buf *out);
/* params: a list, or NULL. The rows are valid until the next call. */
int cmd_play_query(struct cmd_play *p, struct slice text, const json_t *params,
                   struct eng_rows *ret, struct err *reterr) NODISCARD;

/* A scenario in `partitions` engines against one (cmd_parts.c). Gives the exit code: CMD_FINDINGS
 * if they differ; CMD_USAGE and an error if it could not be planned. */
int cmd_parts(const json_t *scenario, uint32_t partitions, struct err *reterr);

#endif
