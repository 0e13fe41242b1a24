/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `operator`: runs the tasks of rule graphs.
 */
#ifndef OPERATORS_OPERATOR_H
#define OPERATORS_OPERATOR_H

#include "core/role/role.h"

extern const struct role role_operator;

#endif
