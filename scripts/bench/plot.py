"""A chart of server CPU per operation, as SVG text.

One panel per command and pipeline, each with its own scale: at pipeline 1 the kernel's network path
costs ten times what a whole command costs at 100, so on one scale the right half would be flat. The
background is drawn, because a page may be dark.
"""

from html import escape

import stats

PANEL_WIDTH = 270
PANEL_HEIGHT = 210
MARGIN_LEFT = 24
MARGIN_TOP = 84
GAP_X = 26
GAP_Y = 52
LEGEND_HEIGHT = 44
CANDIDATE_COLOUR = "#d9480f"
PEER_COLOURS = ("#8fa3b5", "#5c7a94", "#34536e", "#b9a68a", "#7d6b54")
FONT = "font-family='DejaVu Sans, Verdana, Helvetica, sans-serif'"


def chart(results):
    """The SVG document for the matrix of `results`."""
    colours = _colours(results["targets"])
    pipelines, commands = results["pipelines"], results["commands"]
    width = 2 * MARGIN_LEFT + len(pipelines) * PANEL_WIDTH + (len(pipelines) - 1) * GAP_X
    width = max(width, 560)
    height = MARGIN_TOP + len(commands) * (PANEL_HEIGHT + GAP_Y) + LEGEND_HEIGHT
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}'>",
        f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
        _text(MARGIN_LEFT, 32, "Server CPU seconds per million operations", 18, weight="bold"),
        _text(MARGIN_LEFT, 54, f"Lower is better. {_subtitle(results)}", 12, fill="#555555"),
    ]
    for row, command in enumerate(commands):
        for column, pipeline in enumerate(pipelines):
            x = MARGIN_LEFT + column * (PANEL_WIDTH + GAP_X)
            y = MARGIN_TOP + row * (PANEL_HEIGHT + GAP_Y)
            runs = stats.select(results["matrix"], command=command, pipeline=pipeline)
            values = {name: stats.median(stats.select(runs, server=name), "cpu_s_per_mop") for name in colours}
            parts += _panel(x, y, f"{command}, pipeline {pipeline}", values, colours)
    parts += _legend(results["targets"], colours, height - LEGEND_HEIGHT + 14)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _subtitle(results):
    return (
        f"One core, {results['connections']} connections, {results['value_len']}-byte values, "
        f"{results['keys']:,} keys; each panel has its own scale."
    )


def _colours(targets):
    peers = [target["name"] for target in targets if not target["candidate"]]
    colours = {name: PEER_COLOURS[at % len(PEER_COLOURS)] for at, name in enumerate(peers)}
    ordered = {target["name"]: colours.get(target["name"], CANDIDATE_COLOUR) for target in targets}
    return ordered


def _panel(x, y, title, values, colours):
    """Bars with their figures on top; a server without a figure leaves its place empty."""
    floor = y + PANEL_HEIGHT
    room = PANEL_HEIGHT - 46
    top = max((value for value in values.values() if value), default=1.0)
    step = PANEL_WIDTH / max(1, len(values))
    bar = min(56.0, step * 0.72)
    parts = [_text(x, y + 12, title, 13, weight="bold")]
    for at, (name, value) in enumerate(values.items()):
        if value is None:
            continue
        height = room * value / top
        left = x + at * step + (step - bar) / 2
        parts.append(
            f"<rect x='{left:.1f}' y='{floor - height:.1f}' width='{bar:.1f}' height='{height:.1f}' "
            f"fill='{colours[name]}'><title>{escape(name)}: {value:.3f}</title></rect>"
        )
        parts.append(_text(left + bar / 2, floor - height - 6, f"{value:.2f}", 12, anchor="middle"))
    parts.append(f"<line x1='{x}' y1='{floor}' x2='{x + PANEL_WIDTH}' y2='{floor}' stroke='#333333'/>")
    return parts


def _legend(targets, colours, y):
    parts, x = [], MARGIN_LEFT
    for target in targets:
        label = f"{target['name']} ({target['version']})"
        parts.append(f"<rect x='{x}' y='{y - 11}' width='13' height='13' fill='{colours[target['name']]}'/>")
        parts.append(_text(x + 19, y, label, 12))
        x += 19 + round(len(label) * 7.4) + 24
    return parts


def _text(x, y, words, size, weight="normal", anchor="start", fill="#222222"):
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size}' font-weight='{weight}' "
        f"text-anchor='{anchor}' fill='{fill}'>{escape(words)}</text>"
    )
