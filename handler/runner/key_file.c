/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GLib takes two sections of one name for one, and of a key that is there twice the last; so a rule
 * that was copied, and not renamed, would take the place of the other without a word.
 */
#include "runner/key_file.h"

#include <string.h>

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

GKeyFile *key_file_load(const char *file, const char *text, struct strbuf *error)
{
	GKeyFile *key_file = g_key_file_new();
	GError *gerror = NULL;
	bool ok = true;

	/* An empty one is an error for GLib, and "key[de]" is for speakers of German only. */
	if (text[0])
		ok = g_key_file_load_from_data(key_file, text, strlen(text),
					       G_KEY_FILE_KEEP_TRANSLATIONS, &gerror);
	if (!ok) {
		strbuf_printf(error, "%s: %s", file, gerror->message);
		g_error_free(gerror);
	}
	if (ok && !is_told_twice(file, text, error))
		return key_file;
	g_key_file_free(key_file);
	return NULL;
}
