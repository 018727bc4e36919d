"""Experiments: the content of their files, and verdicts on their results."""

import pytest

from seq2seq.runs.experiment import (
    Expected,
    Result,
    judge,
    measure,
    read_experiment,
    read_results,
    render,
    verdicts,
    write_results,
)

NODE = {
    "source": "A paper, table 1",
    "seeds": [0, 1, 2],
    "rows": {
        "plain": {
            "overrides": ["cell=gru"],
            "expected": {"exact_match": {"published": 0.5, "band": [0.4, 0.6]}, "bleu": None},
        },
        "best": {
            "overrides": [],
            "expected": {
                "exact_match": {"published": None, "band": [0.9, 1.0], "statistic": "max"}
            },
        },
    },
}


def runs(row, values, metric="exact_match", **more):
    return [
        Result(row, seed, "finished", {metric: value, **more}, 10, 1.5, "abc")
        for seed, value in enumerate(values)
    ]


def test_a_file_defines_the_runs_and_the_expected_results():
    experiment = read_experiment("mine", NODE)
    assert experiment.seeds == (0, 1, 2)
    plain, best = experiment.rows
    assert plain.overrides == ("cell=gru",)
    assert plain.expected == (
        Expected("exact_match", 0.5, (0.4, 0.6)),
        Expected("bleu", None, None),
    )
    assert best.expected[0].statistic == "max"


@pytest.mark.parametrize(
    "path, value, message",
    [
        ([], None, "experiment mine: reproduction is missing"),
        (["more"], 1, "see more"),
        (["seeds"], [0, 0], "seeds must be a list of whole numbers"),
        (["seeds"], 3, "seeds must be a list of whole numbers, got 3"),
        (["rows"], {}, "rows must name the configurations"),
        (["rows", "a/b"], NODE["rows"]["best"], "letters, digits, _ and - only, got 'a/b'"),
        (["rows", "best", "overrides"], [1], "overrides must be a list of texts"),
        (["rows", "best", "expected"], {}, "must name at least one metric"),
        (["rows", "best", "expected", "exact match"], None, "a metric is like exact_match"),
        (["rows", "best", "expected", "bleu"], {"published": "9", "band": None}, "got '9'"),
        (["rows", "best", "expected", "bleu"], {"published": 9, "band": [2, 1]}, "from, to"),
        (["rows", "best", "expected", "bleu"], {"published": 9}, "see band"),
        (
            ["rows", "best", "expected", "bleu"],
            {"published": 9, "band": None, "statistic": "mode"},
            "unknown .*statistic 'mode'",
        ),
    ],
)
def test_what_makes_no_sense_is_named(path, value, message):
    def put(node, path):
        return {**node, path[0]: put(node.get(path[0], {}), path[1:])} if path else value

    with pytest.raises(ValueError, match=message):
        read_experiment("mine", put(NODE, path))


@pytest.mark.parametrize(
    "override",
    [
        *("--allow=evil.py", "-m", "--config-dir=/tmp", "hydra.run.dir=/tmp", "+hydra.x=1"),
        *(
            "hydra/launcher=joblib",
            "++hydra.callbacks.a._target_=os.mkdir",
            "~task",
            "overwrite=true",
        ),
        *("run_dir=/tmp", "resume=false", "seed=3", "experiment=scan_length", "reproduction=null"),
        *(
            "task=copy\n--allow=x.py",
            "",
            "training",
            "=",
            "cell.kind=${oc.env:HOME}",
            "'a'=b",
            " a=b",
        ),
        *("+run_dir=/tmp", "../task=copy", "task=pairs\r\nrun_dir=/"),
    ],
)
def test_an_override_that_is_the_commands_is_refused(override):
    with pytest.raises(ValueError, match="overrides: .* is refused: a row chooses the KEY=VALUE"):
        best = {**NODE["rows"]["best"], "overrides": [override]}
        read_experiment("mine", {**NODE, "rows": {"best": best}})


def test_metrics_are_read_from_test_by_length_and_history():
    by_length = {
        "3": {"exact_match": 1.0, "oracle_exact_match": 1.0, "count": 1},
        "4": {"exact_match": 0.5, "oracle_exact_match": 0.75, "count": 3},
        "9": {"oracle_exact_match": 0.5, "count": 1},
    }
    test = {"exact_match": 0.6, "by_length": by_length}
    history = [{"step": 10.0, "val_bleu": 3.0}, {"step": 20.0, "val_bleu": 4.0}]
    assert measure(test, history, "exact_match") == 0.6
    assert measure(test, history, "exact_match@3-4") == 0.625
    assert measure(test, history, "exact_match@4") == 0.5
    assert measure(test, history, "oracle_exact_match@4") == 0.75
    assert measure(test, history, "val_bleu#20") == 4.0
    for metric in ("bleu", "by_length", "val_bleu#15", "bleu@3", "exact_match@5", "exact_match@9"):
        with pytest.raises(ValueError, match="no metric|has no |no test example"):
            measure(test, history, metric)


def test_a_verdict_is_on_the_statistic_of_all_seeds():
    expected = Expected("exact_match", 0.5, (0.4, 0.6))
    assert judge(expected, [0.3, 0.6, 0.7]) == "reproduced"
    assert judge(expected, [0.3, 0.3, 0.4]) == "not reproduced"
    assert judge(expected._replace(statistic="max"), [0.3, 0.3, 0.4]) == "reproduced"
    assert judge(expected._replace(band=None), [0.3]) == "-"


def test_seeds_that_are_missing_or_failed_are_no_result():
    experiment = read_experiment("mine", NODE)
    results = runs("plain", [0.5, 0.5, 0.5], bleu=30.0)
    assert verdicts(experiment, results) == [["reproduced", "-"], ["not run"]]
    results[2] = Result("plain", 2, "nan", {})
    assert verdicts(experiment, results)[0][0] == "1 of 3 missing"
    more = runs("plain", [0.5, 0.5], bleu=30.0) + [results[2]._replace(seed=7)]
    assert verdicts(experiment, more)[0][0] == "1 of 3 missing"


def test_a_metric_that_was_added_later_is_missing_in_older_results():
    experiment = read_experiment("mine", NODE)
    results = runs("plain", [0.5, 0.5, 0.5], bleu=30.0)
    del results[1].metrics["exact_match"]
    assert verdicts(experiment, results)[0] == ["1 of 3 missing", "-"]
    assert render(experiment, results).splitlines()[2].count("50.00%, 50.00%") == 1


def test_the_table_shows_every_seed():
    experiment = read_experiment("mine", NODE)
    results = runs("plain", [0.4, 0.5, 0.7], bleu=31.25) + runs("best", [0.5, 0.95, 0.1])
    lines = render(experiment, results).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[2] == [
        *("plain", "exact_match", "50.00%", "40.00% to 60.00%", "53.33% ± 15.28%", "40.00%"),
        *("70.00%", "40.00%, 50.00%, 70.00%", "reproduced"),
    ]
    assert cells[3][1:6] == ["bleu", "", "", "31.25 ± 0", "31.25"] and cells[3][-1] == "-"
    assert cells[4][2] == "(max)" and cells[4][-1] == "reproduced"
    assert "verdict" in lines[0] and "verdict" not in render(experiment, results, judged=False)


def test_results_in_a_file_are_the_same(tmp_path):
    results = runs("plain", [0.1, 1 / 3], bleu=31.2) + [Result("best", 0, "missing", {})]
    (tmp_path / "results.csv").write_text(write_results(results))
    assert read_results(tmp_path / "results.csv") == results
    (tmp_path / "results.csv").write_text("row,seed\nplain,x\n")
    with pytest.raises(ValueError, match=r"results.csv is damaged"):
        read_results(tmp_path / "results.csv")
