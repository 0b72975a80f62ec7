// What the SIMD validators have in common: how a piece of a stream is connected with the pieces
// before and after it. There are no branches on where a code point is cut: they would be
// mispredicted about half of the time.

#pragma once

#include "utf8_dfa.h"

#include <stdbool.h>

/// From this size on a loop over aligned blocks pays for the blocks that it checks in part twice.
#define WSA_LONG 256

/// The offset, at most a block, at which a loop over aligned blocks begins after a first block; a
/// whole block if the aligned offset would leave too little before it to look back at.
WSA_INLINE size_t wsa_aligned_offset(const uint8_t *address, size_t block) {
  size_t offset = block - ((uintptr_t)address & (block - 1));
  return offset < 3 ? block : offset;
}

/// A byte after which a stream is in the state: what may follow depends only on that byte.
WSA_INLINE uint8_t wsa_utf8_previous(uint32_t state) {
  static const uint8_t by_half_state[25] = {
      [12 / 2] = 0xc2, [18 / 2] = 0xe1, [24 / 2] = 0xe0, [30 / 2] = 0xed,
      [36 / 2] = 0xf0, [42 / 2] = 0xf1, [48 / 2] = 0xf4,
  };
  return by_half_state[state / 2];
}

/// The state after three bytes that may be right. A continuation byte that comes first there
/// belongs to a code point that is complete, or that ends with it.
WSA_INLINE uint32_t wsa_utf8_state_after(const uint8_t *three_bytes) {
  uint64_t state = WSA_UTF8_BOUNDARY;
  for (int i = 0; i < 3; i++) {
    uint64_t successors = wsa_utf8_transitions[three_bytes[i]];
    bool is_continuation = (int8_t)three_bytes[i] < (int8_t)0xc0;
    successors &= ~(is_continuation ? 63ull : 0ull); // On a boundary: stay there.
    state = successors >> (state & 63);
  }
  return (uint32_t)(state & 63);
}

/// Ends a piece of three bytes or more: the last code point may be incomplete, and still wrong.
WSA_INLINE ptrdiff_t wsa_end_piece(const uint8_t *bytes, size_t count, bool may_be_right,
                                   uint32_t *state) {
  uint32_t end = wsa_utf8_state_after(bytes + count - 3);
  if (may_be_right && end != WSA_UTF8_REJECTED) {
    *state = end;
    return -1;
  }
  return wsa_validate_scalar(bytes, count, state); // Which byte it is.
}
