// SPDX-License-Identifier: Apache-2.0
// AVX-512: conversions between f32 and the 16-bit floats.
#include "../dispatch/infer_prototypes.h"
#include "../internal/region.h"

#if CSIMD_X86

#include "../internal/vec_avx512.h"

CSIMD_REGION_AVX512VNNI

#include "convert_vector.h"

CSIMD_REGION_END

#endif
