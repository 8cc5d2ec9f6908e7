// SPDX-License-Identifier: Apache-2.0
// Packing of int8 weight matrices and its inverse: host side, clarity over speed.
#include "../internal/q8_panel.h"
#include "../internal/scalar_math.h"

size_t csimd_q8_packed_bytes(size_t n, size_t k, size_t group) {
  return csimd_q8_panels(n) * csimd_q8_panel_bytes(k, group);
}

size_t csimd_q8_row_stride(size_t k, size_t group) {
  size_t bytes = csimd_q8_groups(k, group) * group;
  // An odd number of cache lines: twelve rows of a tile never share a cache set.
  size_t lines = (bytes + 63) / 64;
  return (lines % 2 == 0 ? lines + 1 : lines) * 64;
}

/// Quantises `count` weights of one row and group into row `row` of a block.
static float pack_group(const float *w,
                        size_t count,
                        size_t group,
                        size_t row,
                        uint8_t *block,
                        double *error,
                        double *energy) {
  float absmax = 0;
  for (size_t j = 0; j < count; j++) {
    absmax = csimd_max(absmax, __builtin_fabsf(w[j]));
  }
  float scale = absmax / 127.0f;
  for (size_t j = 0; j < group; j++) {
    float q = j < count && scale > 0 ? w[j] / scale : 0.0f;
    float code = __builtin_rintf(csimd_min(127.0f, csimd_max(-127.0f, q)));
    if (code != code) {
      code = 0;  // NaN weights count as 0, as NaN activations do
    }
    // One block: a quad of inputs is 32 rows of four codes.
    size_t place = j / CSIMD_Q8_QUAD * CSIMD_Q8_ROWS * CSIMD_Q8_QUAD + row * CSIMD_Q8_QUAD;
    block[place + j % CSIMD_Q8_QUAD] = (uint8_t)((int)code + CSIMD_Q8_ZERO);
    if (j < count) {
      double lost = (double)w[j] - (double)code * (double)scale;
      *error += lost * lost;
      *energy += (double)w[j] * (double)w[j];
    }
  }
  return scale;
}

void csimd_q8_pack_panel(const float *w,
                         size_t w_stride,
                         size_t rows,
                         size_t k,
                         size_t group,
                         void *panel,
                         double *error,
                         double *energy) {
  double lost = 0, total = 0;
  for (size_t g = 0; g < csimd_q8_groups(k, group); g++) {
    uint8_t *block = (uint8_t *)panel + g * csimd_q8_block_bytes(group);
    size_t count = k - g * group < group ? k - g * group : group;
    for (size_t row = 0; row < CSIMD_Q8_ROWS; row++) {
      bool padding = row >= rows;
      const float *values = padding ? w : w + row * w_stride + g * group;
      float scale = pack_group(values, padding ? 0 : count, group, row, block, &lost, &total);
      memcpy(block + csimd_q8_scale_offset(row, 0, group, group), &scale, sizeof scale);
    }
  }
  if (error) {
    *error = lost;
  }
  if (energy) {
    *energy = total;
  }
}

void csimd_q8_unpack_row(const csimd_q8_weights *w, size_t row, float *out) {
  size_t group = w->group, within = row % CSIMD_Q8_ROWS;
  const uint8_t *block =
      (const uint8_t *)w->panels + row / CSIMD_Q8_ROWS * csimd_q8_panel_bytes(w->k, group);
  for (size_t first = 0; first < w->k; first += group, block += csimd_q8_block_bytes(group)) {
    float scale;
    memcpy(&scale, block + csimd_q8_scale_offset(within, 0, group, group), sizeof scale);
    size_t count = w->k - first < group ? w->k - first : group;
    // A row's codes stand four together, one quad of inputs after the other.
    const uint8_t *codes = block + within * CSIMD_Q8_QUAD;
    for (size_t j = 0; j < count; j++) {
      size_t place = j / CSIMD_Q8_QUAD * CSIMD_Q8_ROWS * CSIMD_Q8_QUAD + j % CSIMD_Q8_QUAD;
      out[first + j] = (float)(codes[place] - CSIMD_Q8_ZERO) * scale;
    }
  }
}
