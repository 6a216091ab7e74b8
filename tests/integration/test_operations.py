# SPDX-License-Identifier: MIT
"""The dashboard, the alert rules and the examples of docs/operations.md name what the plugin shows.

Prometheus' own promtool checks them further where it is on PATH."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from broker import BUILD, REPOSITORY

DOCS = REPOSITORY / "docs"
ALERTS = DOCS / "prometheus" / "alerts.yml"
DASHBOARD = DOCS / "grafana" / "orgcast.json"
# Labels that Prometheus adds to what it scrapes.
SCRAPE_LABELS = {"job", "instance"}

SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? ([0-9]+)$")
LABEL = re.compile(r'([a-z_]+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
METRIC = re.compile(r"\b(orgcast_[a-z_]+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|without) \(([a-z_, ]*)\)")

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool")


def run(*command, **more):
    done = subprocess.run([*map(str, command)], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False, **more)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def page():
    """A page in which every metric has a value."""
    return run(BUILD / "plugin" / "print_metrics", "page")


@pytest.fixture(scope="module")
def series(page):
    """metric -> the label sets that the page has."""
    found = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            name, labels, _ = SAMPLE.match(line).groups()
            found.setdefault(name, []).append({key: value for key, _, value
                                               in LABEL.findall(labels or "")})
    return found


def rules():
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels():
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]


def dashboard_expressions():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    found = {f"{panel['title']} ({panel['id']})": [target["expr"] for target in panel["targets"]]
             for panel in dashboard["panels"] if panel["type"] != "row"}
    found["annotation"] = [note["expr"] for note in dashboard["annotations"]["list"]]
    found["variables"] = [re.search(r"label_values\(([^,]*),", item["query"]["query"])[1]
                          for item in dashboard["templating"]["list"] if item["type"] == "query"]
    return [(name, expression) for name, expressions in found.items()
            for expression in expressions]


def matches(labels, name, operator, value):
    if name in SCRAPE_LABELS:
        return True
    have = labels.get(name, "")
    if operator in ("=", "!="):
        return (have == value) == (operator == "=")
    return bool(re.fullmatch(value, have)) == (operator == "=~")


EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in rules()] + dashboard_expressions()


@pytest.mark.parametrize("expression", [pytest.param(text, id=f"{name}: {text[:40]}")
                                        for name, text in EXPRESSIONS])
def test_an_expression_finds_series(series, expression):
    used = METRIC.findall(expression)
    assert used or "up{" in expression
    for name, selector in used:
        assert name in series, f"there is no {name}"
        chosen = LABEL.findall(selector)
        assert any(all(matches(labels, *one) for one in chosen) for labels in series[name]), \
            f"{name} has no series {{{selector}}}"
        if "rate(" in expression or "increase(" in expression:
            assert name.endswith("_total"), f"{name} is no counter"
    labels = {label for name, _ in used for one in series[name] for label in one}
    for grouping in GROUPING.findall(expression):
        for label in filter(None, grouping.replace(" ", "").split(",")):
            assert label in labels | SCRAPE_LABELS, f"{label} is no label of {used}"


def test_every_metric_is_on_the_dashboard(series):
    shown = {name for _, text in dashboard_expressions() for name, _ in METRIC.findall(text)}
    assert shown == set(series)


def test_each_alert_says_what_to_do():
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]
        assert len(rule["annotations"]["description"]) > 80, rule["alert"]


def test_alerts_name_options_that_there_are():
    pages = [(DOCS / name).read_text(encoding="utf-8")
             for name in ("operations.md", "configuration.md")]
    known = {name for page in pages for name in re.findall(r"(?:`|^plugin_opt_)([a-z_]+)", page, re.M)}
    for option in re.findall(r"plugin_opt_([a-z_]+)", ALERTS.read_text(encoding="utf-8")):
        assert option in known, option


def test_the_page_lists_every_alert():
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(Orgcast[A-Za-z]+)`", text)) == {rule["alert"] for rule in rules()}


def test_the_dashboard_can_be_imported():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert dashboard["title"] == "Orgcast" and dashboard["uid"]
    assert dashboard.get("id") is None
    variables = {item["name"]: item for item in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["title"] and panel["description"]
        for target in [panel, *panel["targets"]]:
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert set(re.findall(r"\$\{?(\w+)", target["expr"])) <= {*variables, "__rate_interval"}


def test_panels_do_not_overlap():
    taken = {}
    for panel in panels():
        at = panel["gridPos"]
        assert at["x"] >= 0 and at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def yaml_blocks():
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)


def test_examples_are_yaml():
    config, = yaml_blocks()
    job, = yaml.safe_load(config)["scrape_configs"]
    assert job["job_name"] == "orgcast"
    assert job["static_configs"] == [{"targets": ["127.0.0.1:9464"]}]


# --- promtool ---------------------------------------------------------------------------------------


@needs_promtool
def test_promtool_likes_the_page(page):
    assert run("promtool", "check", "metrics", input=page) == ""


@needs_promtool
def test_promtool_likes_the_rules():
    assert f"{len(rules())} rules found" in run("promtool", "check", "rules", ALERTS)


@needs_promtool
def test_promtool_likes_the_example(tmp_path):
    shutil.copy(ALERTS, tmp_path)
    (tmp_path / "prometheus.yml").write_text(yaml_blocks()[0], encoding="utf-8")
    run("promtool", "check", "config", tmp_path / "prometheus.yml")


@needs_promtool
def test_promtool_likes_the_dashboards_expressions(tmp_path):
    filled = [re.sub(r"\$\{?\w+\}?", "5m", text.replace("[$__rate_interval]", "[5m]"))
              for _, text in dashboard_expressions()]
    group = {"name": "panels", "rules": [{"record": f"panel:{n}", "expr": text}
                                         for n, text in enumerate(filled)]}
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")
    run("promtool", "check", "rules", tmp_path / "panels.yml")


UP = 'up{job="orgcast",instance="a"}'
CONNECTS = 'orgcast_connects_total{job="orgcast",instance="a",result="%s"}'
REFUSED = 'orgcast_connects_refused_total{job="orgcast",instance="a",reason="%s"}'
PUBLISHES = 'orgcast_acl_denied_total{job="orgcast",instance="a",action="publish",reason="%s"}'
EVENTS = 'orgcast_events_refused_total{job="orgcast",instance="a",reason="%s"}'
MUTED = 'orgcast_deliveries_suppressed_total{job="orgcast",instance="a",reason="token_expired"}'
REPLAYS = 'orgcast_replays_total{job="orgcast",instance="a",result="%s"}'

# A broker on which all is well, a value each minute for an hour.
WELL = {
    UP: "1x60",
    'orgcast_start_time_seconds{job="orgcast",instance="a"}': "1795500000x60",
    'orgcast_keys{job="orgcast",instance="a"}': "2x60",
    'orgcast_jwks_age_seconds{job="orgcast",instance="a"}': "290x60",
    CONNECTS % "accepted": "0+60x60",
    CONNECTS % "refused": "0+1x60",
    REFUSED % "key_unknown": "0x60",
    REFUSED % "signature_invalid": "0+1x60",
    REFUSED % "out_of_memory": "0x60",
    PUBLISHES % "scope_missing": "0+1x60",
    EVENTS % "event_invalid": "0x60",
    EVENTS % "out_of_memory": "0x60",
    MUTED: "0+5x60",
    REPLAYS % "recovered": "0+10x60",
    REPLAYS % "not_recovered": "0x60",
    'orgcast_audit_lines_lost_total{job="orgcast",instance="a"}': "0x60",
    'orgcast_log_lines_left_out_total{job="orgcast",instance="a"}': "0x60",
}

# alert -> what is not well
ILL = {
    "OrgcastDown": {UP: "0x60"},
    "OrgcastRestarts": {'orgcast_start_time_seconds{job="orgcast",instance="a"}': "1+300x60"},
    "OrgcastNoKeys": {'orgcast_keys{job="orgcast",instance="a"}': "0x60"},
    "OrgcastKeySetOld": {'orgcast_jwks_age_seconds{job="orgcast",instance="a"}': "3000+60x60"},
    "OrgcastKeyUnknown": {REFUSED % "key_unknown": "0+2x60"},
    "OrgcastConnectsRefused": {CONNECTS % "refused": "0+20x60"},
    "OrgcastForgedTokens": {REFUSED % "signature_invalid": "0+5x60"},
    "OrgcastPublishesDenied": {PUBLISHES % "scope_missing": "0+10x60"},
    "OrgcastEventsRefused": {EVENTS % "event_invalid": "0+1x60"},
    "OrgcastMutedClients": {MUTED: "0+100x60"},
    "OrgcastReplaysNotRecovered": {REPLAYS % "not_recovered": "0+3x60"},
    "OrgcastAuditLinesLost": {'orgcast_audit_lines_lost_total{job="orgcast",instance="a"}':
                              "0x54 1x5"},
    "OrgcastLogLinesLeftOut": {'orgcast_log_lines_left_out_total{job="orgcast",instance="a"}':
                               "0+200x60"},
    "OrgcastOutOfMemory": {REFUSED % "out_of_memory": "0+1x60"},
}


def test_each_alert_has_a_case():
    assert set(ILL) == {rule["alert"] for rule in rules()}


def firing(tmp_path, changes):
    """The alerts that fire after an hour, by promtool: it tells when it was told that there are none."""
    cases = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [{
        "interval": "1m",
        "input_series": [{"series": name, "values": values}
                         for name, values in {**WELL, **changes}.items()],
        "alert_rule_test": [{"eval_time": "59m", "alertname": rule["alert"], "exp_alerts": []}
                            for rule in rules()]}]}
    path = tmp_path / "cases.yml"
    path.write_text(yaml.safe_dump(cases), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", path], text=True, check=False, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert re.search(r"SUCCESS|FAILED", done.stdout), done.stdout
    found = set(re.findall(r"alertname: ?(\w+)", done.stdout))
    assert bool(found) == (done.returncode != 0), done.stdout
    return found


@needs_promtool
def test_nothing_fires_when_all_is_well(tmp_path):
    assert firing(tmp_path, {}) == set()


@needs_promtool
@pytest.mark.parametrize("alert", ILL)
def test_an_alert_fires(tmp_path, alert):
    assert firing(tmp_path, ILL[alert]) == {alert}
