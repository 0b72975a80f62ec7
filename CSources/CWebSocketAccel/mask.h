// Masking by vectors of several widths: clang splits one that is wider than the registers of the
// function that it is inlined into.

#pragma once

#include "accel_internal.h"

// At any address, whatever the type of the memory there.
#define UNALIGNED __attribute__((aligned(1), may_alias))
typedef uint32_t words_16 __attribute__((ext_vector_type(4))) UNALIGNED;
typedef uint32_t words_32 __attribute__((ext_vector_type(8))) UNALIGNED;
typedef uint32_t words_64 __attribute__((ext_vector_type(16))) UNALIGNED;
typedef uint32_t words_128 __attribute__((ext_vector_type(32))) UNALIGNED;

#define LOAD(vector, from, offset) (*(const vector *)((from) + (offset)))
#define STORE(vector, to, offset, value) (*(vector *)((to) + (offset)) = (value))

/// One to two vectors: like wsa_mask_short, with wider registers.
#define MASK_ENDS(vector)                                                                          \
  do {                                                                                             \
    size_t last_offset = count - sizeof(vector);                                                   \
    vector first = LOAD(vector, from, 0);                                                          \
    vector last = LOAD(vector, from, last_offset);                                                 \
    STORE(vector, to, 0, first ^ key);                                                             \
    STORE(vector, to, last_offset, last ^ wsa_rotate_key(key, count));                             \
  } while (0)

/// Up to 128 bytes.
WSA_INLINE void wsa_mask_to_128(uint8_t *to, const uint8_t *from, size_t count, uint32_t key) {
  if (count > 64) {
    MASK_ENDS(words_64);
  } else if (count > 32) {
    MASK_ENDS(words_32);
  } else if (count > 16) {
    MASK_ENDS(words_16);
  } else {
    wsa_mask_short(to, from, count, key);
  }
}
