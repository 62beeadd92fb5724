# SPDX-License-Identifier: GPL-2.0-or-later
# tcmu-mpath_VERSION_ARCH.deb: run "cpack" in the release preset's build directory.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tcmu-mpath)
set(CPACK_PACKAGE_CONTACT "tcmu-mpath authors <tcmu-mpath@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "multipath for LIO: dm-multipath as a tcmu-runner handler")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "\
Adds the backstore user:mpath to targetcli. A LUN that is reached over
several paths is exported over iSCSI or FC and survives the loss of paths.
SCSI commands are passed through, with the array's own status and sense.
Tables, messages and status are those of dm-multipath.")
set(CPACK_SET_DESTDIR ON)	# there are files outside of /usr
set(CPACK_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "tcmu-runner (>= 1.5.4), dbus, python3:any, python3-gi")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "targetcli-fb")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(debian ${CMAKE_SOURCE_DIR}/config/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${debian}/conffiles;${debian}/postinst;${debian}/prerm;${debian}/postrm")
# As Debian wants them, whatever umask the build ran under.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
