"""Tables of what scripts/locks has measured, and docs/LOCKS.md."""
import statistics
from pathlib import Path

STALE = "gateway, max_staleness_ms=500"
HEADING = ("| scenario | side | messages per operation | per second | disk reads per operation | ms per operation "
           "| messages / plain | disk reads / plain |\n|---|---|---|---|---|---|---|---|")


class Results:
    """All rounds of several runs; of a scenario's side, medians over the rounds."""

    def __init__(self, measurements):
        self.rounds = {}                 # scenario -> side -> results
        for measurement in measurements:
            for result in measurement["results"]:
                self.rounds.setdefault(result["scenario"], {}).setdefault(result["side"], []).append(result)

    def median(self, scenario, side, count, by="operations"):
        """None if that was not measured."""
        results = self.rounds.get(scenario, {}).get(side)
        return statistics.median(count(r) / r[by] for r in results) if results else None

    def messages(self, scenario, side, by="operations"):
        return self.median(scenario, side, lambda r: r["messages"], by)

    def reads(self, scenario, side):
        return self.median(scenario, side, lambda r: r["disk_reads"])

    def spread(self, scenario, side):
        """Least and most messages of a round."""
        each = [r["messages"] / r["operations"] for r in self.rounds[scenario][side]]
        return min(each), max(each)

    def types(self, scenario, side):
        """name -> messages per operation, sent and received together, the most frequent first."""
        names = {name for r in self.rounds[scenario][side] for way in ("sent", "received") for name in r[way]}
        found = {name: self.median(scenario, side, lambda r: r["sent"].get(name, 0) + r["received"].get(name, 0))
                 for name in names}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def pairs(self):
        for scenario, sides in self.rounds.items():
            for side in sorted(sides, key=lambda s: (s != "plain", s)):
                yield scenario, side


def ratio(part, whole):
    if part is None or whole is None:
        return ""
    return f"{part / whole:.2f}" if whole else "0 / 0" if not part else "more than 0"


def table(measurements):
    results = Results(measurements)
    lines = [HEADING]
    for scenario, side in results.pairs():
        messages, reads = results.messages(scenario, side), results.reads(scenario, side)
        ratios = ["", ""] if side == "plain" else [ratio(messages, results.messages(scenario, "plain")),
                                                   ratio(reads, results.reads(scenario, "plain"))]
        ms = 1000 * results.median(scenario, side, lambda r: r["seconds"])
        per_second = results.messages(scenario, side, "seconds")
        cells = [scenario, side, f"{messages:.2f}", f"{per_second:.1f}", f"{reads:.3f}", f"{ms:.2f}", *ratios]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def types_table(results):
    lines = ["| scenario | side | rounds | least to most in a round | by type |", "|---|---|---|---|---|"]
    for scenario, side in results.pairs():
        least, most = results.spread(scenario, side)
        types = ", ".join(f"{name} {count:.2f}" for name, count in results.types(scenario, side).items() if count >= 0.005)
        rounds = len(results.rounds[scenario][side])
        lines.append(f"| {scenario} | {side} | {rounds} | {least:.2f} to {most:.2f} | {types or 'none'} |")
    return "\n".join(lines)


def reach_table(results):
    lines = ["| asked | at most | measured | reached |", "|---|---|---|---|"]

    def line(what, most, part, whole):
        if part is None or whole is None:
            measured, reached = "not measured", ""
        else:
            measured = ratio(part, whole)
            reached = "yes" if part <= most * whole else "**no**"
        lines.append(f"| {what} | {most:.2f} | {measured} | {reached} |")

    line("messages, warm-restart / plain cold-walk", 0.10, results.messages("warm-restart", "gateway"),
         results.messages("cold-walk", "plain"))
    for scenario in ("caches-dropped", "memory-taken", "memory-pressure"):
        line(f"messages, {scenario}", 0.25, results.messages(scenario, "gateway"), results.messages(scenario, "plain"))
        line(f"disk reads, {scenario}", 0.10, results.reads(scenario, "gateway"), results.reads(scenario, "plain"))
    for scenario in ("session-dir", "session-busy", "session-missing"):
        line(f"messages, {scenario}, max_staleness_ms=500", 0.10, results.messages(scenario, STALE),
             results.messages(scenario, "plain"))
    for scenario in results.rounds:
        line(f"messages, {scenario}, strict", 1.10, results.messages(scenario, "gateway"), results.messages(scenario, "plain"))
    return "\n".join(lines)


def page(measurements):
    results = Results(measurements)
    template = (Path(__file__).parent / "locks_page.md").read_text()

    def memory(of):
        found = sorted({m["memory_mib"] for m in measurements
                        if any(of(r["scenario"] == "memory-pressure") for r in m["results"])})
        return " to ".join(map(str, dict.fromkeys((found[0], found[-1])))) + " MiB" if found else "not measured"

    values = {"KERNEL": ", ".join(sorted({m["kernel"] for m in measurements})),
              "MEMORY": memory(lambda pressure: not pressure), "PRESSURE_MEMORY": memory(bool),
              "SECONDS": ", ".join(sorted({f"{m['seconds']:g}" for m in measurements})),
              "TABLE": table(measurements), "TYPES": types_table(results), "REACH": reach_table(results)}
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template.rstrip()
