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
