"""The results as Markdown: for the terminal and for docs/perf/."""

import goals
import stats

METRICS = (
    ("cpu_s_per_mop", "Server CPU seconds per million operations", "{:.3f}"),
    ("rps", "Operations per second", "{:,.0f}"),
    ("p50_ms", "p50, ms", "{:.3f}"),
    ("p99_ms", "p99, ms", "{:.3f}"),
    ("p999_ms", "p99.9, ms", "{:.3f}"),
)


def markdown(results):
    """The whole page."""
    names = [target["name"] for target in results["targets"]]
    candidate = next((target["name"] for target in results["targets"] if target["candidate"]), None)
    peers = [name for name in names if name != candidate]
    parts = [_head(results)]
    if results["matrix"]:
        parts.append(_matrix(results, "matrix", names, candidate, peers))
    if results["memory"] or results["idle"]:
        parts.append(_memory(results, names))
    if results["shards"]:
        parts.append(_shards(results))
    if results["memtier"]:
        parts.append("## The same with memtier_benchmark\n")
        parts.append(_matrix(results, "memtier", names, candidate, peers))
    if results["insert"]:
        parts.append(_insert(results["insert"]))
    if candidate:
        rows = goals.judge(results, candidate, peers)
        parts += [_goals(rows)] if rows else []
    return "\n".join(parts)


def table(head, rows):
    """A Markdown table: first column to the left, figures to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _head(results):
    machine = results["machine"]
    versions = ", ".join(f"{target['name']} ({target['version']})" for target in results["targets"])
    lines = [
        f"# Server cost against its peers, {results['date']}\n",
        f"{results['connections']} connections over loopback TCP, {results['value_len']}-byte values,",
        f"{results['keys']:,} keys of 16 bytes, all present, picked at random.",
        results["pinning"],
        _rounds(results),
        "CPU is the server process's own clock (user and kernel, all threads); latency with a pipeline is",
        "that of a whole batch. Ratios are taken inside each round, then their median.",
        f"The machine was {results['usage']['busy']:.0%} busy and lost {results['usage']['steal']:.1%} to other"
        " guests.\n",
        f"- Servers: {versions}",
        f"- Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory']}; {machine['os']},"
        f" Linux {machine['kernel']}",
        f"- Commit: {machine['commit']}",
        f"- Command: `{results['command']}`",
        *(f"- **Failed**: {failure}" for failure in results["failures"]),
    ]
    return "\n".join(lines) + "\n"


def _rounds(results):
    counts = {
        section: len({run["round"] for run in results[section]}) for section in ("matrix", "shards", "memtier")
    }
    told = [f"{count} ({section})" for section, count in counts.items() if count]
    return f"Medians of rounds in turn: {', '.join(told)}." if told else ""


def _matrix(results, section, names, candidate, peers):
    parts = []
    for metric, title, form in METRICS:
        head = ["server"]
        cells = [(c, p) for c in results["commands"] for p in results["pipelines"]]
        head += [f"{command} P{pipeline}" for command, pipeline in cells]
        rows = {name: [name] for name in names}
        ratios = [f"{candidate} / best peer"]
        for command, pipeline in cells:
            runs = stats.select(results[section], command=command, pipeline=pipeline)
            rival = stats.best(runs, metric, peers)
            for name in names:
                rows[name].append(_cell(runs, metric, name, form, name == rival))
            ratios.append(_number(rival and stats.ratio(runs, metric, candidate, rival), "{:.2f}x"))
        body = list(rows.values()) + ([ratios] if candidate and peers else [])
        parts.append(f"### {title}\n\n{table(head, body)}")
    noise = max((_spread(results[section], name) for name in names), default=0)
    parts.append(f"Best peer in bold. Widest spread of CPU per operation between rounds: {noise:.0%}.\n")
    parts.append(_least(results, section, names))
    return "\n".join(parts)


def _least(results, section, names):
    """CPU of the least disturbed round, for machines where others work too."""
    cells = [(c, p) for c in results["commands"] for p in results["pipelines"]]
    rows = []
    for name in names:
        own = [stats.select(results[section], server=name, command=c, pipeline=p) for c, p in cells]
        rows.append([name, *(_number(stats.least(runs, "cpu_s_per_mop"), "{:.3f}") for runs in own)])
    head = ["server", *(f"{command} P{pipeline}" for command, pipeline in cells)]
    return f"### CPU seconds per million operations in the least disturbed round\n\n{table(head, rows)}"


def _spread(runs, name):
    cells = {(run["command"], run["pipeline"]) for run in runs}
    own = [stats.select(runs, server=name, command=c, pipeline=p) for c, p in cells]
    return max((stats.spread(each, "cpu_s_per_mop") for each in own), default=0)


def _cell(runs, metric, name, form, bold):
    value = stats.median(stats.select(runs, server=name), metric)
    text = "-" if value is None else form.format(value)
    return f"**{text}**" if bold else text


def _memory(results, names):
    head = ["server", "bytes per key", "empty, MiB", "bytes per idle connection"]
    head += ["idle, % of a core", "idle with connections, %"]
    rows = []
    for name in names:
        memory = next((row for row in results["memory"] if row["server"] == name), {})
        idle = next((row for row in results["idle"] if row["server"] == name), {})
        empty = memory.get("empty_bytes")
        rows.append([
            name,
            _number(memory.get("bytes_per_key"), "{:.1f}"),
            _number(empty and empty / 2**20, "{:.1f}"),
            _number(idle.get("bytes_per_connection"), "{:,.0f}"),
            _number(idle.get("cpu_percent"), "{:.2f}"),
            _number(idle.get("cpu_percent_connected"), "{:.2f}"),
        ])
    note = "Resident bytes, over the same server empty."
    counts = {row["connections"] for row in results["idle"]}
    if counts:
        note += f" {max(counts):,} idle connections, each of which has served one PING."
    return f"### Memory and idleness\n\n{table(head, rows)}\n{note}\n"


def _shards(results):
    names = list(dict.fromkeys(run["server"] for run in results["shards"]))
    rows = []
    for command in results["commands"]:
        runs = stats.select(results["shards"], command=command)
        for name in names:
            own = stats.select(runs, server=name)
            row = [f"{command} {name}"]
            for metric, form in (("cpu_s_per_mop", "{:.3f}"), ("rps", "{:,.0f}"), ("p999_ms", "{:.3f}")):
                row.append(_number(stats.median(own, metric), form))
            rows.append(row)
    head = ["server x threads", "CPU s per million", "operations per second", "p99.9, ms"]
    return f"### Two threads, pipeline 16\n\n{table(head, rows)}\n{results['pair_pinning']}\n"


def _insert(insert):
    if "keys" not in insert:
        return f"### Inserts\n\n{insert['histogram']}\n"
    first, again = insert["page_us_max"]
    return (
        f"### {insert['keys']:,} inserts into one shard of {insert['server']}\n\n"
        f"{insert['cpu_s_per_mop']:.3f} CPU s per million, {insert['wall_s']:.1f} s in all. Time of an insert, as part of\n"
        f"up to 31 that ran together (wall clock):\n\n"
        f"```\n{insert['histogram']}\n```\n\n"
        f"Control: the slowest page of as much fresh memory took {first:,.0f} µs on that core just before, and\n"
        f"{again:,.0f} µs when it was touched once more.\n"
    )


def _goals(rows):
    words = {True: "yes", False: "**no**", None: "not measured"}
    body = []
    for label, measured, wanted, reached in rows:
        unit = "x" if wanted.endswith("x") else ""
        body.append([label, _number(measured, "{:.2f}" + unit), wanted, words[reached]])
    return f"### Goals\n\n{table(['what', 'measured', 'wanted', 'reached'], body)}"


def _number(value, form):
    return "-" if value is None else form.format(value)
