// SPDX-License-Identifier: Apache-2.0
// Bodies of the conversions between f32 and the 16-bit floats.

#define CONVERT_UP(name, convert)                                                  \
  void CSIMD_NAME(name)(const uint16_t *x, float *y, size_t count) {               \
    size_t i = 0;                                                                  \
    for (; i + 16 <= count; i += 16) {                                             \
      v16_store(y + i, convert(v16_bits16_load(x + i)));                           \
    }                                                                              \
    if (i < count) {                                                               \
      v16_store_n(y + i, convert(v16_bits16_load_n(x + i, count - i)), count - i); \
    }                                                                              \
  }

#define CONVERT_DOWN(name, convert)                                                \
  void CSIMD_NAME(name)(const float *x, uint16_t *y, size_t count) {               \
    size_t i = 0;                                                                  \
    for (; i + 16 <= count; i += 16) {                                             \
      v16_bits16_store(y + i, convert(v16_load(x + i)));                           \
    }                                                                              \
    if (i < count) {                                                               \
      v16_bits16_store_n(y + i, convert(v16_load_n(x + i, count - i)), count - i); \
    }                                                                              \
  }

CONVERT_UP(bf16_to_f32, v16_from_bf16)
CONVERT_UP(f16_to_f32, v16_from_f16)
CONVERT_DOWN(f32_to_bf16, v16_to_bf16)
CONVERT_DOWN(f32_to_f16, v16_to_f16)
