// SPDX-License-Identifier: Apache-2.0
// The training tables, one per instruction set, and one more for processors that multiply bf16.
#include "train_prototypes.h"

static const csimd_train_table scalar_table = {
    .isa = csimd_isa_scalar,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__scalar,
#include "../include/csimd_train_ops.inc"
#undef CSIMD_OP
};

#if defined(__x86_64__)

static const csimd_train_table avx2_table = {
    .isa = csimd_isa_avx2,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__avx2,
#include "../include/csimd_train_ops.inc"
#undef CSIMD_OP
};

static const csimd_train_table avx512vnni_table = {
    .isa = csimd_isa_avx512vnni,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__avx512vnni,
#include "../include/csimd_train_ops.inc"
#undef CSIMD_OP
};

// The same but for one operation.
#define csimd_bf16_product__avx512vnni csimd_bf16_product__avx512bf16

static const csimd_train_table avx512bf16_table = {
    .isa = csimd_isa_avx512vnni,
    .multiplies_bf16 = true,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__avx512vnni,
#include "../include/csimd_train_ops.inc"
#undef CSIMD_OP
};

#undef csimd_bf16_product__avx512vnni

#endif

#if defined(__aarch64__)

// Models are trained on x86; ARM has the reference under its levels' names.
static const csimd_train_table neondot_table = {
    .isa = csimd_isa_neondot,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__scalar,
#include "../include/csimd_train_ops.inc"
#undef CSIMD_OP
};

static const csimd_train_table neoni8mm_table = {
    .isa = csimd_isa_neoni8mm,
#define CSIMD_OP(result, name, arguments) .name = csimd_##name##__scalar,
#include "../include/csimd_train_ops.inc"
#undef CSIMD_OP
};

#endif

const csimd_train_table *csimd_train_table_widening(csimd_isa isa) {
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

const csimd_train_table *csimd_train_table_for(csimd_isa isa) {
#if defined(__x86_64__)
  if (isa == csimd_isa_avx512vnni && csimd_bf16_available()) {
    return &avx512bf16_table;
  }
#endif
  return csimd_train_table_widening(isa);
}
