"""Bar charts as SVG, on a background of their own, for light and dark pages."""

import dataclasses
import html

WIDTH, COLUMNS = 880, 2
BAR, GAP, LABEL = 15, 8, 200
TITLE_HEIGHT, PANEL_HEAD, PANEL_FOOT = 74, 28, 20

STYLE = """
text { font: 13px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.page { fill: #ffffff; } .title { font-size: 18px; font-weight: 600; } .note { fill: #59636e; }
.head { font-weight: 600; } .strong { font-weight: 600; }
.ours { fill: #c2410c; } .raw { fill: #818b98; } .peer { fill: #3b6ea5; } .spread { stroke: #1f2328; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .page { fill: #0d1117; } .note { fill: #9198a1; }
  .ours { fill: #f97316; } .raw { fill: #9198a1; } .peer { fill: #6ea8dc; } .spread { stroke: #e6edf3; }
}
"""


@dataclasses.dataclass
class Bar:
    name: str
    value: float  # None where there is none
    low: float = 0
    high: float = 0


@dataclasses.dataclass
class Panel:
    title: str
    bars: list

    @staticmethod
    def of(title, pairs):
        """Bars of names and values without a spread."""
        return Panel(title, [Bar(name, value, value, value) for name, value in pairs])


def kind(name):
    if name.startswith("raw"):
        return "raw"
    return "ours" if name.startswith("this client") else "peer"


def short(value):
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def text(x, y, content, style="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{html.escape(content)}</text>'


def draw_bars(panel, names, left, top, width):
    out = [text(left, top + 13, panel.title, "head")]
    room = width - 62  # for the figure behind the bar
    largest = max(bar.high for bar in panel.bars if bar.value is not None)
    bars = {bar.name: bar for bar in panel.bars}
    for index, name in enumerate(names):
        y = top + PANEL_HEAD + index * (BAR + GAP)
        bar = bars.get(name, Bar(name, None))
        style = "strong" if kind(bar.name) == "ours" else ""
        if bar.value is None:
            out.append(text(left, y + BAR - 3, "–", "note"))
            continue
        length, low, high = (max(1, room * v / largest) for v in (bar.value, bar.low, bar.high))
        middle = y + BAR / 2
        out.append(
            f'<rect x="{left:.1f}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" class="{kind(bar.name)}"/>'
            f'<path d="M{left + low:.1f} {middle}H{left + high:.1f}" class="spread"/>'
        )
        out.append(text(left + max(length, high) + 5, y + BAR - 3, short(bar.value), style))
    return out


def draw(title, note, panels, origin=""):
    """Panels of horizontal bars, two in a row, the names on the left of each row."""
    panels = [panel for panel in panels if panel.bars]
    names = list(dict.fromkeys(bar.name for panel in panels for bar in panel.bars))
    width = (WIDTH - LABEL - 16) / COLUMNS
    body = [text(16, 28, title, "title"), text(16, 47, note, "note"), text(16, 64, origin, "note")]
    top = TITLE_HEIGHT + 8
    for start in range(0, len(panels), COLUMNS):
        for index, name in enumerate(names):
            style = "strong" if kind(name) == "ours" else ""
            body.append(text(LABEL - 8, top + PANEL_HEAD + index * (BAR + GAP) + BAR - 3, name, style, "end"))
        for column, panel in enumerate(panels[start : start + COLUMNS]):
            body += draw_bars(panel, names, LABEL + column * width, top, width - 10)
        top += PANEL_HEAD + PANEL_FOOT + len(names) * (BAR + GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img"'
        f' aria-label="{html.escape(title)}">\n<style>{STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{top}" class="page"/>\n' + "\n".join(body) + "\n</svg>\n"
    )
