// SPDX-License-Identifier: Apache-2.0
// Bodies of add and scale.

void CSIMD_NAME(add)(const float *x, float *y, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    v16_store(y + i, v16_add(v16_load(y + i), v16_load(x + i)));
  }
  if (i < count) {
    size_t left = count - i;
    v16_store_n(y + i, v16_add(v16_load_n(y + i, left), v16_load_n(x + i, left)), left);
  }
}

void CSIMD_NAME(scale)(float s, float *x, size_t count) {
  v16 factor = v16_set(s);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    v16_store(x + i, v16_mul(v16_load(x + i), factor));
  }
  if (i < count) {
    v16_store_n(x + i, v16_mul(v16_load_n(x + i, count - i), factor), count - i);
  }
}
