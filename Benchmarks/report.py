"""The results of the comparison as Markdown and as charts."""

import statistics

import chart
from machine import size_name
from work import Work

# The chart that stands for all: one panel for each thing a client does.
OVERVIEW = {
    Work("send", "binary", 16): "Send many, 16 B, messages/s",
    Work("send", "binary", 1 << 10): "Send many, 1 KiB, messages/s",
    Work("send", "binary", 1 << 20): "Send, 1 MiB, MB/s",
    Work("recv", "binary", 16): "Receive, 16 B, messages/s",
    Work("recv", "text", 1 << 10): "Receive text, 1 KiB, messages/s",
    Work("recv", "text", 1 << 20): "Receive text, 1 MiB, MB/s",
    Work("rtt", "binary", 16): "Round trip, 16 B, µs: less is better",
    Work("send", "binary", 1 << 20, tls=True): "Send over TLS, 1 MiB, MB/s",
    Work("send", "text", 64 << 10, deflate=True): "Send compressed, 64 KiB, MB/s",
}


def summarize(work, lines):
    """Name → rate, ratio to the first client (above 1 is faster than it), CPU seconds per GB."""
    first = next(iter(lines.values()), None)
    summary = {}
    for name, each in lines.items():
        values = [work.value(line) for line in each]
        pairs = zip(values, (work.value(line) for line in first))
        ratios = [b / a if work.op == "rtt" else a / b for a, b in pairs]
        gigabytes = [line["count"] * line["size"] / 1e9 for line in each]
        cpu = [line["user_cpu"] + line["sys_cpu"] for line in each]
        summary[name] = {
            "value": statistics.median(values),
            "ratio": statistics.median(ratios),
            "cpu_s_per_gb": statistics.median(c / g for c, g in zip(cpu, gigabytes)),
        }
        if work.op == "rtt":
            summary[name]["p99_us"] = statistics.median(line["p99_us"] for line in each)
    return summary


def number(value):
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    if value >= 1e4:
        return f"{value / 1e3:.3g} k"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def rate_cell(work, one):
    if work.op == "rtt":
        return f"{one['value']:.1f} / {one['p99_us']:.1f} ({one['ratio']:.2f}×)"
    return f"{number(one['value'])} ({one['ratio']:.2f}×)"


def cpu_cell(_, one):
    return number(one["cpu_s_per_gb"])


def table(works, cell, head):
    text = ["| client | " + " | ".join(head(work) for work in works) + " |"]
    text.append("| --- |" + " ---: |" * len(works))
    for name in dict.fromkeys(name for summary in works.values() for name in summary):
        cells = (cell(work, one[name]) if name in one else "–" for work, one in works.items())
        text.append(f"| {name} | " + " | ".join(cells) + " |")
    return text


def markdown(results, origin):
    text = [f"{origin} × is against the first line of the same run, above 1 is faster."]
    for group, works in results.items():
        unit = lambda work: work.unit() + (" median / p99" if work.op == "rtt" else "")
        text += ["", f"## {group}", ""]
        text += table(works, rate_cell, lambda work: f"{size_name(work.size)}, {unit(work)}")
        if not group.startswith("Round"):
            text += ["", "The client's CPU seconds per GB:", ""]
            text += table(works, cpu_cell, lambda work: size_name(work.size))
    return "\n".join(text) + "\n"


def panel(work, summary, title=None):
    bars = [(name, one["value"]) for name, one in summary.items()]
    return chart.Panel(title or f"{size_name(work.size)}, {work.unit()}", bars)


def charts(results, origin):
    """File name → SVG, one for each group and one for all."""
    drawn = {}
    for group, works in results.items():
        name = group.lower().replace(",", "").replace(" ", "-")
        better = "Lower" if group.startswith("Round") else "Higher"
        drawn[name] = chart.draw(
            group, f"{better} is better. {origin}", [panel(w, s) for w, s in works.items()]
        )
    every = {work: summary for works in results.values() for work, summary in works.items()}
    drawn["overview"] = chart.draw(
        "This client beside others on the same work",
        f"Longer is better, but for round trips. {origin}",
        [panel(work, every[work], title) for work, title in OVERVIEW.items() if work in every],
    )
    return drawn


def publish(results, origin, folder, readme):
    """Puts the chart and all figures into `folder`, and a summary between the marks of `readme`."""
    folder.mkdir(exist_ok=True)
    folder.joinpath("peers.svg").write_text(charts(results, origin.replace("`", ""))["overview"])
    folder.joinpath("peers.md").write_text("# Beside other clients\n\n" + markdown(results, origin))
    text = readme.read_text()
    before, mark, rest = text.partition("<!-- chart -->\n")
    _, end, after = rest.rpartition("<!-- /chart -->\n")
    if not mark:
        raise SystemExit(f"{readme} has no line <!-- chart -->")
    name = folder.relative_to(readme.parent)
    picture = f"![This client beside others on the same work]({name}/peers.svg)"
    summary = f"{picture}\n\n{origin} [All figures]({name}/peers.md).\n"
    readme.write_text(before + mark + summary + "<!-- /chart -->\n" + (after if end else rest))
