"""Mutation test: one-line faults over all rooms of the package, each killed by the default tests.

    python tests/mutants.py [NAME ...]

Copies the tracked files to a temporary directory, applies a fault at a time, and runs the tests
that should fail. A fault counts as killed when an assertion fails which holds without it; a test
that merely crashes proves nothing. The exit status is 1 if any fault is not killed. Each takes
about twenty seconds; names select some of them.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ASSERTION = re.compile(r"assert |AssertionError|Failed: DID NOT RAISE")


class Mutant(NamedTuple):
    """A fault of the package.

    Attributes:
        name: on the command line and in the table.
        file: below `seq2seq/`.
        old, new: the code, which occurs once in the file, and its replacement.
        tests: file of tests that kills it; None: the one that mirrors `file`.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str | None = None

    @property
    def killer(self) -> str:
        """Path of the file of tests."""
        path = Path(self.file)
        return self.tests or f"tests/{path.parent}/test_{path.name}"


NUMPY_RUNTIME = "tests/runtime/test_predictor.py"
# fmt: off
MUTANTS = (
    Mutant("numpy-gate-order", "runtime/recurrent.py",
           "(0, 1, 3, 2), 3, 2  # stored", "(0, 3, 1, 2), 3, 2  # stored", NUMPY_RUNTIME),
    Mutant("numpy-beam-bound", "runtime/search.py",
           "self.scores[0] / self.beam.penalty(self.limit)",
           "self.scores[0] / self.beam.penalty(self.steps)"),
    Mutant("unknown-policy-ignored", "runtime/vocabulary.py",
           'unknown == "error" and UNKNOWN in numbers',
           'unknown == "never" and UNKNOWN in numbers'),
    Mutant("manifest-not-verified", "runtime/manifest.py",
           "expected is not None and expected != checksum(content)",
           "expected is not None and not expected"),
    Mutant("batch-order-without-seed", "data/batching.py",
           "np.random.default_rng((self.seed, epoch)), len",
           "np.random.default_rng((0, epoch)), len"),
    Mutant("batch-order-without-epoch", "data/batching.py",
           "np.random.default_rng((self.seed, epoch)), len",
           "np.random.default_rng((self.seed, 0)), len"),
    Mutant("split-without-seed", "data/task.py",
           'f"{seed}:{key}".encode()', 'f"0:{key}".encode()'),
    Mutant("stream-without-seed", "data/generated_task.py",
           'f"{self.seed}/train"', '"0/train"'),
    Mutant("last-line-without-end-lost", "data/files.py",
           "            yield number, _decode(name, number, raw)",
           '            if raw.endswith(b"\\n"): yield number, _decode(name, number, raw)'),
    Mutant("lstm-gate-order", "layers/lstm.py",
           "    i, f, g, o = ops.split(gates, 4", "    i, f, o, g = ops.split(gates, 4"),
    Mutant("lstm-without-forgetting", "layers/lstm.py",
           "cell = f * state.cell + i * g", "cell = state.cell + i * g"),
    Mutant("lstm-recurrent-gradient-zero", "layers/kernels.py",
           "        ops.matmul(ops.transpose(previous), d_gates),",
           "        0 * ops.matmul(ops.transpose(previous), d_gates),"),
    Mutant("gru-masked-gradient-stopped", "layers/kernels.py",
           "z = ops.where(is_real > 0, z, ops.ones_like(z))",
           "z = ops.where(is_real > 0, z, ops.zeros_like(z))"),
    Mutant("second-layer-without-mask", "layers/stack.py",
           "run(number, layer_inputs, initial_state, mask, masks.recurrent)",
           "run(number, layer_inputs, initial_state, None if number else mask, masks.recurrent)"),
    Mutant("backward-outputs-misaligned", "layers/stack.py",
           "[outputs, reverse(backward_outputs, mask)]",
           "[outputs, reverse(backward_outputs, None)]"),
    Mutant("softmax-over-padding", "layers/attention.py",
           "scores = ops.where(mask, scores, -1e9)", "scores = ops.where(mask, scores, scores)"),
    Mutant("scaled-attention-unscaled", "layers/attention.py",
           "super().score(query * self.query_size**-0.5,", "super().score(query,"),
    Mutant("coverage-loss-negative", "layers/attention.py",
           "repeated = ops.sum(ops.minimum(weights", "repeated = -ops.sum(ops.minimum(weights"),
    Mutant("bridge-drops-cell", "layers/bridges.py",
           '"""Return the same state."""\n        return state',
           '"""Return the same state."""\n        return tuple('
           "type(s)(s[0], *[0 * part for part in s[1:]]) for s in state)"),
    Mutant("beam-without-length-penalty", "decoding/beam.py",
           "scores = new.scores / self._length_penalty(info.index + 1)", "scores = new.scores"),
    Mutant("beam-ends-too-early", "decoding/beam.py",
           "is_beaten = best / self._length_penalty(info.limits) <= worst",
           "is_beaten = best / self._length_penalty(info.limits) >= worst"),
    Mutant("beam-bound-too-low", "decoding/beam.py",
           "is_beaten = best / self._length_penalty(info.limits)",
           "is_beaten = best / self._length_penalty(info.index + 1)"),
    Mutant("diversity-of-last-group-only", "decoding/diverse_beam.py",
           "penalty = group_penalty if penalty is None else penalty + group_penalty",
           "penalty = group_penalty"),
    Mutant("state-not-reordered", "decoding/search.py",
           "state, constraint_states = _reorder(parents, (output.state, constraint_states))",
           "state, constraint_states = output.state, _reorder(parents, constraint_states)"),
    Mutant("finished-not-frozen", "decoding/search.py",
           "live = select(state.done, state.live, append_token(state.live, tokens, scores, info))",
           "live = append_token(state.live, tokens, scores, info)"),
    Mutant("no-repeat-disabled", "decoding/constraints.py",
           "ops.logical_or(ops.logical_not(is_repeated), _is_end", "ops.logical_or(True, _is_end"),
    Mutant("prefix-disabled", "decoding/constraints.py",
           "is_over = (index >= lengths)[:, None]", "is_over = (index >= 0 * lengths)[:, None]"),
    Mutant("minimum-length-disabled", "decoding/constraints.py",
           "ops.where(is_end, ops.logical_not(is_short),", "ops.where(is_end, True,"),
    Mutant("temperature-ignored", "decoding/sample.py",
           "ops.where(is_allowed, log_probs / self.temperature,",
           "ops.where(is_allowed, log_probs,"),
    Mutant("sample-without-seed", "decoding/sample.py",
           '(ops.cast(seed, "uint32") + np.uint32(1))',
           '(0 * ops.cast(seed, "uint32") + np.uint32(1))'),
    Mutant("input-feeding-dropped", "models/decoder.py",
           "inputs.append(state.attentional[:, None])",
           "inputs.append(0 * state.attentional[:, None])"),
    Mutant("coverage-not-accumulated", "models/decoder.py",
           "else state.coverage + weights[:, 0]", "else weights[:, 0]"),
    Mutant("scheduled-sampling-inverted", "models/scheduled_sampling.py",
           "ops.where(is_forced, inputs, predicted)", "ops.where(is_forced, predicted, inputs)"),
    Mutant("source-not-read-backwards", "models/encoder.py",
           "reverse(inputs, mask) if self.backwards else inputs,", "inputs,"),
    Mutant("ensemble-mean-always-geometric", "models/ensemble.py",
           'if self.mean == "log_probabilities":', "if self.mean:"),
    Mutant("shards-weighted-equally", "models/train_step.py",
           "model, total = self.model, normalizer(self.loss, targets, weights)",
           "model, total = self.model, tf.constant(1.0)"),
    Mutant("shards-share-dropout", "models/train_step.py",
           "return value + tf.constant(", "return value + 0 * tf.constant("),
    Mutant("answers-in-order-of-length", "inference/predictor.py",
           "zip(rows, self._read(hypotheses, batch, plan), strict=False)",
           "zip(sorted(rows), self._read(hypotheses, batch, plan), strict=False)"),
    Mutant("shuffled-states-not-shuffled", "inference/states.py",
           "take(state, derange(_batch_size(state), seed)), part)",
           "take(state, np.arange(_batch_size(state))), part)"),
    Mutant("right-start-counts-as-exact", "evaluation/metrics.py",
           'error = "too_short" if len(prediction) < len(nearest) else "too_long"',
           'error = "too_short" if len(prediction) < len(nearest) else ""'),
    Mutant("accuracy-over-shorter-text", "evaluation/metrics.py",
           "positions=max(len(prediction), len(nearest))",
           "positions=min(len(prediction), len(nearest))"),
    Mutant("first-reference-only", "evaluation/metrics.py",
           "reference) for reference in references),",
           "reference) for reference in references[:1]),"),
    Mutant("wilson-half-width-wrong", "evaluation/statistics.py",
           "Z_95**2 / (4 * n * n)", "Z_95**2 / (4 * n)"),
    Mutant("t-quantile-of-wrong-freedom", "evaluation/statistics.py",
           "t_quantile(count - 1) * self.std", "t_quantile(count) * self.std"),
    Mutant("bleu-without-brevity-penalty", "evaluation/bleu.py",
           "penalty = min(0.0, 1 - reference_length / length)", "penalty = 0.0"),
    Mutant("checkpoint-not-verified", "runs/checkpoints.py",
           "actual != expected or array.digest() != checksum:", "actual != expected:"),
    Mutant("lock-not-taken", "runs/lock.py",
           "is_ours = lock_descriptor(handle, blocking=False)", "is_ours = True"),
    Mutant("foreign-target-accepted", "runs/safe_instantiate.py",
           "and _stands_in(cls.__module__, (*TRUSTED_MODULES, *KERAS_HOMES)):", ":"),
    Mutant("selects-largest-error", "runs/selection.py",
           'sign = 1 if find_direction(metric) == "max" else -1', "sign = 1"),
    Mutant("label-smoothing-dropped", "training/losses.py",
           "- self.label_smoothing * uniform_loss", "- 0 * uniform_loss"),
    Mutant("loss-counts-padding", "training/losses.py",
           'from_logits=True, reduction="mean_with_sample_weight"',
           'from_logits=True, reduction="sum_over_batch_size"'),
    Mutant("forcing-independent-of-step", "training/teacher_forcing.py",
           "rng = np.random.default_rng((seed, step, 1))\n        return rng.random(shape)",
           "rng = np.random.default_rng((seed, 1))\n        return rng.random(shape)"),
    Mutant("checkpoint-without-optimizer", "training/checkpoint_writer.py",
           '"optimizer": model.optimizer.variables,', '"optimizer": [],'),
    Mutant("worst-model-saved", "training/validation.py",
           "signed >= self.best:", "signed <= self.best:"),
    Mutant("ablates-the-other-part", "analysis/ablation.py",
           '"hidden only", lambda state: only(state, StateSlice("hidden"))',
           '"hidden only", lambda state: only(state, StateSlice("cell"))'),
    Mutant("shuffled-ablation-changes-nothing", "analysis/ablation.py",
           "lambda state: shuffle(state, seed)", "lambda state: state"),
    Mutant("probe-control-not-shuffled", "analysis/probing.py",
           "shuffled = states[0][derange(len(states[0]), seed)]", "shuffled = states[0]"),
    Mutant("exported-step-keeps-state", "export/signatures.py",
           "**name_state(output.state, NEXT)}", "**name_state(state, NEXT)}",
           "tests/export/test_formats.py"),
    Mutant("exported-loop-without-mask", "export/signatures.py",
           "[ops.where(is_real, new, old) for new", "[ops.where(is_real, new, new) for new",
           "tests/export/test_formats.py"),
    Mutant("decay-steps-ignored", "config.py",
           '"decay_steps": decay_steps})', '"decay_steps": steps})', "tests/test_config.py"),
    Mutant("weights-without-seed", "training_from_config.py",
           'keras.utils.set_random_seed(config["seed"])', "keras.utils.set_random_seed(0)",
           "tests/test_config.py"),
    Mutant("last-lines-not-answered", "cli/line_batches.py",
           "    if chunk:\n        yield chunk", "    if len(chunk) == size:\n        yield chunk"),
    Mutant("bad-line-numbered-by-batch", "cli/predict.py",
           'f"line {done + number}: {why}"', 'f"line {number}: {why}"'),
    Mutant("regularizers-left-out", "models/train_step.py",
           "sum(model.losses)", "sum(scope.losses)", "tests/models/test_keras_user.py"),
    Mutant("fine-tuned-by-position", "training/fine_tuning.py",
           "np.moveaxis(values, axis, 0)[old]", "np.moveaxis(values, axis, 0)[sorted(old)]"),
    Mutant("nothing-frozen", "training/fine_tuning.py",
           "parts[name].trainable = False", "parts[name].trainable = True"),
)
# fmt: on


def copy_tree(folder: Path) -> None:
    """Copy the tracked files of the checkout to `folder`."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listing.stdout.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)


def run_tests(folder: Path, *tests: str) -> subprocess.CompletedProcess:
    """Run tests of the copy in `folder`, the default selection, up to the first that fails."""
    # Without bytecode: a fault and its removal may fall into one second, and have one size.
    environment = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "1000"}
    # The same examples of hypothesis every time, without a deadline that a busy machine misses.
    options = ["-q", "-x", "-n0", "-rfE", "-p", "no:cacheprovider", "--hypothesis-profile=ci"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def find_killer(folder: Path, mutant: Mutant) -> tuple[str | None, str]:
    """Apply a fault, run its tests, and remove it: the test that fails (or None), and the result.

    Raises:
        ValueError: the code does not occur once in its file.
    """
    path = folder / "seq2seq" / mutant.file
    original = path.read_text("utf-8")
    if original.count(mutant.old) != 1:
        count = original.count(mutant.old)
        raise ValueError(f"{mutant.name}: occurs {count} times in {mutant.file}: {mutant.old}")
    path.write_text(original.replace(mutant.old, mutant.new), "utf-8")
    outcome = run_tests(folder, mutant.killer)
    path.write_text(original, "utf-8")
    failure = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - (.*))?$", outcome.stdout, re.MULTILINE)
    if outcome.returncode == 0:
        return None, "SURVIVED"
    if outcome.returncode != 1 or failure is None:
        output = outcome.stdout + outcome.stderr
        return None, f"NOT RUN: pytest exits with {outcome.returncode}\n{output}"
    if not ASSERTION.match(failure[2] or ""):
        return None, f"CRASHED {failure[0]}"
    return failure[1], f"killed by {failure[1]}"


def main() -> int:
    """Print a line for each fault; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults to try (default: all)")
    names = parser.parse_args().names
    by_name = {mutant.name: mutant for mutant in MUTANTS}
    if unknown := set(names) - set(by_name):
        parser.error(f"unknown {', '.join(sorted(unknown))}; there are: {', '.join(by_name)}")
    killers, survivors = [], 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        copy_tree(folder)
        for mutant in [by_name[name] for name in names] or MUTANTS:
            start = time.perf_counter()
            killer, result = find_killer(folder, mutant)
            seconds = time.perf_counter() - start
            print(f"{mutant.name:36}{mutant.file:32}{seconds:5.0f} s  {result}", flush=True)
            survivors += killer is None
            killers += [killer] if killer else []
        outcome = run_tests(folder, *killers) if killers else None
    if outcome and outcome.returncode:
        print(f"tests that fail without a fault, too:\n{outcome.stdout}")
    print(f"{len(killers)} killed, {survivors} not")
    return int(survivors > 0 or bool(outcome and outcome.returncode))


if __name__ == "__main__":
    sys.exit(main())
