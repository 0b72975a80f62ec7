#include "accel_internal.h"

#ifdef WSA_HAS_X86

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 WSA_INLINE __m256i load(const uint8_t *from) {
  return _mm256_loadu_si256((const __m256i *)from);
}

AVX2 WSA_INLINE void store_masked(uint8_t *to, __m256i bytes, __m256i key) {
  _mm256_storeu_si256((__m256i *)to, _mm256_xor_si256(bytes, key));
}

AVX2 WSA_INLINE __m256i wide_key(uint32_t key) { return _mm256_set1_epi32((int)key); }

/// 17 to 32 bytes: like wsa_mask_short, with wider registers.
AVX2 WSA_INLINE void mask_to_32(uint8_t *to, const uint8_t *from, size_t count, uint32_t key) {
  __m128i first = _mm_loadu_si128((const __m128i *)from);
  __m128i last = _mm_loadu_si128((const __m128i *)(from + count - 16));
  first = _mm_xor_si128(first, _mm_set1_epi32((int)key));
  last = _mm_xor_si128(last, _mm_set1_epi32((int)wsa_rotate_key(key, count)));
  _mm_storeu_si128((__m128i *)to, first);
  _mm_storeu_si128((__m128i *)(to + count - 16), last);
}

/// 33 bytes and more: `registers` from each end, which meet or overlap.
AVX2 WSA_INLINE void mask_ends(uint8_t *to, const uint8_t *from, size_t count, uint32_t key,
                               int registers) {
  const uint8_t *from_end = from + count;
  uint8_t *to_end = to + count;
  __m256i first_key = wide_key(key);
  __m256i last_key = wide_key(wsa_rotate_key(key, count));
  __m256i first[4], last[4];
  for (int i = 0; i < registers; i++) {
    first[i] = load(from + 32 * i);
    last[i] = load(from_end - 32 * (i + 1));
  }
  for (int i = 0; i < registers; i++) {
    store_masked(to + 32 * i, first[i], first_key);
    store_masked(to_end - 32 * (i + 1), last[i], last_key);
  }
}

/// More than 256 bytes. The loop's stores are aligned: of loads and stores that straddle cache
/// lines the stores cost more. What the loop leaves out at both ends is loaded before it and stored
/// after it, for in place the loop overwrites some of it.
AVX2 WSA_INLINE void mask_long(uint8_t *to, const uint8_t *from, size_t count, uint32_t key) {
  size_t offset = 32 - ((uintptr_t)to & 31);
  size_t tail = count - 128;
  __m256i first_key = wide_key(key);
  __m256i loop_key = wide_key(wsa_rotate_key(key, offset));
  __m256i last_key = wide_key(wsa_rotate_key(key, count));
  __m256i first = load(from);
  __m256i last[4];
  for (int i = 0; i < 4; i++) {
    last[i] = load(from + tail + 32 * i);
  }
  for (; offset < tail; offset += 128) {
    __m256i bytes[4];
    for (int i = 0; i < 4; i++) {
      bytes[i] = load(from + offset + 32 * i);
    }
    for (int i = 0; i < 4; i++) {
      store_masked(to + offset + 32 * i, bytes[i], loop_key);
    }
  }
  store_masked(to, first, first_key);
  for (int i = 0; i < 4; i++) {
    store_masked(to + tail + 32 * i, last[i], last_key);
  }
}

AVX2 uint32_t wsa_mask_avx2(void *destination, const void *source, size_t count, uint32_t key) {
  if (count > 256) {
    mask_long(destination, source, count, key);
  } else if (count > 192) {
    mask_ends(destination, source, count, key, 4);
  } else if (count > 128) {
    mask_ends(destination, source, count, key, 3);
  } else if (count > 64) {
    mask_ends(destination, source, count, key, 2);
  } else if (count > 32) {
    mask_ends(destination, source, count, key, 1);
  } else if (count > 16) {
    mask_to_32(destination, source, count, key);
  } else {
    wsa_mask_short(destination, source, count, key);
  }
  return wsa_rotate_key(key, count);
}

#endif
