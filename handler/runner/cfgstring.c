// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The forms of a cfgstring; see cfgstring.h.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/core.h"
#include "mpath/table.h"
#include "runner/cfgstring.h"

#define USE_A_MAP_FILE "put the paths into a map file and give its name"

bool map_name_is_valid(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789._+-");

	return len >= 1 && len < MPATH_NAME_MAX && !name[len] && name[0] != '.';
}

/*
 * The digit in front is the kind of name (1 T10, 2 EUI, 3 NAA, 8 a text), as scsi/identity.c spells
 * it.  sysfs and arrays do without, and often have large letters: for that LUN a map would wait for
 * ever.
 */
bool wwid_is_valid(const char *wwid)
{
	bool is_hex = wwid[0] == '2' || wwid[0] == '3';

	if (!wwid[0] || !strchr("1238", wwid[0]))
		return false;
	for (const char *c = wwid; *c; c++)
		if (!isgraph((unsigned char)*c) || strchr("\"'", *c) ||
		    (is_hex && *c >= 'A' && *c <= 'Z'))
			return false;
	return strlen(wwid) < WWID_MAX;
}

/* --- lists of paths --- */

static char *strip(char *word)
{
	size_t len;

	word += strspn(word, " \t");
	len = strlen(word);
	while (len && (word[len - 1] == ' ' || word[len - 1] == '\t'))
		len--;
	word[len] = '\0';
	return word;
}

/* "/dev/sda,/dev/sdb", or with a blank: a name that goes on so is no disk's. */
static bool has_two_paths(const char *word)
{
	for (const char *c = strchr(word, '/'); c; c = strchr(c + 1, '/'))
		if (c > word && strchr(", \t", c[-1]))
			return true;
	return false;
}

static struct strbuf *error_of_path(struct strbuf *error, const char *where, unsigned int i)
{
	strbuf_printf(error, "%s: path %u is ", where, i + 1);
	return error;
}

/* Key files have no comment at the end of a line, and a path of that name would never come. */
static bool has_comment(const char *word)
{
	return strstr(word, " #") || strstr(word, "\t#");
}

static int check_path_word(const struct path_list *list, unsigned int i, const char *where,
			   struct strbuf *error)
{
	const char *word = list->words[i];

	if (word[0] != '/')
		return mpath_refuse_word(error_of_path(error, where, i), word,
					 "expected an absolute path name");
	if (has_two_paths(word))
		return mpath_refuse_word(error_of_path(error, where, i), word,
					 "expected ; between two paths");
	if (has_comment(word))
		return mpath_refuse_word(error_of_path(error, where, i), word,
					 "expected a comment on a line of its own");
	for (unsigned int k = 0; k < i; k++)
		if (strcmp(list->words[k], word) == 0)
			return mpath_refuse_word(error_of_path(error, where, i), word,
						 "as path %u is: each path can be there once",
						 k + 1);
	return 0;
}

static unsigned int count_words(const char *text)
{
	unsigned int n = 1;

	for (; *text; text++)
		n += *text == ';';
	return n;
}

int path_list_parse(const char *text, const char *where, struct path_list *list,
		    struct strbuf *error)
{
	unsigned int max = count_words(text);
	char *rest, *word;
	int err;

	*list = (struct path_list){0};
	/* Before each is compared with all others. */
	if (max > TABLE_GROUPS_MAX) {
		strbuf_printf(error, "%s: there are %u, expected at most %d", where, max,
			      TABLE_GROUPS_MAX);
		return -EINVAL;
	}
	*list = (struct path_list){.text = strdup(text), .words = calloc(max, sizeof(char *))};
	if (!list->text || !list->words) {
		path_list_clear(list);
		strbuf_printf(error, "%s: out of memory", where);
		return -ENOMEM;
	}

	rest = list->text;
	while ((word = strsep(&rest, ";"))) {
		list->words[list->nr_words] = strip(word);
		err = check_path_word(list, list->nr_words++, where, error);
		if (err) {
			path_list_clear(list);
			return err;
		}
	}
	return 0;
}

void path_list_clear(struct path_list *list)
{
	free(list->text);
	free(list->words);
	*list = (struct path_list){0};
}

/* --- the string as a whole --- */

static size_t len_without_newline(const char *text)
{
	size_t len = strlen(text);

	return len && text[len - 1] == '\n' ? len - 1 : len;
}

bool cfgstring_equal(const char *a, const char *b)
{
	size_t len = len_without_newline(a);

	return len == len_without_newline(b) && !memcmp(a, b, len);
}

/*
 * ':' is refused by rtslib, ',' ends the string for the kernel, and targetcli drops the rest of a
 * line from any of the others on.
 */
static int check_characters(const char *text, struct strbuf *error)
{
	for (const char *c = text; *c; c++) {
		int position = (int)(c - text) + 1;

		if (!isgraph((unsigned char)*c) && *c != ' ') {
			strbuf_printf(
				error,
				"cfgstring: byte %02Xh at position %d cannot be in a cfgstring",
				(unsigned char)*c, position);
			return -EINVAL;
		}
		if (strchr(" \"'`:,{}|^", *c)) {
			strbuf_printf(error,
				      "cfgstring: '%c' at position %d cannot be in a "
				      "cfgstring: " USE_A_MAP_FILE,
				      *c, position);
			return -EINVAL;
		}
	}
	return 0;
}

static int check_whole(const char *text, struct strbuf *error)
{
	size_t len = strlen(text);

	if (strncmp(text, CFGSTRING_PREFIX, strlen(CFGSTRING_PREFIX))) {
		strbuf_printf(error, "cfgstring: \"%.64s\" does not begin with \"mpath/\"", text);
		return -EINVAL;
	}
	if (len > CFGSTRING_MAX) {
		strbuf_printf(error,
			      "cfgstring: %zu bytes with \"mpath/\", at most %d are "
			      "possible: " USE_A_MAP_FILE,
			      len, CFGSTRING_MAX);
		return -EINVAL;
	}
	/* The runner would time commands that we free (tcmu-runner.md 0.3). */
	if (strstr(text, "tcmur_cmd_time_out")) {
		strbuf_printf(error, "cfgstring: tcmur_cmd_time_out is not possible here: set the "
				     "backstore's attribute cmd_time_out");
		return -EINVAL;
	}
	return check_characters(text, error);
}

static int parse_form(struct cfgstring *cfgstring, struct strbuf *error)
{
	const char *rest = cfgstring->text + strlen(CFGSTRING_PREFIX);

	if (rest[0] == '/') {
		cfgstring->form = CFGSTRING_PATHS;
		return path_list_parse(rest, "cfgstring", &cfgstring->paths, error);
	}
	if (!rest[0]) {
		strbuf_printf(error, "cfgstring: nothing behind \"mpath/\", expected the name of a "
				     "map file, wwid=WWID, or paths like /dev/sda;/dev/sdb");
		return -EINVAL;
	}
	if (!strncmp(rest, "wwid=", strlen("wwid="))) {
		cfgstring->form = CFGSTRING_WWID;
		cfgstring->wwid = rest + strlen("wwid=");
		if (wwid_is_valid(cfgstring->wwid))
			return 0;
		strbuf_printf(error, "cfgstring: wwid: \"%.64s\", " WWID_EXPECTED, cfgstring->wwid);
		return -EINVAL;
	}
	if (!map_name_is_valid(rest)) {
		strbuf_printf(
			error,
			"cfgstring: \"%s\" is no name of a map, expected 1 to %d of the "
			"characters A-Z a-z 0-9 . _ + - without a dot in front, or paths that "
			"begin with \"/\"",
			rest, MPATH_NAME_MAX - 1);
		return -EINVAL;
	}
	cfgstring->form = CFGSTRING_NAME;
	cfgstring->name = rest;
	return 0;
}

int cfgstring_parse(const char *text, struct cfgstring *cfgstring, struct strbuf *error)
{
	int err;

	*cfgstring = (struct cfgstring){.text = strndup(text, len_without_newline(text))};
	if (!cfgstring->text) {
		strbuf_printf(error, "cfgstring: out of memory");
		return -ENOMEM;
	}
	err = check_whole(cfgstring->text, error);
	if (!err)
		err = parse_form(cfgstring, error);
	if (err)
		cfgstring_clear(cfgstring);
	return err;
}

void cfgstring_clear(struct cfgstring *cfgstring)
{
	path_list_clear(&cfgstring->paths);
	free(cfgstring->text);
	*cfgstring = (struct cfgstring){0};
}
