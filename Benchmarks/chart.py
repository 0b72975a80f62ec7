"""Bar charts as SVG, readable on light and dark pages."""

import dataclasses
import html

WIDTH, COLUMNS = 960, 3
BAR, GAP, LABEL = 13, 7, 182
TITLE_HEIGHT, PANEL_HEAD, PANEL_FOOT = 62, 26, 18

STYLE = """
text { font: 11px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; }
.note { fill: #656d76; }
.head { font-weight: 600; font-size: 12px; }
.ours-c { fill: #e8590c; } .ours-swift { fill: #f4a261; } .raw { fill: #afb8c1; } .peer { fill: #5b8db8; }
.strong { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .note { fill: #9198a1; } .raw { fill: #57606a; } .peer { fill: #4a7ba6; }
}
"""


@dataclasses.dataclass
class Panel:
    title: str
    bars: list  # of (name, value)


def kind(name):
    if name.startswith("raw"):
        return "raw"
    if "Swift kernels" in name:
        return "ours-swift"
    return "ours-c" if is_ours(name) else "peer"


def is_ours(name):
    return "kernels" in name or name.startswith("this client")


def short(value):
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.3g}"


def text(x, y, content, style="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{html.escape(content)}</text>'


def draw_bars(panel, names, left, top, width):
    out = [text(left, top + 12, panel.title, "head")]
    room = width - 62  # for the figure behind the bar
    values = dict(panel.bars)
    # A raw socket with large writes may be 30 times ahead: the clients set the scale.
    of_clients = [value for name, value in values.items() if kind(name) != "raw"]
    largest = max(of_clients or values.values(), default=1)
    for index, name in enumerate(names):
        y = top + PANEL_HEAD + index * (BAR + GAP)
        style = "strong" if is_ours(name) else ""
        if name not in values:
            out.append(text(left, y + BAR - 2.5, "–", "note"))
            continue
        length = max(1.5, room * min(1, values[name] / largest))
        figure = short(values[name])
        if values[name] > 1.01 * largest:
            figure = "» " + figure
        out.append(
            f'<rect x="{left:.1f}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"'
            f' class="{kind(name)}"/>'
        )
        out.append(text(left + length + 5, y + BAR - 2.5, figure, style))
    return out


def draw(title, note, panels):
    """One panel of bars for each size, three in a row, the names on the left."""
    panels = [panel for panel in panels if panel.bars]
    names = list(dict.fromkeys(name for panel in panels for name, _ in panel.bars))
    columns = min(COLUMNS, max(1, len(panels)))
    width = (WIDTH - LABEL - 16) / COLUMNS
    body = [text(16, 28, title, "title"), text(16, 46, note, "note")]
    top = TITLE_HEIGHT
    for start in range(0, len(panels), columns):
        for index, name in enumerate(names):
            style = "strong" if is_ours(name) else ""
            y = top + PANEL_HEAD + index * (BAR + GAP) + BAR - 2.5
            body.append(text(LABEL - 8, y, name, style, "end"))
        for column, panel in enumerate(panels[start : start + columns]):
            body += draw_bars(panel, names, LABEL + column * width, top, width - 10)
        top += PANEL_HEAD + PANEL_FOOT + len(names) * (BAR + GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LABEL + width * columns + 16:.0f} {top}"'
        f' role="img" aria-label="{html.escape(title)}">\n<style>{STYLE}</style>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )
