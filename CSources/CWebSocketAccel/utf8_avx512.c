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

AVX512 WSA_INLINE bool is_ascii(__m512i bytes) { return _mm512_movepi8_mask(bytes) == 0; }

AVX512 WSA_INLINE __m512i wide_key(uint32_t key) { return _mm512_set1_epi32((int)key); }

AVX512 WSA_INLINE void store_masked(uint8_t *to, __m512i bytes, __m512i key) {
  _mm512_storeu_si512(to, _mm512_xor_si512(bytes, key));
}

/// As many ones as there are bytes, at most 64.
AVX512 WSA_INLINE __mmask64 first_bits(size_t count) {
  return _bzhi_u64(~0ull, count < 64 ? (unsigned)count : 64);
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

/// The same where one byte is known of those before.
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

/// Checks the last 1 to 64 bytes of more, whose look-back is there to load.
AVX512 WSA_INLINE __m512i check_rest(__m512i faults, const uint8_t *from, __mmask64 is_there,
                                     __m512i bytes) {
  __m512i more = check(_mm512_setzero_si512(), bytes, _mm512_maskz_loadu_epi8(is_there, from - 1),
                       _mm512_maskz_loadu_epi8(is_there, from - 2),
                       _mm512_maskz_loadu_epi8(is_there, from - 3));
  return _mm512_or_si512(faults, _mm512_maskz_mov_epi8(is_there, more));
}

AVX512 WSA_INLINE ptrdiff_t check_piece(uint8_t *to, const uint8_t *from, size_t count,
                                        uint32_t key, uint32_t *state, bool masks) {
  __m512i key_here = wide_key(key);
  __m512i faults = _mm512_setzero_si512();
  __m512i incomplete = _mm512_setzero_si512();
  uint8_t previous = wsa_utf8_previous(*state);

  __mmask64 is_there = first_bits(count);
  __m512i bytes = _mm512_maskz_loadu_epi8(is_there, from);
  bool ends_in_ascii = is_ascii(bytes);
  if (!ends_in_ascii || previous != 0) {
    faults = _mm512_maskz_mov_epi8(is_there, check_after(faults, previous, bytes));
    incomplete = incomplete_end(bytes);
  }
  if (masks) {
    _mm512_mask_storeu_epi8(to, is_there, _mm512_xor_si512(bytes, key_here));
  }

  size_t offset = 64;
  if (count >= WSA_WORTH_ALIGNING) {
    offset = wsa_aligned_offset(masks ? to : from, 64);
    key_here = wide_key(wsa_rotate_key(key, offset));
  }
  for (size_t end = count > 128 ? count - 128 : 0; offset < end; offset += 128) {
    __m512i first = load(from + offset);
    __m512i second = load(from + offset + 64);
    if (__builtin_expect(is_ascii(_mm512_or_si512(first, second)), 1)) {
      faults = _mm512_or_si512(faults, incomplete);
      incomplete = _mm512_setzero_si512();
    } else {
      faults = check_at(faults, from + offset, first);
      faults = check_at(faults, from + offset + 64, second);
      incomplete = incomplete_end(second);
    }
    if (masks) {
      store_masked(to + offset, first, key_here);
      store_masked(to + offset + 64, second, key_here);
    }
  }
  if (count > offset + 64) {
    bytes = load(from + offset);
    faults = check_at(faults, from + offset, bytes);
    incomplete = incomplete_end(bytes);
    if (masks) {
      store_masked(to + offset, bytes, key_here);
    }
    offset += 64;
  }
  if (count > offset) {
    is_there = first_bits(count - offset);
    bytes = _mm512_maskz_loadu_epi8(is_there, from + offset);
    if (masks) {
      size_t last = count - 64;
      store_masked(to + last, load(from + last), wide_key(wsa_rotate_key(key, count)));
    }
    ends_in_ascii = is_ascii(bytes);
    if (ends_in_ascii) {
      faults = _mm512_or_si512(faults, incomplete);
    } else {
      faults = check_rest(faults, from + offset, is_there, bytes);
    }
  }
  bool may_be_right = _mm512_test_epi8_mask(faults, faults) == 0;
  if (may_be_right && ends_in_ascii) {
    *state = WSA_UTF8_BOUNDARY;
    return -1;
  }
  return wsa_end_piece(from, count, may_be_right, state);
}

AVX512 static ptrdiff_t validate_avx512(const void *bytes, size_t count, uint32_t *state) {
  if (count < 3 || *state == WSA_UTF8_REJECTED) {
    return wsa_validate_scalar(bytes, count, state);
  }
  return check_piece(NULL, bytes, count, 0, state, false);
}

AVX512 static ptrdiff_t mask_validating_avx512(void *destination, const void *source, size_t count,
                                               uint32_t *key, uint32_t *state) {
  uint32_t first_key = *key;
  *key = wsa_rotate_key(first_key, count);
  if (count < 3 || *state == WSA_UTF8_REJECTED) {
    wsa_mask_avx2(destination, source, count, first_key);
    return wsa_validate_scalar(source, count, state);
  }
  return check_piece(destination, source, count, first_key, state, true);
}

const wsa_kernels wsa_kernels_avx512 = {
    .name = "c-avx512",
    // The same as AVX2's: masking waits for memory, and 512-bit stores are slower when unaligned.
    .mask = wsa_mask_avx2,
    .validate = validate_avx512,
    .mask_validating = mask_validating_avx512,
};

#endif
