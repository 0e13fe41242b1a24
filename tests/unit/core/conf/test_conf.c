/* SPDX-License-Identifier: Apache-2.0 */
#include "core/conf/conf.h"

#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/mem.h"
#include "tests/test.h"

struct settings {
    const char *dir, *password;
    int64_t map_bytes, interval_ns, partitions;
    int level;
    bool fast;
    struct conf_map properties, filters;
};

static const char *const levels[] = {"debug", "info", "warn", NULL};

#define AT(member) offsetof(struct settings, member)
static const struct conf_row rows[] = {
    {"bus.local.dir", CONF_STRING, AT(dir), "./data", 0, 0, NULL, 0, "where"},
    {"bus.local.map_size", CONF_SIZE, AT(map_bytes), "64GiB", 1 << 20, INT64_C(1) << 50, NULL, 0,
     "map"},
    {"bus.commit_interval", CONF_DURATION, AT(interval_ns), "10ms", 1, 10 * CLOCK_NS_PER_S, NULL, 0,
     "interval"},
    {"bus.partitions", CONF_INT, AT(partitions), "8", 1, 1024, NULL, 0, "partitions"},
    {"bus.kafka.password", CONF_STRING, AT(password), NULL, 0, 0, NULL, CONF_SECRET, "password"},
    {"bus.kafka.properties", CONF_MAP, AT(properties), NULL, 0, 0, NULL, 0, "properties"},
    {"filter", CONF_LIST, AT(filters), NULL, 0, 0, NULL, 0, "filters"},
    {"log.level", CONF_ENUM, AT(level), "info", 0, 0, levels, 0, "level"},
    {"fast", CONF_BOOL, AT(fast), "false", 0, 0, NULL, 0, "fast"},
};

static const char *const shorts[] = {"f", "filter", NULL};
static struct settings got;
static struct conf *conf;
static char printed[8192], path[128];

static const char *write_file(const char *name, const char *text)
{
    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), name);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    fputs(text, f);
    fclose(f);
    return path;
}

static struct conf_table table(void)
{
    return (struct conf_table){"Test", rows, ARRAY_LEN(rows), &got};
}

static int load(char **argv, char **environ)
{
    static struct conf_table t;
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    t = table();
    got = (struct settings){.dir = "untouched"};
    conf_free(conf);
    conf = conf_new(&t, 1);
    return conf_load(conf, &(struct conf_input){argc, argv, environ, shorts});
}

#define ARGV(...) ((char *[]){(char[]){"kaiju"}, __VA_ARGS__, NULL})
#define NO_ARGS   ((char *[]){(char[]){"kaiju"}, NULL})
#define ENV(...)  ((char *[]){__VA_ARGS__, NULL})
#define NO_ENV    ((char *[]){NULL})
#define S(text)   ((char[]){text})

static int load_yaml(const char *text)
{
    const char *file = write_file("k.yaml", text);
    return load(ARGV(S("--config"), (char *)(uintptr_t)file), NO_ENV);
}

static const char *print(void)
{
    FILE *f = fmemopen(printed, sizeof printed, "w");
    conf_print(conf, f);
    fclose(f);
    return printed;
}

TEST(conf_has_defaults)
{
    CHECK_EQ(0, load(NO_ARGS, NO_ENV));
    CHECK_STR("./data", got.dir);
    CHECK_EQ(INT64_C(64) << 30, got.map_bytes);
    CHECK_EQ(10 * CLOCK_NS_PER_MS, got.interval_ns);
    CHECK_EQ(1, got.level);
    CHECK(got.password == NULL && !got.fast && got.properties.count == 0);
}

TEST(conf_flags_win_over_environment_over_yaml)
{
    const char *file =
        write_file("k.yaml", "bus:\n  partitions: 2\n  local: {dir: yaml, map_size: 1GiB}\n"
                             "log:\n  level: warn\n");
    char config[200];
    snprintf(config, sizeof config, "KAIJU_CONFIG=%s", file);
    CHECK_EQ(0, load(ARGV(S("--bus-partitions=4"), S("arg"), S("--fast"), S("--"), S("--x")),
                     ENV(config, S("KAIJU_BUS_PARTITIONS=3"), S("KAIJU_BUS_LOCAL_DIR=env"),
                         S("KAIJU_PORT=tcp://10.0.0.1"))));
    CHECK_EQ(4, got.partitions);
    CHECK_STR("env", got.dir);
    CHECK_EQ(1 << 30, got.map_bytes);
    CHECK_EQ(2, got.level);
    CHECK(got.fast);
    const char *const *args;
    CHECK_EQ(2, conf_args(conf, &args));
    CHECK_STR("arg", args[0]);
    CHECK_STR("--x", args[1]);
    print();
    CHECK_HAS("partitions: 4  # --bus-partitions=4", printed);
    CHECK_HAS("dir: \"env\"  # KAIJU_BUS_LOCAL_DIR", printed);
    CHECK_HAS("k.yaml:5:3", printed);
    CHECK_HAS("commit_interval: 10ms  # default", printed);
}

TEST(conf_reports_all_mistakes_with_their_places)
{
    CHECK_EQ(-ERR_USAGE,
             load_yaml("bus:\n  partitons: 4\n  commit_interval: 20\nlog:\n  level: loud\n"
                       "nonsense: {a: 1}\nfast: [1]\nbus.partitions: 0\n"));
    const char *e = conf_errors(conf);
    CHECK_HAS("k.yaml:2:3: unknown key 'bus.partitons': did you mean 'bus.partitions'?", e);
    CHECK_HAS("k.yaml:3:3: 'bus.commit_interval' is '20': expected a duration such as 200ms", e);
    CHECK_HAS("from 1ns to 10s", e);
    CHECK_HAS("k.yaml:5:3: 'log.level' is 'loud': expected one of debug, info, warn", e);
    CHECK_HAS("k.yaml:6:1: unknown key 'nonsense'", e);
    CHECK_HAS("k.yaml:7:7: 'fast': lists are not expected here", e);
    CHECK_HAS("'bus.partitions' is '0': expected a whole number, from 1 to 1024", e);
    CHECK_STR("untouched", got.dir);
}

TEST(conf_refuses_odd_yaml)
{
    const char *bad[][2] = {
        {"a: &x 1\nb: *x\n", "anchors and aliases"},
        {"bus:\n  partitions: 1\n  partitions: 2\n", "was set before, at"},
        {"fast: true\n---\nfast: false\n", "one document"},
        {"- 1\n", "expected names with values"},
        {"fast: \"tr\n", "k.yaml:"},
        {"bus: 7\n", "unknown key 'bus'"},
        {"fast: {x: 1}\n", "unknown key 'fast'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_EQ(-ERR_USAGE, load_yaml(bad[i][0]));
        CHECK_HAS(bad[i][1], conf_errors(conf));
    }
    CHECK_EQ(0, load_yaml(""));
    CHECK_EQ(0, load_yaml("bus:\n"));
    CHECK_EQ(0, load_yaml("# nothing\n"));
}

TEST(conf_names_the_file_that_is_missing)
{
    CHECK_EQ(-ERR_USAGE, load(ARGV(S("--config"), S("/nonexistent/k.yaml")), NO_ENV));
    CHECK_HAS("/nonexistent/k.yaml: cannot open", conf_errors(conf));
}

TEST(conf_maps_gather_from_all_sources)
{
    const char *file = write_file(
        "k.yaml", "bus:\n  kafka:\n    properties:\n      linger.ms: 5\n      a: yaml\n");
    char flag[200];
    snprintf(flag, sizeof flag, "--config=%s", file);
    CHECK_EQ(0, load(ARGV(flag, S("--bus-kafka-properties"), S("a=flag")),
                     ENV(S("KAIJU_BUS_KAFKA_PROPERTIES=b=1,c=2"))));
    CHECK_EQ(4, got.properties.count);
    CHECK_STR("linger.ms", got.properties.pairs[0].name);
    CHECK_STR("flag", got.properties.pairs[1].value);
    CHECK_EQ(-ERR_USAGE, load(ARGV(S("--bus-kafka-properties"), S("nothing")), NO_ENV));
}

TEST(conf_lists_are_replaced_by_stronger_sources)
{
    const char *file = write_file("k.yaml", "filter:\n  - a=1\n  - b\n");
    char flag[200];
    snprintf(flag, sizeof flag, "--config=%s", file);
    CHECK_EQ(0, load(ARGV(flag), NO_ENV));
    CHECK_EQ(2, got.filters.count);
    CHECK_STR("b", got.filters.pairs[1].value);
    CHECK_EQ(0, load(ARGV(flag, S("--filter=x"), S("-f"), S("y,z")), ENV(S("KAIJU_FILTER=e"))));
    CHECK_EQ(2, got.filters.count);
    CHECK_STR("x", got.filters.pairs[0].value);
    CHECK_STR("y,z", got.filters.pairs[1].value);
    CHECK_HAS("filter:  # ", print());
    CHECK_HAS("  - \"x\"\n", printed);
}

TEST(conf_masks_secrets_and_reads_them_from_files)
{
    char flag[200];
    snprintf(flag, sizeof flag, "--bus-kafka-password-file=%s", write_file("pw", "hunter2\n"));
    CHECK_EQ(0, load(ARGV(flag), NO_ENV));
    CHECK_STR("hunter2", got.password);
    CHECK(strstr(print(), "hunter2") == NULL);
    CHECK_HAS("password: \"***\"", printed);
    CHECK_EQ(-ERR_USAGE, load(ARGV(S("--bus-local-dir-file=/x")), NO_ENV));
}

TEST(conf_finds_typos_in_flags_and_variables)
{
    CHECK_EQ(-ERR_USAGE, load(ARGV(S("--bus-partition"), S("3")), NO_ENV));
    CHECK_HAS("--bus-partition: there is no such option: did you mean '--bus-partitions'?",
              conf_errors(conf));
    CHECK_EQ(-ERR_USAGE, load(ARGV(S("--bogosity")), NO_ENV));
    CHECK_HAS("--bogosity: there is no such option; --help lists them", conf_errors(conf));
    CHECK_EQ(-ERR_USAGE, load(NO_ARGS, ENV(S("KAIJU_LOG_LEVLE=info"))));
    CHECK_HAS("did you mean 'KAIJU_LOG_LEVEL'?", conf_errors(conf));
    CHECK_EQ(-ERR_USAGE, load(ARGV(S("--bus-partitions")), NO_ENV));
    CHECK_HAS("expected a value", conf_errors(conf));
}

TEST(conf_prints_what_it_can_read_back)
{
    CHECK_EQ(0, load(ARGV(S("--bus-local-dir"), S("a \"b\" \\ c"), S("--no-fast"),
                          S("--bus-kafka-properties"), S("x.y=1")),
                     NO_ENV));
    char text[8192];
    snprintf(text, sizeof text, "%s", print());
    CHECK_EQ(0, load_yaml(text));
    CHECK_STR("a \"b\" \\ c", got.dir);
    CHECK_EQ(1, got.properties.count);
    CHECK_EQ(INT64_C(64) << 30, got.map_bytes);
}

TEST(conf_documents_itself)
{
    struct conf_table t = table();
    FILE *f = fmemopen(printed, sizeof printed, "w");
    conf_reference(&t, 1, f);
    fclose(f);
    CHECK_HAS("| `bus.local.map_size` | size | `64GiB` | map |", printed);
    CHECK_HAS("(secret)", printed);
    CHECK_EQ(0, load(ARGV(S("--help")), NO_ENV));
    CHECK(conf_wants_help(conf) && !conf_wants_print(conf));
    f = fmemopen(printed, sizeof printed, "w");
    conf_help(conf, f);
    fclose(f);
    CHECK_HAS("--bus-local-map-size size (64GiB)", printed);
    CHECK_HAS("--log-level debug|info|warn (info)", printed);
    conf_free(conf);
    conf = NULL;
}
