/* SPDX-License-Identifier: Apache-2.0
 *
 * Decompression of whole bodies, one function for every coding of inflate.def, bounded in three
 * ways: bytes of output, output per byte of input (a bomb is refused long before the first bound),
 * and the memory of a window. The contexts of the libraries are kept: one `struct inflate` per
 * thread, and in steady state nothing is allocated but growth of the output.
 *
 *     struct inflate *z = inflate_new();
 *     rc = inflate_all(z, INFLATE_GZIP, body, &limits, &out, &err);
 *
 * A body may be several members or frames behind one another (gzip, zstd, lz4): all of them are
 * read. Checksums are verified where the format has them. Bytes behind the last member are an
 * error, a body that ends early is one, and so is an empty one. To add a coding: a row in
 * inflate.def and its function in inflate.c.
 */
#ifndef CORE_CODEC_INFLATE_H
#define CORE_CODEC_INFLATE_H

#include "core/base/buf.h"
#include "core/base/err.h"

enum inflate_coding {
#define INFLATE(name, number, text, fn, doc) INFLATE_##name = (number),
#include "core/codec/inflate.def"
#undef INFLATE
    INFLATE_CODINGS
};

struct inflate_limits {
    size_t max_bytes; /* of output */
    size_t max_ratio; /* output per byte of input, above INFLATE_FREE_BYTES of output; 0 = any */
};

/* Deflate alone cannot exceed 1032; telemetry reaches about 100. */
enum { INFLATE_RATIO = 1100, INFLATE_FREE_BYTES = 1024 * 1024, INFLATE_WINDOW_LOG = 23 };

struct inflate;

struct inflate *inflate_new(void);
void inflate_free(struct inflate *z);

/* Appends what `in` holds to out. ERR_CORRUPT, ERR_TRUNCATED; ERR_TOO_BIG: a limit, or out's own;
 * ERR_LIMIT: a window over 2^INFLATE_WINDOW_LOG. After an error out is as long as before. */
int inflate_all(struct inflate *z, enum inflate_coding coding, struct slice in,
                const struct inflate_limits *limits, struct buf *out, struct err *reterr) NODISCARD;

/* A name of Content-Encoding or grpc-encoding, any case; false if it is not known. */
bool inflate_coding_of(struct slice name, enum inflate_coding *ret_coding);
const char *inflate_coding_name(enum inflate_coding coding);

#endif
