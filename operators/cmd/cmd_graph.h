/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands on graph documents share: reading one from a file and checking it.
 */
#ifndef OPERATORS_CMD_CMD_GRAPH_H
#define OPERATORS_CMD_CMD_GRAPH_H

#include "operators/cmd/cmd_epl.h"
#include "operators/doc/doc.h"

struct cmd_graph {
    struct arena *arena;
    struct buf text;
    struct doc_notes notes;
    struct doc *doc; /* NULL: it could not be read at all */
};

struct cmd_graph_opts {
    int format;         /* enum cmd_format */
    int64_t partitions; /* of the raw topics */
    struct conf_map files;
    bool schema, reference, canonical, lint_fatal;
    const char *statements, *events, *name, *to;
};

/* 0; CMD_USAGE if there is no such file. What is wrong with it is in notes. */
int cmd_graph_open(struct cmd_graph *g, const char *path);
void cmd_graph_close(struct cmd_graph *g);
/* Options and names of files into o; *ret_code is set if that ends the command. */
bool cmd_graph_options(const struct cmd *self, const struct conf_row *rows, size_t n_rows,
                       struct cmd_graph_opts *o, struct conf **ret_conf, int argc, char **argv,
                       int *ret_code);
/* Of -f and of those beside it; NULL behind the last. */
const char *cmd_graph_file(const struct cmd_graph_opts *o, const struct conf *c, size_t i);
void cmd_graph_say(const struct cmd_graph *g, const char *path, int format);

#endif
