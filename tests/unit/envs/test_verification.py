"""What a verification compares, how far things may be apart, and how the verdict is told."""

from __future__ import annotations

import random
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from dataops.envs.verification.checks import pipeline_order
from dataops.envs.verification.compare import compare_mart
from dataops.envs.verification.figures import ColumnFigures, TableFigures
from dataops.envs.verification.verdict import Check, Result, Verdict, junit, markdown
from dataops.infra.platform.model import Platform
from dataops.infra.platform.verification import Verification

AMOUNT = ColumnFigures("integer", nulls=0.0, distinct=50, mean=200.0, spread=40.0)
NAME = ColumnFigures("text not null", nulls=0.0, distinct=80)
MART = TableFigures(100, {"amount": AMOUNT, "name": NAME})


def failed(seen: TableFigures | None, allowed: Verification | None = None, expected: TableFigures = MART) -> set[str]:
    checks = compare_mart("marts.sales", expected, seen, allowed or Verification())
    return {check.name for check in checks if check.result is Result.FAILED}


def with_amount(**figures: float | str | None) -> TableFigures:
    known = {"type": "integer", "nulls": 0.0, "distinct": 50, "mean": 200.0, "spread": 40.0}
    return TableFigures(100, {"amount": ColumnFigures(**{**known, **figures}), "name": NAME})  # type: ignore[arg-type]


def test_a_mart_as_in_production_passes_with_rows_schema_and_statistics() -> None:
    checks = list(compare_mart("marts.sales", MART, MART, Verification()))
    assert [(check.name, check.result) for check in checks] == [
        ("rows", "passed"),
        ("schema", "passed"),
        ("statistics", "passed"),
    ]


def test_one_part_in_a_hundred_passes_unless_somebody_says_otherwise() -> None:
    assert failed(TableFigures(99, MART.columns)) == set()
    assert failed(TableFigures(98, MART.columns)) == {"rows"}
    assert failed(TableFigures(99, MART.columns), Verification.model_validate({"tolerance": {"rows": 0}})) == {"rows"}
    wide = {"tables": {"marts.sales": {"rows": "5%"}}, "tolerance": {"rows": 0}}
    assert failed(TableFigures(95, MART.columns), Verification.model_validate(wide)) == set()


@pytest.mark.parametrize(
    ("figures", "what"),
    [
        ({"nulls": 0.02}, "nulls"),
        ({"distinct": 40}, "distinct"),
        ({"mean": 210.0}, "mean"),
        ({"mean": float("nan")}, "mean"),
        ({"spread": 50.0}, "spread"),
    ],
)
def test_each_figure_of_a_column_has_its_tolerance(figures: dict[str, float], what: str) -> None:
    seen = with_amount(**figures)
    assert failed(seen) == {f"column amount: {what}"}
    if figures.get("mean") == figures.get("mean"):
        own = {"tables": {"marts.sales": {"columns": {"amount": {what: "50%"}}}}}
        assert failed(seen, Verification.model_validate(own)) == set()


def test_a_mean_near_zero_is_measured_by_the_spread() -> None:
    around = TableFigures(100, {"gap": ColumnFigures("real", 0.0, 100, 0.001, 10.0)})
    moved = TableFigures(100, {"gap": ColumnFigures("real", 0.0, 100, 0.01, 10.0)})
    assert failed(moved, expected=around) == set()


@pytest.mark.parametrize(("changes", "refused"), [("none", {"new", "name"}), ("additive", {"name"}), ("any", set())])
def test_columns_that_are_new_or_gone_pass_as_the_platform_says(changes: str, refused: set[str]) -> None:
    seen = TableFigures(100, {"amount": AMOUNT, "new": NAME})
    allowed = Verification.model_validate({"tolerance": {"changes": changes}})
    assert failed(seen, allowed) == {f"column {name}" for name in refused}


def test_a_mart_that_is_gone_is_refused_and_a_new_one_must_have_rows() -> None:
    assert failed(None) == {"exists"}
    new = [next(compare_mart("marts.new", None, TableFigures(rows), Verification())).result for rows in (1, 0)]
    assert new == ["passed", "failed"]


def test_an_empty_mart_of_production_is_no_measure_of_statistics() -> None:
    empty = TableFigures(0, {"amount": ColumnFigures("integer", 0.0, 0)})
    assert failed(TableFigures(0, {"amount": ColumnFigures("integer", 0.0, 0)}), expected=empty) == set()


@pytest.mark.parametrize("share", ["-1%", "much", -0.1, True])
def test_a_share_that_is_none_is_refused(share: object) -> None:
    with pytest.raises(ValidationError, match="share"):
        Verification.model_validate({"tolerance": {"rows": share}})


def test_pipelines_run_after_those_that_make_what_they_read() -> None:
    def step(reads: list[str], makes: str) -> dict[str, object]:
        return {"steps": [{"name": "only", "run": ["true"], "inputs": reads, "outputs": [makes]}]}

    pipelines = {
        "last": step(["lake:b"], "lake:c"),
        "first": step([], "lake:a"),
        "middle": step(["lake:a"], "lake:b"),
    }
    names = list(pipelines)
    random.shuffle(names)
    platform = Platform.model_validate(
        {
            "apiVersion": "dataops/v1",
            "name": "shop",
            "stores": {"warehouse": {"database": "shop"}},
            "pipelines": {name: pipelines[name] for name in names},
        }
    )
    assert pipeline_order(platform) == ["first", "middle", "last"]


def verdict(*checks: Check) -> Verdict:
    return Verdict("feature/x", "c0ffee" * 6, "local", "snapshot", "production", checks, 1.5)


def test_the_verdict_is_bad_when_one_check_failed_and_says_where() -> None:
    good, bad = Check.of("mart a", "rows", True, "1", "1"), Check.of("mart b", "rows", False, "2", "1")
    skipped = Check("mart c", "rows", Result.SKIPPED, "3", "")
    assert verdict(good, skipped).passed and not verdict(good, bad, skipped).passed
    assert verdict(good, bad, skipped).sentence.endswith("is refused: 1 of 3 checks failed, in mart b")


def test_reports_hold_whatever_names_and_texts_there_are() -> None:
    odd = "a|b\n# <b>`x`</b> \x00\x1b[31m ]]> & 'é'"
    told = verdict(Check.of("mart odd", odd, False, odd, odd), Check("mart odd", "other", Result.SKIPPED, "", odd))
    root = ElementTree.fromstring(junit(told).encode())
    assert [case.get("classname") for case in root.iter("testcase")] == ["mart odd", "mart odd"]
    assert root.find(".//failure") is not None and root.find(".//skipped") is not None
    rows = [line for line in markdown(told).splitlines() if line.startswith("| mart odd")]
    assert len(rows) == 2 and all(row.count("|") - row.count("\\|") == 6 for row in rows)
    assert "<b>" not in markdown(told)
