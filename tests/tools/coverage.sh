#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# coverage.sh [FOLDER [OPTION...]]: builds with gcov, runs the tests that need no broker, shows what
# they have run below FOLDER (operators).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mkdir -p build/logs
folder=${1:-operators}
[ $# -gt 0 ] && shift
cmake --preset coverage >build/logs/coverage.build 2>&1
cmake --build --preset coverage >>build/logs/coverage.build 2>&1 || { tail -n 30 build/logs/coverage.build; exit 1; }
find build/coverage -name '*.gcda' -delete
ctest --preset coverage >build/logs/coverage.test 2>&1 || { grep -E 'Failed|tests passed' build/logs/coverage.test; }
exec python3 tests/tools/coverage.py build/coverage "$folder" "$@"
