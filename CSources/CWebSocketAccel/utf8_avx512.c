#include "mask.h"
#include "utf8_stream.h"

#ifdef WSA_HAS_X86

#include <immintrin.h>

// The look-ups here take 64 entries: all lead bytes, or all continuation bytes, by their low 6
// bits.
//
// A byte has to be a continuation byte exactly if it is due: after a lead byte, as the third byte
// after E0 and above, or as the fourth after F0 and above. The top bits say so. The other bits are
// set in the class of a lead byte and of a continuation byte that must not follow it.

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")))

enum {
  DUE = 1 << 7,
  NEVER = 1 << 0,      // 1100000_ (overlong), 11110101 and above (above U+10FFFF)
  OVERLONG_3 = 1 << 1, // 11100000 100_____
  SURROGATE = 1 << 2,  // 11101101 101_____
  OVERLONG_4 = 1 << 3, // 11110000 1000____
  TOO_LARGE = 1 << 4,  // 11110100 1001____, 11110100 101_____
};

static const _Alignas(64) uint8_t lead_classes[64] = {
    [0xc0 - 0xc0 ... 0xc1 - 0xc0] = DUE | NEVER,
    [0xc2 - 0xc0 ... 0xdf - 0xc0] = DUE,
    [0xe0 - 0xc0] = DUE | OVERLONG_3,
    [0xe1 - 0xc0 ... 0xec - 0xc0] = DUE,
    [0xed - 0xc0] = DUE | SURROGATE,
    [0xee - 0xc0 ... 0xef - 0xc0] = DUE,
    [0xf0 - 0xc0] = DUE | OVERLONG_4,
    [0xf1 - 0xc0 ... 0xf3 - 0xc0] = DUE,
    [0xf4 - 0xc0] = DUE | TOO_LARGE,
    [0xf5 - 0xc0 ... 0xff - 0xc0] = DUE | NEVER,
};

static const _Alignas(64) uint8_t continuation_classes[64] = {
    [0x80 - 0x80 ... 0x8f - 0x80] = DUE | NEVER | OVERLONG_3 | OVERLONG_4,
    [0x90 - 0x80 ... 0x9f - 0x80] = DUE | NEVER | OVERLONG_3 | TOO_LARGE,
    [0xa0 - 0x80 ... 0xbf - 0x80] = DUE | NEVER | SURROGATE | TOO_LARGE,
};

AVX512 WSA_INLINE __m512i load(const uint8_t *from) { return _mm512_loadu_si512(from); }

AVX512 WSA_INLINE __m512i all(int byte) { return _mm512_set1_epi8((char)byte); }

AVX512 WSA_INLINE __m512i either(__m512i a, __m512i b) { return _mm512_or_si512(a, b); }

AVX512 WSA_INLINE bool is_zero(__m512i bytes) { return _mm512_test_epi8_mask(bytes, bytes) == 0; }

AVX512 WSA_INLINE bool is_ascii(__m512i bytes) { return _mm512_movepi8_mask(bytes) == 0; }

AVX512 WSA_INLINE __m512i wide_key(uint32_t key) { return _mm512_set1_epi32((int)key); }

AVX512 WSA_INLINE void store_masked(uint8_t *to, __m512i bytes, __m512i key) {
  _mm512_storeu_si512(to, _mm512_xor_si512(bytes, key));
}

/// Adds to `faults` those of 64 bytes, given with the bytes one, two and three places before them.
AVX512 WSA_INLINE __m512i check(__m512i faults, __m512i bytes, __m512i one, __m512i two,
                                __m512i three) {
  __mmask64 is_after_lead = _mm512_cmpge_epu8_mask(one, all(0xc0));
  __mmask64 is_continuation = _mm512_cmplt_epi8_mask(bytes, all(0xc0));
  __m512i lead = _mm512_maskz_permutexvar_epi8(is_after_lead, one, load(lead_classes));
  __m512i continuation =
      _mm512_maskz_permutexvar_epi8(is_continuation, bytes, load(continuation_classes));
  // The top bit is set if one of the two has it, the other bits if both have them.
  __m512i pair = _mm512_ternarylogic_epi64(lead, continuation, all(DUE), 0x68);
  // The subtractions leave the top bit to E0 and above, and to F0 and above.
  __m512i third = _mm512_subs_epu8(two, all(0xe0 - 0x80));
  __m512i fourth = _mm512_subs_epu8(three, all(0xf0 - 0x80));
  __m512i is_due = _mm512_ternarylogic_epi64(third, fourth, all(DUE), 0xa8); // (a | b) & c
  return _mm512_ternarylogic_epi64(faults, pair, is_due, 0xf6);              // a | (b ^ c)
}

/// The bytes before come from memory: a load costs less than shifting across the lanes.
AVX512 WSA_INLINE __m512i check_at(__m512i faults, const uint8_t *from, __m512i bytes) {
  return check(faults, bytes, load(from - 1), load(from - 2), load(from - 3));
}

/// As above, if only one of the bytes before is known.
AVX512 WSA_INLINE __m512i check_after(__m512i faults, uint8_t previous, __m512i bytes) {
  __m512i before = _mm512_maskz_set1_epi32(1 << 15, (int)((uint32_t)previous << 24));
  __m512i lanes = _mm512_alignr_epi32(bytes, before, 12);
  return check(faults, bytes, _mm512_alignr_epi8(bytes, lanes, 15),
               _mm512_alignr_epi8(bytes, lanes, 14), _mm512_alignr_epi8(bytes, lanes, 13));
}

/// Not zero if a code point at the end is incomplete.
AVX512 WSA_INLINE __m512i incomplete_end(__m512i bytes) {
  const __m512i most = _mm512_mask_set1_epi32(all(0xff), 1 << 15, (int)0xbfdfefff);
  return _mm512_subs_epu8(bytes, most);
}

/// Checks the last 64 bytes of a longer piece, some of them for the second time.
AVX512 WSA_INLINE __m512i check_last(__m512i faults, const uint8_t *from, __m512i bytes,
                                     size_t bytes_before) {
  if (bytes_before >= 3) {
    return check_at(faults, from, bytes);
  }
  // The bytes before them can't be loaded, but the first three have been checked.
  __m512i more = check_after(_mm512_setzero_si512(), 0, bytes);
  return _mm512_or_si512(faults, _mm512_maskz_mov_epi8(~7ull, more));
}

#define TARGET AVX512
#define WIDTH 64
#define VECTORS 2
typedef __m512i vector;
#include "utf8_piece.h"

/// Less than a vector, but at least the three bytes that the state at the end is taken from.
AVX512 WSA_INLINE ptrdiff_t check_short(uint8_t *to, const uint8_t *from, size_t count,
                                        uint32_t key, uint32_t *state, bool masks) {
  __mmask64 is_there = _bzhi_u64(~0ull, (unsigned)count);
  __m512i bytes = _mm512_maskz_loadu_epi8(is_there, from);
  if (masks) {
    _mm512_mask_storeu_epi8(to, is_there, _mm512_xor_si512(bytes, wide_key(key)));
  }
  uint8_t previous = wsa_utf8_previous(*state);
  if (is_ascii(bytes) && previous == 0) {
    *state = WSA_UTF8_BOUNDARY;
    return -1;
  }
  __m512i faults = check_after(all(0), previous, bytes);
  return wsa_end_piece(from, count, is_zero(_mm512_maskz_mov_epi8(is_there, faults)), state);
}

AVX512 static ptrdiff_t validate_avx512(const void *bytes, size_t count, uint32_t *state) {
  if (count < 3 || *state == WSA_UTF8_REJECTED) {
    return wsa_validate_scalar(bytes, count, state);
  }
  return count < 64 ? check_short(NULL, bytes, count, 0, state, false)
                    : check_piece(NULL, bytes, count, 0, state, false);
}

AVX512 static ptrdiff_t mask_validating_avx512(void *destination, const void *source, size_t count,
                                               uint32_t *key, uint32_t *state) {
  uint32_t first_key = *key;
  *key = wsa_rotate_key(first_key, count);
  if (count < 3 || *state == WSA_UTF8_REJECTED) {
    wsa_mask_to_128(destination, source, count, first_key); // All there is, or rejected anyway.
    return wsa_validate_scalar(source, count, state);
  }
  return count < 64 ? check_short(destination, source, count, first_key, state, true)
                    : check_piece(destination, source, count, first_key, state, true);
}

const wsa_kernels wsa_kernels_avx512 = {
    .name = "c-avx512",
    .mask = wsa_mask_avx512,
    .validate = validate_avx512,
    .mask_validating = mask_validating_avx512,
};

const wsa_kernels wsa_kernels_avx512_zen4 = {
    .name = "c-avx512",
    .mask = wsa_mask_avx2,
    .validate = validate_avx512,
    .mask_validating = mask_validating_avx512,
};

#endif
