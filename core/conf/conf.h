/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration: flags > KAIJU_* environment > YAML file > defaults, from one table of rows. A row
 * names a setting once; its three spellings follow from the name:
 *
 *     bus.local.dir    YAML: bus: {local: {dir: X}}    flag: --bus-local-dir X (or =X)
 *                      environment: KAIJU_BUS_LOCAL_DIR=X
 *
 * Whoever owns a struct of settings owns its table (struct conf_table: rows and the struct they
 * fill). A program composes tables and loads them once:
 *
 *     struct conf *c = conf_new(tables, ARRAY_LEN(tables));
 *     if (conf_load(c, &(struct conf_input){argc, argv, environ}) != 0) { conf_errors(c) ... }
 *
 * All mistakes are reported at once, each with its place and what was expected; then no target has
 * been touched. Strings live as long as the struct conf. To add a setting: a row in its table.
 */
#ifndef CORE_CONF_CONF_H
#define CORE_CONF_CONF_H

#include "core/base/buf.h"

#include <stdio.h>

enum conf_type {
    CONF_BOOL = 0,     /* bool: true, false, yes, no, on, off */
    CONF_INT = 1,      /* int64_t */
    CONF_SIZE = 2,     /* int64_t bytes: 512, 64KiB, 8MiB, 64GiB, 1TiB */
    CONF_DURATION = 3, /* int64_t ns: 200ms, 5s, 10m, 24h, 7d */
    CONF_STRING = 4,   /* const char *, NULL when unset */
    CONF_ENUM = 5,     /* int: index into choices */
    CONF_MAP = 6,      /* struct conf_map: free keys with string values */
    CONF_LIST = 7,     /* struct conf_map: the values are the items; the flag may be repeated */
};

enum conf_flag { CONF_SECRET = 1 }; /* masked; also read from a file: NAME_file */

struct conf_pair {
    const char *name, *value;
};

struct conf_map {
    const struct conf_pair *pairs;
    size_t count;
};

struct conf_row {
    const char *name;
    enum conf_type type;
    size_t offset;              /* in the table's target */
    const char *fallback;       /* as text; NULL = unset (strings, maps, lists) */
    int64_t min, max;           /* INT, SIZE, DURATION; both 0 = any */
    const char *const *choices; /* ENUM: ends with NULL */
    unsigned flags;
    const char *doc;
};

struct conf_table {
    const char *title;
    const struct conf_row *rows;
    size_t count;
    void *target;
};

struct conf_input {
    int argc; /* argv[0] is skipped */
    char **argv;
    char **environ;
    const char *const *shorts; /* "o", "output", "n", "limit", NULL: -o is --output */
};

struct conf;

enum { CONF_ARGS_MAX = 64, CONF_FILE_MAX = 1024 * 1024, CONF_DEPTH_MAX = 16, CONF_KEYS_MAX = 4096 };

struct conf *conf_new(const struct conf_table *tables, size_t n);
void conf_free(struct conf *c);
/* 0, or -ERR_USAGE with conf_errors filled. --config FILE (or KAIJU_CONFIG) names the YAML file. */
int conf_load(struct conf *c, const struct conf_input *in) NODISCARD;
/* One mistake a line. */
const char *conf_errors(struct conf *c);
/* What stood on the command line beside flags; "--" ends the flags. */
size_t conf_args(const struct conf *c, const char *const **ret_args);
/* --check-config, --print-config, --help were given. */
bool conf_wants_check(const struct conf *c);
bool conf_wants_print(const struct conf *c);
bool conf_wants_help(const struct conf *c);

/* The effective configuration as YAML that can be read back, each value with its origin. */
void conf_print(const struct conf *c, FILE *to);
/* The options for --help; and the reference page, Markdown. Need no conf_load. */
void conf_help(const struct conf *c, FILE *to);
void conf_reference(const struct conf_table *tables, size_t n, FILE *to);

#endif
