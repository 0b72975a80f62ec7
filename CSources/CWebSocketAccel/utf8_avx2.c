#include "mask.h"
#include "utf8_lookup.h"
#include "utf8_stream.h"

#ifdef WSA_HAS_X86

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi2")))

AVX2 WSA_INLINE __m256i load(const uint8_t *from) {
  return _mm256_loadu_si256((const __m256i *)from);
}

AVX2 WSA_INLINE __m256i all(int byte) { return _mm256_set1_epi8((char)byte); }

AVX2 WSA_INLINE __m256i either(__m256i a, __m256i b) { return _mm256_or_si256(a, b); }

AVX2 WSA_INLINE bool is_zero(__m256i bytes) { return _mm256_testz_si256(bytes, bytes); }

AVX2 WSA_INLINE bool is_ascii(__m256i bytes) { return _mm256_movemask_epi8(bytes) == 0; }

AVX2 WSA_INLINE __m256i wide_key(uint32_t key) { return _mm256_set1_epi32((int)key); }

AVX2 WSA_INLINE void store_masked(uint8_t *to, __m256i bytes, __m256i key) {
  _mm256_storeu_si256((__m256i *)to, _mm256_xor_si256(bytes, key));
}

AVX2 WSA_INLINE __m256i low_nibbles(__m256i bytes) { return _mm256_and_si256(bytes, all(0x0f)); }

AVX2 WSA_INLINE __m256i high_nibbles(__m256i bytes) {
  return low_nibbles(_mm256_srli_epi16(bytes, 4));
}

AVX2 WSA_INLINE __m256i look_up(const uint8_t *table, __m256i nibbles) {
  __m256i both_lanes = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
  return _mm256_shuffle_epi8(both_lanes, nibbles);
}

/// Adds to `faults` those of 32 bytes, given with the bytes one, two and three places before them.
AVX2 WSA_INLINE __m256i check(__m256i faults, __m256i bytes, __m256i one, __m256i two,
                              __m256i three) {
  __m256i first = _mm256_and_si256(look_up(wsa_first_high, high_nibbles(one)),
                                   look_up(wsa_first_low, low_nibbles(one)));
  __m256i pair = _mm256_and_si256(first, look_up(wsa_second_high, high_nibbles(bytes)));
  // The subtractions leave the top bit to E0 and above, and to F0 and above.
  __m256i third = _mm256_subs_epu8(two, all(0xe0 - 0x80));
  __m256i fourth = _mm256_subs_epu8(three, all(0xf0 - 0x80));
  __m256i is_due = _mm256_and_si256(_mm256_or_si256(third, fourth), all(TWO_CONTINUATIONS));
  return _mm256_or_si256(faults, _mm256_xor_si256(pair, is_due));
}

/// The bytes before come from memory: a load costs less than shifting across the lanes.
AVX2 WSA_INLINE __m256i check_at(__m256i faults, const uint8_t *from, __m256i bytes) {
  return check(faults, bytes, load(from - 1), load(from - 2), load(from - 3));
}

/// As above, if only one of the bytes before is known.
AVX2 WSA_INLINE __m256i check_after(__m256i faults, uint8_t previous, __m256i bytes) {
  __m128i before = _mm_slli_si128(_mm_cvtsi32_si128(previous), 15);
  __m256i lanes =
      _mm256_inserti128_si256(_mm256_castsi128_si256(before), _mm256_castsi256_si128(bytes), 1);
  return check(faults, bytes, _mm256_alignr_epi8(bytes, lanes, 15),
               _mm256_alignr_epi8(bytes, lanes, 14), _mm256_alignr_epi8(bytes, lanes, 13));
}

/// Not zero if a code point at the end is incomplete.
AVX2 WSA_INLINE __m256i incomplete_end(__m256i bytes) {
  const __m256i most = _mm256_setr_epi32(-1, -1, -1, -1, -1, -1, -1, (int)0xbfdfefff);
  return _mm256_subs_epu8(bytes, most);
}

/// Checks the last 32 bytes of a longer piece, some of them for the second time.
AVX2 WSA_INLINE __m256i check_last(__m256i faults, const uint8_t *from, __m256i bytes,
                                   size_t bytes_before) {
  if (bytes_before >= 3) {
    return check_at(faults, from, bytes);
  }
  // The bytes before them can't be loaded, but the first three have been checked.
  const __m256i to_check = _mm256_setr_epi32((int)0xff000000, -1, -1, -1, -1, -1, -1, -1);
  __m256i more = check_after(_mm256_setzero_si256(), 0, bytes);
  return _mm256_or_si256(faults, _mm256_and_si256(more, to_check));
}

#define TARGET AVX2
#define WIDTH 32
#define VECTORS 2
typedef __m256i vector;
#include "utf8_piece.h"

AVX2 static ptrdiff_t validate_avx2(const void *bytes, size_t count, uint32_t *state) {
  if (count < 32 || *state == WSA_UTF8_REJECTED) {
    return wsa_validate_bmi2(bytes, count, state);
  }
  return check_piece(NULL, bytes, count, 0, state, false);
}

AVX2 static ptrdiff_t mask_validating_avx2(void *destination, const void *source, size_t count,
                                           uint32_t *key, uint32_t *state) {
  uint32_t first_key = *key;
  *key = wsa_rotate_key(first_key, count);
  if (count < 32 || *state == WSA_UTF8_REJECTED) {
    wsa_mask_to_128(destination, source, count, first_key); // All there is, or rejected anyway.
    return wsa_validate_bmi2(source, count, state);
  }
  return check_piece(destination, source, count, first_key, state, true);
}

const wsa_kernels wsa_kernels_avx2 = {
    .name = "c-avx2",
    .mask = wsa_mask_avx2,
    .validate = validate_avx2,
    .mask_validating = mask_validating_avx2,
};

#endif
