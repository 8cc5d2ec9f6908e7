// SPDX-License-Identifier: Apache-2.0
// Body of q8_unpack: 16 rows by 64 columns of codes are transposed as words of four.
#include "../internal/q8_panel.h"
#include "../internal/vec_math.h"

/// Up to 16 codes as values times the row's scale.
CSIMD_INLINE void q8_unpack_16(
    const int8_t *codes, float scale, csimd_type type, void *out, size_t index, size_t n) {
  __m128i signs = _mm_set1_epi8((char)0x80);
  __m128i values = _mm_xor_si128(_mm_loadu_si128((const __m128i *)codes), signs);
  v16 x = v16_mul(v16_from_s8(values), v16_set(scale));
  if (type == csimd_bf16) {
    uint16_t *target = (uint16_t *)out + index;
    if (n >= 16) {
      v16_bits16_store(target, v16_to_bf16(x));
    } else {
      v16_bits16_store_n(target, v16_to_bf16(x), n);
    }
  } else if (n >= 16) {
    v16_store((float *)out + index, x);
  } else {
    v16_store_n((float *)out + index, x, n);
  }
}

void CSIMD_NAME(q8_unpack)(const csimd_q8_weights *w,
                           size_t first_row,
                           size_t rows,
                           size_t first_column,
                           size_t columns,
                           csimd_type type,
                           void *out,
                           size_t out_stride) {
  const uint8_t *bytes = w->panels;
  size_t stored = csimd_q8_groups(w->k, w->group) * w->group;
  for (size_t row = 0; row < rows; row += 16) {
    size_t height = rows - row < 16 ? rows - row : 16;
    for (size_t column = 0; column < columns; column += 64) {
      v16 words[16];
      CSIMD_UNROLL
      for (size_t q = 0; q < 16; q++) {
        size_t k = first_column + column + 4 * q;
        words[q] = v16_zero();
        if (k < stored) {
          size_t offset = csimd_q8_code_offset(first_row + row, k, w->k, w->group);
          words[q] = v16_load((const float *)(const void *)(bytes + offset));
        }
      }
      v16_transpose(words);
      for (size_t i = 0; i < height; i++) {
        float codes[16];
        v16_store(codes, words[i]);
        for (size_t part = 0; part < 64 && column + part < columns; part += 16) {
          size_t k = first_column + column + part;
          float scale;
          size_t offset = csimd_q8_scale_offset(first_row + row + i, k, w->k, w->group);
          memcpy(&scale, bytes + offset, sizeof scale);
          q8_unpack_16((const int8_t *)codes + part,
                       scale,
                       type,
                       out,
                       (row + i) * out_stride + column + part,
                       columns - column - part);
        }
      }
    }
  }
}
