// SPDX-License-Identifier: Apache-2.0
// Body of rotary.

/// Rotates sixteen pairs in place.
CSIMD_INLINE void rotate(v16 *a, v16 *b, v16 cosine, v16 sine) {
  v16 first = v16_fma(*a, cosine, v16_negate(v16_mul(*b, sine)));
  *b = v16_fma(*b, cosine, v16_mul(*a, sine));
  *a = first;
}

void CSIMD_NAME(rotary)(float *x,
                        size_t x_stride,
                        size_t m,
                        size_t heads,
                        size_t dim,
                        const float *cosines,
                        const float *sines,
                        size_t angle_stride) {
  size_t half = dim / 2, whole = half / 16 * 16, left = half - whole;
  for (size_t i = 0; i < m; i++) {
    const float *cosine = cosines + i * angle_stride, *sine = sines + i * angle_stride;
    for (size_t h = 0; h < heads; h++) {
      float *first = x + i * x_stride + h * dim, *second = first + half;
      for (size_t j = 0; j < whole; j += 16) {
        v16 a = v16_load(first + j), b = v16_load(second + j);
        rotate(&a, &b, v16_load(cosine + j), v16_load(sine + j));
        v16_store(first + j, a);
        v16_store(second + j, b);
      }
      if (left > 0) {
        v16 a = v16_load_n(first + whole, left), b = v16_load_n(second + whole, left);
        rotate(&a, &b, v16_load_n(cosine + whole, left), v16_load_n(sine + whole, left));
        v16_store_n(first + whole, a, left);
        v16_store_n(second + whole, b, left);
      }
    }
  }
}
