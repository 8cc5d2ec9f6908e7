// SPDX-License-Identifier: Apache-2.0
// The inference tables, one per instruction set.
#include "infer_prototypes.h"

// Operations that a level lacks and the next best level serves.
#define csimd_q8_quantize__avx2 csimd_q8_quantize__scalar
#define csimd_q8_gemm__avx2 csimd_q8_gemm__scalar
#define csimd_q8_gemv__avx2 csimd_q8_gemv__scalar
#define csimd_f32_gemm__avx2 csimd_f32_gemm__scalar
#define csimd_bf16_gemm__avx2 csimd_bf16_gemm__scalar
#define csimd_bf16_to_f32__avx2 csimd_bf16_to_f32__scalar
#define csimd_f32_to_bf16__avx2 csimd_f32_to_bf16__scalar
#define csimd_f16_to_f32__avx2 csimd_f16_to_f32__scalar
#define csimd_f32_to_f16__avx2 csimd_f32_to_f16__scalar
#define csimd_attention__avx2 csimd_attention__scalar
#define csimd_kv_store__avx2 csimd_kv_store__scalar
#define csimd_layer_norm__avx2 csimd_layer_norm__scalar
#define csimd_rms_norm__avx2 csimd_rms_norm__scalar
#define csimd_activate__avx2 csimd_activate__scalar
#define csimd_gate__avx2 csimd_gate__scalar
#define csimd_rotary__avx2 csimd_rotary__scalar
#define csimd_add__avx2 csimd_add__scalar
#define csimd_scale__avx2 csimd_scale__scalar
#define csimd_q8_quantize__avx512vnni csimd_q8_quantize__avx2
#define csimd_q8_gemm__avx512vnni csimd_q8_gemm__avx2
#define csimd_q8_gemv__avx512vnni csimd_q8_gemv__avx2
#define csimd_f32_gemm__avx512vnni csimd_f32_gemm__avx2
#define csimd_bf16_gemm__avx512vnni csimd_bf16_gemm__avx2
#define csimd_bf16_to_f32__avx512vnni csimd_bf16_to_f32__avx2
#define csimd_f32_to_bf16__avx512vnni csimd_f32_to_bf16__avx2
#define csimd_f16_to_f32__avx512vnni csimd_f16_to_f32__avx2
#define csimd_f32_to_f16__avx512vnni csimd_f32_to_f16__avx2
#define csimd_attention__avx512vnni csimd_attention__avx2
#define csimd_kv_store__avx512vnni csimd_kv_store__avx2
#define csimd_layer_norm__avx512vnni csimd_layer_norm__avx2
#define csimd_rms_norm__avx512vnni csimd_rms_norm__avx2
#define csimd_activate__avx512vnni csimd_activate__avx2
#define csimd_gate__avx512vnni csimd_gate__avx2
#define csimd_rotary__avx512vnni csimd_rotary__avx2
#define csimd_add__avx512vnni csimd_add__avx2
#define csimd_scale__avx512vnni csimd_scale__avx2

static const csimd_infer_table scalar_table = {
    .isa = csimd_isa_scalar,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__scalar,
#include "../include/csimd_infer_ops.inc"
#undef CSIMD_OP
};

#if defined(__x86_64__)

static const csimd_infer_table avx2_table = {
    .isa = csimd_isa_avx2,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__avx2,
#include "../include/csimd_infer_ops.inc"
#undef CSIMD_OP
};

static const csimd_infer_table avx512vnni_table = {
    .isa = csimd_isa_avx512vnni,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__avx512vnni,
#include "../include/csimd_infer_ops.inc"
#undef CSIMD_OP
};

#endif

const csimd_infer_table *csimd_infer_table_for(csimd_isa isa) {
  if (!csimd_isa_available(isa)) {
    return NULL;
  }
  switch (isa) {
    case csimd_isa_scalar:
      return &scalar_table;
#if defined(__x86_64__)
    case csimd_isa_avx2:
      return &avx2_table;
    case csimd_isa_avx512vnni:
      return &avx512vnni_table;
#else
    default:
      break;
#endif
  }
  return NULL;
}
