/* SPDX-License-Identifier: Apache-2.0 */
#include "core/bus/a.h"
