# A project that prints what find_package(mimalloc) defines, as NAME=VALUE on standard output.
cmake_minimum_required(VERSION 3.18)
project(consumer NONE)
# As cmake has it on Enterprise Linux, for projects in C.
set(CMAKE_SIZEOF_VOID_P 8)
set_property(GLOBAL PROPERTY FIND_LIBRARY_USE_LIB64_PATHS TRUE)
find_package(mimalloc CONFIG REQUIRED NO_CMAKE_SYSTEM_PATH)

foreach(target IN ITEMS mimalloc mimalloc-static)
  get_target_property(${target}_include ${target} INTERFACE_INCLUDE_DIRECTORIES)
  get_target_property(${target}_location ${target} LOCATION)
endforeach()
set(static_location "${mimalloc-static_location}")

foreach(name IN ITEMS
    MIMALLOC_CMAKE_DIR MIMALLOC_INCLUDE_DIR MIMALLOC_LIBRARY_DIR MIMALLOC_OBJECT_DIR
    MIMALLOC_TARGET_DIR mimalloc_DIR mimalloc_include mimalloc_location static_location)
  execute_process(COMMAND ${CMAKE_COMMAND} -E echo "${name}=${${name}}")
endforeach()
