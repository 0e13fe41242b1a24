/* SPDX-License-Identifier: Apache-2.0 */
#include "operators/epl/epl.h"
