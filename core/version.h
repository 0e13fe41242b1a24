/* SPDX-License-Identifier: Apache-2.0
 *
 * The version of the program. Also in CMakeLists.txt; a test holds the two together.
 */
#ifndef CORE_VERSION_H
#define CORE_VERSION_H

#define CORE_VERSION "0.1.0"

#endif
