# SPDX-License-Identifier: GPL-2.0-or-later
"""dm-multipath tables by chance, from a fixed seed: good ones, and ones with one mistake.

A table is a Table of words; paths stand in it as P0, P1 ... and get their device's name for the side
that is to read them.  mistakes() has for each error of dm's parser (dm-multipath.md A1) the ways to
make it, refused_by_us() what only one side refuses, or with other words.
"""

# {selector: what may follow a device}
SELECTORS = {
    "round-robin": ([], ["1"], ["0"], ["1000"]),
    "queue-length": ([], ["1"], ["0"], ["4294967295"]),
    "service-time": ([], ["1"], ["1", "5"], ["1", "0"], ["0", "100"], ["007", "05"]),
}

# The paths' own handler is alua: it wins over another one that is named, whose words are dropped then.
HANDLERS = (["0"], ["0"], ["0"], ["1", "alua"], ["2", "alua", "0"], ["2", "alua", "1"], ["1", "emc"],
            ["3", "emc", "1", "0"], ["1", "rdac"], ["1", "hp_sw"])


class Group:
    def __init__(self, selector, paths, path_args):
        self.selector = selector
        self.selector_args = ["0"]
        self.count = str(len(paths))
        self.args_count = str(len(path_args))
        self.paths = paths
        self.path_args = path_args

    def words(self):
        words = [self.selector, *self.selector_args, self.count, self.args_count]
        for path in self.paths:
            words += [path, *self.path_args]
        return words


class Table:
    def __init__(self, features, handler, groups, initial):
        self.features_count = str(len(features))
        self.features = features
        self.handler = handler
        self.groups_count = str(len(groups))
        self.initial = initial
        self.groups = groups
        self.tail = []

    def words(self):
        words = [self.features_count, *self.features, *self.handler, self.groups_count, self.initial]
        for group in self.groups:
            words += group.words()
        return words + self.tail

    def text(self, names):
        """names: {"P0": "8:16" ...}"""
        return " ".join(names.get(word, word) for word in self.words())


def _any_case(random, word):
    return "".join(random.choice((c.lower(), c.upper())) for c in word)


def _features(random):
    every = [
        ["queue_if_no_path"],
        ["retain_attached_hw_handler"],
        ["pg_init_retries", str(random.randint(1, 50))],
        ["pg_init_delay_msecs", str(random.randint(0, 60000))],
        ["queue_mode", random.choice(("bio", "rq", "mq"))],
        # What is said twice is counted twice, and the last one counts.
        ["queue_if_no_path"],
        ["pg_init_retries", str(random.randint(1, 50))],
    ]
    random.shuffle(every)
    words = []
    for feature in every[:random.choice((0, 1, 1, 2, 3, 4))]:
        if len(words) + len(feature) <= 8:
            words += [_any_case(random, feature[0]), *feature[1:]]
    return words


def good(random, nr_devices, min_groups=0, handlers=HANDLERS):
    """A table that dm takes."""
    devices = [f"P{i}" for i in range(nr_devices)]
    groups = []
    for _ in range(random.randint(min_groups, 4)):
        selector = random.choice(list(SELECTORS))
        paths = random.sample(devices, random.randint(1, nr_devices))
        if random.random() < 0.1:
            paths.append(random.choice(paths))
        groups.append(Group(selector, paths, random.choice(SELECTORS[selector])))
        # Of this kernel's selectors none has words of its own for a group: they are taken, and forgotten.
        groups[-1].selector_args = random.choice((["0"], ["0"], ["0"], ["2", "any", "words"]))
    # An initial group behind the last is taken, and ignored.
    initial = random.choice((random.randint(1, len(groups) + 1), 1024)) if groups else 0
    return Table(_features(random), random.choice(handlers), groups, str(initial))


def _set(attribute, *values):
    def change(random, table):
        setattr(table, attribute, random.choice(values))
    return change


def _set_in_group(attribute, *values):
    def change(random, table):
        setattr(random.choice(table.groups), attribute, random.choice(values))
    return change


def _feature(*choices):
    def change(random, table):
        table.features = list(random.choice(choices))
        table.features_count = str(len(table.features))
    return change


def _handler(*choices):
    def change(random, table):
        # With queue_mode bio its words are not looked at.
        words = [word.lower() for word in table.features]
        if "bio" in words:
            table.features[words.index("bio")] = "rq"
        table.handler = list(random.choice(choices))
    return change


def _unknown_handler(*choices):
    """With retain_attached_hw_handler the kernel does not even look for it."""
    name_handler = _handler(*choices)

    def change(random, table):
        name_handler(random, table)
        table.features = [word for word in table.features if word.lower() != "retain_attached_hw_handler"]
        table.features_count = str(len(table.features))
    return change


def device(name):
    """Stands for a path of one group."""
    def change(random, table):
        paths = random.choice(table.groups).paths
        paths[random.randrange(len(paths))] = name
    return change


def _too_many_path_args(random, table):
    group = random.choice(table.groups)
    group.path_args = ["1"] * (3 if group.selector == "service-time" else 2)
    group.args_count = str(len(group.path_args))


def _bad_repeat_count(random, table):
    group = random.choice(table.groups)
    group.path_args = [random.choice(("x", "-1"))]
    group.args_count = "1"


def _too_few_paths(random, table):
    group = table.groups[-1]
    group.count = str(len(group.paths) + random.randint(1, 900))


def _wrong_initial(random, table):
    if random.random() < 0.5:
        table.initial = "0"
    else:
        table.groups, table.groups_count = [], "0"
        table.initial = str(random.randint(1, 9))


def _other_count(random, table):
    table.groups_count = str(len(table.groups) + random.randint(1, 3))


def _words_behind(random, table):
    # One word alone is too short for a group.
    table.tail = ["round-robin"]


def mistakes():
    """{dm's error text: how to make it}.  Each is made in a good table with a group at least."""
    return {
        "invalid number of feature args": _set("features_count", "9", "1000", "-1", "x"),
        "pg_init_retries must be between 1 and 50":
            _feature(["pg_init_retries", "0"], ["pg_init_retries", "51"], ["PG_INIT_RETRIES", "x"]),
        "pg_init_delay_msecs must be between 0 and 60000":
            _feature(["pg_init_delay_msecs", "60001"], ["queue_if_no_path", "pg_init_delay_msecs", "-1"],
                     ["pg_init_delay_msecs", "1m"]),
        "Unrecognised multipath feature request":
            _feature(["queue_if_path"], ["queue_if_no_path", "pg_init_retries"], ["7"],
                     ["queue_if_no_path", "queue_mode"]),
        "Unknown 'queue_mode' requested":
            _feature(["queue_mode", "fast"], ["queue_mode", "nvme"], ["QUEUE_MODE", "bio2"]),
        "invalid number of hardware handler args":
            _set("handler", ["1025"], ["x"], ["-2"]),
        "unable to set hardware handler parameters":
            _handler(["2", "alua", "2"], ["2", "alua", "x"], ["2", "alua", "-1"],
                     ["3", "alua", "0", "1"]),
        "invalid number of priority groups": _set("groups_count", "1025", "x", "-1"),
        "invalid initial priority group number": _set("initial", "1025", "x", "-1"),
        "invalid initial priority group": _wrong_initial,
        "priority group count mismatch": _other_count,
        "not enough priority group arguments": _words_behind,
        "unknown path selector type": _set_in_group("selector", "round_robin", "rr", "Round-Robin"),
        "invalid number of path selector args":
            _set_in_group("selector_args", ["1025"], ["x"], ["-1"]),
        "invalid number of paths": _set_in_group("count", "0", "1025", "x"),
        "invalid number of selector args": _set_in_group("args_count", "1025", "x", "-1"),
        "not enough path parameters": _too_few_paths,
        "incorrect number of arguments": _too_many_path_args,
        "invalid repeat count": _bad_repeat_count,
    }


def refused_by_us():
    """{exception's ID: (dm's error or None, ours, how to make it)}"""
    words = "unable to set hardware handler parameters"
    return {
        "X3": ("error attaching hardware handler", "unknown hardware handler type",
               _unknown_handler(["1", "no-such"], ["1", "ALUA"], ["2", "ontap", "1"])),
        "X6": (None, words, _handler(["2", "emc", "1"], ["3", "emc", "1", "2"], ["2", "rdac", "1"],
                                     ["2", "hp_sw", "x"])),
        "X7": (None, words, _handler(["2", "alua", "1x"], ["2", "alua", "0,"])),
        "X12": (None, "unknown hardware handler type",
                _handler(["1", "alua2"], ["2", "alua.", "1"], ["1", "emcc"])),
    }


def bad(random, nr_devices, mistake):
    table = good(random, nr_devices, min_groups=1)
    mistake(random, table)
    return table
