"""The rules fire when they should, say what they should, and are quiet while the service is in order."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.alert_cases import CASES, IN_ORDER, MINUTES, Case

HERE = Path(__file__).parents[2]
CONFIG = HERE / "deploy" / "prometheus"
RULES = CONFIG / "alerts.yml"
OPERATIONS = HERE / "docs" / "operations.md"
PROMTOOL = shutil.which("promtool") or ""
pytestmark = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")


def rules() -> dict[str, dict[str, Any]]:
    """Every alert by name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def promtool(*words: str) -> None:
    """Fails with what promtool says."""
    said = subprocess.run([PROMTOOL, *words], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def figures_of(expression: str) -> set[str]:
    """The names of what a rule looks at."""
    return set(re.findall(r"\b(wardlist_\w+|up)\b", expression))


def series(differs: dict[str, str | None]) -> list[dict[str, str]]:
    present = IN_ORDER | differs
    return [{"series": name, "values": values} for name, values in present.items() if values is not None]


def together() -> list[list[Case]]:
    """The cases in as few tests as can be: in one, no two alerts look at the same figure."""
    found: list[tuple[set[str], list[Case]]] = []
    for case in CASES:
        own = figures_of(rules()[case.alert]["expr"])
        place = next((one for one in found if not one[0] & own), None)
        if place is None:
            found.append(place := (set(), []))
        place[0].update(own)
        place[1].append(case)
    return [cases for _, cases in found]


def fires(cases: list[Case]) -> dict[str, Any]:
    """promtool's test that each case's alert, and with these words, fires at the end."""
    differs, tests = dict[str, str | None](), []
    for case in cases:
        differs |= case.differs
        runbook = f"docs/operations.md#{case.alert.lower()}"
        alert = {
            "exp_labels": {"severity": case.severity, **case.labels},
            "exp_annotations": {"summary": case.summary, "runbook": runbook},
        }
        tests.append({"alertname": case.alert, "eval_time": f"{MINUTES}m", "exp_alerts": [alert]})
    return {"interval": "1m", "input_series": series(differs), "alert_rule_test": tests}


def quiet() -> dict[str, Any]:
    silent = [
        {"alertname": name, "eval_time": f"{minute}m", "exp_alerts": []}
        for name in rules()
        for minute in (MINUTES // 2, MINUTES)
    ]
    return {"interval": "1m", "input_series": series({}), "alert_rule_test": silent}


def test_the_configuration_is_one_that_prometheus_takes() -> None:
    promtool("check", "config", str(CONFIG / "prometheus.yml"))


def test_every_alert_fires_for_its_cause_and_none_while_all_is_in_order(tmp_path: Path) -> None:
    tests = [quiet(), *(fires(cases) for cases in together())]
    whole = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}
    file = tmp_path / "alerts.test.yml"
    file.write_text(json.dumps(whole))
    promtool("test", "rules", str(file))
    assert {case.alert for case in CASES} == set(rules())


def test_what_is_in_order_is_said_of_every_figure_that_a_rule_looks_at() -> None:
    looked_at = set().union(*(figures_of(rule["expr"]) for rule in rules().values()))
    assert looked_at == {name.partition("{")[0] for name in IN_ORDER}


def test_every_alert_has_its_place_in_the_runbook() -> None:
    headings = re.findall(r"^### (\w+)$", OPERATIONS.read_text(), re.MULTILINE)
    assert headings == list(rules())
    for name, rule in rules().items():
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")
