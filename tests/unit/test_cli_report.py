"""`energy report`: where a site's report is, in which form, and in which language."""

import json
import webbrowser
from pathlib import Path

import boto3
import pytest
import report_home as home
from moto import mock_aws
from typer.testing import CliRunner, Result

from cli.main import app
from energy import lake as layout
from energy.manifest import Manifest, ReportLocation
from energy.report import document, render, rules
from energy.report.sheet import fact_sheet
from local.lake_folder import LakeFolder, StoredObject

PREFIX = "reports/site=home/pub=p/text=t/report."
TEMPLATE = {
    "Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "the-lake"}}},
    "Outputs": {"BucketName": {"Value": "the-lake"}},
}


def report(*arguments: str | Path) -> Result:
    environment = {"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
    return CliRunner(env=environment).invoke(app, ["report", *(str(each) for each in arguments)])


def contents(location: ReportLocation | None) -> dict[str, bytes]:
    sheet = fact_sheet(home.request(), home.home(), home.anomalies(home.anomaly()), home.forecast())
    narrative = rules.write_text(sheet)
    manifest = Manifest(site="home", pub="p", code_version="1", timezone="UTC", uploads={}, tables={}, report=location)
    html = render.html(sheet, narrative)
    return {
        layout.manifest_key("home"): manifest.model_dump_json().encode(),
        layout.latest_report_key("home"): html,
        f"{PREFIX}html": html,
        f"{PREFIX}md": render.markdown(sheet, narrative),
        f"{PREFIX}json": document.json_document(sheet, narrative),
    }


LOCATION = ReportLocation(html_key=f"{PREFIX}html", markdown_key=f"{PREFIX}md", json_key=f"{PREFIX}json")
PUBLISHED = contents(LOCATION)


def saved(path: Path, stored: dict[str, bytes]) -> Path:
    folder = LakeFolder(path)
    objects = [
        StoredObject(key, "v1", "v1", "2026-01-01T00:00:00+00:00", {}, f"{number:02d}", 1)
        for number, key in enumerate(stored)
    ]
    folder.save(objects, lambda one: stored[one.key], {})
    return path


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return saved(tmp_path / "lake", PUBLISHED)


def test_without_options_it_says_where_the_newest_report_is(lake):
    told = report("--lake", lake)
    assert told.exit_code == 0
    assert told.stdout.strip() == str((lake / "reports" / "site=home" / "latest.html").resolve())


def test_it_opens_in_the_browser(lake, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not opened.append(address))
    assert report("--lake", lake, "--open").exit_code == 0
    assert opened == [(lake / "reports" / "site=home" / "latest.html").resolve().as_uri()]


@pytest.mark.parametrize("form", ["md", "json", "html"])
def test_a_form_is_printed_as_it_was_published(lake, form):
    told = report("--lake", lake, "--format", form)
    assert told.stdout_bytes == PUBLISHED[f"{PREFIX}{form}"]
    assert report("--lake", lake, "--format", form, "--lang", "en").stdout_bytes == told.stdout_bytes


def test_another_language_tells_the_published_facts_anew(lake, monkeypatch):
    told = report("--lake", lake, "--format", "md", "--lang", "de").stdout
    assert told.startswith("# Energiebericht für home")
    assert "320,0 kWh" in told
    english, german = (
        json.loads(report("--lake", lake, "--format", "json", *lang).stdout) for lang in ((), ("--lang", "de"))
    )
    assert german["language"] == "de"
    assert {name: fact["value"] for name, fact in german["facts"].items()} == {
        name: fact["value"] for name, fact in english["facts"].items()
    }
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not opened.append(address))
    path = Path(report("--lake", lake, "--lang", "de", "--open").stdout.strip())
    assert opened == [path.as_uri()]
    assert '<html lang="de">' in path.read_text()


def test_what_is_not_published_is_said(tmp_path):
    lake = saved(tmp_path / "lake", contents(None))
    missing, without = report("cabin", "--lake", lake), report("--lake", lake)
    assert [missing.exit_code, without.exit_code] == [1, 1]
    assert "Nothing is published for the site cabin." in missing.output
    assert "published without a report" in without.output


def test_what_cannot_be_meant_is_refused(lake, tmp_path):
    assert report("--lake", lake, "--open", "--format", "md").exit_code == 2
    assert report("--lake", lake, "--stack", "energy").exit_code == 2
    assert report("--lake", lake, "--lang", "xx").exit_code == 2
    assert report("--lake", tmp_path / "none").exit_code == 2


def test_a_deployed_stack_is_read_from_its_bucket(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        boto3.client("cloudformation").create_stack(StackName="energy", TemplateBody=json.dumps(TEMPLATE))
        for key, content in PUBLISHED.items():
            boto3.client("s3").put_object(Bucket="the-lake", Key=key, Body=content)
        assert report("--stack", "energy").stdout.strip() == f"s3://the-lake/{PREFIX}html"
        assert report("--stack", "energy", "--format", "md").stdout_bytes == PUBLISHED[f"{PREFIX}md"]
        assert report("--stack", "energy", "--format", "md", "--lang", "de").stdout.startswith("# Energiebericht")
        missing = report("cabin", "--stack", "energy")
        assert [missing.exit_code, "Nothing is published" in missing.output] == [1, True]
        assert report("--stack", "other").exit_code == 1
