#include "mask.h"
#include "utf8_dfa.h"

// Rows of the automaton: per byte, where each state goes. See utf8_dfa.h.

#define GO(state, successor) ((uint64_t)(6 * (successor)) << (6 * (state)))
#define REJECT_BUT(row)                                                                            \
  ((GO(0, 1) | GO(1, 1) | GO(2, 1) | GO(3, 1) | GO(4, 1) | GO(5, 1) | GO(6, 1) | GO(7, 1) |        \
    GO(8, 1)) ^                                                                                    \
   (row))
/// Puts a successor in place of a rejection, which a row holds for every state.
#define PUT(state, successor) (GO(state, 1) ^ GO(state, successor))

#define ASCII REJECT_BUT(PUT(0, 0))
#define CONTINUATION (PUT(2, 0) ^ PUT(3, 2) ^ PUT(7, 3))
#define CONTINUATION_80 REJECT_BUT(CONTINUATION ^ PUT(5, 2) ^ PUT(8, 3))
#define CONTINUATION_90 REJECT_BUT(CONTINUATION ^ PUT(5, 2) ^ PUT(6, 3))
#define CONTINUATION_A0 REJECT_BUT(CONTINUATION ^ PUT(4, 2) ^ PUT(6, 3))
#define LEAD(successor) REJECT_BUT(PUT(0, successor))

const uint64_t wsa_utf8_transitions[256] = {
    [0x00 ... 0x7f] = ASCII,
    [0x80 ... 0x8f] = CONTINUATION_80, // after F0: overlong
    [0x90 ... 0x9f] = CONTINUATION_90, // after E0: overlong; after F4: above U+10FFFF
    [0xa0 ... 0xbf] = CONTINUATION_A0, // after ED: surrogate; after F4: above U+10FFFF
    [0xc0 ... 0xc1] = REJECT_BUT(0),   // overlong
    [0xc2 ... 0xdf] = LEAD(2),         [0xe0] = LEAD(4),
    [0xe1 ... 0xec] = LEAD(3),         [0xed] = LEAD(5),
    [0xee ... 0xef] = LEAD(3),         [0xf0] = LEAD(6),
    [0xf1 ... 0xf3] = LEAD(7),         [0xf4] = LEAD(8),
    [0xf5 ... 0xff] = REJECT_BUT(0), // above U+10FFFF
};

#define BLOCK 16

/// Whether at most a block of bytes is ASCII. Two loads that overlap as far as they must.
WSA_INLINE int is_ascii(const uint8_t *bytes, size_t count) {
  uint64_t first = 0, last = 0;
  if (count >= 8) {
    memcpy(&first, bytes, 8);
    memcpy(&last, bytes + count - 8, 8);
  } else if (count >= 4) {
    memcpy(&first, bytes, 4);
    memcpy(&last, bytes + count - 4, 4);
  } else if (count > 0) {
    first = bytes[0] | bytes[count >> 1];
    last = bytes[count - 1];
  }
  return ((first | last) & 0x8080808080808080) == 0;
}

/// A rejection stays to the end of its block, where it is looked for; a walk from the block's
/// beginning then finds the byte.
WSA_INLINE ptrdiff_t validate(const uint8_t *from, size_t count, uint32_t *state) {
  uint64_t current = *state;
  size_t offset = 0;
  if (current == WSA_UTF8_REJECTED) {
    return 0;
  }
  for (; count - offset >= BLOCK; offset += BLOCK) {
    // In this order: whether text is ASCII is predictable, where its code points end isn't.
    if (is_ascii(from + offset, BLOCK) && current == WSA_UTF8_BOUNDARY) {
      continue;
    }
    uint64_t before = current;
    for (int i = 0; i < BLOCK; i++) {
      current = wsa_utf8_step(current, from[offset + i]);
    }
    current &= 63;
    if (current == WSA_UTF8_REJECTED) {
      current = before;
      break;
    }
  }
  *state = (uint32_t)current;
  if (current == WSA_UTF8_BOUNDARY && count - offset <= BLOCK &&
      is_ascii(from + offset, count - offset)) {
    return -1;
  }
  ptrdiff_t failure = wsa_utf8_walk(from + offset, count - offset, state);
  return failure < 0 ? failure : (ptrdiff_t)offset + failure;
}

/// One after the other, in pieces that are still in the first-level cache when the second loop
/// comes to them.
WSA_INLINE ptrdiff_t mask_validating(uint8_t *to, const uint8_t *from, size_t count, uint32_t *key,
                                     uint32_t *state,
                                     ptrdiff_t (*validate)(const void *, size_t, uint32_t *)) {
  const size_t piece = 8192;
  uint32_t first_key = *key;
  *key = wsa_rotate_key(first_key, count);
  if (count <= 128) {
    wsa_mask_to_128(to, from, count, first_key); // Inlined: a call costs as much.
    return validate(from, count, state);
  }
  size_t offset = 0;
  for (;;) {
    size_t size = count - offset < piece ? count - offset : piece;
    wsa_mask_baseline(to + offset, from + offset, size, first_key); // A piece is whole keys.
    ptrdiff_t failure = validate(from + offset, size, state);
    if (failure >= 0) {
      return (ptrdiff_t)offset + failure;
    }
    offset += size;
    if (offset == count) {
      return -1;
    }
  }
}

ptrdiff_t wsa_validate_scalar(const void *bytes, size_t count, uint32_t *state) {
  return validate(bytes, count, state);
}

static ptrdiff_t mask_validating_scalar(void *destination, const void *source, size_t count,
                                        uint32_t *key, uint32_t *state) {
  return mask_validating(destination, source, count, key, state, wsa_validate_scalar);
}

const wsa_kernels wsa_kernels_scalar = {
    .name = "c-scalar",
    .mask = wsa_mask_baseline,
    .validate = wsa_validate_scalar,
    .mask_validating = mask_validating_scalar,
};

#ifdef WSA_HAS_X86

// As above, with the shifts of BMI2, which leave the flags alone: on Intel a step is then one operation
// in place of three.

#define BMI2 __attribute__((target("bmi2")))

BMI2 ptrdiff_t wsa_validate_bmi2(const void *bytes, size_t count, uint32_t *state) {
  return validate(bytes, count, state);
}

BMI2 static ptrdiff_t mask_validating_bmi2(void *destination, const void *source, size_t count,
                                           uint32_t *key, uint32_t *state) {
  return mask_validating(destination, source, count, key, state, wsa_validate_bmi2);
}

const wsa_kernels wsa_kernels_scalar_bmi2 = {
    .name = "c-scalar",
    .mask = wsa_mask_baseline,
    .validate = wsa_validate_bmi2,
    .mask_validating = mask_validating_bmi2,
};

#endif
