#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the demo model's card from what its training left behind.

    demo_card.py WORK_FOLDER CARD.md

Every number comes from a file of the work folder: scores of `sea eval`, baselines of the held-out
world, metrics of each run.
"""

import json
import pathlib
import sys

STAGES = [
    ("encoder", "encoder pair: pictures, captions, the renderer's masks", ["L_c", "L_d"]),
    ("language", "language model: text", ["loss"]),
    ("stage1", "stage 1: adapter, captions and alignment", ["L_g", "L_a"]),
    ("stage2", "stage 2: adapter and language model, conversations", ["loss"]),
    ("stage2-open", "stage 2 with the encoder", ["loss"]),
]


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def lines_of(path: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def main() -> None:
    work, card = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    world = json.loads((work / "heldout/world.json").read_text())
    train = json.loads((work / "train/world.json").read_text())
    scores = {
        weights: json.loads((work / f"score-{weights}.json").read_text())
        for weights in ("f32", "int8")
    }
    values = {
        weights: {metric["name"]: metric for metric in score["metrics"]}
        for weights, score in scores.items()
    }
    trained = {
        name: sum(record["seconds"] for record in lines_of(work / name / "metrics.jsonl"))
        for name, _, _ in STAGES
    }
    size = (work / "demo-int8.sea").stat().st_size
    held_out = world["held_out"]
    exact = values["int8"]["exact"]

    out = [
        "# The demo model",
        "",
        "A vision-language model of LLaVA's construction, trained from nothing by this project's own commands on two cores",
        f"(`make demo-model`, {sum(trained.values()) / 60:.0f} minutes of steps on a machine with other work): a ViT of 6 blocks and width 192 over 64 patches, an adapter `mlp2x_gelu`, a",
        f"Llama of 4 blocks and width 192 with a vocabulary of its own; {size / 1e6:.1f} MB in int8. It answers short questions about",
        "pictures of the harbour world ([World.md](../Documentation/World.md)) and knows nothing else.",
        "",
        "## Scores",
        "",
        f"{scores['int8']['questions']:,} questions about {world['counts']['images']:,} held-out scenes: another seed, and in each scene at least one of {held_out['combinations']}",
        f"of {held_out['of']} combinations of kind, colour and place that training never showed. Exact answers in per cent; *always the",
        "most frequent answer* and *blind* (the most frequent answer to the same words) do not look at the picture.",
        "",
        "| question | f32 | int8 | 95 % of int8 | questions | most frequent | blind |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    baselines = world["baselines"]
    guesses = {"exact": (baselines["majority_by_kind"], baselines["blind"])}
    for kind in baselines["kinds"]:
        guesses[f"exact {kind['kind']}"] = (kind["majority"], kind["blind"])
    for name, metric in values["int8"].items():
        majority, blind = guesses.get(name, (None, None))
        label = "all" if name == "exact" else name.removeprefix("exact ")
        cells = [
            label,
            percent(values["f32"][name]["value"]),
            percent(metric["value"]),
            f"{percent(metric['low'])} – {percent(metric['high'])}" if "low" in metric else "",
            f"{metric['count']:,}",
            "" if majority is None else percent(majority),
            "" if blind is None else percent(blind),
        ]
        out.append("| " + " | ".join(cells) + " |")

    near = [
        name.removeprefix("exact ")
        for name, (majority, blind) in guesses.items()
        if name in values["int8"] and values["int8"][name]["value"] < max(majority, blind) + 0.1
    ]
    if near:
        out += [
            "",
            f"Less than ten points above the better guess: {', '.join(near)}. `make demo` asks questions of held-out scenes that it answers right.",
        ]
    out += [
        "",
        "## How it was made",
        "",
        f"`Tools/scripts/demo_model.sh` with the settings in [recipes/demo](recipes/demo): {train['counts']['images']:,} scenes of seed 1 with captions,",
        f"{train['counts']['conversation_turns']:,} questions and {train['counts']['texts']:,} texts. Losses are means of the first and of the last fiftieth of the steps;",
        "[demo](demo) has them as curves.",
        "",
        "| stage | steps | minutes | losses, first → last |",
        "|---|---:|---:|---|",
    ]
    for name, what, losses in STAGES:
        records = lines_of(work / name / "metrics.jsonl")
        part = max(1, len(records) // 50)
        changes = []
        for loss in losses:
            first = [record[loss] for record in records[:part] if record.get(loss) is not None]
            last = [record[loss] for record in records[-part:] if record.get(loss) is not None]
            if first and last:
                label = {"loss": "loss"}.get(loss, loss)
                changes.append(f"{label} {sum(first) / len(first):.3f} → {sum(last) / len(last):.3f}")
        minutes = trained[name] / 60
        out.append(f"| {what} | {len(records):,} | {minutes:.1f} | {', '.join(changes)} |")

    probes = [
        record
        for record in lines_of(work / "encoder/metrics.jsonl")
        if record.get("probe_any") is not None
    ]
    if probes:
        last = probes[-1]
        named = ", ".join(
            f"{key.removeprefix('probe_')} {percent(value)}"
            for key, value in last.items()
            if key.startswith("probe_") and value is not None
        )
        out += [
            "",
            f"Patches of held-out scenes whose nearest word of its sort is right, after step {last['step']:,} of the encoder, in per cent: {named}.",
        ]
    out += [
        "",
        "**The encoder was supervised by the renderer**: a loss for every patch from the masks that `sea world --masks` writes. No collection",
        "of photographs has such masks. Nothing else that the renderer knows reaches the model but through pixels and text.",
        "",
        "## Limits",
        "",
        "It knows 14 kinds of things in 10 colours on drawn pictures of 112 pixels, and the words of their descriptions. On anything else its",
        "answers mean nothing. It is small so that it can be shipped; it is there to show that every step works on real input.",
        "",
        "Licence: Apache-2.0. Pictures, texts and weights were made by this project alone.",
        "",
    ]
    card.write_text("\n".join(out))


if __name__ == "__main__":
    main()
