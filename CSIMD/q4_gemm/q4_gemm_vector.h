// SPDX-License-Identifier: Apache-2.0
// Body of q4_gemm: panels become int8 panels in scratch, once for all rows, and q8_gemm does the
// rest.
//
// Unpacking takes about as long as the products of two rows. Scratch holds as many panels as
// q8_gemm keeps in half of L2, so its reads cost what they cost for int8 weights.

/// Writes one panel in the layout of q8_panel.h with groups of 128.
static void unpack_panel(const uint8_t *panel, size_t k, uint8_t *out) {
  for (size_t b = 0; b < csimd_q4_blocks(k); b++) {
    const v16i words[2] = {q4_words(panel, 0), q4_words(panel, 1)};
    CSIMD_UNROLL
    for (int g = 0; g < CSIMD_Q4_GROUPS; g++) {
      const uint8_t *codes = panel + g * (CSIMD_Q4_CODE_BYTES / CSIMD_Q4_GROUPS);
      q4_unpack_group(codes, words, g, out + g * CSIMD_Q4_GROUP * CSIMD_Q8_ROWS);
    }
    float *scales = (float *)(out + CSIMD_Q4_BLOCK * CSIMD_Q8_ROWS);
    v16_store(scales, q4_scales(words[0]));
    v16_store(scales + 16, q4_scales(words[1]));
    panel += CSIMD_Q4_BLOCK_BYTES;
    out += csimd_q8_block_bytes(CSIMD_Q4_BLOCK);
  }
}

void CSIMD_NAME(q4_gemm)(const csimd_q8_activations *a,
                         size_t m,
                         const csimd_q4_weights *w,
                         size_t first_panel,
                         size_t panels,
                         const float *bias,
                         float *y,
                         size_t y_stride,
                         void *scratch) {
  csimd_q4_check(a, m, w, first_panel, panels);
  size_t panel_bytes = csimd_q4_panel_bytes(w->k);
  size_t unpacked_bytes = csimd_q8_panel_bytes(w->k, CSIMD_Q4_BLOCK);
  size_t batch = csimd_q4_scratch(w->k) / unpacked_bytes;
  size_t end = first_panel + panels;
  for (size_t first = first_panel; first < end; first += batch) {
    size_t count = end - first < batch ? end - first : batch;
    for (size_t p = 0; p < count; p++) {
      unpack_panel((const uint8_t *)w->panels + (first + p) * panel_bytes,
                   w->k,
                   (uint8_t *)scratch + p * unpacked_bytes);
    }
    size_t column = first * CSIMD_Q4_ROWS, left = w->n - column;
    csimd_q8_weights part = {
        .panels = scratch,
        .n = left < count * CSIMD_Q8_ROWS ? left : count * CSIMD_Q8_ROWS,
        .k = w->k,
        .group = CSIMD_Q4_BLOCK,
    };
    const float *part_bias = bias ? bias + column : NULL;
    CSIMD_NAME(q8_gemm)(a, m, &part, 0, count, part_bias, y + column, y_stride);
  }
}
