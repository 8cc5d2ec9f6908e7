// SPDX-License-Identifier: Apache-2.0
// Body of q4_gemv: one row, one forward stream over the panels, nibbles multiplied as they come.
//
// The integer sum of a block is that of the unpacked int8 block, and so are scale and order of the
// f32 sum: the bits of q4_gemm. No software prefetch: on Zen 4 the hardware's alone reads 53 GB/s
// with two threads and 38 with one where a prefetch at any distance leaves 46 and 25.

void CSIMD_NAME(q4_gemv)(const csimd_q8_activations *a,
                         const csimd_q4_weights *w,
                         size_t first_panel,
                         size_t panels,
                         const float *bias,
                         float *y) {
  csimd_q4_check(a, 1, w, first_panel, panels);
  size_t blocks = csimd_q4_blocks(w->k);
  const uint8_t *stream = w->panels;
  stream += first_panel * csimd_q4_panel_bytes(w->k);

  for (size_t p = first_panel; p < first_panel + panels; p++) {
    v16 total[2] = {v16_zero(), v16_zero()};
    for (size_t b = 0; b < blocks; b++) {
      const v16i words[2] = {q4_words(stream, 0), q4_words(stream, 1)};
      v16i sum[2] = {v16i_zero(), v16i_zero()};
      CSIMD_UNROLL
      for (int g = 0; g < CSIMD_Q4_GROUPS; g++) {
        const uint8_t *codes = stream + g * (CSIMD_Q4_CODE_BYTES / CSIMD_Q4_GROUPS);
        q4_add_group(sum, codes, a->codes + b * CSIMD_Q4_BLOCK + g * CSIMD_Q4_GROUP, words, g);
      }
      stream += CSIMD_Q4_BLOCK_BYTES;
      v16 sa = v16_set(a->scales[b]);
      CSIMD_UNROLL
      for (int half = 0; half < 2; half++) {
        v16 scale = v16_mul(sa, q4_scales(words[half]));
        total[half] = v16_fma(v16_from_int(sum[half]), scale, total[half]);
      }
    }

    for (size_t half = 0; half < 2; half++) {
      size_t column = p * CSIMD_Q4_ROWS + 16 * half;
      if (column >= w->n) {
        break;
      }
      size_t left = w->n - column;
      if (left >= 16) {
        v16 result = bias ? v16_add(total[half], v16_load(bias + column)) : total[half];
        v16_store(y + column, result);
      } else {
        v16 result = bias ? v16_add(total[half], v16_load_n(bias + column, left)) : total[half];
        v16_store_n(y + column, result, left);
      }
    }
  }
}
