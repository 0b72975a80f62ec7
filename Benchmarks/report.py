"""The results of the comparison as Markdown and as a chart."""

import statistics

import chart
from machine import size_name
from work import Work

OURS = "this client"
OURS_MANY = "this client, batch and view"
RAW, RAW_MANY = "raw socket", "raw socket, 256 KiB writes"

# The chart that stands for all: what a client does, and in which way.
PANELS = [
    (Work("send", "binary", 1 << 10), "each", "Send, one a call"),
    (Work("send", "binary", 1 << 10), "many", "Send many at once"),
    (Work("recv", "text", 1 << 10), "each", "Receive JSON text"),
    (Work("rtt", "binary", 16), "each", "Round trips"),
]
CHARTED = [
    OURS, "Boost.Beast", "NIOWebSocket", "gorilla/websocket", "picows, uvloop",
    "websocket-client + wsaccel", RAW,
]


def summarize(work, lines):
    """Name → the median, its range, and CPU seconds per GB; or a word where there is none."""
    summary = {}
    for name, each in lines.items():
        if isinstance(each, str):
            summary[name] = each
            continue
        values = [work.value(line) for line in each]
        gigabytes = [line["count"] * line["size"] / 1e9 for line in each]
        cpu = [line["user_cpu"] + line["sys_cpu"] for line in each]
        summary[name] = {
            "value": statistics.median(values),
            "range": (min(values), max(values)),
            "cpu_s_per_gb": statistics.median(c / g for c, g in zip(cpu, gigabytes)),
        }
        if work.op == "rtt":
            summary[name]["p99_us"] = statistics.median(line["p99_us"] for line in each)
    return summary


def number(value):
    for limit, unit in ((1e6, " M"), (1e4, " k")):
        if value >= limit:
            value /= limit if unit == " M" else 1e3
            return f"{value:.3g}{unit}"
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def times_as_fast(work, one, base):
    """Above 1 the one is faster; from the figures that are shown."""
    ratio = one["value"] / base["value"]
    return 1 / ratio if work.op == "rtt" else ratio


class Comparison:
    def __init__(self, results, peers, origin, facts):
        self.results, self.peers, self.origin, self.facts = results, peers, origin, facts

    def ways(self, work):
        """The tables of a work: a title, the base, and the clients in it."""
        each = [p["name"] for p in self.peers if not p.get("many_only") and work.includes(p)]
        # What shares its writes among messages isn't one call a message.
        each = [n for n in each if not (work.op == "send" and "send" in self.many(n))]
        yield "one call a message", OURS, each
        if work.op != "rtt":
            many = [p["name"] for p in self.peers if work.op in p["many"].split()]
            yield "many at once", OURS_MANY, many

    def many(self, name):
        return next(p["many"] for p in self.peers if p["name"] == name).split()

    def cell(self, work, name, base):
        one = self.results[work].get(name, "left out")
        if isinstance(one, str):
            return one
        low, high = one["range"]
        spread = f" ±{(high - low) / 2 / one['value']:.0%}" if one["value"] else ""
        figure = number(one["value"]) + (f" / {one['p99_us']:.1f}" if work.op == "rtt" else "")
        against = self.results[work].get(base)
        if isinstance(against, dict):
            figure += f" ({times_as_fast(work, one, against):.2f})"
        return figure + spread

    def cpu(self, work, name):
        one = self.results[work].get(name, "left out")
        return one if isinstance(one, str) else number(one["cpu_s_per_gb"])

    def markdown(self):
        text = ["# Beside other clients", "", self.origin, ""]
        text += [
            "The same work for every client against one neutral server, over loopback. In brackets:"
            f" times as fast as the base, which is *{OURS}* in the tables of one call a message and"
            f" *{OURS_MANY}* in those of many at once; above 1 the row is faster. ±: half of the spread"
            " of all rounds; a difference within it says nothing. *can't*: the client has no such"
            " thing, or its program here doesn't use it; *failed*: no run came out. Only payload"
            " counts as bytes.",
            "",
            *self.conclusions(),
            "",
            "| | |", "| --- | --- |",
            *(f"| {name} | {value} |" for name, value in self.facts.items()),
            *(f"| {p['name']} | {p['version']} |" for p in self.peers if p.get("version")),
        ]
        groups = {}
        for work in self.results:
            groups.setdefault(work.group, []).append(work)
        for group, works in groups.items():
            for index, (way, base, _) in enumerate(self.ways(works[0])):
                names = list(self.ways(works[0]))[index][2]
                if not any(name in self.results[work] for work in works for name in names):
                    continue
                text += ["", f"## {group}, {way}", ""]
                unit = lambda w: w.unit() + (" median / p99" if w.op == "rtt" else "")
                text += self.table(works, names, lambda w, n: self.cell(w, n, base),
                                   lambda w: f"{size_name(w.size)}, {unit(w)}")
                if not group.startswith("Round"):
                    text += ["", "The client's CPU seconds per GB:", ""]
                    text += self.table(works, names, self.cpu, lambda w: size_name(w.size))
        return "\n".join(text) + "\n"

    def conclusions(self):
        """Where this client is ahead, level and behind, counted over all cells."""
        ahead, level, behind = 0, 0, []
        for work, summary in self.results.items():
            for _, base, names in self.ways(work):
                ours = summary.get(base)
                others = {
                    n: s for n, s in summary.items()
                    if n in names and not n.startswith((OURS, "raw")) and isinstance(s, dict)
                }
                if not isinstance(ours, dict) or not others:
                    continue
                best = max(others, key=lambda n: times_as_fast(work, others[n], ours))
                ratio = times_as_fast(work, others[best], ours)
                noise = max((s["range"][1] - s["range"][0]) / s["value"] for s in (ours, others[best]))
                if abs(ratio - 1) <= noise / 2:
                    level += 1
                elif ratio < 1:
                    ahead += 1
                else:
                    behind.append(f"{work.group}, {size_name(work.size)} ({best}, {ratio:.2f})")
        text = f"Of {ahead + level + len(behind)} comparisons with the best other client this one is ahead"
        text += f" in {ahead}, level within the spread in {level}, and behind in {len(behind)}"
        return [text + (": " + "; ".join(behind) if behind else "") + "."]

    def table(self, works, names, cell, head):
        text = ["| client | " + " | ".join(head(work) for work in works) + " |"]
        text.append("| --- |" + " ---: |" * len(works))
        for name in names:
            text.append(f"| {name} | " + " | ".join(cell(work, name) for work in works) + " |")
        return text

    def chart(self):
        panels = []
        for work, way, title in PANELS:
            summary = self.results.get(work, {})
            base = OURS_MANY if way == "many" else OURS
            bars = []
            for name in CHARTED:
                found = base if name == OURS else RAW_MANY if name == RAW and way == "many" else name
                one = summary.get(found)
                can = way == "each" or found == base or work.op in self.many_of(found)
                if way == "each" and work.op == "send" and "send" in self.many_of(name):
                    can = False
                if not can or not isinstance(one, dict):
                    bars.append(chart.Bar(name, None))
                    continue
                values = [one["value"], *one["range"]]
                # More is better everywhere: a round trip as trips a second.
                values = [1e6 / v if work.op == "rtt" else v for v in values]
                bars.append(chart.Bar(name, values[0], min(values), max(values)))
            if any(bar.value for bar in bars):
                unit = "trips/s" if work.op == "rtt" else work.unit()
                panels.append(chart.Panel(f"{title}, {size_name(work.size)} ({unit})", bars))
        note = "Longer is better; the thin line is the spread of all rounds, – where a client has no such call."
        return chart.draw("Beside other clients", note, panels, self.origin.replace("`", ""))

    def many_of(self, name):
        return next((p["many"] for p in self.peers if p["name"] == name), "").split()

    def publish(self, folder, readme):
        """Puts the chart and all figures into `folder`, and a summary between the marks of `readme`."""
        folder.mkdir(exist_ok=True)
        folder.joinpath("peers.svg").write_text(self.chart())
        folder.joinpath("peers.md").write_text(self.markdown())
        text = readme.read_text()
        before, mark, rest = text.partition("<!-- chart -->\n")
        _, end, after = rest.rpartition("<!-- /chart -->\n")
        if not mark:
            raise SystemExit(f"{readme} has no line <!-- chart -->")
        name = folder.relative_to(readme.parent)
        picture = f"![This client beside six others: sending, receiving, round trips]({name}/peers.svg)"
        summary = f"{picture}\n\n{self.origin} {self.conclusions()[0]} [All figures]({name}/peers.md).\n"
        readme.write_text(before + mark + summary + "<!-- /chart -->\n" + (after if end else rest))
