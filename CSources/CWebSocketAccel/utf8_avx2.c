#include "accel_internal.h"
#ifdef WSA_HAS_X86
const wsa_kernels wsa_kernels_avx2 = {
    .name = "c-avx2",
    .mask = wsa_mask_avx2,
    .validate = wsa_validate_scalar,
    .mask_validating = wsa_mask_validating_scalar,
};
#endif
