# SPDX-License-Identifier: GPL-2.0-or-later
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)

add_compile_options(-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                    -Wvla -Wpointer-arith -Wwrite-strings -Wundef -fno-strict-aliasing)
add_compile_definitions(_GNU_SOURCE)
# Asserts stay on in release builds (style.md 4).
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")

if(MPATH_SANITIZE)
  add_compile_options(-fsanitize=${MPATH_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MPATH_SANITIZE})
endif()
if(MPATH_COVERAGE)
  add_compile_options(--coverage -O0)
  add_link_options(--coverage)
endif()

# The handler is optimized as a whole, from libraries that hold both kinds of code; what is linked
# with them for the tests takes the usual one (tests/CMakeLists.txt), which is quicker.
if(MPATH_WHOLE_HANDLER)
  add_compile_options(-flto=auto -ffat-lto-objects)
  set(whole_handler -flto=auto -Werror)
endif()
