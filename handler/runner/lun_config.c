// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A LUN's configuration: is it valid, and another one for a LUN in service.
 */
#include <errno.h>
#include <glib.h>
#include <semaphore.h>
#include <string.h>

#include "runner/config.h"
#include "runner/lun.h"
#include "runtime/log.h"

/*
 * The same for D-Bus (a new backstore: the words reach targetcli's user, all must be right) and
 * for a device that the kernel has already, found at restart: there a file that has become
 * invalid must not take the LUN away, as long as there is a last good copy.
 */
bool lun_check_config(const char *cfgstring, char **reason)
{
	struct map_config *config;
	char text[LUN_ERROR_SIZE];
	struct strbuf error;
	char *valid;

	strbuf_init(&error, text, sizeof(text));
	if (!map_config_load(&config_default_paths, cfgstring, NULL, backstore_exists(cfgstring),
			     &config, &error)) {
		map_config_free(config);
		return true;
	}
	valid = g_utf8_make_valid(text, -1); /* D-Bus takes nothing else */
	*reason = strdup(valid);
	g_free(valid);
	return false;
}

/* A request to the map, and the one who waits for its answer. */
struct question {
	struct device_request request;
	sem_t done;
};

static void answered(struct device_request *request)
{
	sem_post(&container_of(request, struct question, request)->done);
}

/* The owner thread never blocks, so this is a matter of milliseconds. */
static int lun_ask(const struct lun *lun, struct question *question)
{
	question->request.done = answered;
	sem_init(&question->done, 0, 0);
	if (!device_request(lun->name, &question->request)) {
		sem_destroy(&question->done);
		return -ENODEV;
	}
	while (sem_wait(&question->done))
		;
	sem_destroy(&question->done);
	return question->request.message.error;
}

static int lun_load(struct lun *lun, struct map_config *config, struct strbuf *error)
{
	const struct device_layout layout = {
		.table = config->table,
		.settings = &config->settings,
		.find_selector = config->find_selector,
		.warning = config->warning,
		.said = config->said,
	};
	struct question reload = {.request = {.layout = &layout, .message.reply = *error}};
	int err;

	map_config_look_up(config);
	err = lun_ask(lun, &reload);
	*error = reload.request.message.reply;
	return err;
}

/* In the log and to whoever watches the map: the writer of an attribute hears an errno only. */
static void lun_refuse(const struct lun *lun, const char *why)
{
	struct question refusal = {.request = {.refused = why}};

	mpath_log(MPATH_LOG_WARN, lun->name, NULL, "configuration refused: %s", why);
	lun_ask(lun, &refusal);
}

static void keep_last_good(const struct lun *lun, const char *cfgstring)
{
	struct map_config *config;
	char text[LUN_ERROR_SIZE];
	struct strbuf error;

	strbuf_init(&error, text, sizeof(text));
	if (!map_config_load(&config_default_paths, cfgstring, lun->backstore.name, true, &config,
			     &error))
		map_config_free(config);
}

static int lun_take_config(struct lun *lun, const char *cfgstring, struct map_config *config,
			   struct strbuf *error)
{
	int err;

	if (strcmp(config->name, lun->name) != 0) {
		strbuf_printf(error,
			      "it names the map %s, expected %s: another map is another "
			      "backstore",
			      config->name, lun->name);
		return -EINVAL;
	}
	err = lun_load(lun, config, error);
	if (err)
		return err;
	lun_log_warnings(config);
	keep_last_good(lun, cfgstring);
	return 0;
}

/*
 * attrib/dev_config was written: the map file is read anew, and what has changed takes over without
 * a command's noticing.  What is refused leaves the map, and its last good copy, as they were.
 */
static int lun_reload(struct lun *lun, const char *cfgstring, struct strbuf *error)
{
	struct map_config *config;
	int err = map_config_load(&config_default_paths, cfgstring, lun->backstore.name, false,
				  &config, error);

	if (err)
		return err;
	err = lun_take_config(lun, cfgstring, config, error);
	map_config_free(config);
	return err;
}

/*
 * Each restore of a saved configuration writes the attributes as they are: that must succeed.  A
 * size that the backstore has already does not come here.
 */
int lun_reconfig(struct tcmu_device *dev, struct tcmulib_cfg_info *cfg)
{
	struct lun *lun = tcmur_dev_get_private(dev);
	char text[LUN_ERROR_SIZE];
	struct strbuf why;
	int err = 0;

	strbuf_init(&why, text, sizeof(text));
	switch (cfg->type) {
	case TCMULIB_CFG_DEV_CFGSTR:
		err = lun_reload(lun, cfg->data.dev_cfgstring, &why);
		break;
	case TCMULIB_CFG_DEV_SIZE:
		if (cfg->data.dev_size == lun->size)
			return 0;
		err = -EOPNOTSUPP;
		strbuf_printf(&why, "the size is the LUN's and cannot be set");
		break;
	/*
	 * Not the array's WCE, which MODE SENSE tells: it would have to be written from here when
	 * the LUN is seen, and whoever writes it sleeps, not to be killed, until tcmu-runner's main
	 * thread has answered.  Were that about to end, this process, and its lock, would stay for
	 * ever.
	 */
	case TCMULIB_CFG_WRITE_CACHE:
		if (!cfg->data.write_cache)
			return 0;
		err = -EOPNOTSUPP;
		strbuf_printf(&why, "there is no write cache but the array's own");
		break;
	}
	if (err)
		lun_refuse(lun, text);
	return err;
}
