// SPDX-License-Identifier: Apache-2.0
// Reference: attention in bf16 of one head, and the store that feeds it.
#include "../dispatch/infer_prototypes.h"
#include "../internal/scalar_math.h"
#include "pair_layout.h"

size_t csimd_pair_keys_size(size_t keys, size_t head_dim) {
  return csimd_pair_blocks(keys) * csimd_pair_dims(head_dim) * CSIMD_PAIR_BLOCK * 2;
}

size_t csimd_pair_values_size(size_t keys, size_t head_dim) {
  return csimd_pair_blocks(keys) * CSIMD_PAIR_BLOCK * csimd_pair_value_dims(head_dim);
}

size_t csimd_pair_scratch(size_t keys, size_t head_dim) {
  size_t scores = CSIMD_PAIR_TILE * csimd_pair_score_stride(keys);
  return csimd_pair_query_floats(head_dim) + scores + scores / 2;
}

void csimd_pair_store__scalar(const float *k,
                              const float *v,
                              size_t stride,
                              size_t tokens,
                              size_t head_dim,
                              size_t first,
                              uint16_t *keys,
                              uint16_t *values) {
  size_t dims = csimd_pair_dims(head_dim) * 2, value_dims = csimd_pair_value_dims(head_dim);
  // A last block that starts here is filled up with zeros.
  size_t last = (first + tokens) / CSIMD_PAIR_BLOCK * CSIMD_PAIR_BLOCK;
  size_t end = last < first ? first + tokens : csimd_pair_blocks(first + tokens) * CSIMD_PAIR_BLOCK;
  for (size_t key = first; key < end; key++) {
    size_t t = key - first;
    for (size_t d = 0; d < value_dims; d++) {
      bool exists = t < tokens && d < head_dim;
      if (d < dims) {
        keys[csimd_pair_key_index(key, d, head_dim)] =
            exists ? csimd_to_bf16(k[t * stride + d]) : 0;
      }
      values[csimd_pair_value_index(key, d, head_dim)] =
          exists ? csimd_to_bf16(v[t * stride + d]) : 0;
    }
  }
}

/// A pair's products onto a sum: the second, then the first, each fused.
static float add_pair(float sum, float a0, float a1, uint16_t b0, uint16_t b1) {
  return csimd_fma(a0, csimd_from_bf16(b0), csimd_fma(a1, csimd_from_bf16(b1), sum));
}

static float rounded(float x) {
  return csimd_from_bf16(csimd_to_bf16(x));
}

static void attend(const csimd_pair_attention_args *args, size_t query) {
  const float *q = args->q + query * args->q_stride;
  float *out = args->out + query * args->out_stride;
  size_t dims = args->head_dim;
  csimd_pair_range keys = csimd_pair_visible(args, query);
  float *p = args->scratch;

  float maximum = -__builtin_inff();
  for (size_t key = keys.first; key < keys.end; key++) {
    float score = 0;
    for (size_t d = 0; d < dims; d += 2) {
      const uint16_t *pair = args->k + csimd_pair_key_index(key, d, dims);
      float second = d + 1 < dims ? rounded(q[d + 1]) : 0;
      score = add_pair(score, rounded(q[d]), second, pair[0], pair[1]);
    }
    p[key] = score * args->scale;
    maximum = csimd_max(p[key], maximum);
  }

  float lanes[CSIMD_LANES] = {0};
  for (size_t key = keys.first; key < keys.end; key++) {
    p[key] = rounded(csimd_exp(p[key] - maximum));
    lanes[key % CSIMD_LANES] = lanes[key % CSIMD_LANES] + p[key];
  }
  float sum = csimd_reduce(lanes);

  for (size_t d = 0; d < dims; d++) {
    float total = 0;
    for (size_t key = keys.first / 2 * 2; key < keys.end; key += 2) {
      const uint16_t *pair = args->v + csimd_pair_value_index(key, d, dims);
      bool low = key >= keys.first, high = key + 1 < keys.end;
      total = add_pair(
          total, low ? p[key] : 0, high ? p[key + 1] : 0, low ? pair[0] : 0, high ? pair[1] : 0);
    }
    out[d] = total / sum;
  }
}

void csimd_pair_attention__scalar(const csimd_pair_attention_args *args) {
  csimd_check_pairs(args);
  for (size_t query = 0; query < args->queries; query++) {
    attend(args, query);
  }
}
