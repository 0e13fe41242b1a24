# SPDX-License-Identifier: Apache-2.0
# Run as a script: cmake -DROOT=<schemas> -DOUT=<file.c> -P embed_schemas.cmake
# Writes a C file with the text of every .avsc file below ROOT, as the table schema.h declares.
file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/*.avsc)
list(SORT files)
set(arrays "")
set(rows "")
set(i 0)
foreach(file ${files})
  file(READ ${ROOT}/${file} hex HEX)
  string(LENGTH "${hex}" len)
  math(EXPR len "${len} / 2")
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
    "\\1\n" bytes "${bytes}")
  string(APPEND arrays "static const unsigned char file_${i}[] = {\n${bytes}};\n")
  string(APPEND rows "    {\"${file}\", {(const char *)file_${i}, ${len}}},\n")
  math(EXPR i "${i} + 1")
endforeach()
file(WRITE ${OUT} "/* Generated from schemas/ at build time. */\n#include \"core/event/schema.h\"\n\n"
  "${arrays}\nconst struct schema_file schema_files[] = {\n${rows}};\n"
  "const size_t schema_files_len = ${i};\n")
