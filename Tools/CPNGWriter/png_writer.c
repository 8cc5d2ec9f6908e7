// SPDX-License-Identifier: Apache-2.0
// PNG out of memory into memory, through libpng's row interface.

#include "cpng_writer.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

/// What the callbacks share: where to write, what went wrong, and where to return to.
typedef struct png_output {
  uint8_t *bytes;
  size_t capacity;
  size_t count;
  png_structp png;
  png_infop info;
  cpng_status status;
  jmp_buf escape;
} png_output;

/// Libpng's error exit; it must not return.
static void png_output_fail(png_structp png, png_const_charp text) {
  png_output *output = png_get_error_ptr(png);
  if (output->status == CPNG_OK) {
    output->status = strstr(text, "ut of memory") ? CPNG_NO_MEMORY : CPNG_REFUSED;
  }
  longjmp(output->escape, 1);
}

static void png_output_warn(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void png_output_write(png_structp png, png_bytep bytes, size_t count) {
  png_output *output = png_get_io_ptr(png);
  if (count > output->capacity - output->count) {
    output->status = CPNG_NO_ROOM;
    png_error(png, "the buffer is full");
  }
  memcpy(output->bytes + output->count, bytes, count);
  output->count += count;
}

static void png_output_flush(png_structp png) {
  (void)png;
}

/// Writes header, text and rows; the output lives in the caller's frame, so its fields keep their
/// values across the jump.
static void run(png_output *output,
                const uint8_t *rgb,
                uint32_t width,
                uint32_t height,
                int level,
                const char *key,
                const char *text) {
  if (setjmp(output->escape) != 0) {
    return;
  }
  output->png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, output, png_output_fail, png_output_warn);
  output->info = output->png ? png_create_info_struct(output->png) : NULL;
  if (!output->info) {
    output->status = CPNG_NO_MEMORY;
    return;
  }
  png_structp png = output->png;
  png_set_write_fn(png, output, png_output_write, png_output_flush);
  png_set_compression_level(png, level);
  // One filter for all rows: smooth pictures differ little from the row above.
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_UP);
  png_set_IHDR(png,
               output->info,
               width,
               height,
               8,
               PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_text chunk = {.compression = PNG_TEXT_COMPRESSION_NONE,
                    .key = (char *)key,
                    .text = (char *)text,
                    .text_length = strlen(text)};
  png_set_text(png, output->info, &chunk, 1);
  png_write_info(png, output->info);
  for (uint32_t row = 0; row < height; row++) {
    png_write_row(png, rgb + (size_t)row * width * 3);
  }
  png_write_end(png, output->info);
}

cpng_status cpng_encode_rgb(const uint8_t *rgb,
                            uint32_t width,
                            uint32_t height,
                            int level,
                            const char *key,
                            const char *text,
                            uint8_t *out,
                            size_t capacity,
                            size_t *count) {
  *count = 0;
  if (width < 1 || height < 1 || width > 16384 || height > 16384 || level < 0 || level > 9 ||
      strlen(key) < 1 || strlen(key) > 79) {
    return CPNG_REFUSED;
  }
  png_output output = {.bytes = out, .capacity = capacity, .status = CPNG_OK};
  run(&output, rgb, width, height, level, key, text);
  png_destroy_write_struct(&output.png, &output.info);
  if (output.status == CPNG_OK) {
    *count = output.count;
  }
  return output.status;
}
