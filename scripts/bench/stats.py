"""From single runs to medians and ratios.

A run is a dict: section, round, server, command, pipeline and its figures. Ratios are taken inside a
round, where all servers met the same noise, and then the median of the rounds is what is shown.
"""

import statistics

LOWER_IS_BETTER = {"cpu_s_per_mop": True, "p50_ms": True, "p99_ms": True, "p999_ms": True, "rps": False}


def select(runs, **wanted):
    """The runs whose fields are as wanted."""
    return [run for run in runs if all(run.get(name) == value for name, value in wanted.items())]


def median(runs, metric):
    """Over the rounds; None without runs."""
    values = [run[metric] for run in runs]
    return statistics.median(values) if values else None


def least(runs, metric):
    """Over the rounds; None without runs. Noise only ever adds CPU time, so this is nearest the truth."""
    return min((run[metric] for run in runs), default=None)


def spread(runs, metric):
    """Largest minus smallest over the median: how noisy the rounds were."""
    values = [run[metric] for run in runs]
    middle = statistics.median(values) if values else 0
    return (max(values) - min(values)) / middle if middle else 0.0


def best(runs, metric, names):
    """The name among `names` with the best median, or None."""
    medians = {name: median(select(runs, server=name), metric) for name in names}
    medians = {name: value for name, value in medians.items() if value is not None}
    if not medians:
        return None
    choose = min if LOWER_IS_BETTER[metric] else max
    return choose(medians, key=medians.get)


def ratio(runs, metric, name, base):
    """Median over the rounds of `name` divided by `base` in the same round; None if they never met."""
    by_round = {run["round"]: run[metric] for run in select(runs, server=base)}
    ratios = [
        run[metric] / by_round[run["round"]]
        for run in select(runs, server=name)
        if by_round.get(run["round"])
    ]
    return statistics.median(ratios) if ratios else None
