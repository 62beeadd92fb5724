/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GLib takes two sections of one name for one, and of a key that is there twice the last; so a rule
 * that was copied, and not renamed, would take the place of the other without a word.
 */
#include "runner/key_file.h"

#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* "[section]" or "[section]: key" of a line that GLib has accepted; NULL: neither. */
static char *name_in(const char *line, char **section)
{
	size_t len = strcspn(line, line[0] == '[' ? "]" : "=");
	char *key, *name;

	if (!line[0] || line[0] == '#')
		return NULL;
	if (line[0] != '[') {
		key = g_strchomp(g_strndup(line, len));
		name = g_strdup_printf("%s: %s", *section, key);
		g_free(key);
		return name;
	}
	g_free(*section);
	*section = g_strdup_printf("%.*s]", (int)len, line);
	return g_strdup(*section);
}

static bool is_told_twice(const char *file, const char *text, struct strbuf *error)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	char **lines = g_strsplit(text, "\n", -1);
	char *section = g_strdup("");
	bool twice = false;

	for (char **line = lines; *line && !twice; line++) {
		char *name = name_in(g_strstrip(*line), &section);

		twice = name && g_hash_table_contains(names, name);
		if (twice)
			strbuf_printf(error, "%s: %s: is there twice", file, name);
		if (name)
			g_hash_table_add(names, name);
	}
	g_free(section);
	g_strfreev(lines);
	g_hash_table_unref(names);
	return twice;
}

static void tell_why(const char *file, const char *text, const char *section, const GError *why,
		     struct strbuf *error)
{
	/* No terminal shows one. */
	if (g_str_has_prefix(text, BYTE_ORDER_MARK))
		strbuf_printf(error,
			      "%s: begins with a byte order mark (EF BB BF), expected plain text",
			      file);
	else if (g_error_matches(why, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND))
		strbuf_printf(error, "%s: a key stands before any section, expected [%s] above it",
			      file, section);
	else
		strbuf_printf(error, "%s: %s", file, why->message);
}

GKeyFile *key_file_load(const char *file, const char *text, const char *section,
			struct strbuf *error)
{
	GKeyFile *key_file = g_key_file_new();
	GError *why = NULL;

	/* An empty one is an error for GLib, and "key[de]" is for speakers of German only. */
	if (text[0])
		g_key_file_load_from_data(key_file, text, strlen(text),
					  G_KEY_FILE_KEEP_TRANSLATIONS, &why);
	if (!why && !is_told_twice(file, text, error))
		return key_file;
	if (why)
		tell_why(file, text, section, why, error);
	g_clear_error(&why);
	g_key_file_free(key_file);
	return NULL;
}
