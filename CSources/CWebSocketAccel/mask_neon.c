#include "accel_internal.h"

#ifdef WSA_HAS_NEON

#include <arm_neon.h>

WSA_INLINE uint8x16_t wide_key(uint32_t key) { return vreinterpretq_u8_u32(vdupq_n_u32(key)); }

WSA_INLINE void store_masked(uint8_t *to, uint8x16_t bytes, uint8x16_t key) {
  vst1q_u8(to, veorq_u8(bytes, key));
}

/// 17 bytes and more: `registers` from each end, which meet or overlap.
WSA_INLINE void mask_ends(uint8_t *to, const uint8_t *from, size_t count, uint32_t key,
                          int registers) {
  const uint8_t *from_end = from + count;
  uint8_t *to_end = to + count;
  uint8x16_t first_key = wide_key(key);
  uint8x16_t last_key = wide_key(wsa_rotate_key(key, count));
  uint8x16_t first[4], last[4];
  for (int i = 0; i < registers; i++) {
    first[i] = vld1q_u8(from + 16 * i);
    last[i] = vld1q_u8(from_end - 16 * (i + 1));
  }
  for (int i = 0; i < registers; i++) {
    store_masked(to + 16 * i, first[i], first_key);
    store_masked(to_end - 16 * (i + 1), last[i], last_key);
  }
}

/// More than 128 bytes. The loop's stores are aligned. What the loop leaves out at both ends is
/// loaded before it and stored after it, for in place the loop overwrites some of it.
WSA_INLINE void mask_long(uint8_t *to, const uint8_t *from, size_t count, uint32_t key) {
  size_t offset = 16 - ((uintptr_t)to & 15);
  size_t tail = count - 64;
  uint8x16_t first_key = wide_key(key);
  uint8x16_t loop_key = wide_key(wsa_rotate_key(key, offset));
  uint8x16_t last_key = wide_key(wsa_rotate_key(key, count));
  uint8x16_t first = vld1q_u8(from);
  uint8x16_t last[4];
  for (int i = 0; i < 4; i++) {
    last[i] = vld1q_u8(from + tail + 16 * i);
  }
  for (; offset < tail; offset += 64) {
    uint8x16_t bytes[4];
    for (int i = 0; i < 4; i++) {
      bytes[i] = vld1q_u8(from + offset + 16 * i);
    }
    for (int i = 0; i < 4; i++) {
      store_masked(to + offset + 16 * i, bytes[i], loop_key);
    }
  }
  store_masked(to, first, first_key);
  for (int i = 0; i < 4; i++) {
    store_masked(to + tail + 16 * i, last[i], last_key);
  }
}

uint32_t wsa_mask_neon(void *destination, const void *source, size_t count, uint32_t key) {
  if (count > 128) {
    mask_long(destination, source, count, key);
  } else if (count > 64) {
    mask_ends(destination, source, count, key, 4);
  } else if (count > 32) {
    mask_ends(destination, source, count, key, 2);
  } else if (count > 16) {
    mask_ends(destination, source, count, key, 1);
  } else {
    wsa_mask_short(destination, source, count, key);
  }
  return wsa_rotate_key(key, count);
}

#endif
