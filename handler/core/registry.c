/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All plug-ins at one glance.  A new one is its file, its line here and its test.
 */
#include <string.h>

#include "core/registry.h"

extern const struct path_selector_type historical_service_time_selector;
extern const struct path_selector_type io_affinity_selector;
extern const struct path_selector_type queue_length_selector;
extern const struct path_selector_type round_robin_selector;
extern const struct path_selector_type service_time_selector;

extern const struct hw_handler_type alua_handler;
extern const struct hw_handler_type emc_handler;
extern const struct hw_handler_type rdac_handler;
extern const struct hw_handler_type hp_sw_handler;

extern const struct path_checker_type tur_checker;
extern const struct path_checker_type directio_checker;
extern const struct path_checker_type rdac_checker;
extern const struct path_checker_type emc_clariion_checker;
extern const struct path_checker_type hp_sw_checker;

/* clang-format off */
static const struct path_selector_type *const selectors[] = {
	&round_robin_selector,
	&queue_length_selector,
	&service_time_selector,
	&historical_service_time_selector,
	&io_affinity_selector,
	NULL,
};
/* clang-format on */

/* In the order in which they are tried on an array that no table names a handler for. */
static const struct hw_handler_type *const hw_handlers[] = {
	&alua_handler, &emc_handler, &rdac_handler, &hp_sw_handler, NULL,
};

static const struct path_checker_type *const checkers[] = {
	&tur_checker, &directio_checker, &rdac_checker, &emc_clariion_checker, &hp_sw_checker, NULL,
};

const struct path_selector_type *path_selector_find(const char *name)
{
	for (size_t i = 0; selectors[i]; i++)
		if (!strcmp(selectors[i]->name, name))
			return selectors[i];
	return NULL;
}

const struct hw_handler_type *hw_handler_find(const char *name)
{
	for (size_t i = 0; hw_handlers[i]; i++)
		if (!strcmp(hw_handlers[i]->name, name))
			return hw_handlers[i];
	return NULL;
}

const struct hw_handler_type *hw_handler_detect(const uint8_t *inquiry, size_t len)
{
	for (size_t i = 0; hw_handlers[i]; i++)
		if (hw_handlers[i]->detect(inquiry, len))
			return hw_handlers[i];
	return NULL;
}

size_t hw_handler_path_size(void)
{
	size_t size = 0;

	for (size_t i = 0; hw_handlers[i]; i++)
		if (hw_handlers[i]->path_size > size)
			size = hw_handlers[i]->path_size;
	return size;
}

const struct path_checker_type *path_checker_find(const char *name)
{
	for (size_t i = 0; checkers[i]; i++)
		if (!strcmp(checkers[i]->name, name))
			return checkers[i];
	return NULL;
}

size_t path_checker_context_size(void)
{
	size_t size = 0;

	for (size_t i = 0; checkers[i]; i++)
		if (checkers[i]->context_size > size)
			size = checkers[i]->context_size;
	return size;
}

static void print_name(struct strbuf *out, size_t i, const char *name)
{
	strbuf_printf(out, "%s%s", i ? ", " : ": ", name);
}

void path_selector_names(struct strbuf *out)
{
	for (size_t i = 0; selectors[i]; i++)
		print_name(out, i, selectors[i]->name);
}

void hw_handler_names(struct strbuf *out)
{
	for (size_t i = 0; hw_handlers[i]; i++)
		print_name(out, i, hw_handlers[i]->name);
}

void path_checker_names(struct strbuf *out)
{
	for (size_t i = 0; checkers[i]; i++)
		print_name(out, i, checkers[i]->name);
}
