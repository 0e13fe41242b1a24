/* SPDX-License-Identifier: Apache-2.0
 *
 * See cli.h.
 */
#include "coordinator/cli/cli.h"

#include "core/base/clock.h"
#include "core/net/http_client.h"
#include "core/net/loop.h"
#include "core/net/tls.h"
#include "operators/doc/doc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define AT(member) offsetof(struct cli_settings, member)
static const struct conf_row shared[] = {
    {"api", CONF_STRING, AT(api), "http://127.0.0.1:8080", 0, 0, NULL, 0,
     "address of the coordinator's API: http://host:port, https:// or host:port"},
    {"timeout", CONF_DURATION, AT(timeout_ns), "15s", CLOCK_NS_PER_MS, 3600 * CLOCK_NS_PER_S, NULL,
     0, "how long to wait for an answer"},
    {"api-ca-file", CONF_STRING, AT(ca_file), NULL, 0, 0, NULL, 0,
     "PEM file of the authorities of the API's certificate; without it, the system's"},
    {"api-cert-file", CONF_STRING, AT(cert_file), NULL, 0, 0, NULL, 0,
     "PEM file of our certificate, for an API that asks for one"},
    {"api-key-file", CONF_STRING, AT(key_file), NULL, 0, 0, NULL, 0,
     "PEM file of the key of our certificate"},
};

bool cli_usage(struct cli *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "kaiju %s: ", c->self->name);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    c->code = CMD_USAGE;
    return false;
}

static bool open_client(struct cli *c)
{
    struct tls_conf tls = {.cert_file = c->settings.cert_file,
                           .key_file = c->settings.key_file,
                           .ca_file = c->settings.ca_file};
    struct http_client_conf conf = http_client_conf_default();
    struct err e;
    if ((tls.ca_file != NULL || tls.cert_file != NULL) && tls_client_new(&tls, &c->tls, &e) != 0) {
        return cli_usage(c, "%s", e.msg);
    }
    conf.tls = c->tls;
    conf.total_ms = (uint32_t)(c->settings.timeout_ns / CLOCK_NS_PER_MS);
    conf.stall_ms = conf.total_ms;
    conf.connect_ms = conf.total_ms;
    conf.answer_max = CLI_ANSWER_MAX;
    c->loop = loop_new();
    c->client = http_client_new(c->loop, &conf);
    return true;
}

bool cli_open(struct cli *c, const struct cmd *self, const struct conf_table *own,
              const char *const *shorts, int argc, char **argv)
{
    *c = (struct cli){.self = self, .code = CMD_OK};
    struct conf_table tables[2];
    size_t n = 0;
    if (own != NULL) {
        tables[n++] = *own;
    }
    tables[n++] = (struct conf_table){"API", shared, ARRAY_LEN(shared), &c->settings};
    buf_init(&c->body, CLI_ANSWER_MAX);
    c->conf = conf_new(tables, n);
    if (conf_load(c->conf, &(struct conf_input){argc, argv, environ, shorts}) != 0) {
        fputs(conf_errors(c->conf), stderr);
        c->code = CMD_USAGE;
        return false;
    }
    if (conf_wants_help(c->conf)) {
        printf("usage: kaiju %s %s\n\n%s\n", self->name, self->args, self->summary);
        conf_help(c->conf, stdout);
        return false;
    }
    if (conf_wants_print(c->conf)) {
        conf_print(c->conf, stdout);
        return false;
    }
    if (conf_wants_check(c->conf)) {
        puts("the configuration is right");
        return false;
    }
    return open_client(c);
}

int cli_close(struct cli *c)
{
    json_decref(c->json);
    if (c->client != NULL) {
        http_client_free(c->client);
        loop_free(c->loop);
    }
    tls_unref(c->tls);
    buf_done(&c->body);
    conf_free(c->conf);
    if (fflush(stdout) != 0 && c->code == CMD_OK) {
        c->code = CMD_USAGE;
    }
    return c->code;
}

/* ---- questions ---- */

static void on_head(struct http_call *call, const struct http_head *h, void *arg)
{
    struct cli *c = arg;
    struct slice tag = http_head_field(h, SLICE("etag"));
    (void)call;
    c->status = h->status;
    if (tag.len > 0 && tag.len < sizeof c->tag) {
        memcpy(c->tag, tag.ptr, tag.len);
        c->tag[tag.len] = '\0';
    }
}

static void on_data(struct http_call *call, struct slice part, void *arg)
{
    (void)call;
    (void)buf_add_slice(&((struct cli *)arg)->body, part);
}

static void on_done(struct http_call *call, const struct err *err, void *arg)
{
    struct cli *c = arg;
    (void)call;
    c->ended = true;
    c->failed = err != NULL;
    if (err != NULL) {
        c->err = *err;
    }
}

static bool no_answer(struct cli *c, const char *url)
{
    bool late = c->err.code == ERR_TIMEOUT;
    fprintf(stderr, "kaiju %s: no answer from %s: %s\n", c->self->name, url, c->err.msg);
    fputs(late ? "it may be slow: --timeout\n"
               : "is a coordinator running there? Its address: --api or KAIJU_API\n",
          stderr);
    c->code = late ? CMD_TIMEOUT : CMD_UNREACHABLE;
    return false;
}

static size_t fields_of(const struct cli_question *q, struct http_field *to)
{
    size_t n = 0;
    const struct {
        const char *name, *value;
    } all[] = {{"If-Match", q->match},
               {"If-None-Match", q->none_match},
               {"Accept", q->accept},
               {"Content-Type", q->body.ptr != NULL ? "application/yaml" : NULL}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i].value != NULL) {
            to[n++] = (struct http_field){slice_str(all[i].name), slice_str(all[i].value)};
        }
    }
    return n;
}

bool cli_ask(struct cli *c, const struct cli_question *q)
{
    static const struct http_call_ops ops = {.head = on_head, .data = on_data, .done = on_done};
    struct http_field fields[4];
    struct http_call *call;
    struct buf url;
    struct slice at = slice_str(c->settings.api);
    buf_init(&url, 8000);
    while (at.len > 0 && at.ptr[at.len - 1] == '/') {
        at.len--;
    }
    bool scheme = slice_find_slice(at, SLICE("://")) < at.len;
    (void)buf_addf(&url, "%s" SLICE_FMT "%s%s", scheme ? "" : "http://", SLICE_ARG(at),
                   q->root ? "/" : "/api/v1/", q->path);
    struct http_call_spec spec = {.method = q->method,
                                  .url = buf_cstr(&url),
                                  .fields = fields,
                                  .field_count = fields_of(q, fields),
                                  .body = q->body};
    json_decref(c->json);
    c->json = NULL;
    c->ended = c->failed = false;
    c->status = 0;
    c->tag[0] = '\0';
    buf_clear(&c->body);
    if (http_call_start(c->client, &spec, &ops, c, &call, &c->err) != 0) {
        (void)cli_usage(c, "--api: %s", c->err.msg);
    } else {
        while (!c->ended) {
            loop_step(c->loop, CLOCK_NS_PER_S);
        }
        if (c->failed) {
            (void)no_answer(c, spec.url);
        } else {
            c->json = json_loadb(c->body.ptr, c->body.len, 0, NULL);
        }
    }
    buf_done(&url);
    return c->ended && !c->failed;
}

bool cli_refused(struct cli *c)
{
    const char *detail = cli_text(c->json, "detail"), *code = cli_text(c->json, "code");
    if (code[0] == '\0') { /* whoever it is, he is no coordinator, which gives codes */
        fprintf(stderr, "kaiju %s: %s answered %u %s: is that the API of a coordinator?\n",
                c->self->name, c->settings.api, c->status, http_status_text(c->status));
    } else {
        fprintf(stderr, "kaiju %s: %s (%u, %s)\n", c->self->name, detail, c->status, code);
    }
    c->code = c->status == 404 && code[0] != '\0' ? CMD_NOT_FOUND
              : c->status == 412                  ? CMD_CONFLICT
              : c->status == 422                  ? CMD_FINDINGS
              : c->status == 503                  ? CMD_UNREACHABLE
              : c->status == 504                  ? CMD_TIMEOUT
                                                  : CMD_USAGE;
    return false;
}

const char *cli_graph_path(struct slice tenant, struct slice name, char *out)
{
    snprintf(out, CLI_PATH_BYTES, "tenants/" SLICE_FMT "/rulegraphs/" SLICE_FMT, SLICE_ARG(tenant),
             SLICE_ARG(name));
    return out;
}

bool cli_name(struct cli *c, const char *what, const char *name)
{
    return doc_is_name(slice_str(name)) ||
           cli_usage(c, "'%.80s' is no name of a %s: 1 to 63 of a-z, 0-9 and '-', not at an end",
                     name, what);
}

const char *cli_text(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text != NULL ? text : "";
}

int64_t cli_number(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

void cli_print_body(const struct cli *c)
{
    if (c->body.len > 0) {
        buf_print(&c->body, stdout);
    }
}
