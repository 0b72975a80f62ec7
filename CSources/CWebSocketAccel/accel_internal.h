// What the kernels share, and the table of them that the dispatcher picks from.

#pragma once

#include "CWebSocketAccel.h"

#define WSA_INLINE static inline __attribute__((always_inline))

extern const wsa_kernels wsa_kernels_scalar;
#if defined(__x86_64__)
#define WSA_HAS_X86 1
extern const wsa_kernels wsa_kernels_scalar_bmi2;
extern const wsa_kernels wsa_kernels_avx2;
extern const wsa_kernels wsa_kernels_avx512;
extern const wsa_kernels wsa_kernels_avx512_zen4;
uint32_t wsa_mask_avx2(void *destination, const void *source, size_t count, uint32_t key);
uint32_t wsa_mask_avx512(void *destination, const void *source, size_t count, uint32_t key);
ptrdiff_t wsa_validate_bmi2(const void *bytes, size_t count, uint32_t *state);
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WSA_HAS_NEON 1
extern const wsa_kernels wsa_kernels_neon;
#endif

uint32_t wsa_mask_baseline(void *destination, const void *source, size_t count, uint32_t key);
ptrdiff_t wsa_validate_scalar(const void *bytes, size_t count, uint32_t *state);
