/* As atexit.c: the C library links pthread_atfork into whoever calls it, and zig's copy of it is
   compiled without control-flow protection. The handlers belong to the library, and go with it. */

extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                             void *library);
extern char __dso_handle __attribute__((visibility("hidden")));

__attribute__((visibility("hidden"))) int pthread_atfork(void (*prepare)(void), void (*parent)(void),
                                                         void (*child)(void)) {
    return __register_atfork(prepare, parent, child, &__dso_handle);
}
