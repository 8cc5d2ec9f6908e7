// SPDX-License-Identifier: Apache-2.0
// The system's libpng.

#pragma once

#include <png.h>
