"""Made-up runs, in memory and as directories: configurations, summaries and histories."""

import json

from seq2seq.runs.compare import Run


def config(seed, attention="none", model="lstm", units=8):
    attention = {"_target_": f"seq2seq.layers.{attention}", "before": attention == "Additive"}
    return {
        "seed": seed,
        "run_dir": f"runs/{seed}-{units}",
        "task": {"_target_": "seq2seq.data.Copy", "seed": seed},
        "attention": attention,
        "model": {"decoder": {"attention": attention, "units": units}},
        "names": {"task": "copy", "model": model},
    }


def summary(match, by_length=None, stopped="finished", **metrics):
    test = {"exact_match": match, "count": 10, **metrics, "by_length": by_length or {}}
    train = {"seconds": 2.0, "steps": 30, "stopped": stopped}
    return {"parameters": 1234, "test": test, "train": train}


def lengths(*matches, count=10):
    """A summary's `by_length` with these exact matches at 1, 2, ..."""
    return {str(n): {"exact_match": match, "count": count} for n, match in enumerate(matches, 1)}


def history(*matches, every=10, **columns):
    """Rows of a history, with these exact matches in validation."""
    return [
        {
            "epoch": n,
            "step": n * every,
            "loss": 3 / n,
            "val_exact_match": match,
            **{name: values[n - 1] for name, values in columns.items()},
        }
        for n, match in enumerate(matches, 1)
    ]


def write_run(path, config, summary=None, rows=()):
    """A run directory; without a summary it is one that has not ended."""
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(json.dumps(config))  # which is YAML, too
    if summary is not None:
        (path / "summary.json").write_text(json.dumps(summary))
    if rows:
        lines = [
            ",".join(map(str, values)) for values in (rows[0], *(row.values() for row in rows))
        ]
        (path / "history.csv").write_text("\n".join(lines) + "\n")
    return Run(config, summary, path)
