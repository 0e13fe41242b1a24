/* SPDX-License-Identifier: Apache-2.0
 *
 * A run: the world made step by step, in time or as fast as it is taken, its requests written or
 * sent, the report kept.
 */
#ifndef LOADGEN_RUN_H
#define LOADGEN_RUN_H

#include "loadgen/settings.h"

/* An exit code of core/base/cmd.h: OK, FINDINGS when something was not acknowledged, UNREACHABLE
 * when nothing ever was because nobody answered, USAGE for what cannot be opened. */
int loadgen_run(const struct loadgen_settings *s);

#endif
