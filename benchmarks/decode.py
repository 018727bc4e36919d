"""Decoding against the other ways to do it: microseconds a step, and ratios inside one run.

python benchmarks/decode.py [--rounds 7] [--units 256] [--steps 32]

An LSTM encoder reads 32 tokens and an LSTM decoder outputs 32 (256 units, embeddings of 64, 64
symbols, untrained; the end is never output); the encoder's time is included. Contenders take turns
in each round. PyTorch (`pip install torch==2.13.0` is a CPU build on some indexes) and onnxruntime
take part where they are installed.
"""

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from seq2seq.runtime.quiet import quiet_engine

SYMBOLS, EMBEDDING = 64, 64


def make_predictor(units: int, steps: int):
    """An untrained model that outputs anything but the end."""
    from seq2seq import Decoder, Decoding, Encoder, Predictor, Seq2Seq, Vocabulary

    letters = Vocabulary([chr(0x4E00 + number) for number in range(SYMBOLS - 4)])
    size = {"vocabulary_size": SYMBOLS, "embedding_size": EMBEDDING}
    model = Seq2Seq(Encoder(units, **size), Decoder(units, **size))
    model.decoder.readout.logits.bias.assign([-100.0] * 4 + [0.0] * (SYMBOLS - 4))
    settings = {"longest_source": steps, "longest_target": steps, "target_length": None}
    return Predictor(model, letters, letters, Decoding(max_length=steps), settings)


def ours(predictor, source: np.ndarray, steps: int, strategy) -> Callable:
    """The compiled search."""

    def run():
        result = predictor.model.decode(source, strategy=strategy, max_length=steps)
        if (result.lengths != steps).any():
            raise SystemExit("a target ended early: the figures would flatter")

    for _ in range(60):  # as in any long use: after 50 calls of one shape XLA takes over
        run()
    return run


def numpy_runtime(predictor, source: np.ndarray, steps: int) -> Callable:
    """The file that needs NumPy alone."""
    from seq2seq.runtime import predictor as runtime

    with tempfile.TemporaryDirectory() as folder:
        predictor.save(Path(folder) / "model.npz")
        loaded = runtime.load(Path(folder) / "model.npz")
    texts = [predictor.source.decode(row) for row in source]
    return lambda: loaded.predict(texts)


def keras_tutorial(units: int, source: np.ndarray, steps: int) -> Callable:
    """The character-level tutorial's loop: `model.predict` for each token; 4 steps of it."""
    import keras

    tokens = keras.Input((None,), dtype="int32")
    embed = keras.layers.Embedding(SYMBOLS, EMBEDDING)
    _, *state = keras.layers.LSTM(units, return_state=True)(embed(tokens))
    encoder = keras.Model(tokens, state)
    previous, hidden, cell = (
        keras.Input((1,), dtype="int32"),
        keras.Input((units,)),
        keras.Input((units,)),
    )
    outputs, *next_state = keras.layers.LSTM(units, return_sequences=True, return_state=True)(
        keras.layers.Embedding(SYMBOLS, EMBEDDING)(previous), initial_state=[hidden, cell]
    )
    decoder = keras.Model(
        [previous, hidden, cell], [keras.layers.Dense(SYMBOLS, "softmax")(outputs), *next_state]
    )

    def run():
        state = encoder.predict(source, verbose=0)
        token = np.ones((len(source), 1), "int32")
        for _ in range(4):
            probabilities, *state = decoder.predict([token, *state], verbose=0)
            token = probabilities.argmax(-1)

    run()
    return run


def pytorch(units: int, source: np.ndarray, steps: int) -> Callable:
    """An eager loop over `nn.LSTMCell`, after `nn.LSTM` for the source."""
    import torch
    from torch import nn

    embed, encoder = nn.Embedding(SYMBOLS, EMBEDDING), nn.LSTM(EMBEDDING, units, batch_first=True)
    target_embed, cell = nn.Embedding(SYMBOLS, EMBEDDING), nn.LSTMCell(EMBEDDING, units)
    readout, tokens = nn.Linear(units, SYMBOLS), torch.tensor(source, dtype=torch.long)

    @torch.inference_mode()
    def run():
        _, (hidden, cell_state) = encoder(embed(tokens))
        state, token = (hidden[0], cell_state[0]), torch.ones(len(source), dtype=torch.long)
        total, symbols = torch.zeros(len(source)), []
        for _ in range(steps):
            state = cell(target_embed(token), state)
            best, token = torch.log_softmax(readout(state[0]), -1).max(-1)
            total += best
            symbols.append(token)
        return torch.stack(symbols)

    run()
    return run


def onnx(predictor, source: np.ndarray, steps: int) -> Callable:
    """The exported graphs under onnxruntime, a step at a time."""
    import onnxruntime

    from seq2seq.export.graphs import export_graphs

    with tempfile.TemporaryDirectory() as folder:
        export_graphs(predictor, "onnx", Path(folder) / "model")
        encoder, decoder = (
            onnxruntime.InferenceSession(Path(folder) / "model" / f"{name}.onnx")
            for name in ("encoder", "step")
        )
    input_names = [node.name for node in decoder.get_inputs()]

    def run():
        names = [node.name for node in encoder.get_outputs()]
        feed = {"source": source, "source_mask": np.ones(source.shape, "bool")}
        known = dict(zip(names, encoder.run(None, feed), strict=True))
        known["tokens"] = np.ones(len(source), "int32")
        names = [node.name for node in decoder.get_outputs()]
        for _ in range(steps):
            output = dict(
                zip(
                    names,
                    decoder.run(None, {name: known[name] for name in input_names}),
                    strict=True,
                )
            )
            known["tokens"] = output["logits"].argmax(-1).astype("int32")
            known |= {
                n.removeprefix("next_"): v for n, v in output.items() if n.startswith("next_")
            }

    run()
    return run


def compare(options: argparse.Namespace, batch: int) -> None:
    """One table: all contenders at one batch size."""
    from seq2seq import Beam, Greedy

    predictor = make_predictor(options.units, options.steps)
    rng = np.random.default_rng(0)
    source = rng.integers(4, SYMBOLS, (batch, options.steps)).astype("int32")
    source[:, -1] = 2
    arguments = (source, options.steps)
    contenders = {
        "greedy": ours(predictor, *arguments, Greedy()),
        "beam of 5": ours(predictor, *arguments, Beam(5)),
        "NumPy runtime, greedy": numpy_runtime(predictor, *arguments),
        "Keras tutorial's loop": keras_tutorial(options.units, *arguments),
    }
    if importlib.util.find_spec("torch"):
        contenders["PyTorch, eager loop"] = pytorch(options.units, *arguments)
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("tf2onnx"):
        contenders["onnxruntime, step graph"] = onnx(predictor, *arguments)
    seconds = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, run in contenders.items():
            repeat = 1 if name.startswith("Keras") else 10
            time.sleep(0.5)  # until the threads of the one before have stopped spinning
            run()
            begun = time.perf_counter()
            for _ in range(repeat):
                run()
            took = (time.perf_counter() - begun) / repeat
            seconds[name].append(took / (4 / options.steps if name.startswith("Keras") else 1))
    print(f"\nbatch {batch}: microseconds a step (median of {options.rounds}, least-most)")
    ours_took = statistics.median(seconds["greedy"])
    for name, took in seconds.items():
        each = [1e6 * duration / options.steps for duration in took]
        ratio = statistics.median(took) / ours_took
        print(
            f"{name:26}{statistics.median(each):10,.0f}  ({min(each):,.0f}-{max(each):,.0f})"
            f"  {ratio:8.2f} times greedy"
        )


def main() -> None:
    """Both batch sizes, and how long the first answer takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--steps", type=int, default=32)
    options = parser.parse_args()
    quiet_engine()
    predictor = make_predictor(options.units, options.steps)
    begun = time.perf_counter()
    predictor.predict([predictor.source.symbols[5] * 10])
    print(f"first answer of a process, with tracing: {time.perf_counter() - begun:.2f} s")
    for batch in (1, 64):
        compare(options, batch)


if __name__ == "__main__":
    main()
