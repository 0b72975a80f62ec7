#include "AllocationCounter.h"

#include <stdatomic.h>
#include <stddef.h>

static _Atomic uint64_t count;
static _Atomic int64_t bytes;

uint64_t allocation_count(void) { return atomic_load(&count); }
int64_t allocated_bytes(void) { return atomic_load(&bytes); }

#ifdef __GLIBC__
#include <malloc.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *pointer);

static void *counted(void *pointer) {
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&bytes, (int64_t)malloc_usable_size(pointer), memory_order_relaxed);
    return pointer;
}

static void discount(size_t size) {
    atomic_fetch_sub_explicit(&bytes, (int64_t)size, memory_order_relaxed);
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }

void *calloc(size_t number, size_t size) { return counted(__libc_calloc(number, size)); }

void *realloc(void *pointer, size_t size) {
    size_t before = malloc_usable_size(pointer);
    void *moved = __libc_realloc(pointer, size);
    if (moved != NULL || size == 0) discount(before);
    return counted(moved);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **pointer, size_t alignment, size_t size) {
    *pointer = counted(__libc_memalign(alignment, size));
    return *pointer == NULL;
}

void free(void *pointer) {
    discount(malloc_usable_size(pointer));
    __libc_free(pointer);
}
#endif
