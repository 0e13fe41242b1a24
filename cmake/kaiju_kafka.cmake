# SPDX-License-Identifier: Apache-2.0
# Tests against a real Kafka, which tests/kafka/kafka.sh makes out of its published jars:
#   kaiju_kafka_test(NAME SOURCES ... [DEPS ...] [VERSIONS 4 3.9] [NODES 1] [SHARDS 1]
#                    [TIMEOUT 300] [ARGS ...])
# makes NAME and adds it as ctest NAME for version 4 and NAME_39 for 3.9, label kafka. A fixture
# starts the cluster that a test needs when it does not run, and stops what it has started. SHARDS:
# so many processes at once share the tests (tests/kafka/shards.sh). These tests wait more than they
# work, so they begin first and others run beside them. A cluster is one test's at a time, and beside
# it another one's of those that do next to nothing but wait:
#   kaiju_kafka_waits(NAME VERSION NODES)
set(KAIJU_KAFKA_FIRST 1000)
set(KAIJU_KAFKA_SH ${PROJECT_SOURCE_DIR}/tests/kafka/kafka.sh)

# What is older than the current version is for `./dev test long`.
function(kaiju_kafka_labels version ret)
  if(version STREQUAL "4")
    set(${ret} kafka PARENT_SCOPE)
  else()
    set(${ret} "kafka;long" PARENT_SCOPE)
  endif()
endfunction()

function(kaiju_kafka_fixture version nodes)
  set(name kafka_${version}_${nodes})
  get_property(known GLOBAL PROPERTY KAIJU_KAFKA_FIXTURES)
  if(${name} IN_LIST known)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY KAIJU_KAFKA_FIXTURES ${name})
  set(which --version ${version} --nodes ${nodes})
  # One at a time: whoever is first fetches the program for all.
  add_test(NAME ${name}_start COMMAND ${KAIJU_KAFKA_SH} fixture-start ${which})
  add_test(NAME ${name}_stop COMMAND ${KAIJU_KAFKA_SH} fixture-stop ${which})
  kaiju_kafka_labels(${version} labels)
  set_tests_properties(${name}_start PROPERTIES FIXTURES_SETUP ${name} TIMEOUT 900
    LABELS "${labels}" RESOURCE_LOCK "kafka_fetch;${name}" COST ${KAIJU_KAFKA_FIRST})
  set_tests_properties(${name}_stop PROPERTIES FIXTURES_CLEANUP ${name} TIMEOUT 200
    LABELS "${labels}" RESOURCE_LOCK ${name})
endfunction()

# kaiju_kafka_run(TEST VERSION NODES TIMEOUT COMMAND...): one ctest under its fixture.
function(kaiju_kafka_run test version nodes timeout)
  kaiju_kafka_fixture(${version} ${nodes})
  add_test(NAME ${test}
    COMMAND ${KAIJU_KAFKA_SH} run --version ${version} --nodes ${nodes} -- ${ARGN})
  kaiju_kafka_labels(${version} labels)
  set_tests_properties(${test} PROPERTIES TIMEOUT ${timeout} LABELS "${labels}"
    RESOURCE_LOCK kafka_${version}_${nodes} FIXTURES_REQUIRED kafka_${version}_${nodes}
    COST ${KAIJU_KAFKA_FIRST}
    ENVIRONMENT "KAIJU_SOURCE_DIR=${PROJECT_SOURCE_DIR};KAIJU_BUILD_DIR=${PROJECT_BINARY_DIR}")
endfunction()

function(kaiju_kafka_waits test version nodes)
  set_tests_properties(${test} PROPERTIES RESOURCE_LOCK kafka_${version}_${nodes}_waits)
endfunction()

function(kaiju_kafka_test name)
  cmake_parse_arguments(A "" "TIMEOUT;NODES;SHARDS" "SOURCES;DEPS;PACKAGES;VERSIONS;ARGS" ${ARGN})
  add_executable(${name} $<TARGET_OBJECTS:test_main> ${A_SOURCES})
  if(KAIJU_SANITIZE) # librdkafka and the brokers are not instrumented: it runs without
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE core_bus ${A_DEPS} Threads::Threads m)
  foreach(package ${A_PACKAGES})
    kaiju_package(${package})
    target_link_libraries(${name} PRIVATE PkgConfig::${package})
  endforeach()
  if(NOT A_VERSIONS)
    set(A_VERSIONS 4)
  endif()
  if(NOT A_NODES)
    set(A_NODES 1)
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  set(command $<TARGET_FILE:${name}> ${A_ARGS})
  if(A_SHARDS)
    set(command ${PROJECT_SOURCE_DIR}/tests/kafka/shards.sh ${A_SHARDS} ${command})
  endif()
  foreach(version ${A_VERSIONS})
    set(test ${name})
    if(NOT version STREQUAL "4")
      string(REPLACE "." "" short ${version})
      set(test ${name}_${short})
    endif()
    kaiju_kafka_run(${test} ${version} ${A_NODES} ${A_TIMEOUT} ${command})
  endforeach()
endfunction()
