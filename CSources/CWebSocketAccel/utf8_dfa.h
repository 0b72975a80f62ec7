// The UTF-8 automaton, as one shift per byte.
//
// The states are those of Bjoern Hoehrmann's decoder, numbered as there, times 6:
//
//   0 on a boundary   1 rejected   2 one continuation byte to come   3 two to come
//   4 after E0        5 after ED   6 after F0                        7 after F1..F3   8 after F4
//
// A byte's entry holds the successors of all nine states, 6 bits each: the successor of state s is
// at bit 6 * s. So a step is a load that doesn't wait for the state, and a shift that does. The
// bits above the low 6 are the other states' successors; they are masked off only before a
// comparison.

#pragma once

#include "accel_internal.h"

extern const uint64_t wsa_utf8_transitions[256];

WSA_INLINE uint64_t wsa_utf8_step(uint64_t state, uint8_t byte) {
  return wsa_utf8_transitions[byte] >> (state & 63);
}

/// Steps through `count` bytes and returns the index of the one that was refused, or -1.
WSA_INLINE ptrdiff_t wsa_utf8_walk(const uint8_t *bytes, size_t count, uint32_t *state) {
  uint64_t current = *state;
  for (size_t i = 0; i < count; i++) {
    current = wsa_utf8_step(current, bytes[i]);
    if ((current & 63) == WSA_UTF8_REJECTED) {
      *state = WSA_UTF8_REJECTED;
      return (ptrdiff_t)i;
    }
  }
  *state = (uint32_t)(current & 63);
  return -1;
}
