// A SIMD validator's way through a piece, for every instruction set the same. The including file
// brings its vectors and what can be done with one:
//
//   TARGET, vector, WIDTH (of a vector), VECTORS (a block; its ASCII test is one for all of them)
//   load, all, either, is_zero, is_ascii, check_at, check_after, check_last, incomplete_end,
//   wide_key, store_masked

#include "utf8_stream.h"

#define BLOCK (VECTORS * WIDTH)

/// The state of the check so far.
typedef struct {
  vector faults;
  vector incomplete; // Not zero if a code point is incomplete: at fault if ASCII follows.
  bool ends_in_ascii;
} findings;

TARGET WSA_INLINE void add_ascii(findings *found) {
  found->faults = either(found->faults, found->incomplete);
  found->incomplete = all(0);
}

/// Checks a vector, and masks it.
TARGET WSA_INLINE void check_vector(findings *found, uint8_t *to, const uint8_t *from,
                                    size_t offset, uint32_t key, bool masks) {
  vector bytes = load(from + offset);
  if (masks) {
    store_masked(to + offset, bytes, wide_key(wsa_rotate_key(key, offset)));
  }
  found->ends_in_ascii = is_ascii(bytes);
  if (found->ends_in_ascii) {
    add_ascii(found);
  } else {
    found->faults = check_last(found->faults, from + offset, bytes, offset);
    found->incomplete = incomplete_end(bytes);
  }
}

/// Checks a block, and masks it.
TARGET WSA_INLINE void check_block(findings *found, uint8_t *to, const uint8_t *from, size_t offset,
                                   vector key, bool masks) {
  vector bytes[VECTORS];
  vector any = all(0);
  for (int i = 0; i < VECTORS; i++) {
    bytes[i] = load(from + offset + i * WIDTH);
    any = either(any, bytes[i]);
  }
  found->ends_in_ascii = is_ascii(any);
  // The hint lays the code out so that text of both kinds is twice as fast; a certain one would
  // move the rest out of the loop.
  if (__builtin_expect_with_probability(found->ends_in_ascii, true, 0.7)) {
    add_ascii(found);
  } else {
    for (int i = 0; i < VECTORS; i++) {
      found->faults = check_at(found->faults, from + offset + i * WIDTH, bytes[i]);
    }
    found->incomplete = incomplete_end(bytes[VECTORS - 1]);
  }
  if (masks) {
    for (int i = 0; i < VECTORS; i++) {
      store_masked(to + offset + i * WIDTH, bytes[i], key);
    }
  }
}

/// Checks a piece of a vector or more, and masks it. At the end of a short one a vector overlaps
/// the one before, if it must. At the end of a long one a block does: how much a loop over aligned
/// blocks leaves depends on the address, and a branch on it would be mispredicted.
TARGET WSA_INLINE ptrdiff_t check_piece(uint8_t *to, const uint8_t *from, size_t count,
                                        uint32_t key, uint32_t *state, bool masks) {
  uint8_t previous = wsa_utf8_previous(*state);
  vector first = load(from);
  findings found = {all(0), all(0), is_ascii(first)};
  if (!found.ends_in_ascii || previous != 0) {
    found.faults = check_after(found.faults, previous, first);
    found.incomplete = incomplete_end(first);
  }
  if (masks) {
    store_masked(to, first, wide_key(key));
  }

  vector loop_key = wide_key(key);
  size_t offset = WIDTH;
  if (count < WSA_LONG) {
    for (; count - offset >= BLOCK; offset += BLOCK) {
      check_block(&found, to, from, offset, loop_key, masks);
    }
    for (; offset < count; offset += WIDTH) {
      size_t fitting = offset < count - WIDTH ? offset : count - WIDTH;
      check_vector(&found, to, from, fitting, key, masks);
    }
  } else {
    offset = wsa_aligned_offset(masks ? to : from, WIDTH);
    loop_key = wide_key(wsa_rotate_key(key, offset));
    size_t last = count - BLOCK;
    for (; offset < last; offset += BLOCK) {
      check_block(&found, to, from, offset, loop_key, masks);
    }
    vector last_key = wide_key(wsa_rotate_key(key, last));
    check_block(&found, to, from, last, last_key, masks);
  }

  bool may_be_right = is_zero(found.faults);
  if (may_be_right && found.ends_in_ascii) {
    *state = WSA_UTF8_BOUNDARY;
    return -1;
  }
  return wsa_end_piece(from, count, may_be_right, state);
}
