"""Why SnapStart is no parameter of the stack (docs/decisions/0017-security.md): a published version, which it needs,
would go on working with settings that have been changed since.
"""

import copy
from typing import Any

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from tests.infra.conftest import ROOT, ManagedPolicies


def versions(template: dict[str, Any], **parameters: str) -> set[str]:
    """The logical ids of the published versions: a version is made anew when its id changes, and only then."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        made = transform(copy.deepcopy(template), parameters, ManagedPolicies())
    return {name for name, resource in made["Resources"].items() if resource["Type"] == "AWS::Lambda::Version"}


@pytest.fixture
def published():
    """template.yaml, with what SnapStart needs."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    for resource in template["Resources"].values():
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = "s3://artifacts/code"
    template["Resources"]["AggregateFunction"]["Properties"] |= {
        "AutoPublishAlias": "live",
        "AutoPublishAliasAllProperties": True,
        "SnapStart": {"ApplyOn": "PublishedVersions"},
    }
    return template


def test_a_changed_parameter_makes_no_new_version(published):
    variables = published["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["SITE_TIMEZONE"] == {"Ref": "SiteTimezone"}
    before = versions(published, SiteTimezone="UTC")
    assert len(before) == 1
    assert versions(published, SiteTimezone="Europe/Berlin") == before


def test_a_changed_template_does(published):
    before = versions(published)
    published["Globals"]["Function"]["Environment"]["Variables"]["SITE_TIMEZONE"] = "Europe/Berlin"
    assert versions(published) != before
