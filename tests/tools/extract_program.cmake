# cmake -DREADME=file -DOUTPUT=file -P extract_program.cmake: writes the first ```cpp block of README
# to OUTPUT, and leaves OUTPUT alone where nothing changed.

file(READ "${README}" text)
string(FIND "${text}" "```cpp\n" begin)
if(begin EQUAL -1)
  message(FATAL_ERROR "${README} has no cpp block")
endif()
math(EXPR begin "${begin} + 7")
string(SUBSTRING "${text}" ${begin} -1 text)
string(FIND "${text}" "```" end)
string(SUBSTRING "${text}" 0 ${end} text)
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "${text}" @ONLY)
