# SPDX-License-Identifier: GPL-2.0-or-later
# The version and the commit it was built from, for log and status.
execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} describe --always --dirty
                OUTPUT_VARIABLE MPATH_BUILD_ID OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT MPATH_BUILD_ID)
  set(MPATH_BUILD_ID "unknown")
endif()
configure_file(${CMAKE_SOURCE_DIR}/cmake/version.h.in ${CMAKE_BINARY_DIR}/generated/mpath/version.h)
