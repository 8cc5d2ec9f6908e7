// SPDX-License-Identifier: Apache-2.0
// Body of q8_gemm: register tiles of CSIMD_Q8_TILE rows × 32 columns over packed panels.
//
// A tile keeps 2 · rows int32 vectors of sixteen columns in registers through a group, then scales
// them onto f32 totals in a buffer of rows × 32 in L1. Each output's arithmetic depends on its own
// row and column alone, so every tile height gives the same bits.

/// Where the tile's rows are and where its results go.
typedef struct q8_tile {
  const int8_t *codes;
  const float *scales;
  const int32_t *sums;
  size_t row_stride, group_stride;
  const uint8_t *panel;
  size_t k, group;
  const float *bias;  // of the panel's first column, or null
  float *y;           // the panel's first column of the tile's first row
  size_t y_stride;
  size_t columns;  // 1 … 32 columns to write
} q8_tile;

/// Writes a row of totals plus bias; padding columns are neither read nor written.
CSIMD_INLINE void store_row(const q8_tile *t, size_t row, const float *totals) {
  float *y = t->y + row * t->y_stride;
  for (size_t first = 0; first < t->columns; first += 16) {
    size_t left = t->columns - first;
    v16 total = v16_load(totals + first);
    if (left >= 16) {
      v16_store(y + first, t->bias ? v16_add(total, v16_load(t->bias + first)) : total);
    } else {
      v16 biased = t->bias ? v16_add(total, v16_load_n(t->bias + first, left)) : total;
      v16_store_n(y + first, biased, left);
    }
  }
}

CSIMD_INLINE void run_tile(const q8_tile *t, const int rows) {
  _Alignas(64) float buffer[CSIMD_Q8_TILE * CSIMD_Q8_ROWS];
  float *totals = buffer;
  // Keeps the totals in memory: the registers are the accumulators'.
  __asm__("" : "+r"(totals));
  size_t groups = csimd_q8_groups(t->k, t->group);
  const uint8_t *w = t->panel;
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    v16_store(totals + CSIMD_Q8_ROWS * i, v16_zero());
    v16_store(totals + CSIMD_Q8_ROWS * i + 16, v16_zero());
  }

  for (size_t g = 0; g < groups; g++) {
    q8_rows a = q8_rows_at(t->codes + g * t->group, t->row_stride, rows);
    v16i acc[CSIMD_Q8_TILE][2];
    CSIMD_UNROLL
    for (int i = 0; i < rows; i++) {
      acc[i][0] = acc[i][1] = q8_start(t->sums[(size_t)i * t->group_stride + g]);
    }
    const uint8_t *end = w + t->group * CSIMD_Q8_ROWS;
    do {
      q8_step(acc, w, &a, 0, rows);
      CSIMD_STEP_END;
      q8_step(acc, w + 128, &a, 4, rows);
      CSIMD_STEP_END;
      w += 256;
      q8_rows_advance(&a, 8, rows);
    } while (w < end);

    v16 sw[2] = {v16_load((const float *)w), v16_load((const float *)w + 16)};
    w += CSIMD_Q8_ROWS * sizeof(float);
    CSIMD_UNROLL
    for (int i = 0; i < rows; i++) {
      v16 sa = v16_set(t->scales[(size_t)i * t->group_stride + g]);
      CSIMD_UNROLL
      for (int half = 0; half < 2; half++) {
        float *total = totals + CSIMD_Q8_ROWS * i + 16 * half;
        v16 product = v16_mul(sa, sw[half]);
        v16_store(total, v16_fma(v16_from_int(acc[i][half]), product, v16_load(total)));
      }
    }
  }

  for (int i = 0; i < rows; i++) {
    store_row(t, (size_t)i, totals + CSIMD_Q8_ROWS * i);
  }
}

/// The tile of the greatest height that fits `left` rows; returns the height.
static size_t run_tallest_tile(const q8_tile *t, size_t left) {
  if (left >= 12) {
    run_tile(t, 12);
    return 12;
  }
  if (left >= 8) {
    run_tile(t, 8);
    return 8;
  }
  if (left >= 4) {
    run_tile(t, 4);
    return 4;
  }
  if (left >= 2) {
    run_tile(t, 2);
    return 2;
  }
  run_tile(t, 1);
  return 1;
}

void CSIMD_NAME(q8_gemm)(const csimd_q8_activations *a,
                         size_t m,
                         const csimd_q8_weights *w,
                         size_t first_panel,
                         size_t panels,
                         const float *bias,
                         float *y,
                         size_t y_stride) {
  csimd_q8_check(a, m, w, first_panel, panels);
  // A batch of panels fills half of a 1 MB L2 while all rows pass, and a tile's rows stay in L1
  // while the batch passes.
  size_t panel_bytes = csimd_q8_panel_bytes(w->k, w->group);
  size_t batch = 512 * 1024 / panel_bytes;
  if (batch == 0) {
    batch = 1;
  }
  size_t end = first_panel + panels;
  for (size_t first = first_panel; first < end; first += batch) {
    size_t last = end - first < batch ? end : first + batch;
    for (size_t i = 0, height = 0; i < m; i += height) {
      for (size_t p = first; p < last; p++) {
        size_t column = p * CSIMD_Q8_ROWS, left = w->n - column;
        q8_tile tile = {
            .codes = a->codes + i * a->row_stride,
            .scales = a->scales + i * a->group_stride,
            .sums = a->sums + i * a->group_stride,
            .row_stride = a->row_stride,
            .group_stride = a->group_stride,
            .panel = (const uint8_t *)w->panels + p * panel_bytes,
            .k = w->k,
            .group = w->group,
            .bias = bias ? bias + column : NULL,
            .y = y + i * y_stride + column,
            .y_stride = y_stride,
            .columns = left < CSIMD_Q8_ROWS ? left : CSIMD_Q8_ROWS,
        };
        height = run_tallest_tile(&tile, m - i);
      }
    }
  }
}
