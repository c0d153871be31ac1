# Read by upstream's project() when ours is built: the shared library is compiled from the one file that
# includes all others, so that the compiler sees every call inside it, and with LIBRARY_FLAGS. The static
# library and the object file stay as upstream builds them.
cmake_language(DEFER CALL set_property TARGET mimalloc PROPERTY SOURCES src/static.c)
cmake_language(DEFER CALL target_compile_options mimalloc PRIVATE ${LIBRARY_FLAGS})
