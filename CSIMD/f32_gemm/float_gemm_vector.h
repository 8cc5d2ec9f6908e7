// SPDX-License-Identifier: Apache-2.0
// Body of f32_gemm and bf16_gemm: register tiles over m and n, sixteen lanes over k.
//
// The including file defines
//   FLOAT_GEMM              the operation's name
//   FLOAT_GEMM_WEIGHT       the stored type of a weight
//   FLOAT_GEMM_LOAD(p)      sixteen weights as f32
//   FLOAT_GEMM_LOAD_N(p, n) the first n of them, 0 beyond
//   CSIMD_FLOAT_ROWS        rows of x in a tile
//   CSIMD_FLOAT_COLUMNS     rows of w in a tile, 2 or 4
#include "../internal/vec_math.h"

typedef struct float_tile {
  const float *x;
  size_t x_stride;
  const FLOAT_GEMM_WEIGHT *w;
  size_t k;
  const float *bias;
  float *y;
  size_t y_stride;
} float_tile;

CSIMD_INLINE void run_float_tile(const float_tile *t, const int rows, const int columns) {
  v16 acc[CSIMD_FLOAT_ROWS][CSIMD_FLOAT_COLUMNS];
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    CSIMD_UNROLL
    for (int j = 0; j < columns; j++) {
      acc[i][j] = v16_zero();
    }
  }

  size_t c = 0;
  for (; c + 16 <= t->k; c += 16) {
    v16 w[CSIMD_FLOAT_COLUMNS];
    CSIMD_UNROLL
    for (int j = 0; j < columns; j++) {
      w[j] = FLOAT_GEMM_LOAD(t->w + (size_t)j * t->k + c);
    }
    CSIMD_UNROLL
    for (int i = 0; i < rows; i++) {
      v16 x = v16_load(t->x + (size_t)i * t->x_stride + c);
      CSIMD_UNROLL
      for (int j = 0; j < columns; j++) {
        acc[i][j] = v16_fma(x, w[j], acc[i][j]);
      }
    }
  }
  if (c < t->k) {
    size_t left = t->k - c;
    CSIMD_UNROLL
    for (int j = 0; j < columns; j++) {
      v16 w = FLOAT_GEMM_LOAD_N(t->w + (size_t)j * t->k + c, left);
      CSIMD_UNROLL
      for (int i = 0; i < rows; i++) {
        v16 x = v16_load_n(t->x + (size_t)i * t->x_stride + c, left);
        acc[i][j] = v16_fma_n(x, w, acc[i][j], left);
      }
    }
  }

  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    float *y = t->y + (size_t)i * t->y_stride;
    if (columns == 4) {
      v4 sums = v16_reduce4(acc[i][0], acc[i][1], acc[i][2 % columns], acc[i][3 % columns]);
      v4_store(y, t->bias ? v4_add(sums, v4_load(t->bias)) : sums);
    } else {
      CSIMD_UNROLL
      for (int j = 0; j < columns; j++) {
        float sum = v16_reduce(acc[i][j]);
        y[j] = t->bias ? sum + t->bias[j] : sum;
      }
    }
  }
}

/// Every tile of some rows of x, from one batch of weights.
CSIMD_INLINE void run_float_rows(const float_tile *t, size_t columns, const int rows) {
  float_tile tile = *t;
  size_t j = 0;
  for (; j + CSIMD_FLOAT_COLUMNS <= columns; j += CSIMD_FLOAT_COLUMNS) {
    run_float_tile(&tile, rows, CSIMD_FLOAT_COLUMNS);
    tile.w += CSIMD_FLOAT_COLUMNS * t->k;
    tile.y += CSIMD_FLOAT_COLUMNS;
    tile.bias = tile.bias ? tile.bias + CSIMD_FLOAT_COLUMNS : NULL;
  }
  for (; j < columns; j++) {
    run_float_tile(&tile, rows, 1);
    tile.w += t->k;
    tile.y += 1;
    tile.bias = tile.bias ? tile.bias + 1 : NULL;
  }
}

void CSIMD_NAME(FLOAT_GEMM)(const float *x,
                            size_t x_stride,
                            size_t m,
                            const FLOAT_GEMM_WEIGHT *w,
                            size_t k,
                            size_t first_row,
                            size_t rows,
                            const float *bias,
                            float *y,
                            size_t y_stride) {
  // Rows of w pass in batches of about 256 KB, which stay in L2 while all rows of x pass; a tile's
  // rows of x stay in L1 while the batch passes.
  size_t row_bytes = k * sizeof(FLOAT_GEMM_WEIGHT) + 1;
  size_t batch = 256 * 1024 / row_bytes / CSIMD_FLOAT_COLUMNS * CSIMD_FLOAT_COLUMNS;
  if (batch == 0) {
    batch = CSIMD_FLOAT_COLUMNS;
  }
  size_t end = first_row + rows;
  for (size_t first = first_row; first < end; first += batch) {
    size_t columns = end - first < batch ? end - first : batch;
    for (size_t i = 0, height = 0; i < m; i += height) {
      float_tile tile = {
          .x = x + i * x_stride,
          .x_stride = x_stride,
          .w = w + first * k,
          .k = k,
          .bias = bias ? bias + first : NULL,
          .y = y + i * y_stride + first,
          .y_stride = y_stride,
      };
      if (m - i >= CSIMD_FLOAT_ROWS) {
        height = CSIMD_FLOAT_ROWS;
        run_float_rows(&tile, columns, CSIMD_FLOAT_ROWS);
      } else if (m - i >= 2) {
        height = 2;
        run_float_rows(&tile, columns, 2);
      } else {
        height = 1;
        run_float_rows(&tile, columns, 1);
      }
    }
  }
}
