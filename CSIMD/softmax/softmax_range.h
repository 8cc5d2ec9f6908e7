// SPDX-License-Identifier: Apache-2.0
// Which keys a query sees.
#ifndef CSIMD_SOFTMAX_RANGE_H
#define CSIMD_SOFTMAX_RANGE_H

#include "../include/csimd.h"
#include "../internal/region.h"

/// Columns first … end - 1.
typedef struct softmax_range {
  size_t first, end;
} softmax_range;

CSIMD_INLINE softmax_range softmax_visible(const csimd_scores *s, size_t query) {
  softmax_range all = {0, s->keys};
  if (!s->causal) {
    return all;
  }
  size_t end = s->first_query + query + 1;  // one past the query's own position
  size_t first = s->window > 0 && end > s->window ? end - s->window : 0;
  all.first = first > s->first_key ? first - s->first_key : 0;
  all.end = end > s->first_key ? end - s->first_key : 0;
  all.end = all.end < s->keys ? all.end : s->keys;
  all.first = all.first < all.end ? all.first : all.end;
  return all;
}

#endif
