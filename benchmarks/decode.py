"""Greedy decoding of 2,000 strings of 10 letters, after compilation: seconds of several rounds.

python benchmarks/decode.py [--rounds 7] [--units 128]
"""

import argparse
import random
import statistics
import string
import time

from seq2seq.engine import quiet_engine


def main() -> None:
    """Decode the same strings again and again with an untrained model, and print the times.

    The model is told to go on to the tenth symbol at least: a model that stops at once would
    flatter the figure.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--units", type=int, default=128)
    options = parser.parse_args()
    quiet_engine()

    from seq2seq import Decoder, Encoder, Predictor, Seq2Seq, Vocabulary
    from seq2seq.evaluation.predictor import Decoding

    letters = Vocabulary(string.ascii_lowercase)
    size = {"vocabulary_size": len(letters), "embedding_size": 32}
    model = Seq2Seq(Encoder(options.units, **size), Decoder(options.units, **size))
    bias = model.decoder.say.logits.bias
    bias.assign([-100.0] * 4 + [0.0] * 26)  # never an end: every string runs to the limit
    settings = {"longest_source": 11, "longest_target": 11, "target_length": None}
    predictor = Predictor(model, letters, letters, Decoding(max_length=11), settings)
    rng = random.Random(0)
    sources = ["".join(rng.choices(string.ascii_lowercase, k=10)) for _ in range(2000)]
    begun = time.perf_counter()
    answers = predictor.predict(sources)
    first = time.perf_counter() - begun
    seconds = []
    for _ in range(options.rounds):
        begun = time.perf_counter()
        answers = predictor.predict(sources)
        seconds.append(time.perf_counter() - begun)
    steps = sum(map(len, answers))
    print(f"first call, with compilation: {first:.2f} s")
    print(
        f"after it, {options.rounds} rounds: median {statistics.median(seconds):.3f} s, "
        f"from {min(seconds):.3f} to {max(seconds):.3f} s; {steps:,} tokens said"
    )


if __name__ == "__main__":
    main()
