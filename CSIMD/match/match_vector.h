// SPDX-License-Identifier: Apache-2.0
// Bodies of select_above and dot_rows.
//
// Few scores pass: the comparison of sixteen is one mask, and only masks that are not empty are
// taken apart, bit by bit in order. The including file defines
//   match_mask(x, threshold)  bit l is set when lane l of x is greater
#include "../internal/vec_math.h"

/// Appends the positions of the set bits of a mask.
CSIMD_INLINE size_t append_positions(uint32_t mask, size_t base, uint32_t *positions) {
  size_t count = 0;
  while (mask != 0) {
    positions[count++] = (uint32_t)(base + (size_t)__builtin_ctz(mask));
    mask &= mask - 1;
  }
  return count;
}

size_t CSIMD_NAME(select_above)(const float *x,
                                size_t x_stride,
                                size_t m,
                                size_t n,
                                const float *thresholds,
                                uint32_t *positions) {
  size_t count = 0;
  for (size_t i = 0; i < m; i++) {
    const float *row = x + i * x_stride;
    v16 threshold = v16_set(thresholds[i]);
    size_t j = 0;
    for (; j + 16 <= n; j += 16) {
      uint32_t mask = match_mask(v16_load(row + j), threshold);
      count += append_positions(mask, i * n + j, positions + count);
    }
    if (j < n) {
      size_t left = n - j;
      uint32_t mask = match_mask(v16_load_n(row + j, left), threshold) & ((1u << left) - 1);
      count += append_positions(mask, i * n + j, positions + count);
    }
  }
  return count;
}

/// Products of x with `columns` chosen rows, each a chain of its own: four hide the latency of one.
CSIMD_INLINE void run_dot_rows(
    const float *x, const float *w, size_t k, const uint32_t *rows, const int columns, float *y) {
  const float *row[4];
  v16 acc[4];
  CSIMD_UNROLL
  for (int j = 0; j < columns; j++) {
    row[j] = w + (size_t)rows[j] * k;
    acc[j] = v16_zero();
  }
  size_t c = 0;
  for (; c + 16 <= k; c += 16) {
    v16 a = v16_load(x + c);
    CSIMD_UNROLL
    for (int j = 0; j < columns; j++) {
      acc[j] = v16_fma(a, v16_load(row[j] + c), acc[j]);
    }
  }
  if (c < k) {
    size_t left = k - c;
    v16 a = v16_load_n(x + c, left);
    CSIMD_UNROLL
    for (int j = 0; j < columns; j++) {
      acc[j] = v16_fma_n(a, v16_load_n(row[j] + c, left), acc[j], left);
    }
  }
  CSIMD_UNROLL
  for (int j = 0; j < columns; j++) {
    y[j] = v16_reduce(acc[j]);
  }
}

void CSIMD_NAME(dot_rows)(
    const float *x, const float *w, size_t k, const uint32_t *rows, size_t count, float *y) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    run_dot_rows(x, w, k, rows + i, 4, y + i);
  }
  for (; i < count; i++) {
    run_dot_rows(x, w, k, rows + i, 1, y + i);
  }
}
