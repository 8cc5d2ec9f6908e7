// SPDX-License-Identifier: Apache-2.0
// A JPEG from pixels in memory, so that decoding can be measured without a file.

#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <jpeglib.h>
// clang-format on

#include "cimage.h"

typedef struct writer_session {
  struct jpeg_error_mgr base;  // first, so that libjpeg's pointer is also ours
  jmp_buf escape;
} writer_session;

_Noreturn static void writer_session_fail(j_common_ptr encoder) {
  longjmp(((writer_session *)encoder->err)->escape, 1);
}

static void writer_session_print(j_common_ptr encoder) {
  (void)encoder;
}

size_t cimage_encode_jpeg(const uint8_t *rgb,
                          uint32_t width,
                          uint32_t height,
                          int32_t quality,
                          uint8_t *out,
                          size_t capacity) {
  writer_session session;
  struct jpeg_compress_struct encoder;
  unsigned char *volatile bytes = NULL;
  unsigned char *written = NULL;
  unsigned long count = 0;
  encoder.err = jpeg_std_error(&session.base);
  session.base.error_exit = writer_session_fail;
  session.base.output_message = writer_session_print;
  if (setjmp(session.escape)) {
    jpeg_destroy_compress(&encoder);
    free(bytes);
    return 0;
  }
  jpeg_create_compress(&encoder);
  jpeg_mem_dest(&encoder, &written, &count);
  bytes = written;
  encoder.image_width = width;
  encoder.image_height = height;
  encoder.input_components = 3;
  encoder.in_color_space = JCS_RGB;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, quality, TRUE);
  jpeg_start_compress(&encoder, TRUE);
  while (encoder.next_scanline < height) {
    JSAMPROW row = (JSAMPROW)(rgb + (size_t)encoder.next_scanline * width * 3);
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  size_t used = count <= capacity ? (size_t)count : 0;
  if (used > 0) {
    memcpy(out, written, used);
  }
  free(written);
  return used;
}
