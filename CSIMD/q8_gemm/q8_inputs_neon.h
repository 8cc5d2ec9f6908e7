// SPDX-License-Identifier: Apache-2.0
// The activations of a q8_gemm tile on ARM: the codes where they are.

typedef struct q8_inputs {
  const int8_t *codes;
  size_t stride;
} q8_inputs;

CSIMD_INLINE void q8_tile_prepare(
    q8_inputs *inputs, const int8_t *codes, size_t stride, size_t count, const int rows) {
  (void)count, (void)rows;
  *inputs = (q8_inputs){codes, stride};
}
