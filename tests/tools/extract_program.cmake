# cmake -DREADME=file -DOUTPUT=file -P extract_program.cmake: writes the first ```cpp block of README
# to OUTPUT, and leaves OUTPUT alone where nothing changed.

file(READ "${README}" text)
string(FIND "${text}" "```cpp\n" start)
if(start EQUAL -1)
  message(FATAL_ERROR "${README} has no cpp block")
endif()
math(EXPR start "${start} + 7")
string(SUBSTRING "${text}" ${start} -1 text)
string(FIND "${text}" "```" end)
string(SUBSTRING "${text}" 0 ${end} text)
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "${text}" @ONLY)
