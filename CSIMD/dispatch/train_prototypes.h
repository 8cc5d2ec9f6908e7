// SPDX-License-Identifier: Apache-2.0
// Prototypes of every training operation for every instruction set.
#ifndef CSIMD_DISPATCH_TRAIN_PROTOTYPES_H
#define CSIMD_DISPATCH_TRAIN_PROTOTYPES_H

#include "../include/csimd.h"

#define CSIMD_OP(result, name, arguments) result csimd_##name##__scalar arguments;
#include "../include/csimd_train_ops.inc"
#undef CSIMD_OP

#if defined(__x86_64__)

#define CSIMD_OP(result, name, arguments) result csimd_##name##__avx2 arguments;
#include "../include/csimd_train_ops.inc"
#undef CSIMD_OP

#define CSIMD_OP(result, name, arguments) result csimd_##name##__avx512vnni arguments;
#include "../include/csimd_train_ops.inc"
#undef CSIMD_OP

void csimd_bf16_product__avx512bf16(const csimd_product *x);

#endif

#endif
