"""The roles of the deployed stack: who may do what, and what was done."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.cloudformation.parsing import clean_json
from moto.kms.models import kms_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local.environment import ACCOUNT_ID, REGION
from local.iam import Grant, Journal, Judge, Judged, Role, Surroundings, grants


@dataclass(frozen=True)
class Permissions:
    """`roles`: those of the stack, by ARN. `files` is where a role lies for the process that runs under it."""

    roles: dict[str, Role]
    surroundings: Surroundings
    files: Path

    @property
    def journal(self) -> Journal:
        """What every role was asked since the stack was deployed."""
        return Journal(self.files / "calls.jsonl")

    def judge(self, role_arn: str) -> Judge:
        """Judges the calls of one role; KeyError if the stack has none of that ARN."""
        return Judge(self.roles[role_arn], self.surroundings, self.journal)

    def file_of(self, role_arn: str) -> Path:
        """Holds the role for local/iam/process.py."""
        role = self.roles[role_arn]
        file = self.files / f"{role.name}.json"
        if not file.exists():
            self.files.mkdir(parents=True, exist_ok=True)
            told = {
                "role": role.name,
                "arn": role.arn,
                "policies": list(role.policies),
                "region": self.surroundings.region,
                "account": self.surroundings.account,
                "keys": dict(self.surroundings.keys),
                "journal": str(self.journal.path),
            }
            file.write_text(json.dumps(told))
        return file

    def unused(self, judged: list[Judged]) -> set[Grant]:
        """What the roles are allowed and none of these calls has needed."""
        used = {grant for one in judged for grant in one.used}
        return {grant for role in self.roles.values() for grant in grants(role)} - used


def permissions_of(resources: Any, template: dict[str, Any], files: Path) -> Permissions:
    """The roles of a stack that moto has created, with their policies as CloudFormation has resolved them."""
    names = [name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::IAM::Role"]
    roles = {}
    for name in names:
        made = resources.get(name)
        if made is not None:
            documents = tuple(_document(policy) for policy in made.policies.values())
            roles[made.arn] = Role(name, made.arn, documents)
    return Permissions(roles, Surroundings(REGION, ACCOUNT_ID, dict(_keys(resources, template))), files)


def _document(policy: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(policy) if isinstance(policy, str) else policy
    return read


def _keys(resources: Any, template: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Buckets, queues and topics that are encrypted with a key of the account: their ARN, the key's."""
    for topic in sns_backends[ACCOUNT_ID][REGION].topics.values():
        if topic.kms_master_key_id:
            yield topic.arn, _key_arn(topic.kms_master_key_id)
    for queue in sqs_backends[ACCOUNT_ID][REGION].queues.values():
        if queue.kms_master_key_id:
            yield queue.queue_arn, _key_arn(queue.kms_master_key_id)
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::S3::Bucket" and name in resources:
            # moto's CloudFormation forgets it.
            encryption = clean_json(resource.get("Properties", {}).get("BucketEncryption", {}), resources)
            for rule in encryption.get("ServerSideEncryptionConfiguration", []):
                if key := rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID"):
                    yield resources[name].arn, _key_arn(key)


def _key_arn(key: str) -> str:
    return str(kms_backends[ACCOUNT_ID][REGION].describe_key(key).arn)
