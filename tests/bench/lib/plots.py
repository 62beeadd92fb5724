# SPDX-License-Identifier: GPL-2.0-or-later
"""tests/bench/plots: how long commands took while a path broke, and how its time went by."""

import os

import results

DIRECTORY = os.path.join(results.REPO, "tests", "bench", "plots")
PERCENTILES = ("p50, ms", "p99, ms", "p99.9, ms")


def draw(lines, scenarios):
    try:
        import matplotlib
    except ImportError:
        print("no plots: apt-get install --no-install-recommends python3-matplotlib")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot
    os.makedirs(DIRECTORY, exist_ok=True)
    for scenario in dict.fromkeys(line[0] for line in lines):
        draw_course(pyplot, scenario, [line[1:] for line in lines if line[0] == scenario])
    draw_percentiles(pyplot, scenarios)


def save(pyplot, figure, name):
    figure.tight_layout()
    figure.savefig(os.path.join(DIRECTORY, name + ".png"), dpi=70)
    pyplot.close(figure)


def file_name(scenario):
    return "-".join("".join(c if c.isalnum() else " " for c in scenario).split())


def draw_course(pyplot, scenario, lines):
    """The slowest command that ended in each twentieth of a second, contender below contender."""
    figure, rows = pyplot.subplots(len(lines), 1, sharex=True, sharey=True, figsize=(8, 1.5 * len(lines)),
                                   squeeze=False)
    for axes, (contender, line) in zip(rows[:, 0], lines):
        begin, end = line["cut"]
        axes.axvspan(0, end - begin, color="0.9")
        for what, style in (("reads", "b."), ("writes", "r.")):
            at, worst = zip(*line[what])
            axes.semilogy([second - begin for second in at], worst, style, markersize=2, label=what)
        axes.set_title(contender, fontsize=8)
        axes.set_ylabel("ms", fontsize=8)
    rows[0, 0].legend(fontsize=7, loc="upper right")
    rows[-1, 0].set_xlabel(f"s; grey: {scenario}", fontsize=8)
    save(pyplot, figure, "course-" + file_name(scenario))


def draw_percentiles(pyplot, scenarios):
    """For each scenario p50, p99 and p99.9 of the reads, healthy (hollow) and while it lasted."""
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.22 * sum(len(c) + 1 for c in scenarios.values())))
    labels = []
    for scenario, contenders in scenarios.items():
        for contender, directions in contenders.items():
            at = -len(labels)
            labels.append(f"{scenario}: {contender}")
            for state, fill in (("healthy", "none"), ("broken", None)):
                values = [results.middle(directions["reads"][state][part]) for part in PERCENTILES]
                for value, marker in zip(values, "os^"):
                    axes.semilogx(value, at, "b" + marker, markersize=5, fillstyle=fill or "full")
    axes.set_yticks([-i for i in range(len(labels))], labels, fontsize=7)
    axes.set_xlabel("ms; circle p50, square p99, triangle p99.9 of the reads; hollow: before", fontsize=8)
    save(pyplot, figure, "percentiles")
