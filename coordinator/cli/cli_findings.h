/* SPDX-License-Identifier: Apache-2.0
 *
 * What `kaiju doctor` finds: answers of a coordinator in, findings in words out. Pure; what is
 * looked for is two tables in cli_findings.c. A finding: {"code", "severity": "problem" or
 * "warning", "about", "what", "do"}.
 */
#ifndef COORDINATOR_CLI_CLI_FINDINGS_H
#define COORDINATOR_CLI_CLI_FINDINGS_H

#include "core/base/slice.h"

#include <jansson.h>

struct cli_seen {
    const json_t *was, *status; /* GET /api/v1/status, twice; was: NULL if it is not known */
    const json_t *before, *now; /* arrays of tasks, looked at one after the other */
    bool ready;                 /* what /readyz says, */
    struct slice ready_text;    /* and its words */
};

/* A new reference: an array, problems first. */
json_t *cli_findings(const struct cli_seen *seen);
size_t cli_findings_count(const json_t *findings, const char *severity);
/* For the documentation and its test: the n-th that is looked for; NULL: there are no more. */
const char *cli_findings_code(size_t n);

#endif
