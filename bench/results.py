# SPDX-License-Identifier: BSD-3-Clause
"""What bench_multiply wrote: rows of repetitions by name. Used by report and compare."""
import json
import re
from dataclasses import dataclass, field
from statistics import median

# The width that a peer's type competes with.
WIDTHS = {"Q2_K": 2, "Q3_K": 3, "Q4_0": 4, "Q4_K": 4, "IQ4_XS": 4, "Q5_K": 5, "Q6_K": 6, "Q8_0": 8, "f32": 32}

END = r"(?:n(?P<vectors>\d+)/)?(?P<shape>\d+x\d+)/t(?P<threads>\d+)/(?P<cache>cold|llc)$"
OURS = re.compile(r"multiply/(?P<layout>[^/]+)/(?P<bits>\d+)b/g(?P<group>\d+)/(?P<activation>[^/@]+)"
                  r"(?:@(?P<arch>[^/]+))?/" + END)
PEER = re.compile(r"peer/(?P<library>[^/]+)/(?P<type>[^/]+)/" + END)
READ = re.compile(r"READ/(?P<loop>[^/]+)/t(?P<threads>\d+)$")
PEAK = "PEAK/dot/t{}"
PARTS = ("layout", "bits", "group", "activation", "arch")  # of our names; arch: None for the best


@dataclass
class Row:
    """One benchmark: a list entry for each repetition."""
    name: str
    speed: list = field(default_factory=list)     # weights (times vectors) per second; of READ: bytes per second
    bytes: list = field(default_factory=list)     # per second
    fraction: list = field(default_factory=list)  # of READ
    wall: list = field(default_factory=list)      # microseconds
    cpu: list = field(default_factory=list)       # microseconds, of all threads


@dataclass(frozen=True)
class Place:
    """What rows must share to be compared."""
    shape: str
    threads: int
    cache: str
    vectors: int = 1

    def __str__(self):
        many = f", {self.vectors} vectors" if self.vectors > 1 else ""
        return f"{self.shape}, {self.threads} thread{'s' if self.threads > 1 else ''}, {self.cache}{many}"


def rows_of(benchmarks):
    """Google Benchmark's list -> {name: Row}. Aggregates and errors are left out."""
    rows = {}
    for one in benchmarks:
        if one.get("run_type") == "aggregate" or one.get("error_occurred"):
            continue
        row = rows.setdefault(one["name"], Row(one["name"]))
        micro = {"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6}[one["time_unit"]]
        speed = one.get("multiply_adds_per_second", one.get("weights_per_second", one.get("bytes_per_second")))
        if speed is None:
            continue
        row.speed.append(speed)
        row.bytes.append(one.get("bytes_per_second", 0.0))
        row.fraction.append(one.get("read_fraction", 1.0))
        row.wall.append(one["real_time"] * micro)
        row.cpu.append(one["cpu_time"] * micro)
    return {name: row for name, row in rows.items() if row.speed}


def load(path):
    """(context, {name: Row}) of a JSON file."""
    with open(path, encoding="utf-8") as file:
        everything = json.load(file)
    return everything.get("context", {}), rows_of(everything["benchmarks"])


def place_of(name):
    """None for READ and for names that are not ours."""
    match = OURS.match(name) or PEER.match(name)
    if not match:
        return None
    return Place(match["shape"], int(match["threads"]), match["cache"], int(match["vectors"] or 1))


def bits_of(name):
    """Width that a row competes at; None where there is none."""
    if match := OURS.match(name):
        return int(match["bits"])
    if match := PEER.match(name):
        return WIDTHS.get(match["type"].removesuffix("+repack"))
    return None


def library_of(name):
    """What a line of the chart is called: ours by layout, group and activation; peers by library."""
    if match := OURS.match(name):
        on = f"@{match['arch']}" if match["arch"] else ""
        return f"jackplane {match['layout']} g{match['group']} {match['activation']}{on}"
    if match := PEER.match(name):
        return match["library"]
    return None


def best_of(rows, library, place):
    """{bits: highest median speed} of a library at a place."""
    best = {}
    for row in rows.values():
        if library_of(row.name) == library and place_of(row.name) == place and bits_of(row.name) is not None:
            bits = bits_of(row.name)
            best[bits] = max(best.get(bits, 0.0), median(row.speed))
    return best


def parts_of(name):
    """Place and {part: word} of one of our rows; None of another."""
    match = OURS.match(name)
    return (place_of(name), {part: match[part] for part in PARTS}) if match else None


def beside(rows, word, best=None):
    """{name: median speed of the row that differs in one part, which is `word` there}: an arch, a layout, an activation
    or a group (g64); best: the name of the best arch, whose rows have none in their names. ValueError where no row has
    it."""
    parts = {name: found for name in rows if (found := parts_of(name))}
    if word == best:
        part, wanted = "arch", None
    else:
        wanted = word[1:] if re.fullmatch(r"g\d+", word) else word
        asked = ("group",) if wanted != word else ("arch", "layout", "activation")
        part = next((p for p in asked if any(of[p] == wanted for _, of in parts.values())), None)
        if part is None:
            raise ValueError(f"no row of '{word}'")
    at = {(place, *of.values()): name for name, (place, of) in parts.items()}
    rivals = {name: at.get((place, *(of | {part: wanted}).values())) for name, (place, of) in parts.items()}
    return {name: median(rows[rival].speed) for name, rival in rivals.items() if rival not in (None, name)}


def places(rows):
    """All places, in the order in which people read them."""
    def order(place):
        numbers = [int(n) for n in place.shape.split("x")]
        return place.vectors, numbers[0] * numbers[1], place.shape, place.cache, place.threads
    return sorted({place_of(name) for name in rows} - {None}, key=order)


def peak(rows, threads):
    """Median multiply-adds per second of dots in registers; None where they were not measured."""
    row = rows.get(PEAK.format(threads))
    return median(row.speed) if row else None


def reads(rows, threads):
    """{loop: median bytes per second} of READ; the yardstick is "sum"."""
    found = {}
    for row in rows.values():
        match = READ.match(row.name)
        if match and int(match["threads"]) == threads:
            found[match["loop"]] = median(row.speed)
    return found
