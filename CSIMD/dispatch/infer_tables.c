// SPDX-License-Identifier: Apache-2.0
// The inference tables, one per instruction set.
#include "infer_prototypes.h"

// Every level has every operation. One that a level lacks is a line here that names the next best:
//   #define csimd_<operation>__avx512vnni csimd_<operation>__avx2

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

// The same but for one operation, for processors that multiply bf16.
#define csimd_pair_attention__avx512vnni csimd_pair_attention__avx512bf16

static const csimd_infer_table avx512bf16_table = {
    .isa = csimd_isa_avx512vnni,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__avx512vnni,
#include "../include/csimd_infer_ops.inc"
#undef CSIMD_OP
};

#undef csimd_pair_attention__avx512vnni

#endif

#if defined(__aarch64__)

// int8 matrix products change four operations and bf16 a fifth; the rest is `neondot`.
#define csimd_q8_quantize__neoni8mm csimd_q8_quantize__neondot
#define csimd_f32_gemm__neoni8mm csimd_f32_gemm__neondot
#define csimd_bf16_gemm__neoni8mm csimd_bf16_gemm__neondot
#define csimd_attention__neoni8mm csimd_attention__neondot
#define csimd_kv_store__neoni8mm csimd_kv_store__neondot
#define csimd_pair_attention__neoni8mm csimd_pair_attention__neondot
#define csimd_pair_store__neoni8mm csimd_pair_store__neondot
#define csimd_layer_norm__neoni8mm csimd_layer_norm__neondot
#define csimd_rms_norm__neoni8mm csimd_rms_norm__neondot
#define csimd_activate__neoni8mm csimd_activate__neondot
#define csimd_gate__neoni8mm csimd_gate__neondot
#define csimd_rotary__neoni8mm csimd_rotary__neondot
#define csimd_add__neoni8mm csimd_add__neondot
#define csimd_scale__neoni8mm csimd_scale__neondot
#define csimd_select_above__neoni8mm csimd_select_above__neondot
#define csimd_dot_rows__neoni8mm csimd_dot_rows__neondot

static const csimd_infer_table neondot_table = {
    .isa = csimd_isa_neondot,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__neondot,
#include "../include/csimd_infer_ops.inc"
#undef CSIMD_OP
};

static const csimd_infer_table neoni8mm_table = {
    .isa = csimd_isa_neoni8mm,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__neoni8mm,
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
      return csimd_bf16_available() ? &avx512bf16_table : &avx512vnni_table;
#elif defined(__aarch64__)
    case csimd_isa_neondot:
      return &neondot_table;
    case csimd_isa_neoni8mm:
      return &neoni8mm_table;
#endif
    default:
      break;
  }
  return NULL;
}
