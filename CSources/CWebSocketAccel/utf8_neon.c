#include "mask.h"
#include "utf8_lookup.h"
#include "utf8_stream.h"

#ifdef WSA_HAS_NEON

#include <arm_neon.h>

WSA_INLINE uint8x16_t load(const uint8_t *from) { return vld1q_u8(from); }

WSA_INLINE uint8x16_t all(uint8_t byte) { return vdupq_n_u8(byte); }

WSA_INLINE uint8x16_t either(uint8x16_t a, uint8x16_t b) { return vorrq_u8(a, b); }

WSA_INLINE bool is_zero(uint8x16_t bytes) { return vmaxvq_u8(bytes) == 0; }

WSA_INLINE bool is_ascii(uint8x16_t bytes) { return vmaxvq_u8(bytes) < 0x80; }

WSA_INLINE uint8x16_t wide_key(uint32_t key) { return vreinterpretq_u8_u32(vdupq_n_u32(key)); }

WSA_INLINE void store_masked(uint8_t *to, uint8x16_t bytes, uint8x16_t key) {
  vst1q_u8(to, veorq_u8(bytes, key));
}

WSA_INLINE uint8x16_t low_nibbles(uint8x16_t bytes) { return vandq_u8(bytes, all(0x0f)); }

WSA_INLINE uint8x16_t high_nibbles(uint8x16_t bytes) { return vshrq_n_u8(bytes, 4); }

WSA_INLINE uint8x16_t look_up(const uint8_t *table, uint8x16_t nibbles) {
  return vqtbl1q_u8(load(table), nibbles);
}

/// Adds to `faults` those of 16 bytes, given with the bytes one, two and three places before them.
WSA_INLINE uint8x16_t check(uint8x16_t faults, uint8x16_t bytes, uint8x16_t one, uint8x16_t two,
                            uint8x16_t three) {
  uint8x16_t first = vandq_u8(look_up(wsa_first_high, high_nibbles(one)),
                              look_up(wsa_first_low, low_nibbles(one)));
  uint8x16_t pair = vandq_u8(first, look_up(wsa_second_high, high_nibbles(bytes)));
  // The subtractions leave the top bit to E0 and above, and to F0 and above.
  uint8x16_t third = vqsubq_u8(two, all(0xe0 - 0x80));
  uint8x16_t fourth = vqsubq_u8(three, all(0xf0 - 0x80));
  uint8x16_t is_due = vandq_u8(vorrq_u8(third, fourth), all(TWO_CONTINUATIONS));
  return vorrq_u8(faults, veorq_u8(pair, is_due));
}

/// The bytes before come from memory, as in the other validators.
WSA_INLINE uint8x16_t check_at(uint8x16_t faults, const uint8_t *from, uint8x16_t bytes) {
  return check(faults, bytes, load(from - 1), load(from - 2), load(from - 3));
}

/// As above, if only one of the bytes before is known.
WSA_INLINE uint8x16_t check_after(uint8x16_t faults, uint8_t previous, uint8x16_t bytes) {
  uint8x16_t before = vsetq_lane_u8(previous, all(0), 15);
  return check(faults, bytes, vextq_u8(before, bytes, 15), vextq_u8(before, bytes, 14),
               vextq_u8(before, bytes, 13));
}

/// Not zero if a code point at the end is incomplete.
WSA_INLINE uint8x16_t incomplete_end(uint8x16_t bytes) {
  const uint8x16_t most =
      vreinterpretq_u8_u32(vsetq_lane_u32(0xbfdfefff, vdupq_n_u32(0xffffffff), 3));
  return vqsubq_u8(bytes, most);
}

/// Checks the last 16 bytes of a longer piece, some of them for the second time.
WSA_INLINE uint8x16_t check_last(uint8x16_t faults, const uint8_t *from, uint8x16_t bytes,
                                 size_t bytes_before) {
  if (bytes_before >= 3) {
    return check_at(faults, from, bytes);
  }
  // The bytes before them can't be loaded, but the first three have been checked.
  const uint8x16_t to_check =
      vreinterpretq_u8_u32(vsetq_lane_u32(0xff000000, vdupq_n_u32(0xffffffff), 0));
  return vorrq_u8(faults, vandq_u8(check_after(all(0), 0, bytes), to_check));
}

#define TARGET
#define WIDTH 16
#define VECTORS 4
typedef uint8x16_t vector;
#include "utf8_piece.h"

static ptrdiff_t validate_neon(const void *bytes, size_t count, uint32_t *state) {
  if (count < 16 || *state == WSA_UTF8_REJECTED) {
    return wsa_validate_scalar(bytes, count, state);
  }
  return check_piece(NULL, bytes, count, 0, state, false);
}

static ptrdiff_t mask_validating_neon(void *destination, const void *source, size_t count,
                                      uint32_t *key, uint32_t *state) {
  uint32_t first_key = *key;
  *key = wsa_rotate_key(first_key, count);
  if (count < 16 || *state == WSA_UTF8_REJECTED) {
    wsa_mask_to_128(destination, source, count, first_key); // All there is, or rejected anyway.
    return wsa_validate_scalar(source, count, state);
  }
  return check_piece(destination, source, count, first_key, state, true);
}

const wsa_kernels wsa_kernels_neon = {
    .name = "c-neon",
    .mask = wsa_mask_baseline,
    .validate = validate_neon,
    .mask_validating = mask_validating_neon,
};

#endif
