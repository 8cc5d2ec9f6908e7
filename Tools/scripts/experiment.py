#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SEA against no SEA on the harbour world, with the same seeds and budget, and one factor at a time.

    experiment.py --base DEMO_WORK_FOLDER --out FOLDER [--report Documentation/Experiment.md]

The base is what demo_model.sh leaves: worlds, encoder, language model, labels. Every run starts from
there: stage 1, stage 2, a model file, scores. Runs that are done are kept in FOLDER, one that was cut
short is gone on with, and the report is written from whatever is there. Python's own library only.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What every run has unless its entry says otherwise.
DEFAULTS = {
    "labels": "train",  # which label file; None: captions alone
    "stage1": {"lambda": "1"},
    "direct": False,  # no stage 1: the adapter starts from random numbers
    "language": "language",
    "stage2_share": 1.0,  # of the steps of stage 2
    "vision_lr": None,  # the encoder is trained in stage 2
}

# Name, what it is, and what differs from DEFAULTS.
ARMS = [
    ("sea", "SEA", {}),
    ("plain", "no SEA (captions alone)", {"labels": None}),
    ("direct", "stage 2 without stage 1", {"labels": None, "direct": True}),
]
FACTORS = [
    ("λ", "lambda-0.1", "SEA, λ 0.1", {"stage1": {"lambda": "0.1"}}),
    ("λ", "lambda-0.3", "SEA, λ 0.3", {"stage1": {"lambda": "0.3"}}),
    ("λ", "lambda-3", "SEA, λ 3", {"stage1": {"lambda": "3"}}),
    ("λ", "alignment-only", "SEA, L_a alone", {"stage1": {"alignment-only": "true"}}),
    ("labels a patch", "top-1", "SEA, the best word only", {"labels": "top-1"}),
    ("labels a patch", "top-3", "SEA, three words", {"labels": "top-3"}),
    ("window", "window-1", "SEA, every patch", {"stage1": {"window": "1"}}),
    ("window", "window-4", "SEA, windows of 4 × 4", {"stage1": {"window": "4"}}),
    ("temperature", "tau-paper", "SEA, τ starts at 1", {"stage1": {"tau-init": "paper"}}),
    ("temperature", "tau-0.3", "SEA, τ starts at 0.3", {"stage1": {"tau-init": "0.3"}}),
    ("label noise", "uniform", "SEA, any of the ten words", {"stage1": {"label-sampling": "uniform"}}),
    ("label noise", "opposite", "SEA, the least fitting words", {"labels": "opposite"}),
    ("negatives", "no-dedupe", "SEA, repeated words kept", {"stage1": {"dedupe": "off"}}),
    ("encoder", "open-sea", "SEA, encoder trained in stage 2", {"vision_lr": "3e-4"}),
    ("encoder", "open-plain", "no SEA, encoder trained in stage 2", {"vision_lr": "3e-4", "labels": None}),
    ("language model", "small-sea", "SEA, half the width, 2 blocks", {"language": "small"}),
    ("language model", "small-plain", "no SEA, half the width, 2 blocks", {"language": "small", "labels": None}),
    ("stage 2", "short-sea", "SEA, a quarter of stage 2", {"stage2_share": 0.25}),
    ("stage 2", "short-plain", "no SEA, a quarter of stage 2", {"stage2_share": 0.25, "labels": None}),
]
LABELS = {
    "top-1": ["--top-n", "1", "--sign", "pos"],
    "top-3": ["--top-n", "3", "--sign", "pos"],
    "opposite": ["--top-n", "10", "--sign", "neg"],
}
SMALL = ["--hidden", "96", "--layers", "2", "--heads", "3", "--kv-heads", "1", "--intermediate", "256"]


class Experiment:
    def __init__(self, options):
        self.options = options
        self.base = pathlib.Path(options.base).resolve()
        self.out = pathlib.Path(options.out).resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self.tools = os.environ.get("SEA_TOOLS", str(ROOT / ".build/release/sea-tools"))

    # Running commands

    def run(self, *arguments):
        """Runs the tool; what it prints is returned."""
        command = [self.tools, *map(str, arguments)]
        if self.options.threads:
            command += ["--threads", str(self.options.threads)]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if result.returncode != 0:
            if result.returncode in (130, 143, -2, -15):
                sys.exit(result.returncode)
            sys.exit(f"{' '.join(command)}\n{result.stderr.strip()[-2000:]}")
        return result.stdout

    def train(self, kind, folder, done, *arguments):
        """A training run that goes on where it was; `done` appears at its end."""
        if not done.exists():
            resume = ["--resume"] if folder.exists() else []
            self.run("train", kind, "--out", folder, *resume, *arguments)

    # What runs share

    def shared(self, name):
        return self.out / "shared" / name

    def label_file(self, name):
        """Labels of the training scenes, made with other settings where a run asks for them."""
        if name == "train":
            return self.base / "train.labels"
        path = self.shared(f"{name}.labels")
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            resume = ["--resume"] if pathlib.Path(f"{path}.work").exists() else []
            train = self.base / "train"
            self.run(
                "label", "--encoder", self.base / "encoder/model", "--words", train / "words.txt",
                "--data", train / "captions.json", "--images", train / "images", "-o", path,
                "--feature", "raw", *LABELS[name], *resume,
            )  # fmt: skip
        return path

    def language(self, name):
        """The folder of a language model; the small one learns the same text first."""
        if name == "language":
            return self.base / "language/model"
        folder = self.shared("language-small")
        folder.parent.mkdir(exist_ok=True)
        self.train(
            "language", folder, folder / "model/config.json", "--family", "llama", *SMALL,
            "--context", "640", "--tie", "--batch", "12", "--sequence", "320", "--lr", "2e-3",
            "--seed", "1", "--steps", self.options.small_steps, "--tokenizer",
            self.base / "language-tokenizer", "--text", self.base / "train/text.jsonl",
        )  # fmt: skip
        return folder / "model"

    # One run

    def result(self, name, seed):
        path = self.out / "runs" / f"{name}-{seed}" / "result.json"
        return json.loads(path.read_text()) if path.exists() else None

    def perform(self, name, seed, changes):
        settings = {**DEFAULTS, **changes}
        folder = self.out / "runs" / f"{name}-{seed}"
        done = folder / "result.json"
        if done.exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        train, heldout = self.base / "train", self.base / "heldout"
        encoder, language = self.base / "encoder/model", self.language(settings["language"])
        data = ["--images", train / "images", "--feature-cache", self.shared("features")]
        data += ["--feature-type", "f16", "--seed", seed, "--batch", "32", "--accumulate", "1"]
        data += ["--sequences", self.options.sequences, "--select-layer", "-1"]
        # Stage 1.
        stage1 = folder / "stage1"
        flags = ["--llm", language, "--vision", encoder, "--adapter", "mlp2x_gelu", *data]
        flags += ["--data", train / "captions.json"]
        if settings["direct"]:
            # One step at rate 0: the adapter stays as it was drawn.
            flags += ["--steps", "1", "--lr", "0"]
        else:
            flags += ["--steps", self.options.stage1, "--lr", "2e-3"]
            if settings["labels"] is not None:
                flags += ["--labels", self.label_file(settings["labels"])]
                for key, value in {**DEFAULTS["stage1"], **settings["stage1"]}.items():
                    flags += [f"--{key}"] if value == "true" else [f"--{key}", value]
        projector = stage1 / "mm_projector.safetensors"
        self.train("pretrain", stage1, projector, *flags)
        before = self.measure(stage1, folder / "stage1.sea", settings)
        # Stage 2.
        stage2 = folder / "stage2"
        steps = max(int(self.options.stage2 * settings["stage2_share"]), 1)
        flags = ["--llm", language, "--vision", encoder, "--adapter-init", projector, *data]
        flags += ["--data", train / "conversations.json", "--method", "full", "--precision", "bf16"]
        flags += ["--lr", "1e-3", "--adapter-lr", "1e-3", "--weight-decay", "0.01", "--steps", steps]
        if settings["vision_lr"]:
            flags += ["--vision-lr", settings["vision_lr"]]
        self.train("finetune", stage2, stage2 / "model/config.json", *flags)
        model = folder / "model.sea"
        after = self.measure(stage2 / "model", model, settings, keep=True)
        questions = ["--data", heldout / "questions.jsonl", "--limit", self.options.questions]
        answers = folder / "answers.jsonl"
        resume = ["--resume"] if answers.exists() else []
        score = json.loads(
            self.run(
                "eval", "world", "--model", model, "--images", heldout / "images", *questions,
                "--output", answers, "--json", *resume,
            ).splitlines()[-1]
        )  # fmt: skip
        record = {
            "run": name,
            "seed": seed,
            "exact": {metric["name"]: metric["value"] for metric in score["metrics"]},
            "after_stage1": before,
            "after_stage2": after,
            "text_loss": [
                self.text_loss(language, folder / "text-before"),
                self.text_loss(stage2 / "model", folder / "text-after"),
            ],
            "seconds": round(time.monotonic() - start, 1),
        }
        temporary = done.with_suffix(".tmp")
        temporary.write_text(json.dumps(record, indent=1) + "\n")
        # Only the record stays: weights of a hundred runs would fill a disk.
        model.unlink()
        for used in (stage1, stage2):
            shutil.rmtree(used)
        temporary.rename(done)

    def measure(self, source, model, settings, keep=False):
        """Alignment accuracy, distribution gap and TACS of a checkpoint."""
        heldout = self.base / "heldout"
        if not model.exists():
            self.run("convert", source, "-o", model, "--weights", "f32", "--select-layer", "-1")
        text = self.run(
            "eval", "alignment", model, "--data", heldout / "captions.json", "--images",
            heldout / "images", "--masks", heldout / "masks.jsonl", "--words",
            self.base / "train/words.txt", "--limit", self.options.pictures, "--json",
        )  # fmt: skip
        if not keep:
            model.unlink()
        figures = json.loads(text.splitlines()[-1])
        return {key: figures[key] for key in FIGURES}

    def text_loss(self, model, folder):
        """The loss of held-out text under the language model of a folder: what stage 2 leaves of it."""
        if folder.exists():
            shutil.rmtree(folder)
        heldout = self.base / "heldout/text.jsonl"
        text = self.run(
            "train", "language", "--init", model, "--text", heldout, "--eval-text", heldout,
            "--eval-tokens", "20000", "--steps", "1", "--lr", "0", "--batch", "4", "--sequence",
            "320", "--json", "--out", folder,
        )  # fmt: skip
        shutil.rmtree(folder)
        return json.loads(text.splitlines()[-1])["heldout_loss"]

    def grid(self):
        """Names, changes and seeds, the runs that matter most first."""
        for seed in range(1, self.options.seeds + 1):
            for name, _, changes in ARMS:
                yield name, seed, changes
        for seed in range(1, self.options.factor_seeds + 1):
            for _, name, _, changes in FACTORS:
                yield name, seed, changes

    def perform_all(self):
        wanted = [run for run in self.grid() if not self.options.only or run[0] in self.options.only]
        for number, (name, seed, changes) in enumerate(wanted, 1):
            if self.result(name, seed):
                continue
            if self.options.minutes and time.monotonic() - START > 60 * self.options.minutes:
                print("the time is over; the same command goes on", file=sys.stderr)
                return
            print(f"== {name}, seed {seed} ({number} of {len(wanted)})", file=sys.stderr)
            self.perform(name, seed, changes)


START = time.monotonic()
FIGURES = ["accuracy", "accuracy_top10", "distance", "token_norm", "word_norm", "tacs"]


# The report


def spread(values, scale=1.0, digits=1):
    """Mean ± standard deviation of what there is."""
    values = [scale * value for value in values if value is not None]
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"


def paired(first, second):
    """Mean difference over the seeds that both have, with the 95 % interval of Student's t."""
    seeds = sorted(set(first) & set(second))
    values = [100 * (first[seed]["exact"]["exact"] - second[seed]["exact"]["exact"]) for seed in seeds]
    if len(values) < 2:
        return None
    quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]
    quantile = quantiles[min(len(values) - 2, len(quantiles) - 1)]
    half = quantile * statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values), half, len(values)


def row(label, runs):
    records = list(runs.values())
    return [
        label,
        str(len(records)),
        spread([record["exact"]["exact"] for record in records], 100),
        spread([record["after_stage1"]["accuracy"] for record in records], 100),
        spread([record["after_stage2"]["accuracy"] for record in records], 100),
        spread([record["after_stage2"]["distance"] for record in records], 1, 3),
        spread([record["after_stage2"]["tacs"] for record in records], 1, 3),
        spread([record["text_loss"][1] - record["text_loss"][0] for record in records], 1, 3),
    ]


COLUMNS = [
    "", "seeds", "exact, %", "aligned after stage 1, %", "aligned after stage 2, %", "D", "TACS",
    "text loss, change",
]  # fmt: skip


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    return lines + ["| " + " | ".join(cells) + " |" for cells in rows]


def report(experiment):
    options = experiment.options
    found = {}
    for path in sorted((experiment.out / "runs").glob("*/result.json")):
        record = json.loads(path.read_text())
        found.setdefault(record["run"], {})[record["seed"]] = record
    world = json.loads((experiment.base / "heldout/world.json").read_text())["baselines"]
    lines = [
        "# SEA against no SEA",
        "",
        "Written by `Tools/scripts/experiment.py` (`make experiment`) from the runs that are done; nothing here is typed in. Every run starts",
        f"from the same encoder, language model and labels, those of the demo model: {options.stage1} steps of stage 1 and {options.stage2} of stage 2, 32 pictures",
        "a step. A seed decides the adapter's start and the order of the data and is the same in every arm. ± is the standard deviation",
        "over seeds.",
        "",
        f"- exact: answers to {options.questions:,} held-out questions; always the most frequent answer gives {100 * world['majority_by_kind']:.1f} %, guessing by wording {100 * world['blind']:.1f} %.",
        f"- aligned: share of the visual tokens of {options.pictures} held-out pictures whose nearest word is one of those that the patch shows",
        "  (reference J.7); D: mean distance of a visual token to the nearest word (J.4); TACS: cosines with the caption's tokens (J.5), both",
        "  after stage 2. Words: `words.txt`, the world's among many others.",
        "- text loss, change: loss of held-out text after stage 2 less that before; positive: the language model has forgotten.",
        "",
        "## Three arms",
        "",
        *table(COLUMNS, [row(label, found[name]) for name, label, _ in ARMS if name in found]),
        "",
    ]
    for name, label, _ in ARMS[1:]:
        difference = paired(found.get("sea", {}), found.get(name, {}))
        if difference:
            mean, half, count = difference
            verdict = "" if abs(mean) > half else ": not distinguishable from none"
            lines.append(
                f"SEA less {label}: {mean:+.1f} ± {half:.1f} points (95 % of {count} pairs of runs with the same seed){verdict}."
            )
    kinds = [kind["kind"] for kind in world["kinds"]]
    arms = [(name, label) for name, label, _ in ARMS if name in found]
    if arms:
        lines += ["", "By question, exact in per cent:", ""]
        rows = []
        for kind in kinds:
            cells = [kind]
            for name, _ in arms:
                values = [record["exact"].get(f"exact {kind}") for record in found[name].values()]
                cells.append(spread(values, 100))
            baseline = next(entry for entry in world["kinds"] if entry["kind"] == kind)
            rows.append(cells + [f"{100 * baseline['majority']:.1f}", f"{100 * baseline['blind']:.1f}"])
        lines += table(["question", *[label for _, label in arms], "most frequent", "blind"], rows)
    rows = []
    for factor, name, label, _ in FACTORS:
        if name in found:
            rows.append([factor, *row(label, found[name])])
    if rows:
        lines += ["", "## One factor at a time", "", *table(["factor", "run", *COLUMNS[1:]], rows)]
    seconds = [record["seconds"] for runs in found.values() for record in runs.values()]
    if seconds:
        lines += [
            "",
            f"{len(seconds)} runs, {sum(seconds) / 3600:.1f} hours on two cores; one run {statistics.median(seconds) / 60:.1f} minutes.",
        ]
    pathlib.Path(options.report).write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=str(ROOT / ".build/demo-model"), help="work folder of demo_model.sh")
    parser.add_argument("--out", default=str(ROOT / ".build/experiment"))
    parser.add_argument("--report", default=str(ROOT / "Documentation/Experiment.md"))
    parser.add_argument("--seeds", type=int, default=5, help="of the three arms")
    parser.add_argument("--factor-seeds", type=int, default=1, help="of the other runs")
    parser.add_argument("--stage1", type=int, default=200, help="steps")
    parser.add_argument("--stage2", type=int, default=400, help="steps")
    parser.add_argument("--small-steps", type=int, default=1500, help="steps of the small language model")
    parser.add_argument("--sequences", type=int, default=8, help="sequences of a pass")
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=0, help="start no run after this time")
    parser.add_argument("--only", action="append", help="names of runs")
    parser.add_argument("--report-only", action="store_true")
    options = parser.parse_args()
    experiment = Experiment(options)
    missing = [
        name
        for name in ("train/world.json", "heldout/world.json", "encoder/model", "language/model", "train.labels")
        if not (experiment.base / name).exists()
    ]
    if missing and not options.report_only:
        sys.exit(f"{experiment.base}: no {', '.join(missing)}; make demo-model makes them")
    if not options.report_only:
        experiment.perform_all()
    report(experiment)


if __name__ == "__main__":
    main()
