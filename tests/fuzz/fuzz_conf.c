/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML configuration from any bytes: either every value is stored or there is an error text.
 */
#include "core/conf/conf_impl.h"

#include <stdlib.h>

struct settings {
    const char *text;
    int64_t size, time, number;
    bool flag;
    int choice;
    struct conf_map map;
};

static const char *const choices[] = {"a", "b", NULL};
#define AT(member) offsetof(struct settings, member)
static const struct conf_row rows[] = {
    {"a.text", CONF_STRING, AT(text), NULL, 0, 0, NULL, CONF_SECRET, "text"},
    {"a.size", CONF_SIZE, AT(size), "1MiB", 0, 0, NULL, 0, "size"},
    {"a.b.time", CONF_DURATION, AT(time), "1s", 0, 0, NULL, 0, "time"},
    {"number", CONF_INT, AT(number), "1", -5, 5, NULL, 0, "number"},
    {"flag", CONF_BOOL, AT(flag), "no", 0, 0, NULL, 0, "flag"},
    {"choice", CONF_ENUM, AT(choice), "a", 0, 0, choices, 0, "choice"},
    {"map", CONF_MAP, AT(map), NULL, 0, 0, NULL, 0, "map"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings got = {0};
    const struct conf_table table = {"fuzz", rows, ARRAY_LEN(rows), &got};
    struct conf *c = conf_new(&table, 1);
    /* Secrets' files would be opened by name: keep to this process. */
    if (memmem(data, size, "file", 4) == NULL) {
        conf_yaml_parse(c, "fuzz.yaml", slice_of(data, size));
        int rc = conf_load(c, &(struct conf_input){.argc = 0});
        if ((rc != 0) != (conf_errors(c)[0] != '\0') ||
            (rc == 0 && got.size == 0 && got.number < -5)) {
            abort();
        }
        FILE *null = fopen("/dev/null", "w");
        if (null != NULL) {
            conf_print(c, null);
            fclose(null);
        }
    }
    conf_free(c);
    return 0;
}
