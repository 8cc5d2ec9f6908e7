// SPDX-License-Identifier: Apache-2.0
// Blocking and register tiles of a product over packed panels.
//
// A panel holds PRODUCT_ROWS rows of A, or 16 · PRODUCT_COLUMNS columns of B, step by step along k:
// panel[step][lane], four bytes an entry. A step is one k (f32) or two (bf16 pairs). The including
// file defines
//   PRODUCT_ROWS, PRODUCT_COLUMNS  the register tile: rows of A, vectors of columns of B
//   PRODUCT_DEPTH                  values of k in a step
//   PRODUCT_ADD(acc, a, b)         adds one step's products
// and the packing of one panel,
//   product_pack(const csimd_operand *o, bool by_lane, size_t lane, size_t lanes, size_t p,
//                size_t depth, float *panel, const int width, const bool rounds)
// of lanes lane … lane + lanes - 1 (0 in lanes beyond) and k from p; `by_lane`: the stored rows of
// the operand run along k.
//
// For each block of columns and of k, B's panels are packed into 512 KB, half of L2; A's panels
// pass over them, each 12 KB, from a block of at most 768 rows. B streams from L2 at two loads a
// step against PRODUCT_ROWS · PRODUCT_COLUMNS multiplies.

enum {
  PRODUCT_WIDTH = 16 * PRODUCT_COLUMNS,
  PRODUCT_STEPS = 256,  // of k in a block
  PRODUCT_BLOCK_N = 512,
  PRODUCT_BLOCK_M = 768,
  PRODUCT_PACK_ROWS = 16,
};

_Static_assert((PRODUCT_BLOCK_N + PRODUCT_BLOCK_M + PRODUCT_ROWS) * PRODUCT_STEPS * 4 <=
                   CSIMD_PRODUCT_SCRATCH,
               "packed blocks fit the scratch");

typedef struct product_tile {
  const float *a;  // a row of a panel: lane `row` of step 0
  const float *b;
  size_t steps;
  float *c;
  size_t c_stride;
  size_t last;  // columns of the last vector
  bool adds;
} product_tile;

CSIMD_INLINE void run_product_tile(const product_tile *t, const int rows, const int columns) {
  v16 acc[PRODUCT_ROWS][PRODUCT_COLUMNS];
  bool whole = t->last == 16;
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    const float *c = t->c + (size_t)i * t->c_stride;
    CSIMD_UNROLL
    for (int j = 0; j < columns; j++) {
      acc[i][j] = !t->adds                   ? v16_zero()
                  : j + 1 < columns || whole ? v16_load(c + 16 * j)
                                             : v16_load_n(c + 16 * j, t->last);
    }
  }
  const float *a = t->a, *b = t->b;
  for (size_t step = 0; step < t->steps; step++) {
    v16 w[PRODUCT_COLUMNS];
    CSIMD_UNROLL
    for (int j = 0; j < columns; j++) {
      w[j] = v16_load(b + 16 * j);
    }
    CSIMD_UNROLL
    for (int i = 0; i < rows; i++) {
      v16 x = v16_set(a[i]);
      CSIMD_UNROLL
      for (int j = 0; j < columns; j++) {
        acc[i][j] = PRODUCT_ADD(acc[i][j], x, w[j]);
      }
    }
    a += PRODUCT_ROWS;
    b += PRODUCT_WIDTH;
  }
  CSIMD_UNROLL
  for (int i = 0; i < rows; i++) {
    float *c = t->c + (size_t)i * t->c_stride;
    CSIMD_UNROLL
    for (int j = 0; j < columns; j++) {
      if (j + 1 < columns || whole) {
        v16_store(c + 16 * j, acc[i][j]);
      } else {
        v16_store_n(c + 16 * j, acc[i][j], t->last);
      }
    }
  }
}

CSIMD_INLINE void run_product_columns(const product_tile *t, size_t columns, const int rows) {
  if (columns > 16) {
    run_product_tile(t, rows, PRODUCT_COLUMNS);
  } else {
    run_product_tile(t, rows, 1);
  }
}

/// The rows of an incomplete panel, in powers of two.
static void run_product_edge(product_tile t, size_t columns, size_t rows) {
#define PRODUCT_EDGE(count)                    \
  if (rows & (count)) {                        \
    run_product_columns(&t, columns, (count)); \
    t.a += (count);                            \
    t.c += (count) * t.c_stride;               \
  }
#if PRODUCT_ROWS > 8
  PRODUCT_EDGE(8)
#endif
  PRODUCT_EDGE(4)
  PRODUCT_EDGE(2)
  PRODUCT_EDGE(1)
#undef PRODUCT_EDGE
}

CSIMD_INLINE size_t product_smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/// `total` in as few blocks of at most `limit` as there must be, all nearly equal, multiples of
/// `unit`.
CSIMD_INLINE size_t product_block(size_t total, size_t limit, size_t unit) {
  size_t blocks = (total + limit - 1) / limit;
  size_t size = (total + blocks - 1) / blocks;
  return (size + unit - 1) / unit * unit;
}

CSIMD_INLINE void product_pack_all(const csimd_operand *o,
                                   bool by_lane,
                                   size_t first,
                                   size_t lanes,
                                   size_t p,
                                   size_t depth,
                                   float *panels,
                                   const int width,
                                   const bool rounds) {
  size_t steps = (depth + PRODUCT_DEPTH - 1) / PRODUCT_DEPTH;
  // Stored rows along the lanes hold many panels: a few rows pass all panels while they are in L1.
  size_t part = by_lane ? depth : PRODUCT_PACK_ROWS;
  for (size_t q = 0; q < depth; q += part) {
    size_t own = product_smaller(part, depth - q);
    for (size_t lane = 0; lane < lanes; lane += (size_t)width) {
      size_t count = product_smaller((size_t)width, lanes - lane);
      float *panel = panels + lane * steps + q / PRODUCT_DEPTH * (size_t)width;
      product_pack(o, by_lane, first + lane, count, p + q, own, panel, width, rounds);
    }
  }
}

CSIMD_INLINE void run_product(const csimd_product *x, const bool rounds) {
  if (x->m == 0 || x->n == 0) {
    return;
  }
  if (x->k == 0) {
    for (size_t i = 0; i < x->m && !x->accumulate; i++) {
      memset(x->c + i * x->c_stride, 0, x->n * sizeof(float));
    }
    return;
  }
  float *b = x->scratch, *a = b + PRODUCT_BLOCK_N * PRODUCT_STEPS;
  size_t block_k = product_block(x->k, PRODUCT_STEPS * PRODUCT_DEPTH, PRODUCT_DEPTH);
  size_t block_n = product_block(x->n, PRODUCT_BLOCK_N, PRODUCT_WIDTH);
  size_t block_m = product_block(x->m, PRODUCT_BLOCK_M, PRODUCT_ROWS);
  for (size_t j = 0; j < x->n; j += block_n) {
    size_t columns = product_smaller(block_n, x->n - j);
    for (size_t p = 0; p < x->k; p += block_k) {
      size_t depth = product_smaller(block_k, x->k - p);
      size_t steps = (depth + PRODUCT_DEPTH - 1) / PRODUCT_DEPTH;
      product_pack_all(&x->b, x->b.transposed, j, columns, p, depth, b, PRODUCT_WIDTH, rounds);
      for (size_t i = 0; i < x->m; i += block_m) {
        size_t rows = product_smaller(block_m, x->m - i);
        product_pack_all(&x->a, !x->a.transposed, i, rows, p, depth, a, PRODUCT_ROWS, rounds);
        for (size_t r = 0; r < rows; r += PRODUCT_ROWS) {
          size_t height = product_smaller(PRODUCT_ROWS, rows - r);
          for (size_t c = 0; c < columns; c += PRODUCT_WIDTH) {
            size_t width = product_smaller(PRODUCT_WIDTH, columns - c);
            product_tile tile = {
                .a = a + r * steps,
                .b = b + c * steps,
                .steps = steps,
                .c = x->c + (i + r) * x->c_stride + j + c,
                .c_stride = x->c_stride,
                .last = (width - 1) % 16 + 1,
                .adds = x->accumulate || p > 0,
            };
            if (height == PRODUCT_ROWS) {
              run_product_columns(&tile, width, PRODUCT_ROWS);
            } else {
              run_product_edge(tile, width, height);
            }
          }
        }
      }
    }
  }
}
