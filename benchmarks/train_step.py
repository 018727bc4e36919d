"""A training step against stock Keras, PyTorch and the machine's own matrix product.

    python benchmarks/train_step.py [--rounds 5] [--shape 64,32,64,256,1]
    python benchmarks/train_step.py --scaling

Encoder and decoder LSTM, embeddings, softmax over 64 symbols, Adam: milliseconds an update. Each
contender is a process of its own; they take turns in rounds, each for a second at a time, so that
what else the machine does hits all alike. All start from equal weights and see the same batch; the
losses of the first updates are compared. PyTorch (CPU) takes part where it is installed.
With `--scaling`: how the cost grows with length and batch, and what attention and dropout add.
"""

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

SHAPES = [  # batch, time, embedding, units, layers
    *((32, 16, 32, 64, 1), (128, 16, 32, 128, 1), (64, 32, 64, 256, 1), (64, 32, 64, 256, 2)),
    *((64, 32, 256, 512, 1), (1, 16, 200, 200, 2)),
]
SCALING = [  # ours only
    *((16, time_, 32, 128, 1) for time_ in (8, 64, 512)),
    *((batch, 16, 32, 128, 1) for batch in (1, 64, 512)),
]
SYMBOLS, RATE = 64, 1e-3


def draw(shape: tuple) -> tuple[dict, list[np.ndarray]]:
    """Weights of both sides by name, and a batch: source, target in, target out."""
    batch, time_, embedding, units, layers = shape
    rng = np.random.default_rng(0)

    def normal(*size):
        return (rng.normal(size=size) * 0.08).astype("float32")

    weights = {}
    for side in ("encoder", "decoder"):
        weights[f"{side}_embedding"] = normal(SYMBOLS, embedding)
        for layer in range(layers):
            size = units if layer else embedding
            weights[f"{side}_{layer}"] = [
                normal(size, 4 * units), normal(units, 4 * units), np.zeros(4 * units, "float32")
            ]  # fmt: skip
    weights["logits"] = [normal(units, SYMBOLS), np.zeros(SYMBOLS, "float32")]
    return weights, [rng.integers(4, SYMBOLS, (batch, time_)).astype("int32") for _ in range(3)]


def ours(shape: tuple, stock: bool = False, attention: str | None = None, dropout: float = 0.0):
    """This package's model as its trainer updates it, or with Keras's own layer and step."""
    import keras
    import tensorflow as tf

    from seq2seq import Additive, Cell, Decoder, Dot, Encoder, Seq2Seq, cross_entropy
    from seq2seq.layers.recurrent import LSTM
    from seq2seq.models import train_step

    batch, time_, embedding, units, layers = shape
    cell = Cell(dropout=dropout, variational=False)  # masks differ from step to step
    size = {"vocabulary_size": SYMBOLS, "embedding_size": embedding, "cell": cell}
    attention_layer = {None: None, "dot": Dot(), "additive": Additive(units)}[attention]
    decoder = Decoder(units, layers, attention=attention_layer, **size)
    model = Seq2Seq(Encoder(units, layers, **size), decoder)
    weights, (source, target_in, target_out) = draw(shape)
    for side in ("encoder", "decoder"):
        part = getattr(model, side)
        part.input_embedding.embedding.embeddings.assign(weights[f"{side}_embedding"])
        for number, layer in enumerate(part.stack.recurrent if attention is None else ()):
            layer.set_weights(weights[f"{side}_{number}"])
    if attention is None:
        model.decoder.readout.logits.set_weights(weights["logits"])
    model.compile(keras.optimizers.Adam(RATE, epsilon=1e-12), cross_entropy(), jit_compile=False)
    if stock:
        LSTM.inner_loop = keras.layers.LSTM.inner_loop
        keras.Model.make_train_function(model)
    else:
        train_step.COMPILE_AFTER = 0  # compiled from the first update on
        model.make_train_function()
    inputs = {"source": source, "source_mask": np.ones(source.shape, "bool"), "target": target_in}
    sample_weight = tf.constant(np.ones(source.shape, "float32"))
    data = tf.data.Dataset.from_tensors((inputs, target_out, sample_weight)).repeat()
    iterator = iter(data.prefetch(2))

    def step():
        if float(model.optimizer.iterations) < 5:  # Keras reports running means
            model.reset_metrics()
        return float(model.train_function(iterator)["loss"])

    return step


def pytorch(shape: tuple):
    """`nn.LSTM` on both sides."""
    import torch
    from torch import nn

    batch, time_, embedding, units, layers = shape
    weights, arrays = draw(shape)
    source, target_in, target_out = (torch.tensor(array, dtype=torch.long) for array in arrays)
    embeds, lstms = [], []
    for side in ("encoder", "decoder"):
        embed, lstm = nn.Embedding(SYMBOLS, embedding), nn.LSTM(embedding, units, layers)
        with torch.no_grad():
            embed.weight.copy_(torch.tensor(weights[f"{side}_embedding"]))
            for number in range(layers):
                kernel, recurrent, bias = map(torch.tensor, weights[f"{side}_{number}"])
                getattr(lstm, f"weight_ih_l{number}").copy_(kernel.T)
                getattr(lstm, f"weight_hh_l{number}").copy_(recurrent.T)
                getattr(lstm, f"bias_ih_l{number}").copy_(bias)
                getattr(lstm, f"bias_hh_l{number}").zero_().requires_grad_(False)  # one bias
        embeds.append(embed)
        lstms.append(lstm)
    readout = nn.Linear(units, SYMBOLS)
    with torch.no_grad():
        readout.weight.copy_(torch.tensor(weights["logits"][0]).T)
        readout.bias.zero_()
    parameters = [
        p for part in (*embeds, *lstms, readout) for p in part.parameters() if p.requires_grad
    ]
    optimizer = torch.optim.Adam(parameters, RATE, eps=1e-12)

    def step():
        optimizer.zero_grad()
        _, state = lstms[0](embeds[0](source.T))
        outputs, _ = lstms[1](embeds[1](target_in.T), state)
        loss = nn.functional.cross_entropy(readout(outputs).flatten(0, 1), target_out.T.flatten())
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def product(shape: tuple):
    """The matrix products that a step needs, all of one size that this machine does well."""
    import tensorflow as tf

    batch, time_, embedding, units, layers = shape
    flops = 0
    for layer in range(layers):
        size = units if layer else embedding
        flops += 2 * 3 * 2 * batch * time_ * 4 * units * (size + units)  # sides, passes, 2 each
    flops += 3 * 2 * batch * time_ * units * SYMBOLS
    side = 1024
    left, right = tf.random.normal((side, side)), tf.random.normal((side, side))

    def step():
        tf.matmul(left, right).numpy()
        return 0.0

    step.fraction = flops / (2 * side**3)
    return step


MAKERS = {
    "ours": ours,
    "stock Keras": lambda shape: ours(shape, stock=True),
    "PyTorch": pytorch,
    "matrix products alone": product,
}
EXTRA = {
    "ours, dot attention": lambda shape: ours(shape, attention="dot"),
    "ours, additive attention": lambda shape: ours(shape, attention="additive"),
    "ours, dropout": lambda shape: ours(shape, dropout=0.5),
}


def serve(name: str, shape: tuple) -> None:
    """One contender: reads a line, runs for a second, answers with milliseconds an update."""
    begun = time.perf_counter()
    step = {**MAKERS, **EXTRA}[name](shape)
    losses = [step()]
    first = time.perf_counter() - begun
    losses += [step() for _ in range(4)]
    fraction = step.fraction if name.startswith("matrix") else 1.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # MiB on Linux
    print(json.dumps({"losses": losses, "first": first, "peak": peak}), flush=True)
    for _ in sys.stdin:
        step()
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < 1 or count < 3:
            step()
            count += 1
        print(json.dumps(1000 * fraction * (time.perf_counter() - begun) / count), flush=True)


def compare(shape: tuple, rounds: int, names: list[str]) -> None:
    """A line of the table for each contender."""
    names = [n for n in names if n != "PyTorch" or importlib.util.find_spec("torch")]
    processes, reports = {}, {}
    for name in names:
        command = [sys.executable, __file__, "--serve", name, "--shape", ",".join(map(str, shape))]
        processes[name] = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        reports[name] = json.loads(processes[name].stdout.readline())
    took = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            processes[name].stdin.write("go\n")
            processes[name].stdin.flush()
            took[name].append(json.loads(processes[name].stdout.readline()))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    medians = {name: statistics.median(each) for name, each in took.items()}
    words = ("batch", "time", "embedding", "units", "layers")
    print("\n" + ", ".join(f"{word} {n}" for word, n in zip(words, shape, strict=True)))
    for name in names:
        ratios = [
            f"{medians[name] / medians[reference]:.2f} x {reference}"
            for reference in ("PyTorch", "stock Keras")
            if name.startswith("ours") and reference in medians
        ]
        print(
            f"  {name:22}{medians[name]:9.2f} ms ({min(took[name]):.2f}-{max(took[name]):.2f})  "
            f"first step after {reports[name]['first']:.1f} s, {reports[name]['peak']} MiB  "
            f"{', '.join(ratios)}"
        )
    losses = {n: reports[n]["losses"] for n in names if reports[n]["losses"][0] and n in MAKERS}
    if len(losses) < 2:
        return
    first, fifth = (np.ptp([each[k] for each in losses.values()]) for k in (0, 4))
    print(
        f"  losses differ by {first:.1e} at the first update, {fifth:.1e} at the fifth", flush=True
    )


def main() -> None:
    """All shapes, or one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", help="batch,time,embedding,units,layers; default: all six")
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    shapes = [tuple(map(int, options.shape.split(",")))] if options.shape else SHAPES
    if options.serve:
        serve(options.serve, shapes[0])
        return
    if options.scaling:
        for shape in SCALING:
            compare(shape, options.rounds, ["ours"])
        compare((64, 32, 64, 256, 1), options.rounds, ["ours", *EXTRA])
        compare((1, 16, 200, 200, 2), options.rounds, ["ours", "ours, dropout"])
        return
    for shape in shapes:
        compare(shape, options.rounds, [*MAKERS])


if __name__ == "__main__":
    main()
