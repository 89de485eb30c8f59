# ocfsgw_options: what every target of the project is compiled with. Nothing is set globally.
add_library(ocfsgw_options INTERFACE)
target_include_directories(ocfsgw_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(ocfsgw_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
target_compile_definitions(ocfsgw_options INTERFACE OCFSGW_VERSION="${PROJECT_VERSION}")
if(OCFSGW_SANITIZE)
  target_compile_options(ocfsgw_options INTERFACE
    -fsanitize=${OCFSGW_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(ocfsgw_options INTERFACE -fsanitize=${OCFSGW_SANITIZE})
endif()

# ocfsgw_library(NAME SOURCES file... [PUBLIC lib...] [PRIVATE lib...]): one target per folder.
function(ocfsgw_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ocfsgw_options ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
endfunction()

# ocfsgw_program(NAME SOURCES file... LIBS lib...): a program in build/<preset>/bin.
function(ocfsgw_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ocfsgw_options ${arg_LIBS})
endfunction()

# ocfsgw_alone(file...): compiled alone with OCFSGW_UNITY, too, since another file of the target has a name of its own that is
# the same. tests/architecture finds those that the compiler would take for overloads.
function(ocfsgw_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
