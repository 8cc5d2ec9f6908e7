// SPDX-License-Identifier: Apache-2.0
// Sixteen f32 lanes in four NEON registers: what both ARM levels share of the vocabulary of the
// kernel bodies. `vec_neondot.h` and `vec_neoni8mm.h` add names, bf16 rounding and int8 products.
#ifndef CSIMD_INTERNAL_VEC_NEON_H
#define CSIMD_INTERNAL_VEC_NEON_H

#include "region.h"
#include "tail_bytes.h"

#include <stddef.h>
#include <stdint.h>

// Every ARMv8 processor runs what stands here, so no region is needed.

typedef float32x4_t v4;

/// Lanes 4q … 4q + 3 in q[q].
typedef struct v16 {
  float32x4_t q[4];
} v16;

typedef struct v16i {
  int32x4_t q[4];
} v16i;

/// Sixteen 16-bit floats.
typedef struct v16_bits16 {
  uint16x8_t low, high;
} v16_bits16;

// The body of a function whose result is one expression in each quarter `q`.
#define CSIMD_NEON_QUARTERS(type, expression) \
  type result;                                \
  CSIMD_UNROLL                                \
  for (int q = 0; q < 4; q++) {               \
    result.q[q] = expression;                 \
  }                                           \
  return result

/// All ones in the lanes of quarter `q` that are below n.
CSIMD_INLINE uint32x4_t v16_mask(size_t n, int q) {
  const uint32_t lanes[4] = {0, 1, 2, 3};
  uint32x4_t index = vaddq_u32(vld1q_u32(lanes), vdupq_n_u32(4 * (uint32_t)q));
  return vcltq_u32(index, vdupq_n_u32((uint32_t)n));
}

/// Has sums in registers here, and later loads later: left alone, the compiler overlaps the steps
/// of a tile until its sums no longer fit.
CSIMD_INLINE void csimd_settle2(int32x4_t *a, int32x4_t *b) {
  __asm__ volatile("" : "+w"(*a), "+w"(*b)::"memory");
}

CSIMD_INLINE void csimd_settle(int32x4_t sums[4]) {
  csimd_settle2(&sums[0], &sums[1]);
  csimd_settle2(&sums[2], &sums[3]);
}

// MARK: - Four lanes

CSIMD_INLINE v4 v4_load(const float *p) {
  return vld1q_f32(p);
}

CSIMD_INLINE void v4_store(float *p, v4 x) {
  vst1q_f32(p, x);
}

/// The first n lanes, the others are 0; n may be 4 or more.
CSIMD_INLINE v4 v4_load_n(const float *p, size_t n) {
  if (n >= 4) {
    return vld1q_f32(p);
  }
  v4 x = vdupq_n_f32(0);
  if (n >= 2) {
    x = vcombine_f32(vld1_f32(p), vdup_n_f32(0));
    return n == 3 ? vld1q_lane_f32(p + 2, x, 2) : x;
  }
  return n == 1 ? vld1q_lane_f32(p, x, 0) : x;
}

CSIMD_INLINE void v4_store_n(float *p, v4 x, size_t n) {
  if (n >= 4) {
    vst1q_f32(p, x);
  } else if (n >= 2) {
    vst1_f32(p, vget_low_f32(x));
    if (n == 3) {
      vst1q_lane_f32(p + 2, x, 2);
    }
  } else if (n == 1) {
    vst1q_lane_f32(p, x, 0);
  }
}

CSIMD_INLINE v4 v4_add(v4 a, v4 b) {
  return vaddq_f32(a, b);
}

/// Lanes l + 2, then l + 1 onto l.
CSIMD_INLINE float v4_reduce(v4 x) {
  float32x2_t two = vadd_f32(vget_low_f32(x), vget_high_f32(x));
  return vget_lane_f32(vpadd_f32(two, two), 0);
}

/// v4_reduce of four vectors in the order of four columns.
CSIMD_INLINE v4 v4_reduce4(v4 a, v4 b, v4 c, v4 d) {
  float32x2_t fa = vadd_f32(vget_low_f32(a), vget_high_f32(a));
  float32x2_t fb = vadd_f32(vget_low_f32(b), vget_high_f32(b));
  float32x2_t fc = vadd_f32(vget_low_f32(c), vget_high_f32(c));
  float32x2_t fd = vadd_f32(vget_low_f32(d), vget_high_f32(d));
  return vpaddq_f32(vcombine_f32(fa, fb), vcombine_f32(fc, fd));
}

// MARK: - Loads and stores; the suffix _n means the first n < 16 lanes, the others load as 0

CSIMD_INLINE v16 v16_set(float x) {
  CSIMD_NEON_QUARTERS(v16, vdupq_n_f32(x));
}

CSIMD_INLINE v16 v16_zero(void) {
  return v16_set(0);
}

CSIMD_INLINE v16 v16_load(const float *p) {
  CSIMD_NEON_QUARTERS(v16, vld1q_f32(p + 4 * q));
}

CSIMD_INLINE v16 v16_load_n(const float *p, size_t n) {
  v16 x = v16_zero();
  CSIMD_UNROLL
  for (size_t q = 0; q < 4; q++) {
    if (n > 4 * q) {
      x.q[q] = v4_load_n(p + 4 * q, n - 4 * q);
    }
  }
  return x;
}

CSIMD_INLINE void v16_store(float *p, v16 x) {
  CSIMD_UNROLL
  for (int q = 0; q < 4; q++) {
    vst1q_f32(p + 4 * q, x.q[q]);
  }
}

CSIMD_INLINE void v16_store_n(float *p, v16 x, size_t n) {
  CSIMD_UNROLL
  for (size_t q = 0; q < 4; q++) {
    if (n > 4 * q) {
      v4_store_n(p + 4 * q, x.q[q], n - 4 * q);
    }
  }
}

CSIMD_INLINE v16_bits16 v16_bits16_load(const uint16_t *p) {
  return (v16_bits16){vld1q_u16(p), vld1q_u16(p + 8)};
}

// NEON has no masks.

/// The first n bytes of sixteen, the others are 0.
CSIMD_INLINE uint8x16_t v16_bytes_load_n(const void *p, size_t n) {
  const uint8_t *at = p;
  if (n >= 16) {
    return vld1q_u8(at);
  }
  if (n >= 8) {
    return vcombine_u8(vld1_u8(at), vcreate_u8(csimd_tail_bytes(at + 8, n - 8)));
  }
  return vcombine_u8(vcreate_u8(csimd_tail_bytes(at, n)), vdup_n_u8(0));
}

CSIMD_INLINE v16_bits16 v16_bits16_load_n(const uint16_t *p, size_t n) {
  v16_bits16 x = {vreinterpretq_u16_u8(v16_bytes_load_n(p, 2 * n)), vdupq_n_u16(0)};
  if (n > 8) {
    x.high = vreinterpretq_u16_u8(v16_bytes_load_n(p + 8, 2 * n - 16));
  }
  return x;
}

CSIMD_INLINE void v16_bits16_store(uint16_t *p, v16_bits16 x) {
  vst1q_u16(p, x.low);
  vst1q_u16(p + 8, x.high);
}

CSIMD_INLINE void v16_bits16_store_n(uint16_t *p, v16_bits16 x, size_t n) {
  uint16_t buffer[16];
  v16_bits16_store(buffer, x);
  __builtin_memcpy(p, buffer, n * sizeof *p);
}

CSIMD_INLINE int8x16_t v16_bits8_load(const int8_t *p) {
  return vld1q_s8(p);
}

CSIMD_INLINE int8x16_t v16_bits8_load_n(const int8_t *p, size_t n) {
  return vreinterpretq_s8_u8(v16_bytes_load_n(p, n));
}

// MARK: - Arithmetic

CSIMD_INLINE v16 v16_add(v16 a, v16 b) {
  CSIMD_NEON_QUARTERS(v16, vaddq_f32(a.q[q], b.q[q]));
}

CSIMD_INLINE v16 v16_sub(v16 a, v16 b) {
  CSIMD_NEON_QUARTERS(v16, vsubq_f32(a.q[q], b.q[q]));
}

CSIMD_INLINE v16 v16_mul(v16 a, v16 b) {
  CSIMD_NEON_QUARTERS(v16, vmulq_f32(a.q[q], b.q[q]));
}

CSIMD_INLINE v16 v16_div(v16 a, v16 b) {
  CSIMD_NEON_QUARTERS(v16, vdivq_f32(a.q[q], b.q[q]));
}

CSIMD_INLINE v16 v16_fma(v16 a, v16 b, v16 c) {
  CSIMD_NEON_QUARTERS(v16, vfmaq_f32(c.q[q], a.q[q], b.q[q]));
}

/// a · b + c in the first n lanes, c in the others.
CSIMD_INLINE v16 v16_fma_n(v16 a, v16 b, v16 c, size_t n) {
  v16 sum = v16_fma(a, b, c);
  CSIMD_NEON_QUARTERS(v16, vbslq_f32(v16_mask(n, q), sum.q[q], c.q[q]));
}

// FMIN and FMAX treat NaN and zeros of both signs otherwise than the reference: the second operand
// is the result when either is NaN or both are zeros.
CSIMD_INLINE v16 v16_min(v16 a, v16 b) {
  CSIMD_NEON_QUARTERS(v16, vbslq_f32(vcltq_f32(a.q[q], b.q[q]), a.q[q], b.q[q]));
}

CSIMD_INLINE v16 v16_max(v16 a, v16 b) {
  CSIMD_NEON_QUARTERS(v16, vbslq_f32(vcgtq_f32(a.q[q], b.q[q]), a.q[q], b.q[q]));
}

CSIMD_INLINE v16 v16_abs(v16 x) {
  CSIMD_NEON_QUARTERS(v16, vabsq_f32(x.q[q]));
}

CSIMD_INLINE v16 v16_negate(v16 x) {
  CSIMD_NEON_QUARTERS(v16, vnegq_f32(x.q[q]));
}

CSIMD_INLINE v16 v16_sqrt(v16 x) {
  CSIMD_NEON_QUARTERS(v16, vsqrtq_f32(x.q[q]));
}

/// yes where x > 0, no elsewhere (NaN included).
CSIMD_INLINE v16 v16_if_positive(v16 x, v16 yes, v16 no) {
  CSIMD_NEON_QUARTERS(v16, vbslq_f32(vcgtzq_f32(x.q[q]), yes.q[q], no.q[q]));
}

/// x where it is a number, 0 where it is NaN.
CSIMD_INLINE v16 v16_nan_to_zero(v16 x) {
  CSIMD_NEON_QUARTERS(v16, vbslq_f32(vceqq_f32(x.q[q], x.q[q]), x.q[q], vdupq_n_f32(0)));
}

/// x in lanes first … end - 1, `other` elsewhere.
CSIMD_INLINE v16 v16_keep(v16 x, size_t first, size_t end, v16 other) {
  CSIMD_NEON_QUARTERS(
      v16, vbslq_f32(vbicq_u32(v16_mask(end, q), v16_mask(first, q)), x.q[q], other.q[q]));
}

/// p · 2^n, n = rounded - 1.5 · 2^23, in two factors so that the result is rounded once.
CSIMD_INLINE v4 v4_scale_by_power(v4 p, v4 rounded, float round) {
  int32x4_t bias = vdupq_n_s32(127);
  int32x4_t whole =
      vsubq_s32(vreinterpretq_s32_f32(rounded), vreinterpretq_s32_f32(vdupq_n_f32(round)));
  int32x4_t half = vshrq_n_s32(whole, 1);
  int32x4_t rest = vsubq_s32(whole, half);
  v4 first = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(half, bias), 23));
  v4 second = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(rest, bias), 23));
  return vmulq_f32(vmulq_f32(p, first), second);
}

CSIMD_INLINE v16 v16_scale_by_power(v16 p, v16 rounded, float round) {
  CSIMD_NEON_QUARTERS(v16, v4_scale_by_power(p.q[q], rounded.q[q], round));
}

// MARK: - Reductions

/// Lanes l + 8, then l + 4 onto l.
CSIMD_INLINE v4 v16_fold4(v16 x) {
  return vaddq_f32(vaddq_f32(x.q[0], x.q[2]), vaddq_f32(x.q[1], x.q[3]));
}

/// The largest lane; none may be NaN.
CSIMD_INLINE float v16_reduce_max(v16 x) {
  return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.q[0], x.q[1]), vmaxq_f32(x.q[2], x.q[3])));
}

// MARK: - 16-bit floats

CSIMD_INLINE v16 v16_from_bf16(v16_bits16 x) {
  return (v16){{vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(x.low), 16)),
                vreinterpretq_f32_u32(vshll_high_n_u16(x.low, 16)),
                vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(x.high), 16)),
                vreinterpretq_f32_u32(vshll_high_n_u16(x.high, 16))}};
}

/// The first bf16 of each lane's pair, as f32.
CSIMD_INLINE v16 v16_pair_low(v16 pair) {
  v16 low;
  CSIMD_UNROLL
  for (int i = 0; i < 4; i++) {
    low.q[i] = vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(pair.q[i]), 16));
  }
  return low;
}

/// The second bf16 of each lane's pair, as f32.
CSIMD_INLINE v16 v16_pair_high(v16 pair) {
  v16 high;
  uint32x4_t mask = vdupq_n_u32(0xffff0000);
  CSIMD_UNROLL
  for (int i = 0; i < 4; i++) {
    high.q[i] = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(pair.q[i]), mask));
  }
  return high;
}

/// Pairs of values that are bf16 already.
CSIMD_INLINE v16 v16_pair_join(v16 low, v16 high) {
  v16 pair;
  CSIMD_UNROLL
  for (int i = 0; i < 4; i++) {
    uint32x4_t first = vshrq_n_u32(vreinterpretq_u32_f32(low.q[i]), 16);
    pair.q[i] = vreinterpretq_f32_u32(vorrq_u32(first, vreinterpretq_u32_f32(high.q[i])));
  }
  return pair;
}

CSIMD_INLINE v16 v16_from_f16(v16_bits16 x) {
  float16x8_t low = vreinterpretq_f16_u16(x.low), high = vreinterpretq_f16_u16(x.high);
  return (v16){{vcvt_f32_f16(vget_low_f16(low)),
                vcvt_high_f32_f16(low),
                vcvt_f32_f16(vget_low_f16(high)),
                vcvt_high_f32_f16(high)}};
}

CSIMD_INLINE v16_bits16 v16_to_f16(v16 x) {
  return (v16_bits16){
      vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(x.q[0]), x.q[1])),
      vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(x.q[2]), x.q[3])),
  };
}

// MARK: - Integers

CSIMD_INLINE v16i v16i_set(int32_t x) {
  CSIMD_NEON_QUARTERS(v16i, vdupq_n_s32(x));
}

CSIMD_INLINE v16i v16i_zero(void) {
  return v16i_set(0);
}

CSIMD_INLINE v16i v16i_add(v16i a, v16i b) {
  CSIMD_NEON_QUARTERS(v16i, vaddq_s32(a.q[q], b.q[q]));
}

CSIMD_INLINE int32_t v16i_reduce(v16i x) {
  return vaddvq_s32(vaddq_s32(vaddq_s32(x.q[0], x.q[1]), vaddq_s32(x.q[2], x.q[3])));
}

CSIMD_INLINE v16 v16_from_int(v16i x) {
  CSIMD_NEON_QUARTERS(v16, vcvtq_f32_s32(x.q[q]));
}

/// Sixteen bytes, widened exactly.
CSIMD_INLINE v16 v16_from_s8(int8x16_t x) {
  int16x8_t low = vmovl_s8(vget_low_s8(x)), high = vmovl_high_s8(x);
  return (v16){{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                vcvtq_f32_s32(vmovl_high_s16(low)),
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                vcvtq_f32_s32(vmovl_high_s16(high))}};
}

/// Nearest integers, ties to even.
CSIMD_INLINE v16i v16_to_int(v16 x) {
  CSIMD_NEON_QUARTERS(v16i, vcvtnq_s32_f32(x.q[q]));
}

/// Stores 16 integers that fit a byte.
CSIMD_INLINE void v16i_store_s8(int8_t *p, v16i x) {
  int16x8_t low = vmovn_high_s32(vmovn_s32(x.q[0]), x.q[1]);
  int16x8_t high = vmovn_high_s32(vmovn_s32(x.q[2]), x.q[3]);
  vst1q_s8(p, vmovn_high_s16(vmovn_s16(low), high));
}

// MARK: - Transposition

CSIMD_INLINE void v4_transpose(v4 r[4]) {
  float32x4x2_t upper = vtrnq_f32(r[0], r[1]), lower = vtrnq_f32(r[2], r[3]);
  r[0] = vcombine_f32(vget_low_f32(upper.val[0]), vget_low_f32(lower.val[0]));
  r[1] = vcombine_f32(vget_low_f32(upper.val[1]), vget_low_f32(lower.val[1]));
  r[2] = vcombine_f32(vget_high_f32(upper.val[0]), vget_high_f32(lower.val[0]));
  r[3] = vcombine_f32(vget_high_f32(upper.val[1]), vget_high_f32(lower.val[1]));
}

/// Transposes a 16 × 16 matrix given by its rows: sixteen blocks of 4 × 4.
CSIMD_INLINE void v16_transpose(v16 r[16]) {
  v16 x[16];
  CSIMD_UNROLL
  for (int i = 0; i < 16; i += 4) {
    CSIMD_UNROLL
    for (int q = 0; q < 4; q++) {
      v4 block[4] = {r[i].q[q], r[i + 1].q[q], r[i + 2].q[q], r[i + 3].q[q]};
      v4_transpose(block);
      CSIMD_UNROLL
      for (int j = 0; j < 4; j++) {
        x[4 * q + j].q[i / 4] = block[j];
      }
    }
  }
  CSIMD_UNROLL
  for (int i = 0; i < 16; i++) {
    r[i] = x[i];
  }
}

#endif
