// SPDX-License-Identifier: Apache-2.0
// PNG through libpng's row interface, with every optional chunk skipped.

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "cimage.h"

/// What the callbacks share: where to read, where to report, and where to return to.
typedef struct png_session {
  const uint8_t *bytes;
  size_t count;
  size_t position;
  uint32_t width;
  uint32_t height;
  bool allow_truncated;
  bool clip_gray16;
  uint8_t *rgb;
  char *message;
  size_t message_capacity;

  png_structp png;
  png_infop info;
  cimage_status status;
  bool has_rows;      // rows may have been written: from here a truncated file can be shown
  bool has_bad_data;  // the compressed stream is wrong although all rows came out of it
  jmp_buf escape;
} png_session;

/// Libpng's error exit; it must not return.
static void png_session_fail(png_structp png, png_const_charp text) {
  png_session *session = png_get_error_ptr(png);
  if (session->status == CIMAGE_OK) {
    session->status = strstr(text, "ut of memory") ? CIMAGE_NO_MEMORY : CIMAGE_CORRUPT;
  }
  snprintf(session->message, session->message_capacity, "%s", text);
  longjmp(session->escape, 1);
}

/// Notes the one kind of warning that matters: a compressed stream that ends badly after its last
/// row.
static void png_session_warn(png_structp png, png_const_charp text) {
  png_session *session = png_get_error_ptr(png);
  // Surplus data is harmless; anything else said about IDAT means that the checksum or stream is
  // wrong.
  if (strncmp(text, "IDAT: ", 6) == 0 && !strstr(text, "Too much image data") &&
      !strstr(text, "Extra compressed data")) {
    session->has_bad_data = true;
    snprintf(session->message, session->message_capacity, "%s", text);
  }
}

static void png_session_read(png_structp png, png_bytep out, size_t count) {
  png_session *session = png_get_io_ptr(png);
  if (count > session->count - session->position) {
    session->status = CIMAGE_TRUNCATED;
    png_error(png, "the file ends early");
  }
  memcpy(out, session->bytes + session->position, count);
  session->position += count;
}

/// Turns a row of big-endian 16-bit samples into bytes, in place: values above 255 become 255.
static void clip_row_to_bytes(png_structp png, png_row_infop info, png_bytep row) {
  (void)png;
  size_t samples = (size_t)info->width * info->channels;
  for (size_t i = 0; i < samples; i++) {
    row[i] = row[2 * i] != 0 ? 255 : row[2 * i + 1];
  }
  info->bit_depth = 8;
  info->pixel_depth = (png_byte)(8 * info->channels);
  info->rowbytes = samples;
}

/// Asks for rows of 8-bit RGB whatever the file holds.
static void request_rgb_rows(png_structp png, png_infop info, bool clip_gray16) {
  png_byte type = png_get_color_type(png, info);
  png_byte depth = png_get_bit_depth(png, info);
  if (type == PNG_COLOR_TYPE_PALETTE) {
    png_set_palette_to_rgb(png);
  }
  if (type == PNG_COLOR_TYPE_GRAY && depth < 8) {
    png_set_expand_gray_1_2_4_to_8(png);
  }
  if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA) {
    png_set_gray_to_rgb(png);
  }
  if ((type & PNG_COLOR_MASK_ALPHA) != 0) {
    png_set_strip_alpha(png);
  }
  if (type == PNG_COLOR_TYPE_GRAY && depth == 16 && clip_gray16) {
    png_set_read_user_transform_fn(png, clip_row_to_bytes);
    png_set_user_transform_info(png, NULL, 8, 3);
  } else if (depth == 16) {
    png_set_strip_16(png);
  }
}

static void read_header(png_session *session) {
  png_structp png = session->png;
  png_set_read_fn(png, session, png_session_read);
  png_set_user_limits(png, session->width, session->height);
  if (session->allow_truncated) {
    // A refill that reaches past the end would lose the bytes before the end.
    png_set_compression_buffer_size(png, 1);
  }
  // Chunks are skipped in place, so their length costs nothing and needs no limit of its own.
  png_set_chunk_malloc_max(png, 0);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  static const png_byte also_skipped[] = "tRNS\0sRGB";
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, also_skipped, 2);

  png_read_info(png, session->info);
  if (png_get_image_width(png, session->info) != session->width ||
      png_get_image_height(png, session->info) != session->height) {
    session->status = CIMAGE_SIZE_MISMATCH;
    png_error(png, "the size changed while reading");
  }
}

static void read_rows(png_session *session) {
  png_structp png = session->png;
  request_rgb_rows(png, session->info, session->clip_gray16);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, session->info);
  size_t stride = (size_t)session->width * 3;
  if (png_get_rowbytes(png, session->info) != stride) {
    png_error(png, "unexpected row size");
  }
  session->has_rows = true;
  for (int pass = 0; pass < passes; pass++) {
    for (uint32_t row = 0; row < session->height; row++) {
      png_read_row(png, session->rgb + row * stride, NULL);
    }
  }
  png_read_end(png, NULL);
}

/// Runs a decoding to its end or to its first error.
///
/// The session lives in the caller's frame, so its fields keep their values across the jump.
static cimage_status run(png_session *session) {
  if (setjmp(session->escape) != 0) {
    bool is_partial = session->status == CIMAGE_TRUNCATED && session->has_rows;
    return is_partial && session->allow_truncated ? CIMAGE_OK : session->status;
  }
  session->png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, session, png_session_fail, png_session_warn);
  if (!session->png) {
    return CIMAGE_NO_MEMORY;
  }
  session->info = png_create_info_struct(session->png);
  if (!session->info) {
    return CIMAGE_NO_MEMORY;
  }
  read_header(session);
  read_rows(session);
  return session->has_bad_data ? CIMAGE_CORRUPT : CIMAGE_OK;
}

cimage_status cimage_decode_png(const uint8_t *bytes,
                                size_t count,
                                uint32_t width,
                                uint32_t height,
                                bool allow_truncated,
                                bool clip_gray16,
                                uint8_t *rgb,
                                char *message,
                                size_t message_capacity) {
  png_session session = {.bytes = bytes,
                         .count = count,
                         .width = width,
                         .height = height,
                         .allow_truncated = allow_truncated,
                         .clip_gray16 = clip_gray16,
                         .rgb = rgb,
                         .message = message,
                         .message_capacity = message_capacity};
  snprintf(message, message_capacity, "out of memory");
  cimage_status status = run(&session);
  png_destroy_read_struct(&session.png, &session.info, NULL);
  return status;
}
