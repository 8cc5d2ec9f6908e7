// SPDX-License-Identifier: Apache-2.0
// Attention in bf16 and the store that feeds it.
#include "matrix.h"

enum { SIDE_BY_SIDE = 3 };

typedef struct pair_case {
  size_t queries, keys, dims;
  size_t first_query, window;
  bool causal, in_place;
  size_t piece;  // positions stored at once
  const float *q, *k, *v;
} pair_case;

/// Stores keys and values piece by piece.
static void store(const csimd_infer_table *table,
                  const pair_case *c,
                  uint16_t *keys,
                  uint16_t *values) {
  size_t stride = c->dims + SIDE_BY_SIDE, count = (c->keys - 1) * stride + c->dims;
  const float *k = place_copy(c->k, count * sizeof(float));
  const float *v = place_copy(c->v, count * sizeof(float));
  for (size_t first = 0; first < c->keys; first += c->piece) {
    size_t tokens = c->keys - first < c->piece ? c->keys - first : c->piece,
           offset = first * stride;
    table->pair_store(k + offset, v + offset, stride, tokens, c->dims, first, keys, values);
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
  size_t key_size = csimd_pair_keys_size(c->keys, c->dims) * sizeof(uint16_t);
  size_t value_size = csimd_pair_values_size(c->keys, c->dims) * sizeof(uint16_t);
  uint16_t *keys = place(key_size), *values = place(value_size);
  // Where nothing is stored there is NaN.
  memset(keys, 0xff, key_size);
  memset(values, 0xff, value_size);
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
      .first_query = c->first_query,
      .window = c->window,
      .head_dim = c->dims,
      .scale = 0.125f,
      .causal = c->causal,
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
    pair_case c = {.queries = shapes[i][0],
                   .keys = shapes[i][1],
                   .dims = shapes[i][2],
                   .in_place = i % 2,
                   .piece = 16};
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

/// Queries that see a part of the keys, stored by pieces that start anywhere.
void test_causal_pairs(void) {
  static const size_t dims[] = {1, 7, 16, 33, 72, 96, 128, 256};
  static const size_t pieces[] = {1, 5, 16, 23, 64};
  // Queries, keys, position of the first query, window.
  static const size_t views[][4] = {
      {1, 1, 0, 0},
      {1, 50, 49, 0},
      {1, 51, 50, 0},
      {3, 40, 37, 0},
      {7, 60, 20, 0},
      {12, 12, 0, 0},
      {25, 130, 100, 0},
      {5, 90, 80, 7},
      {14, 120, 90, 33},
      {30, 64, 10, 16},
      {12, 200, 180, 1},
      {4, 333, 329, 0},
      {1, 300, 299, 128},
  };
  for (size_t i = 0; i < COUNT(dims); i++) {
    for (size_t j = 0; j < COUNT(views); j++) {
      seed_random(1500 + 20 * i + j);
      pair_case c = {.queries = views[j][0],
                     .keys = views[j][1],
                     .dims = dims[i],
                     .first_query = views[j][2],
                     .window = views[j][3],
                     .causal = true,
                     .in_place = j % 2,
                     .piece = pieces[(i + j) % COUNT(pieces)]};
      size_t stride = c.dims + SIDE_BY_SIDE, count = c.keys * stride;
      float *k = random_floats(count, 3), *v = random_floats(count, 3);
      // Keys that no query's window reaches hold NaN and infinities.
      size_t end = c.first_query + 1;
      size_t hidden = c.window != 0 && end > c.window ? end - c.window : 0;
      for (size_t x = 0; x < hidden * stride; x++) {
        k[x] = v[x] = float_of_bits(x % 2 ? 0x7fc00000 : 0x7f800000);
      }
      c.q = random_floats(c.queries * stride, 3);
      c.k = k;
      c.v = v;
      compare("pair_attention",
              run_attention,
              &c,
              "%zu queries from %zu, %zu keys of %zu, window %zu, stored by %zu",
              c.queries,
              c.first_query,
              c.keys,
              c.dims,
              c.window,
              c.piece);
      compare("pair_store", run_store, &c, "%zu keys of %zu by %zu", c.keys, c.dims, c.piece);
    }
  }
}
