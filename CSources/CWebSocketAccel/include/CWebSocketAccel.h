// The hot loops of a WebSocket connection: mask (RFC 6455 section 5.3), validate UTF-8
// (section 8.1), and both in one pass over memory. No allocation, no I/O, no reads or writes
// outside the given ranges.
//
// A key is a uint32_t whose bytes in memory are the masking key in wire order. What continues a
// stream is returned: the key rotated for the byte that follows, and the validation state.

#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __clang__
#pragma clang assume_nonnull begin
#else
#define _Nullable
#endif

/// The validation state of a stream on a code point boundary, which is also how a stream begins.
#define WSA_UTF8_BOUNDARY 0u
/// The validation state of a stream that was refused. It stays that way. Any other value but
/// WSA_UTF8_BOUNDARY stands inside a code point; only these functions produce such values.
#define WSA_UTF8_REJECTED 6u

/// Instruction sets, each with kernels of its own.
typedef enum wsa_level {
  WSA_SCALAR,
  WSA_AVX2,
  WSA_AVX512,
  WSA_NEON,
} wsa_level;

/// One instruction set's kernels. The functions below, which forward to the best set that this
/// machine has, document them.
typedef struct wsa_kernels {
  const char *name;
  uint32_t (*mask)(void *destination, const void *source, size_t count, uint32_t key);
  ptrdiff_t (*validate)(const void *bytes, size_t count, uint32_t *state);
  ptrdiff_t (*mask_validating)(void *destination, const void *source, size_t count, uint32_t *key,
                               uint32_t *state);
} wsa_kernels;

/// The kernels of a level, or NULL if this machine can't run them.
const wsa_kernels *_Nullable wsa_kernels_at(wsa_level level);

/// The kernels that run: the best of this machine, or a lower level that the environment variable
/// WEBSOCKET_ACCEL_LEVEL ("scalar", "avx2", "avx512", "neon") names; it is read once.
const wsa_kernels *wsa_active_kernels(void);

/// Where the functions below find those kernels; nothing else may use it.
extern const wsa_kernels *wsa_picked;

static inline __attribute__((always_inline)) const wsa_kernels *wsa_current(void) {
  return __atomic_load_n(&wsa_picked, __ATOMIC_RELAXED);
}

/// Validates a piece of a stream: returns the index of the first byte that can't be right, or -1.
/// *state continues the stream; on one already rejected the answer is 0.
static inline ptrdiff_t wsa_validate(const void *bytes, size_t count, uint32_t *state) {
  return wsa_current()->validate(bytes, count, state);
}

/// wsa_validate of the source and wsa_mask of it to the destination in one pass. The ranges must
/// not overlap. After a failure the destination's contents and *key are unspecified.
static inline ptrdiff_t wsa_mask_validating(void *destination, const void *source, size_t count,
                                            uint32_t *key, uint32_t *state) {
  return wsa_current()->mask_validating(destination, source, count, key, state);
}

/// The key for the byte that follows `count` bytes.
static inline __attribute__((always_inline)) uint32_t wsa_rotate_key(uint32_t key, size_t count) {
  unsigned shift = 8 * (unsigned)(count & 3);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return key >> shift | key << (-shift & 31);
#else
  return key << shift | key >> (-shift & 31);
#endif
}

/// Masks at most 16 bytes: two loads and two stores that overlap as far as they must. Both loads
/// come before the first store, because the ranges may be the same.
static inline __attribute__((always_inline)) void
wsa_mask_short(void *destination, const void *source, size_t count, uint32_t key) {
  const uint8_t *from = (const uint8_t *)source;
  uint8_t *to = (uint8_t *)destination;
  uint32_t last_key = wsa_rotate_key(key, count);
  if (count >= 8) {
    uint64_t first, last;
    memcpy(&first, from, 8);
    memcpy(&last, from + count - 8, 8);
    first ^= (uint64_t)key << 32 | key;
    last ^= (uint64_t)last_key << 32 | last_key;
    memcpy(to, &first, 8);
    memcpy(to + count - 8, &last, 8);
  } else if (count >= 4) {
    uint32_t first, last;
    memcpy(&first, from, 4);
    memcpy(&last, from + count - 4, 4);
    first ^= key;
    last ^= last_key;
    memcpy(to, &first, 4);
    memcpy(to + count - 4, &last, 4);
  } else if (count > 0) {
    // One to three bytes: the first, the middle and the last.
    uint8_t keys[4];
    memcpy(keys, &key, 4);
    uint8_t first = from[0] ^ keys[0];
    uint8_t middle = from[count >> 1] ^ keys[count >> 1];
    uint8_t last = from[count - 1] ^ keys[count - 1];
    to[0] = first;
    to[count >> 1] = middle;
    to[count - 1] = last;
  }
}

/// Writes source XOR key to the destination and returns the key for the byte that follows. Any
/// alignment; the ranges are the same or don't overlap. Short payloads are spared the call.
static inline uint32_t wsa_mask(void *destination, const void *source, size_t count, uint32_t key) {
  if (count > 16) {
    return wsa_current()->mask(destination, source, count, key);
  }
  wsa_mask_short(destination, source, count, key);
  return wsa_rotate_key(key, count);
}

#ifdef __clang__
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif
