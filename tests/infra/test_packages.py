"""What `sam build` makes: light enough for Lambda, and able to run with nothing but boto3 beside it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.yaml_helper import yaml_parse

from local import LocalAws
from local.record_events import EVENTS, failing_execution
from pack_job import pack
from tests.functions.model_servers import Bedrock, OpenAi, serving
from tools.imports import BUDGET_SECONDS, measured
from tools.zips import made_for_another

pytestmark = pytest.mark.build

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / ".aws-sam" / "build"
LIMIT_MIB = 250
# Lambda's own limit; a package this close to it would soon be over.
COMFORTABLE_MIB = 245

FUNCTIONS = [
    name
    for name, resource in yaml_parse((ROOT / "template.yaml").read_text())["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
]
# Libraries that belong to other packages: what loads one is larger and slower than it has to be.
NOT_BESIDE_CORE = {"polars", "pandas", "numpy", "altair", "prophet", "statsforecast", "pyarrow"}
NOT_IN = dict.fromkeys(FUNCTIONS, NOT_BESIDE_CORE) | {
    "ValidateFunction": {"pandas", "prophet", "statsforecast", "altair"},
    "AggregateFunction": {"pandas", "prophet", "statsforecast", "altair"},
    "DetectAnomaliesFunction": {"pandas", "prophet", "statsforecast", "altair"},
    "ForecastProphetFunction": {"polars", "pyarrow", "matplotlib", "statsforecast"},
    "ForecastStatsforecastFunction": {"polars", "pyarrow", "prophet"},
    "GenerateReportFunction": {"polars", "pandas", "pyarrow", "numpy"},
}


@pytest.fixture(scope="session")
def template(built_template: dict[str, Any]) -> dict[str, Any]:
    """The built template."""
    return built_template


def layers(template: dict[str, Any], function: str) -> list[Path]:
    return [BUILT / layer["Ref"] for layer in template["Resources"][function]["Properties"]["Layers"]]


def size_mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def bare_python(
    template: dict[str, Any], function: str, code: str, boto3_home: Path
) -> subprocess.CompletedProcess[str]:
    """Runs `code` as Lambda would: the package, its layers, boto3 and the standard library, nothing else."""
    path = [str(BUILT / function), *(str(layer / "python") for layer in layers(template, function)), str(boto3_home)]
    preamble = f"import sys; sys.path[:0] = {path!r}\n"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "LAKE_BUCKET": "lake",
        "POWERTOOLS_SERVICE_NAME": "test",
        "POWERTOOLS_METRICS_NAMESPACE": "test",
    }
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", preamble + code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="session")
def boto3_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with boto3 and what it needs, as in Lambda's runtime."""
    site = Path(boto3.__file__).resolve().parents[1]
    home = tmp_path_factory.mktemp("runtime")
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"):
        (home / name).symlink_to(site / name)
    return home


def test_there_is_a_package_for_every_function(template):
    built = {
        name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::Serverless::Function"
    }
    assert built == set(FUNCTIONS)
    assert all((BUILT / name / "app.py").exists() for name in built)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_with_its_layers_is_light_enough(template, function):
    parts = {folder.name: size_mib(folder) for folder in (BUILT / function, *layers(template, function))}
    assert all(size > 0 for size in parts.values()), parts
    assert sum(parts.values()) < COMFORTABLE_MIB < LIMIT_MIB, parts


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_loads_with_only_its_package_and_boto3(template, function, boto3_home):
    code = "import app, sys; assert callable(app.handler); print(*sorted({n.split('.')[0] for n in sys.modules}))"
    done = bare_python(template, function, code, boto3_home)
    assert done.returncode == 0, done.stderr[-3000:]
    loaded = set(done.stdout.split())
    assert {"energy", "pydantic", "aws_lambda_powertools"} <= loaded
    assert not loaded & NOT_IN[function]


def test_the_job_s_script_is_built_with_the_layer_whose_code_it_shares(template, tmp_path):
    pack(ROOT / "jobs" / "crunch.py", tmp_path / "crunch.py")
    location = template["Resources"]["CrunchJob"]["Properties"]["Command"]["ScriptLocation"]
    assert (BUILT / location).read_bytes() == (tmp_path / "crunch.py").read_bytes()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_package_holds_nothing_of_another(template, function):
    """Even where nothing loads it."""
    folders = [BUILT / function, *(layer / "python" for layer in layers(template, function))]
    held = {path.stem for folder in folders for path in folder.iterdir()}
    assert not held & NOT_IN[function]


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name.startswith(("Forecast", "Generate"))])
def test_a_package_repeats_nothing_of_the_core_layer(template, function):
    def libraries(folder: Path) -> set[str]:
        return {path.name.split("-")[0] for path in folder.glob("*.dist-info")}

    in_core = libraries(BUILT / "CoreLayer" / "python")
    assert {"pydantic", "tzdata"} <= in_core
    assert not libraries(BUILT / function) & in_core


def test_prophet_forecasts_in_its_package(template, boto3_home):
    code = """
import logging, pandas as pd
logging.disable(logging.CRITICAL)
from prophet import Prophet
days = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=28), "y": [10.0 + day % 7 for day in range(28)]})
model = Prophet(daily_seasonality=False, weekly_seasonality=True, yearly_seasonality=False).fit(days)
ahead = model.predict(model.make_future_dataframe(7)).tail(7)
assert abs(ahead["yhat"].sum() - (7 * 10 + 21)) < 7, ahead["yhat"].tolist()
"""
    done = bare_python(template, "ForecastProphetFunction", code, boto3_home)
    assert done.returncode == 0, done.stderr[-3000:]


def test_statsforecast_forecasts_in_its_package_without_fugue(template, boto3_home):
    code = """
import fugue, pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import AutoETS, DynamicOptimizedTheta, SeasonalWindowAverage, WindowAverage
assert "Stands in" in fugue.__doc__
days = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=56), "y": [10.0 + day % 7 for day in range(56)]})
days["unique_id"] = "all"
models = [AutoETS(7), DynamicOptimizedTheta(7), SeasonalWindowAverage(7, 4), WindowAverage(28)]
ahead = StatsForecast(models=models, freq="D", n_jobs=1).forecast(df=days, h=7)
assert ahead["SeasWA"].tolist() == [10.0 + day for day in range(7)], ahead
assert ahead["WindowAverage"].tolist() == [13.0] * 7, ahead
assert abs(ahead["AutoETS"].sum() - 91) < 7 and abs(ahead["DynamicOptimizedTheta"].sum() - 91) < 7, ahead
try:
    StatsForecast(models=models, freq="D").forecast(df=object(), h=7)
except NotImplementedError as error:
    assert "fugue" in str(error)
else:
    raise AssertionError("a frame of another kind was accepted")
"""
    done = bare_python(template, "ForecastStatsforecastFunction", code, boto3_home)
    assert done.returncode == 0, done.stderr[-3000:]


def test_charts_are_drawn_in_the_report_s_package(template, boto3_home):
    code = """
import altair as alt, vl_convert
chart = alt.Chart(alt.Data(values=[{"day": "a", "kwh": 1.0}])).mark_bar().encode(x="day:N", y="kwh:Q")
assert vl_convert.vegalite_to_svg(chart.to_json()).startswith("<svg")
"""
    done = bare_python(template, "GenerateReportFunction", code, boto3_home)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("speaks", [Bedrock, OpenAi], ids=["bedrock", "openai"])
def test_a_model_is_asked_from_the_report_s_package(template, boto3_home, speaks):
    answer = {
        "summary": ["All is well."],
        **{name: [] for name in ("behaviour", "peak", "unusual", "forecast", "actions", "findings")},
    }
    with serving(speaks.answer(answer)) as server:
        code = f"""
import os, sys
os.environ.update(
    AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x",
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME="{server.url}", OPENAI_BASE_URL="{server.url}/v1",
)
import app
assert not {{"langchain_core", "openai", "altair"}} & set(sys.modules)
from energy import secrets_manager
secrets_manager.secret = lambda arn: "sk-test"
from energy.report.prompt import Prompt
from energy.report.providers import configured
from energy.settings import Settings
(one,) = configured(Settings(lake_bucket="lake", report_providers="{speaks.name},rules", openai_secret_arn="arn"))
assert one.ask(Prompt("system", "user"), 20).answer.summary == ["All is well."]
assert not {{"numpy", "zstandard"}} & set(sys.modules)
"""
        done = bare_python(template, "GenerateReportFunction", code, boto3_home)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(server.requests) == 1


def test_the_report_s_handler_is_loaded_soon(template, boto3_home):
    """The models' libraries take about a second to load; they are only where one is asked."""
    code = "import time; before = time.process_time(); import app; print(time.process_time() - before)"
    seconds = []
    for _ in range(3):
        done = bare_python(template, "GenerateReportFunction", code, boto3_home)
        assert done.returncode == 0, done.stderr[-3000:]
        seconds.append(float(done.stdout))
    assert min(seconds) < 1.5, seconds


def test_every_package_does_its_work_with_nothing_beside_it_but_what_lambda_brings(template):
    """The sample whose events are recorded (tests/e2e/test_events.py), through what was built."""
    sample = ROOT / "events" / "sample.csv"
    with LocalAws(built=True, skip_retry_waits=True) as aws:
        done = aws.wait(aws.upload(sample, "raw/sample.csv"), timeout_seconds=300)
        assert (done.status, done.error) == ("SUCCEEDED", None), done.cause
        assert "Note Prophet's failure" not in done.states
        assert "Did Prophet forecast?" not in done.states
        # One after the other: all of them wait for the one before.
        daily = {verb: aws.invoke(verb, recorded(verb)) for verb in ("reconcile", "collect_garbage")}
        assert {verb: result.error_type for verb, result in daily.items()} == dict.fromkeys(daily)
        assert daily["reconcile"].payload["looked_at"] == 1
        assert aws.invoke("list_backlog", recorded("list_backlog")).payload["published"] == 1
        assert failing_execution(aws).arn == recorded("explain_failure")["detail"]["executionArn"]
        explained = aws.invoke("explain_failure", recorded("explain_failure"))
        assert explained.payload == {"subject": "Energy readings: FAILED raw/sample.csv"}, explained


def recorded(verb: str) -> dict[str, Any]:
    """The recorded event of a function."""
    return json.loads((EVENTS / f"{verb}.json").read_text())


def test_what_the_topic_tells_is_posted_from_its_package(template, boto3_home):
    code = f"""
import io, json, os, urllib.request
posted = []
urllib.request.urlopen = lambda request, timeout: posted.append(json.loads(request.data)["text"]) or io.BytesIO(b"ok")
os.environ["SLACK_WEBHOOK_SECRET_ARN"] = "arn"
import app
from energy import secrets_manager
secrets_manager.secret = lambda arn: "https://hooks.slack.example/x"
class Context:
    function_name, memory_limit_in_mb, invoked_function_arn, aws_request_id = "test", 128, "arn", "request"
assert app.handler({recorded("notify_slack")!r}, Context()) == {{"posted": 1}}
assert posted[0].startswith("Energy readings: FAILED raw/sample.csv\\nWhat: raw/sample.csv ended FAILED"), posted
"""
    done = bare_python(template, "NotifySlackFunction", code, boto3_home)
    assert done.returncode == 0, done.stderr[-3000:]


def test_imports_stay_within_twice_their_budgets(template):
    """`make imports` holds them to the budgets; here other tests are at work beside."""

    def over(times: int) -> dict[str, float]:
        took = dict(measured(times))
        assert set(took) == set(BUDGET_SECONDS)
        return {verb: seconds for verb, seconds in took.items() if seconds > 2 * BUDGET_SECONDS[verb]}

    # The first look, of files that may not be in memory yet, does not condemn.
    assert not over(times=1) or over(times=3) == {}


@pytest.mark.parametrize(
    "package", ["CoreLayer", "PolarsLayer", *(f for f in FUNCTIONS if f.startswith(("For", "Gen")))]
)
def test_libraries_are_compiled_ahead_and_not_checked_against_their_source(template, package):
    folder = BUILT / package
    if package.endswith("Layer"):  # Beside it lies the script of the job, which Lambda does not run.
        folder /= "python"
    sources = [path for path in folder.rglob("*.py") if "__pycache__" not in path.parts]
    assert len(sources) > 50
    compiled = [path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in sources]
    assert [str(path) for path in compiled if not path.exists()] == []
    # Bit 0: checked by a hash, bit 1: looked at before each import (PEP 552).
    assert {int.from_bytes(path.read_bytes()[4:8], "little") for path in compiled} == {0b01}


def test_the_largest_function_and_its_layer_can_be_built_for_arm64_too(tmp_path):
    for name, folder in {
        "CoreLayer": "layers/core",
        "ForecastStatsforecastFunction": "functions/forecast_statsforecast",
    }.items():
        command = ["make", "-C", ROOT / folder, f"build-{name}", "ARCH=arm64", f"PYTHON={sys.executable}"]
        done = subprocess.run(
            [*command, f"ARTIFACTS_DIR={tmp_path / name}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert made_for_another("arm64", tmp_path / name) == []
        assert len(made_for_another("x86_64", tmp_path / name)) >= 1
    assert size_mib(tmp_path) < COMFORTABLE_MIB < LIMIT_MIB


def test_all_that_was_built_runs_where_the_template_says(template):
    assert template["Parameters"]["Architecture"]["Default"] == "x86_64"
    assert made_for_another("x86_64") == []
    assert len(made_for_another("arm64")) > 100
