// A SIMD validator's way through a piece, for every instruction set the same. The including file
// brings its vectors and what can be done with one:
//
//   TARGET, vector, WIDTH (of a vector), VECTORS (a block; its ASCII test is one for all of them)
//   load, all, either, is_zero, is_ascii, check_at, check_after, check_last, incomplete_before,
//   wide_key, store_masked
//
// Where a code point is cut there is no branch on it: it would be guessed wrong as often as not.

#include "utf8_stream.h"

#define BLOCK (VECTORS * WIDTH)

/// Checks a vector, and masks it.
TARGET WSA_INLINE vector check_vector(vector faults, uint8_t *to, const uint8_t *from,
                                      size_t offset, uint32_t key, bool masks,
                                      bool *is_ascii_text) {
  vector bytes = load(from + offset);
  if (masks) {
    store_masked(to + offset, bytes, wide_key(wsa_rotate_key(key, offset)));
  }
  *is_ascii_text = is_ascii(bytes);
  if (!*is_ascii_text) {
    return check_last(faults, from + offset, bytes, offset);
  }
  // What is incomplete in the first bytes was found there: ASCII follows in the same vector.
  return offset < 4 ? faults : either(faults, incomplete_before(from + offset));
}

/// Checks a block, and masks it.
TARGET WSA_INLINE vector check_block(vector faults, uint8_t *to, const uint8_t *from, size_t offset,
                                     vector key, bool masks, bool *is_ascii_text) {
  vector bytes[VECTORS];
  vector any = all(0);
  for (int i = 0; i < VECTORS; i++) {
    bytes[i] = load(from + offset + i * WIDTH);
    any = either(any, bytes[i]);
  }
  *is_ascii_text = is_ascii(any);
  if (*is_ascii_text) {
    faults = either(faults, incomplete_before(from + offset));
  } else {
    for (int i = 0; i < VECTORS; i++) {
      faults = check_at(faults, from + offset + i * WIDTH, bytes[i]);
    }
  }
  if (masks) {
    for (int i = 0; i < VECTORS; i++) {
      store_masked(to + offset + i * WIDTH, bytes[i], key);
    }
  }
  return faults;
}

/// Checks a piece of a vector or more, and masks it. At the end of a short one a vector overlaps
/// the one before, if it must. At the end of a long one a block does: how much a loop over aligned
/// blocks leaves depends on the address, and a branch on it would be guessed wrong.
TARGET WSA_INLINE ptrdiff_t check_piece(uint8_t *to, const uint8_t *from, size_t count,
                                        uint32_t key, uint32_t *state, bool masks) {
  vector faults = all(0);
  uint8_t previous = wsa_utf8_previous(*state);

  vector first = load(from);
  bool ends_in_ascii = is_ascii(first);
  if (!ends_in_ascii || previous != 0) {
    faults = check_after(faults, previous, first);
  }
  if (masks) {
    store_masked(to, first, wide_key(key));
  }

  vector loop_key = wide_key(key);
  size_t offset = WIDTH;
  if (count < WSA_LONG) {
    for (; count - offset >= BLOCK; offset += BLOCK) {
      faults = check_block(faults, to, from, offset, loop_key, masks, &ends_in_ascii);
    }
    for (; offset < count; offset += WIDTH) {
      size_t fitting = offset < count - WIDTH ? offset : count - WIDTH;
      faults = check_vector(faults, to, from, fitting, key, masks, &ends_in_ascii);
    }
  } else {
    offset = wsa_aligned_offset(masks ? to : from, WIDTH);
    loop_key = wide_key(wsa_rotate_key(key, offset));
    size_t last = count - BLOCK;
    for (; offset < last; offset += BLOCK) {
      faults = check_block(faults, to, from, offset, loop_key, masks, &ends_in_ascii);
    }
    vector last_key = wide_key(wsa_rotate_key(key, last));
    faults = check_block(faults, to, from, last, last_key, masks, &ends_in_ascii);
  }

  bool may_be_right = is_zero(faults);
  if (may_be_right && ends_in_ascii) {
    *state = WSA_UTF8_BOUNDARY;
    return -1;
  }
  return wsa_end_piece(from, count, may_be_right, state);
}
