#define _GNU_SOURCE
#include "Reference.h"

#include <dlfcn.h>
#include <string.h>

void reference_mask(reference_masker *masker, uint8_t *to, const uint8_t *from,
                    ptrdiff_t stride, size_t count) {
  for (size_t i = 0; i < count; i++) {
    to[i] = from[(ptrdiff_t)i * stride] ^ masker->mask[masker->pointer & 3];
    masker->pointer += 1;
  }
}

static const uint8_t class_of_byte[256] = {
    [0x80 ... 0x8f] = 1, [0x90 ... 0x9f] = 9, [0xa0 ... 0xbf] = 7,
    [0xc0 ... 0xc1] = 8, [0xc2 ... 0xdf] = 2, [0xe0] = 10,
    [0xe1 ... 0xec] = 3, [0xed] = 4,          [0xee ... 0xef] = 3,
    [0xf0] = 11,         [0xf1 ... 0xf3] = 6, [0xf4] = 5,
    [0xf5 ... 0xff] = 8,
};

static const uint8_t successors[9][16] = {
    {0, 1, 2, 3, 5, 8, 7, 1, 1, 1, 4, 6}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1}, {1, 2, 1, 1, 1, 1, 1, 2, 1, 2, 1, 1},
    {1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1}, {1, 2, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1},
    {1, 1, 1, 1, 1, 1, 1, 3, 1, 3, 1, 1}, {1, 3, 1, 1, 1, 1, 1, 3, 1, 3, 1, 1},
    {1, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
};

unsigned reference_validate(const uint8_t *bytes, size_t count) {
  unsigned state = 0;
  for (size_t i = 0; i < count && state != 1; i++) {
    state = successors[state][class_of_byte[bytes[i]]];
  }
  return state;
}

bool runs_simdutf(const char *implementation) {
#if defined __x86_64__
  if (strcmp(implementation, "icelake") == 0) {
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vpopcntdq");
  }
  return strcmp(implementation, "haswell") == 0 && __builtin_cpu_supports("avx2");
#elif defined __aarch64__
  return strcmp(implementation, "arm64") == 0;
#else
  return false;
#endif
}

void *load_separately(const char *library, const char *symbol) {
  void *handle = dlmopen(LM_ID_NEWLM, library, RTLD_NOW);
  return handle == NULL ? NULL : dlsym(handle, symbol);
}
