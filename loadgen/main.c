/* SPDX-License-Identifier: Apache-2.0
 *
 * kaiju-loadgen: a realistic shop on a small simulated cluster that sends its telemetry over OTLP,
 * with incidents and their ground truth. Not a role: a program of its own, for demos, tests and
 * benchmarks of Kaiju or of any other receiver.
 */
#include "core/base/cmd.h"
#include "core/conf/conf.h"
#include "loadgen/run.h"

#include <unistd.h>

static void help(const struct conf *c)
{
    puts(
        "usage: kaiju-loadgen [OPTION...]\n\n"
        "A shop of twelve services on a simulated cluster, and everything it tells: traces, logs,\n"
        "metrics and Kubernetes events, over OTLP.\n\n"
        "  kaiju-loadgen                                       a small load to 127.0.0.1:4317\n"
        "  kaiju-loadgen --preset paper --duration 10m         the paper's load for ten minutes\n"
        "  kaiju-loadgen --incident bad-rollout@60s --truth truth.jsonl\n"
        "                                                      something goes wrong after a "
        "minute\n"
        "  kaiju-loadgen --flat-out --only spans --items 5000000 --to http://127.0.0.1:4318\n"
        "                                                      how much the receiver takes\n"
        "  kaiju-loadgen --write load.otlp --duration 60s --start-time 2026-01-31T12:00:00Z\n"
        "                                                      to disk, the same bytes each "
        "time\n\n"
        "Exit codes: 0 all was acknowledged, 1 something was not, 2 wrong use or another error,\n"
        "7 the receiver never answered.\n");
    conf_help(c, stdout);
}

int main(int argc, char **argv)
{
    static const char *const shorts[] = {"o", "output", NULL};
    struct loadgen_settings s;
    struct conf_table table = loadgen_settings_table(&s);
    const char *const *args;
    int code = CMD_USAGE;
    struct conf *c = conf_new(&table, 1);
    int rc = conf_load(c, &(struct conf_input){argc, argv, environ, shorts});
    if (conf_wants_help(c)) {
        help(c);
        code = CMD_OK;
    } else if (rc != 0) {
        fputs(conf_errors(c), stderr);
    } else if (conf_args(c, &args) > 0) {
        fprintf(stderr, "kaiju-loadgen: unexpected argument '%s'; see --help\n", args[0]);
    } else if (conf_wants_print(c)) {
        conf_print(c, stdout);
        code = CMD_OK;
    } else if (conf_wants_check(c)) {
        puts("the configuration is right");
        code = CMD_OK;
    } else if (s.list_incidents) {
        incident_list(stdout);
        code = CMD_OK;
    } else {
        code = loadgen_run(&s);
    }
    conf_free(c);
    return code;
}
