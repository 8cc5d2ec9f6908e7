// SPDX-License-Identifier: Apache-2.0
// Reference: products of two matrices.
#include "../dispatch/train_prototypes.h"
#include "../internal/scalar_math.h"

static float element(const csimd_operand *x, size_t row, size_t column) {
  size_t index = x->transposed ? column * x->stride + row : row * x->stride + column;
  return x->type == csimd_bf16 ? csimd_from_bf16(((const uint16_t *)x->data)[index])
                               : ((const float *)x->data)[index];
}

static float rounded(float x) {
  return csimd_from_bf16(csimd_to_bf16(x));
}

void csimd_f32_product__scalar(const csimd_product *x) {
  for (size_t i = 0; i < x->m; i++) {
    for (size_t j = 0; j < x->n; j++) {
      float *c = &x->c[i * x->c_stride + j], sum = x->accumulate ? *c : 0;
      for (size_t p = 0; p < x->k; p++) {
        sum = csimd_fma(element(&x->a, i, p), element(&x->b, p, j), sum);
      }
      *c = sum;
    }
  }
}

void csimd_bf16_product__scalar(const csimd_product *x) {
  for (size_t i = 0; i < x->m; i++) {
    for (size_t j = 0; j < x->n; j++) {
      float *c = &x->c[i * x->c_stride + j], sum = x->accumulate ? *c : 0;
      for (size_t p = 0; p < x->k; p++) {
        sum = csimd_fma(rounded(element(&x->a, i, p)), rounded(element(&x->b, p, j)), sum);
      }
      *c = sum;
    }
  }
}
