"""`make policy`: what scanners find in the template, as written, as transformed and with its parameters put in; and in
the code. Exit 1 on any finding. Needs no network, but for what npm fetches of asl-validator where node is there.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.infra.conftest import ROOT, transformed
from tests.infra.rendering import rendered

OUT = ROOT / "build" / "policy"
MACHINES = sorted((ROOT / "statemachine").glob("*.asl.json"))
REGION = "eu-west-1"
MOST_SKIPPED = 3
# All that may be chosen; a stack without reserved concurrency is what a new account can have (CKV_AWS_115 dislikes it).
CHOSEN = {
    "Encryption": "aws:kms",
    "ReservedConcurrency": 2,
    "NotificationEmail": "someone@example.org",
    "SlackWebhookSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf",
    "ReportProviders": "bedrock,openai,rules",
    "OpenAiSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:openai-AbCdEf",
}
# WS1004 does not know LoggingConfig, ES6000 wants a dead-letter queue for the dead-letter queues; of a template with
# its parameters put in W2001 and W8001 say that they, and its conditions, are not used.
CFN_LINT_IGNORED = ("WS1004", "ES6000", "W2001", "W8001")
# Ruff's S608 is the same question, answered line by line.
BANDIT_SKIPPED = "B608"
ASL_VALIDATOR = "asl-validator@4.0.0"


def main() -> int:
    """Runs all scanners; says what each found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkov", type=Path, required=True)
    checkov = parser.parse_args().checkov
    os.environ["AWS_DEFAULT_REGION"] = REGION
    OUT.mkdir(parents=True, exist_ok=True)
    template = transformed()
    files = {"transformed": template, "chosen": rendered(template, **CHOSEN)}
    paths = []
    for name, content in files.items():
        paths.append(OUT / f"{name}.json")
        paths[-1].write_text(json.dumps(content, indent=1))
    findings = [
        *checkov_findings(checkov, [ROOT / "template.yaml", *paths]),
        *cfn_lint_findings(paths),
        *(finding for machine in MACHINES for finding in asl_findings(machine)),
        *bandit_findings(),
    ]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


def checkov_findings(checkov: Path, templates: list[Path]) -> Iterator[str]:
    """What checkov's own rules find, and skips that are too many."""
    for template in templates:
        arguments = ["--framework", "cloudformation", "--skip-download", "--output", "json", "-f", template]
        done = subprocess.run([checkov, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
        report = json.loads(done.stdout)
        failed, skipped = (report["results"][f"{kind}_checks"] for kind in ("failed", "skipped"))
        ids = sorted({one["check_id"] for one in skipped})
        passed_count = report["summary"]["passed"]
        print(f"checkov {template.name}: {passed_count} passed, {len(failed)} failed, skipped {', '.join(ids)}")
        yield from (f"checkov {template.name}: {one['check_id']} {one['resource']}" for one in failed)
        if len(ids) > MOST_SKIPPED or not all(one["check_result"].get("suppress_comment") for one in skipped):
            yield f"checkov {template.name}: more than {MOST_SKIPPED} skips, or one without its reason"
        if not passed_count:
            yield f"checkov {template.name}: it looked at nothing"


def cfn_lint_findings(transformed_templates: list[Path]) -> Iterator[str]:
    """cfn-lint with its informational rules on the template, and with those for serverless on what SAM makes of it."""
    runs = [(ROOT / "template.yaml", ["--include-checks", "I"])]
    runs += [
        (path, ["--append-rules", "cfn_lint_serverless.rules", "--ignore-checks", *CFN_LINT_IGNORED])
        for path in transformed_templates
    ]
    for path, options in runs:
        command = ["cfn-lint", "--regions", REGION, "--format", "parseable", *options, "--template", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        print(f"cfn-lint {path.name}: {len(done.stdout.splitlines())} found")
        yield from done.stdout.splitlines()
        if done.returncode and not done.stdout:
            yield f"cfn-lint {path.name}: {done.stderr}"


def asl_findings(definition: Path) -> Iterator[str]:
    """What AWS's language of states asks for, where node is there to say it."""
    if shutil.which("npx") is None:
        print("asl-validator: left out, there is no node")
        return
    command = ["npx", "--yes", ASL_VALIDATOR, "--json-path", definition]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=OUT)
    if "npm error network" in done.stderr or "npm ERR! network" in done.stderr:
        print("asl-validator: left out, npm cannot reach its registry")
        return
    print(f"asl-validator {definition.name}: {'nothing found' if done.returncode == 0 else 'failed'}")
    if done.returncode:
        yield f"asl-validator {definition.name}: {done.stdout}{done.stderr}"


def bandit_findings() -> Iterator[str]:
    """Whatever bandit calls medium or worse."""
    places = ["layers/core/energy", "functions", "cli", "local"]
    command = ["bandit", "-q", "-ll", "-s", BANDIT_SKIPPED, "-f", "json", "-r", *places]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    found = json.loads(done.stdout)["results"]
    print(f"bandit: {len(found)} of medium severity or worse")
    yield from (f"bandit: {one['filename']}:{one['line_number']} {one['test_id']} {one['issue_text']}" for one in found)


if __name__ == "__main__":
    sys.exit(main())
