/* SPDX-License-Identifier: Apache-2.0
 *
 * A bug that kills the process, to be preloaded: matching a text that has "poison" in it against a
 * regular expression aborts. So a record can be sent on which every worker dies for real, at the
 * same place each time, and the program itself knows nothing of it. For another bug: another
 * function of a library that rules call.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int pcre2_match_8(const void *code, const uint8_t *subject, size_t length, size_t start,
                  uint32_t options, void *data, void *context);

typedef int match_fn(const void *code, const uint8_t *subject, size_t length, size_t start,
                     uint32_t options, void *data, void *context);

int pcre2_match_8(const void *code, const uint8_t *subject, size_t length, size_t start,
                  uint32_t options, void *data, void *context)
{
    static const char bad[] = "poison";
    match_fn *next = NULL;
    void *found = dlsym(RTLD_NEXT, "pcre2_match_8");
    memcpy(&next, &found, sizeof next);
    for (size_t i = 0; i + sizeof bad - 1 <= length; i++) {
        if (memcmp(subject + i, bad, sizeof bad - 1) == 0) {
            abort();
        }
    }
    return next(code, subject, length, start, options, data, context);
}
