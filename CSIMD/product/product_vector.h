// SPDX-License-Identifier: Apache-2.0
// Bodies of f32_product, and of bf16_product where bf16 is widened: panels of f32.
//
// The including file defines PRODUCT_ROWS and PRODUCT_COLUMNS, see product_blocks.h.
#include <string.h>

typedef enum product_source { product_f32, product_f32_rounded, product_bf16 } product_source;

#define PRODUCT_DEPTH 1
#define PRODUCT_ADD(acc, a, b) v16_fma(a, b, acc)

/// Up to 16 stored values from `index` on, as f32.
CSIMD_INLINE v16 product_load(const void *data,
                              size_t index,
                              size_t n,
                              const product_source source) {
  if (source == product_bf16) {
    const uint16_t *p = (const uint16_t *)data + index;
    return v16_from_bf16(n >= 16 ? v16_bits16_load(p) : v16_bits16_load_n(p, n));
  }
  const float *p = (const float *)data + index;
  v16 x = n >= 16 ? v16_load(p) : v16_load_n(p, n);
  return source == product_f32_rounded ? v16_from_bf16(v16_to_bf16(x)) : x;
}

/// Stored rows run along k: blocks of 16 lanes by 16 steps are transposed.
CSIMD_INLINE void product_pack_by_lane(const void *data,
                                       size_t stride,
                                       size_t lanes,
                                       size_t depth,
                                       float *panel,
                                       const int width,
                                       const product_source source) {
  for (int l = 0; l < width; l += 16) {
    const int own = width - l < 16 ? width - l : 16;
    size_t valid = lanes > (size_t)l ? lanes - (size_t)l : 0;
    for (size_t p = 0; p < depth; p += 16) {
      size_t left = depth - p < 16 ? depth - p : 16;
      v16 r[16];
      CSIMD_UNROLL
      for (int i = 0; i < 16; i++) {
        r[i] = i < own && (size_t)i < valid
                   ? product_load(data, (size_t)(l + i) * stride + p, left, source)
                   : v16_zero();
      }
      v16_transpose(r);
      CSIMD_UNROLL
      for (int i = 0; i < 16; i++) {
        if ((size_t)i < left) {
          float *target = panel + (p + (size_t)i) * (size_t)width + l;
          if (own == 16) {
            v16_store(target, r[i]);
          } else {
            v16_store_n(target, r[i], (size_t)own);
          }
        }
      }
    }
  }
}

/// Stored rows run along the lanes: they are copied.
CSIMD_INLINE void product_pack_by_step(const void *data,
                                       size_t stride,
                                       size_t lanes,
                                       size_t depth,
                                       float *panel,
                                       const int width,
                                       const product_source source) {
  for (size_t p = 0; p < depth; p++) {
    float *target = panel + p * (size_t)width;
    CSIMD_UNROLL
    for (int l = 0; l < width; l += 16) {
      const int own = width - l < 16 ? width - l : 16;
      size_t valid = lanes > (size_t)l ? lanes - (size_t)l : 0;
      valid = valid < (size_t)own ? valid : (size_t)own;
      v16 x = valid > 0 ? product_load(data, p * stride + (size_t)l, valid, source) : v16_zero();
      if (own == 16) {
        v16_store(target + l, x);
      } else {
        v16_store_n(target + l, x, (size_t)own);
      }
    }
  }
}

CSIMD_INLINE void product_pack_source(const csimd_operand *o,
                                      bool by_lane,
                                      size_t lane,
                                      size_t lanes,
                                      size_t p,
                                      size_t depth,
                                      float *panel,
                                      const int width,
                                      const product_source source) {
  size_t start = by_lane ? lane * o->stride + p : p * o->stride + lane;
  const char *data = (const char *)o->data + start * (source == product_bf16 ? 2 : 4);
  if (by_lane) {
    product_pack_by_lane(data, o->stride, lanes, depth, panel, width, source);
  } else {
    product_pack_by_step(data, o->stride, lanes, depth, panel, width, source);
  }
}

/// One panel; `rounds`: f32 values are rounded to bf16.
CSIMD_INLINE void product_pack(const csimd_operand *o,
                               bool by_lane,
                               size_t lane,
                               size_t lanes,
                               size_t p,
                               size_t depth,
                               float *panel,
                               const int width,
                               const bool rounds) {
  if (o->type == csimd_bf16) {
    product_pack_source(o, by_lane, lane, lanes, p, depth, panel, width, product_bf16);
  } else if (rounds) {
    product_pack_source(o, by_lane, lane, lanes, p, depth, panel, width, product_f32_rounded);
  } else {
    product_pack_source(o, by_lane, lane, lanes, p, depth, panel, width, product_f32);
  }
}

#include "product_blocks.h"

void CSIMD_NAME(f32_product)(const csimd_product *x) {
  run_product(x, false);
}

void CSIMD_NAME(bf16_product)(const csimd_product *x) {
  run_product(x, true);
}
