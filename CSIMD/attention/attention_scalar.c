// SPDX-License-Identifier: Apache-2.0
// Reference: attention of one head, and the store that feeds it.
#include "../internal/scalar_math.h"
#include "attention_layout.h"

#include "../dispatch/infer_prototypes.h"

static float load(const void *values, csimd_type type, size_t index) {
  switch (type) {
    case csimd_i8:
      return ((const int8_t *)values)[index];
    case csimd_f16:
      return csimd_from_f16(((const uint16_t *)values)[index]);
    default:
      return ((const float *)values)[index];
  }
}

static void store(void *values, csimd_type type, size_t index, float x, float scale) {
  switch (type) {
    case csimd_i8:
      ((int8_t *)values)[index] = csimd_code(x, scale);
      break;
    case csimd_f16:
      ((uint16_t *)values)[index] = csimd_to_f16(x);
      break;
    default:
      ((float *)values)[index] = x;
  }
}

static void attend(const csimd_attention_args *args, size_t query) {
  const float *q = args->q + query * args->q_stride;
  float *out = args->out + query * args->out_stride;
  float *p = args->scratch;
  csimd_key_range keys = csimd_visible_keys(args, query);

  float maximum = -__builtin_inff();
  for (size_t key = keys.first; key < keys.end; key++) {
    float score = 0;
    for (size_t d = 0; d < args->head_dim; d++) {
      size_t index = csimd_key_index(key, d, args->head_dim);
      score = csimd_fma(q[d], load(args->k, args->kv, index), score);
    }
    if (args->kv == csimd_i8) {
      score = score * args->k_scales[key];
    }
    p[key] = score * args->scale;
    maximum = csimd_max(maximum, p[key]);
  }

  float lanes[CSIMD_LANES] = {0};
  for (size_t key = keys.first; key < keys.end; key++) {
    p[key] = csimd_exp(p[key] - maximum);
    lanes[key % CSIMD_LANES] = lanes[key % CSIMD_LANES] + p[key];
  }
  float sum = csimd_reduce(lanes);
  for (size_t key = keys.first; args->kv == csimd_i8 && key < keys.end; key++) {
    p[key] = p[key] * args->v_scales[key];
  }

  for (size_t d = 0; d < args->head_dim; d++) {
    float total = 0;
    for (size_t key = keys.first; key < keys.end; key++) {
      total = csimd_fma(p[key], load(args->v, args->kv, key * args->head_dim + d), total);
    }
    out[d] = total / sum;
  }
}

void csimd_attention__scalar(const csimd_attention_args *args) {
  csimd_check_attention(args);
  for (size_t query = 0; query < args->queries; query++) {
    attend(args, query);
  }
}

size_t csimd_attention_scratch(size_t keys, size_t head_dim) {
  (void)head_dim;
  return CSIMD_QUERY_TILE * csimd_score_stride(keys);
}

void csimd_kv_store__scalar(const float *k,
                            const float *v,
                            size_t stride,
                            size_t tokens,
                            size_t head_dim,
                            size_t first,
                            csimd_type type,
                            void *k_blocks,
                            void *v_rows,
                            float *k_scales,
                            float *v_scales) {
  csimd_check_store(type, k_scales, v_scales);
  for (size_t t = 0; t < tokens; t++) {
    const float *key = k + t * stride, *value = v + t * stride;
    float key_scale = 0, value_scale = 0;
    if (type == csimd_i8) {
      k_scales[first + t] = key_scale = csimd_row_scale(key, head_dim);
      v_scales[first + t] = value_scale = csimd_row_scale(value, head_dim);
    }
    for (size_t d = 0; d < head_dim; d++) {
      size_t index = csimd_key_index(first + t, d, head_dim);
      store(k_blocks, type, index, key[d], key_scale);
      store(v_rows, type, (first + t) * head_dim + d, value[d], value_scale);
    }
  }
}
