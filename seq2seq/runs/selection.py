"""Selection among configurations: the best by validation, and its test.

The test result of a configuration selected by its test is biased upwards, so only validation
metrics may select.
"""

from collections.abc import Sequence
from typing import NamedTuple

from seq2seq.evaluation.statistics import SeedStatistics
from seq2seq.runs.compare import Group, Run
from seq2seq.runs.monitor import PREFIX, find_direction
from seq2seq.runs.tables import choose_metrics, describe_metric, read_metrics


class Selection(NamedTuple):
    """The best configuration by the mean of a validation metric over its seeds.

    Attributes:
        metric: its name, without `val_`.
        group: the configuration and its runs; of equal ones the first.
        equals: the other configurations that are as good.
        best_run: of its runs the best by validation; of equal ones the first.
    """

    metric: str
    group: Group
    equals: list[Group]
    best_run: Run

    @property
    def validation(self) -> SeedStatistics:
        """The validation metric over the seeds."""
        return measure(self.group, PREFIX + self.metric)

    @property
    def test(self) -> SeedStatistics:
        """The same metric of the test."""
        return measure(self.group, self.metric)


def measure(group: Group, metric: str) -> SeedStatistics:
    """Return a metric of a group's runs, named as `read_metrics` names it."""
    return SeedStatistics([read_metrics(run.summary)[metric] for run in group.runs])


def select(groups: Sequence[Group], name: str) -> Selection:
    """Select the best configuration.

    Args:
        groups: at least one with runs that count.
        name: a validation metric as `report` names it, for example `val_exact_match`.

    Raises:
        ValueError: `name` is no validation metric, its best direction is not known, or not all runs
            have it.
    """
    metric = name.removeprefix(PREFIX)
    if metric == name:
        raise ValueError(
            f"--select {name} would select by the test, whose result then means nothing; select by "
            f"validation: --select {PREFIX}{name}"
        )
    choose_metrics(groups, [name, metric])
    sign = 1 if find_direction(metric) == "max" else -1
    groups = [group for group in groups if group.runs]
    means = [sign * measure(group, name).mean for group in groups]
    first, *equals = [
        group for group, mean in zip(groups, means, strict=True) if mean == max(means)
    ]
    best_run = max(first.runs, key=lambda run: sign * read_metrics(run.summary)[name])
    return Selection(metric, first, equals, best_run)


def describe_selection(selection: Selection) -> str:
    """Describe a selection in plain lines: the configuration, its validation, its test."""
    metric = describe_metric(selection.metric)
    unit = " %" if metric.is_share else ""
    validation, test = selection.validation, selection.test
    count = len(validation.values)
    of = "one run" if count == 1 else f"the mean of {count} seeds"
    interval = (
        f" (95 % interval {metric.show_interval(test)}{unit})" if test.confidence_interval else ""
    )
    lines = [
        f"best by {PREFIX}{selection.metric}, {of}: {selection.group.name}",
        f"- validation {metric.name} {metric.show_mean(validation)}{unit}",
        f"- test {metric.name} {metric.show_mean(test)}{unit}{interval}",
    ]
    if selection.best_run.path is not None and count > 1:
        lines.append(f"- its best run by validation: {selection.best_run.path}")
    lines += [f"- as good by validation: {group.name}" for group in selection.equals]
    return "\n".join(lines)
