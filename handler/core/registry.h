/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plug-ins that this version has, by the word that names them in a table or a map file.
 */
#ifndef MPATH_REGISTRY_H
#define MPATH_REGISTRY_H

#include "mpath/hw_handler.h"
#include "mpath/path_checker.h"
#include "mpath/path_selector.h"
#include "mpath/strbuf.h"

/* NULL: this version has none of that name.  Names are case-sensitive, as dm's. */
const struct path_selector_type *path_selector_find(const char *name);
const struct hw_handler_type *hw_handler_find(const char *name);
const struct path_checker_type *path_checker_find(const char *name);
/* Bytes of path.checker_context, enough for any checker. */
size_t path_checker_context_size(void);

/* The handler that the kernel's SCSI layer would attach, by standard INQUIRY data; NULL: none. */
const struct hw_handler_type *hw_handler_detect(const uint8_t *inquiry, size_t len);
/* Bytes of path.hw_data, enough for any handler. */
size_t hw_handler_path_size(void);

/* For error texts: " none", or ": " and the names with ", " between them. */
void path_selector_names(struct strbuf *out);
void hw_handler_names(struct strbuf *out);
void path_checker_names(struct strbuf *out);

#endif
