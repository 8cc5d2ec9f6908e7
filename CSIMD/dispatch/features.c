// SPDX-License-Identifier: Apache-2.0
// Which instruction sets this CPU has and the operating system saves: CPUID and XGETBV on x86, the
// auxiliary vector on ARM.
#include "../include/csimd.h"

const char *csimd_isa_name(csimd_isa isa) {
  switch (isa) {
    case csimd_isa_scalar:
      return "scalar";
    case csimd_isa_avx2:
      return "avx2";
    case csimd_isa_avx512vnni:
      return "avx512vnni";
    case csimd_isa_neondot:
      return "neondot";
    case csimd_isa_neoni8mm:
      return "neoni8mm";
  }
  return "unknown";
}

#if defined(__x86_64__)

#include <cpuid.h>

enum {
  // CPUID leaf 1, ECX
  FMA = 1 << 12,
  OSXSAVE = 1 << 27,
  AVX = 1 << 28,
  F16C = 1 << 29,
  // CPUID leaf 7, EBX and ECX
  AVX2 = 1 << 5,
  AVX512F = 1 << 16,
  AVX512DQ = 1 << 17,
  AVX512BW = 1 << 30,
  AVX512VNNI = 1 << 11,
  // CPUID leaf 7, subleaf 1, EAX
  AVX512BF16 = 1 << 5,
  // XCR0: SSE and AVX state; opmask and both halves of the upper ZMM state
  YMM_STATE = 0x06,
  ZMM_STATE = 0xe6,
};

static const uint32_t AVX512VL = 1u << 31;

static bool has_all(uint32_t value, uint32_t bits) {
  return (value & bits) == bits;
}

/// The register states that the operating system saves; only valid when OSXSAVE is set.
static uint32_t saved_states(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

bool csimd_isa_available(csimd_isa isa) {
  if (isa == csimd_isa_scalar) {
    return true;
  }
  uint32_t a, b1, c1, d, b7, c7;
  if (!__get_cpuid(1, &a, &b1, &c1, &d) || !has_all(c1, OSXSAVE | AVX | FMA | F16C) ||
      !__get_cpuid_count(7, 0, &a, &b7, &c7, &d) || !has_all(b7, AVX2)) {
    return false;
  }
  uint32_t states = saved_states();
  switch (isa) {
    case csimd_isa_scalar:
      return true;
    case csimd_isa_avx2:
      return has_all(states, YMM_STATE);
    case csimd_isa_avx512vnni:
      return has_all(states, ZMM_STATE) && has_all(b7, AVX512F | AVX512DQ | AVX512BW | AVX512VL) &&
             has_all(c7, AVX512VNNI);
    default:
      return false;
  }
}

bool csimd_bf16_available(void) {
  uint32_t a, b, c, d;
  return csimd_isa_available(csimd_isa_avx512vnni) && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
         has_all(a, AVX512BF16);
}

#elif defined(__aarch64__) && defined(__linux__)

#include <sys/auxv.h>

bool csimd_bf16_available(void) {
  return false;  // of the AVX-512 instructions
}

// What the kernel reports in AT_HWCAP and AT_HWCAP2; it saves all NEON registers.
static const unsigned long ASIMDDP = 1ul << 20, I8MM = 1ul << 13, BF16 = 1ul << 14;

bool csimd_isa_available(csimd_isa isa) {
  bool dot = getauxval(AT_HWCAP) & ASIMDDP;
  unsigned long more = getauxval(AT_HWCAP2);
  switch (isa) {
    case csimd_isa_scalar:
      return true;
    case csimd_isa_neondot:
      return dot;
    case csimd_isa_neoni8mm:
      return dot && (more & I8MM) && (more & BF16);
    default:
      return false;
  }
}

#else

bool csimd_bf16_available(void) {
  return false;
}

bool csimd_isa_available(csimd_isa isa) {
  return isa == csimd_isa_scalar;
}

#endif
