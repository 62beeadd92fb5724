/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the text of a dm-multipath table to struct mpath_table, or to an error that says which
 * word is wrong and what belongs there.
 *
 *   <#feature args> [<feature> [<value>]]*
 *   <#hw_handler args> [<handler> [<arg>]*]
 *   <#priority groups> <initial group>
 *   { <selector> <#selector args> [<arg>]*
 *     <#paths> <#args per path> { <device> [<arg>]* }+ }+
 *
 * The checks come in dm's order, so that a table with two mistakes gets the error that dm gives.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/registry.h"
#include "mpath/number.h"
#include "mpath/table.h"

#define WHITE_SPACE    " \t\n\v\f\r"
#define MAJOR_MAX      0xfff
#define MINOR_MAX      0xfffff
#define SHOWN_WORD_MAX 64 /* bytes of a word in an error text */

struct parser {
	struct mpath_table *table;
	char **words; /* the parameters, without a prefix */
	unsigned int nr_words;
	unsigned int next;     /* index of the first word not yet read */
	unsigned int hw_words; /* index of the hardware handler's first word behind its name */
	struct strbuf *error;
};

/* The numbers of a table, with dm's limits and error texts. */
struct table_number {
	unsigned int min;
	unsigned int max;
	const char *error;
};

/* clang-format off */
static const struct table_number
	feature_args = {0, 8, "invalid number of feature args"},
	pg_init_retries = {1, PG_INIT_RETRIES_MAX, "pg_init_retries must be between 1 and 50"},
	pg_init_delay_msecs = {0, PG_INIT_DELAY_MAX, "pg_init_delay_msecs must be between 0 and 60000"},
	hw_handler_args = {0, 1024, "invalid number of hardware handler args"},
	priority_groups = {0, TABLE_GROUPS_MAX, "invalid number of priority groups"},
	initial_group = {0, TABLE_GROUPS_MAX, "invalid initial priority group number"},
	selector_args = {0, 1024, "invalid number of path selector args"},
	group_paths = {1, TABLE_GROUPS_MAX, "invalid number of paths"},
	path_args = {0, 1024, "invalid number of selector args"};
/* clang-format on */

/* One group's selector on trial: it gets its words before there is any device. */
struct trial {
	struct path_selector selector;
	struct path *paths;
};

/* --- Errors --- */

/* Cut and escaped: an error text ends up in logs and in D-Bus strings, which must be UTF-8. */
static void print_word(struct strbuf *out, const char *word)
{
	const char *c;

	strbuf_printf(out, "\"");
	for (c = word; *c && c < word + SHOWN_WORD_MAX; c++) {
		if (*c < ' ' || *c > '~')
			strbuf_printf(out, "\\x%02x", (unsigned char)*c);
		else
			strbuf_printf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	}
	strbuf_printf(out, *c ? "...\"" : "\"");
}

int mpath_refuse_word(struct strbuf *error, const char *word, const char *expected, ...)
{
	va_list args;

	print_word(error, word);
	strbuf_printf(error, ", ");
	va_start(args, expected);
	strbuf_vprintf(error, expected, args);
	va_end(args);
	return -EINVAL;
}

/* "<dm's error>: word N is "...", <tail>"; N counts from 1, @at from 0.  Returns -EINVAL. */
__attribute__((format(printf, 4, 5))) static int refuse(struct parser *p, unsigned int at,
							const char *error, const char *tail, ...)
{
	va_list args;

	strbuf_printf(p->error, "%s: ", error);
	if (at < p->nr_words) {
		strbuf_printf(p->error, "word %u is ", at + 1);
		print_word(p->error, p->words[at]);
	} else if (p->nr_words) {
		strbuf_printf(p->error, "the table ends after word %u", p->nr_words);
	} else {
		strbuf_printf(p->error, "the table is empty");
	}
	strbuf_printf(p->error, ", ");

	va_start(args, tail);
	strbuf_vprintf(p->error, tail, args);
	va_end(args);
	return -EINVAL;
}

static int out_of_memory(struct strbuf *error, const char *text)
{
	strbuf_printf(error, "%s: out of memory", text);
	return -ENOMEM;
}

/* A table may repeat for each of a thousand paths what needs to be said only once. */
static void warn_once(struct parser *p, unsigned int at, const char *text)
{
	struct mpath_table *table = p->table;
	struct strbuf line;

	for (unsigned int i = 0; i < table->nr_warnings; i++)
		if (!strncmp(table->warnings[i], text, strlen(text)))
			return;
	if (table->nr_warnings == TABLE_WARNINGS_MAX)
		return;

	strbuf_init(&line, table->warnings[table->nr_warnings++], TABLE_WARNING_SIZE);
	strbuf_printf(&line, "%s: word %u is ", text, at + 1);
	print_word(&line, p->words[at]);
}

/* --- Words --- */

/* Copy one word to @to without its backslashes; returns the first byte behind it. */
static const char *copy_word(const char *from, char **to)
{
	while (*from && !strchr(WHITE_SPACE, *from)) {
		if (from[0] == '\\' && from[1])
			from++;
		*(*to)++ = *from++;
	}
	*(*to)++ = '\0';
	return from;
}

static int split_words(struct parser *p, const char *text)
{
	struct mpath_table *table = p->table;
	size_t len = strlen(text);
	char *to;

	if (len > TABLE_TEXT_MAX) {
		strbuf_printf(p->error, "table too long: it has %zu bytes, expected at most %d",
			      len, TABLE_TEXT_MAX);
		return -EINVAL;
	}

	/* At most every second byte starts a word, and each word ends with a NUL. */
	table->text = malloc(len + 1);
	table->words = calloc(len / 2 + 1, sizeof(*table->words));
	if (!table->text || !table->words)
		return out_of_memory(p->error, "couldn't split parameters");

	p->words = table->words;
	to = table->text;
	for (text += strspn(text, WHITE_SPACE); *text; text += strspn(text, WHITE_SPACE)) {
		p->words[p->nr_words++] = to;
		text = copy_word(text, &to);
	}
	return 0;
}

static int check_word_lengths(struct parser *p)
{
	for (unsigned int i = 0; i < p->nr_words; i++)
		if (strlen(p->words[i]) > TABLE_WORD_MAX)
			return refuse(p, i, "word too long", "expected at most %d bytes",
				      TABLE_WORD_MAX);
	return 0;
}

static unsigned int words_left(const struct parser *p)
{
	return p->nr_words - p->next;
}

static int read_number(struct parser *p, const struct table_number *number, unsigned int *value)
{
	uint64_t n;

	if (!words_left(p) || !parse_number(p->words[p->next], number->max, &n) || n < number->min)
		return refuse(p, p->next, number->error, "expected a number from %u to %u",
			      number->min, number->max);
	p->next++;
	*value = (unsigned int)n;
	return 0;
}

/* A number of args: so many words must follow. */
static int read_count(struct parser *p, const struct table_number *number, unsigned int *count)
{
	int err = read_number(p, number, count);

	if (!err && *count > words_left(p))
		err = refuse(p, p->next - 1, number->error,
			     "expected at most %u, the number of words after it", words_left(p));
	return err;
}

static char **take_words(struct parser *p, unsigned int count)
{
	char **argv = p->words + p->next;

	assert(count <= words_left(p));
	p->next += count;
	return argv;
}

/* --- What "dmsetup table" prints before the parameters --- */

static void drop_words(struct parser *p, unsigned int count)
{
	p->words += count;
	p->nr_words -= count;
}

__attribute__((format(printf, 4, 5))) static int
refuse_prefix(struct parser *p, const char *error, const char *word, const char *tail, ...)
{
	va_list args;

	strbuf_printf(p->error, "%s ", error);
	print_word(p->error, word);
	strbuf_printf(p->error, ", ");
	va_start(args, tail);
	strbuf_vprintf(p->error, tail, args);
	va_end(args);
	return -EINVAL;
}

static int parse_range(struct parser *p, const char *start, const char *length)
{
	const uint64_t sectors_max = UINT64_MAX / 512; /* so that the bytes can be counted, too */
	struct mpath_table *table = p->table;
	uint64_t zero;

	if (!parse_number(start, 0, &zero))
		return refuse_prefix(p, "invalid table start: START is", start, "expected 0");
	if (!parse_number(length, sectors_max, &table->nr_sectors) || !table->nr_sectors)
		return refuse_prefix(p, "invalid table length: LENGTH is", length,
				     "expected a number of sectors from 1 to %llu",
				     (unsigned long long)sectors_max);
	table->has_length = true;
	return 0;
}

/*
 * Another target's line.  LENGTH could be a number of hardware handler args, if it is no larger
 * than that can be; without NAME: only a word behind it tells that it is not one that is wrong.
 */
static bool is_other_target(const struct parser *p, bool named)
{
	uint64_t n, length;

	return p->nr_words >= 3 && parse_number(p->words[0], UINT64_MAX, &n) &&
	       parse_number(p->words[1], UINT64_MAX, &length) && length > hw_handler_args.max &&
	       (named || !parse_number(p->words[2], UINT64_MAX, &n));
}

static int skip_prefix(struct parser *p)
{
	bool named = p->nr_words && p->words[0][strlen(p->words[0]) - 1] == ':';
	int err;

	if (named)
		drop_words(p, 1);
	if (p->nr_words >= 3 && !strcmp(p->words[2], "multipath")) {
		err = parse_range(p, p->words[0], p->words[1]);
		drop_words(p, 3);
		return err;
	}
	if (is_other_target(p, named))
		return refuse_prefix(p, "not a multipath table: the target type is", p->words[2],
				     "expected \"multipath\"");
	return 0;
}

/* --- Features --- */

static int parse_queue_mode(struct parser *p)
{
	const char *mode = p->words[p->next];

	/* "mq" has been the same as "rq" since Linux 4.20. */
	if (!strcasecmp(mode, "bio"))
		p->table->queue_mode = QUEUE_MODE_BIO;
	else if (!strcasecmp(mode, "rq") || !strcasecmp(mode, "mq"))
		p->table->queue_mode = QUEUE_MODE_RQ;
	else
		return refuse(p, p->next, "Unknown 'queue_mode' requested",
			      "expected bio, rq or mq");
	p->next++;
	return 0;
}

static int parse_pg_init_retries(struct parser *p)
{
	return read_number(p, &pg_init_retries, &p->table->pg_init_retries);
}

static int parse_pg_init_delay(struct parser *p)
{
	unsigned int msecs;
	int err = read_number(p, &pg_init_delay_msecs, &msecs);

	if (!err)
		p->table->pg_init_delay_msecs = (int)msecs;
	return err;
}

static int refuse_feature(struct parser *p, unsigned int at, bool needs_value)
{
	const char *error = "Unrecognised multipath feature request";

	if (needs_value)
		return refuse(p, at, error, "expected its value after it, counted in word 1");
	return refuse(p, at, error,
		      "expected queue_if_no_path, retain_attached_hw_handler, pg_init_retries, "
		      "pg_init_delay_msecs or queue_mode");
}

/* One feature with its value; @end is the first word behind the feature args. */
static int parse_feature(struct parser *p, unsigned int end)
{
	static const struct {
		const char *name;
		int (*parse)(struct parser *p);
	} with_value[] = {
		{"pg_init_retries", parse_pg_init_retries},
		{"pg_init_delay_msecs", parse_pg_init_delay},
		{"queue_mode", parse_queue_mode},
	};
	unsigned int at = p->next++;
	const char *name = p->words[at];

	if (!strcasecmp(name, "queue_if_no_path")) {
		p->table->queue_if_no_path = true;
		return 0;
	}
	if (!strcasecmp(name, "retain_attached_hw_handler")) {
		p->table->retain_attached_hw_handler = true;
		return 0;
	}
	for (size_t i = 0; i < sizeof(with_value) / sizeof(with_value[0]); i++) {
		if (strcasecmp(name, with_value[i].name))
			continue;
		return p->next < end ? with_value[i].parse(p) : refuse_feature(p, at, true);
	}
	return refuse_feature(p, at, false);
}

static int parse_features(struct parser *p)
{
	unsigned int count;
	unsigned int end;
	int err = read_count(p, &feature_args, &count);

	if (err)
		return err;
	end = p->next + count;
	while (!err && p->next < end)
		err = parse_feature(p, end);

	/* In bio mode dm manages no handler of its own, so it keeps the one that it finds. */
	if (p->table->queue_mode == QUEUE_MODE_BIO)
		p->table->retain_attached_hw_handler = true;
	return err;
}

/* --- Hardware handler --- */

static int refuse_hw_handler(struct parser *p)
{
	refuse(p, p->next, "unknown hardware handler type", "this version has");
	hw_handler_names(p->error);
	return -EINVAL;
}

static int parse_hw_handler(struct parser *p)
{
	struct mpath_table *table = p->table;
	unsigned int count;
	int err = read_count(p, &hw_handler_args, &count);

	if (err || !count)
		return err;
	if (table->queue_mode == QUEUE_MODE_BIO) {
		warn_once(p, p->next, "bio-based multipath doesn't allow hardware handler args");
		take_words(p, count);
		return 0;
	}

	table->hw_handler = hw_handler_find(p->words[p->next]);
	if (!table->hw_handler)
		return refuse_hw_handler(p);
	table->hw_argv = take_words(p, count) + 1;
	table->hw_argc = (int)count - 1;
	p->hw_words = p->next - (unsigned int)table->hw_argc;
	return 0;
}

/* As in dm, the words meet the handler with the first path. */
static int check_hw_params(struct parser *p)
{
	const struct mpath_table *table = p->table;
	struct hw_handler trial = {.type = table->hw_handler};
	const char *expected = "expected no word behind its name";

	if (!table->hw_argc)
		return 0;
	if (trial.type->set_params &&
	    trial.type->set_params(&trial, table->hw_argc, (const char *const *)table->hw_argv,
				   &expected))
		return 0;
	return refuse(p, p->hw_words, "unable to set hardware handler parameters", "%s", expected);
}

/* --- Priority groups --- */

static int trial_begin(struct parser *p, unsigned int at, const struct table_group *group,
		       struct trial *trial)
{
	const char *error = "no reason given";
	int err;

	*trial = (struct trial){.selector.type = group->selector};
	err = group->selector->create(&trial->selector, group->selector_argc,
				      (const char *const *)group->selector_argv, &error);
	if (err)
		refuse(p, at, "path selector constructor failed", "%s", error);
	return err;
}

static int trial_add_path(struct parser *p, const struct table_group *group, struct trial *trial,
			  unsigned int nr)
{
	const struct table_path *path = &group->paths[nr];
	unsigned int at = p->next - (unsigned int)path->argc;
	const char *error = NULL;
	int err;

	/* What is wrong with no words is shown at the device that lacks them. */
	if (!path->argc)
		at--;
	err = group->selector->add_path(&trial->selector, &trial->paths[nr], path->argc,
					(const char *const *)path->argv, &error);
	if (err == -ENOMEM)
		refuse(p, at, error, "out of memory");
	else if (err)
		refuse(p, at, error, "expected what %s takes for a path", group->selector->name);
	else if (error)
		warn_once(p, at, error);
	return err;
}

static void trial_end(struct trial *trial)
{
	trial->selector.type->destroy(&trial->selector);
	free(trial->paths);
}

/* No device has such a name, and a line of the log, or of a status, with it would be two. */
static bool has_control_characters(const char *word)
{
	for (; *word; word++)
		if ((unsigned char)*word < ' ' || *word == 0x7f)
			return true;
	return false;
}

static bool is_device(const char *word)
{
	char major[sizeof("4095")] = "";
	const char *colon = strchr(word, ':');
	uint64_t n;

	if (word[0] == '/')
		return word[1] && !has_control_characters(word);
	if (!colon || (size_t)(colon - word) >= sizeof(major))
		return false;
	memcpy(major, word, (size_t)(colon - word));
	return parse_number(major, MAJOR_MAX, &n) && parse_number(colon + 1, MINOR_MAX, &n);
}

static int parse_path(struct parser *p, struct table_group *group, struct trial *trial,
		      unsigned int nr, unsigned int nr_args)
{
	struct table_path *path = &group->paths[nr];
	int err;

	if (words_left(p) < 1 + nr_args)
		return refuse(p, p->nr_words, "not enough path parameters",
			      "expected path %u of %u: a device and %u args", nr + 1,
			      group->nr_paths, nr_args);
	if (!is_device(p->words[p->next]))
		return refuse(p, p->next, "error getting device",
			      "expected MAJOR:MINOR or an absolute path name");
	err = check_hw_params(p);
	if (err)
		return err;

	path->address = *take_words(p, 1);
	path->argv = take_words(p, nr_args);
	path->argc = (int)nr_args;
	return trial_add_path(p, group, trial, nr);
}

static int parse_paths(struct parser *p, struct table_group *group, struct trial *trial)
{
	unsigned int nr_args;
	int err;

	err = read_number(p, &group_paths, &group->nr_paths);
	if (!err)
		err = read_number(p, &path_args, &nr_args);
	if (err)
		return err;

	group->paths = calloc(group->nr_paths, sizeof(*group->paths));
	trial->paths = calloc(group->nr_paths, sizeof(*trial->paths));
	if (!group->paths || !trial->paths)
		return out_of_memory(p->error, "couldn't allocate paths");

	for (unsigned int nr = 0; !err && nr < group->nr_paths; nr++)
		err = parse_path(p, group, trial, nr, nr_args);
	return err;
}

static int refuse_selector(struct parser *p)
{
	refuse(p, p->next, "unknown path selector type", "this version has");
	path_selector_names(p->error);
	return -EINVAL;
}

/* Grown one by one: the table says how many groups there are, its words may say otherwise. */
static struct table_group *add_group(struct mpath_table *table)
{
	struct table_group *groups =
		reallocarray(table->groups, table->nr_groups + 1, sizeof(*groups));

	if (!groups)
		return NULL;
	table->groups = groups;
	groups[table->nr_groups] = (struct table_group){0};
	return &groups[table->nr_groups++];
}

static int parse_group(struct parser *p)
{
	unsigned int at = p->next;
	struct table_group *group;
	struct trial trial;
	unsigned int count;
	int err;

	if (words_left(p) < 2)
		return refuse(p, p->next, "not enough priority group arguments",
			      "expected a whole priority group or the end of the table");
	group = add_group(p->table);
	if (!group)
		return out_of_memory(p->error, "couldn't allocate priority group");

	group->selector = path_selector_find(p->words[p->next]);
	if (!group->selector)
		return refuse_selector(p);
	take_words(p, 1);
	err = read_count(p, &selector_args, &count);
	if (err)
		return err;
	group->selector_argv = take_words(p, count);
	group->selector_argc = (int)count;

	err = trial_begin(p, at, group, &trial);
	if (err)
		return err;
	err = parse_paths(p, group, &trial);
	trial_end(&trial);
	return err;
}

static int parse_groups(struct parser *p)
{
	unsigned int at = p->next;
	unsigned int nr_groups;
	int err;

	err = read_number(p, &priority_groups, &nr_groups);
	if (!err)
		err = read_number(p, &initial_group, &p->table->initial_group);
	if (err)
		return err;
	/* As in dm, an initial group beyond the last one is no mistake: the first one is used. */
	if (!nr_groups != !p->table->initial_group)
		return refuse(p, at + 1, "invalid initial priority group", "expected %s",
			      nr_groups ? "a number from 1" : "0, as there is no priority group");

	while (!err && words_left(p))
		err = parse_group(p);
	if (!err && p->table->nr_groups != nr_groups)
		err = refuse(p, at, "priority group count mismatch",
			     "expected %u, as many as follow", p->table->nr_groups);
	return err;
}

/* --- The whole table --- */

static int parse(struct parser *p, const char *text)
{
	int err;

	err = split_words(p, text);
	if (!err)
		err = skip_prefix(p);
	if (!err)
		err = check_word_lengths(p);
	if (!err)
		err = parse_features(p);
	if (!err)
		err = parse_hw_handler(p);
	if (!err)
		err = parse_groups(p);
	return err;
}

int mpath_table_parse(const char *text, struct mpath_table **table, struct strbuf *error)
{
	struct parser p = {.error = error};
	int err;

	*table = NULL;
	p.table = calloc(1, sizeof(*p.table));
	if (!p.table)
		return out_of_memory(error, "can't allocate multipath");
	p.table->pg_init_delay_msecs = -1;

	err = parse(&p, text);
	if (err) {
		mpath_table_free(p.table);
		return err;
	}
	*table = p.table;
	return 0;
}

void mpath_table_free(struct mpath_table *table)
{
	if (!table)
		return;
	for (unsigned int i = 0; i < table->nr_groups; i++)
		free(table->groups[i].paths);
	free(table->groups);
	free(table->words);
	free(table->text);
	free(table);
}

/* --- A table for a list of paths --- */

/* What comes from outside as one word stays one word. */
static void print_escaped(struct strbuf *out, const char *word)
{
	for (; *word; word++)
		strbuf_printf(out, *word == '\\' || strchr(WHITE_SPACE, *word) ? "\\%c" : "%c",
			      *word);
}

/* The words of one group.  The args per path are 1, as multipathd gives them: repeat_count 1. */
static void print_group(struct strbuf *out, const struct path_selector_type *selector,
			const char *const *addresses, unsigned int nr_addresses)
{
	strbuf_printf(out, " %s 0 %u %u", selector->name, nr_addresses, selector->table_args);
	for (unsigned int i = 0; i < nr_addresses; i++) {
		strbuf_printf(out, " ");
		print_escaped(out, addresses[i]);
		for (unsigned int arg = 0; arg < selector->table_args; arg++)
			strbuf_printf(out, " 1");
	}
}

bool mpath_table_takes_device(const char *word, struct strbuf *error)
{
	if (is_device(word))
		return true;
	strbuf_printf(error, "error getting device: ");
	print_word(error, word);
	strbuf_printf(error, ", expected MAJOR:MINOR or an absolute path name");
	return false;
}

static int check_addresses(const char *const *addresses, unsigned int nr_addresses,
			   struct strbuf *error)
{
	if (!nr_addresses) {
		strbuf_printf(error, "no device given: expected at least one path");
		return -EINVAL;
	}
	if (nr_addresses > TABLE_GROUPS_MAX) {
		strbuf_printf(error, "invalid number of paths: there are %u, expected at most %d",
			      nr_addresses, TABLE_GROUPS_MAX);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < nr_addresses; i++) {
		if (is_device(addresses[i]))
			continue;
		strbuf_printf(error, "error getting device: path %u is ", i + 1);
		return mpath_refuse_word(error, addresses[i],
					 "expected MAJOR:MINOR or an absolute path name");
	}
	return 0;
}

static size_t text_size(const struct path_selector_type *selector, const char *const *addresses,
			unsigned int nr_addresses)
{
	const size_t numbers = 64; /* more than the numbers of a table, or of a group, take */
	size_t size = numbers;

	for (unsigned int i = 0; i < nr_addresses; i++)
		size += 2 * strlen(addresses[i]) + strlen(selector->name) + numbers +
			2 * selector->table_args;
	return size;
}

int mpath_table_from_paths(const char *const *addresses, unsigned int nr_addresses,
			   const char *grouping, const char *selector, const char *hw_handler,
			   struct mpath_table **table, struct strbuf *error)
{
	const struct path_selector_type *type = path_selector_find(selector);
	bool multibus = !strcmp(grouping, "multibus");
	unsigned int per_group = multibus ? nr_addresses : 1;
	struct strbuf out;
	size_t size;
	char *text;
	int err;

	*table = NULL;
	if (!multibus && strcmp(grouping, "failover")) {
		strbuf_printf(error, "unknown grouping ");
		return mpath_refuse_word(error, grouping, "this version has: failover, multibus");
	}
	if (!type) {
		strbuf_printf(error, "unknown path selector type: ");
		print_word(error, selector);
		strbuf_printf(error, ", this version has");
		path_selector_names(error);
		return -EINVAL;
	}
	if (type->only_in_table) {
		strbuf_printf(error, "path selector type ");
		print_word(error, selector);
		strbuf_printf(error, " needs an argument for each path, expected a table");
		return -EINVAL;
	}
	err = check_addresses(addresses, nr_addresses, error);
	if (err)
		return err;

	size = text_size(type, addresses, nr_addresses) + strlen(hw_handler ? hw_handler : "");
	text = malloc(size);
	if (!text)
		return out_of_memory(error, "can't allocate multipath");
	strbuf_init(&out, text, size);
	strbuf_printf(&out, "0 %s %u 1", hw_handler ? hw_handler : "0", nr_addresses / per_group);
	for (unsigned int i = 0; i < nr_addresses; i += per_group)
		print_group(&out, type, addresses + i, per_group);
	assert(!out.truncated);

	err = mpath_table_parse(text, table, error);
	free(text);
	if (!err)
		(*table)->find_hw_handler = !hw_handler;
	return err;
}
