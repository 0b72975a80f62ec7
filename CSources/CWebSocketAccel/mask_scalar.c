#include "accel_internal.h"

typedef struct {
  uint64_t words[4];
} block;

WSA_INLINE block load(const uint8_t *from) {
  block value;
  memcpy(&value, from, sizeof value);
  return value;
}

WSA_INLINE void store_masked(uint8_t *to, block value, uint64_t key) {
  for (int i = 0; i < 4; i++) {
    value.words[i] ^= key;
  }
  memcpy(to, &value, sizeof value);
}

uint32_t wsa_mask_scalar(void *destination, const void *source, size_t count, uint32_t key) {
  const uint8_t *from = source;
  uint8_t *to = destination;
  uint64_t wide_key = (uint64_t)key << 32 | key;
  size_t blocks = count / sizeof(block);
  for (size_t i = 0; i < blocks; i++) {
    store_masked(to, load(from), wide_key);
    from += sizeof(block);
    to += sizeof(block);
  }
  size_t rest = count % sizeof(block);
  if (rest > 16) {
    wsa_mask_short(to, from, 16, key);
    from += 16;
    to += 16;
    rest -= 16;
  }
  wsa_mask_short(to, from, rest, key);
  return wsa_rotate_key(key, count);
}
