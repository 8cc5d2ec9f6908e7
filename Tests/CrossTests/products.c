// SPDX-License-Identifier: Apache-2.0
// int8 activations and products, f32 and bf16 products.
#include "matrix.h"

// MARK: - Quantisation

typedef struct quantize_case {
  const float *x;
  size_t m, k, group;
} quantize_case;

static void run_quantize(const csimd_infer_table *table, const void *arguments) {
  const quantize_case *c = arguments;
  size_t groups = (c->k + c->group - 1) / c->group;
  size_t x_stride = c->k + 3, row_stride = groups * c->group + 5, group_stride = groups + 1;
  float *x = place_copy(c->x, ((c->m - 1) * x_stride + c->k) * sizeof(float));
  size_t codes_count = (c->m - 1) * row_stride + groups * c->group;
  size_t group_count = (c->m - 1) * group_stride + groups;
  int8_t *codes = place_unwritten(codes_count);
  float *scales = place_unwritten(group_count * sizeof(float));
  int32_t *sums = place_unwritten(group_count * sizeof(int32_t));
  table->q8_quantize(
      x, x_stride, c->m, c->k, c->group, codes, row_stride, scales, sums, group_stride);
  emit(codes, codes_count, KIND_BYTES);
  emit(scales, group_count, KIND_F32);
  emit(sums, group_count * sizeof(int32_t), KIND_BYTES);
}

void test_quantize(void) {
  static const size_t shapes[][3] = {
      {1, 1, 32},
      {2, 15, 32},
      {3, 16, 32},
      {3, 31, 32},
      {2, 33, 32},
      {4, 64, 64},
      {5, 130, 128},
      {2, 200, 96},
      {1, 500, 512},
      {13, 257, 128},
  };
  for (size_t i = 0; i < COUNT(shapes); i++) {
    for (int special = 0; special < 2; special++) {
      seed_random(100 + i);
      quantize_case c = {.m = shapes[i][0], .k = shapes[i][1], .group = shapes[i][2]};
      size_t count = c.m * (c.k + 3);
      c.x = special ? special_floats(count) : random_floats(count, 3);
      compare("q8_quantize",
              run_quantize,
              &c,
              "%zux%zu group %zu%s",
              c.m,
              c.k,
              c.group,
              special ? " special" : "");
    }
  }
  seed_random(120);
  float *tiny = random_floats(2 * 67, 0x1p-140f);
  quantize_case zeros = {.x = keep(2 * 67 * sizeof(float)), .m = 2, .k = 64, .group = 32};
  quantize_case subnormal = {.x = tiny, .m = 2, .k = 64, .group = 32};
  compare("q8_quantize", run_quantize, &zeros, "zeros");
  compare("q8_quantize", run_quantize, &subnormal, "scales that underflow");
}

// MARK: - int8 products

typedef struct product_case {
  size_t m, n, k, group, groups;
  int8_t *codes;
  float *scales;
  int32_t *sums;
  uint8_t *packed;
  float *bias;
  size_t first_panel, panels;
  bool biased;
} product_case;

/// `extreme`: 0 for random codes, else the sign of ±127 everywhere.
static product_case product(size_t m, size_t n, size_t k, size_t group, int extreme) {
  product_case c = {.m = m, .n = n, .k = k, .group = group, .groups = (k + group - 1) / group};
  size_t width = c.groups * group + 5, strip = c.groups + 1;
  float *x = random_floats(m * k, 3), *w = random_floats(n * k, 1);
  for (size_t i = 0; extreme != 0 && i < m * k; i++) {
    x[i] = 127;
  }
  for (size_t i = 0; extreme != 0 && i < n * k; i++) {
    w[i] = extreme > 0 ? 127 : -127;
  }
  c.codes = keep(m * width);
  c.scales = keep(m * strip * sizeof(float));
  c.sums = keep(m * strip * sizeof(int32_t));
  csimd_infer_table_for(csimd_isa_scalar)
      ->q8_quantize(x, k, m, k, group, c.codes, width, c.scales, c.sums, strip);
  c.panels = (n + 31) / 32;
  size_t bytes = csimd_q8_packed_bytes(n, k, group);
  c.packed = keep(bytes);
  for (size_t p = 0; p < c.panels; p++) {
    size_t rows = n - 32 * p < 32 ? n - 32 * p : 32;
    uint8_t *panel = c.packed + p * (bytes / c.panels);
    csimd_q8_pack_panel(w + 32 * p * k, k, rows, k, group, panel, NULL, NULL);
  }
  c.bias = random_floats(n, 1);
  c.biased = true;
  return c;
}

static void run_product(const csimd_infer_table *table, const product_case *c, bool vector) {
  size_t width = c->groups * c->group + 5, strip = c->groups + 1, m = vector ? 1 : c->m;
  // One byte more, so that codes start anywhere.
  int8_t *codes = place_copy(c->codes, (m - 1) * width + c->groups * c->group);
  float *scales = place_copy(c->scales, ((m - 1) * strip + c->groups) * sizeof(float));
  int32_t *sums = place_copy(c->sums, ((m - 1) * strip + c->groups) * sizeof(int32_t));
  uint8_t *packed = place_copy(c->packed, csimd_q8_packed_bytes(c->n, c->k, c->group));
  float *bias = c->biased ? place_copy(c->bias, c->n * sizeof(float)) : NULL;
  csimd_q8_activations a = {
      .codes = codes, .scales = scales, .sums = sums, .row_stride = width, .group_stride = strip};
  csimd_q8_weights w = {.panels = packed, .n = c->n, .k = c->k, .group = c->group};
  size_t stride = c->n + 3, count = (m - 1) * stride + c->n;
  float *y = place_unwritten(count * sizeof(float));
  if (vector) {
    table->q8_gemv(&a, &w, c->first_panel, c->panels, bias, y);
  } else {
    table->q8_gemm(&a, m, &w, c->first_panel, c->panels, bias, y, stride);
  }
  emit(y, count, KIND_F32);
}

static void run_q8_gemm(const csimd_infer_table *table, const void *arguments) {
  run_product(table, arguments, false);
}

static void run_q8_gemv(const csimd_infer_table *table, const void *arguments) {
  run_product(table, arguments, true);
}

static void compare_products(product_case c, const char *words) {
  for (int biased = 0; biased < 2; biased++) {
    c.biased = biased;
    compare("q8_gemm",
            run_q8_gemm,
            &c,
            "%zux%zux%zu group %zu%s%s",
            c.m,
            c.n,
            c.k,
            c.group,
            biased ? " biased" : "",
            words);
    compare("q8_gemv",
            run_q8_gemv,
            &c,
            "%zux%zu group %zu%s%s",
            c.n,
            c.k,
            c.group,
            biased ? " biased" : "",
            words);
  }
}

void test_products(void) {
  static const size_t shapes[][4] = {
      {1, 1, 1, 32},
      {2, 15, 31, 32},
      {3, 16, 32, 32},
      {4, 17, 33, 32},
      {5, 20, 64, 32},
      {6, 31, 64, 64},
      {7, 32, 128, 128},
      {8, 33, 130, 128},
      {9, 36, 96, 96},
      {10, 48, 160, 32},
      {11, 50, 200, 128},
      {12, 63, 72, 96},
      {13, 64, 200, 128},
      {18, 65, 256, 256},
      {24, 40, 40, 64},
      {50, 100, 520, 128},
      {5, 130, 1152, 1152},
  };
  for (size_t i = 0; i < COUNT(shapes); i++) {
    seed_random(200 + i);
    compare_products(product(shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3], 0), "");
  }
  for (int sign = -1; sign <= 1; sign += 2) {
    seed_random(230);
    compare_products(product(13, 33, 8192, 8192, sign), sign < 0 ? " -127" : " +127");
  }
  seed_random(231);
  product_case c = product(14, 117, 96, 32, 0);
  for (c.first_panel = 0, c.panels = 1; c.first_panel < 4; c.first_panel++) {
    compare_products(c, c.first_panel == 0 ? " first panel" : " later panel");
  }
  seed_random(232);
  c = product(7, 40, 64, 32, 0);
  memcpy(c.scales, special_floats(7 * 3), 7 * 3 * sizeof(float));
  compare_products(c, " special scales");
}

// MARK: - int4 products

/// As `product`, with int4 weights in `packed`.
static product_case int4_product(size_t m, size_t n, size_t k) {
  product_case c = product(m, n, k, CSIMD_Q4_INPUTS, 0);
  float *w = random_floats(n * k, 1);
  size_t bytes = csimd_q4_packed_bytes(n, k);
  c.packed = keep(bytes);
  for (size_t p = 0; p < c.panels; p++) {
    size_t rows = n - 32 * p < 32 ? n - 32 * p : 32;
    csimd_q4_pack_panel(w + 32 * p * k, k, rows, k, c.packed + p * (bytes / c.panels), NULL, NULL);
  }
  return c;
}

static void run_int4(const csimd_infer_table *table, const product_case *c, bool vector) {
  size_t width = c->groups * c->group + 5, strip = c->groups + 1, m = vector ? 1 : c->m;
  int8_t *codes = place_copy(c->codes, (m - 1) * width + c->groups * c->group);
  float *scales = place_copy(c->scales, ((m - 1) * strip + c->groups) * sizeof(float));
  int32_t *sums = place_copy(c->sums, ((m - 1) * strip + c->groups) * sizeof(int32_t));
  uint8_t *packed = place_copy(c->packed, csimd_q4_packed_bytes(c->n, c->k));
  float *bias = c->biased ? place_copy(c->bias, c->n * sizeof(float)) : NULL;
  csimd_q8_activations a = {
      .codes = codes, .scales = scales, .sums = sums, .row_stride = width, .group_stride = strip};
  csimd_q4_weights w = {.panels = packed, .n = c->n, .k = c->k};
  size_t stride = c->n + 3, count = (m - 1) * stride + c->n;
  float *y = place_unwritten(count * sizeof(float));
  if (vector) {
    table->q4_gemv(&a, &w, c->first_panel, c->panels, bias, y);
  } else {
    void *scratch = place_unwritten((csimd_q4_scratch(c->k) + 63) / 64 * 64);
    table->q4_gemm(&a, m, &w, c->first_panel, c->panels, bias, y, stride, scratch);
  }
  emit(y, count, KIND_F32);
}

static void run_q4_gemm(const csimd_infer_table *table, const void *arguments) {
  run_int4(table, arguments, false);
}

static void run_q4_gemv(const csimd_infer_table *table, const void *arguments) {
  run_int4(table, arguments, true);
}

void test_int4_products(void) {
  static const size_t shapes[][3] = {
      {1, 1, 1},
      {2, 15, 31},
      {3, 16, 32},
      {5, 33, 128},
      {6, 40, 130},
      {7, 64, 200},
      {12, 65, 256},
      {13, 100, 520},
      {25, 97, 384},
  };
  for (size_t i = 0; i < COUNT(shapes); i++) {
    seed_random(250 + i);
    product_case c = int4_product(shapes[i][0], shapes[i][1], shapes[i][2]);
    for (int biased = 0; biased < 2; biased++) {
      c.biased = biased;
      const char *words = biased ? " biased" : "";
      compare("q4_gemm", run_q4_gemm, &c, "%zux%zux%zu%s", c.m, c.n, c.k, words);
      compare("q4_gemv", run_q4_gemv, &c, "%zux%zu%s", c.n, c.k, words);
    }
  }
  seed_random(270);
  product_case c = int4_product(9, 117, 160);
  for (c.first_panel = 0, c.panels = 1; c.first_panel < 4; c.first_panel++) {
    compare("q4_gemm", run_q4_gemm, &c, "panel %zu", c.first_panel);
    compare("q4_gemv", run_q4_gemv, &c, "panel %zu", c.first_panel);
  }
}

// MARK: - f32 and bf16 products

typedef struct float_case {
  size_t m, n, k, first, rows;
  const float *x, *w, *bias;
  const uint16_t *halves;
} float_case;

static void run_float(const csimd_infer_table *table, const float_case *c, bool halves) {
  size_t x_stride = c->k + 1, stride = c->n + 2, count = (c->m - 1) * stride + c->n;
  float *x = place_copy(c->x, ((c->m - 1) * x_stride + c->k) * sizeof(float));
  float *bias = c->bias ? place_copy(c->bias, c->n * sizeof(float)) : NULL;
  float *y = place_unwritten(count * sizeof(float));
  if (halves) {
    uint16_t *w = place_copy(c->halves, c->n * c->k * sizeof(uint16_t));
    table->bf16_gemm(x, x_stride, c->m, w, c->k, c->first, c->rows, bias, y, stride);
  } else {
    float *w = place_copy(c->w, c->n * c->k * sizeof(float));
    table->f32_gemm(x, x_stride, c->m, w, c->k, c->first, c->rows, bias, y, stride);
  }
  emit(y, count, KIND_F32);
}

static void run_f32_gemm(const csimd_infer_table *table, const void *arguments) {
  run_float(table, arguments, false);
}

static void run_bf16_gemm(const csimd_infer_table *table, const void *arguments) {
  run_float(table, arguments, true);
}

void test_float_products(void) {
  static const size_t heights[] = {1, 2, 3, 5, 6, 7, 13};
  static const size_t widths[] = {1, 2, 3, 4, 5, 9};
  static const size_t inputs[] = {1, 3, 7, 15, 16, 17, 30, 32, 100, 257};
  for (size_t i = 0; i < COUNT(heights); i++) {
    for (size_t j = 0; j < COUNT(widths); j++) {
      for (size_t l = 0; l < COUNT(inputs); l++) {
        seed_random(300 + 100 * i + 10 * j + l);
        float_case c = {.m = heights[i], .n = widths[j], .k = inputs[l]};
        size_t count = c.n * c.k;
        bool special = (i + j + l) % 4 == 0;
        c.x = special ? special_floats(c.m * (c.k + 1)) : random_floats(c.m * (c.k + 1), 2);
        c.w = random_floats(count, 1);
        uint16_t *halves = keep(count * sizeof *halves);
        for (size_t e = 0; e < count; e++) {
          halves[e] = (uint16_t)(special ? random_bits() : 0x3c00 | (random_bits() & 0x83ff));
        }
        c.halves = halves;
        c.bias = (i + l) % 2 ? random_floats(c.n, 1) : NULL;
        c.first = c.n > 4 ? 1 : 0;
        c.rows = c.n > 4 ? c.n - 2 : c.n;
        const char *words = special ? " special" : "";
        compare("f32_gemm", run_f32_gemm, &c, "%zux%zux%zu%s", c.m, c.n, c.k, words);
        compare("bf16_gemm", run_bf16_gemm, &c, "%zux%zux%zu%s", c.m, c.n, c.k, words);
      }
    }
  }
}

// MARK: - Chosen scores and rows

typedef struct match_case {
  const float *x, *w, *thresholds;
  const uint32_t *rows;
  size_t m, n, k, count;
} match_case;

static void run_select(const csimd_infer_table *table, const void *arguments) {
  const match_case *c = arguments;
  size_t stride = c->n + 3, room = c->m * c->n;
  float *x = place_copy(c->x, ((c->m - 1) * stride + c->n) * sizeof(float));
  float *thresholds = place_copy(c->thresholds, c->m * sizeof(float));
  uint32_t *positions = place_unwritten(room * sizeof(uint32_t));
  uint32_t count = (uint32_t)table->select_above(x, stride, c->m, c->n, thresholds, positions);
  emit(&count, sizeof count, KIND_BYTES);
  emit(positions, count * sizeof(uint32_t), KIND_BYTES);
}

static void run_dot_rows(const csimd_infer_table *table, const void *arguments) {
  const match_case *c = arguments;
  float *x = place_copy(c->x, c->k * sizeof(float));
  float *w = place_copy(c->w, c->n * c->k * sizeof(float));
  uint32_t *rows = place_copy(c->rows, c->count * sizeof(uint32_t));
  float *y = place_unwritten(c->count * sizeof(float));
  table->dot_rows(x, w, c->k, rows, c->count, y);
  emit(y, c->count, KIND_F32);
}

void test_matches(void) {
  static const size_t widths[] = {1, 7, 15, 16, 17, 33, 64, 100};
  for (size_t i = 0; i < COUNT(widths); i++) {
    seed_random(350 + i);
    match_case c = {.m = 5, .n = widths[i], .k = widths[i]};
    size_t count = c.m * (c.n + 3);
    c.x = i % 2 ? special_floats(count) : random_floats(count, 2);
    c.thresholds = random_floats(c.m, 2);
    compare("select_above", run_select, &c, "%zux%zu", c.m, c.n);
    c.n = 20;
    c.w = random_floats(c.n * c.k, 2);
    uint32_t *rows = keep(11 * sizeof *rows);
    for (size_t j = 0; j < 11; j++) {
      rows[j] = random_bits() % 20;
    }
    c.rows = rows;
    for (c.count = 0; c.count <= 11; c.count++) {
      compare("dot_rows", run_dot_rows, &c, "%zu rows of %zu", c.count, c.k);
    }
  }
}
