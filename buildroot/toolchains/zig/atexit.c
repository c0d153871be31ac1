/* The C library links atexit into whoever calls it. zig compiles its copy without control-flow
   protection, and one such object takes the mark (IBT, SHSTK) off the whole library. This one is
   compiled with the flags of the build root; as there, the handler belongs to the library. */

extern int __cxa_atexit(void (*function)(void *), void *argument, void *library);
extern char __dso_handle __attribute__((visibility("hidden")));

__attribute__((visibility("hidden"))) int atexit(void (*function)(void)) {
    return __cxa_atexit((void (*)(void *))function, 0, &__dso_handle);
}
