// SPDX-License-Identifier: Apache-2.0
// Runs the kernel matrix on every level of this machine.
//
//   kernel-matrix [LEVEL…]
//
// With levels, they must be exactly those that this machine offers. Prints a digest of the
// reference's results, which is the same on every architecture, and ends with `N passed, M failed`;
// exit code 1 when something failed.
#include "matrix.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

// MARK: - State

enum { SLOTS = 24, SLOT_BYTES = 4 << 20, WATCHED = 512, LAST_LEVEL = CSIMD_ISA_COUNT - 1 };
enum { STRAY = 0xa5, UNWRITTEN = 0x6b };  // as f32: about 2.8e26

typedef struct slot {
  uint8_t *memory;  // SLOT_BYTES between two trapping pages
  size_t bytes;
} slot;

typedef struct result {
  uint8_t *bytes;
  size_t count, capacity;
  kind *kinds;  // of each element, by its first byte
} result;

static const char *const operations[] = {
#define CSIMD_OP(result, name, arguments) #name,
#include <csimd_infer_ops.inc>
#undef CSIMD_OP
};

static slot slots[SLOTS];
static size_t used;
static edge current_edge;
static result *current_result;
static const csimd_infer_table *reference, *level;
static size_t passed, failed, cases_of[COUNT(operations)];
static uint64_t digest = 0xcbf29ce484222325;
static char label[256];

static void *checked(void *memory) {
  if (memory == NULL || memory == MAP_FAILED) {
    perror("kernel-matrix");
    exit(71);
  }
  return memory;
}

static void on_fault(int signal) {
  (void)signal;
  const char text[] = "FAILED, access outside its buffers: ";
  ssize_t written = write(STDOUT_FILENO, text, sizeof text - 1);
  written += write(STDOUT_FILENO, label, strlen(label));
  written += write(STDOUT_FILENO, "\n", 1);
  _exit(written > 0 ? 1 : 2);
}

// MARK: - Memory between trapping pages

static void make_slots(void) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t i = 0; i < SLOTS; i++) {
    size_t whole = SLOT_BYTES + 2 * page;
    uint8_t *memory =
        checked(mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (mprotect(memory + page, SLOT_BYTES, PROT_READ | PROT_WRITE) != 0) {
      checked(NULL);
    }
    slots[i].memory = memory + page;
  }
}

/// The bytes beside a placed buffer that no kernel may write.
static uint8_t *watched(const slot *s) {
  return current_edge == EDGE_LOW ? s->memory + s->bytes
                                  : s->memory + SLOT_BYTES - s->bytes - WATCHED;
}

void *place(size_t bytes) {
  if (used == SLOTS || bytes > SLOT_BYTES - WATCHED) {
    fprintf(stderr, "kernel-matrix: a case needs more memory than a slot has\n");
    exit(70);
  }
  slot *s = &slots[used++];
  s->bytes = bytes;
  memset(watched(s), STRAY, WATCHED);
  return current_edge == EDGE_LOW ? s->memory : s->memory + SLOT_BYTES - bytes;
}

void *place_copy(const void *data, size_t bytes) {
  void *memory = place(bytes);
  memcpy(memory, data, bytes);
  return memory;
}

void *place_unwritten(size_t bytes) {
  void *memory = place(bytes);
  memset(memory, UNWRITTEN, bytes);
  return memory;
}

static bool is_intact_outside(void) {
  for (size_t i = 0; i < used; i++) {
    const uint8_t *bytes = watched(&slots[i]);
    for (size_t j = 0; j < WATCHED; j++) {
      if (bytes[j] != STRAY) {
        return false;
      }
    }
  }
  return true;
}

// MARK: - Comparison

static size_t width_of(kind type) {
  return type == KIND_F32 ? 4 : type == KIND_BYTES ? 1 : 2;
}

/// Makes all NaN of a type one.
static void canonicalize(uint8_t *element, kind type) {
  if (type == KIND_F32) {
    uint32_t bits;
    memcpy(&bits, element, 4);
    bits = (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : bits;
    memcpy(element, &bits, 4);
  } else if (type != KIND_BYTES) {
    uint16_t bits, infinity = type == KIND_F16 ? 0x7c00 : 0x7f80;
    memcpy(&bits, element, 2);
    bits = (bits & 0x7fff) > infinity ? 0x7fff : bits;
    memcpy(element, &bits, 2);
  }
}

void emit(const void *data, size_t count, kind type) {
  result *r = current_result;
  size_t bytes = count * width_of(type);
  if (r->count + bytes > r->capacity) {
    r->capacity = 2 * (r->count + bytes);
    r->bytes = checked(realloc(r->bytes, r->capacity));
    r->kinds = checked(realloc(r->kinds, r->capacity * sizeof *r->kinds));
  }
  memcpy(r->bytes + r->count, data, bytes);
  for (size_t i = 0; i < bytes; i += width_of(type)) {
    canonicalize(r->bytes + r->count + i, type);
    r->kinds[r->count + i] = type;
  }
  r->count += bytes;
}

static void perform(run_case *run,
                    const csimd_infer_table *table,
                    const void *arguments,
                    result *r) {
  used = 0;
  r->count = 0;
  current_result = r;
  run(table, arguments);
}

static void fail(const char *problem) {
  failed += 1;
  printf("FAILED %s: %s\n", label, problem);
}

static void describe(const result *actual, const result *expected, size_t at) {
  char text[160];
  uint32_t a = 0, e = 0;
  kind type = expected->kinds[at];
  memcpy(&a, actual->bytes + at, width_of(type));
  memcpy(&e, expected->bytes + at, width_of(type));
  if (type == KIND_F32) {
    snprintf(text,
             sizeof text,
             "byte %zu of results: %a instead of %a",
             at,
             (double)float_of_bits(a),
             (double)float_of_bits(e));
  } else {
    snprintf(text, sizeof text, "byte %zu of results: 0x%x instead of 0x%x", at, a, e);
  }
  fail(text);
}

static void judge(const result *actual, const result *expected) {
  if (!is_intact_outside()) {
    return fail("wrote outside its results");
  }
  if (actual->count != expected->count) {
    return fail("another number of results");
  }
  for (size_t at = 0; at < expected->count; at += width_of(expected->kinds[at])) {
    if (memcmp(actual->bytes + at, expected->bytes + at, width_of(expected->kinds[at])) != 0) {
      return describe(actual, expected, at);
    }
  }
  passed += 1;
}

static void count_case(const char *operation) {
  for (size_t i = 0; i < COUNT(operations); i++) {
    if (strcmp(operations[i], operation) == 0) {
      cases_of[i] += 1;
    }
  }
}

void compare(const char *operation, run_case *run, const void *arguments, const char *detail, ...) {
  static result expected, actual;
  char words[160];
  va_list list;
  va_start(list, detail);
  vsnprintf(words, sizeof words, detail, list);
  va_end(list);
  count_case(operation);
  for (current_edge = EDGE_LOW; current_edge <= EDGE_HIGH; current_edge++) {
    snprintf(label,
             sizeof label,
             "%s, %s %s, guard %s",
             csimd_isa_name(level->isa),
             operation,
             words,
             current_edge == EDGE_LOW ? "below" : "above");
    perform(run, reference, arguments, &expected);
    if (level == reference) {
      // The reference's own turn: its results are the digest.
      for (size_t i = 0; i < expected.count; i++) {
        digest = (digest ^ expected.bytes[i]) * 0x100000001b3;
      }
      if (is_intact_outside()) {
        passed += 1;
      } else {
        fail("wrote outside its results");
      }
    } else {
      perform(run, level, arguments, &actual);
      judge(&actual, &expected);
    }
  }
}

// MARK: - Main

static void test_level(csimd_isa isa) {
  level = csimd_infer_table_for(isa);
  memset(cases_of, 0, sizeof cases_of);
  size_t before = passed;
  test_quantize();
  test_products();
  test_int4_products();
  test_float_products();
  test_matches();
  test_conversions();
  test_attention();
  test_store();
  test_pairs();
  test_causal_pairs();
  test_norms();
  test_activations();
  test_rotary();
  test_elementwise();
  for (size_t i = 0; i < COUNT(operations); i++) {
    if (cases_of[i] == 0) {
      snprintf(label, sizeof label, "%s, %s", csimd_isa_name(isa), operations[i]);
      fail("no case in Tests/CrossTests");
    }
  }
  printf("%-10s  %zu passed\n", csimd_isa_name(isa), passed - before);
  fflush(stdout);
}

/// True when `names` and this machine's levels are the same.
static bool levels_are(char **names, int count) {
  int offered = 0, found = 0;
  for (csimd_isa isa = csimd_isa_scalar; isa <= LAST_LEVEL; isa++) {
    offered += csimd_infer_table_for(isa) != NULL;
    for (int i = 0; i < count; i++) {
      found += csimd_infer_table_for(isa) != NULL && strcmp(names[i], csimd_isa_name(isa)) == 0;
    }
  }
  return offered == count && found == count;
}

int main(int count, char **arguments) {
  struct sigaction action = {.sa_handler = on_fault};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  if (count > 1 && !levels_are(arguments + 1, count - 1)) {
    printf("FAILED: this machine's levels are");
    for (csimd_isa isa = csimd_isa_scalar; isa <= LAST_LEVEL; isa++) {
      printf("%s%s",
             csimd_infer_table_for(isa) ? " " : "",
             csimd_infer_table_for(isa) ? csimd_isa_name(isa) : "");
    }
    printf("\n");
    return 1;
  }
  make_slots();
  reference = csimd_infer_table_for(csimd_isa_scalar);
  for (csimd_isa isa = csimd_isa_scalar; isa <= LAST_LEVEL; isa++) {
    if (csimd_infer_table_for(isa)) {
      test_level(isa);
    }
  }
  printf("reference   digest %016llx\n", (unsigned long long)digest);
  printf("%zu passed, %zu failed\n", passed, failed);
  return failed > 0;
}
