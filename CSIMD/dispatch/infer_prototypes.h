// SPDX-License-Identifier: Apache-2.0
// Prototypes of every inference operation for every instruction set.
#ifndef CSIMD_DISPATCH_INFER_PROTOTYPES_H
#define CSIMD_DISPATCH_INFER_PROTOTYPES_H

#include "../include/csimd.h"

#define CSIMD_OP(result, name, arguments) result csimd_##name##__scalar arguments;
#include "../include/csimd_infer_ops.inc"
#undef CSIMD_OP

#if defined(__x86_64__)

#define CSIMD_OP(result, name, arguments) result csimd_##name##__avx2 arguments;
#include "../include/csimd_infer_ops.inc"
#undef CSIMD_OP

#define CSIMD_OP(result, name, arguments) result csimd_##name##__avx512vnni arguments;
#include "../include/csimd_infer_ops.inc"
#undef CSIMD_OP

void csimd_pair_attention__avx512bf16(const csimd_pair_attention_args *args);
void csimd_pair_store__avx512bf16(const float *k,
                                  const float *v,
                                  size_t stride,
                                  size_t tokens,
                                  size_t head_dim,
                                  size_t first,
                                  uint16_t *keys,
                                  uint16_t *values);

#endif

#if defined(__aarch64__)

#define CSIMD_OP(result, name, arguments) result csimd_##name##__neondot arguments;
#include "../include/csimd_infer_ops.inc"
#undef CSIMD_OP

#define CSIMD_OP(result, name, arguments) result csimd_##name##__neoni8mm arguments;
#include "../include/csimd_infer_ops.inc"
#undef CSIMD_OP

#endif

#endif
