/* SPDX-License-Identifier: Apache-2.0
 *
 * See writer.h.
 */
#include "loadgen/writer.h"

#include "core/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, FILE_BUFFER_BYTES = 1 << 20 };

struct writer {
    const char *path, *suffix;
    FILE *file; /* NULL: a directory */
};

static int fail(const char *path, struct err *reterr)
{
    return err_set(reterr, ERR_IO, "%s: %s", path, strerror(errno));
}

int writer_open(const char *path, const char *suffix, struct writer **ret_writer,
                struct err *reterr)
{
    struct stat st;
    FILE *file = NULL;
    size_t n = strlen(path);
    bool slash = n > 0 && path[n - 1] == '/';
    if (slash && mkdir(path, 0777) != 0 && errno != EEXIST) {
        return fail(path, reterr);
    }
    if (!slash && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))) {
        file = fopen(path, "wb");
        if (file == NULL) {
            return fail(path, reterr);
        }
        setvbuf(file, NULL, _IOFBF, FILE_BUFFER_BYTES);
    }
    struct writer *w = MEM_NEW(struct writer);
    *w = (struct writer){path, suffix, file};
    *ret_writer = w;
    return 0;
}

static void put_be32(unsigned char *to, size_t v)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (unsigned char)(v >> (24 - 8 * i));
    }
}

static int put_in_file(struct writer *w, enum signal signal, struct slice body, size_t items,
                       struct err *reterr)
{
    unsigned char head[WRITER_HEAD_BYTES] = "OTLP";
    head[4] = (unsigned char)otlp_out_signal_name(signal)[0];
    put_be32(head + 8, items);
    put_be32(head + 12, body.len);
    if (fwrite(head, sizeof head, 1, w->file) != 1 ||
        fwrite(body.ptr, 1, body.len, w->file) != body.len) {
        return fail(w->path, reterr);
    }
    return 0;
}

int writer_put(struct writer *w, uint64_t number, enum signal signal, struct slice body,
               size_t items, struct err *reterr)
{
    char path[PATH_BYTES];
    assert(body.len <= UINT32_MAX);
    if (w->file != NULL) {
        return put_in_file(w, signal, body, items, reterr);
    }
    snprintf(path, sizeof path, "%s/%08llu.%s.%s", w->path, (unsigned long long)number,
             otlp_out_signal_name(signal), w->suffix);
    FILE *f = fopen(path, "wb");
    if (f == NULL) {
        return fail(path, reterr);
    }
    bool written = fwrite(body.ptr, 1, body.len, f) == body.len;
    if (fclose(f) != 0 || !written) {
        return fail(path, reterr);
    }
    return 0;
}

int writer_close(struct writer *w, struct err *reterr)
{
    int rc = 0;
    if (w != NULL) {
        if (w->file != NULL && fclose(w->file) != 0) {
            rc = fail(w->path, reterr);
        }
        mem_free(w);
    }
    return rc;
}
