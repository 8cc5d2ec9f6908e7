// SPDX-License-Identifier: Apache-2.0
// Packing of int4 weight matrices and its inverse: host side, plain loops that a compiler
// vectorises.
#include "../internal/q4_panel.h"
#include "../internal/q8_panel.h"
#include "../internal/scalar_math.h"

size_t csimd_q4_packed_bytes(size_t n, size_t k) {
  return csimd_q4_panels(n) * csimd_q4_panel_bytes(k);
}

size_t csimd_q4_scratch(size_t k) {
  // What q8_gemm keeps in half of a 1 MB L2, at least one panel.
  size_t panel = csimd_q8_panel_bytes(k, CSIMD_Q4_BLOCK);
  size_t count = 512 * 1024 / panel;
  return panel * (count > 0 ? count : 1);
}

/// Code of a weight: w / step to the nearest integer in -8 … 7, ties to even.
static inline float nearest_code(float w, float inverse) {
  // Adding 1.5 · 2^23 leaves no bits below 1: a rounding that vectorises on every machine.
  return csimd_min(7.0f, csimd_max(-8.0f, w * inverse)) + 12582912.0f - 12582912.0f;
}

/// Σ (w - code · step)² over a group, in eight lanes.
static float group_error(const float *w, float step) {
  float lanes[8] = {0}, inverse = 1.0f / step;
  for (size_t j = 0; j < CSIMD_Q4_GROUP; j += 8) {
    for (size_t l = 0; l < 8; l++) {
      float lost = w[j + l] - nearest_code(w[j + l], inverse) * step;
      lanes[l] += lost * lost;
    }
  }
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
         ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/// The value of the largest magnitude in a group.
static float group_extreme(const float *w) {
  float extreme = 0;
  for (size_t j = 0; j < CSIMD_Q4_GROUP; j++) {
    if (__builtin_fabsf(w[j]) > __builtin_fabsf(extreme)) {
      extreme = w[j];
    }
  }
  return extreme;
}

/// The best factor of a group under a scale, and its squared error.
///
/// The factor's sign is the one that gives the extreme code -8: there is no +8. Its magnitude is
/// tried around the one that would put the extreme at 7.8 steps.
static int32_t best_factor(const float *w, float extreme, float scale, float *error) {
  if (extreme == 0) {
    *error = 0;
    return 0;
  }
  float ideal = __builtin_rintf(csimd_min(16.0f, __builtin_fabsf(extreme) / (7.8f * scale)));
  int32_t best = 0;
  for (int32_t offset = -1; offset <= 1; offset++) {
    int32_t magnitude = (int32_t)ideal + offset;
    if (magnitude < 1 || magnitude > CSIMD_Q4_FACTOR_LIMIT) {
      continue;
    }
    int32_t factor = extreme > 0 ? -magnitude : magnitude;
    float lost = group_error(w, (float)factor * scale);
    if (best == 0 || lost < *error) {
      best = factor;
      *error = lost;
    }
  }
  return best;
}

/// The scale bits nearest to a positive value.
static uint32_t scale_bits(float scale) {
  uint32_t bits = csimd_bits(scale * (1.0f / CSIMD_Q4_SCALE_UNIT));
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return rounded < 0xfff ? rounded : 0xfff;
}

/// The word of a row of a block with the least squared error among the scales that are tried.
static uint32_t best_word(const float *w) {
  float extremes[CSIMD_Q4_GROUPS], largest = 0;
  for (size_t g = 0; g < CSIMD_Q4_GROUPS; g++) {
    extremes[g] = group_extreme(w + g * CSIMD_Q4_GROUP);
    largest = csimd_max(largest, __builtin_fabsf(extremes[g]));
  }
  // Steps that the block's extreme is from 0 with the largest factor.
  static const float steps[] = {7.0f, 7.3f, 7.6f, 7.9f, 8.2f, 8.5f};
  uint32_t best = 0;
  float least = 0;
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    uint32_t word = scale_bits(largest / (steps[i] * CSIMD_Q4_FACTOR_LIMIT)) << 20;
    float scale = csimd_q4_scale(word), total = 0;
    if (scale == 0) {
      continue;
    }
    for (size_t g = 0; g < CSIMD_Q4_GROUPS; g++) {
      float lost;
      int32_t factor = best_factor(w + g * CSIMD_Q4_GROUP, extremes[g], scale, &lost);
      word |= ((uint32_t)factor & 31) << 5 * g;
      total += lost;
    }
    if (best == 0 || total < least) {
      best = word;
      least = total;
    }
  }
  return best;
}

/// Writes the codes of one row and one word of a block.
static void write_row(const float *w, uint32_t word, size_t row, uint8_t *block) {
  memcpy(block + CSIMD_Q4_CODE_BYTES + 4 * row, &word, sizeof word);
  for (size_t g = 0; g < CSIMD_Q4_GROUPS; g++) {
    float step = (float)csimd_q4_factor(word, g) * csimd_q4_scale(word);
    float inverse = step != 0 ? 1.0f / step : 0.0f;
    for (size_t k = g * CSIMD_Q4_GROUP; k < (g + 1) * CSIMD_Q4_GROUP; k++) {
      uint8_t code = (uint8_t)((int)nearest_code(w[k], inverse) + CSIMD_Q4_ZERO);
      uint8_t *pair = block + csimd_q4_code_offset(row, k);
      *pair = row < 16 ? (uint8_t)((*pair & 0xf0) | code) : (uint8_t)((*pair & 15) | code << 4);
    }
  }
}

void csimd_q4_pack_panel(const float *w,
                         size_t w_stride,
                         size_t rows,
                         size_t k,
                         void *panel,
                         double *error,
                         double *energy) {
  double lost = 0, sum = 0;
  for (size_t b = 0; b < csimd_q4_blocks(k); b++) {
    uint8_t *block = (uint8_t *)panel + b * CSIMD_Q4_BLOCK_BYTES;
    size_t first = b * CSIMD_Q4_BLOCK;
    size_t count = k - first < CSIMD_Q4_BLOCK ? k - first : CSIMD_Q4_BLOCK;
    for (size_t row = 0; row < CSIMD_Q4_ROWS; row++) {
      float values[CSIMD_Q4_BLOCK] = {0};
      for (size_t j = 0; row < rows && j < count; j++) {
        // NaN counts as 0 and infinities as the largest finite value, as in activations.
        float value = w[row * w_stride + first + j];
        values[j] = value != value ? 0 : csimd_min(FLT_MAX, csimd_max(-FLT_MAX, value));
      }
      uint32_t word = best_word(values);
      write_row(values, word, row, block);
      if (row >= rows) {
        continue;
      }
      double scale = csimd_q4_scale(word);
      for (size_t j = 0; j < count; j++) {
        int32_t factor = csimd_q4_factor(word, j / CSIMD_Q4_GROUP);
        double stored = (double)(csimd_q4_code(block, row, j) * factor) * scale;
        double given = w[row * w_stride + first + j];
        lost += (given - stored) * (given - stored);
        sum += given * given;
      }
    }
  }
  if (error) {
    *error = lost;
  }
  if (energy) {
    *energy = sum;
  }
}

void csimd_q4_unpack_row(const csimd_q4_weights *w, size_t row, float *out) {
  size_t within = row % CSIMD_Q4_ROWS;
  for (size_t first = 0; first < w->k; first += CSIMD_Q4_BLOCK) {
    const uint8_t *block = csimd_q4_block(w->panels, row, first, w->k);
    uint32_t word = csimd_q4_word(block, within);
    float scale = csimd_q4_scale(word);
    size_t count = w->k - first < CSIMD_Q4_BLOCK ? w->k - first : CSIMD_Q4_BLOCK;
    for (size_t j = 0; j < count; j++) {
      int32_t factor = csimd_q4_factor(word, j / CSIMD_Q4_GROUP);
      out[first + j] = (float)(csimd_q4_code(block, within, j) * factor) * scale;
    }
  }
}
