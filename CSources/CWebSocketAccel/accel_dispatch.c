// Picks the kernels once, at the first call.

#include "accel_internal.h"

#include <stdlib.h>

const wsa_kernels *wsa_kernels_at(wsa_level level) {
  switch (level) {
  case WSA_SCALAR:
#ifdef WSA_HAS_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("bmi2")) {
      return &wsa_kernels_scalar_bmi2;
    }
#endif
    return &wsa_kernels_scalar;
#ifdef WSA_HAS_X86
  case WSA_AVX2:
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? &wsa_kernels_avx2
                                                                            : NULL;
  case WSA_AVX512:
    // VBMI is required to exclude processors that slow down when they use a 512-bit register.
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512vbmi") ||
        !__builtin_cpu_supports("bmi2")) {
      return NULL;
    }
    // Zen 4 stores 512 bits in two halves, which is slower at some alignments.
    return __builtin_cpu_is("amdfam19h") ? &wsa_kernels_avx512_zen4 : &wsa_kernels_avx512;
#endif
#ifdef WSA_HAS_NEON
  case WSA_NEON:
    return &wsa_kernels_neon;
#endif
  default:
    return NULL;
  }
}

/// The best kernels of this machine, up to the level that the environment names.
static const wsa_kernels *pick(void) {
  static const wsa_level best_first[] = {WSA_AVX512, WSA_AVX2, WSA_NEON, WSA_SCALAR};
  const char *forced = getenv("WEBSOCKET_ACCEL_LEVEL");
  const wsa_kernels *best = NULL;
  for (size_t i = 0; i < sizeof best_first / sizeof *best_first; i++) {
    const wsa_kernels *kernels = wsa_kernels_at(best_first[i]);
    if (kernels == NULL) {
      continue;
    }
    if (forced != NULL && strcmp(forced, kernels->name + strlen("c-")) == 0) {
      return kernels;
    }
    if (best == NULL) {
      best = kernels;
    }
  }
  return best;
}

// The first call goes to kernels that pick and forward; later calls use the result. If several
// threads pick at the same time, they pick the same kernels.

static uint32_t first_mask(void *destination, const void *source, size_t count, uint32_t key) {
  return wsa_active_kernels()->mask(destination, source, count, key);
}

static ptrdiff_t first_validate(const void *bytes, size_t count, uint32_t *state) {
  return wsa_active_kernels()->validate(bytes, count, state);
}

static ptrdiff_t first_mask_validating(void *destination, const void *source, size_t count,
                                       uint32_t *key, uint32_t *state) {
  return wsa_active_kernels()->mask_validating(destination, source, count, key, state);
}

static const wsa_kernels not_yet_picked = {
    .name = "",
    .mask = first_mask,
    .validate = first_validate,
    .mask_validating = first_mask_validating,
};

const wsa_kernels *wsa_picked = &not_yet_picked;

const wsa_kernels *wsa_active_kernels(void) {
  const wsa_kernels *kernels = wsa_current();
  if (kernels == &not_yet_picked) {
    kernels = pick();
    __atomic_store_n(&wsa_picked, kernels, __ATOMIC_RELAXED);
  }
  return kernels;
}
