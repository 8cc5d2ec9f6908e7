// SPDX-License-Identifier: Apache-2.0
// JPEG through libjpeg-turbo, with the warnings that stand for bad pixels made errors.

#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "cimage.h"

/// What the callbacks share; `base` is first so that libjpeg's pointer is also ours.
typedef struct jpeg_session {
  struct jpeg_error_mgr base;
  struct jpeg_progress_mgr progress;
  struct jpeg_decompress_struct decoder;
  const uint8_t *bytes;
  size_t count;
  uint32_t width;
  uint32_t height;
  int max_scans;
  bool allow_truncated;
  uint8_t *rgb;
  char *message;
  size_t message_capacity;
  cimage_status status;
  jmp_buf escape;
} jpeg_session;

_Noreturn static void jpeg_session_leave(j_common_ptr decoder, cimage_status status) {
  jpeg_session *session = (jpeg_session *)decoder->err;
  char text[JMSG_LENGTH_MAX];
  session->base.format_message(decoder, text);
  snprintf(session->message, session->message_capacity, "%s", text);
  session->status = status;
  longjmp(session->escape, 1);
}

/// Libjpeg's error exit; it must not return.
static void jpeg_session_fail(j_common_ptr decoder) {
  bool is_memory = decoder->err->msg_code == JERR_OUT_OF_MEMORY;
  jpeg_session_leave(decoder, is_memory ? CIMAGE_NO_MEMORY : CIMAGE_CORRUPT);
}

/// Sorts warnings: made-up pixels are errors, odd but complete files are not.
static void jpeg_session_warn(j_common_ptr decoder, int level) {
  const jpeg_session *session = (const jpeg_session *)decoder->err;
  if (level >= 0) {
    return;  // a trace message
  }
  switch (decoder->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
      if (!session->allow_truncated) {
        jpeg_session_leave(decoder, CIMAGE_TRUNCATED);
      }
      break;
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_BOGUS_PROGRESSION:
      jpeg_session_leave(decoder, CIMAGE_CORRUPT);
    default:
      break;
  }
}

static void jpeg_session_print(j_common_ptr decoder) {
  (void)decoder;
}

/// Stops a file that would be decoded over and over.
static void jpeg_session_progress(j_common_ptr decoder) {
  jpeg_session *session = (jpeg_session *)decoder->err;
  if (((j_decompress_ptr)decoder)->input_scan_number > session->max_scans) {
    snprintf(session->message, session->message_capacity, "more than %d scans", session->max_scans);
    session->status = CIMAGE_CORRUPT;
    longjmp(session->escape, 1);
  }
}

/// a · b / 255, rounded, for a and b within 0...255.
static int scaled_byte(int a, int b) {
  int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/// Converts `width` inverted CMYK pixels, as Adobe stores them, to RGB.
static void convert_inverted_cmyk(const uint8_t *cmyk, uint32_t width, uint8_t *rgb) {
  for (uint32_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
    int white = cmyk[3];
    for (int channel = 0; channel < 3; channel++) {
      rgb[channel] = (uint8_t)(white - scaled_byte(255 - cmyk[channel], white));
    }
  }
}

static void read_rows(jpeg_session *session) {
  j_decompress_ptr decoder = &session->decoder;
  bool is_cmyk = decoder->num_components == 4;
  decoder->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
  decoder->dct_method = JDCT_ISLOW;
  decoder->do_fancy_upsampling = TRUE;
  jpeg_start_decompress(decoder);

  JSAMPARRAY cmyk = NULL;
  if (is_cmyk) {
    cmyk = decoder->mem->alloc_sarray((j_common_ptr)decoder, JPOOL_IMAGE, session->width * 4, 1);
  }
  while (decoder->output_scanline < session->height) {
    JSAMPROW row = session->rgb + (size_t)decoder->output_scanline * session->width * 3;
    if (is_cmyk) {
      jpeg_read_scanlines(decoder, cmyk, 1);
      convert_inverted_cmyk(cmyk[0], session->width, row);
    } else {
      jpeg_read_scanlines(decoder, &row, 1);
    }
  }
  jpeg_finish_decompress(decoder);
}

/// Runs a decoding to its end or to its first error.
///
/// The session lives in the caller's frame, so its fields keep their values across the jump.
static cimage_status run(jpeg_session *session) {
  if (setjmp(session->escape) != 0) {
    return session->status;
  }
  j_decompress_ptr decoder = &session->decoder;
  jpeg_create_decompress(decoder);
  decoder->progress = &session->progress;
  jpeg_mem_src(decoder, session->bytes, (unsigned long)session->count);
  jpeg_read_header(decoder, TRUE);
  if (decoder->image_width != session->width || decoder->image_height != session->height) {
    snprintf(session->message, session->message_capacity, "the size changed while reading");
    return CIMAGE_SIZE_MISMATCH;
  }
  read_rows(session);
  return CIMAGE_OK;
}

cimage_status cimage_decode_jpeg(const uint8_t *bytes,
                                 size_t count,
                                 uint32_t width,
                                 uint32_t height,
                                 int32_t max_scans,
                                 bool allow_truncated,
                                 uint8_t *rgb,
                                 char *message,
                                 size_t message_capacity) {
  jpeg_session session = {.bytes = bytes,
                          .count = count,
                          .width = width,
                          .height = height,
                          .max_scans = max_scans,
                          .allow_truncated = allow_truncated,
                          .rgb = rgb,
                          .message = message,
                          .message_capacity = message_capacity};
  snprintf(message, message_capacity, "unknown error");
  session.decoder.err = jpeg_std_error(&session.base);
  session.base.error_exit = jpeg_session_fail;
  session.base.emit_message = jpeg_session_warn;
  session.base.output_message = jpeg_session_print;
  session.progress.progress_monitor = jpeg_session_progress;
  cimage_status status = run(&session);
  jpeg_destroy_decompress(&session.decoder);
  return status;
}
