// SPDX-License-Identifier: Apache-2.0
// Four f32 lanes, the end of every sixteen-lane sum: included inside a region by both x86 levels.
#ifndef CSIMD_INTERNAL_VEC_X86_H
#define CSIMD_INTERNAL_VEC_X86_H

#include "region.h"

typedef __m128 v4;

CSIMD_INLINE v4 v4_load(const float *p) {
  return _mm_loadu_ps(p);
}

CSIMD_INLINE void v4_store(float *p, v4 x) {
  _mm_storeu_ps(p, x);
}

CSIMD_INLINE v4 v4_add(v4 a, v4 b) {
  return _mm_add_ps(a, b);
}

/// Lanes l + 2, then l + 1 onto l.
CSIMD_INLINE float v4_reduce(v4 x) {
  __m128 two = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/// v4_reduce of four vectors in the order of four columns.
CSIMD_INLINE v4 v4_reduce4(v4 a, v4 b, v4 c, v4 d) {
  __m128 ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
  __m128 cd = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
  return _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
}

#endif
