# SPDX-License-Identifier: GPL-2.0-or-later
# Every dependency is a Debian 12 package, found through pkg-config.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# mpath_need(TARGET MODULE PACKAGE): PkgConfig::TARGET, or say which package brings it.
function(mpath_need target module package)
  pkg_check_modules(${target} IMPORTED_TARGET GLOBAL ${module})
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR "tcmu-mpath needs ${module}: apt-get install ${package}")
  endif()
endfunction()

mpath_need(GLIB glib-2.0 libglib2.0-dev)
mpath_need(GIO gio-unix-2.0 libglib2.0-dev)
mpath_need(JSON json-glib-1.0 libjson-glib-dev)
mpath_need(KMOD libkmod libkmod-dev)
mpath_need(UDEV libudev libudev-dev)
mpath_need(SYSTEMD libsystemd libsystemd-dev)

# Debian's libsgutils2-dev ships no .pc file.
find_library(SGUTILS2_LIBRARY sgutils2)
find_path(SGUTILS2_INCLUDE scsi/sg_lib.h)
if(NOT SGUTILS2_LIBRARY OR NOT SGUTILS2_INCLUDE)
  message(FATAL_ERROR "tcmu-mpath needs libsgutils2: apt-get install libsgutils2-dev")
endif()
add_library(sgutils2 INTERFACE IMPORTED GLOBAL)
target_link_libraries(sgutils2 INTERFACE ${SGUTILS2_LIBRARY})
target_include_directories(sgutils2 INTERFACE ${SGUTILS2_INCLUDE})
