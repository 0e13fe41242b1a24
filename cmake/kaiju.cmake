# SPDX-License-Identifier: Apache-2.0
# How every target of the project is compiled, and the functions folders use:
#   kaiju_library(NAME SOURCES ... [DEPS ...] [PACKAGES ...])   one static library per folder
#   kaiju_test(NAME SOURCES ... [DEPS ...] [LABELS ...])        one test executable per folder
#   kaiju_fuzzer(NAME SOURCES ... [DEPS ...])                   one libFuzzer target per decoder
#   kaiju_bench(NAME SOURCES ... [DEPS ...])                    one benchmark, run by ./dev bench
# Labels of tests choose the presets that run them (CMakePresets.json): threads (also under TSan),
# kafka (needs a broker), crash (kills processes), python (needs packages), peers (programs that
# others wrote), broad (many runs each; not under sanitizers), long (only by hand).

option(KAIJU_TESTS "build tests and benchmarks, too" ON)
option(KAIJU_FUZZ "build the libFuzzer targets (needs clang)" OFF)
option(KAIJU_LINT "register the lints as tests" OFF)
option(KAIJU_COVERAGE "instrument for gcov" OFF)
set(KAIJU_SANITIZE "" CACHE STRING "empty, 'address' (with undefined) or 'thread'")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
find_program(KAIJU_CCACHE ccache)
if(KAIJU_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${KAIJU_CCACHE})
endif()
# -ffp-contract=off: a result must not depend on whether the machine fuses a*b+c.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
if(KAIJU_SANITIZE AND NOT KAIJU_FUZZ)
  # Compiles in half the time, and what is found comes with its lines all the same. Warnings are
  # those of optimized code.
  set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g1 -w")
endif()
add_compile_definitions(_GNU_SOURCE)
add_compile_options(-ffp-contract=off -fno-strict-aliasing -fno-omit-frame-pointer
  -Wall -Wextra -Wshadow -Wconversion -Wvla -Wmissing-prototypes -Wstrict-prototypes
  -Wpointer-arith -Wwrite-strings -Wundef -Werror)

if(KAIJU_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
elseif(KAIJU_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
elseif(NOT KAIJU_SANITIZE STREQUAL "")
  message(FATAL_ERROR "KAIJU_SANITIZE is '${KAIJU_SANITIZE}': expected empty, 'address' or 'thread'")
endif()
if(KAIJU_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(KAIJU_COVERAGE)
  add_compile_options(--coverage -O0 -Wno-error) # other warnings than those of optimized code
  add_link_options(--coverage)
endif()

add_custom_target(threaded) # all that the preset tsan runs; the others have no second thread
add_library(test_main OBJECT EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/test_main.c)
target_include_directories(test_main PRIVATE ${PROJECT_SOURCE_DIR})

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

# kaiju_package(NAME): makes PkgConfig::NAME once, so that folders may name the same package.
function(kaiju_package name)
  if(NOT TARGET PkgConfig::${name})
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${name})
  endif()
endfunction()

function(kaiju_library name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS;PACKAGES" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${A_DEPS} Threads::Threads m)
  foreach(package ${A_PACKAGES})
    kaiju_package(${package})
    target_link_libraries(${name} PUBLIC PkgConfig::${package})
  endforeach()
endfunction()

function(kaiju_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;DEPS;PACKAGES;LABELS" ${ARGN})
  add_executable(${name} $<TARGET_OBJECTS:test_main> ${A_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${A_DEPS} Threads::Threads m)
  foreach(package ${A_PACKAGES})
    kaiju_package(${package})
    target_link_libraries(${name} PRIVATE PkgConfig::${package})
  endforeach()
  add_test(NAME ${name} COMMAND ${name})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 600)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}"
    ENVIRONMENT "KAIJU_SOURCE_DIR=${PROJECT_SOURCE_DIR};KAIJU_BUILD_DIR=${PROJECT_BINARY_DIR}")
  if("threads" IN_LIST A_LABELS)
    add_dependencies(threaded ${name})
  endif()
endfunction()

add_custom_target(fuzzers)
add_custom_target(nothing)

function(kaiju_fuzzer name)
  if(NOT KAIJU_FUZZ)
    return()
  endif()
  cmake_parse_arguments(A "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  add_dependencies(fuzzers ${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzzers)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${A_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME ${name}
    COMMAND ${PROJECT_SOURCE_DIR}/tests/tools/fuzz_one.sh $<TARGET_FILE:${name}> 7)
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()

function(kaiju_bench name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS;PACKAGES" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${A_DEPS} Threads::Threads m)
  foreach(package ${A_PACKAGES})
    kaiju_package(${package})
    target_link_libraries(${name} PRIVATE PkgConfig::${package})
  endforeach()
endfunction()
