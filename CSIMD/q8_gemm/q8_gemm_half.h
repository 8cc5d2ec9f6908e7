// SPDX-License-Identifier: Apache-2.0
// Body of q8_gemm where sixteen lanes fill several registers: tiles of 5 or 6 rows × 16 columns,
// half a packed panel.
//
// Whole panels would leave room for 2 or 3 rows, and whatever is done to a register of weights
// would serve half as many products. A group's codes are 4 KB at 128 inputs and stay in L1 while
// both halves pass. As in q8_gemm_vector.h, integer sums are exact and each output's f32 arithmetic
// depends on its own row and column alone, so every tile and every way to multiply gives the same
// bits. The including file defines
//   CSIMD_Q8_TILE     rows of the tallest tile, 5 or 6
//   Q8_SPAN           inputs that are prepared at once
//   Q8_CHUNK          inputs that q8_tile_add takes, 4 or 8
//   q8_inputs         activations as q8_tile_add reads them
//   q8_tile_prepare   fills q8_inputs with `count` inputs of some rows
//   q8_tile_start     sums of a group before its first product
//   q8_tile_add       adds the products of Q8_CHUNK inputs, from input `k` of the span on
//   q8_tile_finish    brings sums into the order of rows and columns

/// Where the tile's rows are and where its results go.
typedef struct q8_tile {
  const int8_t *codes;
  const float *scales;
  const int32_t *sums;
  size_t row_stride, group_stride;
  const uint8_t *panel;
  size_t groups, group;
  const float *bias;  // of the panel's first column, or null
  float *y;           // the panel's first column of the tile's first row
  size_t y_stride;
  size_t columns;  // 1 … 32 columns to write
} q8_tile;

/// Adds a group's scaled sums of sixteen columns to the totals of the tile's rows.
CSIMD_INLINE void add_group(const q8_tile *t,
                            size_t g,
                            const v16i *sums,
                            const float *scales,
                            float *totals,
                            const int rows) {
  v16 sw = v16_load(scales);
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    float *total = totals + CSIMD_Q8_ROWS * i;
    v16 product = v16_mul(v16_set(t->scales[(size_t)i * t->group_stride + g]), sw);
    v16_store(total, v16_fma(v16_from_int(sums[i]), product, v16_load(total)));
  }
}

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
  // Keeps the totals in memory: the registers are the sums'.
  __asm__("" : "+r"(totals));
  __builtin_memset(totals, 0, sizeof(float) * CSIMD_Q8_ROWS * (size_t)rows);
  q8_inputs inputs;
  const uint8_t *block = t->panel;
  for (size_t g = 0; g < t->groups; g++, block += csimd_q8_block_bytes(t->group)) {
    const float *scales = (const float *)(block + t->group * CSIMD_Q8_ROWS);
    for (size_t half = 0; half < 2; half++) {
      v16i sums[CSIMD_Q8_TILE];
      q8_tile_start(sums, t->sums + g, t->group_stride, rows);
      const uint8_t *w = block + 64 * half;
      for (size_t first = 0; first < t->group; first += Q8_SPAN) {
        size_t count = t->group - first < Q8_SPAN ? t->group - first : Q8_SPAN;
        if (half == 0 || t->group > Q8_SPAN) {
          const int8_t *codes = t->codes + g * t->group + first;
          q8_tile_prepare(&inputs, codes, t->row_stride, count, rows);
        }
        size_t k = 0;
        do {
          CSIMD_UNROLL
          for (int chunk = 0; chunk < 8 / Q8_CHUNK; chunk++) {
            q8_tile_add(sums, w, &inputs, k, rows);
            CSIMD_STEP_END;
            w += CSIMD_Q8_ROWS * Q8_CHUNK;
            k += Q8_CHUNK;
          }
        } while (k < count);
      }
      q8_tile_finish(sums, rows);
      add_group(t, g, sums, scales + 16 * half, totals + 16 * half, rows);
    }
  }
  for (size_t i = 0; i < (size_t)rows; i++) {
    store_row(t, i, totals + CSIMD_Q8_ROWS * i);
  }
}

/// The tile of the greatest height that fits `left` rows; returns the height.
static size_t run_tallest_tile(const q8_tile *t, size_t left) {
  if (left >= CSIMD_Q8_TILE) {
    run_tile(t, CSIMD_Q8_TILE);
    return CSIMD_Q8_TILE;
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
  // A batch of panels fills half of a 1 MB L2 while all rows pass.
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
            .groups = csimd_q8_groups(w->k, w->group),
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
