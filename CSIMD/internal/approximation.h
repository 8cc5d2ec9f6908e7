// SPDX-License-Identifier: Apache-2.0
// Constants of the shared approximations of exp and of the normal distribution's tail.
#ifndef CSIMD_INTERNAL_APPROXIMATION_H
#define CSIMD_INTERNAL_APPROXIMATION_H

// exp(x) = 2^n · exp(r), n = rint(x / ln 2), r = x - n · ln 2 in two fused steps, |r| ≤ 0.3467.
//
// Adding EXP_ROUND = 1.5 · 2^23 rounds to an integer and leaves it in the low mantissa bits.
// exp(r) = 1 + r + r² (C2 + … + C6 r⁴): minimax of the relative error, 0.05 units in the last place
// before rounding, below 1 after. Inputs are clamped to ±104, where the result is exactly 0 or ∞.
#define CSIMD_EXP_LIMIT 104.0f
#define CSIMD_EXP_LOG2E 0x1.715476p+0f
#define CSIMD_EXP_ROUND 0x1.8p+23f
#define CSIMD_EXP_LN2_HIGH 0x1.62e430p-1f
#define CSIMD_EXP_LN2_LOW (-0x1.05c610p-29f)
#define CSIMD_EXP_C2 0x1.fffffcp-2f
#define CSIMD_EXP_C3 0x1.555492p-3f
#define CSIMD_EXP_C4 0x1.5558f2p-5f
#define CSIMD_EXP_C5 0x1.123a20p-7f
#define CSIMD_EXP_C6 0x1.6a23ccp-10f

// Φ(-a) = exp(-a²/2) · t · (C0 + … + C8 t⁸), t = 1 / (1 + 0.35 a), for a ≥ 0: minimax of the
// relative error, 3.2e-8 before rounding. Above TAIL_LIMIT the true value rounds to 0.
#define CSIMD_TAIL_LIMIT 16.0f
#define CSIMD_TAIL_SLOPE 0.35f
#define CSIMD_TAIL_C0 0.13962124288082123f
#define CSIMD_TAIL_C1 0.13986453413963318f
#define CSIMD_TAIL_C2 0.11981410533189774f
#define CSIMD_TAIL_C3 0.105580173432827f
#define CSIMD_TAIL_C4 (-0.023276228457689285f)
#define CSIMD_TAIL_C5 0.1594105213880539f
#define CSIMD_TAIL_C6 (-0.2559169828891754f)
#define CSIMD_TAIL_C7 0.14406797289848328f
#define CSIMD_TAIL_C8 (-0.029165375977754593f)

// φ(0), the peak of the normal density.
#define CSIMD_NORMAL_PEAK 0.3989422804014327f

// gelu_tanh(x) = x · sigmoid(2u), 2u = x (GELU_LINEAR + GELU_CUBIC x²), which are 2√(2/π) and
// 0.044715 · 2√(2/π).
#define CSIMD_GELU_LINEAR 1.5957691216057308f
#define CSIMD_GELU_CUBIC 0.07135481627260025f
#define CSIMD_QUICK_GELU_SLOPE 1.702f

#endif
