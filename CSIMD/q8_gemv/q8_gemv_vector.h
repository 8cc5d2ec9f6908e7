// SPDX-License-Identifier: Apache-2.0
// Body of q8_gemv: one row, one forward stream over the panels.
//
// Four pairs of accumulators, one for each of four consecutive quads, hide the latency of the
// multiply; integer sums are exact, so adding them up gives the bits of q8_gemm. No software
// prefetch: on Zen 4 the hardware's alone reads 35 GB/s with one thread and 31 with two where one
// of 8 KB ahead leaves 30 and 27. A level whose vectors fill more registers says CSIMD_GEMV_CHAINS
// 2 or 1.
#ifndef CSIMD_GEMV_CHAINS
#define CSIMD_GEMV_CHAINS 4
#endif

void CSIMD_NAME(q8_gemv)(const csimd_q8_activations *a,
                         const csimd_q8_weights *w,
                         size_t first_panel,
                         size_t panels,
                         const float *bias,
                         float *y) {
  csimd_q8_check(a, 1, w, first_panel, panels);
  size_t groups = csimd_q8_groups(w->k, w->group);
  const uint8_t *stream = w->panels;
  stream += first_panel * csimd_q8_panel_bytes(w->k, w->group);

  for (size_t p = first_panel; p < first_panel + panels; p++) {
    v16 total[2] = {v16_zero(), v16_zero()};
    for (size_t g = 0; g < groups; g++) {
      q8_rows codes = q8_rows_at(a->codes + g * w->group, 0, 1);
      v16i acc[CSIMD_GEMV_CHAINS][1][2];
      CSIMD_UNROLL
      for (int u = 0; u < CSIMD_GEMV_CHAINS; u++) {
        acc[u][0][0] = acc[u][0][1] = u == 0 ? q8_start(a->sums[g]) : v16i_zero();
      }
      for (size_t quad = 0; quad < w->group / CSIMD_Q8_QUAD; quad += 4) {
        CSIMD_UNROLL
        for (int u = 0; u < 4; u++) {
          q8_step(acc[u % CSIMD_GEMV_CHAINS], stream + 128 * u, &codes, 4 * (size_t)u, 1);
        }
        stream += 512;
        q8_rows_advance(&codes, 16, 1);
      }
      v16 sa = v16_set(a->scales[g]);
      CSIMD_UNROLL
      for (int half = 0; half < 2; half++) {
        v16i sum = acc[0][0][half];
        CSIMD_UNROLL
        for (int u = 1; u < CSIMD_GEMV_CHAINS; u++) {
          sum = v16i_add(sum, acc[u][0][half]);
        }
        v16 sw = v16_load((const float *)stream + 16 * half);
        total[half] = v16_fma(v16_from_int(sum), v16_mul(sa, sw), total[half]);
      }
      stream += CSIMD_Q8_ROWS * sizeof(float);
    }

    for (size_t half = 0; half < 2; half++) {
      size_t column = p * CSIMD_Q8_ROWS + 16 * half;
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
