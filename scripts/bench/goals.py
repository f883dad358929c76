"""What the server has to reach, as a table, and how a run stands to it.

Shown, never asserted: a timed test on a shared machine fails for reasons that are not ours.
"""

import stats

CPU_RATIO_MAX = {1: (1.0, 0.9), 16: (0.8, 0.6), 100: (0.7, 0.5)}
"""Pipeline -> CPU per operation against the best peer: limit and aim."""

TAIL_RATIO_MAX = 1.0
TWO_SHARD_CPU_RATIO_MAX = 1.3
BYTES_PER_KEY_MAX = 105.0
BYTES_PER_CONNECTION_MAX = 1024.0
IDLE_CPU_PERCENT_MAX = 1.0
INSERT_US_MAX = 1_000.0


def judge(results, candidate, peers):
    """Rows of (what, measured, wanted, reached) for the sections that ran.

    Without a figure, say because no peer was there, measured and reached are None.
    """
    rows = []
    for command in results["commands"]:
        for pipeline in results["pipelines"] if results["matrix"] else ():
            cell = stats.select(results["matrix"], command=command, pipeline=pipeline)
            rows += _matrix_rows(cell, f"{command}, pipeline {pipeline}", pipeline, candidate, peers)
    for command in results["commands"] if results["shards"] else ():
        rows += _shard_rows(stats.select(results["shards"], command=command), command, candidate, peers)
    if results["memory"]:
        bytes_per_key = _figure(results["memory"], candidate, "bytes_per_key")
        rows.append(_row("bytes per key", bytes_per_key, BYTES_PER_KEY_MAX))
    if results["idle"]:
        per_connection = _figure(results["idle"], candidate, "bytes_per_connection")
        rows.append(_row("bytes per idle connection", per_connection, BYTES_PER_CONNECTION_MAX))
        idle = _figure(results["idle"], candidate, "cpu_percent")
        rows.append(_row("idle server, % of a core", idle, IDLE_CPU_PERCENT_MAX))
    if results["insert"]:
        rows.append(_row("slowest insert, µs", results["insert"].get("insert_us_max"), INSERT_US_MAX))
    return rows


def _matrix_rows(cell, label, pipeline, candidate, peers):
    rows = []
    if pipeline in CPU_RATIO_MAX:
        limit, _aim = CPU_RATIO_MAX[pipeline]
        rows.append(_against_best(cell, "cpu_s_per_mop", f"CPU per operation, {label}", limit, candidate, peers))
    rows.append(_against_best(cell, "p999_ms", f"p99.9, {label}", TAIL_RATIO_MAX, candidate, peers))
    return rows


def _shard_rows(cell, command, candidate, peers):
    one, two = f"{candidate} x1", f"{candidate} x2"
    cost = stats.ratio(cell, "cpu_s_per_mop", two, one)
    rows = [_row(f"two shards, CPU per {command} against one", cost, TWO_SHARD_CPU_RATIO_MAX, "x")]
    rival = stats.best(cell, "rps", [f"{peer} x2" for peer in peers])
    faster = stats.ratio(cell, "rps", two, rival) if rival else None
    reached = None if faster is None else faster > 1.0
    rows.append((f"two shards, {command} throughput against {rival or 'peers'}", faster, "> 1.00x", reached))
    return rows


def _against_best(cell, metric, label, limit, candidate, peers):
    rival = stats.best(cell, metric, peers)
    measured = stats.ratio(cell, metric, candidate, rival) if rival else None
    return _row(f"{label}, against {rival or 'peers'}", measured, limit, "x")


def _row(label, measured, limit, unit=""):
    wanted = f"<= {limit:.2f}x" if unit == "x" else f"<= {limit:g}"
    return (label, measured, wanted, None if measured is None else measured <= limit)


def _figure(rows, name, metric):
    return next((row.get(metric) for row in rows if row["server"] == name), None)
