#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures sea and its peers in turn on the same shapes and prints how many times faster sea is.

    compare.py --python VENV/bin/python [--preset gemma-2b-siglip] [--work FOLDER] [--repeat 3]
               [--prompts 64,761,1500] [--depths 0,800] [--openvino] [--json FILE]

Each round runs sea and then every variant of llama.cpp, so that a bad minute of the machine falls on
all alike; medians of all rounds are compared. GGUF files are kept in the work folder. OpenVINO, whose
models take minutes to build, runs all its rounds after the others'.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

SEA_WEIGHTS = ("int8", "int4")

# Name, stored type, further arguments. The best of the last two is what people can get of 4 bits.
VARIANTS = [
    ("Q8_0", "Q8_0", []),
    ("Q4_K_M", "Q4_K_M", []),
    ("Q4_K_M no repack", "Q4_K_M", ["--no-repack"]),
]


def run(command: list[str]) -> dict:
    """The JSON object that a program prints last."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def sea(arguments: argparse.Namespace, weights: str) -> dict[str, list[float]]:
    """One round of sea, under llama.cpp's names."""
    model = str(arguments.work / f"sea-{weights}.sea")
    command = [str(arguments.sea), "bench", model, "--json", "--quiet"]
    command += ["--limits", "--repeat", "1", "--threads", str(arguments.threads)]
    command += ["--prompt-tokens", arguments.prompts, "--depth", arguments.depths]
    command += ["--decode", str(arguments.decode)]
    report = run(command)
    result: dict[str, list[float]] = {}
    for measure in report["measures"]:
        stage = measure["stage"]
        name = {
            "load": "open",
            "encode": "encode",
            "prefill": f"prefill {measure.get('tokens')}",
            "decode": f"decode at {measure.get('depth')}",
            "first-token": "first token",
        }.get(stage)
        if name:
            result[name] = measure["seconds"]["values"]
        if stage == "adapter":
            # llama.cpp's figure holds encoder and projector.
            result["encode"] = [
                a + b for a, b in zip(result["encode"], measure["seconds"]["values"])
            ]
    # How undisturbed the machine was: a stage's share of a limit means little when that limit moved.
    for limit in report["limits"]:
        arguments.limits.setdefault(limit["name"], []).extend(limit["rate"]["values"])
    memory = report["memory"]
    result["peak_resident_bytes"] = [memory["peak_resident_bytes"]]
    result["anonymous_bytes"] = [memory["peak_anonymous_bytes"]]
    return result


def llama(arguments: argparse.Namespace, kind: str, extra: list[str]) -> dict[str, list[float]]:
    """One round of llama.cpp."""
    work = arguments.work
    command = [arguments.python, str(HERE / "run_llama.py"), str(work / f"{kind}.gguf")]
    if (work / "mmproj.gguf").exists():
        command += ["--mmproj", str(work / "mmproj.gguf")]
    command += ["--prompts", arguments.prompts, "--depths", arguments.depths, "--repeat", "1"]
    command += ["--decode", str(arguments.decode), "--threads", str(arguments.threads)]
    report = run(command + extra)
    result = {
        name: value if isinstance(value, list) else [value]
        for name, value in report.items()
        if name != "visual_tokens"
    }
    if "encode" in result:
        positions = report["visual_tokens"] + 32
        if f"prefill {positions}" in result:
            parts = zip(result["encode"], result[f"prefill {positions}"])
            result["first token"] = [sum(part) for part in parts]
    return result


def openvino(arguments: argparse.Namespace, weights: str) -> dict[str, list[float]]:
    """All rounds of OpenVINO: the encoder in full int8, the language model as `weights` says."""
    from shapes import preset

    shapes = preset(arguments.preset)
    result: dict[str, list[float]] = {}
    opened = 0.0
    for part in ("encoder", "llm"):
        if ("vision" if part == "encoder" else "llm") not in shapes:
            continue
        command = [arguments.python, str(HERE / "run_openvino.py"), arguments.preset, part]
        command += ["--weights", weights, "--prompts", arguments.prompts]
        command += ["--depths", arguments.depths, "--decode", str(arguments.decode)]
        command += ["--repeat", str(arguments.repeat), "--threads", str(arguments.threads)]
        report = run(command)
        opened += report["open"][0]
        for name, values in report.items():
            if name != "open" and isinstance(values, list):
                result[name] = values
    result["open"] = [opened]
    positions = arguments.visual + 32
    if "encode" in result and f"prefill {positions}" in result:
        parts = zip(result["encode"], result[f"prefill {positions}"])
        result["first token"] = [sum(part) for part in parts]
    return result


def visual_tokens(shapes: dict) -> int:
    vision = shapes.get("vision")
    return (vision["image_side"] // vision["patch_side"]) ** 2 if vision else 0


def make_files(arguments: argparse.Namespace) -> None:
    """The model files that are not there yet."""
    from shapes import preset

    arguments.work.mkdir(parents=True, exist_ok=True)
    for weights in SEA_WEIGHTS:
        path = arguments.work / f"sea-{weights}.sea"
        if not path.exists():
            command = [str(arguments.sea), "preset", arguments.preset, "--weights", weights]
            subprocess.run(command + ["-o", str(path)], check=True, stdout=subprocess.DEVNULL)
    kinds = sorted({kind for _, kind, _ in VARIANTS})
    if "vision" in preset(arguments.preset):
        kinds.append("mmproj")
    for kind in kinds:
        path = arguments.work / f"{kind}.gguf"
        if path.exists():
            continue
        print(f"making {path}", file=sys.stderr)
        partial = path.with_suffix(".partial")
        script = str(HERE / "make_gguf.py")
        command = [arguments.python, script, arguments.preset, kind, str(partial)]
        subprocess.run(command, check=True)
        os.replace(partial, path)


def table(results: dict[str, dict[str, list[float]]]) -> list[str]:
    """Markdown: medians of every program, and how many times those of sea in as many bits they are."""
    names = list(results)
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for row in results["sea int8"]:
        cells = []
        is_bytes = row.endswith("_bytes")
        for name in names:
            values = results[name].get(row)
            if not values:
                cells.append("")
                continue
            value = statistics.median(values)
            text = f"{value / 1e9:.2f} GB" if is_bytes else f"{value * 1000:.1f} ms"
            if not name.startswith("sea"):
                four_bits = "4" in name
                own = results["sea int4" if four_bits else "sea int8"][row]
                ours = statistics.median(own)
                text += f" ({value / ours:.2f}×)"
            cells.append(text)
        lines.append(f"| {row.replace('_bytes', '').replace('_', ' ')} | " + " | ".join(cells) + " |")
    return lines


def processor() -> str:
    with open("/proc/cpuinfo") as file:
        return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--sea", type=pathlib.Path, default=ROOT / ".build/release/sea")
    parser.add_argument("--preset", default="gemma-2b-siglip")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/sea-peers"))
    parser.add_argument("--prompts", default="64,761,1500")
    parser.add_argument("--depths", default="0,800")
    parser.add_argument("--decode", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--openvino", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.work = arguments.work / arguments.preset
    sys.path.insert(0, str(HERE))
    from shapes import preset

    arguments.limits = {}
    arguments.visual = visual_tokens(preset(arguments.preset))
    make_files(arguments)
    results: dict[str, dict[str, list[float]]] = {}
    for round_index in range(arguments.repeat):
        print(f"round {round_index + 1} of {arguments.repeat}", file=sys.stderr)
        rounds = {f"sea {weights}": sea(arguments, weights) for weights in SEA_WEIGHTS}
        for name, kind, extra in VARIANTS:
            rounds[name] = llama(arguments, kind, extra)
        for name, rows in rounds.items():
            for row, values in rows.items():
                results.setdefault(name, {}).setdefault(row, []).extend(values)

    if arguments.openvino:
        for weights in ("int8", "int4"):
            print(f"OpenVINO, {weights}", file=sys.stderr)
            results[f"OpenVINO {weights}"] = openvino(arguments, weights)

    versions = subprocess.run(
        [arguments.python, "-c", "import llama_cpp; print(llama_cpp.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    print(
        f"{arguments.preset}, {datetime.date.today()}, {processor()}, {arguments.threads} threads, "
        f"Linux {platform.release()}, llama-cpp-python {versions}, {arguments.repeat} rounds, medians"
    )
    print()
    print("\n".join(table(results)))
    print()
    for name, rates in arguments.limits.items():
        low, middle, high = (f(rates) / 1e9 for f in (min, statistics.median, max))
        unit = "GB/s" if name.startswith("read") else "GOP/s"
        print(f"- {name}: {middle:.0f} {unit} ({low:.0f} to {high:.0f})")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
