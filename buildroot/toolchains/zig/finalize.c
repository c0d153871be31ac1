/* What crtbeginS.o does, which zig does not link: when the library is unloaded, run what it has
   registered with atexit, and forget what it has registered with pthread_atfork. Last of all. */

extern void __cxa_finalize(void *library);
extern char __dso_handle __attribute__((visibility("hidden")));

__attribute__((destructor(100))) static void finalize(void) {
    __cxa_finalize(&__dso_handle);
}
