#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what prompts, answers and pictures cost as they grow, and draws the curves.

    cost_curves.py [--model FILE | --preset gemma-2b-siglip] [--encoders siglip-so400m-384,clip-l-336,clip-l-336-s2]
                   [--prompts 64,...,4096] [--depths 0,...,4096] [--threads 1,2] [--rounds 1] [--only prefill,decode,encode]
                   [--weights int8] [--kv f16] [--data FILE.json] [--svg FILE.svg] [--draw]

Each run of `sea bench` is added to the data file as it ends, so measuring may stop and go on, and
rounds add up; medians of all rounds are drawn. `--draw` only draws what the data file holds.
Standard library only.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = "sea.cost-curves/1"
STAGES = ("prefill", "decode", "encode")
PROMPTS = "64,128,256,512,761,1024,1536,2048,3072,4096"
DEPTHS = "0,256,512,1024,1536,2048,3072,4096"
ENCODERS = "clip-l-336,siglip-so400m-384,clip-l-336-s2"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sea", default=str(ROOT / ".build/release/sea"), help="the program")
    parser.add_argument("--model", help="model file with a language model")
    parser.add_argument("--preset", default="gemma-2b-siglip", help="its preset, without --model")
    parser.add_argument("--encoders", default=ENCODERS, help="presets whose encoders are measured")
    parser.add_argument("--prompts", default=PROMPTS, help="prompt lengths")
    parser.add_argument("--depths", default=DEPTHS, help="positions before an answer")
    parser.add_argument("--decode", default="24", help="tokens of an answer")
    parser.add_argument("--threads", default="1,2", help="numbers of threads")
    parser.add_argument("--rounds", type=int, default=1, help="times that all is measured")
    parser.add_argument("--only", default=",".join(STAGES), help="stages")
    parser.add_argument("--weights", default="int8", help="how presets' weights are stored")
    parser.add_argument("--kv", default="f16", help="type of stored keys and values")
    parser.add_argument("--isa", help="instruction-set level")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / ".build/cost-curves.json")
    parser.add_argument(
        "--svg", type=pathlib.Path, default=ROOT / "Documentation/images/cost-curves.svg"
    )
    parser.add_argument("--draw", action="store_true", help="measure nothing, draw the data")
    arguments = parser.parse_args()
    arguments.stages = arguments.only.split(",")
    if unknown := set(arguments.stages) - set(STAGES):
        parser.error(f"--only: '{unknown.pop()}' is none of {', '.join(STAGES)}")
    return arguments


# Measuring


def load(path: pathlib.Path) -> dict:
    if not path.exists():
        return {"schema": SCHEMA, "machine": {}, "points": []}
    data = json.loads(path.read_text())
    if data.get("schema") != SCHEMA:
        sys.exit(f"{path}: schema: expected {SCHEMA}")
    return data


def save(path: pathlib.Path, data: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps(data, indent=1) + "\n")
    os.replace(temporary, path)


def bench(arguments: argparse.Namespace, source: list[str], threads: str, extra: list[str]) -> dict:
    command = [arguments.sea, "bench", *source, "--json", "--quiet", "--repeat", "1"]
    command += ["--threads", threads, *extra]
    if arguments.isa:
        command += ["--isa", arguments.isa]
    print("+", " ".join(command), file=sys.stderr)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"exit {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def add(data: dict, report: dict, stages: list[str]) -> None:
    """Adds a report's values to the points of the same model, threads and size."""
    machine = report["machine"]
    data["machine"] = {"processor": machine["processor"], "isa": machine["isa"]}
    data["date"] = time.strftime("%Y-%m-%d")
    for measure in report["measures"]:
        if measure["stage"] not in stages:
            continue
        key = {
            "stage": measure["stage"],
            "model": report["model"]["name"],
            "weights": report["model"]["weights"],
            "kv": report["kv"],
            "threads": machine["threads"],
            "size": measure["depth"] if measure["stage"] == "decode" else measure.get("tokens", 0),
        }
        same = (p for p in data["points"] if all(p[name] == key[name] for name in key))
        point = next(same, None)
        if point is None:
            point = key | {"seconds": []}
            data["points"].append(point)
        point["seconds"] += measure["seconds"]["values"]


def measure(arguments: argparse.Namespace, data: dict) -> None:
    preset = ["--weights", arguments.weights, "--preset"]
    language = [arguments.model] if arguments.model else [*preset, arguments.preset]
    # From the deepest down: a context is filled once and cut back.
    depths = sorted(map(int, arguments.depths.split(",")), reverse=True)
    for _ in range(arguments.rounds):
        for threads in arguments.threads.split(","):
            wanted = [stage for stage in ("prefill", "decode") if stage in arguments.stages]
            if wanted:
                extra = ["--only", ",".join(wanted), "--kv", arguments.kv]
                extra += ["--prompt-tokens", arguments.prompts, "--decode", arguments.decode]
                extra += ["--depth", ",".join(map(str, depths))]
                add(data, bench(arguments, language, threads, extra), wanted)
                save(arguments.data, data)
            for encoder in arguments.encoders.split(",") if "encode" in arguments.stages else []:
                report = bench(arguments, [*preset, encoder], threads, ["--only", "encode"])
                # The preset tells encoders of one tower apart.
                report["model"]["name"] = encoder
                add(data, report, ["encode"])
                save(arguments.data, data)


# Drawing

INK, PALE, GRID = "#24292f", "#6e7781", "#d8dee4"
COLOURS = {1: "#9a6700", 2: "#0969da", 4: "#1a7f37", 8: "#8250df"}
WIDTH, HEIGHT, LEFT, TOP, PLOT_W, PLOT_H = 1180, 420, 70, 70, 300, 270


def colour(threads: int) -> str:
    return COLOURS.get(threads, "#cf222e")


def text(x: float, y: float, words: str, anchor: str = "middle", more: str = "") -> str:
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{words}</text>'


def ticks(most: float) -> list[float]:
    """Four to eight round numbers from 0 that pass `most`."""
    power = 1e-6
    while True:
        for factor in (1, 2, 2.5, 5):
            step = factor * power
            if most / step <= 6:
                count = int(most / step) + (0 if abs(most / step - int(most / step)) < 1e-9 else 1)
                return [step * index for index in range(max(count, 1) + 1)]
        power *= 10


def number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def frame(left: float, title: str, x_name: str, y_name: str, y_ticks: list[float]) -> list[str]:
    out = [text(left, TOP - 26, title, "start", f'font-weight="600" font-size="15" fill="{INK}"')]
    for value in y_ticks:
        y = TOP + PLOT_H * (1 - value / y_ticks[-1])
        out.append(f'<path d="M{left},{y:.1f}h{PLOT_W}" stroke="{GRID}"/>')
        out.append(text(left - 8, y + 4, number(value), "end"))
    out.append(text(left + PLOT_W / 2, TOP + PLOT_H + 44, x_name))
    turn = f'transform="rotate(-90 {left - 48} {TOP + PLOT_H / 2})"'
    out.append(text(left - 48, TOP + PLOT_H / 2, y_name, "middle", turn))
    return out


def curves(left: float, title: str, x_name: str, y_name: str, points: list, scale: float) -> list[str]:
    """One line for each number of threads."""
    lines: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        value = statistics.median(point["seconds"]) * scale
        lines.setdefault(point["threads"], []).append((point["size"], value))
    y_ticks = ticks(max(value for line in lines.values() for _, value in line))
    x_ticks = ticks(max(size for line in lines.values() for size, _ in line))
    top = max(max(size for line in lines.values() for size, _ in line), 1)
    out = frame(left, title, x_name, y_name, y_ticks)
    for value in x_ticks:
        if value <= top:
            out.append(text(left + PLOT_W * value / top, TOP + PLOT_H + 20, number(value)))
    for threads, line in sorted(lines.items()):
        spots = [
            (left + PLOT_W * size / top, TOP + PLOT_H * (1 - value / y_ticks[-1]), value)
            for size, value in sorted(line)
        ]
        path = "L".join(f"{x:.1f},{y:.1f}" for x, y, _ in spots)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour(threads)}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour(threads)}"/>' for x, y, _ in spots]
        x, y, value = spots[-1]
        label = f"{value:.1f}" if value < 100 else f"{value:.0f}"
        out.append(text(x, y - 9, label, "end", f'fill="{colour(threads)}" font-weight="600"'))
    return out


def bars(left: float, title: str, points: list) -> list[str]:
    """A group of bars for each encoder."""
    models = list(dict.fromkeys(point["model"] for point in points))
    values = {(p["model"], p["threads"]): statistics.median(p["seconds"]) for p in points}
    models.sort(key=lambda model: max(v for (name, _), v in values.items() if name == model))
    threads = sorted({point["threads"] for point in points})
    y_ticks = ticks(max(values.values()) * 1.05)
    out = frame(left, title, "", "seconds a picture", y_ticks)
    group = PLOT_W / len(models)
    width = min(group * 0.7 / len(threads), 40)
    for index, model in enumerate(models):
        middle = left + group * (index + 0.5)
        for place, count in enumerate(threads):
            if (model, count) not in values:
                continue
            value = values[model, count]
            height = PLOT_H * value / y_ticks[-1]
            x = middle + (place - len(threads) / 2) * width
            out.append(
                f'<rect x="{x + 1:.1f}" y="{TOP + PLOT_H - height:.1f}" width="{width - 2:.1f}" '
                f'height="{height:.1f}" fill="{colour(count)}"/>'
            )
            label = f"{value:.2f}" if value < 10 else f"{value:.1f}"
            out.append(text(x + width / 2, TOP + PLOT_H - height - 5, label))
        name, side = NAMES.get(model, (model, ""))
        out.append(text(middle, TOP + PLOT_H + 20, name))
        out.append(text(middle, TOP + PLOT_H + 36, side, "middle", f'fill="{PALE}"'))
    return out


NAMES = {
    "clip-l-336": ("CLIP-L", "336 px"),
    "siglip-so400m-384": ("SigLIP-SO400M", "384 px"),
    "clip-l-336-s2": ("CLIP-L S2", "to 1008 px"),
}


def draw(data: dict, path: pathlib.Path) -> None:
    by_stage = {stage: [p for p in data["points"] if p["stage"] == stage] for stage in STAGES}
    panels = [stage for stage in STAGES if by_stage[stage]]
    if not panels:
        sys.exit("nothing was measured: there is nothing to draw")
    width = WIDTH * len(panels) // 3
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" '
        f'height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="12" fill="{PALE}">',
        "<title>What prompts, answers and pictures cost</title>",
        f'<rect width="{width}" height="{HEIGHT}" rx="8" fill="#ffffff"/>',
    ]
    language = next((p for p in data["points"] if p["stage"] != "encode"), None)
    name = f"{language['model']}, {language['weights']}" if language else ""
    cache = f", {language['kv']} cache" if language else ""
    for index, stage in enumerate(panels):
        left = LEFT + index * (WIDTH - 10) / 3
        points = by_stage[stage]
        if stage == "prefill":
            out += curves(left, "Reading a prompt", "positions", "seconds", points, 1)
        elif stage == "decode":
            title = "One token of the answer"
            out += curves(left, title, "positions before it" + cache, "milliseconds", points, 1000)
        else:
            out += bars(left, "Encoding a picture", points)
    for index, count in enumerate(sorted({p["threads"] for p in data["points"]}, reverse=True)):
        x = width - 30 - 90 * (index + 1)
        out.append(f'<rect x="{x}" y="14" width="12" height="12" rx="2" fill="{colour(count)}"/>')
        out.append(text(x + 18, 24, f"{count} thread" + "s" * (count > 1), "start"))
    machine = data["machine"]
    notes = [name, machine.get("processor", ""), machine.get("isa", ""), data.get("date", "")]
    out.append(text(LEFT, HEIGHT - 10, " · ".join(filter(None, notes)), "start", 'font-size="11"'))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*out, "</svg>"]) + "\n")


def main() -> None:
    arguments = parse()
    data = load(arguments.data)
    if not arguments.draw:
        measure(arguments, data)
    draw(data, arguments.svg)
    for point in data["points"]:
        seconds = statistics.median(point["seconds"])
        size = point["size"] if point["stage"] != "encode" else ""
        print(f"{point['stage']}\t{point['model']}\t{point['threads']}\t{size}\t{seconds:.4f}")


if __name__ == "__main__":
    main()
