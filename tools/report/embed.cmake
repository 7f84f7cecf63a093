# cmake -DOUTPUT=FILE -DPAGE=FILE -DSTYLE=FILE -DSCRIPTS=FILE,FILE... -P embed.cmake
#
# Writes the source that holds the parts of the report's page as text.

string(REPLACE "," ";" scripts "${SCRIPTS}")
set(source "// Made by embed.cmake.\n#include \"report/parts.h\"\n\n"
  "namespace gradmill::report {\n")

# A part as literals of a few lines each: compilers need not take longer ones.
function(add_part name)
  set(text "")
  foreach(file IN LISTS ARGN)
    file(READ "${file}" content)
    string(APPEND text "${content}")
  endforeach()
  if(text MATCHES "\\)part\"")
    message(FATAL_ERROR "the report must not contain )part\"")
  endif()
  string(LENGTH "${text}" length)
  set(literals "")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${text}" ${at} 8000 piece)
    string(APPEND literals "R\"part(${piece})part\"\n")
    math(EXPR at "${at} + 8000")
  endwhile()
  file(APPEND "${OUTPUT}" "\nconst std::string_view ${name} =\n${literals};\n")
endfunction()

file(WRITE "${OUTPUT}" ${source})
add_part(kPage "${PAGE}")
add_part(kStyle "${STYLE}")
add_part(kScript ${scripts})
file(APPEND "${OUTPUT}" "\n}  // namespace gradmill::report\n")
