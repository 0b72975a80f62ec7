#include "mask.h"

/// More than two blocks of `length` vectors. The loop's stores are aligned, as stores that straddle
/// cache lines cost more than loads that do. The bytes at both ends are loaded before the loop and
/// stored after it: in place, the loop overwrites some of them.
#define MASK_BLOCKS(vector, length)                                                                \
  do {                                                                                             \
    enum { size = sizeof(vector), block = (length)*size };                                         \
    size_t offset = size - ((uintptr_t)to & (size - 1));                                           \
    size_t last_offset = count - block;                                                            \
    uint32_t loop_key = wsa_rotate_key(key, offset);                                               \
    uint32_t last_key = wsa_rotate_key(key, count);                                                \
    vector first = LOAD(vector, from, 0);                                                          \
    vector last[length], bytes[length];                                                            \
    for (int i = 0; i < (length); i++) {                                                           \
      last[i] = LOAD(vector, from, last_offset + i * size);                                        \
    }                                                                                              \
    for (; offset < last_offset; offset += block) {                                                \
      for (int i = 0; i < (length); i++) {                                                         \
        bytes[i] = LOAD(vector, from, offset + i * size);                                          \
      }                                                                                            \
      for (int i = 0; i < (length); i++) {                                                         \
        STORE(vector, to, offset + i * size, bytes[i] ^ loop_key);                                 \
      }                                                                                            \
    }                                                                                              \
    STORE(vector, to, 0, first ^ key);                                                             \
    for (int i = 0; i < (length); i++) {                                                           \
      STORE(vector, to, last_offset + i * size, last[i] ^ last_key);                               \
    }                                                                                              \
  } while (0)

uint32_t wsa_mask_baseline(void *destination, const void *source, size_t count, uint32_t key) {
  uint8_t *to = destination;
  const uint8_t *from = source;
  if (count > 128) {
    MASK_BLOCKS(words_64, 1);
  } else {
    wsa_mask_to_128(to, from, count, key);
  }
  return wsa_rotate_key(key, count);
}

#ifdef WSA_HAS_X86

__attribute__((target("avx2,bmi2"))) uint32_t wsa_mask_avx2(void *destination, const void *source,
                                                            size_t count, uint32_t key) {
  uint8_t *to = destination;
  const uint8_t *from = source;
  if (count > 256) {
    MASK_BLOCKS(words_32, 4);
  } else if (count > 128) {
    MASK_ENDS(words_128);
  } else {
    wsa_mask_to_128(to, from, count, key);
  }
  return wsa_rotate_key(key, count);
}

__attribute__((target("avx512f,avx512bw,avx512vl,bmi2"))) uint32_t
wsa_mask_avx512(void *destination, const void *source, size_t count, uint32_t key) {
  uint8_t *to = destination;
  const uint8_t *from = source;
  if (count > 256) {
    MASK_BLOCKS(words_64, 2);
  } else if (count > 128) {
    MASK_ENDS(words_128);
  } else {
    wsa_mask_to_128(to, from, count, key);
  }
  return wsa_rotate_key(key, count);
}

#endif
