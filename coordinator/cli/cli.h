/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands that talk to a coordinator share: its address, one question and its answer, and
 * how a refusal is told. One thread, which waits.
 *
 *     struct cli cli;
 *     if (cli_open(&cli, self, rows, ARRAY_LEN(rows), &settings, argc, argv)) {
 *         cli_ask(&cli, &(struct cli_question){.path = "status"}) ...
 *     }
 *     return cli_close(&cli);
 *
 * Exit codes: core/base/cmd.h. Data goes to stdout, everything else to stderr.
 */
#ifndef COORDINATOR_CLI_CLI_H
#define COORDINATOR_CLI_CLI_H

#include "core/base/buf.h"
#include "core/base/cmd.h"
#include "core/base/err.h"
#include "core/conf/conf.h"
#include "core/net/http.h"

#include <jansson.h>

enum { CLI_ANSWER_MAX = 256 * 1024 * 1024, CLI_TAG_BYTES = 80, CLI_PATH_BYTES = 600 };
enum cli_format { CLI_TEXT, CLI_JSON, CLI_YAML };

struct cli_settings {
    const char *api, *ca_file, *cert_file, *key_file;
    int64_t timeout_ns;
};

/* A row for commands that are about one tenant. */
#define CLI_TENANT(offset)                                                                         \
    {                                                                                              \
        "tenant", CONF_STRING, (offset), "default", 0, 0, NULL, 0, "whose rule graphs"             \
    }

struct cli {
    const struct cmd *self;
    struct cli_settings settings;
    struct conf *conf;
    int code; /* what the command will exit with */
    struct loop *loop;
    struct http_client *client;
    struct tls_ctx *tls;
    /* the last answer */
    unsigned status;
    char tag[CLI_TAG_BYTES]; /* ETag; "" */
    struct buf body;
    json_t *json; /* of the body; NULL */
    bool ended, failed;
    struct err err;
};

struct cli_question {
    enum http_method method;
    const char *path; /* below /api/v1/, or below / itself: */
    bool root;
    const char *match, *none_match, *accept;
    struct slice body; /* application/yaml */
};

/* False: there is nothing to do (help, or an error that was told); close. */
bool cli_open(struct cli *c, const struct cmd *self, const struct conf_table *own,
              const char *const *shorts, int argc, char **argv);
int cli_close(struct cli *c);
/* False: no answer; told. What came is in status, tag, body, json until the next question. */
bool cli_ask(struct cli *c, const struct cli_question *q);
/* Tells a problem document and sets the exit code that belongs to it; false. */
bool cli_refused(struct cli *c);
bool cli_usage(struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "tenants/T/rulegraphs/NAME" into out[CLI_PATH_BYTES]. */
const char *cli_graph_path(struct slice tenant, struct slice name, char *out);
/* Whether a word is a name, which paths are made of; else tells that this `what` is none. */
bool cli_name(struct cli *c, const char *what, const char *name);

const char *cli_text(const json_t *o, const char *name); /* "" if it is none */
int64_t cli_number(const json_t *o, const char *name);
/* The answer as it came, on stdout. */
void cli_print_body(const struct cli *c);

#endif
