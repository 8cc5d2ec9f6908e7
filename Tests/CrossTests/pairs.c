// SPDX-License-Identifier: Apache-2.0
// Attention in bf16 and the store that feeds it.
#include "matrix.h"

enum { SIDE_BY_SIDE = 3 };

typedef struct pair_case {
  size_t queries, keys, dims;
  bool in_place;
  const float *q, *k, *v;
} pair_case;

/// Stores keys and values in two pieces where there are more than 16.
static void store(const csimd_infer_table *table,
                  const pair_case *c,
                  uint16_t *keys,
                  uint16_t *values) {
  size_t stride = c->dims + SIDE_BY_SIDE, count = (c->keys - 1) * stride + c->dims;
  const float *k = place_copy(c->k, count * sizeof(float));
  const float *v = place_copy(c->v, count * sizeof(float));
  size_t first = c->keys > 16 ? 16 : c->keys;
  table->pair_store(k, v, stride, first, c->dims, 0, keys, values);
  if (c->keys > first) {
    size_t offset = first * stride;
    table->pair_store(
        k + offset, v + offset, stride, c->keys - first, c->dims, first, keys, values);
  }
}

static void run_store(const csimd_infer_table *table, const void *arguments) {
  const pair_case *c = arguments;
  size_t key_count = csimd_pair_keys_size(c->keys, c->dims);
  size_t value_count = csimd_pair_values_size(c->keys, c->dims);
  uint16_t *keys = place_unwritten(key_count * sizeof *keys);
  uint16_t *values = place_unwritten(value_count * sizeof *values);
  store(table, c, keys, values);
  emit(keys, key_count, KIND_BF16);
  emit(values, value_count, KIND_BF16);
}

static void run_attention(const csimd_infer_table *table, const void *arguments) {
  const pair_case *c = arguments;
  size_t stride = c->dims + SIDE_BY_SIDE, count = (c->queries - 1) * stride + c->dims;
  uint16_t *keys = place(csimd_pair_keys_size(c->keys, c->dims) * sizeof *keys);
  uint16_t *values = place(csimd_pair_values_size(c->keys, c->dims) * sizeof *values);
  store(table, c, keys, values);
  float *q = place_copy(c->q, count * sizeof(float));
  csimd_pair_attention_args args = {
      .q = q,
      .k = keys,
      .v = values,
      .out = c->in_place ? q : place_unwritten(count * sizeof(float)),
      .scratch = place_unwritten(csimd_pair_scratch(c->keys, c->dims) * sizeof(float)),
      .q_stride = stride,
      .out_stride = stride,
      .queries = c->queries,
      .keys = c->keys,
      .head_dim = c->dims,
      .scale = 0.125f,
  };
  table->pair_attention(&args);
  emit(args.out, count, KIND_F32);
}

void test_pairs(void) {
  static const size_t shapes[][3] = {
      {1, 1, 1},
      {2, 2, 2},
      {3, 15, 7},
      {4, 16, 16},
      {5, 17, 31},
      {8, 31, 33},
      {12, 32, 64},
      {13, 49, 72},
      {25, 100, 80},
      {29, 65, 128},
      {7, 23, 255},
      {12, 130, 256},
  };
  for (size_t i = 0; i < COUNT(shapes); i++) {
    seed_random(1200 + i);
    pair_case c = {
        .queries = shapes[i][0], .keys = shapes[i][1], .dims = shapes[i][2], .in_place = i % 2};
    size_t stride = c.dims + SIDE_BY_SIDE;
    c.q = random_floats(c.queries * stride, 3);
    c.k = random_floats(c.keys * stride, 3);
    c.v = random_floats(c.keys * stride, 3);
    compare("pair_attention",
            run_attention,
            &c,
            "%zu queries, %zu keys of %zu",
            c.queries,
            c.keys,
            c.dims);
    compare("pair_store", run_store, &c, "%zu keys of %zu", c.keys, c.dims);
    c.k = special_floats(c.keys * stride);
    c.v = special_floats(c.keys * stride);
    compare("pair_store", run_store, &c, "%zu keys of %zu special", c.keys, c.dims);
  }
}
