/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes requests to disk, to look at them, to send them with other tools, and to prove that equal
 * options give equal bytes. Into a directory: one file for each request, NNNNNNNN.SIGNAL.pb (or
 * .json), which `curl --data-binary` can post. Into a file: the requests one behind the other, each
 * with a head of 16 bytes: "OTLP", a letter for the signal (s, l, m), three zeros, the number of
 * items and the length of the body, both big-endian.
 */
#ifndef LOADGEN_WRITER_H
#define LOADGEN_WRITER_H

#include "core/base/err.h"
#include "core/base/slice.h"
#include "loadgen/otlp_out.h"

struct writer;

enum { WRITER_HEAD_BYTES = 16 };

/* A directory if the path is one or ends with a slash; `suffix`: of the files in it. */
int writer_open(const char *path, const char *suffix, struct writer **ret_writer,
                struct err *reterr) NODISCARD;
int writer_put(struct writer *w, uint64_t number, enum signal signal, struct slice body,
               size_t items, struct err *reterr) NODISCARD;
int writer_close(struct writer *w, struct err *reterr) NODISCARD; /* NULL is fine */

#endif
