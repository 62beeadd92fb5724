/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract of transports, kept by the fake one: so that what is tested on it means something.
 */
#include "contract/lib/contract.h"
#include "contract/lib/fake.h"

static struct fake_disk disk = {.serial = "one"};
static struct fake_path paths[2];

static void fake_set_hang(bool on)
{
	atomic_store(&paths[0].mode, on ? FAKE_HANGS : FAKE_GOOD);
	atomic_store(&paths[1].mode, on ? FAKE_HANGS : FAKE_GOOD);
}

static void fake_set_delay(unsigned int ms)
{
	atomic_store(&paths[0].delay_ms, ms);
	atomic_store(&paths[1].delay_ms, ms);
}

static void fake_remove(void)
{
	atomic_store(&paths[1].mode, FAKE_GONE);
}

int main(int argc, char **argv)
{
	const struct rig rig = {
		.transport = &fake_transport,
		.paths = {"8:0", "8:16"},
		.set_hang = fake_set_hang,
		.set_delay = fake_set_delay,
		.remove = fake_remove,
	};

	fake_add_path(&paths[0], rig.paths[0], &disk);
	fake_add_path(&paths[1], rig.paths[1], &disk);
	contract_run(&rig, argc > 1 ? argv[1] : "");
	fake_forget_paths();
	return 0;
}
