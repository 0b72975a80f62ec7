#include "accel_internal.h"
#ifdef WSA_HAS_NEON
const wsa_kernels wsa_kernels_neon = {
    .name = "c-neon",
    .mask = wsa_mask_scalar,
    .validate = wsa_validate_scalar,
    .mask_validating = wsa_mask_validating_scalar,
};
#endif
