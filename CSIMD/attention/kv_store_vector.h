// SPDX-License-Identifier: Apache-2.0
// Body of kv_store: keys into blocks of 16, values into rows, both rounded to the stored type.
#include "../internal/vec_codes.h"

/// Rounds sixteen values and stores them at element `index`; `kv` is a constant after inlining.
CSIMD_INLINE void store_cached(
    void *values, const csimd_type kv, size_t index, v16 x, v16 divisor) {
  switch (kv) {
    case csimd_i8:
      v16i_store_s8((int8_t *)values + index, v16_codes(x, divisor));
      break;
    case csimd_f16:
      v16_bits16_store((uint16_t *)values + index, v16_to_f16(x));
      break;
    default:
      v16_store((float *)values + index, x);
  }
}

/// The scale of a row, kept in `scales`, as what its values are divided by.
CSIMD_INLINE v16
row_divisor(const float *x, size_t dims, const csimd_type kv, float *scales, size_t key) {
  if (kv != csimd_i8) {
    return v16_zero();
  }
  scales[key] = v16_code_scale(x, dims);
  return v16_set(csimd_code_divisor(scales[key]));
}

/// Sixteen tokens of keys that fill one block, sixteen dims at a time.
CSIMD_INLINE void store_key_block(const float *k,
                                  size_t stride,
                                  size_t dims,
                                  size_t block,
                                  const csimd_type kv,
                                  void *k_blocks,
                                  float *scales) {
  v16 divisors = v16_zero();
  if (kv == csimd_i8) {
    // Tokens are lanes once transposed, and so are their scales.
    float lanes[CSIMD_KEY_BLOCK];
    for (size_t t = 0; t < CSIMD_KEY_BLOCK; t++) {
      float scale = v16_code_scale(k + t * stride, dims);
      scales[block * CSIMD_KEY_BLOCK + t] = scale;
      lanes[t] = csimd_code_divisor(scale);
    }
    divisors = v16_load(lanes);
  }
  for (size_t dim = 0; dim < dims; dim += 16) {
    size_t width = dims - dim < 16 ? dims - dim : 16;
    v16 rows[16];
    for (size_t t = 0; t < 16; t++) {
      rows[t] = v16_load_up_to(k + t * stride + dim, width);
    }
    v16_transpose(rows);
    for (size_t d = 0; d < width; d++) {
      size_t index = (block * dims + dim + d) * CSIMD_KEY_BLOCK;
      store_cached(k_blocks, kv, index, rows[d], divisors);
    }
  }
}

/// One token of keys, its dims a block width apart.
CSIMD_INLINE void store_key(
    const float *k, size_t dims, size_t key, const csimd_type kv, void *k_blocks, float *scales) {
  v16 divisor = row_divisor(k, dims, kv, scales, key);
  for (size_t dim = 0; dim < dims; dim += 16) {
    size_t width = dims - dim < 16 ? dims - dim : 16;
    size_t index = csimd_key_index(key, dim, dims);
    float lanes[16];  // room for sixteen elements of any type
    store_cached(lanes, kv, 0, v16_load_up_to(k + dim, width), divisor);
    for (size_t d = 0; d < width; d++) {
      size_t target = index + d * CSIMD_KEY_BLOCK;
      switch (kv) {
        case csimd_i8:
          ((int8_t *)k_blocks)[target] = ((const int8_t *)lanes)[d];
          break;
        case csimd_f16:
          ((uint16_t *)k_blocks)[target] = ((const uint16_t *)lanes)[d];
          break;
        default:
          ((float *)k_blocks)[target] = lanes[d];
      }
    }
  }
}

CSIMD_INLINE void store_value(
    const float *v, size_t dims, size_t key, const csimd_type kv, void *v_rows, float *scales) {
  v16 divisor = row_divisor(v, dims, kv, scales, key);
  size_t dim = 0, index = key * dims;
  for (; dim + 16 <= dims; dim += 16) {
    store_cached(v_rows, kv, index + dim, v16_load(v + dim), divisor);
  }
  if (dim < dims) {
    size_t left = dims - dim, size = csimd_cached_size(kv);
    float lanes[16];
    store_cached(lanes, kv, 0, v16_load_n(v + dim, left), divisor);
    __builtin_memcpy((char *)v_rows + (index + dim) * size, lanes, left * size);
  }
}

CSIMD_INLINE void store_all(const float *k,
                            const float *v,
                            size_t stride,
                            size_t tokens,
                            size_t dims,
                            size_t first,
                            const csimd_type kv,
                            void *k_blocks,
                            void *v_rows,
                            float *k_scales,
                            float *v_scales) {
  for (size_t t = 0; t < tokens;) {
    size_t key = first + t;
    if (key % CSIMD_KEY_BLOCK == 0 && tokens - t >= CSIMD_KEY_BLOCK) {
      store_key_block(k + t * stride, stride, dims, key / CSIMD_KEY_BLOCK, kv, k_blocks, k_scales);
      t += CSIMD_KEY_BLOCK;
    } else {
      store_key(k + t * stride, dims, key, kv, k_blocks, k_scales);
      t += 1;
    }
  }
  for (size_t t = 0; t < tokens; t++) {
    store_value(v + t * stride, dims, first + t, kv, v_rows, v_scales);
  }
}

void CSIMD_NAME(kv_store)(const float *k,
                          const float *v,
                          size_t stride,
                          size_t tokens,
                          size_t dims,
                          size_t first,
                          csimd_type type,
                          void *k_blocks,
                          void *v_rows,
                          float *k_scales,
                          float *v_scales) {
  csimd_check_store(type, k_scales, v_scales);
  switch (type) {
    case csimd_i8:
      store_all(k, v, stride, tokens, dims, first, csimd_i8, k_blocks, v_rows, k_scales, v_scales);
      break;
    case csimd_f16:
      store_all(k, v, stride, tokens, dims, first, csimd_f16, k_blocks, v_rows, NULL, NULL);
      break;
    default:
      store_all(k, v, stride, tokens, dims, first, csimd_f32, k_blocks, v_rows, NULL, NULL);
  }
}
