"""The verb `export`: a trained model for use elsewhere, as a file or a folder of graphs."""

import argparse
from pathlib import Path
from typing import Any

from seq2seq.cli.run_argument import RUN_HELP, load_run, predictions_of
from seq2seq.runtime.progress import progress


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "export",
        help="write a trained model for use elsewhere",
        description="numpy: a file, and beside it numpy_runtime.py, which runs it with NumPy only "
        "and can be copied anywhere; onnx, litert, saved_model: a folder of graphs and a header.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument(
        "--format", choices=("numpy", "onnx", "litert", "saved_model"), default="numpy"
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", required=True, help="a file (numpy) or a new folder"
    )
    parser.add_argument(
        "--weights",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="of numpy: dtype of the weights; the effect on the test examples is printed",
    )


def run(options: argparse.Namespace) -> None:
    """`seq2seq export`: a file or a folder, and the effect of smaller weights."""
    predictor = load_run(options.run)
    output = Path(options.output).expanduser()
    if options.format != "numpy":
        from seq2seq.export.graphs import export_graphs

        if options.weights != "float32":
            raise ValueError(
                f"--weights {options.weights} is for --format numpy; the graphs of "
                f"{options.format} hold float32"
            )
        with progress(f"exporting to {options.format}"):
            export_graphs(predictor, options.format, output)
        print(f"written to {output}: {', '.join(sorted(p.name for p in output.iterdir()))}")
        return
    if not output.parent.is_dir() or output.is_dir():
        raise ValueError(f"--output {output} must name a file in a folder that is there")
    from seq2seq.export.bundle import write_bundle

    predictor.save(output, options.weights)
    bundle = write_bundle(output.parent)
    print(f"written to {output}: {output.stat().st_size:,} bytes, and {bundle}")
    if options.weights != "float32" and predictions_of(options.run).is_file():
        report_quantization_cost(predictor, output, predictions_of(options.run))


def report_quantization_cost(predictor: Any, smaller: Path, examples: Path) -> None:
    """Print the metric of the held-out examples with the weights of both files."""
    from seq2seq.evaluation.evaluate import evaluate
    from seq2seq.evaluation.predictions import read_examples
    from seq2seq.inference.loading import load

    held_out, family = read_examples(examples), predictor.settings.get("metrics")
    runs = (predictor, load(smaller))
    metrics = [evaluate(run, held_out, family).metrics() for run in runs]
    name = next(iter(metrics[0]))
    exact, quantized = (values[name] for values in metrics)
    print(
        f"{name} {exact:.4f} before, {quantized:.4f} after, of {len(held_out):,} held-out examples"
    )
